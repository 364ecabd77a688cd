// Who is signed in, in which brand, and what they may do.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useState, type ReactNode } from "react";
import { get, setBrand, setCsrf } from "@/shared/api";
import { setTimeZone } from "@/shared/format";
import type { Schemas } from "@/shared/schema";

export type Brand = Schemas["SessionBrand"];
export type Session = Schemas["SessionOut"];

interface Current extends Session {
  brand: Brand;
  may: (permission: string) => boolean;
  choose: (brand: string) => void;
}

const Context = createContext<Current | null>(null);
const KEY = "quanyu.brand";

export function useSessionQuery() {
  return useQuery({
    queryKey: ["session"],
    queryFn: async ({ signal }) => {
      const session = await get<Session>("/session", undefined, signal);
      setCsrf(session.csrf);
      return session;
    },
    retry: false,
    staleTime: 300_000,
  });
}

const NONE: Brand = { brand: "", name: { zh: "–", en: "–" }, currency: "CNY", time_zone: "Asia/Shanghai" };

export function SessionProvider({ session, children }: { session: Session; children: ReactNode }) {
  const queries = useQueryClient();
  const [chosen, setChosen] = useState(localStorage.getItem(KEY) ?? "");
  const brand = session.brands.find((item) => item.brand === chosen) ?? session.brands[0] ?? NONE;
  // Set while rendering: the first query below must already ask for the right brand.
  setBrand(brand.brand || undefined);
  setTimeZone(brand.time_zone);
  const value: Current = {
    ...session,
    brand,
    may: (permission) => session.permissions.includes(permission),
    choose: (next) => {
      localStorage.setItem(KEY, next);
      setBrand(next);
      setChosen(next);
      void queries.invalidateQueries({ predicate: (query) => query.queryKey[0] !== "session" });
    },
  };
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useSession(): Current {
  const value = useContext(Context);
  if (!value) throw new Error("useSession outside of SessionProvider");
  return value;
}
