// The condition tree as a value: what it may hold, and pure functions that edit it. Ids stay while a tree is edited,
// so an error of the server, the focus and an undo step keep pointing at the same rule. No React in here.

export type Params = Record<string, unknown>;

export interface Rule {
  type: "rule";
  id: string;
  predicate: string;
  params: Params;
}

export type Operator = "and" | "or" | "not" | "at_least";

export interface Group {
  type: "group";
  id: string;
  op: Operator;
  k?: number;
  children: TreeNode[];
}

export type TreeNode = Rule | Group;

/** What the server accepts; the same numbers as its own check. */
export const MAX_DEPTH = 6;
export const MAX_NODES = 100;

export function walk(node: TreeNode, visit: (node: TreeNode, parent: Group | null, depth: number) => void): void {
  const step = (at: TreeNode, parent: Group | null, depth: number): void => {
    visit(at, parent, depth);
    if (at.type === "group") for (const child of at.children) step(child, at, depth + 1);
  };
  step(node, null, 1);
}

export function find(root: TreeNode, id: string): TreeNode | null {
  let found: TreeNode | null = null;
  walk(root, (node) => {
    if (node.id === id) found = node;
  });
  return found;
}

export function parentOf(root: TreeNode, id: string): Group | null {
  let found: Group | null = null;
  walk(root, (node, parent) => {
    if (node.id === id) found = parent;
  });
  return found;
}

/** An id that the tree does not have yet: `r7` for a rule, `g3` for a group. */
export function freshId(root: TreeNode, kind: "rule" | "group", taken: ReadonlySet<string> = new Set()): string {
  const letter = kind === "rule" ? "r" : "g";
  let highest = 0;
  const see = (id: string): void => {
    const number = new RegExp(`^${letter}(\\d+)$`).exec(id);
    if (number) highest = Math.max(highest, Number(number[1]));
  };
  walk(root, (node) => see(node.id));
  taken.forEach(see);
  return `${letter}${highest + 1}`;
}

export function emptyTree(op: Operator = "and"): Group {
  return { type: "group", id: "g1", op, children: [] };
}

/** Any tree as a group with at least one level, so that there is always something to add to. */
export function asGroup(tree: TreeNode): Group {
  if (tree.type === "group") return tree;
  return { type: "group", id: freshId(tree, "group"), op: "and", children: [tree] };
}

function change(root: Group, id: string, edit: (node: TreeNode) => TreeNode): Group {
  const step = (node: TreeNode): TreeNode => {
    if (node.id === id) return edit(node);
    if (node.type === "rule") return node;
    const children = node.children.map(step);
    return children.some((child, index) => child !== node.children[index]) ? { ...node, children } : node;
  };
  return step(root) as Group;
}

function changeGroup(root: Group, id: string, edit: (group: Group) => Group): Group {
  return change(root, id, (node) => (node.type === "group" ? edit(node) : node));
}

function insert(root: Group, groupId: string, node: TreeNode, index?: number): Group {
  return changeGroup(root, groupId, (group) => {
    const children = [...group.children];
    children.splice(index ?? children.length, 0, node);
    return { ...group, children };
  });
}

export function addRule(root: Group, groupId: string, predicate: string, params: Params = {}): Group {
  return insert(root, groupId, { type: "rule", id: freshId(root, "rule"), predicate, params });
}

export function addGroup(root: Group, groupId: string, op: Operator = "and", first?: { predicate: string; params: Params }): Group {
  const children: TreeNode[] = first ? [{ type: "rule", id: freshId(root, "rule"), ...first }] : [];
  return insert(root, groupId, withOperator({ type: "group", id: freshId(root, "group"), op, children }, op));
}

/** Takes a node out. The root cannot be taken out; it is emptied. */
export function removeNode(root: Group, id: string): Group {
  if (root.id === id) return { ...root, children: [] };
  const parent = parentOf(root, id);
  if (!parent) return root;
  return changeGroup(root, parent.id, (group) => clampK({ ...group, children: group.children.filter((child) => child.id !== id) }));
}

export function updateRule(root: Group, id: string, edit: Partial<Pick<Rule, "predicate" | "params">>): Group {
  return change(root, id, (node) => (node.type === "rule" ? { ...node, ...edit } : node));
}

function clampK(group: Group): Group {
  if (group.op !== "at_least") return group;
  return { ...group, k: Math.max(1, Math.min(group.k ?? 2, Math.max(1, group.children.length))) };
}

function withOperator(group: Group, op: Operator): Group {
  const { k, ...rest } = group;
  return op === "at_least" ? { ...rest, op, k: k ?? Math.min(2, Math.max(1, group.children.length)) } : { ...rest, op };
}

