// Replays of the quarantine in bulk: what is held by reason, what a replay would do, and replays under way.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { get, post, type Page } from "@/shared/api";
import type { Schemas } from "@/shared/schema";

export type Group = Schemas["GroupOut"];
export type Bulk = Schemas["BulkOut"];
export type BulkIn = Schemas["BulkIn"];
export type Edit = Schemas["EditIn"];
export type Preview = Schemas["PreviewOut"];

export const OPERATIONS = ["rename", "set", "remove", "text", "number"] as const;

export function useGroups(brand: string) {
  return useQuery({ queryKey: ["quarantine", brand, "groups"], queryFn: ({ signal }) => get<Page<Group>>("/quarantine/groups", undefined, signal), refetchInterval: 10_000 });
}

export function useReplays(brand: string) {
  return useQuery({
    queryKey: ["quarantine", brand, "replays"],
    queryFn: ({ signal }) => get<Page<Bulk>>("/quarantine/replays", undefined, signal),
    refetchInterval: (query) => (query.state.data?.items.some((one) => one.status === "running") ? 1000 : 15_000),
  });
}

export function useBulkActions() {
  const queries = useQueryClient();
  const done = () => {
    for (const key of ["sources", "quarantine", "books"]) void queries.invalidateQueries({ queryKey: [key] });
  };
  return {
    preview: useMutation({ mutationFn: (given: BulkIn) => post<Preview>("/quarantine/preview", given) }),
    start: useMutation({ mutationFn: (given: BulkIn) => post<Bulk>("/quarantine/replays", given), onSuccess: done }),
    stop: useMutation({ mutationFn: (id: string) => post(`/quarantine/replays/${id}/stop`), onSuccess: done }),
  };
}

/** An edit that says all it needs: a path, and for some operations where to or what. */
export function isWhole(edit: Edit): boolean {
  return !!edit.path.trim() && (edit.op !== "rename" || !!edit.to?.trim());
}

/** What an operator typed, as the value that JSON would have: 12, true, or text. */
export function valueOf(text: string): string | number | boolean | null {
  if (text === "true" || text === "false") return text === "true";
  if (text === "null") return null;
  return text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}
