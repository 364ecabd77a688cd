// Audiences as the API gives them, and the hooks that read, count and keep them.
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { call, get, post, type Label, type Page } from "@/shared/api";
import type { Person } from "@/shared/people";
// From the parts, not from the whole: the list of audiences needs no editor of conditions.
import type { RuleError } from "@/shared/ruletree/fields";
import { emptyTree, readTree, type Group, type TreeNode } from "@/shared/ruletree/model";
import { useDebounced } from "@/shared/ruletree/options";

export type Refresh = "manual" | "daily" | "live";

export interface Audience {
  audience_id: string;
  name: string;
  description: string;
  tree: TreeNode;
  sentence: Label;
  refresh: Refresh;
  size: number | null;
  version: number | null;
  computed_at: string | null;
  created_by: string;
  updated_at: string;
  used_by: { kind: string; id: string; name: string }[];
}

export interface Version {
  version: number;
  at: string;
  size: number;
  entered: number;
  left: number;
  took_ms: number;
  kept: boolean;
}

export interface Count {
  count: number | null;
  total: number;
  at: string;
  took_ms: number;
  sentence: Label;
  reachable: { channel: string; label: Label; count: number }[];
  errors: RuleError[];
}

export interface Draft {
  name: string;
  description: string;
  tree: Group;
  refresh: Refresh;
}

/** What of an audience is edited, in the form the builder compares and sends. */
export function draftOf(audience: Audience): Draft {
  const { name, description, refresh } = audience;
  return { name, description, tree: readTree(audience.tree) ?? emptyTree(), refresh };
}

export function useAudiences() {
  return useQuery({ queryKey: ["audiences"], queryFn: ({ signal }) => get<Page<Audience>>("/audiences", undefined, signal) });
}

export function useAudience(id: string | null) {
  return useQuery({
    queryKey: ["audience", id],
    queryFn: ({ signal }) => call<Audience>("GET", `/audiences/${id}`, { signal }),
    enabled: !!id,
  });
}

/** The live count: asked 250 ms after the last change, stale requests cancelled, the old answer shown meanwhile. */
export function useCount(tree: Group, ready: boolean) {
  const text = useDebounced(JSON.stringify(tree), 250);
  const query = useQuery({
    queryKey: ["count", text],
    queryFn: ({ signal }) => post<Count>("/audiences/count", { tree: JSON.parse(text) as Group }, { signal }),
    enabled: ready,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
    retry: false,
  });
  return { ...query, settled: text === JSON.stringify(tree) && !query.isFetching };
}

export function useVersions(id: string | null) {
  return useQuery({
    queryKey: ["audience", id, "versions"],
    queryFn: ({ signal }) => get<Page<Version>>(`/audiences/${id}/versions`, undefined, signal),
    enabled: !!id,
  });
}

export interface Which {
  version?: number;
  change?: "entered" | "left";
}

export function useMembers(id: string | null, which: Which, enabled: boolean) {
  return useInfiniteQuery({
    queryKey: ["audience", id, "people", which],
    queryFn: ({ pageParam, signal }) =>
      post<Page<Person>>(`/audiences/${id}/people`, { ...which, cursor: pageParam ?? undefined, limit: 50 }, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
    enabled: enabled && !!id,
  });
}

const KEY = "quanyu.draft.audience.";

export function keepDraft(id: string, draft: Draft): void {
  sessionStorage.setItem(KEY + id, JSON.stringify(draft));
}

export function keptDraft(id: string): Draft | null {
  try {
    return JSON.parse(sessionStorage.getItem(KEY + id) ?? "null") as Draft | null;
  } catch {
    return null;
  }
}

export function dropDraft(id: string): void {
  sessionStorage.removeItem(KEY + id);
}
