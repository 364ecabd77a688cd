// Whatever one does on the canvas, in whatever order: the graph stays one that can be published or said to be faulty.
import { describe, expect, it } from "vitest";
import { addNode, appendNode, configure, connect, disconnect, duplicateNode, inOrder, insertAfter, nodeOf, portsOf, reachable, removeNodes, whyNot, type Taken } from "./graph";
import { arrange, isCramped } from "./layout";
import { place } from "./graph";
import { KINDS, type Graph, type Kind, type Port } from "./types";

const NONE: Taken = new Set();

/** A small seeded generator (mulberry32), so that a failure can be run again. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function holds(graph: Graph): void {
  const ids = graph.nodes.map((node) => node.id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(graph.nodes.filter((node) => node.kind === "trigger").length).toBeLessThanOrEqual(1);
  const exits = graph.edges.map((edge) => `${edge.from}.${edge.port}`);
  expect(new Set(exits).size).toBe(exits.length);
  for (const edge of graph.edges) {
    const [from, to] = [nodeOf(graph, edge.from), nodeOf(graph, edge.to)];
    if (!from || !to) throw new Error(`arrow ${edge.id} leads from or to nothing`);
    expect(portsOf(from)).toContain(edge.port);
    expect(to.kind).not.toBe("trigger");
    expect(reachable(graph, edge.to).has(edge.from)).toBe(false);
  }
  const order = new Map(inOrder(graph).map((node, index) => [node.id, index]));
  expect(order.size).toBe(graph.nodes.length);
  for (const edge of graph.edges) expect(order.get(edge.from)).toBeLessThan(order.get(edge.to) as number);
}

describe("random edits", () => {
  it.each(Array.from({ length: 10 }, (_, seed) => seed + 1))("with seed %i never make a loop, a lost arrow or a second trigger", (seed) => {
    const random = randomOf(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    let graph: Graph = { nodes: [], edges: [] };
    for (let step = 0; step < 120; step += 1) {
      const ids = graph.nodes.map((node) => node.id);
      const before = JSON.stringify(graph);
      const kept = graph;
      const port = pick<Port>(["next", "yes", "no", "event", "timeout"]);
      const wait = { mode: pick(["duration", "event"]), value: 1, unit: "days" };
      const edits: (() => Graph)[] = [
        () => addNode(graph, NONE, pick<Kind>(KINDS)).graph,
        () => appendNode(graph, NONE, pick<Kind>(KINDS), random() < 0.5 ? pick(ids) ?? null : null).graph,
        () => insertAfter(graph, NONE, pick(ids) ?? "n1", port, pick<Kind>(KINDS)).graph,
        () => connect(graph, pick(ids) ?? "n1", port, pick(ids) ?? "n1"),
        () => connect(graph, pick(ids) ?? "n1", "next", pick(ids) ?? "n1"),
        () => disconnect(graph, pick(ids) ?? "n1", port),
        () => duplicateNode(graph, NONE, pick(ids) ?? "n1").graph,
        () => removeNodes(graph, [pick(ids) ?? "n1"]),
        () => (nodeOf(graph, pick(ids) ?? "")?.kind === "wait" ? configure(graph, pick(ids) ?? "", wait) : graph),
      ];
      graph = (graph.nodes.length > 30 ? (edits[7] as () => Graph) : pick(edits))();
      expect(JSON.stringify(kept)).toBe(before);
      holds(graph);
    }
    expect(isCramped(place(graph, arrange(graph)))).toBe(false);
  });
  it("a refused arrow is refused because it would loop: drawing it by hand makes one", () => {
    const random = randomOf(99);
    let graph: Graph = { nodes: [], edges: [] };
    for (let count = 0; count < 12; count += 1) graph = addNode(graph, NONE, "branch").graph;
    let refused = 0;
    for (let tries = 0; tries < 300; tries += 1) {
      const [from, to] = [`n${1 + Math.floor(random() * 12)}`, `n${1 + Math.floor(random() * 12)}`];
      const port: Port = random() < 0.5 ? "yes" : "no";
      if (whyNot(graph, from, port, to) === "loop") {
        refused += 1;
        const drawn: Graph = { ...graph, edges: [...graph.edges.filter((edge) => !(edge.from === from && edge.port === port)), { id: "x", from, port, to }] };
        expect(reachable(drawn, to).has(from)).toBe(true);
      }
      graph = connect(graph, from, port, to);
    }
    expect(refused).toBeGreaterThan(20);
  });
});
