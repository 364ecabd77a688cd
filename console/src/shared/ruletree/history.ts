// Undo and redo of one value: a list of what was, and a place in it. Quick changes with the same name (typing into a
// field) are one step.
import { useCallback, useMemo, useState } from "react";

export interface History<T> {
  past: readonly T[];
  present: T;
  future: readonly T[];
  last: { name: string; at: number } | null;
}

const MAX_STEPS = 100;
const SAME_STEP_MS = 1500;

export function begin<T>(present: T): History<T> {
  return { past: [], present, future: [], last: null };
}

/** The history after a change. `name` joins changes of one thing within 1.5 s; null is a step of its own. */
export function record<T>(history: History<T>, next: T, name: string | null, at: number): History<T> {
  if (next === history.present) return history;
  const joins = name !== null && history.last?.name === name && at - history.last.at < SAME_STEP_MS;
  return {
    past: joins ? history.past : [...history.past, history.present].slice(-MAX_STEPS),
    present: next,
    future: [],
    last: name === null ? null : { name, at },
  };
}

export function undo<T>(history: History<T>): History<T> {
  const present = history.past.at(-1);
  if (present === undefined) return history;
  return { past: history.past.slice(0, -1), present, future: [history.present, ...history.future], last: null };
}

export function redo<T>(history: History<T>): History<T> {
  const [present, ...future] = history.future;
  if (present === undefined) return history;
  return { past: [...history.past, history.present], present, future, last: null };
}

export interface Undoable<T> {
  value: T;
  set: (next: T | ((now: T) => T), name?: string) => void;
  /** Starts anew with a value: nothing before it can be undone. */
  reset: (value: T) => void;
  undo: () => void;
  redo: () => void;
  canUndo: boolean;
  canRedo: boolean;
}

export function useUndoable<T>(initial: T | (() => T)): Undoable<T> {
  const [history, setHistory] = useState(() => begin(typeof initial === "function" ? (initial as () => T)() : initial));
  const set = useCallback((next: T | ((now: T) => T), name?: string) => {
    const at = Date.now();
    setHistory((now) => record(now, typeof next === "function" ? (next as (now: T) => T)(now.present) : next, name ?? null, at));
  }, []);
  const reset = useCallback((value: T) => setHistory(begin(value)), []);
  const back = useCallback(() => setHistory(undo), []);
  const forth = useCallback(() => setHistory(redo), []);
  return useMemo(
    () => ({
      value: history.present,
      set,
      reset,
      undo: back,
      redo: forth,
      canUndo: history.past.length > 0,
      canRedo: history.future.length > 0,
    }),
    [history, set, reset, back, forth],
  );
}

/** Ctrl/⌘+Z, Ctrl/⌘+Shift+Z and Ctrl+Y, unless the focus is in a text field that has its own undo. */
export function undoKey(event: { key: string; ctrlKey: boolean; metaKey: boolean; shiftKey: boolean; target: unknown }): "undo" | "redo" | null {
  if (!event.ctrlKey && !event.metaKey) return null;
  const target = event.target;
  if (target instanceof HTMLElement && (/^(input|textarea)$/i.test(target.tagName) || target.isContentEditable)) return null;
  const key = event.key.toLowerCase();
  if (key === "z") return event.shiftKey ? "redo" : "undo";
  return key === "y" ? "redo" : null;
}
