import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { get, post, type Label, type Page } from "@/shared/api";
import { useList } from "@/shared/lists";
import type { Schemas } from "@/shared/schema";

export type Source = Schemas["SourceOut"];
export type BookRow = Schemas["BookOut"];
export type Held = Schemas["QuarantinedOut"];
export type Status = Schemas["StatusOut"];

export function useSources(brand: string) {
  return useQuery({ queryKey: ["sources", brand], queryFn: ({ signal }) => get<Page<Source>>("/sources", undefined, signal), refetchInterval: 5000 });
}

export function useStatus() {
  return useQuery({ queryKey: ["status"], queryFn: ({ signal }) => get<Status>("/status", undefined, signal), refetchInterval: 5000 });
}

export function useBooks(source: string | null) {
  return useQuery({
    queryKey: ["books", source],
    queryFn: ({ signal }) => get<Page<BookRow>>(`/sources/${source}/books`, undefined, signal),
    enabled: source !== null,
  });
}

export function useQuarantine(brand: string, filters: { source?: string; reason?: string; status?: string; since?: string }) {
  return useList<Held>(["quarantine", brand, "items", filters], (cursor, signal) => get<Page<Held>>("/quarantine", { ...filters, cursor, limit: 50 }, signal));
}

export function useRecount(brand: string) {
  return useQuery({ queryKey: ["books", brand, "recount"], queryFn: ({ signal }) => get<Schemas["RecountOut"]>("/books/recount", undefined, signal), refetchInterval: 15_000 });
}

export function useSourceActions() {
  const queries = useQueryClient();
  const done = () => {
    for (const key of ["sources", "quarantine", "books"]) void queries.invalidateQueries({ queryKey: [key] });
  };
  return {
    create: useMutation({ mutationFn: (given: { source: string; name: Label; kind: string }) => post<Source & { write_key: string | null }>("/sources", given), onSuccess: done }),
    recount: useMutation({ mutationFn: () => post("/books/recount"), onSuccess: done }),
    raw: useMutation({ mutationFn: (id: string) => get<Schemas["QuarantinedRaw"]>(`/quarantine/${id}`) }),
    replay: useMutation({ mutationFn: (given: { id: string; body?: string }) => post<Schemas["ReplayOut"]>(`/quarantine/${given.id}/replay`, given.body === undefined ? {} : { body: given.body }), onSuccess: done }),
    discard: useMutation({ mutationFn: (given: { id: string; reason: string }) => post(`/quarantine/${given.id}/discard`, { reason: given.reason }), onSuccess: done }),
  };
}
