import { describe, expect, it } from "vitest";
import { addNode, appendNode, configure, connect, duplicateNode, inOrder, insertAfter, openPorts, place, portsOf, publishedIds, removeNodes, targetsOf, whyNot, type Taken } from "./graph";
import { arrange, CARD_WIDTH, firstView, heightOf, isCramped, SMALLEST_FIRST_ZOOM } from "./layout";
import type { Config, Graph, Kind, Port, Settings } from "./types";
import { check, join, stillTrue } from "./validation";

const NONE: Taken = new Set();

/** n1 trigger -> n2 wait -> n3 branch -yes-> n4 send -> n5 exit, n3 -no-> n6 exit */
function sample(): Graph {
  let graph: Graph = { nodes: [], edges: [] };
  for (const kind of ["trigger", "wait", "branch", "send", "exit", "exit"] as Kind[]) graph = addNode(graph, NONE, kind, { x: 0, y: graph.nodes.length * 150 }).graph;
  for (const [from, port, to] of [["n1", "next", "n2"], ["n2", "next", "n3"], ["n3", "yes", "n4"], ["n4", "next", "n5"], ["n3", "no", "n6"]] as [string, Port, string][])
    graph = connect(graph, from, port, to);
  return graph;
}

const ways = (graph: Graph): string[] => graph.edges.map((edge) => `${edge.from}:${edge.port}>${edge.to}`).sort();
const settings: Settings = { holdout_percent: 10, reentry: { rule: "once" }, category: "marketing", purpose: "marketing", priority: 50, daily_cap: 1, quiet_hours: null, exit_on_goal: true };

describe("new steps", () => {
  const live = sample();
  const cut = removeNodes(live, ["n6", "n5"]);
  const taken = publishedIds(live, [{ node_id: "n9" }]);

  it("never take the id of a step that is published, though the draft has lost it", () => {
    expect(appendNode(removeNodes(live, ["n6"]), publishedIds(live, []), "exit", "n3").id).toBe("n7");
    expect(insertAfter(cut, taken, "n1", "next", "wait").id).toBe("n10");
    expect(addNode(cut, taken, "goal").id).toBe("n10");
    expect(duplicateNode(cut, taken, "n4").id).toBe("n10");
    expect(appendNode(removeNodes(live, ["n1"]), publishedIds(live, []), "trigger", null).id).toBe("n7");
  });
  it("count on from the draft where nothing is published", () => {
    expect(publishedIds(null, []).size).toBe(0);
    expect(addNode(cut, publishedIds(undefined, []), "goal").id).toBe("n5");
  });
});

describe("arrows", () => {
  it("never close a loop, however long the way round is", () => {
    const graph = sample();
    expect(whyNot(graph, "n4", "next", "n2")).toBe("loop");
    expect(connect(graph, "n4", "next", "n2")).toBe(graph);
    expect(whyNot(graph, "n4", "next", "n6")).toBeNull();
  });
  it("never lead to themselves, into the trigger, or from an exit that is not there", () => {
    const graph = sample();
    expect(whyNot(graph, "n2", "next", "n2")).toBe("itself");
    expect(whyNot(graph, "n4", "next", "n1")).toBe("trigger");
    expect(whyNot(graph, "n2", "yes", "n4")).toBe("missing");
    expect(whyNot(graph, "n5", "next", "n6")).toBe("missing");
  });
  it("are one per exit: a second one takes the place of the first", () => {
    const graph = connect(sample(), "n3", "yes", "n6");
    expect(ways(graph)).toContain("n3:yes>n6");
    expect(ways(graph)).not.toContain("n3:yes>n4");
  });
  it("offer those who choose from a list only what makes no loop", () => {
    expect(targetsOf(sample(), "n4", "next").map((node) => node.id)).toEqual(["n5", "n6"]);
  });
});

describe("adding", () => {
  it("behind an exit keeps what followed there, behind the new node's first exit", () => {
    const added = insertAfter(sample(), NONE, "n3", "yes", "branch");
    expect(ways(added.graph)).toEqual(expect.arrayContaining([`n3:yes>${added.id}`, `${added.id}:yes>n4`]));
  });
  it("from the palette takes the chosen node's open exit, then its arrow", () => {
    const cut = removeNodes(sample(), ["n6"]);
    const added = appendNode(cut, NONE, "goal", "n3");
    expect(ways(added.graph)).toContain(`n3:no>${added.id}`);
    expect(ways(appendNode(sample(), NONE, "send", "n2").graph)).toEqual(expect.arrayContaining(["n2:next>n7", "n7:next>n3"]));
  });
  it("never makes a second trigger, and puts a missing one before the first node", () => {
    const graph = sample();
    expect(appendNode(graph, NONE, "trigger", null)).toMatchObject({ graph, id: "n1" });
    const headless = removeNodes(graph, ["n1"]);
    const added = appendNode(headless, NONE, "trigger", null);
    expect(ways(added.graph)).toContain(`${added.id}:next>n2`);
  });
  it("a copy has its own settings and no arrows", () => {
    const graph = configure(sample(), "n4", { connection: "c", coupon_id: null });
    const copy = duplicateNode(graph, NONE, "n4");
    expect(copy.graph.edges).toEqual(graph.edges);
    const [old, made] = ["n4", copy.id].map((id) => copy.graph.nodes.find((node) => node.id === id)?.config);
    expect(made).toEqual(old);
    expect(made).not.toBe(old);
  });
});

