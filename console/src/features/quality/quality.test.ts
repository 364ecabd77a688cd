import { describe, expect, it } from "vitest";
import { addressOf, dayBefore, type Problem } from "@/features/quality/api";

const problem = (more: Partial<Problem>) => ({ kind: "volume_drop", source: "web", name: "order_paid", property: "", begins_on: "2026-09-20", ends_on: "2026-09-20", ...more }) as Problem;

describe("the books' day", () => {
  it("begins with the first whole hour in it", () => expect(dayBefore(Date.parse("2026-09-20T14:13:05Z"))).toBe("2026-09-19T15:00:00.000Z"));
  it("begins at once on the hour", () => expect(dayBefore(Date.parse("2026-09-20T14:00:00Z"))).toBe("2026-09-19T14:00:00.000Z"));
});

describe("a problem opens", () => {
  it("to the events of its day", () => expect(addressOf(problem({}))).toBe("/events?name=order_paid&source=web&from=2026-09-20&to=2026-09-20"));
  it("to what is held for its reason", () => expect(addressOf(problem({ kind: "quarantine", name: "", property: "bad_time" }))).toBe("/sources?tab=quarantine&source=web&reason=bad_time&status=held"));
  it("to what broke the plan", () => expect(addressOf(problem({ kind: "missing_required", property: "total" }))).toBe("/plan?tab=violations&name=order_paid&source=web"));
  it.each(["wrong_books", "damaged_log"])("to the books of its source: %s", (kind) => expect(addressOf(problem({ kind }))).toBe("/sources"));
});
