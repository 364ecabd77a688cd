// A select whose choices come from the server as one types: events, tags, products, stores, audiences …
import { useQueries, useQuery } from "@tanstack/react-query";
import { keepPreviousData } from "@tanstack/react-query";
import { Select, Spin } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { get, say, type Label } from "@/shared/api";
import { short } from "@/shared/format";

export interface Option {
  value: string;
  label: Label;
  count: number | null;
}

interface Context {
  event?: string;
  trait?: string;
}

export function useOptions(source: string | null, q: string, context: Context = {}) {
  return useQuery({
    queryKey: ["options", source, q, context.event ?? "", context.trait ?? ""],
    queryFn: ({ signal }) => get<{ items: Option[] }>("/predicates/options", { source, q, ...context }, signal),
    enabled: !!source,
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
}

/** The value, at most every `delay` ms. */
export function useDebounced<T>(value: T, delay: number): T {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), delay);
    return () => clearTimeout(timer);
  }, [value, delay]);
  return late;
}

/** Names of chosen values that the open list does not hold, asked for one by one and kept. */
function useNames(source: string, values: string[], known: ReadonlySet<string>, context: Context): Map<string, Option> {
  const missing = values.filter((value) => !known.has(value));
  const found = useQueries({
    queries: missing.map((value) => ({
      queryKey: ["option-name", source, value, context.event ?? "", context.trait ?? ""],
      queryFn: async ({ signal }: { signal: AbortSignal }) => {
        const answer = await get<{ items: Option[] }>("/predicates/options", { source, q: value, ...context }, signal);
        return answer.items.find((item) => item.value === value) ?? null;
      },
      staleTime: 300_000,
    })),
  });
  const names = new Map<string, Option>();
  for (const answer of found) if (answer.data) names.set(answer.data.value, answer.data);
  return names;
}

interface Props {
  id?: string;
  source: string;
  context?: Context;
  value: string | string[] | undefined;
  multiple?: boolean;
  /** Choices that make no sense here. */
  without?: readonly string[];
  /** Values beyond the choices may be typed. */
  free?: boolean;
  onChange: (value: string | string[] | undefined, label?: Label) => void;
  ariaLabel: string;
  placeholder?: string;
  status?: "error" | "warning" | "";
  disabled?: boolean;
  width?: number | string;
  testId?: string;
}

export function OptionSelect({ source, context = {}, value, multiple, free, without, onChange, ariaLabel, placeholder, status, disabled, width = 200, testId, id }: Props) {
  const { t } = useTranslation("ruletree");
  const [typed, setTyped] = useState("");
  const q = useDebounced(typed.trim(), 200);
  const options = useOptions(source, q, context);
  const items = (options.data?.items ?? []).filter((item) => !without?.includes(item.value));
  const chosen = (Array.isArray(value) ? value : value ? [value] : []).map(String);
  const names = useNames(source, options.isPending ? [] : chosen, new Set(items.map((item) => item.value)), context);
  const listed = [...items, ...[...names.values()].filter((name) => !q && !items.some((item) => item.value === name.value))];
  const nameOf = (key: string): string => {
    const found = listed.find((item) => item.value === key) ?? names.get(key);
    return found ? say(found.label) : options.isPending ? "…" : key; // no bare code flashes up before its name is read
  };
  return (
    <Select<string | string[], { value: string; label: string; option: Option }>
      id={id}
      data-testid={testId}
      aria-label={ariaLabel}
      mode={multiple ? (free ? "tags" : "multiple") : undefined}
      maxTagCount="responsive"
      allowClear
      disabled={disabled}
      status={status}
      style={{ width, maxWidth: "100%" }}
      popupMatchSelectWidth={false}
      placeholder={placeholder ?? t("choose")}
      value={multiple ? chosen : chosen[0]}
      showSearch={{ filterOption: false, onSearch: setTyped }}
      onOpenChange={(open) => !open && setTyped("")}
      notFoundContent={options.isFetching ? <Spin size="small" /> : t("nothing")}
      labelRender={(item) => nameOf(String(item.value))}
      options={listed.map((item) => ({ value: item.value, label: say(item.label), option: item }))}
      optionRender={(item) => (
        <span className="rt-option">
          <span>{say(item.data.option.label)}</span>
          {item.data.option.count === null || item.data.option.count === undefined ? null : (
            <span className="faint number">{short(item.data.option.count)}</span>
          )}
        </span>
      )}
      onChange={(next, item) => onChange(next, Array.isArray(item) ? undefined : item?.option?.label)}
    />
  );
}
