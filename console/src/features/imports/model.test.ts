import { expect, test } from "vitest";
import { blank, lacking, rolesOf, secretsOf, sent, withRoles } from "@/features/imports/model";

const COLUMNS = ["订单编号", "付款时间", "手机", "金额", "备注"];

test("roles are read from short and long values, and from other names of a column", () => {
  const document = {
    target: "events", key: [["主订单编号", "订单编号"]], occurred_at: "付款时间", order_id: { column: ["订单编号"] },
    identifiers: [{ namespace: "phone", column: "手机" }], amount: { column: ["金额"], unit: "cents" }, properties: { note: "备注" },
  };
  expect(rolesOf(document, COLUMNS)).toEqual({ 订单编号: ["key", "order_id"], 付款时间: ["occurred_at"], 手机: ["id.phone"], 金额: ["amount"], 备注: ["property"] });
});

test("a column takes a role and gives it back, and nothing else changes", () => {
  const start = { ...blank("events"), name: { const: "order_paid" }, skip: [{ column: ["订单状态"], is_in: ["交易关闭"] }] };
  const one = withRoles(start, COLUMNS, "订单编号", ["key", "order_id"]);
  const two = withRoles(one, COLUMNS, "手机", ["id.phone", "trait"]);
  expect(rolesOf(two, COLUMNS)).toMatchObject({ 订单编号: ["key", "order_id"], 手机: ["id.phone", "trait"] });
  const back = withRoles(withRoles(two, COLUMNS, "手机", []), COLUMNS, "订单编号", []);
  expect(rolesOf(back, COLUMNS)["订单编号"]).toEqual([]);
  expect(back["skip"]).toEqual(start.skip);
  expect(lacking(back)).toEqual(["key", "occurred_at"]);
});

test("a money column keeps its unit when another column takes its place", () => {
  const document = { ...blank("events"), amount: { column: "金额", unit: "cents", lines: "sum" } };
  expect(withRoles(document, [...COLUMNS, "实付"], "实付", ["amount"])["amount"]).toEqual({ column: "实付", unit: "cents", lines: "sum" });
});

test("a stored secret is shown as set, kept when left empty, replaced when typed, and dropped when cleared", () => {
  const fields = { path: {}, signing_secret: { format: "password" } };
  const shown = { path: "/in", signing_secret: "••••••" };
  expect(secretsOf(fields, shown)).toEqual({ signing_secret: true });
  expect(secretsOf(fields, { ...shown, signing_secret: "" })).toEqual({ signing_secret: false });
  expect(sent(fields, shown, true)).toEqual({ path: "/in" });
  expect(sent(fields, { path: "/in", signing_secret: "" }, true)).toEqual({ path: "/in" });
  expect(sent(fields, { path: "/in", signing_secret: "new" }, true)).toEqual({ path: "/in", signing_secret: "new" });
  expect(sent(fields, { path: "/in", signing_secret: "new" }, true, { signing_secret: true })).toEqual({ path: "/in", signing_secret: "" });
});
