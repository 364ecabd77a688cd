// One box that finds a customer, an audience, a journey or a page. ⌘K or Ctrl+K puts the cursor into it.
import { SearchOutlined } from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { AutoComplete, Input, type GetRef } from "antd";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { allowedGroups } from "@/app/menu";
import { get, post, type Page } from "@/shared/api";
import type { Person } from "@/shared/people";
import { useSession } from "@/shared/session";

const APPLE = /Mac|iPhone|iPad/.test(navigator.platform);

interface Choice {
  value: string;
  label: React.ReactNode;
}

function useLate(value: string, delay: number): string {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), delay);
    return () => clearTimeout(timer);
  }, [value, delay]);
  return late;
}

function useFound(text: string) {
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
  return { people: people.data?.items ?? [], audiences: audiences.data?.items ?? [], journeys: journeys.data?.items ?? [], busy: people.isFetching };
}

export function Search() {
  const { t } = useTranslation("shell");
  const { may } = useSession();
  const navigate = useNavigate();
  const box = useRef<GetRef<typeof AutoComplete>>(null);
  const [text, setText] = useState("");
  const asked = useLate(text.trim(), 250);
  const found = useFound(asked);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        box.current?.focus();
      }
    };
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
  const holds = (name: string) => name.toLowerCase().includes(asked.toLowerCase());
  const pages = allowedGroups(may).flatMap((group) => group.items.map((item) => ({ to: item.to, name: t(`menu.${item.key}`) })));
  const group = (name: string, options: Choice[]) => (options.length ? [{ label: <span>{t(`found.${name}`)}</span>, options: options.slice(0, 6) }] : []);
  const options = asked
    ? [
        ...group(
          "people",
          found.people.map((person) => ({
            value: `/people/${person.person_id}`,
            label: (
              <span className="found">
                {person.name ?? t("people.unnamed")} <span className="faint">{person.phone ?? person.person_id}</span>
              </span>
            ),
          })),
        ),
        ...group("audiences", found.audiences.filter((item) => holds(item.name)).map((item) => ({ value: `/audiences/${item.audience_id}`, label: item.name }))),
        ...group("journeys", found.journeys.filter((item) => holds(item.name)).map((item) => ({ value: `/journeys/${item.journey_id}`, label: item.name }))),
        ...group("pages", pages.filter((item) => holds(item.name)).map((item) => ({ value: item.to, label: item.name }))),
      ]
    : [];
  const leave = (to: string) => {
    setText("");
    box.current?.blur();
    void navigate(to);
  };
  return (
    <AutoComplete
      ref={box}
      className="search"
      value={text}
      options={options}
      onChange={(value: string) => setText(value.startsWith("/") ? "" : value)}
      onSelect={(to: string) => leave(to)}
      notFoundContent={asked.length >= 2 && !found.busy ? t("found.nothing") : null}
      popupMatchSelectWidth={340}
      defaultActiveFirstOption={false}
    >
      <Input
        variant="filled"
        prefix={<SearchOutlined aria-hidden />}
        suffix={<kbd>{APPLE ? "⌘K" : "Ctrl K"}</kbd>}
        placeholder={t("search")}
        aria-label={t("search")}
        data-testid="search"
        onPressEnter={() => {
          if (text.trim() && !options.length && may("people.read")) leave(`/people?q=${encodeURIComponent(text.trim())}`);
        }}
      />
    </AutoComplete>
  );
}
