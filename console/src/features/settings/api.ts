import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { get, patch, post, put, remove, type Label, type Page } from "@/shared/api";
import { useList } from "@/shared/lists";
import type { PathFor, Schemas } from "@/shared/schema";
import { useSession } from "@/shared/session";

export const ROLES = ["owner", "operator", "analyst", "guide", "compliance"] as const;
export type Role = (typeof ROLES)[number];

export interface UserFields {
  username: string;
  name: string;
  role: Role;
  brands: string[];
  stores: string[] | null;
  staff_id: string | null;
  password: string;
}

export type User = Schemas["UserOut"];
export type ApiClient = Schemas["ClientOut"];
export type CheckStep = Schemas["CheckStep"];
export type Connection = Schemas["ConnectionOut"];
export type AuditEntry = Schemas["AuditOut"];
export type Policy = Schemas["PolicyOut"];
export type BlockedValue = Schemas["BlockedValueOut"];
export type ConsentRow = Schemas["ConsentTally"];
export type Setting = Schemas["SettingOut"];
export type Status = Schemas["StatusOut"];

/** The part of JSON Schema that a channel's configuration uses. */
export interface SchemaField {
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  enum?: (string | number)[];
  format?: string;
  writeOnly?: boolean;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  anyOf?: SchemaField[];
  items?: SchemaField;
}

export interface ConfigSchema {
  title?: string;
  properties?: Record<string, SchemaField>;
  required?: string[];
}

export interface Channel {
  kind: string;
  label: Label;
  description: Label;
  config_schema: ConfigSchema;
  capabilities: string[];
}

function useRead<T>(name: string, path: PathFor<"get">, options: { refetchInterval?: number } = {}) {
  const { brand } = useSession();
  return useQuery({ queryKey: [name, brand.brand], queryFn: ({ signal }) => get<T>(path, undefined, signal), ...options });
}

/** A change that makes the lists named in `stale` be read again. */
function useChange<V, R>(stale: string[], change: (values: V) => Promise<R>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () => Promise.all(stale.map((key) => queries.invalidateQueries({ queryKey: [key] }))),
  });
}

export const useUsers = () => useRead<Page<User>>("users", "/users");
export const useCreateUser = () => useChange(["users"], (fields: UserFields) => post<User>("/users", fields));
export const useUpdateUser = () =>
  useChange(["users"], ({ user_id, ...fields }: Partial<UserFields> & { user_id: string; active?: boolean }) => patch<User>(`/users/${user_id}`, fields));

export const useClients = () => useRead<Page<ApiClient>>("api-clients", "/api-clients");
export const useCreateClient = () =>
  useChange(["api-clients"], (fields: Pick<ApiClient, "name" | "permissions" | "brands">) => post<ApiClient & { key: string }>("/api-clients", fields));
export const useRevokeClient = () => useChange(["api-clients"], (clientId: string) => remove(`/api-clients/${clientId}`));

export const useChannels = () => useRead<Page<Channel>>("channels", "/channels");
export const useConnections = () => useRead<Page<Connection>>("connections", "/connections");
export const useCreateConnection = () =>
  useChange(["connections"], (fields: Pick<Connection, "kind" | "connection" | "name" | "config">) => post<Connection>("/connections", fields));
export const useUpdateConnection = () =>
  useChange(["connections"], ({ connection, ...fields }: Partial<Connection> & { connection: string }) =>
    put<Connection>(`/connections/${encodeURIComponent(connection)}`, fields),
  );
export const useCheckConnection = () =>
  useChange(["connections"], (connection: string) => post<{ ok: boolean; steps: CheckStep[] }>(`/connections/${encodeURIComponent(connection)}/check`));

export const usePolicies = () => useRead<Page<Policy>>("policies", "/identity/policies");
export function useBlocked() {
  const { brand } = useSession();
  return useList(["blocked-values", brand.brand], (cursor, signal) => get<Page<BlockedValue>>("/identity/blocked-values", { cursor, limit: 50 }, signal));
}

export const useBlock = () =>
  useChange(["blocked-values", "people"], (fields: Schemas["BlockIn"]) => post<Schemas["BlockedOut"]>("/identity/blocked-values", fields));
export const useUnblock = () =>
  useChange(["blocked-values", "people"], ({ value_id, reason }: { value_id: string; reason: string }) =>
    post<void>(`/identity/blocked-values/${value_id}/unblock`, { reason }),
  );

export const useConsentSummary = () => useRead<Page<ConsentRow>>("consent-summary", "/consent/summary");
export const useSettings = () => useRead<Page<Setting>>("settings", "/settings");
export const useStatus = () => useRead<Status>("status", "/status", { refetchInterval: 10_000 });

export function useAudit(filters: { actor?: string; action?: string; subject?: string }) {
  const { brand } = useSession();
  return useList(["audit", brand.brand, filters], (cursor, signal) => get<Page<AuditEntry>>("/audit", { ...filters, cursor, limit: 50 }, signal));
}

export const useVerifyAudit = () =>
  useChange(["audit"], () => get<{ intact: boolean; entries: number; broken_at: number | null }>("/audit/verification"));

export function useStores() {
  return useRead<Page<{ store_id: string; name: Label }>>("stores", "/stores");
}
