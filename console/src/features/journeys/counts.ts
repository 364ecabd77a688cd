// Live counts of the canvas, kept outside React Flow's nodes: a tick redraws the numbers and nothing else.
import { create } from "zustand";
import type { NodeReport, Report } from "./types";

interface Counts {
  nodes: Readonly<Record<string, NodeReport>>;
  edges: Readonly<Record<string, number>>;
  /** People who reached the goal: a number of the journey, shown where the goal stands. */
  reached: number;
  take: (report: Report | null) => void;
}

export const useCounts = create<Counts>((set) => ({
  nodes: {},
  edges: {},
  reached: 0,
  take: (report) =>
    set((now) => ({
      nodes: keepEqual(now.nodes, Object.fromEntries((report?.nodes ?? []).map((node) => [node.node_id, node]))),
      reached: report?.goal_converted ?? 0,
      edges: Object.fromEntries((report?.edges ?? []).map((edge) => [`${edge.from}.${edge.port}`, edge.count])),
    })),
}));

/** The new map, with the old objects where nothing changed, so that a card whose numbers stay is not drawn again. */
export function keepEqual(old: Readonly<Record<string, NodeReport>>, next: Record<string, NodeReport>): Record<string, NodeReport> {
  for (const [id, node] of Object.entries(next)) {
    const before = old[id];
    if (before && JSON.stringify(before) === JSON.stringify(node)) next[id] = before;
  }
  return next;
}

export function useNodeCounts(nodeId: string): NodeReport | undefined {
  return useCounts((counts) => counts.nodes[nodeId]);
}

/** How many took a way; the report leaves out ways that nobody took. Undefined while there is no report of the node. */
export function useEdgeCount(from: string, port: string): number | undefined {
  return useCounts((counts) => counts.edges[`${from}.${port}`] ?? (counts.nodes[from] ? 0 : undefined));
}

export const suppressedOf = (node: NodeReport): number => node.suppressed.reduce((sum, each) => sum + each.count, 0);
