// Small charts by hand, the trend by ECharts, which is loaded only when there is a trend to draw.
import { useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Overview, Segment } from "@/features/overview/api";
import { say, type Label } from "@/shared/api";
import { integer, moneyShort, percent, short } from "@/shared/format";
import { DrillNumber } from "@/shared/ui";

export const COLOURS = ["#1554d9", "#5b8ff0", "#12a594", "#f0a30a", "#8b5cf6", "#e5484d", "#64748b"];

export function Sparkline({ values, label }: { values: number[]; label: string }) {
  if (values.length < 2) return null;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const points = values.map((value, i) => {
    const x = (i / (values.length - 1)) * 96 + 2;
    const y = 34 - ((value - low) / (high - low || 1)) * 30;
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <svg className="spark" viewBox="0 0 100 38" role="img" aria-label={label} preserveAspectRatio="none">
      <polygon points={`2,36 ${points.join(" ")} 98,36`} fill="#1554d914" />
      <polyline points={points.join(" ")} fill="none" stroke="#1554d9" strokeWidth="1.6" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}

export function Pyramid({ segments, currency }: { segments: Segment[]; currency: string }) {
  const { t } = useTranslation("overview");
  const shades = ["#0c2f86", "#1554d9", "#3f78e6", "#6f9cf0", "#a3c0f7", "#c9dbfb", "#dfeafd", "#eef4fe"];
  const height = 34;
  const top = 46;
  const width = 300;
  const at = (row: number) => top + ((width - top) * row) / segments.length;
  return (
    <div className="pyramid">
      <svg viewBox={`0 0 ${width} ${segments.length * height}`} role="img" aria-label={t("pyramid")}>
        {segments.map((segment, i) => {
          const [a, b] = [at(i), at(i + 1)];
          const y = i * height;
          const dark = i < 4;
          return (
            <g key={segment.key}>
              <polygon
                points={`${(width - a) / 2},${y} ${(width + a) / 2},${y} ${(width + b) / 2},${y + height - 2} ${(width - b) / 2},${y + height - 2}`}
                fill={shades[i % shades.length]}
              />
              <text x={width / 2} y={y + 21} textAnchor="middle" fontSize="13" fontWeight="600" fill={dark ? "#fff" : "#0c2f86"}>
                {percent(segment.share, 0)}
              </text>
            </g>
          );
        })}
      </svg>
      <ol>
        {segments.map((segment) => (
          <li key={segment.key} style={{ height }}>
            <strong>{say(segment.label)}</strong>
            <DrillNumber drill={segment.drill}>{integer(segment.people)}</DrillNumber>
            <span className="faint">{moneyShort(segment.amount, currency)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}

export function Bars<R extends { name: Label; amount: number }>({
  rows,
  rowKey,
  currency,
  extra,
  number,
}: {
  rows: R[];
  rowKey: (row: R) => string;
  currency: string;
  extra: (row: R) => string;
  number: (row: R, shown: string) => React.ReactNode;
}) {
  const most = Math.max(1, ...rows.map((row) => row.amount));
  return (
    <ol className="bars">
      {rows.map((row, i) => (
        <li key={rowKey(row)}>
          <span className="rank">{i + 1}</span>
          <span className="bar-name">
            {say(row.name)}
            <span className="bar-line" style={{ width: `${(Math.max(row.amount, 0) / most) * 100}%` }} />
          </span>
          <span className="faint number">{extra(row)}</span>
          <span className="number bar-amount">{number(row, moneyShort(row.amount, currency))}</span>
        </li>
      ))}
    </ol>
  );
}

export function Trend({ data }: { data: Overview }) {
  const { t, i18n } = useTranslation("overview");
  const box = useRef<HTMLDivElement>(null);
  const option = useMemo(() => trendOption(data), [data, i18n.language]);
  useEffect(() => {
    let chart: { setOption: (o: object, opts?: object) => void; resize: () => void; dispose: () => void } | undefined;
    let gone = false;
    const resize = () => chart?.resize();
    void import("@/features/overview/echarts").then(({ start }) => {
      if (gone || !box.current) return;
      chart = start(box.current);
      chart.setOption(option, { notMerge: true });
      addEventListener("resize", resize);
    });
    return () => {
      gone = true;
      removeEventListener("resize", resize);
      chart?.dispose();
    };
  }, [option]);
  return <div ref={box} style={{ height: 300 }} role="img" aria-label={t("trend")} />;
}

function trendOption(data: Overview): object {
  const days = [...new Set(data.trend.map((row) => row.on))].sort();
  // Past a quarter of days, weeks read better than a comb of bars.
  const weekly = days.length > 100;
  const slot = (on: string) => (weekly ? days[Math.floor(days.indexOf(on) / 7) * 7] ?? on : on);
  const slots = [...new Set(days.map(slot))];
  const names = new Map(data.channels.map((row) => [row.channel, say(row.label)]));
  const channels = [...new Set(data.trend.map((row) => row.channel))];
  const sums = new Map<string, number>();
  for (const row of data.trend) {
    const key = `${row.channel} ${slot(row.on)}`;
    sums.set(key, (sums.get(key) ?? 0) + row.amount / 100);
  }
  return {
    color: COLOURS,
    aria: { enabled: true },
    animationDuration: 300,
    grid: { left: 8, right: 12, top: 40, bottom: 4, containLabel: true },
    legend: { top: 0, right: 0, itemWidth: 10, itemHeight: 10 },
    tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, valueFormatter: (value: number) => short(value) },
    xAxis: { type: "category", data: slots.map((on) => on.slice(5)), axisTick: { show: false }, axisLine: { lineStyle: { color: "#cbd5e6" } } },
    yAxis: { type: "value", axisLabel: { formatter: (value: number) => short(value, 0) }, splitLine: { lineStyle: { color: "#eef1f6" } } },
    series: channels.map((channel) => ({
      name: names.get(channel) ?? channel,
      type: "bar",
      stack: "all",
      barMaxWidth: 22,
      data: slots.map((on) => sums.get(`${channel} ${on}`) ?? 0),
    })),
  };
}
