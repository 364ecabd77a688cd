// The editor's head: the name, where the journey stands, whether the draft is saved, and what one can do with it.
import { ArrowLeftOutlined, CheckCircleOutlined, CloudSyncOutlined, ExclamationCircleOutlined, PauseOutlined, PlayCircleOutlined, RedoOutlined, SettingOutlined, StopOutlined, UndoOutlined } from "@ant-design/icons";
import { Badge, Button, Dropdown, Input, Popover, Segmented, Tooltip } from "antd";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Undoable } from "@/shared/ruletree";
import { useSession } from "@/shared/session";
import { sentenceOf } from "@/shared/ui";
import { isFinal, type Saving } from "./autosave";
import { FaultList } from "./dialogs";
import type { EditorDialog } from "./editor";
import { StatusTag } from "./StatusTag";
import type { Checked, Draft, Fault, Journey } from "./types";

interface Props {
  journey: Journey;
  draft: Undoable<Draft>;
  saving: Saving<Draft>;
  found: Checked;
  readOnly: boolean;
  live: boolean;
  tab: "canvas" | "report";
  busy: boolean;
  onTab: (tab: "canvas" | "report") => void;
  onLive: (live: boolean) => void;
  onDialog: (dialog: EditorDialog) => void;
  onResume: () => void;
  onFault: (fault: Fault) => void;
  nodeName: (id: string) => string;
}

export function EditorHead(props: Props) {
  const { journey, draft, readOnly, live, tab, onTab, onLive, onDialog } = props;
  const { t } = useTranslation("journeys");
  const unpublished = journey.version !== null && journey.has_draft_changes && journey.status !== "ended";
  return (
    <header className="je-head">
      <div className="je-line">
        <Link to="/journeys" className="je-back" aria-label={t("back")} data-testid="journey-back">
          <ArrowLeftOutlined />
        </Link>
        <h1 className="je-name">
          {readOnly ? (
            draft.value.name
          ) : (
            <Input variant="borderless" aria-label={t("columns.name")} data-testid="journey-title" maxLength={100} value={draft.value.name} onChange={(event) => draft.set((now) => ({ ...now, name: event.target.value }), "name")} />
          )}
        </h1>
        <StatusTag status={journey.status} />
        {journey.status === "paused" && journey.pause_mode ? <span className="soft">{t(`pause.modes.${journey.pause_mode}.name`)}</span> : null}
        <SaveState {...props} />
        <span className="grow" />
        <Actions {...props} />
      </div>
      <div className="je-line">
        <Segmented
          aria-label={t("tabs.label")}
          value={tab}
          options={[
            { value: "canvas", label: <span data-testid="tab-canvas">{t("tabs.canvas")}</span> },
            { value: "report", label: <span data-testid="tab-report">{t("tabs.report")}</span> },
          ]}
          onChange={(next) => onTab(next as "canvas" | "report")}
        />
        {tab === "canvas" && unpublished && journey.live_graph ? (
          <Segmented
            aria-label={t("version.label")}
            value={live ? "live" : "draft"}
            options={[
              { value: "draft", label: <span data-testid="version-draft">{t("version.draft")}</span> },
              { value: "live", label: <span data-testid="version-live">{t("version.live", { version: journey.version })}</span> },
            ]}
            onChange={(next) => onLive(next === "live")}
          />
        ) : journey.version !== null ? (
          <span className="soft">{t("version.now", { version: journey.version })}</span>
        ) : null}
        {unpublished ? <span className="je-changes">{t("version.changes")}</span> : null}
        <span className="grow" />
        {tab === "canvas" && !readOnly ? (
          <>
            <Problems {...props} />
            <Tooltip title={t("undo")}>
              <Button icon={<UndoOutlined />} aria-label={t("undo")} data-testid="journey-undo" disabled={!draft.canUndo} onClick={draft.undo} />
            </Tooltip>
            <Tooltip title={t("redo")}>
              <Button icon={<RedoOutlined />} aria-label={t("redo")} data-testid="journey-redo" disabled={!draft.canRedo} onClick={draft.redo} />
            </Tooltip>
          </>
        ) : null}
        <Button icon={<SettingOutlined />} data-testid="journey-settings" onClick={() => onDialog("settings")}>
          {t("settings.title")}
        </Button>
      </div>
    </header>
  );
}

function SaveState({ saving, readOnly }: Props) {
  const { t } = useTranslation("journeys");
  if (readOnly) return null;
  const { state } = saving;
  if (state.kind === "failed")
    return (
      <span className="je-save bad" role="alert" data-testid="save-state">
        <ExclamationCircleOutlined aria-hidden /> {sentenceOf(state.error, t("saving.failed"))}
        {isFinal(state.error) ? null : ` · ${t("saving.again")}`}
        <Button type="link" size="small" onClick={() => void saving.flush()}>
          {t("saving.now")}
        </Button>
      </span>
    );
  return (
    <span className="je-save" role="status" data-testid="save-state" data-state={state.kind}>
      {state.kind === "clean" ? <CheckCircleOutlined aria-hidden /> : <CloudSyncOutlined aria-hidden />} {t(state.kind === "clean" ? "saving.saved" : "saving.saving")}
    </span>
  );
}

function Problems({ found, nodeName, onFault }: Props) {
  const { t } = useTranslation("journeys");
  const { errors, warnings } = found;
  if (!errors.length && !warnings.length)
    return (
      <span className="je-fine">
        <CheckCircleOutlined aria-hidden /> {t("problems.none")}
      </span>
    );
  return (
    <Popover
      trigger="click"
      placement="bottomRight"
      title={t("problems.title")}
      content={
        <div className="je-problems">
          <FaultList faults={[...errors, ...warnings]} nodeName={nodeName} onShow={onFault} />
        </div>
      }
    >
      <Button data-testid="journey-problems" icon={<Badge status={errors.length ? "error" : "warning"} />}>
        {errors.length ? t("problems.errors", { count: errors.length }) : t("problems.warnings", { count: warnings.length })}
      </Button>
    </Popover>
  );
}

function Actions({ journey, busy, onDialog, onResume }: Props) {
  const { t } = useTranslation("journeys");
  const { may } = useSession();
  if (!may("journeys.publish") || journey.status === "ended") return null;
  const publishable = journey.version === null || journey.has_draft_changes;
  return (
    <>
      {journey.status === "running" ? (
        <Button icon={<PauseOutlined />} data-testid="journey-pause" onClick={() => onDialog("pause")}>
          {t("pause.ok")}
        </Button>
      ) : null}
      {journey.status === "paused" ? (
        <Button icon={<PlayCircleOutlined />} loading={busy} data-testid="journey-resume" onClick={onResume}>
          {t("resume")}
        </Button>
      ) : null}
      {journey.version !== null ? (
        <Dropdown trigger={["click"]} menu={{ items: [{ key: "end", danger: true, icon: <StopOutlined />, label: <span data-testid="journey-end">{t("end.ok")}</span>, onClick: () => onDialog("end") }] }}>
          <Button data-testid="journey-more" aria-label={t("more")}>
            ···
          </Button>
        </Dropdown>
      ) : null}
      <Tooltip title={publishable ? "" : t("publish.nothing")}>
        <Button type="primary" disabled={!publishable} data-testid="journey-publish" onClick={() => onDialog("publish")}>
          {t(journey.version === null ? "publish.ok" : "publish.okAgain")}
        </Button>
      </Tooltip>
    </>
  );
}
