// What the import page asks of the server.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { get, post, put, remove, upload } from "@/shared/api";
import type { Schemas } from "@/shared/schema";

export type ImportFile = Schemas["ImportFileOut"];
export type Inspected = Schemas["ImportInspectedOut"];
export type Column = Schemas["ImportColumnOut"];
export type Preview = Schemas["ImportPreviewOut"];
export type SavedMapping = Schemas["MappingOut"];
export type Job = Schemas["ImportOut"];
export type BadRow = Schemas["BadRowOut"];
export type Connection = Schemas["ImportConnectionOut"];
export type ConnectionMade = Schemas["ImportConnectionMade"];
export type ConnectionKind = Schemas["ImportConnectionKindOut"];
export type Document = Record<string, unknown>;

export const RUNNING = ["queued", "running"];

export function useJobs(brand: string) {
  return useQuery({
    queryKey: ["imports", brand],
    queryFn: ({ signal }) => get<Schemas["ImportPage"]>("/imports", { limit: 50 }, signal),
    refetchInterval: (query) => (query.state.data?.items.some((job) => RUNNING.includes(job.status)) ? 1000 : 10_000),
  });
}

export function useJob(id: string | null) {
  return useQuery({
    queryKey: ["import", id],
    queryFn: ({ signal }) => get<Job>(`/imports/${id}`, undefined, signal),
    enabled: id !== null,
    refetchInterval: (query) => (query.state.data && !RUNNING.includes(query.state.data.status) ? false : 700),
  });
}

export function useBadRows(id: string, bad: number) {
  return useQuery({
    queryKey: ["import-errors", id, bad],
    queryFn: ({ signal }) => get<Schemas["BadRowPage"]>(`/imports/${id}/errors`, { limit: 200 }, signal),
    // They reach quarantine the way events do: a moment after the import has ended.
    refetchInterval: (query) => ((query.state.data?.items.length ?? 0) < Math.min(bad, 200) ? 1500 : false),
  });
}

export function useMappings(brand: string) {
  return useQuery({ queryKey: ["import-mappings", brand], queryFn: ({ signal }) => get<Schemas["MappingPage"]>("/imports/mappings", undefined, signal) });
}

export function useConnections(brand: string) {
  return useQuery({
    queryKey: ["import-connections", brand],
    queryFn: ({ signal }) => get<Schemas["ImportConnectionPage"]>("/import-connections", undefined, signal),
    refetchInterval: 5000,
  });
}

export function useKinds() {
  return useQuery({ queryKey: ["import-kinds"], queryFn: ({ signal }) => get<Schemas["ImportConnectionKindPage"]>("/import-connection-kinds", undefined, signal), staleTime: Infinity });
}

export interface ConnectionGiven {
  kind: string;
  name: string;
  mapping_id: string;
  config: Document;
  schedule: string;
}

export function useImportActions() {
  const queries = useQueryClient();
  const done = (...keys: string[]) => () => {
    for (const key of keys) void queries.invalidateQueries({ queryKey: [key] });
  };
  return {
    upload: useMutation({ mutationFn: (file: File) => upload<ImportFile>("/imports/files", file, { name: file.name }) }),
    inspect: useMutation({ mutationFn: (given: { id: string; read?: Document | undefined }) => post<Inspected>(`/imports/files/${given.id}/inspect`, given.read ? { read: given.read } : {}) }),
    preview: useMutation({ mutationFn: (given: { id: string; mapping: Document }) => post<Preview>(`/imports/files/${given.id}/preview`, { mapping: given.mapping }) }),
    save: useMutation({
      mutationFn: (given: { name: string; mapping: Document; source?: string | undefined; before?: SavedMapping | undefined }) =>
        given.before
          ? put<SavedMapping>(`/imports/mappings/${given.before.mapping_id}`, { name: given.name, mapping: given.mapping, version: given.before.version })
          : post<SavedMapping>("/imports/mappings", { name: given.name, mapping: given.mapping, source: given.source ?? null }),
      onSuccess: done("import-mappings"),
    }),
    archive: useMutation({ mutationFn: (id: string) => remove(`/imports/mappings/${id}`), onSuccess: done("import-mappings") }),
    start: useMutation({ mutationFn: (given: { file_id: string; mapping_id: string; most_bad: number }) => post<Job>("/imports", given), onSuccess: done("imports") }),
    cancel: useMutation({ mutationFn: (id: string) => post<Job>(`/imports/${id}/cancel`), onSuccess: done("imports", "import") }),
    connect: useMutation({ mutationFn: (given: ConnectionGiven) => post<ConnectionMade>("/import-connections", given), onSuccess: done("import-connections") }),
    change: useMutation({
      mutationFn: (given: Connection & { from_start?: boolean }) =>
        put<Connection>(`/import-connections/${given.connection_id}`, {
          name: given.name, mapping_id: given.mapping_id, config: given.config, schedule: given.schedule || "every 15m", active: given.active, from_start: given.from_start ?? false,
        }),
      onSuccess: done("import-connections"),
    }),
    run: useMutation({ mutationFn: (id: string) => post<Connection>(`/import-connections/${id}/run`), onSuccess: done("import-connections") }),
    disconnect: useMutation({ mutationFn: (id: string) => remove(`/import-connections/${id}`), onSuccess: done("import-connections") }),
  };
}
