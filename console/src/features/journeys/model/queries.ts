// Reading journeys and what belongs to them; the live numbers are kept outside of the canvas's own state.
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { create } from "zustand";
import { call, get, type Page } from "@/shared/api";
import type { Person } from "@/shared/people";
import type { Connection, CouponDefinition, Journey, JourneySummary, NodeReport, PeopleState, Report, Template } from "./types";

export function useJourneys() {
  return useQuery({
    queryKey: ["journeys"],
    queryFn: ({ signal }) => get<Page<JourneySummary>>("/journeys", undefined, signal),
    refetchInterval: 15_000,
  });
}

export function useJourney(id: string) {
  return useQuery({
    queryKey: ["journey", id],
    queryFn: ({ signal }) => call<Journey>("GET", `/journeys/${id}`, { signal }),
    // The canvas holds the draft while it is open; reading it anew behind its back would race with typing.
    staleTime: Infinity,
    gcTime: 0,
  });
}

/** Asked every 3 s while people can move, and not while the page is hidden. */
export function useReport(id: string, published: boolean, live: boolean) {
  return useQuery({
    queryKey: ["journey", id, "report"],
    queryFn: ({ signal }) => get<Report>(`/journeys/${id}/report`, undefined, signal),
    enabled: published,
    refetchInterval: live ? 3000 : false,
  });
}

export const useConnections = () =>
  useQuery({ queryKey: ["connections"], queryFn: ({ signal }) => get<Page<Connection>>("/connections", undefined, signal), staleTime: 60_000 });
export const useTemplates = () =>
  useQuery({ queryKey: ["templates"], queryFn: ({ signal }) => get<Page<Template>>("/templates", undefined, signal), staleTime: 60_000 });
export const useCoupons = () =>
  useQuery({ queryKey: ["coupon-definitions"], queryFn: ({ signal }) => get<Page<CouponDefinition>>("/coupons/definitions", undefined, signal), staleTime: 60_000 });

export interface PeopleQuestion {
  node_id: string | null;
  state: PeopleState;
  reason?: string;
}

export function useJourneyPeople(id: string, asked: PeopleQuestion | null) {
  return useInfiniteQuery({
    queryKey: ["journey", id, "people", asked],
    queryFn: ({ pageParam, signal }) =>
      get<Page<Person>>(`/journeys/${id}/people`, { node_id: asked?.node_id, state: asked?.state, reason: asked?.reason, cursor: pageParam, limit: 50 }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next_cursor,
    enabled: asked !== null,
  });
}

interface Numbers {
  nodes: ReadonlyMap<string, NodeReport>;
  edges: ReadonlyMap<string, number>;
}

export function edgeKey(from: string, port: string): string {
  return `${from}:${port}`;
}

/** The numbers on the canvas, by node and by exit. A tick of them draws counters, not nodes. */
export const useNumbers = create<Numbers>(() => ({ nodes: new Map(), edges: new Map() }));

export function useKeepNumbers(report: Report | undefined): void {
  useEffect(() => {
    useNumbers.setState({
      nodes: new Map(report?.nodes.map((node) => [node.node_id, node])),
      edges: new Map(report?.edges.map((edge) => [edgeKey(edge.from, edge.port), edge.count])),
    });
  }, [report]);
  useEffect(() => () => useNumbers.setState({ nodes: new Map(), edges: new Map() }), []);
}
