// What the brand's sources are called, wherever one is named by its key.
import { useQuery } from "@tanstack/react-query";
import { get, say, type Page } from "@/shared/api";
import type { Schemas } from "@/shared/schema";
import { useSession } from "@/shared/session";

function useKnown() {
  const { brand, may } = useSession();
  return useQuery({
    queryKey: ["sources", brand.brand],
    queryFn: ({ signal }) => get<Page<Schemas["SourceOut"]>>("/sources", undefined, signal),
    enabled: may("sources.read"),
    staleTime: 60_000,
  }).data?.items;
}

/** The name of a source by its key; the key itself for whoever may not read sources. */
export function useSourceName(): (source: string) => string {
  const known = useKnown();
  return (source) => {
    const found = known?.find((one) => one.source === source);
    return found ? say(found.name) : source;
  };
}

/** The brand's sources as the choices of a select. */
export function useSourceChoices(): { value: string; label: string }[] {
  return (useKnown() ?? []).map((one) => ({ value: one.source, label: say(one.name) }));
}
