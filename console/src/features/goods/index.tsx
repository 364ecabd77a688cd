// Products with their current stock: what was reported last, in all of the reader's stores and store by store.
import { useMutation, useQuery } from "@tanstack/react-query";
import { App, Button, Input, InputNumber, Select, Tooltip } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { get, post, say, type Label, type Page as PageOf } from "@/shared/api";
import { ago, at, decimal, integer } from "@/shared/format";
import { LoadMore, useFilters, useList } from "@/shared/lists";
import type { Schemas } from "@/shared/schema";
import { useSession } from "@/shared/session";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Card, Empty, FilterBar, Loaded, Page, sentenceOf } from "@/shared/ui";
import "./goods.css";

type Goods = Schemas["GoodsOut"];

const STATES = ["reported", "short", "out", "unreported", "all"] as const;
const LOW = 5;

export default function GoodsPage() {
  const { t } = useTranslation("goods");
  const { brand, may } = useSession();
  const { filters, change, reset } = useFilters(["q", "category", "state", "low"] as const);
  const [typed, setTyped] = useState(filters.q ?? "");
  const state = STATES.find((one) => one === filters.state) ?? "reported";
  const low = Number(filters.low ?? LOW) || 0;
  const asked = { q: filters.q, category: filters.category, low: String(low), state: state === "all" ? undefined : state };
  const list = useList<Goods>(["goods", brand.brand, asked], (cursor, signal) => get<PageOf<Goods>>("/stock", { ...asked, cursor }, signal));
  const categories = useQuery({
    queryKey: ["categories", brand.brand],
    queryFn: ({ signal }) => get<PageOf<{ category_key: string; name: Label; department: Label }>>("/categories", undefined, signal),
  }).data?.items ?? [];
  const narrowed = Boolean(filters.q ?? filters.category);
  return (
    <Page title={t("title")} note={t("note")} permission="catalog.read" actions={may("sources.write") ? <Recount /> : undefined}>
      <FilterBar onReset={() => { setTyped(""); reset(); }}>
        <Input.Search allowClear placeholder={t("search")} aria-label={t("search")} data-testid="goods-search" style={{ width: 260 }} value={typed} onChange={(event) => setTyped(event.target.value)} onSearch={(text) => change({ q: text.trim() })} />
        <Select
          aria-label={t("state")}
          data-testid="goods-state"
          style={{ minWidth: 150 }}
          value={state}
          onChange={(chosen: string) => change({ state: chosen === "reported" ? undefined : chosen })}
          options={STATES.map((value) => ({ value, label: t(`states.${value}`) }))}
        />
        <InputNumber min={0} max={1_000_000} prefix={t("few")} aria-label={t("few")} data-testid="goods-low" style={{ width: 150 }} value={low} onChange={(most) => change({ low: most === null || most === LOW ? undefined : String(most) })} />
        <Select
          allowClear
          showSearch
          optionFilterProp="label"
          placeholder={t("category")}
          aria-label={t("category")}
          style={{ minWidth: 220 }}
          value={filters.category}
          onChange={(category?: string) => change({ category })}
          options={categories.map((one) => ({ value: one.category_key, label: `${say(one.department)} · ${say(one.name)}` }))}
        />
      </FilterBar>
      <Loaded query={list} rows={8}>
        {() => list.items.length ? (
          <Card>
            <Table
              rowKey="sku"
              label={t("title")}
              dataSource={list.items}
              unfold={(row) => <Shelves row={row} low={low} />}
              columns={[
                { title: t("product"), dataIndex: "sku", render: (sku: string, row) => <><strong>{row.name ? say(row.name) : t("unnamed")}</strong><br /><small className="faint">{sku}</small></> },
                { title: t("category"), dataIndex: "category", render: (category: Label | null) => (category ? say(category) : "—") },
                { title: t("quantity"), dataIndex: "quantity", align: "right", render: (quantity: number | null) => (quantity === null ? <span className="faint">{t("unreported")}</span> : <strong className="number">{decimal(quantity)}</strong>) },
                { title: t("stores"), dataIndex: "stores", align: "right", render: (stores: number) => stores || "—" },
                { title: t("short"), key: "short", render: (_, row) => <Short row={row} /> },
                { title: t("oldest"), dataIndex: "reported_at", render: (instant: string | null) => (instant ? <span title={at(instant)}>{ago(instant)}</span> : "—") },
              ]}
            />
            <LoadMore list={list} />
          </Card>
        ) : <Nothing state={state} narrowed={narrowed} />}
      </Loaded>
    </Page>
  );
}

