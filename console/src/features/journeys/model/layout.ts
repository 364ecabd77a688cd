// Top-to-bottom places for a graph's nodes, by dagre. Branches keep their order: yes left of no.
import dagre from "@dagrejs/dagre";
import { place, ports, type Graph } from "./graph";

export const NODE_WIDTH = 216;
export const NODE_HEIGHT = 124;

export function arrange(graph: Graph): Graph {
  const layout = new dagre.graphlib.Graph({ multigraph: true });
  layout.setGraph({ rankdir: "TB", nodesep: 56, ranksep: 64, marginx: 0, marginy: 0 });
  layout.setDefaultEdgeLabel(() => ({}));
  for (const node of graph.nodes) layout.setNode(node.id, { width: NODE_WIDTH, height: NODE_HEIGHT });
  for (const node of graph.nodes)
    for (const port of ports(node))
      for (const way of graph.edges) if (way.from === node.id && way.port === port) layout.setEdge(way.from, way.to, { weight: port === "yes" || port === "event" ? 2 : 1 }, port);
  dagre.layout(layout);
  const positions = new Map<string, { x: number; y: number }>();
  for (const node of graph.nodes) {
    const at = layout.node(node.id) as { x: number; y: number };
    positions.set(node.id, { x: Math.round(at.x - NODE_WIDTH / 2), y: Math.round(at.y - NODE_HEIGHT / 2) });
  }
  mirrorSiblings(graph, positions);
  return place(graph, positions);
}

/** dagre may put the second exit's node left of the first's; swap the two when they are leaves of the same rank. */
function mirrorSiblings(graph: Graph, positions: Map<string, { x: number; y: number }>): void {
  for (const node of graph.nodes) {
    const [first, second] = ports(node).map((port) => graph.edges.find((way) => way.from === node.id && way.port === port)?.to);
    if (!first || !second || first === second) continue;
    const [a, b] = [positions.get(first), positions.get(second)];
    if (!a || !b || a.y !== b.y || a.x <= b.x) continue;
    const lone = [first, second].every((id) => graph.edges.filter((way) => way.to === id).length === 1 && !graph.edges.some((way) => way.from === id));
    if (lone) {
      positions.set(first, b);
      positions.set(second, a);
    }
  }
}
