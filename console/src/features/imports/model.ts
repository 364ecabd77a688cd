// A mapping document as roles of columns: what the editor shows, and how a choice changes the document. No React here.
import type { Document } from "@/features/imports/api";

export type Target = "events" | "people" | "products" | "stores";

/** What a column can be, by what the file becomes. */
export const ROLES: Record<Target, string[]> = {
  events: ["key", "occurred_at", "order_id", "amount", "items.sku", "items.quantity", "items.unit_price", "items.amount", "store_id", "staff_id",
    "id.phone", "id.member_no", "id.unionid", "id.openid", "id.email", "id.user_id", "id.card", "id.platform_buyer", "property", "number", "money", "trait", "tag"],
  people: ["key", "id.phone", "id.member_no", "id.unionid", "id.openid", "id.external_userid", "id.email", "id.user_id", "id.card", "occurred_at", "trait", "tag"],
  products: ["key", "fields.sku", "fields.name", "fields.category", "fields.department"],
  stores: ["key", "fields.store_id", "fields.name", "fields.region"],
};

type Named = { column?: string[]; [more: string]: unknown };

/** A value of the document as the object that it stands for: a text or a list is short for a column. */
function named(value: unknown): Named | null {
  if (typeof value === "string") return { column: [value] };
  if (Array.isArray(value)) return { column: value as string[] };
  if (value && typeof value === "object") {
    const given = value as Named & { column?: string | string[] };
    return { ...given, ...(given.column === undefined ? {} : { column: typeof given.column === "string" ? [given.column] : given.column }) };
  }
  return null;
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const record = (value: unknown): Record<string, unknown> => (value && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {});

/** Which column of the file a value means: the first of its names that the file has. */
function meant(value: unknown, there: readonly string[]): string | undefined {
  return named(value)?.column?.find((name) => there.includes(name));
}

const SINGLE = ["occurred_at", "order_id", "amount", "items.sku", "items.quantity", "items.unit_price", "items.amount", "store_id", "staff_id",
  "fields.sku", "fields.name", "fields.category", "fields.department", "fields.store_id", "fields.region"];

function at(document: Document, path: string): unknown {
  const [first = "", second] = path.split(".");
  return second === undefined ? document[first] : record(document[first])[second];
}

function placed(document: Document, path: string, value: unknown): Document {
  const [first = "", second] = path.split(".");
  const next = { ...document };
  if (second === undefined) {
    if (value === undefined) delete next[first];
    else next[first] = value;
    return next;
  }
  const inner = { ...record(document[first]) };
  if (value === undefined) delete inner[second];
  else inner[second] = value;
  if (Object.keys(inner).length) next[first] = inner;
  else delete next[first];
  return next;
}

/** The roles of each column of a file. */
export function rolesOf(document: Document, there: readonly string[]): Record<string, string[]> {
  const roles: Record<string, string[]> = Object.fromEntries(there.map((name) => [name, []]));
  const note = (value: unknown, role: string) => {
    const column = meant(value, there);
    if (column) roles[column]?.push(role);
  };
  for (const part of list(document["key"])) note(part, "key");
  for (const path of SINGLE) note(at(document, path), path);
  for (const one of list(document["identifiers"])) note(one, `id.${String(record(one)["namespace"])}`);
  for (const one of Object.values(record(document["properties"]))) {
    const type = String(named(one)?.["type"] ?? "text");
    note(one, type === "number" || type === "money" ? type : "property");
  }
  for (const one of Object.values(record(document["traits"]))) note(one, "trait");
  for (const one of list(document["tags"])) note(one, "tag");
  return roles;
}

/** The document with exactly these roles for a column; what else it says stays. */
export function withRoles(document: Document, there: readonly string[], column: string, wanted: readonly string[]): Document {
  const before = rolesOf(document, there)[column] ?? [];
  let next = document;
  for (const role of before) if (!wanted.includes(role)) next = without(next, there, column, role);
  for (const role of wanted) if (!before.includes(role)) next = given(next, there, column, role);
  return next;
}

function without(document: Document, there: readonly string[], column: string, role: string): Document {
  const mine = (value: unknown) => meant(value, there) === column;
  if (role === "key") return placed(document, "key", list(document["key"]).filter((part) => !mine(part)));
  if (SINGLE.includes(role)) return placed(document, role, undefined);
  if (role.startsWith("id.")) {
    return placed(document, "identifiers", list(document["identifiers"]).filter((one) => !(mine(one) && record(one)["namespace"] === role.slice(3))));
  }
  if (role === "tag") return placed(document, "tags", list(document["tags"]).filter((one) => !mine(one)));
  const part = role === "trait" ? "traits" : "properties";
  return placed(document, part, Object.fromEntries(Object.entries(record(document[part])).filter(([, one]) => !mine(one))));
}

function given(document: Document, there: readonly string[], column: string, role: string): Document {
  if (role === "key") return placed(document, "key", [...list(document["key"]).filter((part) => meant(part, there)), column]);
  if (SINGLE.includes(role)) {
    const before = record(at(document, role));
    return placed(document, role, { ...("unit" in before ? { unit: before["unit"] } : {}), ...("lines" in before ? { lines: before["lines"] } : {}), column });
  }
  if (role.startsWith("id.")) return placed(document, "identifiers", [...list(document["identifiers"]), { namespace: role.slice(3), column }]);
  if (role === "tag") return placed(document, "tags", [...list(document["tags"]), { group: column, column }]);
  const part = role === "trait" ? "traits" : "properties";
  const type = role === "number" || role === "money" ? { type: role } : {};
  return placed(document, part, { ...record(document[part]), [column]: { column, ...type } });
}

/** What the document still lacks to be a mapping. */
export function lacking(document: Document): string[] {
  const target = document["target"] as Target;
  const missing: string[] = [];
  if (!list(document["key"]).length) missing.push("key");
  if (target === "events" && !document["occurred_at"]) missing.push("occurred_at");
  if (target === "people" && !list(document["identifiers"]).length) missing.push("identifier");
  for (const field of { products: ["fields.sku", "fields.name"], stores: ["fields.store_id", "fields.name"], events: [], people: [] }[target] ?? [])
    if (!at(document, field)) missing.push(field);
  return missing;
}

/** An empty mapping to begin with. */
export function blank(target: Target): Document {
  return target === "events" ? { version: 1, target, key: [], name: { const: "order_paid" } } : { version: 1, target, key: [] };
}

interface FieldOf { title?: string; type?: string; format?: string; default?: unknown }
/** The settings of a kind of connection, by the JSON schema of its form. */
export type Fields = Record<string, FieldOf>;

/** Which secrets of a connection are stored. The server shows a stored one as dots and an absent one as nothing. */
export function secretsOf(fields: Fields, config: Document): Record<string, boolean> {
  return Object.fromEntries(Object.keys(fields).filter((name) => fields[name]?.format === "password").map((name) => [name, Boolean(config[name])]));
}

/** The settings to send: a secret only when it was typed or is to be cleared, else the stored one is kept. */
export function sent(fields: Fields, given: Document, editing: boolean, cleared: Record<string, boolean> = {}): Document {
  const typed = Object.entries(given).filter(([name, value]) => fields[name]?.format !== "password" || (value && !/^•+$/.test(String(value)) && !cleared[name]));
  const dropped = editing ? Object.keys(cleared).filter((name) => cleared[name]).map((name) => [name, ""]) : [];
  return Object.fromEntries([...typed, ...dropped]) as Document;
}
