// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { offsetOf } from "@/features/plan/api";
import Import from "@/features/plan/Import";
import plan from "@/locales/zh/plan.json";
import shell from "@/locales/zh/shell.json";

beforeAll(async () => {
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
  await i18next.use(initReactI18next).init({ lng: "zh", resources: { zh: { shell, plan } }, interpolation: { escapeValue: false } });
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

const FAULT = "第 2 行第 3 列「viewed」：缺少冒号（名称: 值）";

it("leaves a YAML that is wrong in its box, says where, and takes the corrected one", async () => {
  const sent: string[] = [];
  vi.spyOn(globalThis, "fetch").mockImplementation((_, options) => {
    const { yaml } = JSON.parse(options?.body as string) as { yaml: string };
    sent.push(yaml);
    const right = yaml.endsWith(": {}");
    const body = right
      ? { breaking: false, items: [] }
      : { title: "埋点方案有误", code: "plan_invalid", detail: FAULT, errors: [], status: 422, request_id: "r" };
    return Promise.resolve(new Response(JSON.stringify(body), { status: right ? 200 : 422, headers: { "content-type": right ? "application/json" : "application/problem+json" } }));
  });
  const close = vi.fn();
  render(
    <QueryClientProvider client={new QueryClient()}>
      <Import after={0} done={vi.fn()} close={close} />
    </QueryClientProvider>,
  );
  const box = () => screen.getByLabelText<HTMLTextAreaElement>("YAML");
  await userEvent.click(box());
  await userEvent.paste("events:\n  viewed");
  await userEvent.click(screen.getByRole("button", { name: plan.compare }));
  expect((await screen.findByRole("alert")).textContent).toContain(FAULT);
  expect(box().value).toBe("events:\n  viewed");
  expect(document.activeElement).toBe(box());
  expect(box().selectionStart).toBe("events:\n  ".length);
  box().setSelectionRange(99, 99);
  await userEvent.paste(": {}");
  expect(screen.queryByRole("alert")).toBeNull();
  await userEvent.click(screen.getByRole("button", { name: plan.compare }));
  expect(await screen.findByText(plan.publishTitle)).toBeTruthy();
  expect(sent.slice(0, 2)).toEqual(["events:\n  viewed", "events:\n  viewed: {}"]);
  await userEvent.click(screen.getByRole("button", { name: plan.back }));
  expect(box().value).toBe("events:\n  viewed: {}");
  expect(close).not.toHaveBeenCalled();
});

it("finds the place that an error names in both languages", () => {
  expect(offsetOf("ab\ncd", "Line 2, column 2 “cd”: wrong")).toBe(4);
  expect(offsetOf("ab\ncd", "第 9 行第 9 列（结尾）：错")).toBe(5);
  expect(offsetOf("ab", "no place")).toBeNull();
});
