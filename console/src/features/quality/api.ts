import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { get, post, put, type Page } from "@/shared/api";
import type { Schemas } from "@/shared/schema";

export type Problem = Schemas["ProblemOut"];
export type Health = Schemas["SourceHealthOut"];
export type Kind = Schemas["KindOut"];
export type Rule = Pick<Schemas["RetentionIn"], "event" | "keep" | "days">;
/** The name of the rule for every kind without one of its own. */
export const OTHERS = "*";

export function useProblems(brand: string, muted: boolean) {
  return useQuery({ queryKey: ["quality", brand, "problems", muted], queryFn: ({ signal }) => get<Schemas["ProblemPage"]>("/quality/problems", { muted }, signal), refetchInterval: 15_000 });
}

export function useHealth(brand: string) {
  return useQuery({ queryKey: ["quality", brand, "sources"], queryFn: ({ signal }) => get<Page<Health>>("/quality/sources", undefined, signal), refetchInterval: 30_000 });
}

export function useQualityActions() {
  const queries = useQueryClient();
  const done = () => void queries.invalidateQueries({ queryKey: ["quality"] });
  return {
    mute: useMutation({ mutationFn: (given: { id: string; days: number }) => post(`/quality/problems/${given.id}/mute`, { days: given.days }), onSuccess: done }),
    check: useMutation({ mutationFn: () => post("/quality/check"), onSuccess: done }),
  };
}

export function useRetention(brand: string) {
  return useQuery({ queryKey: ["retention", brand], queryFn: ({ signal }) => get<Schemas["KindPage"]>("/retention", undefined, signal) });
}

/** What a rule would remove; not asked while the rule is not whole. */
export function useRetentionPreview(brand: string, rule: Rule) {
  return useQuery({
    queryKey: ["retention", brand, "preview", rule],
    queryFn: ({ signal }) => get<Schemas["RetentionPreviewOut"]>("/retention/preview", { ...rule }, signal),
    enabled: rule.keep !== "days" || !!rule.days,
    gcTime: 0,
  });
}

export function useSetRetention() {
  const queries = useQueryClient();
  return useMutation({ mutationFn: (rule: Rule & { confirm: boolean }) => put("/retention", rule), onSuccess: () => void queries.invalidateQueries({ queryKey: ["retention"] }) });
}

const HOUR = 3_600_000;

/** When the books' 24 hours before a moment begin: they are kept by whole hours. */
export function dayBefore(moment: number): string {
  return new Date(Math.ceil((moment - 24 * HOUR) / HOUR) * HOUR).toISOString();
}

/** Where the events of a problem are. */
export function addressOf(problem: Problem): string {
  const query = (values: Record<string, string>) => new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
  if (problem.kind === "quarantine") return `/sources?${query({ tab: "quarantine", source: problem.source, reason: problem.property, status: "held" })}`;
  if (["missing_required", "broken_plan", "undeclared_event"].includes(problem.kind)) return `/plan?${query({ tab: "violations", name: problem.name, source: problem.source })}`;
  if (["stale_source", "wrong_books", "damaged_log"].includes(problem.kind)) return "/sources";
  return `/events?${query({ name: problem.name, source: problem.source, from: problem.begins_on, to: problem.ends_on })}`;
}
