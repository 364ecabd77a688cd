// The journey's graph as a value, and pure functions that edit it. A journey has no loops and one trigger; an exit of
// a node leads to at most one node. What a node's settings mean is the server's business; where it is drawn, layout.ts.
import type { Config, Graph, JourneyEdge, JourneyNode, Kind, Port } from "./types";

export const MAX_NODES = 200;

/** The exits of a node, in the order in which they are drawn. */
export function portsOf(node: Pick<JourneyNode, "kind" | "config">): Port[] {
  if (node.kind === "branch") return ["yes", "no"];
  if (node.kind === "wait" && node.config["mode"] === "event") return ["event", "timeout"];
  return node.kind === "exit" ? [] : ["next"];
}

export function nodeOf(graph: Graph, id: string | null | undefined): JourneyNode | null {
  return graph.nodes.find((node) => node.id === id) ?? null;
}

export function edgeAt(graph: Graph, from: string, port: Port): JourneyEdge | null {
  return graph.edges.find((edge) => edge.from === from && edge.port === port) ?? null;
}

export function openPorts(graph: Graph, node: JourneyNode): Port[] {
  return portsOf(node).filter((port) => !edgeAt(graph, node.id, port));
}

/** Ids that belong to nodes outside of this graph: what was published once is counted under its id for ever. */
export type Taken = ReadonlySet<string>;

/** Ids of the steps that are published now, and of those that were once and still have numbers. */
export function publishedIds(live: Graph | null | undefined, counted: readonly { node_id: string }[]): Taken {
  return new Set([...(live?.nodes ?? []).map((node) => node.id), ...counted.map((node) => node.node_id)]);
}

/** An id that neither a node of this graph nor a node ever published has: `n12`. */
export function freshId(graph: Graph, taken: Taken): string {
  let highest = 0;
  for (const id of [...graph.nodes.map((node) => node.id), ...taken]) {
    const found = /^n(\d+)$/.exec(id);
    if (found) highest = Math.max(highest, Number(found[1]));
  }
  return `n${highest + 1}`;
}

export function defaultConfig(kind: Kind): Config {
  switch (kind) {
    case "trigger":
      return { on: "event" };
    case "wait":
      return { mode: "duration", value: 1, unit: "days" };
    case "branch":
      return { title: "" };
    case "send":
      return { coupon_id: null };
    case "goal":
      return { within_days: 7 };
    case "exit":
      return {};
  }
}

const edgeId = (from: string, port: Port): string => `${from}.${port}`;

function edge(from: string, port: Port, to: string): JourneyEdge {
  return { id: edgeId(from, port), from, port, to };
}

/** Every node that can be reached from `start`, itself included. */
export function reachable(graph: Graph, start: string): Set<string> {
  const ways = new Map<string, string[]>();
  for (const each of graph.edges) ways.set(each.from, [...(ways.get(each.from) ?? []), each.to]);
  const seen = new Set([start]);
  const todo = [start];
  while (todo.length)
    for (const next of ways.get(todo.pop() as string) ?? [])
      if (!seen.has(next)) {
        seen.add(next);
        todo.push(next);
      }
  return seen;
}

export type Refusal = "itself" | "loop" | "trigger" | "missing" | "same";

/** Why an arrow cannot be drawn; null when it can. An exit that leads elsewhere is redirected, which is no refusal. */
export function whyNot(graph: Graph, from: string, port: Port, to: string): Refusal | null {
  const [source, target] = [nodeOf(graph, from), nodeOf(graph, to)];
  if (!source || !target || !portsOf(source).includes(port)) return "missing";
  if (from === to) return "itself";
  if (target.kind === "trigger") return "trigger";
  if (edgeAt(graph, from, port)?.to === to) return "same";
  return reachable(graph, to).has(from) ? "loop" : null;
}

/** Draws an arrow, in place of the one the exit had. A graph that would loop is returned as it was. */
export function connect(graph: Graph, from: string, port: Port, to: string): Graph {
  if (whyNot(graph, from, port, to)) return graph;
  const others = graph.edges.filter((each) => !(each.from === from && each.port === port));
  return { ...graph, edges: [...others, edge(from, port, to)] };
}

export function disconnect(graph: Graph, from: string, port: Port): Graph {
  const edges = graph.edges.filter((each) => !(each.from === from && each.port === port));
  return edges.length === graph.edges.length ? graph : { ...graph, edges };
}

export interface Added {
  graph: Graph;
  id: string;
}

/** A node that stands alone. A second trigger is refused by giving the graph back with the first one's id. */
export function addNode(graph: Graph, taken: Taken, kind: Kind, position = { x: 0, y: 0 }, config: Config = defaultConfig(kind)): Added {
  const first = kind === "trigger" ? graph.nodes.find((node) => node.kind === "trigger") : undefined;
  if (first) return { graph, id: first.id };
  const id = freshId(graph, taken);
  return { id, graph: { ...graph, nodes: [...graph.nodes, { id, kind, config, position }] } };
}

/** A new node behind an exit. What the exit led to follows behind the new node, where that has an exit. */
export function insertAfter(graph: Graph, taken: Taken, from: string, port: Port, kind: Kind): Added {
  const source = nodeOf(graph, from);
  if (!source || kind === "trigger") return { graph, id: from };
  const old = edgeAt(graph, from, port);
  const added = addNode(graph, taken, kind, { x: source.position.x, y: source.position.y + 40 });
  let next = connect(added.graph, from, port, added.id);
  const node = nodeOf(next, added.id);
  const first = node ? portsOf(node)[0] : undefined;
  if (old && first) next = connect(next, added.id, first, old.to);
  return { graph: next, id: added.id };
}