/** In how many stores there is none or little of a product. */
function Short({ row }: { row: Goods }) {
  const { t } = useTranslation("goods");
  if (!row.out_stores && !row.low_stores) return <>—</>;
  return (
    <>
      {row.out_stores ? <span className="stock-word out">{t("outIn", { count: row.out_stores, n: integer(row.out_stores) })}</span> : null}
      {row.low_stores ? <span className="stock-word low">{t("lowIn", { count: row.low_stores, n: integer(row.low_stores) })}</span> : null}
    </>
  );
}

/** Why the list is empty, and what to do about it. */
function Nothing({ state, narrowed }: { state: (typeof STATES)[number]; narrowed: boolean }) {
  const { t } = useTranslation("goods");
  const { may } = useSession();
  if (narrowed) return <Empty title={t("nothing")} />;
  if (state !== "reported" && state !== "all") return <Empty title={t(`noneOf.${state}`)} />;
  return <Empty title={t(state === "all" ? "none" : "noneReported")} hint={t(may("sources.write") ? "noneHint" : "noneHintReader")} action={may("sources.write") ? <Link to="/imports">{t("import")}</Link> : undefined} />;
}

/** Asks the worker to count the stock anew from history. */
function Recount() {
  const { t } = useTranslation("goods");
  const { message } = App.useApp();
  const recount = useMutation({
    mutationFn: () => post<null>("/stock/recount"),
    onSuccess: () => void message.success(t("recount.asked")),
    onError: (error) => void message.error(sentenceOf(error, t("shell:states.error"))),
  });
  return (
    <Tooltip title={t("recount.why")} placement="bottomRight">
      <Button loading={recount.isPending} onClick={() => recount.mutate()} data-testid="stock-recount">{t("recount.again")}</Button>
    </Tooltip>
  );
}

/** The stock of one product by store. */
function Shelves({ row, low }: { row: Goods; low: number }) {
  const { t } = useTranslation("goods");
  const { brand, may } = useSession();
  const named = useSourceName();
  const query = useQuery({
    queryKey: ["shelves", brand.brand, row.sku],
    queryFn: ({ signal }) => get<Schemas["ShelfList"]>("/stock/stores", { sku: row.sku }, signal),
  });
  return (
    <Loaded query={query} rows={2}>
      {(page) => page.items.length ? (
        <Table
          size="small"
          rowKey={(shelf) => shelf.store_id ?? ""}
          label={t("byStore")}
          dataSource={page.items}
          columns={[
            { title: t("store"), dataIndex: "store_id", render: (id: string | null, shelf) => (shelf.name ? <>{say(shelf.name)} <small className="faint">{id}</small></> : (id ?? t("noStore"))) },
            { title: t("quantity"), dataIndex: "quantity", align: "right", sorter: (one, other) => one.quantity - other.quantity, render: (quantity: number) => <><Left quantity={quantity} low={low} /><span className="number">{decimal(quantity)}</span></> },
            { title: t("reported"), dataIndex: "reported_at", sorter: (one, other) => one.reported_at.localeCompare(other.reported_at), render: (instant: string) => <>{at(instant)} <small className="faint">{ago(instant)}</small></> },
            ...(may("sources.read") ? [{ title: t("source"), dataIndex: "source" as const, render: named }] : []), // to others its name is only a code
          ]}
        />
      ) : <p className="faint">{t("unreportedHint")}</p>}
    </Loaded>
  );
}

/** A word where there is none or little left. */
function Left({ quantity, low }: { quantity: number; low: number }) {
  const { t } = useTranslation("goods");
  if (quantity <= 0) return <span className="stock-word out">{t("out")}</span>;
  return quantity <= low ? <span className="stock-word low">{t("low")}</span> : null;
}
