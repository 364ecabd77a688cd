// Charts small enough to be drawn by hand: a line beside a number, the pyramid of people, ranked bars.
import { useTranslation } from "react-i18next";
import type { Segment } from "@/features/overview/api";
import { say, type Label } from "@/shared/api";
import { integer, moneyShort, percent } from "@/shared/format";
import { DrillNumber, type Drill } from "@/shared/ui";

/** The run of a number over the period; its last point is marked. */
export function Sparkline({ values, label }: { values: number[]; label: string }) {
  if (values.length < 2) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const place = (value: number, i: number): [number, number] => [(i / (values.length - 1)) * 100, 34 - ((value - low) / (high - low || 1)) * 30];
  const points = values.map((value, i) => place(value, i).map((part) => part.toFixed(1)).join(","));
  return (
    <svg className="spark" viewBox="0 0 100 38" role="img" aria-label={label} preserveAspectRatio="none">
      <polygon points={`0,38 ${points.join(" ")} 100,38`} fill="#1554d9" fillOpacity="0.08" />
      <polyline points={points.join(" ")} fill="none" stroke="#1554d9" strokeWidth="1.6" strokeLinejoin="round" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}

const SHADES = ["#0b2f86", "#1554d9", "#3f78e6", "#a9c5fa", "#d5e3fc", "#e4edfd", "#eef4fe", "#f5f8ff"];

/** RFM as a pyramid: the most valuable few on top. Each row stands beside its name, people and money. */
export function Pyramid({ segments, currency }: { segments: Segment[]; currency: string }) {
  const { t } = useTranslation("overview");
  const count = segments.length;
  const edge = (row: number) => 16 + (84 * row) / count;
  return (
    <ol className="pyramid" aria-label={t("pyramid")}>
      {segments.map((segment, i) => {
        const [a, b] = [edge(i), edge(i + 1)];
        return (
          <li key={segment.key}>
            <svg viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden>
              <polygon points={`${50 - a / 2},0 ${50 + a / 2},0 ${50 + b / 2},38 ${50 - b / 2},38`} fill={SHADES[Math.min(i, SHADES.length - 1)]} />
            </svg>
            <span className={`pyramid-share number ${i < 3 ? "on-dark" : ""}`}>{percent(segment.share, segment.share < 0.1 ? 1 : 0)}</span>
            <div>
              <strong>{say(segment.label)}</strong>
              <small className="faint number">
                <DrillNumber drill={segment.drill} label={`${say(segment.label)} ${t("people", { n: integer(segment.people) })}`}>
                  {t("people", { n: integer(segment.people) })}
                </DrillNumber>{" "}
                · {t("contributed", { amount: moneyShort(segment.amount, currency) })}
              </small>
            </div>
          </li>
        );
      })}
    </ol>
  );
}

interface BarRow {
  name: Label;
  amount: number;
  drill: Drill;
}

export function Bars<R extends BarRow>({ rows, rowKey, currency, extra, unit }: { rows: R[]; rowKey: (row: R) => string; currency: string; extra: (row: R) => string; unit: string }) {
  const { t } = useTranslation("overview");
  const most = Math.max(1, ...rows.map((row) => row.amount));
  return (
    <table className="bars">
      <colgroup>
        <col style={{ width: 26 }} />
        <col />
        <col style={{ width: 58 }} />
        <col style={{ width: 84 }} />
      </colgroup>
      <thead>
        <tr>
          <th scope="col" colSpan={2}>
            <span className="sr">{t("name")}</span>
          </th>
          <th scope="col">{unit}</th>
          <th scope="col">{t("kpi.amount")}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row, i) => (
          <tr key={rowKey(row)}>
            <td className={i < 3 ? "rank top-rank" : "rank"}>{i + 1}</td>
            <td>
              <span className="bar-name" title={say(row.name)}>
                {say(row.name)}
              </span>
              <span className="bar">
                <span style={{ width: `${(Math.max(row.amount, 0) / most) * 100}%` }} />
              </span>
            </td>
            <td className="faint">{extra(row)}</td>
            <td>
              <DrillNumber drill={row.drill} label={`${say(row.name)} ${moneyShort(row.amount, currency)}`}>
                {moneyShort(row.amount, currency)}
              </DrillNumber>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
