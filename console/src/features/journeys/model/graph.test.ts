import { describe, expect, it } from "vitest";
import { addAfter, addNode, check, configure, connect, leads, openEnd, ports, refusal, removeNode, splice, type Graph, type Kind } from "./graph";
import { arrange, NODE_HEIGHT, NODE_WIDTH } from "./layout";

/** trigger1 -> wait1 -> branch1 -yes-> send1 -> exit1, branch1 -no-> exit2 */
function sample(): Graph {
  let graph: Graph = { nodes: [], edges: [] };
  for (const kind of ["trigger", "wait", "branch", "send", "exit", "exit"] as Kind[]) graph = addNode(graph, kind, { x: 0, y: graph.nodes.length * 100 }).graph;
  for (const [from, port, to] of [["trigger1", "next", "wait1"], ["wait1", "next", "branch1"], ["branch1", "yes", "send1"], ["send1", "next", "exit1"], ["branch1", "no", "exit2"]] as const)
    graph = connect(graph, from, port, to);
  return graph;
}

const ways = (graph: Graph): string[] => graph.edges.map((way) => `${way.from}:${way.port}>${way.to}`).sort();

describe("arrows", () => {
  it("never close a loop, however long the way round is", () => {
    const graph = sample();
    expect(refusal(graph, "send1", "next", "wait1")).toBe("loop");
    expect(connect(graph, "send1", "next", "wait1")).toBe(graph);
    expect(refusal(graph, "send1", "next", "exit2")).toBeNull();
  });
  it("never lead to themselves, back to the trigger, or from an exit that is not there", () => {
    const graph = sample();
    expect(refusal(graph, "wait1", "next", "wait1")).toBe("self");
    expect(refusal(graph, "send1", "next", "trigger1")).toBe("trigger");
    expect(refusal(graph, "exit1", "next", "send1")).toBe("port");
    expect(refusal(graph, "wait1", "yes", "send1")).toBe("port");
  });
  it("are one per exit: a second one replaces the first", () => {
    const graph = connect(sample(), "branch1", "yes", "exit2");
    expect(ways(graph)).toContain("branch1:yes>exit2");
    expect(ways(graph)).not.toContain("branch1:yes>send1");
  });
});

describe("adding", () => {
  it("after a node takes its first open exit", () => {
    const graph = connect(addNode(sample(), "branch", { x: 0, y: 0 }).graph, "send1", "next", "branch2");
    const added = addAfter(graph, "branch2", "goal")!;
    expect(ways(added.graph)).toContain("branch2:yes>goal1");
  });
  it("after a node without open exits goes in between", () => {
    const added = addAfter(sample(), "wait1", "send")!;
    expect(ways(added.graph)).toEqual(expect.arrayContaining(["wait1:next>send2", "send2:next>branch1"]));
    expect(ways(added.graph)).not.toContain("wait1:next>branch1");
  });
  it("into an arrow keeps what follows, on the new node's first exit", () => {
    const graph = sample();
    const way = graph.edges.find((item) => item.to === "send1")!;
    expect(ways(splice(graph, way.id, "branch")!.graph)).toEqual(expect.arrayContaining(["branch1:yes>branch2", "branch2:yes>send1"]));
  });
  it("finds the open end, and nothing when every exit leads somewhere", () => {
    expect(openEnd(sample())).toBeNull();
    expect(openEnd(removeNode(sample(), "exit1"))).toBe("send1");
  });
});

describe("removing", () => {
  it("a node with one way on closes the gap", () => expect(ways(removeNode(sample(), "wait1"))).toContain("trigger1:next>branch1"));
  it("a branch leaves its two sides apart", () => {
    const graph = removeNode(sample(), "branch1");
    expect(ways(graph)).toEqual(["send1:next>exit1", "trigger1:next>wait1"]);
  });
});

describe("configuring", () => {
  it("a wait that turns into a wait for an event keeps its way on", () => {
    const graph = configure(sample(), "wait1", { mode: "event", value: 2, unit: "days" });
    expect(ports(graph.nodes[1]!)).toEqual(["event", "timeout"]);
    expect(ways(graph)).toContain("wait1:event>branch1");
    expect(ways(configure(graph, "wait1", { mode: "duration", value: 2, unit: "days" }))).toContain("wait1:next>branch1");
  });
});

describe("checking", () => {
  it("names the node and the field of what is missing", () => {
    const found = check(sample()).filter((item) => item.fault === "field");
    expect(found.map((item) => `${item.node_id}.${item.field}`)).toEqual(["trigger1.event", "branch1.tree", "send1.connection", "send1.template_id"]);
  });
  it("finds nodes nobody reaches, and what is there twice or not at all", () => {
    const cut = { ...sample(), edges: sample().edges.filter((way) => way.to !== "send1") };
    expect(check(cut).filter((item) => item.fault === "unreachable").map((item) => item.node_id)).toEqual(["send1", "exit1"]);
    expect(check({ nodes: [], edges: [] })).toMatchObject([{ fault: "trigger_missing" }]);
    const twice = addNode(addNode(addNode(sample(), "trigger", { x: 0, y: 0 }).graph, "goal", { x: 0, y: 0 }).graph, "goal", { x: 0, y: 0 }).graph;
    expect(check(twice).map((item) => item.fault)).toEqual(expect.arrayContaining(["trigger_repeated", "goal_repeated"]));
  });
});

describe("layout", () => {
  it("goes from top to bottom and overlaps nothing", () => {
    const graph = arrange(sample());
    const at = new Map(graph.nodes.map((node) => [node.id, node.position]));
    for (const way of graph.edges) expect(at.get(way.to)!.y).toBeGreaterThan(at.get(way.from)!.y + NODE_HEIGHT);
    for (const a of graph.nodes)
      for (const b of graph.nodes)
        if (a.id < b.id) expect(Math.abs(a.position.x - b.position.x) >= NODE_WIDTH || Math.abs(a.position.y - b.position.y) >= NODE_HEIGHT).toBe(true);
    expect(leads(graph, "trigger1", "exit2")).toBe(true);
  });
});
