// What the server says of a predicate's form, and what follows from it: defaults, which fields are shown, which
// choices they offer, and what is still missing. What a predicate means is the server's business.
import type { Label } from "@/shared/api";
import type { Group, Params, Rule } from "./model";
import { countNodes, depthOf, MAX_DEPTH, MAX_NODES, walk } from "./model";

export type FieldType =
  | "event" | "integer" | "number" | "text" | "select" | "multiselect" | "duration" | "date_range" | "trait" | "tag"
  | "product" | "category" | "store" | "audience" | "filters" | "purpose" | "channel";

export interface Field {
  key: string;
  label: Label;
  type: FieldType;
  required: boolean;
  default?: unknown;
  options?: { value: string; label: Label }[];
  min?: number | null;
  max?: number | null;
  options_source?: string | null;
  end_key?: string | null;
  unit?: Label | null;
  multiple?: boolean;
  shown_when?: { key: string; values: string[] } | null;
}

export interface Predicate {
  key: string;
  label: Label;
  group: Label;
  fields: Field[];
}

export interface Filter {
  property: string;
  operator: string;
  value?: unknown;
}

export interface RuleError {
  id: string;
  field: string;
  message: string;
}

/** Operators that compare with nothing. */
export const WITHOUT_VALUE = new Set(["exists", "known", "unknown"]);

export function defaults(predicate: Predicate): Params {
  const params: Params = {};
  for (const field of predicate.fields)
    if (field.default !== undefined && field.default !== null && isShown(field, params)) params[field.key] = structuredClone(field.default);
  return params;
}

export function isShown(field: Field, params: Params): boolean {
  const when = field.shown_when;
  return !when || when.values.includes(String(params[when.key] ?? ""));
}

/** Where a field's choices come from; `bought` chooses between products and categories by its own `by`. */
export function sourceOf(field: Field, params: Params): string | null {
  if (field.key === "keys" && params["by"]) return params["by"] === "product" ? "products" : "categories";
  return field.options_source ?? null;
}

/** Fields that hold money in minor units, shown and typed in the currency's own unit. */
export function isMoney(predicate: string, field: Field, params: Params): boolean {
  if (field.type !== "integer") return false;
  if (predicate === "spent") return field.key === "at_least" || field.key === "at_most";
  return predicate === "bought" && field.key === "at_least" && params["measure"] === "amount";
}

/** A label without its remark on minor units, where the field shows the currency instead. */
export function withoutUnit(text: string): string {
  return text.replace(/[（(](分|minor units)[）)]/g, "").trim();
}

/** The parameters after one field changed: what no longer makes sense is dropped. */
export function withValue(predicate: Predicate, params: Params, key: string, value: unknown): Params {
  const next: Params = { ...params };
  if (value === undefined || value === null || value === "") delete next[key];
  else next[key] = value;
  if (key === "by" && params["by"] !== value) delete next["keys"];
  if (key === "event" && params["event"] !== value && Array.isArray(next["where"])) next["where"] = [];
  if (key === "trait" && params["trait"] !== value) delete next["value"];
  if (key === "operator" && (value === "in") !== (params["operator"] === "in")) delete next["value"];
  if (key === "within_days" && value) for (const field of predicate.fields) if (field.type === "date_range") clearRange(next, field);
  const range = predicate.fields.find((field) => field.type === "date_range" && (field.key === key || field.end_key === key));
  if (range && value) delete next["within_days"];
  for (const field of predicate.fields) if (!isShown(field, next)) delete next[field.key];
  return next;
}

function clearRange(params: Params, field: Field): void {
  delete params[field.key];
  if (field.end_key) delete params[field.end_key];
}

export function isBlank(value: unknown): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

const LIMITS: ReadonlySet<FieldType> = new Set(["filters", "date_range", "store", "channel"]);

/** Fields that only limit further, folded away until they are used; a choice after the first number is a detail too. */
export function extraFields(fields: readonly Field[]): Field[] {
  const number = fields.findIndex((field) => field.type === "integer");
  return fields.filter((field, index) => !field.required && (LIMITS.has(field.type) || (field.type === "select" && number >= 0 && index > number)));
}

/** Whether a field says anything beyond its default. */
export function isUsed(field: Field, params: Params): boolean {
  if (field.end_key && !isBlank(params[field.end_key])) return true;
  const value = params[field.key];
  return !isBlank(value) && value !== field.default;
}

/** The first field of a rule that must be filled in and is not; null when the rule can be asked. */
export function missingField(rule: Rule, predicates: ReadonlyMap<string, Predicate>): Field | null {
  const predicate = predicates.get(rule.predicate);
  if (!predicate) return null;
  for (const field of predicate.fields) {
    if (!isShown(field, rule.params)) continue;
    const value = rule.params[field.key];
    if (field.required && isBlank(value)) return field;
    if (field.shown_when && isBlank(value)) return field;
    if (field.type === "filters" && Array.isArray(value) && (value as Filter[]).some((filter) => !isWhole(filter))) return field;
  }
  return null;
}

export function isWhole(filter: Filter): boolean {
  return !!filter.property && !!filter.operator && (WITHOUT_VALUE.has(filter.operator) || !isBlank(filter.value));
}

export type Problem =
  | { kind: "missing"; id: string; field: Field }
  | { kind: "unknown"; id: string; key: string }
  | { kind: "empty"; id: string }
  | { kind: "deep"; id: string; limit: number }
  | { kind: "large"; id: string; limit: number };

/** What is wrong with a tree before the server is asked. An empty root is a tree nobody has begun, not a mistake. */
export function problemsOf(root: Group, predicates: ReadonlyMap<string, Predicate>): Problem[] {
  const problems: Problem[] = [];
  walk(root, (node) => {
    if (node.type === "group") {
      if (!node.children.length && node.id !== root.id) problems.push({ kind: "empty", id: node.id });
      return;
    }
    if (!predicates.has(node.predicate)) problems.push({ kind: "unknown", id: node.id, key: node.predicate });
    const field = missingField(node, predicates);
    if (field) problems.push({ kind: "missing", id: node.id, field });
  });
  if (depthOf(root) > MAX_DEPTH) problems.push({ kind: "deep", id: root.id, limit: MAX_DEPTH });
  if (countNodes(root) > MAX_NODES) problems.push({ kind: "large", id: root.id, limit: MAX_NODES });
  return problems;
}