export function setOperator(root: Group, id: string, op: Operator): Group {
  return changeGroup(root, id, (group) => withOperator(group, op));
}

export function setAtLeast(root: Group, id: string, k: number): Group {
  return changeGroup(root, id, (group) => clampK({ ...group, k }));
}

function renamed(root: Group, node: TreeNode): TreeNode {
  const taken = new Set<string>();
  const copy = (source: TreeNode): TreeNode => {
    const id = freshId(root, source.type, taken);
    taken.add(id);
    if (source.type === "rule") return { ...source, id, params: structuredClone(source.params) };
    return { ...source, id, children: source.children.map(copy) };
  };
  return copy(node);
}

/** A copy with ids of its own, right after the original. The root is not copied. */
export function duplicate(root: Group, id: string): Group {
  const parent = parentOf(root, id);
  const node = find(root, id);
  if (!parent || !node) return root;
  const index = parent.children.findIndex((child) => child.id === id);
  return insert(root, parent.id, renamed(root, node), index + 1);
}

/** Moves a node before position `index` of a group. A group does not move into itself; the root does not move. */
export function move(root: Group, id: string, groupId: string, index: number): Group {
  const node = find(root, id);
  const from = parentOf(root, id);
  const target = find(root, groupId);
  if (!node || !from || target?.type !== "group") return root;
  if (find(node, groupId)) return root;
  const old = from.children.findIndex((child) => child.id === id);
  const place = from.id === groupId && old < index ? index - 1 : index;
  if (from.id === groupId && old === place) return root;
  const without = changeGroup(root, from.id, (group) => clampK({ ...group, children: group.children.filter((child) => child.id !== id) }));
  return insert(without, groupId, node, place);
}

/** One step up or down among its brothers; at the edge of a nested group it steps out of it. For the keyboard. */
export function nudge(root: Group, id: string, step: -1 | 1): Group {
  const parent = parentOf(root, id);
  if (!parent) return root;
  const index = parent.children.findIndex((child) => child.id === id);
  const next = index + step;
  if (next >= 0 && next < parent.children.length) {
    const neighbour = parent.children[next];
    if (neighbour?.type === "group") return move(root, id, neighbour.id, step === 1 ? 0 : neighbour.children.length);
    return move(root, id, parent.id, step === 1 ? index + 2 : index - 1);
  }
  const outer = parentOf(root, parent.id);
  if (!outer) return root;
  const place = outer.children.findIndex((child) => child.id === parent.id);
  return move(root, id, outer.id, step === 1 ? place + 1 : place);
}

/** Puts a node into a group of its own, in its place. */
export function wrap(root: Group, id: string, op: Operator = "and"): Group {
  if (root.id === id) return root;
  const group = freshId(root, "group");
  return change(root, id, (node) => withOperator({ type: "group", id: group, op, children: [node] }, op));
}

/** Replaces a group by its children. The root stays. */
export function unwrap(root: Group, id: string): Group {
  const parent = parentOf(root, id);
  const group = find(root, id);
  if (!parent || group?.type !== "group") return root;
  return changeGroup(root, parent.id, (outer) =>
    clampK({ ...outer, children: outer.children.flatMap((child) => (child.id === id ? group.children : [child])) }),
  );
}

export function depthOf(root: TreeNode): number {
  let deepest = 0;
  walk(root, (_, __, depth) => {
    deepest = Math.max(deepest, depth);
  });
  return deepest;
}

export function countNodes(root: TreeNode): number {
  let count = 0;
  walk(root, () => {
    count += 1;
  });
  return count;
}

/** Reads a tree from anywhere (an address, a draft). Null when it is not one. */
export function readTree(value: unknown): Group | null {
  const seen = new Set<string>();
  const read = (raw: unknown): TreeNode | null => {
    if (typeof raw !== "object" || raw === null) return null;
    const item = raw as Record<string, unknown>;
    const id = item["id"];
    if (typeof id !== "string" || !id || seen.has(id)) return null;
    seen.add(id);
    if (item["type"] === "rule") {
      const params = item["params"] ?? {};
      if (typeof item["predicate"] !== "string" || typeof params !== "object") return null;
      return { type: "rule", id, predicate: item["predicate"], params: params as Params };
    }
    if (item["type"] !== "group" || !Array.isArray(item["children"])) return null;
    const op = item["op"];
    if (op !== "and" && op !== "or" && op !== "not" && op !== "at_least") return null;
    const children = item["children"].map(read);
    if (children.some((child) => child === null)) return null;
    const group: Group = { type: "group", id, op, children: children as TreeNode[] };
    if (op === "at_least") group.k = typeof item["k"] === "number" ? item["k"] : 1;
    return group;
  };
  const tree = read(value);
  return tree ? asGroup(tree) : null;
}
