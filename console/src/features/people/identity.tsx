// Why these identifiers are one person: a graph, and each link with its rule, event and count; links can be undone.
import { Alert, App, Button, Input, Modal } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useDenyPreview, usePersonActions, type Identifier, type Link, type PersonDetail } from "@/features/people/api";
import { Graph } from "@/features/people/Graph";
import { shorten } from "@/features/people/layout";
import { say } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Pill, type Tone } from "@/shared/pill";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Card, MadeBadge, sentenceOf } from "@/shared/ui";

const TONES: Record<Link["status"], Tone> = { accepted: "info", refused: "warn", demoted: "calm", denied: "bad" };

function Day({ at: moment }: { at: string }) {
  return (
    <span className="nowrap number" title={at(moment)}>
      {at(moment, "YYYY-MM-DD")}
    </span>
  );
}

export function Identity({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const { may } = useSession();
  const named = useSourceName();
  const { message } = App.useApp();
  const actions = usePersonActions(detail.person.person_id);
  const [denying, setDenying] = useState<Link | null>(null);
  const [revealing, setRevealing] = useState<Identifier | null>(null);
  const [reason, setReason] = useState("");
  const preview = useDenyPreview(denying?.link_id);
  const name = (id: number) => {
    const found = detail.identifiers.find((item) => item.identifier_id === id);
    return found ? `${say(found.namespace_label)} ${shorten(found.masked, 24)}` : t("elsewhere");
  };
  const failed = (error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")));
  return (
    <div className="grid">
      <Card title={t("why")}>
        <Graph detail={detail} />
        <Table<Identifier>
          size="small"
          rowKey="identifier_id"
          dataSource={detail.identifiers}
          label={t("why")}
          columns={[
            { title: t("namespace"), key: "ns", render: (_, row) => <span>{say(row.namespace_label)} {row.made ? <MadeBadge /> : null}</span> },
            { title: t("value"), dataIndex: "masked", render: (value: string) => <span className="masked">{value}</span> },
            { title: t("first"), dataIndex: "first_seen_at", render: (value: string) => <Day at={value} /> },
            { title: t("last"), dataIndex: "last_seen_at", render: (value: string) => <Day at={value} /> },
            {
              title: "",
              key: "reveal",
              align: "right",
              render: (_, row) =>
                may("people.reveal") ? (
                  <Button size="small" onClick={() => { setReason(""); actions.reveal.reset(); setRevealing(row); }}>
                    {t("reveal")}
                  </Button>
                ) : null,
            },
          ]}
        />
      </Card>
      <Card title={t("links")}>
        <Table<Link>
          size="small"
          rowKey="link_id"
          dataSource={detail.links}
          label={t("links")}
          emptyText={t("noLinks")}
          columns={[
            {
              title: t("linked"),
              key: "pair",
              render: (_, row) => (
                <>
                  {name(row.a)}
                  <span className="linked">{name(row.b)}</span>
                </>
              ),
            },
            {
              title: t("evidence"),
              key: "event",
              width: "38%",
              render: (_, row) => (
                <>
                  {say(row.rule_label)}
                  <small className="faint" title={row.event?.event_id}>
                    {[row.event ? [may("sources.read") ? named(row.event.source) : "", say(row.event.name_label)].filter(Boolean).join(" · ") : "", at(row.first_at, "YYYY-MM-DD")].filter(Boolean).join(" · ")}
                  </small>
                </>
              ),
            },
            { title: t("times"), dataIndex: "count", align: "right", width: 70, render: integer },
            {
              title: t("status"),
              key: "status",
              render: (_, row) => (
                <span className="link-status">
                  <Pill tone={TONES[row.status]} dot>{t(`statuses.${row.status}`)}</Pill>
                  {row.reason ? <small className="faint">{say(row.reason)}</small> : null}
                </span>
              ),
            },
            {
              title: "",
              key: "act",
              align: "right",
              render: (_, row) =>
                !may("people.write") ? null : row.status === "denied" ? (
                  <Button size="small" onClick={() => actions.restore.mutate(row.link_id, { onError: failed, onSuccess: () => void message.success(t("restored")) })}>
                    {t("restore")}
                  </Button>
                ) : (
                  <Button size="small" danger data-testid="deny-link" onClick={() => { setReason(""); setDenying(row); }}>
                    {t("deny")}
                  </Button>
                ),
            },
          ]}
        />
      </Card>
      <Modal
        open={denying !== null}
        title={t("denyTitle")}
        okText={t("deny")}
        okButtonProps={{ danger: true, disabled: !reason.trim(), loading: actions.deny.isPending }}
        onCancel={() => setDenying(null)}
        onOk={() =>
          denying &&
          actions.deny.mutate({ link: denying.link_id, reason }, {
            onError: failed,
            onSuccess: (done) => { setDenying(null); void message.success(t("denied", { n: done.people.length })); },
          })
        }
      >
        <p>
          <strong>{denying ? `${name(denying.a)} — ${name(denying.b)}` : ""}</strong>
        </p>
        <p>{t("denyConsequence")}</p>
        {preview.data ? (
          <Alert
            className="spaced"
            type="warning"
            showIcon
            title={t(preview.data.people_after > preview.data.people_before ? "denySplits" : "denyKeeps", {
              before: preview.data.people_before,
              after: preview.data.people_after,
              n: preview.data.identifiers_moved,
            })}
          />
        ) : null}
        <Input.TextArea aria-label={t("reason")} placeholder={t("reason")} value={reason} onChange={(event) => setReason(event.target.value)} />
      </Modal>
      <Modal
        open={revealing !== null}
        title={t("revealTitle")}
        okText={t("reveal")}
        okButtonProps={{ disabled: !reason.trim() || actions.reveal.isSuccess, loading: actions.reveal.isPending }}
        onCancel={() => setRevealing(null)}
        onOk={() => revealing && actions.reveal.mutate({ identifier_id: revealing.identifier_id, reason }, { onError: failed })}
      >
        <p>{t("revealNote")}</p>
        {actions.reveal.data ? <p className="revealed number">{actions.reveal.data.value}</p> : (
          <Input aria-label={t("reason")} placeholder={t("reason")} value={reason} onChange={(event) => setReason(event.target.value)} />
        )}
      </Modal>
    </div>
  );
}
