// Money by day and channel, drawn by ECharts, which is loaded only when there is a trend to draw. A bar opens its orders.
import { useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import type { Overview } from "@/features/overview/api";
import { say } from "@/shared/api";
import { money, symbol, short } from "@/shared/format";

const COLOURS = ["#1554d9", "#6f9ff5", "#12a594", "#f0a30a", "#8b5cf6", "#e5484d", "#64748b"];

export interface Slots {
  /** First day of each bar. */
  slots: string[];
  /** Last day of each bar. */
  ends: string[];
  channels: string[];
  /** Minor units by channel, in the order of `slots`. */
  amounts: number[][];
}

/** Days as bars; past a quarter of days, weeks read better than a comb. */
export function slotted(trend: Overview["trend"], range: Overview["range"]): Slots {
  const days: string[] = [];
  for (let at = Date.parse(range.from); at <= Date.parse(range.to) && days.length < 4000; at += 86_400_000) days.push(new Date(at).toISOString().slice(0, 10));
  const size = days.length > 100 ? 7 : 1;
  const starts = days.filter((_, i) => i % size === 0);
  const position = new Map(days.map((on, i) => [on, Math.floor(i / size)]));
  const channels = [...new Set(trend.map((row) => row.channel))];
  const amounts = channels.map(() => starts.map(() => 0));
  for (const row of trend) {
    const slot = position.get(row.on);
    const sums = amounts[channels.indexOf(row.channel)];
    if (slot !== undefined && sums) sums[slot] = (sums[slot] ?? 0) + row.amount;
  }
  return { slots: starts, ends: starts.map((_, i) => days[Math.min((i + 1) * size, days.length) - 1] ?? range.to), channels, amounts };
}

export function Trend({ data }: { data: Overview }) {
  const { t, i18n } = useTranslation("overview");
  const navigate = useNavigate();
  const box = useRef<HTMLDivElement>(null);
  const slots = useMemo(() => slotted(data.trend, data.range), [data]);
  const option = useMemo(() => trendOption(data, slots), [data, slots, i18n.language]);
  useEffect(() => {
    let stop = () => {};
    let gone = false;
    void import("@/features/overview/echarts").then(({ start }) => {
      if (gone || !box.current) return;
      const chart = start(box.current, (slot, series) => {
        const [from, to, channel] = [slots.slots[slot], slots.ends[slot], slots.channels[series]];
        if (from && to && channel) void navigate(`/events?${new URLSearchParams({ name: "order_paid", from, to, channel }).toString()}`);
      });
      chart.show(option);
      const watcher = new ResizeObserver(() => chart.resize());
      watcher.observe(box.current);
      stop = () => {
        watcher.disconnect();
        chart.dispose();
      };
    });
    return () => {
      gone = true;
      stop();
    };
  }, [option, slots, navigate]);
  return <div ref={box} className="trend" role="img" aria-label={t("trend")} />;
}

function trendOption(data: Overview, { slots, channels, amounts }: Slots): Record<string, unknown> {
  const names = new Map(data.channels.map((row) => [row.channel, say(row.label)]));
  return {
    color: COLOURS,
    aria: { enabled: true },
    animationDuration: 300,
    textStyle: { fontFamily: "inherit" },
    grid: { left: 4, right: 8, top: 44, bottom: 0, containLabel: true },
    legend: { top: 0, right: 0, itemWidth: 10, itemHeight: 10, textStyle: { color: "#4b5a73" } },
    tooltip: { trigger: "axis", axisPointer: { type: "shadow", shadowStyle: { color: "rgba(21,84,217,0.06)" } }, valueFormatter: (value: number) => money(Math.round(value), data.currency) },
    xAxis: { type: "category", data: slots.map((on) => on.slice(5)), axisTick: { show: false }, axisLine: { lineStyle: { color: "#cbd5e6" } }, axisLabel: { color: "#5f6e88" } },
    yAxis: { type: "value", axisLabel: { color: "#5f6e88", formatter: (value: number) => `${symbol(data.currency)}${short(value / 100).replace(/\.0(?=\D|$)/, "")}` }, splitLine: { lineStyle: { color: "#eef1f6" } } },
    series: channels.map((channel, at) => ({
      name: names.get(channel) ?? channel,
      type: "bar",
      stack: "all",
      barMaxWidth: 22,
      itemStyle: at === channels.length - 1 ? { borderRadius: [3, 3, 0, 0] } : {},
      data: amounts[at],
    })),
  };
}
