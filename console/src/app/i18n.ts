// Texts, one file per language and feature. What src/shared says is loaded at the start, a feature's texts with its
// page, both only in the language that is shown.
import i18next from "i18next";
import { initReactI18next } from "react-i18next";

export type Language = "zh" | "en";
/** The texts that belong to a page: one file of this name in each language. */
export type Feature =
  | "audiences"
  | "events"
  | "goods"
  | "imports"
  | "journeys"
  | "login"
  | "overview"
  | "people"
  | "plan"
  | "quality"
  | "sends"
  | "settings"
  | "sources";
const SHARED = ["shell", "ruletree", "phone"] as const;
type Name = Feature | (typeof SHARED)[number];

const KEY = "quanyu.language";
const files = import.meta.glob<{ default: object }>("../locales/*/*.json");
const wanted = new Set<Name>(SHARED);
// Whoever switches gets every later page in both languages: no page can come between two languages without its texts.
const spoken = new Set<Language>();

export function language(): Language {
  return i18next.language === "en" ? "en" : "zh";
}

async function load(chosen: Language, name: Name): Promise<void> {
  if (i18next.hasResourceBundle(chosen, name)) return;
  const read = files[`../locales/${chosen}/${name}.json`];
  if (!read) throw new Error(`there is no locales/${chosen}/${name}.json`);
  i18next.addResourceBundle(chosen, name, (await read()).default);
}

async function speak(chosen: Language): Promise<void> {
  spoken.add(chosen);
  await Promise.all([...wanted].map((name) => load(chosen, name)));
  document.documentElement.lang = chosen === "en" ? "en" : "zh-CN";
}

/** Load what a feature says; it is also loaded for a language chosen later. */
export async function loadTexts(feature: Feature): Promise<void> {
  wanted.add(feature);
  await Promise.all([...spoken].map((chosen) => load(chosen, feature)));
}

export async function prepareTexts(): Promise<void> {
  const asked = new URLSearchParams(location.search).get("lang") ?? localStorage.getItem(KEY);
  const chosen: Language = asked === "en" ? "en" : "zh";
  await i18next.use(initReactI18next).init({
    lng: chosen,
    fallbackLng: false,
    ns: [...SHARED],
    defaultNS: "shell",
    resources: {},
    interpolation: { escapeValue: false },
  });
  await speak(chosen);
}

export async function switchLanguage(to: Language): Promise<void> {
  localStorage.setItem(KEY, to); // who goes on before the texts are here has chosen all the same
  await speak(to);
  await i18next.changeLanguage(to);
}
