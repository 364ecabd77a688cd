import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { get, post, type Page } from "@/shared/api";
import type { Schemas } from "@/shared/schema";

export type Plan = Schemas["PlanBody"];
export type PlanEvent = Schemas["EventBody"];
export type Property = Schemas["PropertyBody"];
export type Proposal = Schemas["ProposalOut"];
export type Violation = Schemas["ViolationOut"];
export type Version = Schemas["VersionOut"];
export type Change = Schemas["ChangeOut"];
export type Diff = Schemas["DiffOut"];

export const TYPES = ["any", "text", "number", "integer", "boolean", "list", "object", "time"] as const;
export const RULES = ["keep", "drop", "quarantine"] as const;
export const UNDECLARED = ["allow", "keep", "drop", "quarantine"] as const;

export function usePlan(brand: string) {
  return useQuery({ queryKey: ["plan", brand, "current"], queryFn: ({ signal }) => get<Schemas["PlanOut"]>("/plan", undefined, signal) });
}

export function useProposals(brand: string) {
  return useQuery({ queryKey: ["plan", brand, "proposals"], queryFn: ({ signal }) => get<Page<Proposal>>("/plan/proposals", undefined, signal) });
}

export function useViolations(brand: string, filters: { hours: number; name?: string; source?: string }) {
  return useQuery({
    queryKey: ["plan", brand, "violations", filters],
    queryFn: ({ signal }) => get<Schemas["ViolationPage"]>("/plan/violations", filters, signal),
    refetchInterval: 15_000,
  });
}

export function useVersions(brand: string) {
  return useQuery({ queryKey: ["plan", brand, "versions"], queryFn: ({ signal }) => get<Page<Version>>("/plan/versions", undefined, signal) });
}

export function useDiff(brand: string, before: number | null, after: number | null) {
  return useQuery({
    queryKey: ["plan", brand, "diff", before, after],
    queryFn: ({ signal }) => get<Diff>("/plan/diff", { before, after }, signal),
    enabled: before !== null && after !== null,
  });
}

export interface Given {
  plan?: Plan;
  yaml?: string;
  after?: number;
  note?: string;
}

export function usePlanActions() {
  const queries = useQueryClient();
  return {
    diff: useMutation({ mutationFn: (given: Given) => post<Diff>("/plan/diff", given) }),
    publish: useMutation({
      mutationFn: (given: Given) => post<Schemas["PlanOut"]>("/plan", given),
      onSuccess: () => void queries.invalidateQueries({ queryKey: ["plan"] }),
    }),
  };
}

export const newEvent = (): PlanEvent => ({ description: "", owner: "", sources: [], rule: "keep", undeclared: "allow", properties: {} });
export const newProperty = (): Property => ({ type: "any", description: "", unit: "", allowed: [], minimum: null, maximum: null, required: false, personal: false, owner: "", sources: [], rule: null });

/** The plan with what was proposed added: an event, or a property (and its event, if that is missing too). */
export function withProposals(plan: Plan, chosen: Proposal[]): Plan {
  const events = { ...plan.events };
  for (const one of chosen) {
    const event = events[one.name] ?? newEvent();
    const properties = one.property ? { ...event.properties, [one.property]: { ...newProperty(), ...one.suggestion } } : event.properties;
    events[one.name] = { ...event, properties };
  }
  return { ...plan, events };
}

/** What an operator typed as allowed values: numbers where the property is one. */
export function allowedOf(texts: string[], type: Property["type"]): (string | number)[] {
  const numbers = type === "number" || type === "integer";
  return texts.map((text) => (numbers && /^-?\d+$/.test(text.trim()) ? Number(text) : text));
}

/** Where in a text the line and column lie that an error names ("第 3 行第 5 列", "Line 3, column 5"), if it names one. */
export function offsetOf(text: string, said: string): number | null {
  const found = /第 (\d+) 行第 (\d+) 列/.exec(said) ?? /Line (\d+), column (\d+)/.exec(said);
  if (!found) return null;
  const lines = text.split("\n");
  const line = Math.min(Number(found[1]), lines.length);
  const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return before + Math.min(Number(found[2]) - 1, lines[line - 1]?.length ?? 0);
}
