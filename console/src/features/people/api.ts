import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { get, post, put, type Label, type Page } from "@/shared/api";
import type { Person } from "@/shared/people";

export interface Identifier {
  identifier_id: number;
  namespace: string;
  namespace_label: Label;
  masked: string;
  strength: number;
  first_seen_at: string;
  last_seen_at: string;
  made: boolean;
}

export interface Link {
  link_id: number;
  a: number;
  b: number;
  rule: string;
  rule_label: Label;
  status: "accepted" | "refused" | "demoted" | "denied";
  reason: Label | null;
  first_at: string;
  count: number;
  event: { source: string; event_id: string; name: string | null } | null;
}

export interface Trait {
  name: string;
  label: Label;
  value: unknown;
  at: string;
  source: string;
  personal: boolean;
  made: boolean;
}

export interface ConsentRow {
  purpose: string;
  purpose_label: Label;
  channel: string;
  channel_label: Label;
  status: "granted" | "denied" | "unknown";
  notice_version: string | null;
  at: string | null;
  source: string | null;
  evidence: string | null;
}

export interface PersonDetail {
  person: Person;
  identifiers: Identifier[];
  links: Link[];
  traits: Trait[];
  tags: { tag_id: string; name: Label | string }[];
  consent: ConsentRow[];
  stats: {
    orders: number;
    amount: number;
    first_order_at: string | null;
    last_order_at: string | null;
    stores: { store_id: string; name: Label }[];
    categories: { category_key: string; name: Label; amount: number }[];
  };
  audiences: { audience_id: string; name: string }[];
  journeys: { journey_id: string; name: string; node: string | null; state: string }[];
}

export interface Event {
  event_id: string;
  source: string;
  name: string;
  label: Label;
  occurred_at: string;
  channel: string | null;
  touchpoint: string | null;
  store: { store_id: string; name: Label | string } | null;
  staff_id: string | null;
  order_id: string | null;
  effect_id: string | null;
  amount: number | null;
  currency: string | null;
  items: { sku: string; name: Label | string | null; quantity: number | null; unit_price: number | null; amount?: number | null }[];
  properties: Record<string, unknown>;
  made: boolean;
}

export function usePeople(brand: string, q: string, tree: unknown) {
  return useInfiniteQuery({
    queryKey: ["people", brand, q, tree],
    queryFn: ({ pageParam, signal }) =>
      post<Page<Person>>("/people/search", { q: q || null, tree: tree ?? null, cursor: pageParam, limit: 50 }, { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
}

/** What a condition tree means, in words. */
export function useSentence(brand: string, tree: unknown, allowed: boolean) {
  return useQuery({
    queryKey: ["sentence", brand, tree],
    queryFn: ({ signal }) => post<{ sentence: Label }>("/audiences/count", { tree }, { signal }),
    enabled: allowed && !!tree,
    staleTime: 60_000,
  });
}

export function usePerson(personId: string) {
  return useQuery({ queryKey: ["person", personId], queryFn: ({ signal }) => get<PersonDetail>(`/people/${personId}`, undefined, signal) });
}

export function useTimeline(personId: string, name: string | undefined) {
  return useInfiniteQuery({
    queryKey: ["timeline", personId, name],
    queryFn: ({ pageParam, signal }) => get<Page<Event>>(`/people/${personId}/timeline`, { cursor: pageParam, limit: 30, name }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
}

export function useTags() {
  return useQuery({ queryKey: ["tags"], queryFn: ({ signal }) => get<Page<{ tag_id: string; name: Label; group: Label }>>("/tags", undefined, signal) });
}

export interface Decided {
  people: string[];
  people_before: number;
  people_after: number;
  identifiers_moved: number;
}

/** What denying a link would do, without doing it. */
export function useDenyPreview(link: number | undefined) {
  return useQuery({
    queryKey: ["deny-preview", link],
    queryFn: ({ signal }) => post<Decided>(`/identity/links/${link}/deny`, { reason: "" }, { query: { preview: true }, signal }),
    enabled: link !== undefined,
    gcTime: 0,
    staleTime: 0,
  });
}

/** Whom a search finds, for choosing one of them. */
export function useCandidates(brand: string, q: string) {
  return useQuery({
    queryKey: ["candidates", brand, q],
    queryFn: ({ signal }) => post<Page<Person>>("/people/search", { q, limit: 8 }, { signal }),
    enabled: q.length >= 2,
  });
}

/** What a person's page changes; each change reloads what it touched. */
export function usePersonActions(personId: string) {
  const queries = useQueryClient();
  const done = () => {
    void queries.invalidateQueries({ queryKey: ["person"] });
    void queries.invalidateQueries({ queryKey: ["people"] });
    void queries.invalidateQueries({ queryKey: ["timeline"] });
  };
  return {
    deny: useMutation({ mutationFn: (given: { link: number; reason: string }) => post<{ people: string[] }>(`/identity/links/${given.link}/deny`, { reason: given.reason }), onSuccess: done }),
    restore: useMutation({ mutationFn: (link: number) => post(`/identity/links/${link}/restore`, {}), onSuccess: done }),
    merge: useMutation({ mutationFn: (given: { people: string[]; reason: string }) => post<{ person_id: string }>("/people/merge", { person_ids: given.people, reason: given.reason }), onSuccess: done }),
    tags: useMutation({ mutationFn: (given: { add: string[]; remove: string[] }) => put(`/people/${personId}/tags`, given), onSuccess: done }),
    consent: useMutation({ mutationFn: (given: { purpose: string; channel: string; status: string; evidence: string }) => post(`/people/${personId}/consent`, given), onSuccess: done }),
    reveal: useMutation({ mutationFn: (given: { identifier_id?: number; trait?: string; reason: string }) => post<{ value: string }>(`/people/${personId}/reveal`, given) }),
  };
}