describe("removing", () => {
  it("a node with one way on closes the gap", () => expect(ways(removeNodes(sample(), ["n2"]))).toContain("n1:next>n3"));
  it("a branch leaves its two sides apart", () => expect(ways(removeNodes(sample(), ["n3"]))).toEqual(["n1:next>n2", "n4:next>n5"]));
  it("several at once leaves no arrow to what is gone", () => {
    const graph = removeNodes(sample(), ["n2", "n3", "n4"]);
    for (const edge of graph.edges) for (const end of [edge.from, edge.to]) expect(graph.nodes.map((node) => node.id)).toContain(end);
  });
});

describe("configuring", () => {
  it("a wait that turns into one for an event keeps its way on, and back", () => {
    const graph = configure(sample(), "n2", { mode: "event", value: 2, unit: "days" });
    expect(portsOf(graph.nodes[1]!)).toEqual(["event", "timeout"]);
    expect(ways(graph)).toContain("n2:event>n3");
    expect(openPorts(graph, graph.nodes[1]!)).toEqual(["timeout"]);
    expect(ways(configure(graph, "n2", { mode: "duration", value: 2, unit: "days" }))).toEqual(ways(sample()));
  });
});

describe("checking", () => {
  const codes = (graph: Graph) => check(graph, settings).errors.map((fault) => `${fault.code}:${fault.node_id ?? ""}${fault.field ? `.${fault.field}` : ""}`);
  it("names the node and the field of what is missing", () => {
    expect(codes(sample())).toEqual(["field_missing:n1.event", "field_missing:n3.tree", "field_missing:n4.connection", "field_missing:n4.template_id"]);
  });
  it("finds what nobody reaches, a loop in a draft, and a missing trigger", () => {
    const graph = sample();
    expect(codes({ ...graph, edges: graph.edges.filter((edge) => edge.to !== "n4") })).toEqual(expect.arrayContaining(["unreachable:n4", "unreachable:n5"]));
    expect(codes({ ...graph, edges: [...graph.edges.filter((edge) => edge.from !== "n4"), { id: "x", from: "n4", port: "next", to: "n2" }] })).toContain("loop:n4");
    expect(codes({ nodes: [], edges: [] })).toContain("trigger_missing:");
  });
  it("is silent about a whole journey but for what is odd", () => {
    const configs: Record<string, Config> = { n1: { on: "event", event: "a" }, n3: { tree: { type: "rule", id: "r1", predicate: "tag", params: {} } }, n4: { connection: "c", template_id: "t" } };
    const whole = Object.entries(configs).reduce((graph, [id, config]) => configure(graph, id, config), sample());
    const { errors, warnings } = check(whole, { ...settings, holdout_percent: 0 });
    expect(errors).toEqual([]);
    expect(warnings.map((fault) => fault.code)).toEqual(["goal_missing", "holdout_missing"]);
  });
  it("says what the server said once, and drops it when the node was edited since", () => {
    const graph = sample();
    const fault = { node_id: "n4", field: "template_id", code: "template_unusable", message: { zh: "甲", en: "a" } };
    const server = { errors: [fault], warnings: [] };
    expect(join(server, server).errors).toEqual([fault]);
    expect(stillTrue(server, graph, graph)?.errors).toEqual([fault]);
    expect(stillTrue(server, graph, configure(graph, "n4", { connection: "d" }))?.errors).toEqual([]);
  });
});

describe("layout", () => {
  it("goes from top to bottom in reading order and overlaps nothing", () => {
    const graph = place(sample(), arrange(sample()));
    const at = new Map(graph.nodes.map((node) => [node.id, node.position]));
    for (const edge of graph.edges) expect(at.get(edge.to)!.y).toBeGreaterThanOrEqual(at.get(edge.from)!.y + heightOf(graph.nodes[0]!, true));
    expect(isCramped(graph)).toBe(false);
    const heap = new Map(graph.nodes.map((node) => [node.id, { x: 0, y: 0 }]));
    expect(isCramped(place(graph, heap))).toBe(true);
    const rank = new Map(inOrder(graph).map((node, index) => [node.id, index]));
    for (const edge of graph.edges) expect(rank.get(edge.to)!).toBeGreaterThan(rank.get(edge.from)!);
  });
  it("first shows a readable size with the trigger in sight, however large the journey", () => {
    let graph = sample();
    for (let step = 0; step < 12; step += 1) graph = insertAfter(graph, NONE, "n1", "next", "wait").graph;
    graph = place(graph, arrange(graph));
    const view = firstView(graph, true, { width: 900, height: 600 });
    const trigger = graph.nodes[0]!.position;
    expect(view.zoom).toBe(SMALLEST_FIRST_ZOOM);
    expect(trigger.y * view.zoom + view.y).toBeGreaterThanOrEqual(0);
    expect((trigger.x + CARD_WIDTH) * view.zoom + view.x).toBeLessThanOrEqual(900);
  });
});
