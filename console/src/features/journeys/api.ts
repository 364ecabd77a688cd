// Every call of the journeys' pages.
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { call, get, post, type Answer, type Page } from "@/shared/api";
import type { Person } from "@/shared/people";
import type { Group } from "@/shared/ruletree";
import type { Label } from "@/shared/api";
import type { Checked, Connection, Coupon, Draft, Journey, JourneySummary, PauseMode, PeopleState, Report, Template } from "./types";

export function useJourneys() {
  return useQuery({ queryKey: ["journeys"], queryFn: ({ signal }) => get<Page<JourneySummary>>("/journeys", undefined, signal) });
}

export function createJourney(name: string, template: string | null): Promise<Journey> {
  const trigger = { id: "n1", kind: "trigger", config: { on: "event" }, position: { x: 0, y: 0 } };
  return post<Journey>("/journeys", template ? { name, template } : { name, graph: { nodes: [trigger], edges: [] } });
}

export function useJourney(journeyId: string) {
  return useQuery({
    queryKey: ["journey", journeyId],
    queryFn: ({ signal }) => readJourney(journeyId, signal),
    // The editor owns what it has read; it asks again on its own when it must.
    staleTime: Infinity,
    gcTime: 0,
  });
}

export function readJourney(journeyId: string, signal?: AbortSignal): Promise<Answer<Journey>> {
  return call<Journey>("GET", `/journeys/${journeyId}`, { signal });
}

export function saveJourney(journeyId: string, draft: Draft, etag: string | null): Promise<Answer<Journey>> {
  return call<Journey>("PUT", `/journeys/${journeyId}`, {
    body: { name: draft.name, graph: draft.graph, settings: draft.settings },
    headers: etag ? { "If-Match": etag } : {},
  });
}

export function validateJourney(journeyId: string): Promise<Checked> {
  return post<Checked>(`/journeys/${journeyId}/validation`);
}

export function publishJourney(journeyId: string): Promise<Answer<Journey>> {
  return call<Journey>("POST", `/journeys/${journeyId}/publish`);
}

export function pauseJourney(journeyId: string, mode: PauseMode): Promise<Answer<Journey>> {
  return call<Journey>("POST", `/journeys/${journeyId}/pause`, { body: { mode } });
}

export function resumeJourney(journeyId: string): Promise<Answer<Journey>> {
  return call<Journey>("POST", `/journeys/${journeyId}/resume`);
}

export function endJourney(journeyId: string): Promise<Answer<Journey>> {
  return call<Journey>("POST", `/journeys/${journeyId}/end`);
}

export function useReport(journeyId: string, published: boolean, live: boolean) {
  return useQuery({
    queryKey: ["journey-report", journeyId],
    queryFn: ({ signal }) => get<Report>(`/journeys/${journeyId}/report`, undefined, signal),
    enabled: published,
    refetchInterval: live ? 4_000 : false,
    placeholderData: keepPreviousData,
  });
}

export interface PeopleQuestion {
  nodeId: string | null;
  state: PeopleState;
  reason: string | null;
}

export function useJourneyPeople(journeyId: string, question: PeopleQuestion | null) {
  return useInfiniteQuery({
    queryKey: ["journey-people", journeyId, question],
    enabled: question !== null,
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      get<Page<Person>>(
        `/journeys/${journeyId}/people`,
        { node_id: question?.nodeId, state: question?.state, reason: question?.reason, cursor: pageParam, limit: 50 },
        signal,
      ),
    getNextPageParam: (last) => last.next_cursor,
  });
}

export function useConnections() {
  return useQuery({ queryKey: ["connections"], queryFn: ({ signal }) => get<{ items: Connection[] }>("/connections", undefined, signal), staleTime: 60_000 });
}

export function useTemplates() {
  return useQuery({ queryKey: ["templates"], queryFn: ({ signal }) => get<{ items: Template[] }>("/templates", undefined, signal), staleTime: 30_000 });
}

export function createTemplate(body: Omit<Template, "template_id">): Promise<Template> {
  return post<Template>("/templates", body);
}

export function saveTemplate(template: Template): Promise<Template> {
  const { template_id, ...body } = template;
  return call<Template>("PUT", `/templates/${template_id}`, { body }).then((answer) => answer.data);
}

export function useCoupons() {
  return useQuery({
    queryKey: ["coupon-definitions"],
    queryFn: ({ signal }) => get<{ items: Coupon[] }>("/coupons/definitions", undefined, signal),
    staleTime: 30_000,
  });
}

export type NewCoupon = Pick<Coupon, "name" | "kind" | "value" | "threshold" | "total" | "per_person" | "valid_days">;

export function createCoupon(body: NewCoupon): Promise<Coupon> {
  return post<Coupon>("/coupons/definitions", body);
}

export interface TreeCount {
  count: number | null;
  total: number;
  sentence: Label;
  errors: { id: string; field: string; message: string }[];
}

/** How many people fulfil a branch's condition now, and the condition in words. */
export function useTreeCount(tree: Group | null) {
  return useQuery<TreeCount>({
    queryKey: ["tree-count", tree],
    queryFn: ({ signal }) => call<TreeCount>("POST", "/audiences/count", { body: { tree }, signal }).then((answer) => answer.data),
    enabled: tree !== null && tree.children.length > 0,
    placeholderData: keepPreviousData,
    retry: false,
  });
}
