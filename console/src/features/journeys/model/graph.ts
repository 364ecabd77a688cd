// A journey's graph as a value: its kinds of nodes, their exits, and pure functions that edit it. It never holds a
// loop, two arrows from one exit, or an arrow into the trigger: an edit that would is refused with a reason.
import type { Filter, TreeNode } from "@/shared/ruletree";

export type Kind = "trigger" | "wait" | "branch" | "send" | "goal" | "exit";
export const ADDABLE: readonly Kind[] = ["send", "wait", "branch", "goal", "exit", "trigger"];

export interface Config {
  on?: "event" | "audience";
  event?: string;
  where?: Filter[];
  audience_id?: string;
  change?: "entered" | "left";
  mode?: "duration" | "event";
  value?: number;
  unit?: "minutes" | "hours" | "days" | "seconds";
  tree?: TreeNode;
  title?: string;
  connection?: string;
  template_id?: string;
  coupon_id?: string | null;
  within_days?: number;
}

export interface Node {
  id: string;
  kind: Kind;
  config: Config;
  position: { x: number; y: number };
}

export interface Edge {
  id: string;
  from: string;
  port: string;
  to: string;
}

export interface Graph {
  nodes: Node[];
  edges: Edge[];
}

/** The exits of a node, in the order in which they are drawn. */
export function ports(node: Pick<Node, "kind" | "config">): string[] {
  if (node.kind === "branch") return ["yes", "no"];
  if (node.kind === "wait" && node.config.mode === "event") return ["event", "timeout"];
  return node.kind === "exit" ? [] : ["next"];
}

export function freshConfig(kind: Kind): Config {
  switch (kind) {
    case "trigger":
      return { on: "event", where: [] };
    case "wait":
      return { mode: "duration", value: 1, unit: "days" };
    case "branch":
      return { title: "", tree: { type: "group", id: "g1", op: "and", children: [] } };
    case "send":
      return { coupon_id: null };
    case "goal":
      return { where: [], within_days: 7 };
    case "exit":
      return {};
  }
}

export function nodeOf(graph: Graph, id: string | null): Node | undefined {
  return graph.nodes.find((node) => node.id === id);
}

function freshId(graph: Graph, kind: Kind): string {
  let number = 1;
  while (nodeOf(graph, `${kind}${number}`)) number += 1;
  return `${kind}${number}`;
}

function edgeId(from: string, port: string, to: string): string {
  return `${from}:${port}-${to}`;
}

function edge(from: string, port: string, to: string): Edge {
  return { id: edgeId(from, port, to), from, port, to };
}

/** Whether a way leads from one node to another. */
export function leads(graph: Graph, from: string, to: string): boolean {
  const seen = new Set<string>();
  const front = [from];
  for (let id = front.pop(); id !== undefined; id = front.pop()) {
    if (id === to) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    for (const way of graph.edges) if (way.from === id) front.push(way.to);
  }
  return false;
}

export type Refusal = "loop" | "trigger" | "self" | "port" | "exists";

/** Why an arrow cannot be drawn; null when it can. An exit that leads somewhere already is led anew. */
export function refusal(graph: Graph, from: string, port: string, to: string): Refusal | null {
  const [source, target] = [nodeOf(graph, from), nodeOf(graph, to)];
  if (!source || !target || !ports(source).includes(port)) return "port";
  if (from === to) return "self";
  if (target.kind === "trigger") return "trigger";
  if (graph.edges.some((way) => way.from === from && way.port === port && way.to === to)) return "exists";
  return leads(graph, to, from) ? "loop" : null;
}

export function connect(graph: Graph, from: string, port: string, to: string): Graph {
  if (refusal(graph, from, port, to)) return graph;
  const rest = graph.edges.filter((way) => way.from !== from || way.port !== port);
  return { ...graph, edges: [...rest, edge(from, port, to)] };
}

export function disconnect(graph: Graph, id: string): Graph {
  return { ...graph, edges: graph.edges.filter((way) => way.id !== id) };
}

export interface Added {
  graph: Graph;
  id: string;
}

/** A node on its own, at a place. */
export function addNode(graph: Graph, kind: Kind, position: { x: number; y: number }): Added {
  const id = freshId(graph, kind);
  return { id, graph: { ...graph, nodes: [...graph.nodes, { id, kind, config: freshConfig(kind), position }] } };
}

