// Calls to the product's API: session cookie, CSRF header, brand, language, and errors as people can read them.
import i18next from "i18next";
import type { PathFor } from "@/shared/schema";

export interface FieldError {
  field: string;
  message: string;
  /** What people call the field, where the server knows. */
  label?: string;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    title: string,
    readonly detail: string | null,
    readonly fields: FieldError[],
    readonly requestId: string | null,
    readonly body: Record<string, unknown>,
  ) {
    super(title);
  }
}

export interface Label {
  zh: string;
  en: string;
}

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
  total: number | null;
}

type Query = Record<string, string | number | boolean | null | undefined>;

interface Options {
  query?: Query;
  body?: unknown;
  /** Sent as it is, in place of `body`. */
  file?: Blob;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

let csrf = "";
let brand: string | undefined;

export function setCsrf(value: string): void {
  csrf = value;
}

export function setBrand(value: string | undefined): void {
  brand = value;
}

export function currentBrand(): string | undefined {
  return brand;
}

export interface Answer<T> {
  data: T;
  etag: string | null;
}

function address(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries({ brand, ...query }))
    if (value !== undefined && value !== null && value !== "") params.set(key, String(value));
  const text = params.toString();
  return `/api/v1${path}${text ? `?${text}` : ""}`;
}

async function failure(answer: Response): Promise<ApiError> {
  const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  return new ApiError(
    answer.status,
    String(body["code"] ?? "unknown"),
    String(body["title"] ?? i18next.t("shell:errors.unreachable")),
    (body["detail"] as string | null) ?? null,
    (body["errors"] as FieldError[] | undefined) ?? [],
    (body["request_id"] as string | null) ?? null,
    body,
  );
}

export async function call<T>(method: string, path: string, options: Options = {}): Promise<Answer<T>> {
  const headers: Record<string, string> = { "Accept-Language": i18next.language, ...options.headers };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.file !== undefined) headers["Content-Type"] = "application/octet-stream";
  let answer: Response;
  try {
    answer = await fetch(address(path, options.query), {
      method,
      headers,
      body: options.file ?? (options.body === undefined ? undefined : JSON.stringify(options.body)),
      signal: options.signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", i18next.t("shell:errors.unreachable"), null, [], null, {});
  }
  if (!answer.ok) throw await failure(answer);
  const text = await answer.text();
  return { data: (text ? JSON.parse(text) : undefined) as T, etag: answer.headers.get("etag") };
}

export async function get<T>(path: PathFor<"get">, query?: Query, signal?: AbortSignal): Promise<T> {
  return (await call<T>("GET", path, { query, signal })).data;
}

export async function post<T>(path: PathFor<"post">, body?: unknown, options: Options = {}): Promise<T> {
  return (await call<T>("POST", path, { ...options, body })).data;
}

/** Send the bytes of a file as they are. */
export async function upload<T>(path: PathFor<"post">, file: Blob, query: Query): Promise<T> {
  return (await call<T>("POST", path, { file, query })).data;
}

export async function put<T>(path: PathFor<"put">, body: unknown, options: Options = {}): Promise<T> {
  return (await call<T>("PUT", path, { ...options, body })).data;
}

export async function patch<T>(path: PathFor<"patch">, body: unknown): Promise<T> {
  return (await call<T>("PATCH", path, { body })).data;
}

export async function remove(path: PathFor<"delete">): Promise<void> {
  await call<void>("DELETE", path);
}

export function download(path: PathFor<"get">, query?: Query): void {
  location.assign(address(path, query));
}

/** The text of a label in the language of the page; a plain text is the same in both. */
export function say(label: Label | string | null | undefined): string {
  if (!label) return "";
  if (typeof label === "string") return label;
  return i18next.language === "en" ? label.en : label.zh;
}

/** The half of "中文 · English", as the schemas of configurations are titled, in the language of the page. */
export function half(title: string): string {
  const [zh = title, en = zh] = title.split(/\s*·\s+/);
  return i18next.language === "en" ? en : zh;
}
