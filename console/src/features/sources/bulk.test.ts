import { describe, expect, it } from "vitest";
import { isWhole, valueOf } from "@/features/sources/bulk";

describe("an edit of many events", () => {
  it("is whole once it says where, and for a rename what to", () => {
    expect(isWhole({ op: "remove", path: "properties.note", to: "" })).toBe(true);
    expect(isWhole({ op: "remove", path: " ", to: "" })).toBe(false);
    expect(isWhole({ op: "rename", path: "a", to: "" })).toBe(false);
    expect(isWhole({ op: "rename", path: "a", to: "b" })).toBe(true);
  });
  it("takes a typed value as JSON would write it", () => {
    expect([valueOf("12"), valueOf("1.5"), valueOf("true"), valueOf("null"), valueOf("CNY"), valueOf("")]).toEqual([12, 1.5, true, null, "CNY", ""]);
  });
});
