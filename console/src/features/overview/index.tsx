// 人货场: GMV = visitors × conversion × order value, by channel, store, category and time; every number opens.
import { Alert, Button, DatePicker, Select, Tooltip } from "antd";
import dayjs from "dayjs";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import { useChoices, useOverview, type Filters, type Kpi, type Overview } from "@/features/overview/api";
import { Bars, Pyramid, Sparkline, Trend } from "@/features/overview/charts";
import { say } from "@/shared/api";
import { at, integer, money, moneyShort, percent, short, today } from "@/shared/format";
import { useSession } from "@/shared/session";
import { Card, DrillNumber, Empty, FilterBar, Loaded, MadeBadge, Page } from "@/shared/ui";
import "./overview.css";

const KEYS = ["from", "to", "store_id", "channel", "category"] as const;
const PRESETS: [string, number, number][] = [
  ["today", 0, 0],
  ["yesterday", 1, 1],
  ["week", 6, 0],
  ["month", 29, 0],
  ["year", 364, 0],
];
const CHANNELS = ["store", "mini_program", "web", "app", "wecom"];

export default function OverviewPage() {
  const { t } = useTranslation("overview");
  const { brand } = useSession();
  const [params, setParams] = useSearchParams();
  const filters: Filters = Object.fromEntries(KEYS.map((key) => [key, params.get(key) ?? undefined]));
  const query = useOverview(brand.brand, filters);
  const { stores, categories } = useChoices(brand.brand);
  const change = (next: Filters) => {
    const merged = { ...filters, ...next };
    setParams(Object.fromEntries(Object.entries(merged).filter(([, value]) => value)) as Record<string, string>);
  };
  const range = query.data?.range;
  return (
    <Page
      title={t("title")}
      permission="analytics.read"
      note={query.data ? t("note", { from: query.data.range.from, to: query.data.range.to, at: at(query.data.as_of) }) : null}
    >
      <FilterBar onReset={() => setParams({})}>
        <span className="presets" role="group" aria-label={t("period")}>
          {PRESETS.map(([key, back, until]) => {
            const [from, to] = [today().subtract(back, "day").format("YYYY-MM-DD"), today().subtract(until, "day").format("YYYY-MM-DD")];
            const on = range?.from === from && range.to === to;
            return (
              <Button key={key} type={on ? "primary" : "default"} aria-pressed={on} data-testid={`preset-${key}`} onClick={() => change({ from, to })}>
                {t(`presets.${key}`)}
              </Button>
            );
          })}
        </span>
        <DatePicker.RangePicker
          value={range ? [dayjs(range.from), dayjs(range.to)] : null}
          allowClear={false}
          aria-label={t("period")}
          onChange={(dates) => {
            if (dates?.[0] && dates[1]) change({ from: dates[0].format("YYYY-MM-DD"), to: dates[1].format("YYYY-MM-DD") });
          }}
        />
        <Select
          allowClear
          showSearch={{ optionFilterProp: "label" }}
          placeholder={t("store")}
          aria-label={t("store")}
          style={{ width: 150 }}
          value={filters.store_id}
          onChange={(store_id?: string) => change({ store_id })}
          options={stores.map((item) => ({ value: item.store_id, label: say(item.name) }))}
        />
        <Select
          allowClear
          placeholder={t("channel")}
          aria-label={t("channel")}
          style={{ width: 140 }}
          value={filters.channel}
          onChange={(channel?: string) => change({ channel })}
          options={CHANNELS.map((value) => ({ value, label: t(`channels.${value}`) }))}
        />
        <Select
          allowClear
          showSearch={{ optionFilterProp: "label" }}
          placeholder={t("category")}
          aria-label={t("category")}
          style={{ width: 190 }}
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
  if (!data.kpis.length) return <Empty hint={t("emptyHint")} />;
  const kpi = (key: string) => data.kpis.find((item) => item.key === key);
  const shownMoney = (row: { drill: Kpi["drill"] }, shown: string) => <DrillNumber drill={row.drill}>{shown}</DrillNumber>;
  return (
    <div className="grid" style={{ opacity: dim ? 0.55 : 1 }} aria-busy={dim}>
      <Formula data={data} kpi={kpi} />
      {data.formula.gmv === 0 ? <Alert type="info" showIcon title={t("quiet")} /> : null}
      <div className="grid cols-4">
        {data.kpis
          .filter((item) => !["gmv", "visitors", "conversion", "order_value"].includes(item.key))
          .map((item) => (
            <KpiCard key={item.key} kpi={item} currency={data.currency} />
          ))}
      </div>
      <div className="grid wide-left">
        <Card title={t("trend")}>
          <Trend data={data} />
        </Card>
        <Card title={<Tooltip title={t("pyramidHelp")}>{t("pyramid")}</Tooltip>}>
          {data.people.pyramid.length ? <Pyramid segments={data.people.pyramid} currency={data.currency} /> : <Empty />}
        </Card>
      </div>
      <div className="grid cols-3">
        <Card title={t("byCategory")}>
          <Bars rows={data.categories.slice(0, 10)} rowKey={(row) => row.category_key} currency={data.currency} extra={(row) => t("buyers", { n: integer(row.buyers) })} number={shownMoney} />
        </Card>
        <Card title={t("byProduct")}>
          <Bars rows={data.products.slice(0, 10)} rowKey={(row) => row.sku} currency={data.currency} extra={(row) => t("units", { n: short(row.units, 0) })} number={shownMoney} />
        </Card>
        <Card title={t("byStore")}>
          <Bars rows={data.stores.slice(0, 10)} rowKey={(row) => row.store_id} currency={data.currency} extra={(row) => t("orders", { n: integer(row.orders) })} number={shownMoney} />
        </Card>
      </div>
      <Card title={t("byChannel")}>
        <table className="plain">
          <thead>
            <tr>
              <th>{t("channel")}</th>
              <th>{t("kpi.visitors")}</th>
              <th>{t("kpi.orders")}</th>
              <th>{t("kpi.buyers")}</th>
              <th>{t("kpi.gmv")}</th>
            </tr>
          </thead>
          <tbody>
            {data.channels.map((row) => (
              <tr key={row.channel}>
                <td>{say(row.label)}</td>
                <td>{integer(row.visitors)}</td>
                <td>{integer(row.orders)}</td>
                <td>{integer(row.buyers)}</td>
                <td>
                  <DrillNumber drill={row.drill}>{money(row.amount, data.currency)}</DrillNumber>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Card>
    </div>
  );
}

function Formula({ data, kpi }: { data: Overview; kpi: (key: string) => Kpi | undefined }) {
  const { t } = useTranslation("overview");
  const { formula, currency } = data;
  const parts: [string, string, string | null][] = [
    ["gmv", moneyShort(formula.gmv, currency), null],
    ["visitors", integer(formula.visitors), "="],
    ["conversion", percent(formula.conversion), "×"],
    ["order_value", money(Math.round(formula.order_value), currency), "×"],
  ];
  return (
    <section className="card formula" aria-label={t("formula")}>
      {parts.map(([key, value, sign]) => (
        <div key={key} className="formula-part">
          {sign ? <span className="sign" aria-hidden>{sign}</span> : null}
          <div>
            <Tooltip title={say(formula.definitions[key])}>
              <span className="kpi-name">
                {t(`kpi.${key}`)} {kpi(key)?.made ? <MadeBadge /> : null}
              </span>
            </Tooltip>
            <strong className="kpi-value" data-testid={`formula-${key}`}>
              <DrillNumber drill={kpi(key)?.drill} label={`${t(`kpi.${key}`)} ${value}`}>{value}</DrillNumber>
            </strong>
            <Change kpi={kpi(key)} />
          </div>
        </div>
      ))}
    </section>
  );
}

function KpiCard({ kpi, currency }: { kpi: Kpi; currency: string }) {
  const value = kpi.unit === "money" ? moneyShort(kpi.value, currency) : kpi.unit === "percent" ? percent(kpi.value) : integer(kpi.value);
  return (
    <section className="card kpi">
      <div>
        <span className="kpi-name">
          {say(kpi.label)} {kpi.made ? <MadeBadge /> : null}
        </span>
        <strong className="kpi-value" data-testid={`kpi-${kpi.key}`}>
          <DrillNumber drill={kpi.drill}>{value}</DrillNumber>
        </strong>
        <Change kpi={kpi} />
      </div>
      <Sparkline values={kpi.series.map((item) => item.value)} label={say(kpi.label)} />
    </section>
  );
}

/** 环比: up is red, down is green, as Chinese operators read it. */
function Change({ kpi }: { kpi: Kpi | undefined }) {
  const { t } = useTranslation("overview");
  if (!kpi || kpi.change === null || kpi.change === undefined) return <span className="faint kpi-change">{t("noPrevious")}</span>;
  const up = kpi.change >= 0;
  return (
    <span className="kpi-change">
      <span className={up ? "up" : "down"}>
        {up ? "↑" : "↓"} {percent(Math.abs(kpi.change))}
      </span>{" "}
      <span className="faint">{t("previous")}</span>
    </span>
  );
}
