// Lists that are read page by page, and filters that live in the address.
import { useInfiniteQuery, type QueryKey } from "@tanstack/react-query";
import { Button } from "antd";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import type { Page } from "@/shared/api";

/** All pages of a list so far, with `more` to read the next one. `read` gets the cursor, empty for the first page. */
export function useList<T>(key: QueryKey, read: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>, enabled = true) {
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => read(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    enabled,
  });
  return {
    ...query,
    items: query.data?.pages.flatMap((page) => page.items) ?? [],
    total: query.data?.pages[0]?.total ?? null,
    more: () => void query.fetchNextPage(),
  };
}

interface Continuing {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  isFetchNextPageError: boolean;
  more: () => void;
  items: unknown[];
}

/** Below a list: reads on when it comes into view, with a button for whoever does not scroll. */
export function LoadMore({ list }: { list: Continuing }) {
  const { t } = useTranslation("shell");
  const box = useRef<HTMLDivElement>(null);
  const latest = useRef(list);
  latest.current = list;
  const { hasNextPage, items } = list;
  useEffect(() => {
    if (!hasNextPage || !box.current || !("IntersectionObserver" in globalThis)) return;
    const watcher = new IntersectionObserver((seen) => {
      const { isFetchingNextPage, isFetchNextPageError, more } = latest.current;
      if (seen.some((entry) => entry.isIntersecting) && !isFetchingNextPage && !isFetchNextPageError) more();
    });
    watcher.observe(box.current);
    return () => watcher.disconnect();
  }, [hasNextPage, items.length]);
  if (!items.length) return null;
  return (
    <div className="more" ref={box}>
      {hasNextPage ? (
        <Button loading={list.isFetchingNextPage} onClick={list.more}>
          {t("states.loadMore")}
        </Button>
      ) : (
        <span className="faint">{t("states.end")}</span>
      )}
    </div>
  );
}

/** Filters kept in the address: a reload, a bookmark and a sent link show the same. */
export function useFilters<K extends string>(keys: readonly K[]) {
  const [params, setParams] = useSearchParams();
  const filters = Object.fromEntries(keys.map((key) => [key, params.get(key) ?? undefined])) as Partial<Record<K, string>>;
  const change = (next: Partial<Record<K, string | null | undefined>>) =>
    setParams(
      (old) => {
        const merged = new URLSearchParams(old);
        for (const [key, value] of Object.entries(next) as [string, string | null | undefined][])
          if (value) merged.set(key, value);
          else merged.delete(key);
        return merged;
      },
      { replace: true },
    );
  const reset = () =>
    setParams(
      (old) => {
        const kept = new URLSearchParams(old);
        for (const key of keys) kept.delete(key);
        return kept;
      },
      { replace: true },
    );
  return { filters, change, reset, active: keys.some((key) => params.has(key)) };
}
