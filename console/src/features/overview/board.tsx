// The numbers of the overview: the formula, the indicators beside it, each with what it was before.
import { InfoCircleOutlined } from "@ant-design/icons";
import { Tooltip } from "antd";
import { Fragment } from "react";
import { useTranslation } from "react-i18next";
import type { ChannelRow, Kpi, Overview } from "@/features/overview/api";
import { Sparkline } from "@/features/overview/charts";
import { say } from "@/shared/api";
import { integer, money, moneyShort, percent } from "@/shared/format";
import { DrillNumber, MadeBadge } from "@/shared/ui";

export const IN_FORMULA = ["gmv", "visitors", "conversion", "order_value"] as const;

export function Formula({ data }: { data: Overview }) {
  const { t } = useTranslation("overview");
  const { formula, currency } = data;
  const shown: Record<(typeof IN_FORMULA)[number], string> = {
    gmv: moneyShort(formula.gmv, currency),
    visitors: integer(formula.visitors),
    conversion: percent(formula.conversion),
    order_value: money(formula.order_value === null ? null : Math.round(formula.order_value), currency),
  };
  return (
    <section className="card formula" aria-label={t("formula")}>
      {IN_FORMULA.map((key, at) => {
        const kpi = data.kpis.find((item) => item.key === key);
        const meaning = say(formula.definitions[key]);
        return (
          <Fragment key={key}>
            {at ? (
              <span className="sign" aria-hidden>
                {at === 1 ? "=" : "×"}
              </span>
            ) : null}
            <div className={`factor factor-${key}`}>
              <span className="kpi-name">
                {t(`kpi.${key}`)}
                {meaning ? <Meaning text={meaning} /> : null}
                {kpi?.made ? <MadeBadge /> : null}
              </span>
              <strong className="kpi-value" data-testid={`formula-${key}`}>
                <DrillNumber drill={kpi?.drill} label={`${t(`kpi.${key}`)} ${shown[key]}`}>
                  {shown[key]}
                </DrillNumber>
              </strong>
              <Change kpi={kpi} />
            </div>
          </Fragment>
        );
      })}
    </section>
  );
}

function Meaning({ text }: { text: string }) {
  return (
    <Tooltip title={text}>
      <InfoCircleOutlined tabIndex={0} aria-label={text} role="img" />
    </Tooltip>
  );
}

export function KpiCard({ kpi, currency }: { kpi: Kpi; currency: string }) {
  const value = kpi.unit === "money" ? moneyShort(kpi.value, currency) : kpi.unit === "percent" ? percent(kpi.value) : integer(kpi.value);
  return (
    <section className="card kpi">
      <span className="kpi-name">
        {say(kpi.label)}
        {kpi.definition ? <Meaning text={say(kpi.definition)} /> : null}
        {kpi.made ? <MadeBadge /> : null}
      </span>
      <div>
        <strong className="kpi-value" data-testid={`kpi-${kpi.key}`}>
          <DrillNumber drill={kpi.drill} label={`${say(kpi.label)} ${value}`}>
            {value}
          </DrillNumber>
        </strong>
        <Change kpi={kpi} />
      </div>
      <Sparkline values={kpi.series.map((item) => item.value)} label={say(kpi.label)} />
    </section>
  );
}

/** 环比: up is red, down is green, as Chinese operators read it. */
export function Change({ kpi }: { kpi: Kpi | undefined }) {
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

export function Channels({ rows, currency }: { rows: ChannelRow[]; currency: string }) {
  const { t } = useTranslation("overview");
  const total = rows.reduce((sum, row) => sum + row.amount, 0);
  return (
    <div className="scroll-x" tabIndex={0} role="region" aria-label={t("byChannel")}>
      <table className="plain">
        <thead>
          <tr>
            {(["channel", "kpi.visitors", "kpi.buyers", "kpi.orders", "kpi.conversion", "kpi.order_value", "kpi.gmv", "share"] as const).map((key) => (
              <th key={key} scope="col">
                {t(key)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.channel}>
              <th scope="row">{say(row.label)}</th>
              <td>{integer(row.visitors)}</td>
              <td>{integer(row.buyers)}</td>
              <td>{integer(row.orders)}</td>
              <td>{row.visitors ? percent(row.buyers / row.visitors) : "–"}</td>
              <td>{row.buyers ? money(Math.round(row.amount / row.buyers), currency) : "–"}</td>
              <td>
                <DrillNumber drill={row.drill} label={`${say(row.label)} ${money(row.amount, currency)}`}>
                  {money(row.amount, currency)}
                </DrillNumber>
              </td>
              <td className="faint">{total ? percent(row.amount / total) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
