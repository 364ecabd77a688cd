// Texts of both languages. Chinese is loaded with the page; English when it is asked for.
import i18next from "i18next";
import { initReactI18next } from "react-i18next";

export type Language = "zh" | "en";
const KEY = "quanyu.language";

const loaders = {
  zh: import.meta.glob<{ default: object }>("../locales/zh/*.json"),
  en: import.meta.glob<{ default: object }>("../locales/en/*.json"),
};

export function language(): Language {
  return i18next.language === "en" ? "en" : "zh";
}

async function load(chosen: Language): Promise<void> {
  await Promise.all(
    Object.entries(loaders[chosen]).map(async ([path, read]) => {
      const name = path.slice(path.lastIndexOf("/") + 1, -".json".length);
      i18next.addResourceBundle(chosen, name, (await read()).default, true, true);
    }),
  );
}

export async function prepareTexts(): Promise<void> {
  const asked = new URLSearchParams(location.search).get("lang") ?? localStorage.getItem(KEY);
  const chosen: Language = asked === "en" ? "en" : "zh";
  await i18next.use(initReactI18next).init({
    lng: chosen,
    fallbackLng: "zh",
    ns: ["shell"],
    defaultNS: "shell",
    resources: {},
    interpolation: { escapeValue: false },
  });
  await load(chosen);
  document.documentElement.lang = chosen === "en" ? "en" : "zh-CN";
}

export async function switchLanguage(to: Language): Promise<void> {
  await load(to);
  localStorage.setItem(KEY, to);
  document.documentElement.lang = to === "en" ? "en" : "zh-CN";
  await i18next.changeLanguage(to);
}
