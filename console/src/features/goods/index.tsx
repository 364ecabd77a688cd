// Products with their current stock: what was reported last, in all of the reader's stores and store by store.
import { useQuery } from "@tanstack/react-query";
import { Input, Select } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { get, say, type Label, type Page as PageOf } from "@/shared/api";
import { ago, at, decimal } from "@/shared/format";
import { LoadMore, useFilters, useList } from "@/shared/lists";
import type { Schemas } from "@/shared/schema";
import { useSession } from "@/shared/session";
import { useSourceName } from "@/shared/sources";
import { Table } from "@/shared/table";
import { Card, Empty, FilterBar, Loaded, Page } from "@/shared/ui";

type Goods = Schemas["GoodsOut"];

export default function GoodsPage() {
  const { t } = useTranslation("goods");
  const { brand, may } = useSession();
  const { filters, change, reset, active } = useFilters(["q", "category"] as const);
  const [typed, setTyped] = useState(filters.q ?? "");
  const list = useList<Goods>(["goods", brand.brand, filters], (cursor, signal) => get<PageOf<Goods>>("/stock", { ...filters, cursor }, signal));
  const categories = useQuery({
    queryKey: ["categories", brand.brand],
    queryFn: ({ signal }) => get<PageOf<{ category_key: string; name: Label; department: Label }>>("/categories", undefined, signal),
  }).data?.items ?? [];
  return (
    <Page title={t("title")} note={t("note")} permission="catalog.read">
      <FilterBar onReset={() => { setTyped(""); reset(); }}>
        <Input.Search allowClear placeholder={t("search")} aria-label={t("search")} data-testid="goods-search" style={{ width: 260 }} value={typed} onChange={(event) => setTyped(event.target.value)} onSearch={(text) => change({ q: text.trim() })} />
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
              unfold={(row) => <Shelves row={row} />}
              columns={[
                { title: t("product"), dataIndex: "sku", render: (sku: string, row) => <><strong>{row.name ? say(row.name) : t("unnamed")}</strong><br /><small className="faint">{sku}</small></> },
                { title: t("category"), dataIndex: "category", render: (category: Label | null) => (category ? say(category) : "—") },
                { title: t("quantity"), dataIndex: "quantity", align: "right", render: (quantity: number | null) => (quantity === null ? <span className="faint">{t("unreported")}</span> : <strong className="number">{decimal(quantity)}</strong>) },
                { title: t("stores"), dataIndex: "stores", align: "right", render: (stores: number) => stores || "—" },
                { title: t("oldest"), dataIndex: "reported_at", render: (instant: string | null) => (instant ? <span title={at(instant)}>{ago(instant)}</span> : "—") },
              ]}
            />
            <LoadMore list={list} />
          </Card>
        ) : <Empty title={t(active ? "nothing" : "none")} hint={active ? undefined : t("noneHint")} action={!active && may("sources.write") ? <Link to="/imports">{t("import")}</Link> : undefined} />}
      </Loaded>
    </Page>
  );
}

/** The stock of one product by store. */
function Shelves({ row }: { row: Goods }) {
  const { t } = useTranslation("goods");
  const { brand } = useSession();
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
            { title: t("quantity"), dataIndex: "quantity", align: "right", render: decimal },
            { title: t("reported"), dataIndex: "reported_at", render: (instant: string) => at(instant) },
            { title: t("source"), dataIndex: "source", render: named },
          ]}
        />
      ) : <p className="faint">{t("unreportedHint")}</p>}
    </Loaded>
  );
}
