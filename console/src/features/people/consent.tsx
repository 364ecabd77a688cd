// Consent by purpose and channel. What was never stated counts as no; every change is a line in the ledger.
import { App, Button, Input, Modal, Tooltip } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { usePersonActions, type ConsentRow, type PersonDetail } from "@/features/people/api";
import { say } from "@/shared/api";
import { at } from "@/shared/format";
import { Pill, type Tone } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Card, Empty, sentenceOf } from "@/shared/ui";

const TONES: Record<ConsentRow["status"], Tone> = { granted: "good", denied: "bad", unknown: "calm" };

interface Asked {
  row: ConsentRow;
  status: "granted" | "withdrawn";
}

export function Consent({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const [asked, setAsked] = useState<Asked | null>(null);
  const rows = detail.consent;
  const purposes = [...new Map(rows.map((row) => [row.purpose, row.purpose_label]))];
  return (
    <Card title={t("consent")} extra={<span className="faint">{t("consentRule")}</span>}>
      {rows.length ? (
        <div className="grid">
          {purposes.map(([purpose, label]) => (
            <section key={purpose} aria-label={say(label)}>
              <h3 className="consent-purpose">{say(label)}</h3>
              <ul className="consent-cells">
                {rows
                  .filter((row) => row.purpose === purpose)
                  .map((row) => (
                    <Cell key={row.channel} row={row} ask={(status) => setAsked({ row, status })} />
                  ))}
              </ul>
            </section>
          ))}
        </div>
      ) : (
        <Empty title={t("noConsent")} />
      )}
      {asked ? <Statement asked={asked} personId={detail.person.person_id} close={() => setAsked(null)} /> : null}
    </Card>
  );
}

function Cell({ row, ask }: { row: ConsentRow; ask: (status: Asked["status"]) => void }) {
  const { t } = useTranslation("people");
  const { may } = useSession();
  const proof = [row.source, row.notice_version ? `${t("notice")} ${row.notice_version}` : "", row.evidence].filter(Boolean).join(" · ");
  return (
    <li className="consent-cell">
      <span>{say(row.channel_label)}</span>
      <Tooltip title={proof || null}>
        <span tabIndex={proof ? 0 : undefined}>
          <Pill tone={TONES[row.status]} dot>
            {t(`consentStatus.${row.status}`)}
          </Pill>
        </span>
      </Tooltip>
      {row.at ? <small className="faint number">{at(row.at, "YYYY-MM-DD")}</small> : null}
      {!may("consent.write") ? null : row.status === "granted" ? (
        <Button size="small" danger type="text" onClick={() => ask("withdrawn")} data-testid="withdraw">
          {t("withdraw")}
        </Button>
      ) : (
        <Button size="small" type="text" onClick={() => ask("granted")} data-testid="grant">
          {t("grant")}
        </Button>
      )}
    </li>
  );
}

function Statement({ asked: { row, status }, personId, close }: { asked: Asked; personId: string; close: () => void }) {
  const { t } = useTranslation("people");
  const { message } = App.useApp();
  const actions = usePersonActions(personId);
  const [evidence, setEvidence] = useState("");
  const granting = status === "granted";
  const words = { purpose: say(row.purpose_label), channel: say(row.channel_label) };
  return (
    <Modal
      open
      title={t(granting ? "grantTitle" : "withdrawTitle", words)}
      okText={t(granting ? "grant" : "withdraw")}
      okButtonProps={{ danger: !granting, disabled: granting && !evidence.trim(), loading: actions.consent.isPending }}
      onCancel={close}
      onOk={() =>
        actions.consent.mutate(
          { purpose: row.purpose, channel: row.channel, status, evidence: evidence.trim() || "console" },
          {
            onSuccess: ({ too_late: late }) => {
              if (late.length) void message.warning(t("tooLate", { count: late.length, sends: late.map((one) => at(one.submitted_at, "MM-DD HH:mm:ss")).join(" · ") }), 8);
              close();
            },
            onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))),
          },
        )
      }
    >
      <p>{t(granting ? "grantNote" : "withdrawNote")}</p>
      <Input aria-label={t("proof")} placeholder={t(granting ? "proof" : "proofOptional")} value={evidence} onChange={(event) => setEvidence(event.target.value)} />
    </Modal>
  );
}
