// Every message that was due: what became of it and why, with the unknown ones to be settled by hand.
import { useQueryClient } from "@tanstack/react-query";
import { Alert, Button, Select, Skeleton } from "antd";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import { say } from "@/shared/api";
import { ago, at, integer } from "@/shared/format";
import { Pill } from "@/shared/pill";
import { Table } from "@/shared/table";
import { Card, Empty, ErrorState, FilterBar, Page } from "@/shared/ui";
import { useConnectionNames, useJourneyNames, useSends, useSummary } from "./api";
import { TONES } from "./tones";
import { STATUSES, type Filters, type Send, type SendStatus, type Summary } from "./types";
import "./sends.css";

// Only loaded by whoever opens a send.
const SendDrawer = lazy(() => import("./SendDrawer").then((found) => ({ default: found.SendDrawer })));

const KEYS = ["journey_id", "node_id", "status", "reason", "connection", "person_id"] as const;

export default function SendsPage() {
  const { t } = useTranslation("sends");
  const queries = useQueryClient();
  const [params, setParams] = useSearchParams();
  const filters = Object.fromEntries(KEYS.map((key) => [key, params.get(key)])) as unknown as Filters;
  const put = (patch: Partial<Record<(typeof KEYS)[number] | "send", string | null | undefined>>) =>
    setParams(
      (now) => {
        const next = new URLSearchParams(now);
        for (const [key, value] of Object.entries(patch)) if (value) next.set(key, value);
        else next.delete(key);
        return next;
      },
      { replace: true },
    );
  const summary = useSummary(filters.journey_id);
  const sends = useSends(filters);
  const journeys = useJourneyNames();
  const connections = useConnectionNames();
  const rows = sends.data?.pages.flatMap((page) => page.items) ?? [];
  const total = sends.data?.pages[0]?.total ?? null;
  return (
    <Page title={t("title")} note={t("note")} permission="sends.read">
      <Strip query={summary} filters={filters} onStatus={(status) => put({ status: filters.status === status ? null : status, reason: null })} />
      {summary.data?.unknown && filters.status !== "unknown" ? (
        <Alert
          className="sd-unknown"
          type="warning"
          showIcon
          title={t("unknown.title", { count: integer(summary.data.unknown) })}
          description={t("unknown.text")}
          action={
            <Button data-testid="sends-unknown" onClick={() => put({ status: "unknown", reason: null })}>
              {t("unknown.list")}
            </Button>
          }
        />
      ) : null}
      <FilterBar onReset={() => setParams({}, { replace: true })}>
        <Select
          aria-label={t("columns.status")}
          data-testid="sends-status"
          allowClear
          placeholder={t("filters.status")}
          style={{ minWidth: 150 }}
          value={filters.status}
          options={STATUSES.map((status) => ({ value: status, label: t(`status.${status}`) }))}
          onChange={(status) => put({ status, reason: null })}
        />
        <Select
          aria-label={t("columns.reason")}
          data-testid="sends-reason"
          allowClear
          placeholder={t("filters.reason")}
          style={{ minWidth: 220 }}
          popupMatchSelectWidth={false}
          value={filters.reason}
          options={(summary.data?.suppressed ?? []).map((each) => ({ value: each.reason, label: `${say(each.label)} (${integer(each.count)})` }))}
          onChange={(reason) => put({ reason, status: reason ? "suppressed" : filters.status })}
        />
        <Select
          aria-label={t("columns.journey")}
          data-testid="sends-journey"
          allowClear
          showSearch={{ optionFilterProp: "label" }}
          placeholder={t("filters.journey")}
          style={{ minWidth: 200 }}
          popupMatchSelectWidth={false}
          value={filters.journey_id}
          options={(journeys.data?.items ?? []).map((each) => ({ value: each.journey_id, label: each.name }))}
          onChange={(journey_id) => put({ journey_id, node_id: null })}
        />
        <Select
          aria-label={t("columns.connection")}
          data-testid="sends-connection"
          allowClear
          placeholder={t("filters.connection")}
          style={{ minWidth: 180 }}
          popupMatchSelectWidth={false}
          value={filters.connection}
          options={(connections.data?.items ?? []).map((each) => ({ value: each.connection, label: each.name }))}
          onChange={(connection) => put({ connection })}
        />
        {filters.node_id ? (
          <Button data-testid="sends-node" onClick={() => put({ node_id: null })}>
            {t("filters.node", { node: filters.node_id })} ×
          </Button>
        ) : null}
        {filters.person_id ? (
          <Button data-testid="sends-person" onClick={() => put({ person_id: null })}>
            {t("filters.person")} ×
          </Button>
        ) : null}
        <span className="sd-total">{total === null ? null : t("total", { count: integer(total) })}</span>
      </FilterBar>
      <Card>
        {sends.isPending ? (
          <Skeleton active title={false} paragraph={{ rows: 10 }} />
        ) : sends.isError && !rows.length ? (
          <ErrorState error={sends.error} retry={() => void sends.refetch()} />
        ) : rows.length ? (
          <>
            <SendTable rows={rows} loading={sends.isPlaceholderData} onOpen={(id) => put({ send: id })} connectionName={(key) => connections.data?.items.find((each) => each.connection === key)?.name ?? key} />
            {sends.hasNextPage ? (
              <div className="more">
                <Button loading={sends.isFetchingNextPage} onClick={() => void sends.fetchNextPage()}>
                  {t("more")}
                </Button>
              </div>
            ) : null}
          </>
        ) : (
          <Empty title={t(KEYS.some((key) => params.get(key)) ? "noMatch" : "empty")} hint={KEYS.some((key) => params.get(key)) ? undefined : t("emptyHint")} />
        )}
      </Card>
      <Suspense>
        {params.get("send") ? (
          <SendDrawer
            effectId={params.get("send")}
            onClose={() => put({ send: null })}
            onSettled={() => {
              for (const key of ["sends", "sends-summary", "send"]) void queries.invalidateQueries({ queryKey: [key] });
            }}
          />
        ) : null}
      </Suspense>
    </Page>
  );
}

