// Why these identifiers are one person: a graph, and each link with its rule, event and count; links can be undone.
import { Button, Input, Modal, Table, Tag, App } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { usePersonActions, type Identifier, type Link, type PersonDetail } from "@/features/people/api";
import { say } from "@/shared/api";
import { at, integer } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Card, MadeBadge, sentenceOf } from "@/shared/ui";

const SIZE = { width: 560, height: 320 };

function positions(identifiers: Identifier[]): Map<number, { x: number; y: number }> {
  const [strongest, ...others] = [...identifiers].sort((a, b) => b.strength - a.strength);
  const found = new Map<number, { x: number; y: number }>();
  const centre = { x: SIZE.width / 2, y: SIZE.height / 2 };
  if (strongest) found.set(strongest.identifier_id, centre);
  others.forEach((item, i) => {
    const angle = (i / others.length) * 2 * Math.PI - Math.PI / 2;
    found.set(item.identifier_id, { x: centre.x + Math.cos(angle) * 200, y: centre.y + Math.sin(angle) * 118 });
  });
  return found;
}

const STROKES: Record<Link["status"], { stroke: string; dash?: string }> = {
  accepted: { stroke: "#5b8ff0" },
  refused: { stroke: "#d97706", dash: "5 4" },
  demoted: { stroke: "#94a3b8", dash: "2 4" },
  denied: { stroke: "#c2261f", dash: "6 5" },
};

function Graph({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const shown = detail.identifiers.slice(0, 14);
  const place = positions(shown);
  return (
    <svg viewBox={`0 0 ${SIZE.width} ${SIZE.height}`} role="img" aria-label={t("graph", { n: shown.length })} className="identity-graph">
      {detail.links.map((link) => {
        const [a, b] = [place.get(link.a), place.get(link.b)];
        if (!a || !b) return null;
        const style = STROKES[link.status];
        return <line key={link.link_id} x1={a.x} y1={a.y} x2={b.x} y2={b.y} stroke={style.stroke} strokeWidth={1.5 + Math.min(link.count, 30) / 15} strokeDasharray={style.dash} />;
      })}
      {shown.map((item) => {
        const point = place.get(item.identifier_id);
        if (!point) return null;
        return (
          <g key={item.identifier_id} transform={`translate(${point.x - 66},${point.y - 22})`}>
            <rect width={132} height={44} rx={10} fill="#fff" stroke="#b9cbf0" />
            <text x={66} y={18} textAnchor="middle" fontSize={12} fill="#4b5a73">
              {say(item.namespace_label)}
            </text>
            <text x={66} y={35} textAnchor="middle" fontSize={12} fontWeight={600} fill="#111b2e">
              {item.masked.length > 17 ? `${item.masked.slice(0, 16)}…` : item.masked}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

export function Identity({ detail }: { detail: PersonDetail }) {
  const { t } = useTranslation("people");
  const { may } = useSession();
  const { message } = App.useApp();
  const actions = usePersonActions(detail.person.person_id);
  const [denying, setDenying] = useState<Link | null>(null);
  const [revealing, setRevealing] = useState<Identifier | null>(null);
  const [reason, setReason] = useState("");
  const name = (id: number) => {
    const found = detail.identifiers.find((item) => item.identifier_id === id);
    return found ? `${say(found.namespace_label)} ${found.masked}` : t("elsewhere");
  };
  const failed = (error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")));
  return (
    <div className="grid">
      <Card title={t("why")}>
        <Graph detail={detail} />
        <Table<Identifier>
          size="small"
          rowKey="identifier_id"
          pagination={false}
          dataSource={detail.identifiers}
          scroll={{ x: 640 }}
          columns={[
            { title: t("namespace"), key: "ns", render: (_, row) => <>{say(row.namespace_label)} {row.made ? <MadeBadge /> : null}</> },
            { title: t("value"), dataIndex: "masked" },
            { title: t("first"), dataIndex: "first_seen_at", render: (value: string) => at(value) },
            { title: t("last"), dataIndex: "last_seen_at", render: (value: string) => at(value) },
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
          pagination={false}
          dataSource={detail.links}
          scroll={{ x: 760 }}
          locale={{ emptyText: t("noLinks") }}
          columns={[
            { title: t("linked"), key: "pair", render: (_, row) => `${name(row.a)} — ${name(row.b)}` },
            { title: t("rule"), key: "rule", render: (_, row) => say(row.rule_label) },
            { title: t("evidence"), key: "event", render: (_, row) => (row.event ? <span title={row.event.event_id}>{row.event.source} · {row.event.name ?? row.event.event_id}</span> : "–") },
            { title: t("first"), dataIndex: "first_at", render: (value: string) => at(value) },
            { title: t("times"), dataIndex: "count", align: "right", render: integer },
            {
              title: t("status"),
              key: "status",
              render: (_, row) => (
                <span>
                  <Tag color={row.status === "accepted" ? "blue" : undefined}>{t(`statuses.${row.status}`)}</Tag>
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
        <p>{denying ? `${name(denying.a)} — ${name(denying.b)}` : ""}</p>
        <p>{t("denyConsequence")}</p>
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
