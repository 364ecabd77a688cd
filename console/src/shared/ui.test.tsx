// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { MemoryRouter, useLocation } from "react-router";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import shell from "@/locales/zh/shell.json";
import { ApiError, call, setBrand, setCsrf } from "@/shared/api";
import { SessionProvider, type Session } from "@/shared/session";
import { Parts } from "@/shared/tabs";
import { DrillNumber, drillAddress, ErrorState, Loaded, Page } from "@/shared/ui";

const session = (permissions: string[]): Session => ({
  user: { user_id: "u1", username: "u", name: "王", role: "analyst", language: "zh" },
  brands: [{ brand: "b", name: { zh: "品牌", en: "Brand" }, currency: "CNY", time_zone: "Asia/Shanghai" }],
  stores: null,
  permissions,
  csrf: "token",
  product: { version: "0", demo: false, sandbox_url: null },
});

function Where() {
  return <output>{useLocation().search}</output>;
}

function show(content: React.ReactNode, permissions: string[] = []) {
  return render(
    <QueryClientProvider client={new QueryClient()}>
      <MemoryRouter>
        <SessionProvider session={session(permissions)}>{content}</SessionProvider>
        <Where />
      </MemoryRouter>
    </QueryClientProvider>,
  );
}

beforeAll(async () => {
  await i18next.use(initReactI18next).init({ lng: "zh", resources: { zh: { shell } }, interpolation: { escapeValue: false } });
});

afterEach(cleanup);

describe("a number that opens", () => {
  it("leads to the people of a tree or to the events of a query", () => {
    const tree = { type: "group", id: "g1", op: "and", children: [] };
    expect(drillAddress({ kind: "people", tree })).toBe(`/people?tree=${encodeURIComponent(JSON.stringify(tree))}`);
    expect(drillAddress({ kind: "events", query: { name: "order_paid", from: "2026-01-01", store_id: null } })).toBe("/events?name=order_paid&from=2026-01-01");
    expect(drillAddress(null)).toBeNull();
  });
  it("is a link with a name only when it opens", () => {
    show(
      <>
        <DrillNumber drill={null}>7</DrillNumber>
        <DrillNumber drill={{ kind: "events", query: { name: "order_paid" } }} label="订单 9">
          9
        </DrillNumber>
      </>,
    );
    expect(screen.getAllByRole("link")).toHaveLength(1);
    expect(screen.getByRole("link", { name: "订单 9" }).getAttribute("href")).toBe("/events?name=order_paid");
  });
});

describe("a page", () => {
  it("hides its content and its actions from whoever may not see it", () => {
    show(<Page title="看板" permission="analytics.read" actions={<button type="button">导出</button>}>内容</Page>);
    expect(screen.queryByText("内容")).toBeNull();
    expect(screen.queryByRole("button", { name: "导出" })).toBeNull();
    expect(screen.getByText(shell.states.noPermission)).toBeDefined();
  });
  it("shows them to whoever may", () => {
    show(<Page title="看板" permission="analytics.read">内容</Page>, ["analytics.read"]);
    expect(screen.getByText("内容")).toBeDefined();
  });
});

describe("parts of a page", () => {
  it("are kept in the address", async () => {
    show(<Parts label="设置" parts={[{ key: "one", label: "一", content: "第一" }, { key: "two", label: "二", content: "第二" }]} />);
    expect(screen.getByText("第一")).toBeDefined();
    await userEvent.click(screen.getByTestId("tab-two"));
    expect(screen.getByText("第二")).toBeDefined();
    expect(screen.getByRole("status").textContent).toBe("?tab=two");
    expect(screen.getByTestId("tab-two").getAttribute("aria-current")).toBe("page");
  });
});

describe("an error", () => {
  it("says what the server said, with its detail and request id, and may be tried again", async () => {
    const retry = vi.fn();
    show(<ErrorState error={new ApiError(503, "engine_busy", "分析引擎忙", "30 秒内未完成", [], "req_1", {})} retry={retry} />);
    expect(screen.getByRole("alert").textContent).toContain("分析引擎忙");
    expect(screen.getByRole("alert").textContent).toContain("req_1");
    await userEvent.click(screen.getByRole("button"));
    expect(retry).toHaveBeenCalledOnce();
  });
});

describe("what is loaded", () => {
  const query = { isPending: false, isError: false, error: null, refetch: vi.fn() };
  const length = (data: string) => data.length;
  it("waits also where nothing was asked for yet", () => {
    show(<Loaded query={{ ...query, data: undefined as string | undefined }}>{length}</Loaded>);
    expect(screen.getByRole("status", { name: shell.states.loading })).toBeDefined();
  });
  it("is shown once it is there, and stays when a later reading fails", () => {
    show(<Loaded query={{ ...query, isError: true, data: "abc" as string | undefined }}>{length}</Loaded>);
    expect(screen.getByText("3")).toBeDefined();
    expect(screen.queryByRole("alert")).toBeNull();
  });
});

describe("a call", () => {
  it("carries the brand, the language and, when it changes something, the CSRF token", async () => {
    const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(() => Promise.resolve(new Response("{}", { headers: { etag: '"3"' } })));
    setBrand("b");
    setCsrf("token");
    const answer = await call("PUT", "/audiences/a1", { body: { name: "x" } });
    await call("GET", "/people/search", { query: { q: "", limit: 5 } });
    const [[address, sent], [second, read]] = fetched.mock.calls as [[string, RequestInit], [string, RequestInit]];
    expect(answer.etag).toBe('"3"');
    expect(address).toBe("/api/v1/audiences/a1?brand=b");
    expect(sent.headers).toMatchObject({ "X-CSRF-Token": "token", "Accept-Language": "zh" });
    expect(second).toBe("/api/v1/people/search?brand=b&limit=5");
    expect(read.headers).not.toHaveProperty("X-CSRF-Token");
    fetched.mockRestore();
  });
  it("turns a problem into an error with fields, and no network into one that says so", async () => {
    const problem = { title: "配置有误", code: "invalid", status: 422, errors: [{ field: "name", message: "必填" }], request_id: "r" };
    const fetched = vi.spyOn(globalThis, "fetch").mockResolvedValueOnce(new Response(JSON.stringify(problem), { status: 422 }));
    await expect(call("POST", "/users", { body: {} })).rejects.toMatchObject({ status: 422, code: "invalid", fields: [{ field: "name" }] });
    fetched.mockRejectedValueOnce(new TypeError("failed to fetch"));
    await expect(call("GET", "/users")).rejects.toMatchObject({ status: 0, code: "unreachable", message: shell.errors.unreachable });
    fetched.mockRestore();
  });
});
