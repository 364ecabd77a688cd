// What is held by source and reason, and the replays in bulk that were made of it.
import { useQueryClient } from "@tanstack/react-query";
import { App, Button, Progress } from "antd";
import { lazy, Suspense, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useBulkActions, useGroups, useReplays, type Bulk, type Group } from "@/features/sources/bulk";
import { say } from "@/shared/api";
import { ago, at, integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { useSession } from "@/shared/session";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Card, Loaded, sentenceOf } from "@/shared/ui";

const Replay = lazy(() => import("@/features/sources/Replay"));

export function Groups({ choose }: { choose: (group: Group) => void }) {
  const { t } = useTranslation("sources");
  const { brand, may } = useSession();
  const query = useGroups(brand.brand);
  const named = useSourceName();
  const [open, setOpen] = useState<Group | null>(null);
  return (
    <Loaded query={query} rows={3}>
      {(data) =>
        data.items.length ? (
          <Card title={t("byReason")}>
            <Table<Group>
              size="small"
              label={t("byReason")}
              rowKey={(row) => `${row.source}/${row.reason}`}
              dataSource={data.items}
              minWidth={640}
              columns={[
                { title: t("reason"), key: "reason", render: (_, row) => <Button type="link" className="plain" onClick={() => choose(row)}>{say(row.reason_label)}</Button> },
                { title: t("source"), dataIndex: "source", render: named },
                { title: t("events"), dataIndex: "events", align: "right", render: integer },
                { title: t("lastSeen"), dataIndex: "last_at", render: (value: string) => <span title={at(value)}>{ago(value)}</span> },
                { title: "", key: "act", align: "right", render: (_, row) => (may("sources.write") ? <Button size="small" data-testid={`replay-${row.reason}`} onClick={() => setOpen(row)}>{t("bulk.open")}</Button> : null) },
              ]}
            />
            <Suspense fallback={null}>{open ? <Replay group={open} close={() => setOpen(null)} /> : null}</Suspense>
          </Card>
        ) : null
      }
    </Loaded>
  );
}

const TONE = { running: "info", done: "good", stopped: "calm" } as const;

export function Replays() {
  const { t } = useTranslation("sources");
  const { brand, may } = useSession();
  const { message } = App.useApp();
  const named = useSourceName();
  const query = useReplays(brand.brand);
  const actions = useBulkActions();
  const queries = useQueryClient();
  const moved = query.data?.items.map((one) => `${one.done}/${one.still}/${one.status}`).join();
  useEffect(() => void queries.invalidateQueries({ queryKey: ["quarantine", brand.brand], predicate: ({ queryKey }) => queryKey[2] !== "replays" }), [queries, brand.brand, moved]);
  if (!query.data?.items.length) return null;
  return (
    <Card title={t("bulk.made")}>
      <Table<Bulk>
        size="small"
        label={t("bulk.made")}
        rowKey="replay_id"
        dataSource={query.data.items.slice(0, 10)}
        minWidth={720}
        columns={[
          { title: t("bulk.when"), dataIndex: "made_at", render: (value: string, row) => <span>{at(value, "MM-DD HH:mm")}<small className="faint">{row.made_by}</small></span> },
          { title: t("source"), dataIndex: "source", render: (value: string | null) => (value ? named(value) : "–") },
          { title: t("status"), key: "status", render: (_, row) => <Pill tone={TONE[row.status]} dot>{t(`bulk.status.${row.status}`)}</Pill> },
          { title: t("bulk.progress"), key: "progress", width: 170, render: (_, row) => <Progress size="small" aria-label={t("bulk.progress")} percent={row.total ? Math.floor((100 * (row.done + row.still)) / row.total) : 100} /> },
          ...(["stored", "duplicate", "still"] as const).map((key) => ({ title: t(`bulk.cells.${key}`), dataIndex: key, align: "right" as const, render: integer })),
          { title: "", key: "act", align: "right", render: (_, row) => (row.status === "running" && may("sources.write") ? <Button size="small" loading={actions.stop.isPending} onClick={() => actions.stop.mutate(row.replay_id, { onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))) })}>{t("bulk.stop")}</Button> : null) },
        ]}
      />
    </Card>
  );
}
