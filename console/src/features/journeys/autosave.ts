// Saving while one edits: what is unsaved, what is under way, what to do when somebody else saved first. The state
// machine is pure; the hook runs it with a clock and the network.
import { useCallback, useEffect, useReducer, useRef } from "react";
import { ApiError } from "@/shared/api";

export type SaveState =
  | { kind: "clean" }
  | { kind: "dirty" }
  | { kind: "saving"; again: boolean }
  | { kind: "failed"; error: unknown }
  | { kind: "conflict" };

export type SaveNews = { kind: "edited" } | { kind: "started" } | { kind: "saved" } | { kind: "failed"; error: unknown } | { kind: "stale" } | { kind: "settled"; unsaved: boolean };

export function step(state: SaveState, news: SaveNews): SaveState {
  switch (news.kind) {
    case "edited":
      if (state.kind === "saving") return { kind: "saving", again: true };
      // While two people's drafts differ nothing is sent; the choice between them covers later edits too.
      return state.kind === "conflict" ? state : { kind: "dirty" };
    case "started":
      return state.kind === "conflict" ? state : { kind: "saving", again: false };
    case "saved":
      return state.kind === "saving" && !state.again ? { kind: "clean" } : { kind: "dirty" };
    case "failed":
      return { kind: "failed", error: news.error };
    case "stale":
      return { kind: "conflict" };
    case "settled":
      return news.unsaved ? { kind: "dirty" } : { kind: "clean" };
  }
}

const AFTER_EDIT_MS = 700;

/** How long to wait before the next try: 2, 4, 8 … 30 s after failures, 0.7 s after an edit. Null: do not send. */
export function delayOf(state: SaveState, failures: number): number | null {
  if (state.kind === "dirty") return AFTER_EDIT_MS;
  if (state.kind === "failed") return isFinal(state.error) ? null : Math.min(30_000, 2_000 * 2 ** Math.max(0, failures - 1));
  return null;
}

/** Refusals that the same request would meet again; only an edit can change them. */
export function isFinal(error: unknown): boolean {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 408 && error.status !== 429;
}

export interface Saving<T> {
  state: SaveState;
  /** Sends now what is unsaved; resolves when it is stored, false when it could not be. */
  flush: () => Promise<boolean>;
  /** Forgets the conflict: `etag` is the newest, and whether our draft is still to be sent on top of it. */
  settle: (etag: string | null, stored: T, unsaved: boolean) => void;
}

interface Options<T> {
  value: T;
  initial: { value: T; etag: string | null };
  enabled: boolean;
  send: (value: T, etag: string | null) => Promise<{ etag: string | null }>;
  onSaved?: (value: T) => void;
}

export function useAutosave<T>({ value, initial, enabled, send, onSaved }: Options<T>): Saving<T> {
  const [state, tell] = useReducer(step, { kind: "clean" });
  const etag = useRef(initial.etag);
  const stored = useRef(initial.value);
  const latest = useRef({ value, send, onSaved, enabled });
  latest.current = { value, send, onSaved, enabled };
  const failures = useRef(0);
  const running = useRef<Promise<boolean> | null>(null);

  const run = useCallback((): Promise<boolean> => {
    if (running.current) return running.current;
    const sent = latest.current.value;
    tell({ kind: "started" });
    const work = latest.current
      .send(sent, etag.current)
      .then((answer) => {
        etag.current = answer.etag;
        stored.current = sent;
        failures.current = 0;
        tell({ kind: "saved" });
        latest.current.onSaved?.(sent);
        return true;
      })
      .catch((error: unknown) => {
        failures.current += 1;
        tell(error instanceof ApiError && error.status === 412 ? { kind: "stale" } : { kind: "failed", error });
        return false;
      })
      .finally(() => {
        running.current = null;
      });
    running.current = work;
    return work;
  }, []);

  useEffect(() => {
    if (enabled && value !== stored.current) tell({ kind: "edited" });
  }, [value, enabled]);

  useEffect(() => {
    const delay = enabled ? delayOf(state, failures.current) : null;
    if (delay === null) return;
    const timer = setTimeout(() => void run(), delay);
    return () => clearTimeout(timer);
  }, [state, enabled, run, value]);

  const unsaved = enabled && state.kind !== "clean";
  useEffect(() => {
    if (!unsaved) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [unsaved]);

  // Leaving the page inside the console sends what is left.
  useEffect(
    () => () => {
      const { value: left, enabled: may } = latest.current;
      if (may && left !== stored.current && !running.current) void latest.current.send(left, etag.current).catch(() => undefined);
    },
    [],
  );

  const flush = useCallback(async (): Promise<boolean> => {
    if (running.current) await running.current;
    return latest.current.value === stored.current ? true : run();
  }, [run]);

  const settle = useCallback((newest: string | null, theirs: T, again: boolean) => {
    etag.current = newest;
    stored.current = theirs;
    failures.current = 0;
    tell({ kind: "settled", unsaved: again });
  }, []);

  return { state, flush, settle };
}
