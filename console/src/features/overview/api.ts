import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { get, type Label, type Page } from "@/shared/api";
import type { Schemas } from "@/shared/schema";

export type Kpi = Schemas["KpiOut"];
export type ChannelRow = Overview["channels"][number];
export type Segment = Schemas["LevelOut"];
export type Overview = Schemas["OverviewOut"];

export interface Filters {
  from?: string;
  to?: string;
  store_id?: string;
  channel?: string;
  category?: string;
}

export function useOverview(brand: string, filters: Filters) {
  return useQuery({
    queryKey: ["overview", brand, filters],
    queryFn: ({ signal }) => get<Overview>("/overview", { ...filters }, signal),
    placeholderData: keepPreviousData,
  });
}

export function useChoices(brand: string) {
  const stores = useQuery({
    queryKey: ["stores", brand],
    queryFn: ({ signal }) => get<Page<{ store_id: string; name: Label }>>("/stores", undefined, signal),
    staleTime: 600_000,
  });
  const categories = useQuery({
    queryKey: ["categories", brand],
    queryFn: ({ signal }) => get<Page<{ category_key: string; name: Label; department: Label }>>("/categories", undefined, signal),
    staleTime: 600_000,
  });
  const channels = useQuery({
    queryKey: ["options", brand, "channels"],
    queryFn: ({ signal }) => get<Page<{ value: string; label: Label }>>("/predicates/options", { source: "channels" }, signal),
    staleTime: 600_000,
  });
  return { stores: stores.data?.items ?? [], channels: channels.data?.items ?? [], categories: categories.data?.items ?? [] };
}