/** A node put into an arrow: what the arrow led to follows the new node's first exit (an exit node ends the way). */
export function splice(graph: Graph, edgeOf: string, kind: Kind): Added | null {
  const way = graph.edges.find((item) => item.id === edgeOf);
  const [source, target] = [nodeOf(graph, way?.from ?? null), nodeOf(graph, way?.to ?? null)];
  if (!way || !source || !target || kind === "trigger") return null;
  const middle = { x: (source.position.x + target.position.x) / 2, y: (source.position.y + target.position.y) / 2 };
  const added = addNode(disconnect(graph, way.id), kind, middle);
  const into = connect(added.graph, way.from, way.port, added.id);
  const port = ports({ kind, config: freshConfig(kind) })[0];
  return { id: added.id, graph: port ? connect(into, added.id, port, way.to) : into };
}

/** A node after another: at its first open exit, or into its first arrow when all exits lead somewhere. */
export function addAfter(graph: Graph, after: string, kind: Kind): Added | null {
  const source = nodeOf(graph, after);
  if (!source || kind === "trigger") return null;
  const exits = ports(source);
  const open = exits.find((port) => !graph.edges.some((way) => way.from === after && way.port === port));
  if (open) {
    const added = addNode(graph, kind, { x: source.position.x, y: source.position.y + 160 });
    return { id: added.id, graph: connect(added.graph, after, open, added.id) };
  }
  const way = graph.edges.find((item) => item.from === after && item.port === exits[0]);
  return way ? splice(graph, way.id, kind) : null;
}

/** The node that the way ends at, for a palette click with nothing chosen: the lowest one with an open exit. */
export function openEnd(graph: Graph): string | null {
  const open = graph.nodes.filter((node) => ports(node).some((port) => !graph.edges.some((way) => way.from === node.id && way.port === port)));
  return open.sort((a, b) => b.position.y - a.position.y)[0]?.id ?? null;
}

/** Without a node. Where it had one way on, those before it lead there now. */
export function removeNode(graph: Graph, id: string): Graph {
  const out = graph.edges.filter((way) => way.from === id);
  const into = graph.edges.filter((way) => way.to === id);
  let next: Graph = { nodes: graph.nodes.filter((node) => node.id !== id), edges: graph.edges.filter((way) => way.from !== id && way.to !== id) };
  const on = out[0];
  if (out.length === 1 && on) for (const way of into) next = connect(next, way.from, way.port, on.to);
  return next;
}

/** A node's settings changed; arrows from exits that it no longer has move to those it has now, in order. */
export function configure(graph: Graph, id: string, config: Config): Graph {
  const node = nodeOf(graph, id);
  if (!node) return graph;
  const [before, after] = [ports(node), ports({ kind: node.kind, config })];
  const nodes = graph.nodes.map((item) => (item.id === id ? { ...item, config } : item));
  if (before.join() === after.join()) return { ...graph, nodes };
  const edges = graph.edges.flatMap((way) => {
    if (way.from !== id) return [way];
    const port = after[before.indexOf(way.port)];
    return port ? [edge(id, port, way.to)] : [];
  });
  return { nodes, edges };
}

export function place(graph: Graph, positions: ReadonlyMap<string, { x: number; y: number }>): Graph {
  return { ...graph, nodes: graph.nodes.map((node) => ({ ...node, position: positions.get(node.id) ?? node.position })) };
}

export type Fault = "trigger_missing" | "trigger_repeated" | "goal_repeated" | "unreachable" | "field";

export interface Finding {
  node_id: string | null;
  field: string | null;
  fault: Fault;
}

const NEEDED: Record<Kind, (config: Config) => (string | false)[]> = {
  trigger: (config) => [config.on === "audience" ? !config.audience_id && "audience_id" : !config.event && "event"],
  wait: (config) => [!config.value && config.value !== 0 && "value", config.mode === "event" && !config.event && "event"],
  branch: (config) => [(config.tree?.type !== "group" ? !config.tree : !config.tree.children.length) && "tree"],
  send: (config) => [!config.connection && "connection", !config.template_id && "template_id"],
  goal: (config) => [!config.event && "event"],
  exit: () => [],
};

/** What is wrong, as far as the graph itself says; whether a template or an audience exists is the server's to say. */
export function check(graph: Graph): Finding[] {
  const found: Finding[] = [];
  const triggers = graph.nodes.filter((node) => node.kind === "trigger");
  if (!triggers.length) found.push({ node_id: null, field: null, fault: "trigger_missing" });
  for (const extra of triggers.slice(1)) found.push({ node_id: extra.id, field: null, fault: "trigger_repeated" });
  for (const extra of graph.nodes.filter((node) => node.kind === "goal").slice(1)) found.push({ node_id: extra.id, field: null, fault: "goal_repeated" });
  const first = triggers[0];
  for (const node of graph.nodes) {
    for (const field of NEEDED[node.kind](node.config)) if (field) found.push({ node_id: node.id, field, fault: "field" });
    if (first && node.kind !== "trigger" && !leads(graph, first.id, node.id)) found.push({ node_id: node.id, field: null, fault: "unreachable" });
  }
  return found;
}
