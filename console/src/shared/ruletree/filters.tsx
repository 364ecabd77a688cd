// Filters on an event's properties: property, comparison, value, row by row. Rules and the nodes of a journey share it.
import { DeleteOutlined, PlusOutlined } from "@ant-design/icons";
import { Button, Input, InputNumber, Select } from "antd";
import { useTranslation } from "react-i18next";
import { symbol } from "@/shared/format";
import { useSession } from "@/shared/session";
import { isWhole, WITHOUT_VALUE, type Filter } from "./fields";
import { OptionSelect } from "./options";

const OPERATORS = ["eq", "ne", "in", "gt", "gte", "lt", "lte", "contains"];
const SIZES = new Set(["gt", "gte", "lt", "lte"]);

interface Props {
  value: Filter[];
  event?: string;
  /** The operators that compare with nothing differ: rules know `exists`, journeys `known` and `unknown`. */
  without?: string[];
  onChange: (next: Filter[]) => void;
  disabled?: boolean;
  label: string;
}

export function FilterList({ value, event, without = ["exists"], onChange, disabled, label }: Props) {
  const { t } = useTranslation("ruletree");
  const set = (index: number, next: Partial<Filter>) =>
    onChange(value.map((filter, at) => (at === index ? { ...filter, ...next } : filter)));
  return (
    <div className="rt-filters" role="group" aria-label={label}>
      {value.map((filter, index) => (
        <div className="rt-filter" key={index}>
          <OptionSelect
            source="properties"
            context={{ event }}
            value={filter.property || undefined}
            ariaLabel={t("property")}
            placeholder={t("property")}
            width={168}
            disabled={disabled}
            status={filter.property ? "" : "warning"}
            testId={`filter-property-${index}`}
            onChange={(next) => set(index, { property: (next as string | undefined) ?? "", value: undefined })}
          />
          <Select
            aria-label={t("operator")}
            data-testid={`filter-operator-${index}`}
            disabled={disabled}
            value={filter.operator}
            style={{ width: 116 }}
            options={[...OPERATORS, ...without].map((key) => ({ value: key, label: t(`operators.${key}`) }))}
            onChange={(operator) => {
              const keeps = SIZES.has(operator) === SIZES.has(filter.operator) && (operator === "in") === (filter.operator === "in");
              set(index, { operator, value: keeps && !WITHOUT_VALUE.has(operator) ? filter.value : undefined });
            }}
          />
          {WITHOUT_VALUE.has(filter.operator) ? null : (
            <FilterValue filter={filter} disabled={disabled} index={index} onChange={(next) => set(index, { value: next })} />
          )}
          <Button
            type="text"
            size="small"
            disabled={disabled}
            icon={<DeleteOutlined />}
            aria-label={t("removeFilter")}
            onClick={() => onChange(value.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      <Button
        type="link"
        size="small"
        disabled={disabled}
        icon={<PlusOutlined />}
        data-testid="add-filter"
        onClick={() => onChange([...value, { property: "", operator: "eq" }])}
      >
        {t("addFilter")}
      </Button>
    </div>
  );
}

function FilterValue({ filter, disabled, index, onChange }: { filter: Filter; disabled?: boolean; index: number; onChange: (value: unknown) => void }) {
  const { t } = useTranslation("ruletree");
  const { brand } = useSession();
  const status = isWhole(filter) || !filter.property ? "" : "warning";
  const testId = `filter-value-${index}`;
  if (filter.operator === "in")
    return (
      <Select
        mode="tags"
        data-testid={testId}
        aria-label={t("value")}
        placeholder={t("values")}
        disabled={disabled}
        status={status}
        style={{ minWidth: 200 }}
        open={false}
        suffixIcon={null}
        value={Array.isArray(filter.value) ? (filter.value as string[]) : []}
        onChange={onChange}
      />
    );
  if (filter.property === "amount" || SIZES.has(filter.operator))
    return filter.property === "amount" ? (
      <MoneyInput value={filter.value as number | undefined} currency={brand.currency} disabled={disabled} status={status} label={t("value")} testId={testId} onChange={onChange} />
    ) : (
      <InputNumber data-testid={testId} aria-label={t("value")} disabled={disabled} status={status} value={filter.value as number | undefined} onChange={(next) => onChange(next ?? undefined)} />
    );
  return (
    <Input
      data-testid={testId}
      aria-label={t("value")}
      placeholder={t("value")}
      disabled={disabled}
      status={status}
      style={{ width: 160 }}
      value={String(filter.value ?? "")}
      onChange={(event) => onChange(event.target.value || undefined)}
    />
  );
}

interface MoneyProps {
  value: number | null | undefined;
  currency: string;
  label: string;
  disabled?: boolean;
  status?: "error" | "warning" | "";
  testId?: string;
  id?: string;
  min?: number;
  onChange: (minor: number | undefined) => void;
}

const WITHOUT_MINOR = new Set(["JPY", "KRW", "VND"]);

/** Minor units behind, the currency's own unit in front. */
export function MoneyInput({ value, currency, label, disabled, status, testId, id, min = 0, onChange }: MoneyProps) {
  const scale = WITHOUT_MINOR.has(currency) ? 1 : 100;
  return (
    <InputNumber
      id={id}
      data-testid={testId}
      aria-label={label}
      prefix={symbol(currency)}
      min={min}
      disabled={disabled}
      status={status}
      precision={scale === 1 ? 0 : 2}
      style={{ width: 140 }}
      value={value === null || value === undefined ? null : value / scale}
      onChange={(next) => onChange(next === null ? undefined : Math.round(next * scale))}
    />
  );
}
