// A form made from a channel's JSON schema: one field per property, checks as the schema states them.
import { Form, Input, InputNumber, Select, Switch } from "antd";
import type { Rule } from "antd/es/form";
import { useTranslation } from "react-i18next";
import type { ConfigSchema, SchemaField } from "@/features/settings/api";
import { half } from "@/shared/api";

/** A nullable field is written as `anyOf: [x, null]`; what matters is x. */
export function plain(field: SchemaField): SchemaField {
  const inner = field.anyOf?.find((item) => item.type !== "null");
  return inner ? { ...inner, ...field, type: inner.type, anyOf: undefined } : field;
}

export function isSecret(field: SchemaField): boolean {
  return field.writeOnly === true || field.format === "password";
}

export function defaults(schema: ConfigSchema): Record<string, unknown> {
  const filled = Object.entries(schema.properties ?? {}).filter(([, field]) => field.default !== undefined && !isSecret(plain(field)));
  return Object.fromEntries(filled.map(([name, field]) => [name, field.default]));
}

/** What to send: numbers and switches as they are, secrets only when typed (an empty one keeps what is stored). */
export function filled(schema: ConfigSchema, values: Record<string, unknown>): Record<string, unknown> {
  const known = Object.entries(schema.properties ?? {});
  return Object.fromEntries(
    known
      .filter(([name, field]) => values[name] !== undefined && values[name] !== null && !(isSecret(plain(field)) && values[name] === ""))
      .map(([name]) => [name, values[name]]),
  );
}

export function SchemaForm({ schema, editing }: { schema: ConfigSchema; editing: boolean }) {
  const { t } = useTranslation("settings");
  return (
    <>
      {Object.entries(schema.properties ?? {}).map(([name, raw]) => {
        const field = plain(raw);
        const secret = isSecret(field);
        const required = (schema.required ?? []).includes(name) && !(secret && editing);
        const rules: Rule[] = [{ required }];
        if (field.pattern) rules.push({ pattern: new RegExp(field.pattern), message: t("connections.pattern", { pattern: field.pattern }) });
        if (field.minLength) rules.push({ min: field.minLength });
        if (field.maxLength) rules.push({ max: field.maxLength });
        return (
          <Form.Item
            key={name}
            name={["config", name]}
            label={half(field.title ?? name)}
            extra={field.description ? half(field.description) : undefined}
            rules={rules}
            valuePropName={field.type === "boolean" ? "checked" : "value"}
          >
            {control(field, secret && editing ? t("connections.kept") : undefined)}
          </Form.Item>
        );
      })}
    </>
  );
}

function control(field: SchemaField, placeholder?: string) {
  if (field.enum) return <Select options={field.enum.map((value) => ({ value, label: String(value) }))} />;
  if (field.type === "boolean") return <Switch />;
  if (field.type === "integer" || field.type === "number")
    return <InputNumber min={field.minimum} max={field.maximum} precision={field.type === "integer" ? 0 : undefined} style={{ width: "100%" }} />;
  if (field.type === "array") return <Select mode="tags" tokenSeparators={[",", "，", " "]} open={false} />;
  if (isSecret(field)) return <Input.Password autoComplete="new-password" placeholder={placeholder} />;
  return <Input autoComplete="off" />;
}
