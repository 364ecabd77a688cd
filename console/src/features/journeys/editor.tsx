// One journey: its canvas and its report. What is drawn saves itself; publishing, pausing and ending ask first.
import { useQueryClient } from "@tanstack/react-query";
import { App } from "antd";
import { ReactFlowProvider } from "@xyflow/react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useParams, useSearchParams } from "react-router";
import { say, type Answer } from "@/shared/api";
import { undoKey, useUndoable } from "@/shared/ruletree";
import { useSession } from "@/shared/session";
import { Loaded, Page, sentenceOf } from "@/shared/ui";
import { endJourney, pauseJourney, publishJourney, readJourney, resumeJourney, saveJourney, useJourney, useReport, validateJourney, type PeopleQuestion } from "./api";
import { useAutosave } from "./autosave";
import { Canvas } from "./Canvas";
import { useCounts } from "./counts";
import { ConflictDialog, EndDialog, PauseDialog, PublishDialog } from "./dialogs";
import { EditingContext, type Editing } from "./editing";
import { EditorHead } from "./EditorHead";
import { nodeOf, place, publishedIds } from "./graph";
import { arrange, isCramped } from "./layout";
import { useCardWords } from "./naming";
import { Palette } from "./Palette";
import { NodePanel } from "./Panel";
import { PeopleDrawer } from "./PeopleDrawer";
import { ReportView } from "./Report";
import { SettingsDrawer } from "./SettingsDrawer";
import { check, join, stillTrue } from "./validation";
import type { Checked, Draft, Fault, Graph, Journey, PauseMode, PeopleState, Settings } from "./types";
import "./journeys.css";

export default function JourneyPage() {
  const { journeyId = "" } = useParams();
  const { t } = useTranslation("journeys");
  const query = useJourney(journeyId);
  if (!query.data)
    return (
      <Page title={t("title")} note={<Link to="/journeys">← {t("back")}</Link>}>
        <Loaded query={query} rows={14}>
          {() => null}
        </Loaded>
      </Page>
    );
  return (
    <ReactFlowProvider key={journeyId}>
      <Editor answer={query.data} />
    </ReactFlowProvider>
  );
}

const draftOf = (journey: Journey): Draft => ({ name: journey.name, graph: journey.graph, settings: journey.settings });

/** A draft from a template or an import may have all its nodes in one place: it is arranged once, when it is opened. */
function opened(journey: Journey): Draft {
  const draft = draftOf(journey);
  return isCramped(draft.graph) ? { ...draft, graph: place(draft.graph, arrange(draft.graph)) } : draft;
}

export type EditorDialog = "publish" | "pause" | "end" | "settings" | null;

