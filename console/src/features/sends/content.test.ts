import { describe, expect, it } from "vitest";
import { partsOf } from "@/shared/phone";
import { messageOf } from "./content";

describe("what was sent", () => {
  it("is read from a text, and from a text with a card", () => {
    expect(messageOf("你好")).toEqual({ kind: "text", text: "你好", card: null });
    expect(messageOf({ text: "你好", card: { title: "券", page: "pages/coupon", image: null } })).toEqual({ kind: "card", text: "你好", card: { title: "券", page: "pages/coupon" } });
    expect(messageOf({ card: { title: "券" } })).toEqual({ kind: "card", text: "", card: { title: "券", page: "" } });
  });
  it.each([null, undefined, "", 3, {}, { card: null }])("is nothing for %j", (content) => expect(messageOf(content)).toBeNull());
  it("keeps the text around its holes", () => {
    expect(partsOf("{{name}}，您好 {{ coupon.name }}!")).toEqual([
      { text: "name", hole: true },
      { text: "，您好 ", hole: false },
      { text: "coupon.name", hole: true },
      { text: "!", hole: false },
    ]);
    expect(partsOf("无")).toEqual([{ text: "无", hole: false }]);
  });
});
