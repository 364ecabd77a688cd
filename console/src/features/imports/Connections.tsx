// Places that are read by themselves, and webhooks: how each does, to be changed, paused, run and removed.
import { App, Button, Switch } from "antd";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { useConnections, useImportActions, useKinds, type Connection } from "@/features/imports/api";
import { say } from "@/shared/api";
import { ago, at } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { Table } from "@/shared/table";
import { Card, Empty, ErrorState, Loaded, sentenceOf } from "@/shared/ui";

// The form is only loaded by whoever edits.
const ConnectionForm = lazy(() => import("@/features/imports/ConnectionForm"));

export default function Connections() {
  const { t } = useTranslation("imports");
  const { message, modal } = App.useApp();
  const { brand, may } = useSession();
  const query = useConnections(brand.brand);
  const known = useKinds();
  const kinds = known.data?.items ?? [];
  const actions = useImportActions();
  const [editing, setEditing] = useState<Connection | "new" | null>(null);
  const fail = (error: unknown) => void message.error(sentenceOf(error, t("shell:states.error")), 6);
  const write = may("sources.write");
  const nameOf = (kind: string) => say(kinds.find((one) => one.kind === kind)?.name ?? kind);
  const ask = (row: Connection) => void modal.confirm({ title: t("disconnectAsk", { name: row.name }), content: t("disconnectHint"), onOk: () => actions.disconnect.mutate(row.connection_id, { onError: fail }) });
  return (
    <div className="grid">
      {write ? <div className="row"><Button type="primary" data-testid="connect" disabled={known.isError} loading={known.isPending} onClick={() => setEditing("new")}>{t("connect")}</Button><span className="faint">{t("connectHint")}</span></div> : null}
      {write && known.isError ? <ErrorState error={known.error} retry={() => void known.refetch()} /> : null}
      <Loaded query={query} rows={3}>
        {(page) => page.items.length ? (
          <Card>
            <Table
              rowKey="connection_id"
              label={t("connections")}
              dataSource={page.items}
              columns={[
                { title: t("connectionName"), dataIndex: "name", render: (name: string, row) => <><strong>{name}</strong><br /><small className="faint">{nameOf(row.kind)}</small></> },
                { title: t("schedule"), dataIndex: "schedule", render: (schedule: string) => schedule || t("called") },
                { title: t("status"), key: "state", render: (_: unknown, row) => row.problem ? <><Pill tone="bad" dot>{t("failing", { n: row.failures })}</Pill><br /><small className="warn">{say(row.problem)}</small></> : <Pill tone={row.active ? "good" : "calm"} dot>{t(row.active ? "working" : "paused")}</Pill> },
                { title: t("ran"), dataIndex: "ran_at", render: (ran: string | null) => ago(ran) },
                { title: t("next"), dataIndex: "next_at", render: (next: string | null, row) => (row.active && next ? at(next) : "—") },
                {
                  title: "",
                  key: "do",
                  render: (_: unknown, row) => write ? (
                    <span className="row">
                      <Switch size="small" checked={row.active} aria-label={`${row.name}: ${t("active")}`} onChange={(active) => actions.change.mutate({ ...row, active }, { onError: fail })} />
                      {row.kind === "webhook" ? null : <Button size="small" onClick={() => actions.run.mutate(row.connection_id, { onError: fail, onSuccess: () => void message.success(t("soon")) })}>{t("runNow")}</Button>}
                      <Button size="small" data-testid="edit-connection" aria-label={t("edit", { name: row.name })} onClick={() => setEditing(row)}>{t("shell:actions.edit")}</Button>
                      <Button size="small" danger onClick={() => ask(row)}>{t("disconnect")}</Button>
                    </span>
                  ) : null,
                },
              ]}
            />
          </Card>
        ) : <Empty title={t("noConnections")} hint={t("noConnectionsHint")} />}
      </Loaded>
      {editing && kinds.length ? <Suspense><ConnectionForm connection={editing === "new" ? null : editing} kinds={kinds} close={() => setEditing(null)} /></Suspense> : null}
    </div>
  );
}
