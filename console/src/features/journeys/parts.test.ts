import { describe, expect, it } from "vitest";
import { ApiError } from "@/shared/api";
import { delayOf, isFinal, step, type SaveState } from "./autosave";
import { keepEqual, suppressedOf } from "./counts";
import { roundUp, scaleOf } from "./interval";
import { figuresOf } from "./kinds";
import { intoSight, portsInPlace, turnOf } from "./layout";
import { countRules } from "./naming";
import type { Graph, NodeReport } from "./types";

const failure = (status: number) => new ApiError(status, "x", "x", null, [], null, {});

describe("autosave", () => {
  const after = (...news: Parameters<typeof step>[1][]): SaveState => news.reduce(step, { kind: "clean" } as SaveState);
  it("is clean once what was edited is stored", () => expect(after({ kind: "edited" }, { kind: "started" }, { kind: "saved" })).toEqual({ kind: "clean" }));
  it("sends again what was edited while it was sending", () =>
    expect(after({ kind: "edited" }, { kind: "started" }, { kind: "edited" }, { kind: "saved" })).toEqual({ kind: "dirty" }));
  it("sends nothing while two drafts differ, whatever is edited", () => {
    const state = after({ kind: "edited" }, { kind: "started" }, { kind: "stale" }, { kind: "edited" });
    expect(state).toEqual({ kind: "conflict" });
    expect(delayOf(state, 1)).toBeNull();
    expect(step(state, { kind: "started" })).toEqual({ kind: "conflict" });
  });
  it("is dirty after choosing ours, clean after choosing theirs", () => {
    expect(step({ kind: "conflict" }, { kind: "settled", unsaved: true })).toEqual({ kind: "dirty" });
    expect(step({ kind: "conflict" }, { kind: "settled", unsaved: false })).toEqual({ kind: "clean" });
  });
  it("tries again ever more slowly what may pass, and never what is refused", () => {
    const failed = (status: number): SaveState => ({ kind: "failed", error: failure(status) });
    expect([1, 2, 3, 9].map((count) => delayOf(failed(503), count))).toEqual([2000, 4000, 8000, 30000]);
    expect([0, 500, 503, 429, 408].map((status) => isFinal(failure(status)))).toEqual([false, false, false, false, false]);
    expect(delayOf(failed(422), 1)).toBeNull();
    expect(delayOf(step(failed(422), { kind: "edited" }), 1)).toBe(700);
  });
});

const node = (entered: number, more: Partial<NodeReport> = {}): NodeReport => ({
  node_id: "n1", entered, waiting: 0, left: 0, held_out: 0, intended: 0, sent: 0, accepted: 0, rejected: 0, unknown: 0, delivered: 0, read: 0, redeemed: 0, converted: 0, suppressed: [], deferred: 0, ...more,
});

describe("counts", () => {
  it("that stay keep their object, so that their card is not drawn again", () => {
    const old = { n1: node(5), n2: node(7) };
    const next = keepEqual(old, { n1: node(5), n2: node(8) });
    expect(next["n1"]).toBe(old.n1);
    expect(next["n2"]).toEqual(node(8));
  });
  it("of a send show what went, what was stopped, what was read, and what came of it", () => {
    const label = { zh: "", en: "" };
    const report = node(100, { sent: 60, read: 20, converted: 9, suppressed: [{ reason: "a", label, count: 30 }, { reason: "b", label, count: 4 }] });
    expect(suppressedOf(report)).toBe(34);
    expect(figuresOf("send", report, 0).map((each) => [each.state, each.count])).toEqual([["sent", 60], ["suppressed", 34], ["read", 20], ["converted", 9]]);
    expect(figuresOf("wait", node(3, { waiting: 2 }), 0).map((each) => each.state)).toEqual(["entered", "waiting"]);
  });
});

describe("an interval's axis", () => {
  it("has zero in the middle and holds the whole interval", () => {
    const scale = scaleOf([-0.012, 0.083, 0.035]);
    expect(scale.place(0)).toBe(0.5);
    expect(scale.place(0.083)).toBeLessThan(1);
    expect(scale.place(-scale.end)).toBe(0);
    expect(scale.place(9)).toBe(1);
  });
  it.each([[0.0954, 0.1], [0.11, 0.2], [0.21, 0.25], [26, 50], [0.1, 0.1], [0, 0.01]])("rounds %d up to %d", (value, end) => expect(roundUp(value)).toBeCloseTo(end, 12));
});

describe("looking", () => {
  const canvas = { width: 600, height: 400 };
  it("moves nothing when the card is in sight", () => expect(intoSight({ left: 100, top: 100, width: 200, height: 60 }, canvas)).toEqual({ x: 0, y: 0 }));
  it("moves a hidden card just into sight", () => {
    expect(intoSight({ left: 500, top: 100, width: 200, height: 60 }, canvas)).toEqual({ x: -124, y: 0 });
    expect(intoSight({ left: -50, top: 390, width: 200, height: 60 }, canvas)).toEqual({ x: 74, y: -74 });
  });
  it("of a card larger than the canvas shows the beginning", () => expect(intoSight({ left: 100, top: 24, width: 900, height: 60 }, canvas).x).toBe(-76));
});

it("counts the conditions of a tree, not its groups", () => {
  const rule = (id: string) => ({ type: "rule" as const, id, predicate: "tag", params: {} });
  expect(countRules({ type: "group", id: "g1", op: "and", children: [rule("r1"), { type: "group", id: "g2", op: "or", children: [rule("r2"), rule("r3")] }] })).toBe(3);
  expect(countRules(undefined)).toBe(0);
});

describe("arrows", () => {
  const at = (id: string, kind: "wait" | "exit" | "branch", x: number, y: number) => ({ id, kind, config: kind === "wait" ? { mode: "event" } : {}, position: { x, y } });
  const graph: Graph = {
    nodes: [at("a", "wait", 0, 0), at("b", "branch", -100, 184), at("c", "exit", 300, 368)],
    edges: [
      { id: "1", from: "a", port: "event", to: "c" },
      { id: "2", from: "a", port: "timeout", to: "b" },
    ],
  };
  it("leave a card on the side to which they lead", () => {
    expect(portsInPlace(graph, graph.nodes[0]!)).toEqual(["timeout", "event"]);
    expect(portsInPlace({ ...graph, edges: [] }, graph.nodes[0]!)).toEqual(["event", "timeout"]);
  });
  it("turn halfway between neighbours, and early where a card stands in the way", () => {
    expect(turnOf(graph, { from: "a", to: "b" }, { x: 68, y: 128 }, { x: 36, y: 184 }, true)).toBe(156);
    expect(turnOf(graph, { from: "a", to: "c" }, { x: 150, y: 128 }, { x: 436, y: 368 }, true)).toBe(156);
  });
  it("turn late where the way straight down is the free one", () => {
    const moved: Graph = { ...graph, nodes: [graph.nodes[0]!, at("b", "branch", 320, 184), graph.nodes[2]!] };
    expect(turnOf(moved, { from: "a", to: "c" }, { x: 150, y: 128 }, { x: 436, y: 368 }, true)).toBe(340);
  });
});
