// One box that finds a customer, an audience, a journey or a page. ⌘K or Ctrl+K puts the cursor into it.
import { SearchOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Input, type InputRef } from "antd";
import { useEffect, useId, useRef, useState, type KeyboardEvent as Key } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { allowedGroups } from "@/app/menu";
import { get, post, type Page } from "@/shared/api";
import type { Person } from "@/shared/people";
import { useSession } from "@/shared/session";

const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);
const MOST = 6;

interface Found {
  group: string;
  to: string;
  name: string;
  note?: string;
}

function useLate(value: string, delay: number): string {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), delay);
    return () => clearTimeout(timer);
  }, [value, delay]);
  return late;
}

function useFound(text: string): { found: Found[]; busy: boolean } {
  const { t } = useTranslation("shell");
  const { brand, may } = useSession();
  const people = useQuery({
    queryKey: ["search-people", brand.brand, text],
    queryFn: ({ signal }) => post<Page<Person>>("/people/search", { q: text, limit: 5 }, { signal }),
    enabled: may("people.read") && text.length >= 2,
  });
  const audiences = useQuery({
    queryKey: ["search-audiences", brand.brand],
    queryFn: ({ signal }) => get<Page<{ audience_id: string; name: string }>>("/audiences", undefined, signal),
    enabled: may("audiences.read") && text.length >= 1,
    staleTime: 60_000,
  });
  const journeys = useQuery({
    queryKey: ["search-journeys", brand.brand],
    queryFn: ({ signal }) => get<Page<{ journey_id: string; name: string }>>("/journeys", undefined, signal),
    enabled: may("journeys.read") && text.length >= 1,
    staleTime: 60_000,
  });
  if (!text) return { found: [], busy: false };
  const holds = (item: { name: string }) => item.name.toLowerCase().includes(text.toLowerCase());
  const pages = allowedGroups(may).flatMap((group) => group.items.map((item) => ({ group: "pages", to: item.to, name: t(`menu.${item.key}`) })));
  return {
    busy: people.isFetching,
    found: [
      ...(people.data?.items ?? []).map((item) => ({ group: "people", to: `/people/${item.person_id}`, name: item.name ?? t("people.unnamed"), note: item.phone ?? item.person_id })),
      ...(audiences.data?.items ?? []).filter(holds).slice(0, MOST).map((item) => ({ group: "audiences", to: `/audiences/${item.audience_id}`, name: item.name })),
      ...(journeys.data?.items ?? []).filter(holds).slice(0, MOST).map((item) => ({ group: "journeys", to: `/journeys/${item.journey_id}`, name: item.name })),
      ...pages.filter(holds),
    ],
  };
}

export function Search() {
  const { t } = useTranslation("shell");
  const { may } = useSession();
  const navigate = useNavigate();
  const id = useId();
  const box = useRef<InputRef>(null);
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const asked = useLate(text.trim(), 250);
  const { found, busy } = useFound(asked);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (!(event.metaKey || event.ctrlKey) || event.key.toLowerCase() !== "k") return;
      event.preventDefault();
      box.current?.focus({ cursor: "all" });
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
  const leave = (to: string) => {
    setText("");
    setOpen(false);
    box.current?.blur();
    void navigate(to);
  };
  const steer = (event: Key) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Escape") setOpen(false);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (found.length) setAt((at + step + found.length) % found.length);
    }
    if (event.key === "Enter") {
      const chosen = found[at];
      if (chosen) leave(chosen.to);
      else if (text.trim() && may("people.read")) leave(`/people?q=${encodeURIComponent(text.trim())}`);
    }
  };
  const shown = open && asked.length > 0;
  return (
    <div className="search" onBlur={(event) => event.currentTarget.contains(event.relatedTarget) || setOpen(false)}>
      <Input
        ref={box}
        variant="filled"
        prefix={<SearchOutlined aria-hidden />}
        suffix={<kbd>{APPLE ? "⌘K" : "Ctrl K"}</kbd>}
        placeholder={t("search")}
        value={text}
        role="combobox"
        aria-label={t("search")}
        aria-expanded={shown}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={shown && found[at] ? `${id}-${at}` : undefined}
        data-testid="search"
        onFocus={() => setOpen(true)}
        onKeyDown={steer}
        onChange={(event) => {
          setText(event.target.value);
          setAt(-1);
          setOpen(true);
        }}
      />
      <div className="search-found" hidden={!shown} role="listbox" id={`${id}-list`} aria-label={t("search")}>
        {found.map((item, i) => (
          <div key={item.to} role="presentation">
            {found[i - 1]?.group === item.group ? null : (
              <p className="faint" role="presentation">
                {t(`found.${item.group}`)}
              </p>
            )}
            <div
              role="option"
              id={`${id}-${i}`}
              aria-selected={i === at}
              className={i === at ? "found at" : "found"}
              onMouseDown={(event) => event.preventDefault()}
              onMouseEnter={() => setAt(i)}
              onClick={() => leave(item.to)}
            >
              {item.name} {item.note ? <span className="faint number">{item.note}</span> : null}
            </div>
          </div>
        ))}
        {found.length || busy ? null : (
          <p className="faint" role="presentation">
            {t("found.nothing")}
          </p>
        )}
      </div>
    </div>
  );
}
