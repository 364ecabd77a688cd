// The periods an operator picks with one click, counted back from the last day that has data.
import dayjs from "dayjs";

export interface Range {
  from: string;
  to: string;
}

export const PRESETS = ["today", "yesterday", "week", "month", "year"] as const;
export type Preset = (typeof PRESETS)[number];

/** `last` is the brand-local day (YYYY-MM-DD) that counts as today. Both ends are part of the range. */
export function rangeOf(preset: Preset, last: string): Range {
  const day = dayjs(last);
  const from = (start: dayjs.Dayjs, end = day) => ({ from: start.format("YYYY-MM-DD"), to: end.format("YYYY-MM-DD") });
  if (preset === "today") return from(day);
  if (preset === "yesterday") return from(day.subtract(1, "day"), day.subtract(1, "day"));
  if (preset === "week") return from(day.subtract(6, "day"));
  if (preset === "month") return from(day.subtract(29, "day"));
  return from(day.startOf("year"));
}
