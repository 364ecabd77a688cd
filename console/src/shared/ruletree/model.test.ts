import { describe, expect, it } from "vitest";
import * as tree from "./model";
import type { Group } from "./model";

function sample(): Group {
  let root = tree.emptyTree();
  root = tree.addRule(root, "g1", "performed", { event: "order_paid" });
  root = tree.addGroup(root, "g1", "or", { predicate: "tag", params: { tags: ["t1"] } });
  return tree.addRule(root, "g2", "trait", { trait: "level" });
}

const ids = (root: Group): string[] => {
  const found: string[] = [];
  tree.walk(root, (node) => found.push(node.id));
  return found;
};

describe("ids", () => {
  it("are unique and stay when the tree is edited", () => {
    const root = sample();
    expect(ids(root)).toEqual(["g1", "r1", "g2", "r2", "r3"]);
    expect(ids(tree.setOperator(root, "g2", "not"))).toEqual(ids(root));
    expect(ids(tree.updateRule(root, "r2", { params: { tags: [] } }))).toEqual(ids(root));
  });
  it("of a removed node are not given to its neighbours", () => {
    const root = tree.removeNode(sample(), "r1");
    expect(ids(root)).toEqual(["g1", "g2", "r2", "r3"]);
    expect(ids(tree.addRule(root, "g1", "tag"))).toContain("r4");
  });
  it("of a copy are new, also inside a copied group", () => {
    const root = tree.duplicate(sample(), "g2");
    expect(new Set(ids(root)).size).toBe(ids(root).length);
    expect(root.children.map((child) => child.id)).toEqual(["r1", "g2", "g3"]);
  });
});

describe("editing", () => {
  it("leaves the value it was given alone, and shares what did not change", () => {
    const root = sample();
    const before = JSON.stringify(root);
    const next = tree.updateRule(root, "r1", { params: { event: "x" } });
    expect(JSON.stringify(root)).toBe(before);
    expect(next.children[1]).toBe(root.children[1]);
  });
  it("removing one rule leaves the parameters of the others", () => {
    const root = tree.removeNode(sample(), "r2");
    expect(tree.find(root, "r3")).toMatchObject({ params: { trait: "level" } });
    expect(tree.find(root, "r1")).toMatchObject({ params: { event: "order_paid" } });
  });
  it("a copy does not share its parameters with the original", () => {
    const root = tree.duplicate(sample(), "r1");
    const [first, second] = root.children as [tree.Rule, tree.Rule];
    expect(second.params).toEqual(first.params);
    expect(second.params).not.toBe(first.params);
  });
  it("removing the root empties it", () => expect(tree.removeNode(sample(), "g1").children).toEqual([]));
});

describe("at least k", () => {
  it("keeps k between one and the number of children", () => {
    let root = tree.setOperator(sample(), "g2", "at_least");
    expect(tree.find(root, "g2")).toMatchObject({ op: "at_least", k: 2 });
    expect(tree.find(tree.setAtLeast(root, "g2", 9), "g2")).toMatchObject({ k: 2 });
    root = tree.removeNode(root, "r2");
    expect(tree.find(root, "g2")).toMatchObject({ k: 1 });
  });
  it("loses k with another operator", () => {
    const root = tree.setOperator(tree.setOperator(sample(), "g2", "at_least"), "g2", "and");
    expect(tree.find(root, "g2")).not.toHaveProperty("k");
  });
});

describe("moving", () => {
  it("into another group and back gives the same tree", () => {
    const root = sample();
    const there = tree.move(root, "r1", "g2", 1);
    expect(ids(there)).toEqual(["g1", "g2", "r2", "r1", "r3"]);
    expect(tree.move(there, "r1", "g1", 0)).toEqual(root);
  });
  it("downwards within its group counts the place it leaves", () => {
    const root = tree.addRule(sample(), "g1", "tag");
    expect(tree.move(root, "r1", "g1", 2).children.map((child) => child.id)).toEqual(["g2", "r1", "r4"]);
  });
  it("never puts a group into itself, and never moves the root", () => {
    const root = tree.addGroup(sample(), "g2", "and");
    expect(tree.move(root, "g2", "g3", 0)).toBe(root);
    expect(tree.move(root, "g1", "g2", 0)).toBe(root);
  });
  it("by keyboard enters a neighbour group, walks through it and leaves it", () => {
    let root = sample();
    const places: string[][] = [];
    for (let step = 0; step < 4; step += 1) {
      root = tree.nudge(root, "r1", 1);
      places.push(ids(root));
    }
    expect(places).toEqual([
      ["g1", "g2", "r1", "r2", "r3"],
      ["g1", "g2", "r2", "r1", "r3"],
      ["g1", "g2", "r2", "r3", "r1"],
      ["g1", "g2", "r2", "r3", "r1"],
    ]);
    expect(root.children.map((child) => child.id)).toEqual(["g2", "r1"]);
  });
});

describe("grouping", () => {
  it("wrapping and unwrapping gives the same tree", () => {
    const root = sample();
    const wrapped = tree.wrap(root, "r2", "not");
    expect(tree.depthOf(wrapped)).toBe(4);
    expect(tree.unwrap(wrapped, "g3")).toEqual(root);
  });
});

describe("reading", () => {
  it("takes what it wrote, and makes a lone rule a group", () => {
    expect(tree.readTree(JSON.parse(JSON.stringify(sample())))).toEqual(sample());
    expect(tree.readTree({ type: "rule", id: "r1", predicate: "tag", params: {} })).toMatchObject({ type: "group", op: "and" });
  });
  it.each([null, 3, {}, { type: "group", id: "g1", op: "xor", children: [] }, { type: "group", id: "g1", op: "and", children: [{}] }])(
    "refuses %j",
    (value) => expect(tree.readTree(value)).toBeNull(),
  );
  it("refuses two nodes with one id", () => {
    const rule = { type: "rule", id: "r1", predicate: "tag", params: {} };
    expect(tree.readTree({ type: "group", id: "g1", op: "and", children: [rule, rule] })).toBeNull();
  });
});
