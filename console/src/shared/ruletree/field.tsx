// One field of a predicate's form, as an antd control; the form is what GET /predicates says.
import { Input, InputNumber, Select } from "antd";
import { useTranslation } from "react-i18next";
import { say } from "@/shared/api";
import { DateRange } from "@/shared/DateRange";
import { useSession } from "@/shared/session";
import { isBlank, isMoney, sourceOf, withoutUnit, type Field, type Filter } from "./fields";
import { FilterList, MoneyInput } from "./filters";
import type { Params, Rule } from "./model";
import { OptionSelect } from "./options";

interface Props {
  rule: Rule;
  field: Field;
  bad: boolean;
  /** Whether the field is named in front of the control; the first of a rule speaks for itself. */
  named: boolean;
  disabled?: boolean;
  onChange: (key: string, value: unknown) => void;
}

const SIZES = new Set(["gt", "gte", "lt", "lte"]);

export function FieldControl({ rule, field, bad, named, disabled, onChange }: Props) {
  const money = isMoney(rule.predicate, field, rule.params);
  const label = money ? withoutUnit(say(field.label)) : say(field.label);
  const id = `${rule.id}-${field.key}`;
  return (
    <div className={`rt-field${field.type === "filters" ? " rt-wide" : ""}`}>
      {named ? <label htmlFor={id}>{label}</label> : null}
      <Control id={id} label={label} money={money} rule={rule} field={field} bad={bad} disabled={disabled} onChange={onChange} />
      {field.unit && !money ? <span className="rt-unit">{say(field.unit)}</span> : null}
    </div>
  );
}

function Control({ id, label, money, rule, field, bad, disabled, onChange }: Omit<Props, "named"> & { id: string; label: string; money: boolean }) {
  const { brand } = useSession();
  const { params } = rule;
  const value = params[field.key];
  const status = bad ? "error" : field.required && isBlank(value) ? "warning" : "";
  const set = (next: unknown) => onChange(field.key, next);
  const testId = `field-${rule.id}-${field.key}`;
  const common = { id, disabled, status: status as "error" | "warning" | "", "aria-label": label, "data-testid": testId };
  if (money)
    return <MoneyInput id={id} value={value as number | undefined} currency={brand.currency} label={label} disabled={disabled} status={common.status} testId={testId} min={field.min ?? 0} onChange={set} />;
  switch (field.type) {
    case "integer":
    case "duration":
    case "number":
      return (
        <InputNumber
          {...common}
          value={value as number | undefined}
          min={field.min ?? undefined}
          max={field.max ?? undefined}
          precision={field.type === "number" ? undefined : 0}
          style={{ width: 88 }}
          onChange={(next) => set(next ?? undefined)}
        />
      );
    case "select":
    case "multiselect":
      return (
        <Select
          {...common}
          mode={field.type === "multiselect" ? "multiple" : undefined}
          value={value as string | undefined}
          popupMatchSelectWidth={false}
          style={{ minWidth: 104 }}
          options={(field.options ?? []).map((option) => ({ value: option.value, label: withoutUnit(say(option.label)) }))}
          onChange={set}
        />
      );
    case "filters":
      return <FilterList value={(value as Filter[] | undefined) ?? []} event={params["event"] as string | undefined} disabled={disabled} label={label} onChange={set} />;
    case "date_range":
      return <Range field={field} params={params} common={common} onChange={onChange} />;
    case "text":
      return <Text field={field} params={params} common={common} set={set} label={label} />;
    default:
      return (
        <OptionSelect
          id={id}
          testId={testId}
          source={sourceOf(field, params) ?? `${field.type}s`}
          context={{ event: params["event"] as string | undefined, trait: params["trait"] as string | undefined }}
          value={value as string | string[] | undefined}
          multiple={field.multiple}
          ariaLabel={label}
          placeholder={label}
          status={common.status}
          disabled={disabled}
          width={field.multiple ? 280 : 208}
          onChange={set}
        />
      );
  }
}

interface Common {
  id: string;
  disabled?: boolean;
  status: "error" | "warning" | "";
  "aria-label": string;
  "data-testid": string;
}

function Text({ field, params, common, set, label }: { field: Field; params: Params; common: Common; set: (value: unknown) => void; label: string }) {
  const { t } = useTranslation("ruletree");
  const value = params[field.key];
  const source = sourceOf(field, params);
  const operator = String(params["operator"] ?? "");
  if (SIZES.has(operator)) return <InputNumber {...common} value={value as number | undefined} onChange={(next) => set(next ?? undefined)} />;
  if (source && operator !== "contains")
    return (
      <OptionSelect
        id={common.id}
        testId={common["data-testid"]}
        source={source}
        context={{ event: params["event"] as string | undefined, trait: params["trait"] as string | undefined }}
        value={operator === "in" ? ((value as string[] | undefined) ?? []) : value === undefined ? undefined : String(value)}
        multiple={operator === "in"}
        free
        ariaLabel={label}
        placeholder={operator === "in" ? t("values") : label}
        status={common.status}
        disabled={common.disabled}
        width={operator === "in" ? 280 : 208}
        onChange={set}
      />
    );
  return <Input {...common} value={String(value ?? "")} placeholder={label} style={{ width: 180 }} onChange={(event) => set(event.target.value)} />;
}

function Range({ field, params, common, onChange }: { field: Field; params: Params; common: Common; onChange: (key: string, value: unknown) => void }) {
  const end = field.end_key ?? "to";
  const day = (key: string) => (typeof params[key] === "string" ? (params[key] as string) : undefined);
  return (
    <DateRange
      id={common.id}
      testId={common["data-testid"]}
      label={common["aria-label"]}
      disabled={common.disabled}
      danger={common.status === "error"}
      clearable
      value={{ from: day(field.key), to: day(end) }}
      onChange={(days) => {
        onChange(field.key, days.from);
        onChange(end, days.to);
      }}
    />
  );
}
