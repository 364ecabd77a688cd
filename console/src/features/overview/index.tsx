// 人货场: GMV = visitors × conversion × value per buyer, by channel, store, category and time; every number opens.
import { Alert, Select, Tooltip } from "antd";
import { useTranslation } from "react-i18next";
import { useChoices, useOverview, type Overview } from "@/features/overview/api";
import { Channels, Formula, IN_FORMULA, KpiCard } from "@/features/overview/board";
import { Bars, Pyramid } from "@/features/overview/charts";
import { PRESETS, rangeOf } from "@/features/overview/presets";
import { Trend } from "@/features/overview/trend";
import { say } from "@/shared/api";
import { at, integer, short, today } from "@/shared/format";
import { DateRange } from "@/shared/DateRange";
import { useFilters } from "@/shared/lists";
import { useSession } from "@/shared/session";
import { Card, DrillNumber, Empty, FilterBar, Loaded, Page } from "@/shared/ui";
import "./overview.css";

const KEYS = ["from", "to", "store_id", "channel", "category"] as const;

export default function OverviewPage() {
  const { t } = useTranslation("overview");
  const { brand } = useSession();
  const { filters, change, reset } = useFilters(KEYS);
  const query = useOverview(brand.brand, filters);
  const { stores, channels, categories } = useChoices(brand.brand);
  const range = query.data?.range;
  const last = query.data ? at(query.data.as_of, "YYYY-MM-DD") : today().format("YYYY-MM-DD");
  return (
    <Page
      title={t("title")}
      permission="analytics.read"
      note={query.data ? t("note", { from: query.data.range.from, to: query.data.range.to, at: at(query.data.as_of) }) : null}
    >
      <FilterBar onReset={reset}>
        <span className="presets" role="group" aria-label={t("period")}>
          {PRESETS.map((key) => {
            const given = rangeOf(key, last);
            const on = range?.from === given.from && range.to === given.to;
            return (
              <button key={key} type="button" aria-pressed={on} data-testid={`preset-${key}`} onClick={() => change(given)}>
                {t(`presets.${key}`)}
              </button>
            );
          })}
        </span>
        <DateRange value={range ?? {}} label={t("period")} onChange={({ from, to }) => from && to && change({ from, to })} />
        <Select
          allowClear
          showSearch={{ optionFilterProp: "label" }}
          placeholder={t("store")}
          aria-label={t("store")}
          style={{ width: 132 }}
          popupMatchSelectWidth={false}
          value={filters.store_id}
          onChange={(store_id?: string) => change({ store_id })}
          options={stores.map((item) => ({ value: item.store_id, label: say(item.name) }))}
        />
        <Select
          allowClear
          placeholder={t("channel")}
          aria-label={t("channel")}
          style={{ width: 120 }}
          value={filters.channel}
          onChange={(channel?: string) => change({ channel })}
          options={channels.map((item) => ({ value: item.value, label: say(item.label) }))}
        />
        <Select
          allowClear
          showSearch={{ optionFilterProp: "label" }}
          placeholder={t("category")}
          aria-label={t("category")}
          style={{ width: 132 }}
          popupMatchSelectWidth={false}
          value={filters.category}
          onChange={(category?: string) => change({ category })}
          options={categories.map((item) => ({ value: item.category_key, label: `${say(item.department)} · ${say(item.name)}` }))}
        />
      </FilterBar>
      <Loaded query={query} rows={14}>
        {(data) => <Board data={data} dim={query.isPlaceholderData} />}
      </Loaded>
    </Page>
  );
}

function Board({ data, dim }: { data: Overview; dim: boolean }) {
  const { t } = useTranslation("overview");
  if (!data.kpis.length)
    return (
      <Card>
        <Empty hint={t("emptyHint")} />
      </Card>
    );
  const others = data.kpis.filter((item) => !(IN_FORMULA as readonly string[]).includes(item.key));
  const { people } = data;
  return (
    <div className="grid overview" style={{ opacity: dim ? 0.55 : 1 }} aria-busy={dim}>
      <Formula data={data} />
      {data.formula.gmv === 0 ? <Alert type="info" showIcon title={t("quiet")} /> : null}
      <div className="grid kpis">
        {others.map((item) => (
          <KpiCard key={item.key} kpi={item} currency={data.currency} />
        ))}
      </div>
      <div className="grid wide-left">
        <Card title={t("trend")}>{data.trend.length ? <Trend data={data} /> : <Empty title={t("quiet")} />}</Card>
        <Card title={<Tooltip title={say(people.definition) || t("pyramidHelp")}>{t("pyramid")}</Tooltip>} extra={
            <span className="faint">
              <DrillNumber drill={people.drills?.total}>{t("peopleTotal", { n: integer(people.total) })}</DrillNumber>
            </span>
          }>
          {people.pyramid.length ? <Pyramid segments={people.pyramid} currency={data.currency} /> : <Empty />}
          <dl className="people-row">
            {(["new", "active", "returning"] as const).map((key) => (
              <div key={key}>
                <dt>{t(`peopleKinds.${key}`)}</dt>
                <dd>
                  <DrillNumber drill={people.drills?.[key]} label={`${t(`peopleKinds.${key}`)} ${integer(people[key])}`}>
                    {integer(people[key])}
                  </DrillNumber>
                </dd>
              </div>
            ))}
          </dl>
        </Card>
      </div>
      <div className="grid cols-3">
        <Card title={t("byCategory")}>
          <Bars rows={data.categories.slice(0, 10)} rowKey={(row) => row.category_key} currency={data.currency} unit={t("kpi.buyers")} extra={(row) => integer(row.buyers)} />
        </Card>
        <Card title={t("byProduct")}>
          <Bars rows={data.products.slice(0, 10)} rowKey={(row) => row.sku} currency={data.currency} unit={t("kpi.units")} extra={(row) => short(row.units, 0)} />
        </Card>
        <Card title={t("byStore")}>
          <Bars rows={data.stores.slice(0, 10)} rowKey={(row) => row.store_id} currency={data.currency} unit={t("kpi.orders")} extra={(row) => integer(row.orders)} />
        </Card>
      </div>
      <Card title={t("byChannel")}>
        <Channels rows={data.channels} currency={data.currency} />
      </Card>
    </div>
  );
}
