// Data sources with their books (accepted = stored + duplicate + quarantined, and damaged where the log rotted), the quarantine, how to connect.
import { App, Button } from "antd";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { useRecount, useSourceActions, useSources, useStatus, type Source } from "@/features/sources/api";
import { Connect } from "@/features/sources/connect";
import { say } from "@/shared/api";
import { ago, at, integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import type { Schemas } from "@/shared/schema";
import { useSession } from "@/shared/session";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Parts } from "@/shared/tabs";
import { Card, Empty, Loaded, MadeBadge, Page, sentenceOf, Waiting } from "@/shared/ui";
import "./sources.css";

const Create = lazy(() => import("@/features/sources/Create"));
const HoursDrawer = lazy(() => import("@/features/sources/Hours"));
const Quarantine = lazy(() => import("@/features/sources/quarantine"));

export default function SourcesPage() {
  const { t } = useTranslation("sources");
  const { brand, may } = useSession();
  const query = useSources(brand.brand);
  const [open, setOpen] = useState<Source | null>(null);
  const [creating, setCreating] = useState(false);
  return (
    <Page
      title={t("title")}
      permission="sources.read"
      note={t("note")}
      actions={may("sources.write") ? <Button type="primary" data-testid="create-source" onClick={() => setCreating(true)}>{t("create")}</Button> : null}
    >
      <div className="grid">
        <Health />
        <Recount />
        <div>
        <Parts label={t("title")} parts={[
            {
              key: "sources",
              label: t("sources"),
              content: (
                <Loaded query={query} rows={6}>
                  {(data) =>
                    data.items.length ? (
                      <div className="grid">
                        {data.items.map((source) => <Book key={source.source} source={source} open={() => setOpen(source)} />)}
                      </div>
                    ) : (
                      <Empty title={t("none")} hint={may("sources.write") ? t("noneHint") : undefined} />
                    )
                  }
                </Loaded>
              ),
            },
            { key: "quarantine", label: t("quarantine"), content: <Suspense fallback={<Waiting rows={6} />}><Quarantine /></Suspense> },
            { key: "connect", label: t("connect"), content: <Connect /> },
          ]} />
        </div>
      </div>
      <Suspense fallback={null}>
        {open ? <HoursDrawer source={open} close={() => setOpen(null)} /> : null}
        {creating ? <Create close={() => setCreating(false)} /> : null}
      </Suspense>
    </Page>
  );
}

const DATABASES: Record<string, string> = { sqlite: "SQLite", postgresql: "PostgreSQL" };

function Health() {
  const { t } = useTranslation("sources");
  const query = useStatus();
  return (
    <Loaded query={query} rows={1}>
      {(status) => (
        <section className="card health" aria-label={t("health")}>
          <span className={status.worker.alive ? "alive" : "dead"}>{t(status.worker.alive ? "alive" : "dead")}</span>
          {status.worker.backlog_events === null ? null : <span>{t("backlog")} <strong className="number">{integer(status.worker.backlog_events)}</strong></span>}
          <span>{t("lag")} <strong className="number">{status.worker.lag_seconds.toFixed(1)} s</strong></span>
          {status.stores.history_rows === null ? null : <span>{t("history")} <strong className="number">{t("rows", { n: integer(status.stores.history_rows) })}</strong></span>}
          <span>{t("state")} <strong>{DATABASES[status.stores.state] ?? status.stores.state}</strong></span>
        </section>
      )}
    </Loaded>
  );
}

/** Whether the books fit what the stores hold: the last recount, and an alarm with the hours that do not. */
function Recount() {
  const { brand } = useSession();
  const query = useRecount(brand.brand);
  return <Loaded query={query} rows={1}>{(found) => <Counted found={found} />}</Loaded>;
}

function Counted({ found }: { found: Schemas["RecountOut"] }) {
  const { t } = useTranslation("sources");
  const { may } = useSession();
  const { message } = App.useApp();
  const named = useSourceName();
  const { recount } = useSourceActions();
  const ask = () => recount.mutate(undefined, { onSuccess: () => void message.success(t("recount.asked")), onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))) });
  const again = may("sources.write") ? <Button size="small" loading={recount.isPending} onClick={ask}>{t("recount.again")}</Button> : null;
  if (!found.items.length)
    return (
      <section className="card health" aria-label={t("recount.title")} data-testid="recount">
        <span className={found.checked_at ? "alive" : ""}>{found.checked_at ? t("recount.good", { n: integer(found.counted), when: ago(found.checked_at) }) : t("recount.never")}</span>
        {again}
      </section>
    );
  return (
    <section role="alert" data-testid="recount">
      <Card title={t("recount.bad", { count: found.items.length, n: integer(found.items.length) })} extra={again}>
        <p>{t("recount.badNote")}</p>
        <Table
          size="small"
          label={t("recount.title")}
          rowKey={(row) => `${row.source}/${row.hour_at}`}
          dataSource={found.items.slice(0, 50)}
          minWidth={700}
          columns={[
            { title: t("source"), dataIndex: "source", render: named },
            { title: t("hour"), dataIndex: "hour_at", render: (value: string) => at(value) },
            { title: t("recount.booked"), key: "booked", align: "right", render: (_, row) => integer(row.stored - row.removed) },
            { title: t("recount.found"), dataIndex: "found_stored", align: "right", render: integer },
            { title: t("recount.heldBooked"), dataIndex: "quarantined", align: "right", render: integer },
            { title: t("recount.heldFound"), dataIndex: "found_quarantined", align: "right", render: integer },
            { title: t("recount.since"), dataIndex: "found_at", render: (value: string) => at(value, "MM-DD HH:mm") },
          ]}
        />
      </Card>
    </section>
  );
}

function Book({ source, open }: { source: Source; open: () => void }) {
  const { t } = useTranslation("sources");
  const cells: [string, number, string][] = [
    ["accepted", source.accepted, ""],
    ["stored", source.stored, "="],
    ["duplicate", source.duplicate, "+"],
    ["quarantined", source.quarantined, "+"],
  ];
  if (source.damaged) cells.push(["damaged", source.damaged, "+"]);
  return (
    <section className="card book" data-testid={`source-${source.source}`}>
      <div className="book-name">
        <strong>{say(source.name)}</strong> {source.made ? <MadeBadge /> : null}
        <small className="faint">
          {source.source} · {t(`kinds.${source.kind}`, { defaultValue: source.kind })}
          {source.write_key ? ` · ${t("writeKey")} …${source.write_key.replace(/[^\w]/g, "").slice(-4)}` : ""}
        </small>
      </div>
      <div className="equation" aria-label={t("equation")}>
        {cells.map(([key, value, sign]) => (
          <span key={key} className={["quarantined", "damaged"].includes(key) && value ? "cell cell-bad" : "cell"}>
            {sign ? <i aria-hidden>{sign}</i> : null}
            <span>
              <b className="number">{integer(value)}</b>
              <small className="faint">{t(key)}</small>
            </span>
          </span>
        ))}
        <span><Pill tone={source.balanced && !source.damaged ? "good" : "bad"} dot>{t(!source.balanced ? "unbalanced" : source.damaged ? "lost" : "balanced")}</Pill></span>
      </div>
      <div className="book-end">
        <small className="faint">{source.pending ? t("pending", { n: integer(source.pending) }) : ago(source.last_event_at)}</small>
        <Button size="small" onClick={open}>{t("hours")}</Button>
      </div>
    </section>
  );
}
