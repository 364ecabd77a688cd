import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { get, post, put, type Label, type Page } from "@/shared/api";
import type { Person } from "@/shared/people";
import type { Schemas } from "@/shared/schema";

export type Identifier = Schemas["PersonIdentifier"];
export type Link = Schemas["PersonLink"];
export type ConsentRow = Schemas["PersonStanding"];
export type PersonDetail = Schemas["PersonDetail"];
export type Event = Schemas["EventOut"];

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

/** What denying a link would do, without doing it. */
export function useDenyPreview(link: number | undefined) {
  return useQuery({
    queryKey: ["deny-preview", link],
    queryFn: ({ signal }) => post<Schemas["LinkDecided"]>(`/identity/links/${link}/deny`, { reason: "" }, { query: { preview: true }, signal }),
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
    consent: useMutation({ mutationFn: (given: { purpose: string; channel: string; status: string; evidence: string }) => post<Schemas["ConsentRecorded"]>(`/people/${personId}/consent`, given), onSuccess: done }),
    reveal: useMutation({ mutationFn: (given: { identifier_id?: number; trait?: string; reason: string }) => post<{ value: string }>(`/people/${personId}/reveal`, given) }),
  };
}
