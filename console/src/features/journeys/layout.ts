// Where nodes are drawn: ranks from top to bottom by dagre, and the first look at a canvas. Sizes are those of the
// cards in journeys.css; text in a card is at least 13 px, so that it is readable (11 px) at the smallest first zoom.
import dagre from "@dagrejs/dagre";
import { edgeAt, nodeOf, portsOf } from "./graph";
import type { Graph, JourneyNode, Port } from "./types";

export const CARD_WIDTH = 272;
export const SMALLEST_FIRST_ZOOM = 0.85;
const GAP = { across: 40, down: 56 };
/** What a card is given, counts or not: a picture drawn before publishing still has room for them afterwards. */
const ROOM = 128;

/** A card's height: its head, and a row of counts once the journey has run. */
export function heightOf(node: JourneyNode, counted: boolean): number {
  return counted && node.kind !== "exit" ? ROOM : 72;
}

/** Positions (top left corners) of every node. The same graph always gives the same picture. */
export function arrange(graph: Graph): Map<string, { x: number; y: number }> {
  const plan = new dagre.graphlib.Graph();
  plan.setGraph({ rankdir: "TB", nodesep: GAP.across, ranksep: GAP.down, marginx: 0, marginy: 0 });
  plan.setDefaultEdgeLabel(() => ({}));
  for (const node of graph.nodes) plan.setNode(node.id, { width: CARD_WIDTH, height: ROOM });
  // Exits in their order, so that "yes" is drawn left of "no".
  for (const node of graph.nodes)
    for (const port of portsOf(node)) {
      const edge = graph.edges.find((each) => each.from === node.id && each.port === port);
      if (edge && plan.hasNode(edge.to)) plan.setEdge(edge.from, edge.to, { weight: port === "yes" || port === "next" ? 2 : 1 });
    }
  dagre.layout(plan);
  const positions = new Map<string, { x: number; y: number }>();
  for (const node of graph.nodes) {
    const at = plan.node(node.id) as { x: number; y: number; height: number };
    positions.set(node.id, { x: Math.round(at.x - CARD_WIDTH / 2), y: Math.round(at.y - at.height / 2) });
  }
  return positions;
}

/** Whether cards lie on each other or leave no room for the arrow between them, as in a draft made elsewhere. */
export function isCramped(graph: Graph): boolean {
  const near = ROOM + GAP.down * 0.75;
  return graph.nodes.some((a, index) =>
    graph.nodes.slice(index + 1).some((b) => Math.abs(a.position.x - b.position.x) < CARD_WIDTH + 8 && Math.abs(a.position.y - b.position.y) < near),
  );
}

/** A node's exits from left to right as they are drawn: where all lead somewhere, in the order of where they lead. */
export function portsInPlace(graph: Graph, node: JourneyNode): Port[] {
  const ports = portsOf(node);
  const ends = new Map(ports.map((port) => [port, nodeOf(graph, edgeAt(graph, node.id, port)?.to)?.position.x]));
  if ([...ends.values()].some((end) => end === undefined)) return ports;
  return [...ports].sort((a, b) => (ends.get(a) as number) - (ends.get(b) as number));
}

interface Point {
  x: number;
  y: number;
}

/**
 * The height at which an arrow turns aside, so that it passes no card on its way: halfway for neighbours; for a long
 * one, right below where it begins or right above where it ends, whichever leaves the cards between alone.
 */
export function turnOf(graph: Graph, ends: { from: string; to: string }, source: Point, target: Point, counted: boolean): number {
  const middle = (source.y + target.y) / 2;
  const cards = graph.nodes.filter((node) => node.id !== ends.from && node.id !== ends.to);
  const hits = (x1: number, y1: number, x2: number, y2: number): boolean =>
    cards.some(
      (card) =>
        Math.min(x1, x2) < card.position.x + CARD_WIDTH + 6 &&
        Math.max(x1, x2) > card.position.x - 6 &&
        Math.min(y1, y2) < card.position.y + heightOf(card, counted) + 2 &&
        Math.max(y1, y2) > card.position.y - 2,
    );
  const passes = (turn: number): boolean => hits(source.x, source.y, source.x, turn) || hits(source.x, turn, target.x, turn) || hits(target.x, turn, target.x, target.y);
  return [middle, source.y + GAP.down / 2, target.y - GAP.down / 2].find((turn) => turn > source.y && turn < target.y && !passes(turn)) ?? middle;
}

export interface View {
  x: number;
  y: number;
  zoom: number;
}

/**
 * The first look: all of it when that is readable, else the readable size with the trigger at the top. Never smaller
 * than `SMALLEST_FIRST_ZOOM`; the rest is a scroll away.
 */
export function firstView(graph: Graph, counted: boolean, canvas: { width: number; height: number }, margin = 32): View {
  if (!graph.nodes.length) return { x: canvas.width / 2 - CARD_WIDTH / 2, y: margin, zoom: 1 };
  const left = Math.min(...graph.nodes.map((node) => node.position.x));
  const right = Math.max(...graph.nodes.map((node) => node.position.x + CARD_WIDTH));
  const top = Math.min(...graph.nodes.map((node) => node.position.y));
  const bottom = Math.max(...graph.nodes.map((node) => node.position.y + heightOf(node, counted)));
  const fits = Math.min((canvas.width - 2 * margin) / (right - left), (canvas.height - 2 * margin) / (bottom - top));
  const zoom = Math.max(SMALLEST_FIRST_ZOOM, Math.min(1, fits));
  const trigger = graph.nodes.find((node) => node.kind === "trigger");
  const wide = (right - left) * zoom > canvas.width - 2 * margin;
  const middle = wide && trigger ? trigger.position.x + CARD_WIDTH / 2 : (left + right) / 2;
  return { x: Math.round(canvas.width / 2 - middle * zoom), y: Math.round(margin - top * zoom), zoom };
}

/** How far the canvas must be moved for a card to be in sight with a margin; nothing when it is. */
export function intoSight(card: { left: number; top: number; width: number; height: number }, canvas: { width: number; height: number }, margin = 24): { x: number; y: number } {
  const along = (start: number, length: number, room: number): number => {
    if (start < margin) return margin - start;
    const beyond = start + length + margin - room;
    return beyond > 0 ? -Math.min(beyond, start - margin) : 0;
  };
  return { x: Math.round(along(card.left, card.width, canvas.width)), y: Math.round(along(card.top, card.height, canvas.height)) };
}
