import { describe, expect, it } from "vitest";
import { allowedOf, newEvent, newProperty, withProposals, type Plan, type Proposal } from "@/features/plan/api";

const plan: Plan = { enforce: false, undeclared: "allow", events: { viewed: { ...newEvent(), rule: "drop", properties: { sku: newProperty() } } } };
const proposal = (name: string, property: string, more: object = {}) => ({ name, property, suggestion: property ? { ...newProperty(), type: "text", ...more } : null }) as Proposal;

describe("confirming what traffic taught", () => {
  it("adds events and properties and leaves what is planned alone", () => {
    const next = withProposals(plan, [proposal("paid", ""), proposal("paid", "total", { type: "number" }), proposal("viewed", "phone", { personal: true })]);
    expect(Object.keys(next.events ?? {})).toEqual(["viewed", "paid"]);
    expect(next.events?.["paid"]?.properties?.["total"]?.type).toBe("number");
    expect(next.events?.["viewed"]?.rule).toBe("drop");
    expect(next.events?.["viewed"]?.properties?.["phone"]?.personal).toBe(true);
    expect(plan.events?.["viewed"]?.properties).toEqual({ sku: newProperty() });
  });
});

it("reads allowed numbers as numbers only where numbers are planned", () => {
  expect(allowedOf(["1", "x"], "integer")).toEqual([1, "x"]);
  expect(allowedOf(["1"], "text")).toEqual(["1"]);
});
