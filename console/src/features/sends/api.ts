// Every call of the page of sends.
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { get, post, type Page } from "@/shared/api";
import type { Filters, Outcome, Send, SendDetail, Summary } from "./types";

export function useSends(filters: Filters) {
  return useInfiniteQuery({
    queryKey: ["sends", filters],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) => get<Page<Send>>("/sends", { ...filters, cursor: pageParam, limit: 50 }, signal),
    getNextPageParam: (last) => last.next_cursor,
    placeholderData: keepPreviousData,
  });
}

export function useSummary(journeyId: string | null) {
  return useQuery({
    queryKey: ["sends-summary", journeyId],
    queryFn: ({ signal }) => get<Summary>("/sends/summary", { journey_id: journeyId }, signal),
    refetchInterval: 10_000,
    placeholderData: keepPreviousData,
  });
}

export function useSend(effectId: string | null) {
  return useQuery({
    queryKey: ["send", effectId],
    queryFn: ({ signal }) => get<SendDetail>(`/sends/${effectId}`, undefined, signal),
    enabled: effectId !== null,
  });
}

export function settleSend(effectId: string, outcome: Outcome, note: string): Promise<unknown> {
  return post(`/sends/${effectId}/resolution`, { outcome, note }, { headers: { "Idempotency-Key": `${effectId}:${outcome}` } });
}

export function useJourneyNames() {
  return useQuery({
    queryKey: ["journeys"],
    queryFn: ({ signal }) => get<Page<{ journey_id: string; name: string }>>("/journeys", undefined, signal),
    staleTime: 60_000,
  });
}

export function useConnectionNames() {
  return useQuery({
    queryKey: ["connections"],
    queryFn: ({ signal }) => get<{ items: { connection: string; name: string }[] }>("/connections", undefined, signal),
    staleTime: 60_000,
  });
}
