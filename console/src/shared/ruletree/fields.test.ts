import { describe, expect, it } from "vitest";
import { defaults, extraFields, isMoney, isShown, isUsed, missingField, problemsOf, sourceOf, withValue, type Field, type Predicate } from "./fields";
import { begin, record, redo, undo } from "./history";
import { addGroup, addRule, emptyTree, wrap } from "./model";

const label = { zh: "甲", en: "a" };
const field = (key: string, type: Field["type"], more: Partial<Field> = {}): Field => ({ key, type, label, required: false, ...more });
const performed: Predicate = {
  key: "performed",
  label,
  group: label,
  fields: [
    field("event", "event", { required: true }),
    field("times", "integer", { default: 1 }),
    field("within_days", "duration"),
    field("from", "date_range", { end_key: "to" }),
    field("where", "filters", { default: [] }),
  ],
};
const trait: Predicate = {
  key: "trait",
  label,
  group: label,
  fields: [
    field("trait", "trait", { required: true }),
    field("operator", "select", { default: "eq" }),
    field("value", "text", { shown_when: { key: "operator", values: ["eq", "in"] } }),
  ],
};
const known = new Map([["performed", performed], ["trait", trait]]);

describe("a predicate's form", () => {
  it("starts with the defaults, of which each rule has its own", () => {
    const [first, second] = [defaults(performed), defaults(performed)];
    expect(first).toEqual({ times: 1, where: [] });
    expect(first["where"]).not.toBe(second["where"]);
  });
  it("holds the last days or a date range, never both", () => {
    const days = withValue(performed, { from: "2026-01-01", to: "2026-02-01" }, "within_days", 30);
    expect(days).toEqual({ within_days: 30 });
    expect(withValue(performed, days, "from", "2026-01-01")).toEqual({ from: "2026-01-01" });
  });
  it("drops the filters with the event and the value with the trait", () => {
    expect(withValue(performed, { event: "a", where: [{ property: "x" }] }, "event", "b")).toEqual({ event: "b", where: [] });
    expect(withValue(trait, { trait: "a", operator: "eq", value: "1" }, "trait", "b")).toEqual({ trait: "b", operator: "eq" });
  });
  it("hides and drops a value that the operator does not compare with", () => {
    const params = withValue(trait, { trait: "a", operator: "eq", value: "1" }, "operator", "known");
    expect(params).toEqual({ trait: "a", operator: "known" });
    expect(isShown(trait.fields[2]!, params)).toBe(false);
  });
  it("knows where the choices of a purchase come from, and which numbers are money", () => {
    const keys = field("keys", "category", { options_source: "categories" });
    expect(sourceOf(keys, { by: "product" })).toBe("products");
    expect(sourceOf(keys, { by: "category" })).toBe("categories");
    const least = field("at_least", "integer");
    expect([isMoney("spent", least, {}), isMoney("bought", least, { measure: "times" }), isMoney("bought", least, { measure: "amount" })]).toEqual([true, false, true]);
  });
});

describe("what is folded away", () => {
  it("is what only limits further, until it says something", () => {
    const fields = [field("event", "event", { required: true }), field("times_operator", "select", { default: "gte" }), field("times", "integer", { default: 1 }), field("count_by", "select", { default: "event" }), field("from", "date_range", { end_key: "to" }), field("channels", "channel", { required: true })];
    expect(extraFields(fields).map((each) => each.key)).toEqual(["count_by", "from"]);
    expect(isUsed(fields[3]!, { count_by: "event" })).toBe(false);
    expect(isUsed(fields[3]!, { count_by: "order" })).toBe(true);
    expect(isUsed(fields[4]!, { to: "2026-01-01" })).toBe(true);
  });
});

describe("what is missing", () => {
  it("is named by its field", () => {
    expect(missingField({ type: "rule", id: "r1", predicate: "performed", params: {} }, known)?.key).toBe("event");
    expect(missingField({ type: "rule", id: "r1", predicate: "performed", params: { event: "a" } }, known)).toBeNull();
    expect(missingField({ type: "rule", id: "r1", predicate: "trait", params: { trait: "a", operator: "eq" } }, known)?.key).toBe("value");
    expect(missingField({ type: "rule", id: "r1", predicate: "trait", params: { trait: "a", operator: "known" } }, known)).toBeNull();
  });
  it("includes half-written filters, of which `exists` needs no value", () => {
    const rule = (operator: string) => ({ type: "rule" as const, id: "r1", predicate: "performed", params: { event: "a", where: [{ property: "x", operator }] } });
    expect(missingField(rule("eq"), known)?.key).toBe("where");
    expect(missingField(rule("exists"), known)).toBeNull();
  });
  it("is found over the whole tree; an empty root is no mistake", () => {
    expect(problemsOf(emptyTree(), known)).toEqual([]);
    let root = addRule(emptyTree(), "g1", "nothing");
    root = addGroup(root, "g1");
    expect(problemsOf(root, known).map((problem) => problem.kind)).toEqual(["unknown", "empty"]);
  });
  it("refuses what the server would: seven levels", () => {
    let root = addRule(emptyTree(), "g1", "performed", { event: "a" });
    for (let level = 0; level < 5; level += 1) root = wrap(root, "r1");
    expect(problemsOf(root, known)).toMatchObject([{ kind: "deep", limit: 6 }]);
  });
});

describe("undo", () => {
  it("goes back and forth, and a new change forgets the way forth", () => {
    let history = record(record(begin(1), 2, null, 0), 3, null, 0);
    history = undo(history);
    expect(history.present).toBe(2);
    expect(redo(history).present).toBe(3);
    expect(redo(record(history, 9, null, 0)).present).toBe(9);
    expect(undo(undo(undo(history))).present).toBe(1);
  });
  it("takes quick changes of one thing as one step", () => {
    let history = record(begin(""), "a", "r1.value", 0);
    history = record(history, "ab", "r1.value", 800);
    expect(undo(history).present).toBe("");
    expect(undo(record(history, "abc", "r1.value", 5000)).present).toBe("ab");
    expect(undo(record(history, "abc", "r2.value", 900)).present).toBe("ab");
  });
});
