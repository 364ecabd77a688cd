// The builder: conditions on the left, what they give on the right, saved with the ETag that was read.
import { ArrowLeftOutlined, ClearOutlined, DownloadOutlined, RedoOutlined, ReloadOutlined, UndoOutlined } from "@ant-design/icons";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Alert, App, Button, Input, Select, Skeleton } from "antd";
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useSearchParams } from "react-router";
import { ApiError, call, download, post } from "@/shared/api";
import { ago, integer } from "@/shared/format";
import { emptyTree, problemsOf, RuleTree, undoKey, usePredicates, useUndoable, type RuleError } from "@/shared/ruletree";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { PartsBar } from "@/shared/tabs";
import { Card, Empty, Page, sentenceOf } from "@/shared/ui";
import "./audiences.css";
import { draftOf, dropDraft, keepDraft, useCount, type Audience, type Draft, type Refresh, type Version, type Which } from "./model";
import { Summary } from "./Summary";

const Members = lazy(() => import("./Versions").then((found) => ({ default: found.Members })));
const Versions = lazy(() => import("./Versions").then((found) => ({ default: found.Versions })));

interface Props {
  audience: Audience | null;
  etag: string | null;
  stored: Draft;
  kept: Draft | null;
  draftId: string;
}

const MODES: Refresh[] = ["manual", "daily", "live"];

