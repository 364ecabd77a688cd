// What the brand's sources are called, wherever one is named by its key.
import { useQuery } from "@tanstack/react-query";
import { get, say, type Page } from "@/shared/api";
import type { Schemas } from "@/shared/schema";
import { useSession } from "@/shared/session";

/** The name of a source by its key; the key itself for whoever may not read sources. */
export function useSourceName(): (source: string) => string {
  const { brand, may } = useSession();
  const query = useQuery({
    queryKey: ["sources", brand.brand],
    queryFn: ({ signal }) => get<Page<Schemas["SourceOut"]>>("/sources", undefined, signal),
    enabled: may("sources.read"),
    staleTime: 60_000,
  });
  return (source) => {
    const found = query.data?.items.find((one) => one.source === source);
    return found ? say(found.name) : source;
  };
}
