import { describe, expect, it } from "vitest";
import { rangeOf } from "@/features/overview/presets";
import { slotted } from "@/features/overview/trend";

describe("periods", () => {
  it("count back from the last day with data, both ends included", () => {
    expect(rangeOf("today", "2026-03-01")).toEqual({ from: "2026-03-01", to: "2026-03-01" });
    expect(rangeOf("yesterday", "2026-03-01")).toEqual({ from: "2026-02-28", to: "2026-02-28" });
    expect(rangeOf("week", "2026-03-01")).toEqual({ from: "2026-02-23", to: "2026-03-01" });
    expect(rangeOf("month", "2026-03-01")).toEqual({ from: "2026-01-31", to: "2026-03-01" });
    expect(rangeOf("year", "2026-03-01")).toEqual({ from: "2026-01-01", to: "2026-03-01" });
  });
});

describe("bars of the trend", () => {
  const row = (on: string, channel: string, amount: number) => ({ on, channel, amount, orders: 1 });

  it("keep days without sales and add up what falls on one day", () => {
    const found = slotted([row("2026-01-01", "store", 5), row("2026-01-03", "store", 7), row("2026-01-03", "store", 1), row("2026-01-03", "web", 2)], { from: "2026-01-01", to: "2026-01-03" });
    expect(found.slots).toEqual(["2026-01-01", "2026-01-02", "2026-01-03"]);
    expect(found.channels).toEqual(["store", "web"]);
    expect(found.amounts).toEqual([[5, 0, 8], [0, 0, 2]]);
  });

  it("become weeks past a hundred days, and lose nothing", () => {
    const trend = Array.from({ length: 200 }, (_, i) => row(new Date(Date.UTC(2026, 0, 1 + i)).toISOString().slice(0, 10), "store", 10));
    const found = slotted(trend, { from: "2026-01-01", to: "2026-07-19" });
    expect(found.slots.length).toBe(29);
    expect(found.slots[1]).toBe("2026-01-08");
    expect(found.ends[0]).toBe("2026-01-07");
    expect(found.ends.at(-1)).toBe("2026-07-19");
    expect(found.amounts[0]?.reduce((sum, value) => sum + value, 0)).toBe(2000);
  });
});