/** Counts by status. Each is a filter: press it to see those sends, again to see all. */
function Strip({ query, filters, onStatus }: { query: { data: Summary | undefined; isPending: boolean; isError: boolean }; filters: Filters; onStatus: (status: SendStatus) => void }) {
  const { t } = useTranslation("sends");
  if (query.isPending) return <Skeleton.Button active block style={{ height: 78, marginBottom: 16 }} />;
  if (!query.data) return null;
  const counts = new Map(query.data.by_status.map((each) => [each.status, each.count]));
  return (
    <div className="sd-strip" role="group" aria-label={t("strip")}>
      {STATUSES.filter((status) => counts.get(status) || !["claimed", "intended"].includes(status)).map((status) => (
        <button type="button" key={status} aria-pressed={filters.status === status} className={`sd-stat ${TONES[status]}`} onClick={() => onStatus(status)} data-testid={`sends-count-${status}`} title={t(`about.${status}`)}>
          <span>{t(`status.${status}`)}</span>
          <b className="number">{integer(counts.get(status) ?? 0)}</b>
        </button>
      ))}
    </div>
  );
}

function SendTable({ rows, loading, onOpen, connectionName }: { rows: Send[]; loading: boolean; onOpen: (id: string) => void; connectionName: (key: string) => string }) {
  const { t } = useTranslation("sends");
  return (
    <Table<Send>
      size="middle"
      rowKey="effect_id"
      loading={loading}
      dataSource={rows}
      label={t("title")}
      minWidth={780}
      columns={[
        {
          title: t("columns.person"),
          key: "person",
          render: (_, send) => (send.person ? <Link to={`/people/${send.person.person_id}`}>{send.person.name ?? t("unnamed")}</Link> : <span className="faint">{t("erased")}</span>),
        },
        {
          title: t("columns.status"),
          key: "status",
          render: (_, send) => (
            <span className="sd-status">
              <Pill tone={TONES[send.status]} dot>
                {t(`status.${send.status}`)}
              </Pill>
              {send.reason ? <small className="faint">{say(send.reason_label) || send.reason}</small> : null}
            </span>
          ),
        },
        {
          title: t("columns.message"),
          key: "title",
          render: (_, send) => (
            <button type="button" className="sd-open" onClick={() => onOpen(send.effect_id)} data-testid={`send-${send.effect_id}`}>
              {send.title ?? t("untitled")}
              {send.coupon_code ? <small className="faint">{t("withCoupon", { code: send.coupon_code })}{send.coupon_status === "void" ? ` · ${t("couponStatus.void")}` : ""}</small> : null}
            </button>
          ),
        },
        {
          title: t("columns.journey"),
          key: "journey",
          render: (_, send) => (
            <span>
              {send.journey ? <Link to={`/journeys/${send.journey.journey_id}${send.node_id ? `?node=${send.node_id}` : ""}`}>{send.journey.name}</Link> : "–"}
              <small className="faint">{connectionName(send.connection)}</small>
            </span>
          ),
        },
        {
          title: t("columns.seen"),
          key: "seen",
          render: (_, send) => (send.read_at ? t("seen.read", { at: ago(send.read_at) }) : send.delivered_at ? t("seen.delivered") : "–"),
        },
        { title: t("columns.created"), key: "created", render: (_, send) => <span className="number nowrap" title={at(send.created_at, "YYYY-MM-DD HH:mm:ss")}>{at(send.created_at, "MM-DD HH:mm")}</span> },
      ]}
    />
  );
}