export function Builder({ audience, etag, stored, kept, draftId }: Props) {
  const { t } = useTranslation("audiences");
  const { t: tree } = useTranslation("ruletree");
  const { may } = useSession();
  const { message, modal } = App.useApp();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [params, setParams] = useSearchParams();
  const draft = useUndoable<Draft>(kept ?? stored);
  const [restored, setRestored] = useState(kept !== null);
  const [saveErrors, setSaveErrors] = useState<RuleError[]>([]);
  const [nameAsked, setNameAsked] = useState(false);
  const writable = may("audiences.write");
  const { name, description, refresh, tree: root } = draft.value;
  const dirty = JSON.stringify(draft.value) !== JSON.stringify(stored);
  const asked = params.get("tab");
  const tab = (asked === "people" && may("people.read")) || asked === "versions" ? asked : "rules";
  const which: Which = {};
  if (params.get("version")) which.version = Number(params.get("version"));
  const change = params.get("change");
  if (change === "entered" || change === "left") which.change = change;

  const predicates = usePredicates();
  const problems = useMemo(() => (predicates.data ? problemsOf(root, predicates.data) : []), [root, predicates.data]);
  const ready = root.children.length > 0 && !!predicates.data && problems.length === 0;
  const count = useCount(root, ready);
  const errors = [...(ready && count.settled ? (count.data?.errors ?? []) : []), ...saveErrors];

  useEffect(() => {
    if (dirty) keepDraft(draftId, draft.value);
    else dropDraft(draftId);
  }, [dirty, draft.value, draftId]);
  useEffect(() => setSaveErrors([]), [root]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const action = undoKey(event);
      if (!action) return;
      event.preventDefault();
      draft[action]();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [draft]);

  const set = (next: Partial<Draft>, step: string) => draft.set((now) => ({ ...now, ...next }), step);
  const save = useMutation({
    mutationFn: (match: string | null) =>
      call<Audience>(audience ? "PUT" : "POST", audience ? `/audiences/${audience.audience_id}` : "/audiences", {
        body: { ...draft.value, name: name.trim() },
        headers: match ? { "If-Match": match } : {},
      }),
    onSuccess: (answer) => {
      dropDraft(draftId);
      setRestored(false);
      queries.setQueryData(["audience", answer.data.audience_id], answer);
      void queries.invalidateQueries({ queryKey: ["audiences"] });
      void queries.invalidateQueries({ queryKey: ["audience", answer.data.audience_id, "versions"] });
      void queries.invalidateQueries({ queryKey: ["audience", answer.data.audience_id, "people"] });
      void message.success(t("saved"));
      if (!audience) navigate(`/audiences/${answer.data.audience_id}`, { replace: true });
      else draft.reset(draftOf(answer.data));
    },
    onError: (error) => {
      if (error instanceof ApiError && error.status === 412) return askStale();
      if (error instanceof ApiError && error.code === "tree_invalid")
        setSaveErrors(error.fields.map((item) => ({ id: item.field.split(".")[0] ?? "", field: item.field.split(".").slice(1).join("."), message: item.message })));
      void message.error(sentenceOf(error, t("failed")));
    },
  });
  const reload = () => {
    dropDraft(draftId);
    draft.reset(stored);
    setRestored(false);
    if (audience) void queries.resetQueries({ queryKey: ["audience", audience.audience_id], exact: true });
  };
  const askStale = () =>
    modal.confirm({
      title: t("stale.title"),
      content: t("stale.text"),
      okText: t("stale.overwrite"),
      cancelText: t("stale.reload"),
      onOk: () => save.mutate(null),
      onCancel: reload,
    });
  const submit = () => {
    if (!name.trim()) {
      setNameAsked(true);
      document.getElementById("audience-name")?.focus();
      return;
    }
    save.mutate(etag);
  };
  const recompute = useMutation({
    mutationFn: () => post<Version>(`/audiences/${audience?.audience_id}/refresh`),
    onSuccess: (version) => {
      void message.success(t("refreshed", { size: integer(version.size), entered: integer(version.entered), left: integer(version.left) }));
      void queries.invalidateQueries({ queryKey: ["audience", audience?.audience_id] });
      void queries.invalidateQueries({ queryKey: ["audiences"] });
    },
    onError: (error) => void message.error(sentenceOf(error, t("failed"))),
  });
  const open = (next: Which) =>
    setParams({ tab: "people", ...(next.version ? { version: String(next.version) } : {}), ...(next.change ? { change: next.change } : {}) });

  return (
    <Page
      permission="audiences.read"
      title={
        <span style={{ display: "inline-flex", gap: 8, alignItems: "center" }}>
          <Link to="/audiences" aria-label={t("back")}>
            <ArrowLeftOutlined />
          </Link>
          {name || t(audience ? "untitled" : "new")}
          {dirty && audience ? <Pill tone="warn">{t("draft.unsaved")}</Pill> : null}
        </span>
      }
      note={audience?.computed_at ? `${integer(audience.size)} ${t("count.people")} · ${ago(audience.computed_at)}` : undefined}
      actions={
        <>
          {audience && writable ? (
            <Button icon={<ReloadOutlined />} loading={recompute.isPending} onClick={() => recompute.mutate()} data-testid="audience-refresh">
              {t("actions.refreshNow")}
            </Button>
          ) : null}
          {audience && audience.size !== null && may("people.export") ? (
            <Button
              icon={<DownloadOutlined />}
              data-testid="audience-export"
              onClick={() => modal.confirm({ title: t("export.title", { size: integer(audience.size) }), content: t("export.text"), onOk: () => download(`/audiences/${audience.audience_id}/export`, which.version ? { version: which.version } : {}) })}
            >
              {t("actions.export")}
            </Button>
          ) : null}
          {writable ? (
            <Button type="primary" loading={save.isPending} disabled={!dirty && !!audience} onClick={submit} data-testid="audience-save">
              {t(audience ? "save" : "saveNew")}
            </Button>
          ) : (
            <Pill>{t("readOnly")}</Pill>
          )}
        </>
      }
    >
      {restored ? (
        <Alert
          type="info"
          showIcon
          style={{ marginBottom: 12 }}
          title={t("draft.restored")}
          action={
            <Button size="small" onClick={reload} data-testid="draft-discard">
              {t("draft.discard")}
            </Button>
          }
        />
      ) : null}
      {audience ? (
        <PartsBar
          label={t("title")}
          open={tab}
          onOpen={(key) => setParams(key === "rules" ? {} : { tab: key })}
          parts={[{ key: "rules", label: t("tabs.rules") }, ...(may("people.read") ? [{ key: "people", label: t("tabs.people") }] : []), { key: "versions", label: t("tabs.versions") }]}
        />
      ) : null}
      {audience && tab !== "rules" ? (
        <Card>
          <Suspense fallback={<Skeleton active title={false} paragraph={{ rows: 6 }} />}>
            {tab === "versions" ? <Versions id={audience.audience_id} onOpen={open} /> : audience.version === null ? <Empty title={t("people.none")} /> : <Members id={audience.audience_id} which={which} />}
          </Suspense>
        </Card>
      ) : (
        <div className="aud-grid">
          <div className="grid">
            <Card>
              <div className="aud-meta">
                <div>
                  <label htmlFor="audience-name">{t("name")}</label>
                  <Input id="audience-name" data-testid="audience-name" maxLength={100} disabled={!writable} value={name} status={nameAsked && !name.trim() ? "error" : ""} placeholder={t("namePlaceholder")} onChange={(event) => set({ name: event.target.value }, "name")} />
                  {nameAsked && !name.trim() ? <p className="rt-error" role="alert">{t("nameNeeded")}</p> : null}
                </div>
                <div>
                  <label htmlFor="audience-description">{t("description")}</label>
                  <Input id="audience-description" maxLength={1000} disabled={!writable} value={description} placeholder={t("descriptionPlaceholder")} onChange={(event) => set({ description: event.target.value }, "description")} />
                </div>
                <div>
                  <label htmlFor="audience-refresh-mode">{t("refresh.label")}</label>
                  <Select<Refresh> id="audience-refresh-mode" data-testid="audience-mode" disabled={!writable} value={refresh} style={{ minWidth: 150 }} options={MODES.map((key) => ({ value: key, label: t(`refresh.${key}`), title: t(`refresh.${key}Hint`) }))} onChange={(mode) => set({ refresh: mode }, "refresh")} />
                  <small className="faint" style={{ maxWidth: 220 }}>{t(`refresh.${refresh}Hint`)}</small>
                </div>
              </div>
            </Card>
            <Card
              title={tree("label")}
              extra={
                <span className="aud-tools">
                  <Button type="text" size="small" icon={<UndoOutlined />} disabled={!draft.canUndo} onClick={draft.undo} data-testid="undo">{tree("undo")}</Button>
                  <Button type="text" size="small" icon={<RedoOutlined />} disabled={!draft.canRedo} onClick={draft.redo} data-testid="redo">{tree("redo")}</Button>
                  <Button type="text" size="small" icon={<ClearOutlined />} disabled={!root.children.length || !writable} onClick={() => set({ tree: emptyTree() }, "clear")} data-testid="clear">{tree("clear")}</Button>
                </span>
              }
            >
              {root.children.length ? null : <p className="faint" style={{ marginTop: 0 }}>{tree("emptyHint")}</p>}
              <RuleTree value={root} errors={errors} disabled={!writable} onChange={(edit, step) => draft.set((now) => ({ ...now, tree: edit(now.tree) }), step)} />
            </Card>
          </div>
          <div className="aud-side">
            <Summary tree={root} count={count} ready={ready} />
            {audience ? (
              <Card title={t("usage.title")}>
                {audience.used_by.length ? (
                  audience.used_by.map((use) => (
                    <p key={`${use.kind}${use.id}`} style={{ margin: "0 0 6px" }}>
                      <Pill>{t(`kinds.${use.kind}`, use.kind)}</Pill>
                      <Link to={`/${use.kind}s/${use.id}`}>{use.name}</Link>
                    </p>
                  ))
                ) : (
                  <span className="faint">{t("usage.none")}</span>
                )}
              </Card>
            ) : null}
          </div>
        </div>
      )}
    </Page>
  );
}