/**
 * Where a click on the palette puts a node: behind an open exit of the selected node, else into the arrow that leaves
 * it, else behind the last open exit of the journey; alone when there is none.
 */
export function appendNode(graph: Graph, taken: Taken, kind: Kind, selected: string | null): Added {
  if (kind === "trigger") return withTrigger(graph, taken);
  const node = nodeOf(graph, selected);
  const ports = node ? portsOf(node) : [];
  if (node && ports.length) {
    const port = openPorts(graph, node)[0] ?? (ports[0] as Port);
    if (!(kind === "exit" && edgeAt(graph, node.id, port))) return insertAfter(graph, taken, node.id, port, kind);
  }
  const start = graph.nodes.find((each) => each.kind === "trigger");
  const inside = start ? reachable(graph, start.id) : new Set<string>();
  const ends = graph.nodes.filter((each) => inside.has(each.id) && each.kind !== "goal" && openPorts(graph, each).length);
  const last = ends.sort((a, b) => a.position.y - b.position.y).at(-1);
  if (last) return insertAfter(graph, taken, last.id, openPorts(graph, last)[0] as Port, kind);
  return addNode(graph, taken, kind);
}

function withTrigger(graph: Graph, taken: Taken): Added {
  const added = addNode(graph, taken, "trigger");
  if (added.graph === graph) return added;
  const targets = new Set(graph.edges.map((each) => each.to));
  const head = graph.nodes.find((node) => !targets.has(node.id));
  return head ? { ...added, graph: connect(added.graph, added.id, "next", head.id) } : added;
}

/** Takes nodes out. A node with one way in and out is bridged, so that taking a step out does not cut the journey. */
export function removeNodes(graph: Graph, ids: readonly string[]): Graph {
  return ids.reduce((now, id) => {
    const node = nodeOf(now, id);
    if (!node) return now;
    const incoming = now.edges.filter((each) => each.to === id);
    const outgoing = now.edges.filter((each) => each.from === id);
    let next: Graph = {
      nodes: now.nodes.filter((each) => each.id !== id),
      edges: now.edges.filter((each) => each.from !== id && each.to !== id),
    };
    const only = outgoing.length === 1 ? outgoing[0] : undefined;
    if (only) for (const each of incoming) next = connect(next, each.from, each.port, only.to);
    return next;
  }, graph);
}

/** Sets settings of a node. Arrows from exits that the node no longer has move to its first exit, or go. */
export function configure(graph: Graph, id: string, config: Config): Graph {
  const node = nodeOf(graph, id);
  if (!node) return graph;
  const next = { ...node, config };
  const ports = portsOf(next);
  const lost = graph.edges.filter((each) => each.from === id && !ports.includes(each.port));
  let edges = graph.edges.filter((each) => !lost.includes(each));
  for (const each of lost) {
    const free = ports.find((port) => !edges.some((other) => other.from === id && other.port === port));
    if (free && !edges.some((other) => other.from === id && other.to === each.to)) edges = [...edges, edge(id, free, each.to)];
  }
  return { nodes: graph.nodes.map((each) => (each.id === id ? next : each)), edges };
}

/** A copy of a node beside it, with its settings and no arrows. The trigger is not copied. */
export function duplicateNode(graph: Graph, taken: Taken, id: string): Added {
  const node = nodeOf(graph, id);
  if (!node || node.kind === "trigger") return { graph, id };
  return addNode(graph, taken, node.kind, { x: node.position.x + 48, y: node.position.y + 48 }, structuredClone(node.config));
}

export function place(graph: Graph, positions: ReadonlyMap<string, { x: number; y: number }>): Graph {
  let changed = false;
  const nodes = graph.nodes.map((node) => {
    const at = positions.get(node.id);
    if (!at || (at.x === node.position.x && at.y === node.position.y)) return node;
    changed = true;
    return { ...node, position: at };
  });
  return changed ? { ...graph, nodes } : graph;
}

/** Node ids from the trigger downwards: every arrow points forward in it; what is not connected comes last. */
export function inOrder(graph: Graph): JourneyNode[] {
  const state = new Map<string, 1 | 2>();
  const finished: string[] = [];
  const visit = (id: string): void => {
    if (state.has(id)) return;
    state.set(id, 1);
    const node = nodeOf(graph, id);
    // The last exit first, because finishing reverses the order: the first exit's way is then read first.
    for (const port of node ? [...portsOf(node)].reverse() : []) {
      const way = edgeAt(graph, id, port);
      if (way) visit(way.to);
    }
    state.set(id, 2);
    finished.push(id);
  };
  const starts = graph.nodes.filter((node) => node.kind === "trigger");
  const loose = graph.nodes.filter((node) => node.kind !== "trigger");
  const inside = new Set(starts.flatMap((node) => [...reachable(graph, node.id)]));
  for (const node of loose.filter((each) => !inside.has(each.id)).reverse()) visit(node.id);
  for (const node of starts) visit(node.id);
  return finished.reverse().flatMap((id) => nodeOf(graph, id) ?? []);
}

/** Where an exit may lead, for those who choose from a list instead of drawing: every node that makes no loop. */
export function targetsOf(graph: Graph, from: string, port: Port): JourneyNode[] {
  return inOrder(graph).filter((node) => {
    const why = whyNot(graph, from, port, node.id);
    return why === null || why === "same";
  });
}
