// Events as they are in history, with the filters that a number on a dashboard opens with.
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Button, Input, Select } from "antd";
import { useTranslation } from "react-i18next";
import { Link, useSearchParams } from "react-router";
import { get, say, type Label, type Page as PageOf } from "@/shared/api";
import { at, integer, money } from "@/shared/format";
import { DateRange } from "@/shared/DateRange";
import { LoadMore } from "@/shared/lists";
import type { Schemas } from "@/shared/schema";
import { useSession } from "@/shared/session";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Card, Empty, FilterBar, Loaded, MadeBadge, Page } from "@/shared/ui";
import "./events.css";

type Event = Schemas["EventOut"];

const KEYS = ["name", "store_id", "channel", "category", "source", "from", "to", "order_id", "person_id"] as const;

const text = (value: Label | string | null | undefined) => (typeof value === "string" ? value : say(value));

export default function EventsPage() {
  const { t } = useTranslation("events");
  const { brand } = useSession();
  const named = useSourceName();
  const [params, setParams] = useSearchParams();
  const filters = Object.fromEntries(KEYS.map((key) => [key, params.get(key)]).filter(([, value]) => value)) as Record<string, string>;
  const names = useQuery({
    queryKey: ["event-names", brand.brand],
    queryFn: ({ signal }) => get<PageOf<{ name: string; label: Label; count: number }>>("/events/names", undefined, signal),
  });
  const query = useInfiniteQuery({
    queryKey: ["events", brand.brand, filters],
    queryFn: ({ pageParam, signal }) => get<PageOf<Event>>("/events", { ...filters, cursor: pageParam, limit: 50 }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
  const setMany = (changes: Record<string, string | undefined>) =>
    setParams(Object.fromEntries(Object.entries({ ...filters, ...changes }).filter((pair): pair is [string, string] => !!pair[1])));
  const set = (key: string, value: string | undefined) => setMany({ [key]: value });
  const stores = useQuery({
    queryKey: ["stores", brand.brand],
    queryFn: ({ signal }) => get<PageOf<{ store_id: string; name: Label }>>("/stores", undefined, signal),
    enabled: !!filters["store_id"],
    staleTime: 600_000,
  });
  const nameOf = (key: string, value: string) =>
    (key === "store_id" && say(stores.data?.items.find((item) => item.store_id === value)?.name)) || (key === "channel" && t(`shell:channels.${value}`, { defaultValue: value })) || value;
  const total = query.data?.pages[0]?.total;
  return (
    <Page title={t("title")} permission="analytics.read" note={total !== null && total !== undefined ? t("total", { n: integer(total) }) : null}>
      <FilterBar onReset={() => setParams({})}>
        <Select
          allowClear
          showSearch={{ optionFilterProp: "label" }}
          style={{ width: 240 }}
          placeholder={t("name")}
          aria-label={t("name")}
          value={filters["name"]}
          onChange={(value?: string) => set("name", value)}
          options={(names.data?.items ?? []).map((item) => ({ value: item.name, label: `${say(item.label)}（${integer(item.count)}）` }))}
        />
        <Input.Search key={filters["order_id"] ?? ""} defaultValue={filters["order_id"]} allowClear style={{ width: 240 }} placeholder={t("order")} aria-label={t("order")} onSearch={(value) => set("order_id", value.trim())} />
        <DateRange clearable value={{ from: filters["from"], to: filters["to"] }} label={t("period")} onChange={({ from, to }) => setMany({ from, to })} />
        {(["source", "store_id", "channel", "category", "person_id"] as const)
          .filter((key) => filters[key])
          .map((key) => (
            <Button key={key} onClick={() => set(key, undefined)} aria-label={t("removeFilter", { name: t(`filters.${key}`) })}>
              {t(`filters.${key}`)}: {nameOf(key, filters[key] ?? "")} ✕
            </Button>
          ))}
      </FilterBar>
      <Card>
        <Loaded query={query} rows={10}>
          {(data) => {
            const events = data.pages.flatMap((page) => page.items);
            if (!events.length) return <Empty title={t("none")} hint={t("noneHint")} />;
            return (
              <>
                <Table<Event>
                  size="middle"
                  rowKey={(row) => `${row.source}/${row.event_id}`}
                  dataSource={events}
                  loading={query.isPlaceholderData}
                  unfold={(row) => <Detail event={row} />}
                  columns={[
                    { title: t("at"), dataIndex: "occurred_at", render: (value: string) => <span className="number nowrap">{at(value, "YYYY-MM-DD HH:mm:ss")}</span> },
                    { title: t("name"), key: "name", render: (_, row) => <span>{say(row.label)} {row.made ? <MadeBadge /> : null}</span> },
                    { title: t("person"), key: "person", render: (_, row) => (row.person_id ? <Link to={`/people/${row.person_id}`}>{row.person_id.slice(0, 12)}…</Link> : t("nobody")) },
                    { title: t("where"), key: "where", render: (_, row) => (row.store ? text(row.store.name) : row.channel ? t(`shell:channels.${row.channel}`, { defaultValue: row.channel }) : "–") },
                    { title: t("order"), dataIndex: "order_id", render: (value: string | null) => value ?? "–" },
                    { title: t("amount"), key: "amount", align: "right", render: (_, row) => (row.amount !== null && row.currency ? <span className="number">{money(row.amount, row.currency)}</span> : "–") },
                    { title: t("source"), dataIndex: "source", render: named },
                  ]}
                />
                <LoadMore list={{ ...query, items: events, more: () => void query.fetchNextPage() }} />
              </>
            );
          }}
        </Loaded>
      </Card>
    </Page>
  );
}

function Detail({ event }: { event: Event }) {
  const { t } = useTranslation("events");
  const facts = [["event_id", event.event_id], ["effect_id", event.effect_id], ...Object.entries(event.properties)].filter(([, value]) => value !== null && value !== undefined && value !== "");
  return (
    <div className="event-detail">
      <dl>
        {facts.map(([key, value]) => (
          <div key={String(key)}>
            <dt>{String(key)}</dt>
            <dd>{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>
          </div>
        ))}
      </dl>
      {event.items.length ? (
        <ul aria-label={t("items")}>
          {event.items.map((item, i) => (
            <li key={`${item.sku}/${i}`}>
              {text(item.name) || item.sku} <span className="faint">{item.sku}</span> ×{item.quantity ?? 1}
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
