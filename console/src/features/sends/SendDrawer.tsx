// One send: its way through the states, what it said, and the dialog that settles an unknown one.
import { App, Alert, Button, Drawer, Input, Modal, Radio, Skeleton, Timeline } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { say } from "@/shared/api";
import { at } from "@/shared/format";
import { PhonePreview } from "@/shared/phone";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { ErrorState, sentenceOf } from "@/shared/ui";
import { settleSend, useSend } from "./api";
import { messageOf } from "./content";
import { TONES } from "./tones";
import { type Outcome, type SendDetail, type SendStatus } from "./types";

interface Props {
  effectId: string | null;
  onClose: () => void;
  onSettled: () => void;
}

const COLOURS: Record<string, string> = { good: "green", bad: "red", warn: "orange", info: "blue", calm: "gray" };

export function SendDrawer({ effectId, onClose, onSettled }: Props) {
  const { t } = useTranslation("sends");
  const query = useSend(effectId);
  const send = query.data;
  return (
    <Drawer open={effectId !== null} onClose={onClose} size={560} title={send?.title ?? t("drawer")}>
      <div className="sd-drawer" data-testid="send-drawer">
        {query.isPending ? <Skeleton active paragraph={{ rows: 8 }} /> : query.isError ? <ErrorState error={query.error} retry={() => void query.refetch()} /> : send ? <Detail send={send} onSettled={onSettled} /> : null}
      </div>
    </Drawer>
  );
}

function Detail({ send, onSettled }: { send: SendDetail; onSettled: () => void }) {
  const { t } = useTranslation("sends");
  const { may } = useSession();
  const [settling, setSettling] = useState(false);
  const message = messageOf(send.content);
  const known = (status: string): status is SendStatus => status in TONES;
  return (
    <>
      <dl className="sd-facts">
        <dt>{t("columns.status")}</dt>
        <dd>
          <Pill tone={TONES[send.status]} dot>
            {t(`status.${send.status}`)}
          </Pill>
        </dd>
        <dt>{t("columns.person")}</dt>
        <dd>{send.person ? <Link to={`/people/${send.person.person_id}`}>{send.person.name ?? t("unnamed")}</Link> : t("erased")}</dd>
        {send.reason ? (
          <>
            <dt>{t("columns.reason")}</dt>
            <dd>{say(send.reason_label) || send.reason}</dd>
          </>
        ) : null}
        {send.journey ? (
          <>
            <dt>{t("columns.journey")}</dt>
            <dd>
              <Link to={`/journeys/${send.journey.journey_id}${send.node_id ? `?node=${send.node_id}` : ""}`}>{send.journey.name}</Link>
            </dd>
          </>
        ) : null}
        {send.coupon_code ? (
          <>
            <dt>{t("coupon")}</dt>
            <dd>
              <code>{send.coupon_code}</code> {send.coupon_status ? <span className="faint">{t(`couponStatus.${send.coupon_status}`)}</span> : null}
            </dd>
          </>
        ) : null}
        {send.status === "deferred" && send.wake_at ? (
          <>
            <dt>{t("wake")}</dt>
            <dd className="number">{at(send.wake_at)}</dd>
          </>
        ) : null}
      </dl>
      <p className="faint">{t(`about.${send.status}`)}</p>
      {send.status === "unknown" ? (
        <Alert
          type="warning"
          showIcon
          title={t("unknown.one")}
          description={t("unknown.oneText")}
          action={
            may("sends.write") ? (
              <Button type="primary" data-testid="send-settle" onClick={() => setSettling(true)}>
                {t("settle.open")}
              </Button>
            ) : null
          }
        />
      ) : null}
      <h3>{t("content")}</h3>
      {message ? <PhonePreview template={message} /> : <p className="soft">{t("noContent")}</p>}
      <h3>{t("history")}</h3>
      <Timeline
        items={[
          ...send.history.map((entry, index) => ({
            key: index,
            color: known(entry.status) ? COLOURS[TONES[entry.status]] : "green",
            content: (
              <div data-testid={`history-${entry.status}`}>
                <b>{known(entry.status) ? t(`status.${entry.status}`) : say(entry.label)}</b> <span className="faint number">{at(entry.at, "MM-DD HH:mm:ss")}</span>
                {entry.detail ? <p className="soft">{entry.detail === send.reason ? say(send.reason_label) || entry.detail : entry.detail}</p> : null}
              </div>
            ),
          })),
          ...([["delivered", send.delivered_at], ["read", send.read_at]] as const).flatMap(([key, when]) =>
            when && !send.history.some((entry) => entry.status === key) ? [{ key, color: "green", content: <div data-testid={`history-${key}`}><b>{t(`seen.${key}Word`)}</b> <span className="faint number">{at(when, "MM-DD HH:mm:ss")}</span></div> }] : [],
          ),
        ]}
      />
      <p className="faint">
        effect_id <code>{send.effect_id}</code>
      </p>
      {settling ? (
        <SettleDialog
          send={send}
          onClose={() => setSettling(false)}
          onSettled={() => {
            setSettling(false);
            onSettled();
          }}
        />
      ) : null}
    </>
  );
}

const OUTCOMES: Outcome[] = ["accepted", "rejected", "resend"];

function SettleDialog({ send, onClose, onSettled }: { send: SendDetail; onClose: () => void; onSettled: () => void }) {
  const { t } = useTranslation("sends");
  const { message } = App.useApp();
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [note, setNote] = useState("");
  const [busy, setBusy] = useState(false);
  const settle = async () => {
    if (!outcome) return;
    setBusy(true);
    try {
      await settleSend(send.effect_id, outcome, note.trim());
      void message.success(t("settle.done"));
      onSettled();
    } catch (error) {
      void message.error(sentenceOf(error, t("settle.failed")));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal open title={t("settle.title")} okText={t("settle.ok")} cancelText={t("settle.cancel")} confirmLoading={busy} okButtonProps={{ disabled: !outcome || !note.trim(), danger: outcome === "resend", "data-testid": "settle-confirm" }} onOk={() => void settle()} onCancel={onClose}>
      <p className="soft">{t("settle.text")}</p>
      <Radio.Group className="sd-outcomes" value={outcome} onChange={(event) => setOutcome(event.target.value as Outcome)} aria-label={t("settle.title")}>
        {OUTCOMES.map((each) => (
          <Radio key={each} value={each} data-testid={`settle-${each}`}>
            <strong>{t(`settle.outcomes.${each}.name`)}</strong>
            <small className="faint">{t(`settle.outcomes.${each}.about`)}</small>
          </Radio>
        ))}
      </Radio.Group>
      <label className="sd-note" htmlFor="settle-note">
        {t("settle.note")}
      </label>
      <Input.TextArea id="settle-note" data-testid="settle-note" rows={2} maxLength={500} value={note} onChange={(event) => setNote(event.target.value)} placeholder={t("settle.noteHint")} />
    </Modal>
  );
}
