// Where the identifiers of a person stand in the picture: the best connected at the left, its neighbours to the right.
import type { Identifier, Link } from "@/features/people/api";

export interface Spot {
  id: number;
  x: number;
  y: number;
}

export interface Layout {
  spots: Map<number, Spot>;
  width: number;
  height: number;
  /** How wide a spot is; all are as high as each other. */
  across: number;
}

export const HEIGHT = 50;
const GAP = 18;
/** From this many columns on they are narrower and closer, so that a screen of 1280 still shows the last one. */
const MANY = 5;

/** A value cut to `most` characters where it says least: in the account before the colon, else in the middle. */
export function shorten(value: string, most: number): string {
  if (value.length <= most) return value;
  const colon = value.lastIndexOf(":");
  const kept = value.length - colon;
  if (colon > 0 && most - kept - 1 >= 3) return `${value.slice(0, most - kept - 1)}…${value.slice(colon)}`;
  const tail = Math.floor((most - 1) / 2);
  return `${value.slice(0, most - 1 - tail)}…${value.slice(-tail)}`;
}

/**
 * Columns by the number of accepted links from the root; what hangs on other links only comes after what it hangs on,
 * what hangs on nothing last. Identifiers of other people, which a refused link may name, have a spot as well.
 */
export function layout(identifiers: Identifier[], links: Link[]): Layout {
  const ids = [...new Set([...identifiers.map((item) => item.identifier_id), ...links.flatMap((link) => [link.a, link.b])])];
  const strength = new Map(identifiers.map((item) => [item.identifier_id, item.strength]));
  const degree = (id: number) => links.filter((link) => link.status === "accepted" && (link.a === id || link.b === id)).length;
  const ordered = [...ids].sort((one, other) => degree(other) - degree(one) || (strength.get(other) ?? 0) - (strength.get(one) ?? 0) || one - other);
  const column = new Map<number, number>();
  const walk = (start: number, at: number, usable: (link: Link) => boolean) => {
    column.set(start, at);
    const queue = [start];
    for (let id = queue.shift(); id !== undefined; id = queue.shift())
      for (const link of links.filter(usable)) {
        const next = link.a === id ? link.b : link.b === id ? link.a : undefined;
        if (next === undefined || column.has(next)) continue;
        column.set(next, (column.get(id) ?? 0) + 1);
        queue.push(next);
      }
  };
  const [root] = ordered;
  if (root !== undefined) walk(root, 0, (link) => link.status === "accepted");
  for (const id of [...column.keys()]) walk(id, column.get(id) ?? 0, () => true);
  const last = Math.max(0, ...column.values());
  for (const id of ordered) if (!column.has(id)) walk(id, last, () => true);
  const columns = Math.max(0, ...column.values()) + 1;
  const members = Array.from({ length: columns }, (_, at) => [...column].filter(([, of]) => of === at).map(([id]) => id));
  const tallest = Math.max(1, ...members.map((list) => list.length));
  const [across, gap] = columns < MANY ? [236, 76] : [196, 44];
  const height = tallest * (HEIGHT + GAP) - GAP;
  const spots = new Map<number, Spot>();
  members.forEach((list, at) => {
    const own = list.length * (HEIGHT + GAP) - GAP;
    list.forEach((id, row) => spots.set(id, { id, x: at * (across + gap), y: (height - own) / 2 + row * (HEIGHT + GAP) }));
  });
  return { spots, width: columns * (across + gap) - gap, height, across };
}
