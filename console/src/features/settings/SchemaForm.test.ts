import { describe, expect, it } from "vitest";
import { defaults, filled, isSecret, plain } from "@/features/settings/SchemaForm";

const schema = {
  properties: {
    url: { type: "string" },
    secret: { type: "string", format: "password", writeOnly: true, default: "" },
    timeout: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: 10 },
    tls: { type: "boolean", default: false },
  },
  required: ["url", "secret"],
};

describe("a form made from a schema", () => {
  it("reads a nullable field as what it holds", () => {
    expect(plain(schema.properties.timeout)).toMatchObject({ type: "integer", minimum: 1, default: 10 });
  });
  it("knows a secret and never fills one in", () => {
    expect(isSecret(schema.properties.secret)).toBe(true);
    expect(defaults(schema)).toEqual({ timeout: 10, tls: false });
  });
  it("sends a switch that is off, and leaves out what was not typed and what the schema does not know", () => {
    expect(filled(schema, { url: "https://a", secret: "", timeout: null, tls: false, extra: 1 })).toEqual({ url: "https://a", tls: false });
    expect(filled(schema, { url: "https://a", secret: "s" })).toEqual({ url: "https://a", secret: "s" });
  });
});