function Editor({ answer }: { answer: Answer<Journey> }) {
  const { t } = useTranslation("journeys");
  const { may } = useSession();
  const { message } = App.useApp();
  const queries = useQueryClient();
  const [journey, setJourney] = useState(answer.data);
  const [initial] = useState(() => ({ value: opened(answer.data), etag: answer.etag }));
  const draft = useUndoable<Draft>(initial.value);
  const [params, setParams] = useSearchParams();
  const [dialog, setDialog] = useState<EditorDialog>(null);
  const [busy, setBusy] = useState(false);
  const [live, setLive] = useState(false);
  const [checked, setChecked] = useState<{ answer: Checked; graph: Graph } | null>(null);
  const [problem, setProblem] = useState<string | null>(null);

  const { journey_id: journeyId } = journey;
  const counted = journey.version !== null;
  const report = useReport(journeyId, counted, journey.status === "running" || journey.status === "paused");
  const take = useCounts((counts) => counts.take);
  useEffect(() => take(report.data ?? null), [report.data, take]);

  const askServer = useCallback(
    async (graph: Graph): Promise<Checked | null> => {
      try {
        const found = await validateJourney(journeyId);
        setChecked({ answer: found, graph });
        setProblem(null);
        return found;
      } catch (error) {
        setProblem(sentenceOf(error, t("failed")));
        return null;
      }
    },
    [journeyId, t],
  );

  const writes = may("journeys.write") && journey.status !== "ended";
  const showLive = live && !!journey.live_graph;
  const readOnly = !writes || showLive;
  const send = useCallback((value: Draft, etag: string | null) => saveJourney(journeyId, value, etag), [journeyId]);
  const saving = useAutosave<Draft>({
    value: draft.value,
    initial,
    enabled: writes,
    send: async (value, etag) => {
      const saved = await send(value, etag);
      setJourney(saved.data);
      return saved;
    },
    onSaved: (value) => void askServer(value.graph),
  });

  const { set } = draft;
  const change = useCallback<Editing["change"]>(
    (edit, name) =>
      set((now) => {
        const graph = edit(now.graph);
        return graph === now.graph ? now : { ...now, graph };
      }, name),
    [set],
  );
  const taken = useMemo(() => publishedIds(journey.live_graph as Graph | null, report.data?.nodes ?? []), [journey.live_graph, report.data]);
  const changeSettings = useCallback((edit: (settings: Settings) => Settings, name?: string) => set((now) => ({ ...now, settings: edit(now.settings) }), name), [set]);

  const put = useCallback(
    (patch: Record<string, string | null>) =>
      setParams(
        (now) => {
          const next = new URLSearchParams(now);
          for (const [key, value] of Object.entries(patch)) if (value) next.set(key, value);
          else next.delete(key);
          return next;
        },
        { replace: true },
      ),
    [setParams],
  );
  const selected = params.get("node");
  const select = useCallback((id: string | null) => put({ node: id }), [put]);
  const add = useCallback<Editing["add"]>(
    (edit) => {
      const added = edit(draft.value.graph, taken);
      if (added.graph === draft.value.graph) {
        select(added.id);
        return;
      }
      // A step put into a way needs room: everything is arranged again, which undo takes back together with it.
      change(() => place(added.graph, arrange(added.graph)));
      select(added.id);
    },
    [draft.value.graph, taken, change, select],
  );
  const openPeople = useCallback((question: PeopleQuestion) => put({ people: [question.nodeId ?? "", question.state, question.reason ?? ""].join("~") }), [put]);

  const words = useCardWords();
  const graph = showLive ? (journey.live_graph as Graph) : draft.value.graph;
  const { settings } = draft.value;
  const found = useMemo(() => join(stillTrue(checked?.answer ?? null, checked?.graph ?? null, draft.value.graph), check(draft.value.graph, settings)), [checked, draft.value.graph, settings]);
  const faults = useMemo(() => {
    const map = new Map<string, { errors: Fault[]; warnings: Fault[] }>();
    if (showLive) return map;
    for (const key of ["errors", "warnings"] as const)
      for (const fault of found[key]) {
        if (!fault.node_id) continue;
        const own = map.get(fault.node_id) ?? { errors: [], warnings: [] };
        own[key].push(fault);
        map.set(fault.node_id, own);
      }
    return map;
  }, [found, showLive]);

  const editing = useMemo<Editing>(
    () => ({ journeyId, graph, settings, readOnly, counted, selected, select, change, add, taken, faults, openPeople, titleOf: words.title, subtitleOf: words.subtitle }),
    [journeyId, graph, settings, readOnly, counted, selected, select, change, add, taken, faults, openPeople, words.title, words.subtitle],
  );

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const wish = undoKey(event);
      if (!wish || readOnly || dialog === "publish") return;
      event.preventDefault();
      if (wish === "undo") draft.undo();
      else draft.redo();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [draft, readOnly, dialog]);

  const openPublish = async () => {
    setDialog("publish");
    setProblem(null);
    setChecked(null);
    if (await saving.flush()) await askServer(draft.value.graph);
    else setProblem(t("saving.first"));
  };

  const run = async (work: () => Promise<Answer<Journey>>, done: string) => {
    setBusy(true);
    try {
      if (!(await saving.flush())) throw new Error("unsaved");
      const result = await work();
      setJourney(result.data);
      saving.settle(result.etag ?? (await readJourney(journeyId)).etag, draft.value, false);
      setDialog(null);
      void message.success(t(done));
      await queries.invalidateQueries({ queryKey: ["journey-report", journeyId] });
      await queries.invalidateQueries({ queryKey: ["journeys"] });
    } catch (error) {
      void message.error(sentenceOf(error, t("failed")));
    } finally {
      setBusy(false);
    }
  };

  const settleConflict = async (keepOurs: boolean) => {
    setBusy(true);
    try {
      const theirs = await readJourney(journeyId);
      setJourney(theirs.data);
      const value = opened(theirs.data);
      if (keepOurs) saving.settle(theirs.etag, value, true);
      else {
        // Theirs comes on top of ours in the history: one undo brings ours back.
        saving.settle(theirs.etag, value, false);
        set(value);
      }
    } catch (error) {
      void message.error(sentenceOf(error, t("failed")));
    } finally {
      setBusy(false);
    }
  };

  const nodeName = (id: string) => {
    const node = nodeOf(draft.value.graph, id);
    return node ? words.title(node) : id;
  };
  const showFault = (fault: Fault) => {
    setDialog(fault.node_id ? null : "settings");
    setLive(false);
    put({ tab: null, node: fault.node_id });
  };

  const asked = params.get("people")?.split("~");
  const question: PeopleQuestion | null = asked?.[1] ? { nodeId: asked[0] || null, state: asked[1] as PeopleState, reason: asked[2] || null } : null;
  const reasonLabel = question?.reason ? (report.data?.nodes.flatMap((node) => node.suppressed).find((each) => each.reason === question.reason)?.label ?? null) : null;
  const tab = params.get("tab") === "report" ? "report" : "canvas";
  const active = report.data?.active ?? 0;

  return (
    <EditingContext.Provider value={editing}>
      <main className={`je ${tab}`} id="main">
        <EditorHead
          journey={journey}
          draft={draft}
          saving={saving}
          found={found}
          readOnly={readOnly}
          live={showLive}
          tab={tab}
          onTab={(next) => put({ tab: next === "report" ? "report" : null })}
          onLive={setLive}
          onDialog={(next) => (next === "publish" ? void openPublish() : setDialog(next))}
          onResume={() => void run(() => resumeJourney(journeyId), "done.resumed")}
          onFault={showFault}
          nodeName={nodeName}
          busy={busy}
        />
        {tab === "canvas" ? (
          <div className={`je-stage${nodeOf(graph, selected) ? " with-panel" : ""}`}>
            <Palette />
            <Canvas key={showLive ? "live" : "draft"} />
            <NodePanel />
          </div>
        ) : (
          <div className="je-report">
            <ReportView query={report} published={counted} />
          </div>
        )}
      </main>
      <SettingsDrawer open={dialog === "settings"} settings={settings} readOnly={!writes} change={changeSettings} onClose={() => setDialog(null)} />
      {dialog === "publish" ? (
        <PublishDialog
          journey={journey}
          settings={settings}
          active={active}
          checked={checked ? join(checked.answer, check(draft.value.graph, settings)) : null}
          problem={problem}
          nodeName={nodeName}
          busy={busy}
          onShow={showFault}
          onPublish={() => void run(() => publishJourney(journeyId), "done.published")}
          onClose={() => setDialog(null)}
        />
      ) : null}
      {dialog === "pause" ? <PauseDialog active={active} busy={busy} onPause={(mode: PauseMode) => void run(() => pauseJourney(journeyId, mode), "done.paused")} onClose={() => setDialog(null)} /> : null}
      {dialog === "end" ? <EndDialog active={active} name={journey.name} busy={busy} onEnd={() => void run(() => endJourney(journeyId), "done.ended")} onClose={() => setDialog(null)} /> : null}
      {saving.state.kind === "conflict" ? <ConflictDialog busy={busy} onTheirs={() => void settleConflict(false)} onOurs={() => void settleConflict(true)} /> : null}
      <PeopleDrawer journeyId={journeyId} question={question} place={question?.nodeId ? nodeName(question.nodeId) : t("report.whole")} reason={reasonLabel ? say(reasonLabel) : null} onClose={() => put({ people: null })} />
    </EditingContext.Provider>
  );
}
