import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { MemoryRouter } from "react-router";
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import ruletree from "@/locales/zh/ruletree.json";
import shell from "@/locales/zh/shell.json";
import { SessionProvider, type Session } from "@/shared/session";
import type { RuleError } from "./fields";
import { useUndoable, type Undoable } from "./history";
import { addGroup, addRule, emptyTree, type Group } from "./model";
import { RuleTree } from "./RuleTree";

const label = (text: string) => ({ zh: text, en: text });
const PREDICATES = [
  { key: "tag", label: label("标签"), group: label("属性"), fields: [{ key: "tags", type: "tag", label: label("标签"), required: true, multiple: true, options_source: "tags" }] },
  { key: "spent", label: label("消费"), group: label("消费"), fields: [{ key: "at_least", type: "integer", label: label("至少（分）"), required: false, default: 0, min: 0 }] },
];
const session = { user: { user_id: "u", username: "u", name: "u", role: "owner", language: "zh" }, brands: [{ brand: "b", name: label("b"), currency: "CNY", time_zone: "Asia/Shanghai" }], stores: null, permissions: [], csrf: "", product: { version: "1", demo: true, sandbox_url: null } } as unknown as Session;
let held: Undoable<Group>;

function Stage({ start, errors }: { start: Group; errors?: RuleError[] }) {
  held = useUndoable(start);
  return <RuleTree value={held.value} errors={errors} onChange={(edit, name) => held.set(edit, name)} />;
}

async function show(start: Group, errors?: RuleError[]) {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <SessionProvider session={session}>
        <MemoryRouter>
          <Stage start={start} errors={errors} />
        </MemoryRouter>
      </SessionProvider>
    </QueryClientProvider>,
  );
  await screen.findByTestId("ruletree");
}

beforeAll(async () => {
  await i18next.use(initReactI18next).init({ lng: "zh", ns: ["shell", "ruletree"], defaultNS: "shell", resources: { zh: { shell, ruletree } }, interpolation: { escapeValue: false } });
});
beforeEach(() => {
  vi.stubGlobal("fetch", (address: string) => Promise.resolve(new Response(JSON.stringify({ items: address.includes("options") ? [{ value: "t1", label: label("高客单"), count: 5 }] : PREDICATES }))));
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
  vi.stubGlobal("matchMedia", () => ({ matches: false, addListener() {}, removeListener() {}, addEventListener() {}, removeEventListener() {} }));
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const two = () => addRule(addGroup(addRule(emptyTree(), "g1", "spent", { at_least: 20000 }), "g1", "or"), "g2", "tag", { tags: ["t1"] });

it("shows money in the currency's own unit and keeps minor units", async () => {
  await show(two());
  const field = within(screen.getByTestId("rule-r1")).getByRole("spinbutton", { name: "至少" });
  expect(field).toHaveProperty("value", "200.00");
  await userEvent.clear(field);
  await userEvent.type(field, "12.5");
  expect(held.value.children[0]).toMatchObject({ id: "r1", params: { at_least: 1250 } });
});

it("deletes one rule and leaves the others as they were; undo brings it back", async () => {
  const start = two();
  await show(start);
  await userEvent.click(screen.getByTestId("remove-r1"));
  expect(screen.queryByTestId("rule-r1")).toBeNull();
  expect(held.value.children).toEqual(start.children.slice(1));
  act(() => held.undo());
  expect(held.value).toEqual(start);
});

it("moves a rule by keyboard into the next group and keeps the focus on it", async () => {
  await show(two());
  screen.getByTestId("grip-r1").focus();
  await userEvent.keyboard("{Alt>}{ArrowDown}{/Alt}");
  expect(held.value).toMatchObject({ children: [{ id: "g2", children: [{ id: "r1" }, { id: "r2" }] }] });
  await vi.waitFor(() => expect(document.activeElement).toBe(screen.getByTestId("grip-r1")));
});

it("says what is wrong at the rule where it is wrong, and what is missing only where nothing is wrong", async () => {
  await show(addRule(two(), "g1", "tag"), [{ id: "r2", field: "tags", message: "标签已删除" }]);
  expect(within(screen.getByTestId("rule-r2")).getByRole("alert").textContent).toBe("标签已删除");
  expect(within(screen.getByTestId("rule-r1")).queryByRole("alert")).toBeNull();
  expect(screen.getByTestId("rule-r3").textContent).toContain("请填写“标签”");
});

it("has no violations that a structural check can find", async () => {
  await show(two());
  const found = await axe.run(document.body, { runOnly: ["wcag2a", "wcag2aa"], rules: { "color-contrast": { enabled: false } } });
  expect(found.violations.map((each) => `${each.id}: ${each.nodes[0]?.html}`)).toEqual([]);
});
