// Publishing, pausing, ending: each dialog says what happens to the people inside before anything is done.
import { CheckCircleFilled, WarningFilled } from "@ant-design/icons";
import { Alert, Button, Modal, Radio, Skeleton } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { say } from "@/shared/api";
import { integer, percent } from "@/shared/format";
import type { Checked, Fault, Journey, PauseMode, Settings } from "./types";

interface PublishProps {
  journey: Journey;
  settings: Settings;
  active: number;
  /** Null while the server is still checking. */
  checked: Checked | null;
  /** Why the server could not be asked. */
  problem: string | null;
  nodeName: (id: string) => string;
  busy: boolean;
  onShow: (fault: Fault) => void;
  onPublish: () => void;
  onClose: () => void;
}

export function PublishDialog({ journey, settings, active, checked, problem, nodeName, busy, onShow, onPublish, onClose }: PublishProps) {
  const { t } = useTranslation("journeys");
  const blocked = !checked || checked.errors.length > 0;
  const again = journey.version !== null;
  return (
    <Modal
      open
      width={600}
      title={t(again ? "publish.titleAgain" : "publish.title", { version: (journey.version ?? 0) + 1 })}
      okText={t("publish.ok")}
      cancelText={t("cancel")}
      okButtonProps={{ disabled: blocked, "data-testid": "publish-confirm" }}
      confirmLoading={busy}
      onOk={onPublish}
      onCancel={onClose}
    >
      <div className="jd" data-testid="publish-dialog">
        {problem ? <Alert type="error" showIcon title={problem} /> : null}
        {!checked && !problem ? <Skeleton active title={false} paragraph={{ rows: 3 }} /> : null}
        {checked?.errors.length ? (
          <section>
            <h3 className="bad">
              <WarningFilled aria-hidden /> {t("publish.errors", { count: checked.errors.length })}
            </h3>
            <FaultList faults={checked.errors} nodeName={nodeName} onShow={onShow} />
          </section>
        ) : null}
        {checked && !checked.errors.length ? (
          <section>
            <h3>{t("publish.what")}</h3>
            <ul className="jd-effects">
              {again ? (
                <>
                  <li>{t("publish.inside", { count: integer(active), version: journey.version })}</li>
                  <li>{t("publish.newcomers", { version: (journey.version ?? 0) + 1 })}</li>
                  <li>{t("publish.content")}</li>
                </>
              ) : (
                <>
                  <li>{t("publish.first")}</li>
                  <li>{t("publish.notBefore")}</li>
                </>
              )}
              <li>{settings.holdout_percent > 0 ? t("publish.holdout", { share: percent(settings.holdout_percent / 100, 1) }) : t("publish.noHoldout")}</li>
              <li>{settings.daily_cap === null ? t("publish.noCap") : t("publish.cap", { count: settings.daily_cap })}</li>
              <li>{t("publish.consent", { purpose: t(`settings.purposes.${settings.purpose}`) })}</li>
            </ul>
          </section>
        ) : null}
        {checked?.warnings.length ? (
          <section>
            <h3 className="warn">
              <WarningFilled aria-hidden /> {t("publish.warnings", { count: checked.warnings.length })}
            </h3>
            <FaultList faults={checked.warnings} nodeName={nodeName} onShow={onShow} />
          </section>
        ) : null}
        {checked && !checked.errors.length && !checked.warnings.length ? (
          <p className="good">
            <CheckCircleFilled aria-hidden /> {t("publish.fine")}
          </p>
        ) : null}
      </div>
    </Modal>
  );
}

export function FaultList({ faults, nodeName, onShow }: { faults: Fault[]; nodeName: (id: string) => string; onShow: (fault: Fault) => void }) {
  const { t } = useTranslation("journeys");
  return (
    <ul className="jd-faults">
      {faults.map((fault, index) => (
        <li key={index}>
          <span>
            {fault.node_id ? <b>{nodeName(fault.node_id)}</b> : null} {say(fault.message)}
          </span>
          {fault.node_id || fault.field?.startsWith("settings.") ? (
            <Button type="link" size="small" onClick={() => onShow(fault)} data-testid={`fault-show-${fault.code}-${fault.node_id ?? fault.field}`}>
              {t("publish.show")}
            </Button>
          ) : null}
        </li>
      ))}
    </ul>
  );
}

const MODES: PauseMode[] = ["stop_entry", "freeze", "hold_sends"];

export function PauseDialog({ active, busy, onPause, onClose }: { active: number; busy: boolean; onPause: (mode: PauseMode) => void; onClose: () => void }) {
  const { t } = useTranslation("journeys");
  const [mode, setMode] = useState<PauseMode>("stop_entry");
  return (
    <Modal open width={600} title={t("pause.title")} okText={t("pause.ok")} cancelText={t("cancel")} confirmLoading={busy} okButtonProps={{ "data-testid": "pause-confirm" }} onOk={() => onPause(mode)} onCancel={onClose}>
      <p className="soft">{t("pause.ask", { count: integer(active) })}</p>
      <Radio.Group className="js-radios jd-modes" value={mode} onChange={(event) => setMode(event.target.value as PauseMode)} aria-label={t("pause.title")}>
        {MODES.map((each) => (
          <Radio key={each} value={each} data-testid={`pause-mode-${each}`}>
            <strong>{t(`pause.modes.${each}.name`)}</strong>
            <table className="jd-mode">
              <tbody>
                {(["newcomers", "inside", "messages", "resume"] as const).map((row) => (
                  <tr key={row}>
                    <th scope="row">{t(`pause.rows.${row}`)}</th>
                    <td>{t(`pause.modes.${each}.${row}`)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Radio>
        ))}
      </Radio.Group>
    </Modal>
  );
}

export function EndDialog({ active, name, busy, onEnd, onClose }: { active: number; name: string; busy: boolean; onEnd: () => void; onClose: () => void }) {
  const { t } = useTranslation("journeys");
  return (
    <Modal open title={t("end.title", { name })} okText={t("end.ok")} cancelText={t("cancel")} confirmLoading={busy} okButtonProps={{ danger: true, "data-testid": "end-confirm" }} onOk={onEnd} onCancel={onClose}>
      <ul className="jd-effects">
        <li>{t("end.leave", { count: integer(active) })}</li>
        <li>{t("end.messages")}</li>
        <li>{t("end.keep")}</li>
        <li>{t("end.final")}</li>
      </ul>
    </Modal>
  );
}

/** Somebody else saved this draft in between: theirs or ours, and nothing is thrown away unseen. */
export function ConflictDialog({ busy, onTheirs, onOurs }: { busy: boolean; onTheirs: () => void; onOurs: () => void }) {
  const { t } = useTranslation("journeys");
  return (
    <Modal
      open
      closable={false}
      mask={{ closable: false }}
      title={t("conflict.title")}
      footer={[
        <Button key="theirs" loading={busy} onClick={onTheirs} data-testid="conflict-theirs">
          {t("conflict.theirs")}
        </Button>,
        <Button key="ours" danger loading={busy} onClick={onOurs} data-testid="conflict-ours">
          {t("conflict.ours")}
        </Button>,
      ]}
    >
      <p>{t("conflict.text")}</p>
      <p className="faint">{t("conflict.undo")}</p>
    </Modal>
  );
}
