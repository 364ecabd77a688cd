import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { get, type Label, type Page } from "@/shared/api";
import type { Drill } from "@/shared/ui";

export interface Kpi {
  key: string;
  label: Label;
  definition?: Label;
  value: number;
  unit: "money" | "count" | "percent";
  previous: number | null;
  change: number | null;
  series: { on: string; value: number }[];
  made: boolean;
  drill: Drill;
}

interface Row {
  amount: number;
  drill: Drill;
}

export interface StoreRow extends Row {
  store_id: string;
  name: Label;
  orders: number;
  buyers: number;
  order_value: number;
}

export interface GoodsRow extends Row {
  name: Label;
  units: number;
  buyers: number;
}

export interface ChannelRow extends Row {
  channel: string;
  label: Label;
  orders: number;
  buyers: number;
  visitors: number | null;
}

export interface Segment extends Row {
  key: string;
  label: Label;
  people: number;
  share: number;
}

export interface Overview {
  as_of: string;
  range: { from: string; to: string };
  currency: string;
  formula: {
    visitors: number;
    conversion: number | null;
    order_value: number | null;
    gmv: number;
    orders: number;
    buyers: number;
    definitions: Record<string, Label>;
  };
  kpis: Kpi[];
  trend: { on: string; channel: string; amount: number; orders: number }[];
  channels: ChannelRow[];
  stores: StoreRow[];
  categories: (GoodsRow & { category_key: string })[];
  products: (GoodsRow & { sku: string })[];
  people: {
    total: number;
    new: number;
    active: number;
    returning: number;
    drills?: Record<"total" | "new" | "active" | "returning", Drill>;
    definition?: Label;
    pyramid: Segment[];
  };
}

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
