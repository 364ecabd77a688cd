import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../src");

function keys(value: unknown, path = ""): string[] {
  return typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => keys(inner, `${path}.${key}`))
    : [path];
}

function placeholders(value: unknown): string[] {
  return [...JSON.stringify(value).matchAll(/\{\{(\w+)/g)].map((found) => found[1] ?? "").sort();
}

describe("texts", () => {
  const files = readdirSync(join(root, "locales/zh"));
  it("has the same files in both languages", () => expect(readdirSync(join(root, "locales/en"))).toEqual(files));
  it.each(files)("%s has the same keys and placeholders in both languages", (name) => {
    const [zh, en] = ["zh", "en"].map((language) => JSON.parse(readFileSync(join(root, "locales", language, name), "utf8")));
    expect(keys(en).sort()).toEqual(keys(zh).sort());
    expect(new Set(placeholders(en))).toEqual(new Set(placeholders(zh)));
    expect(JSON.stringify(zh)).not.toContain('""');
    expect(JSON.stringify(en)).not.toContain('""');
  });
});

describe("features", () => {
  const sources = readdirSync(join(root, "features"), { recursive: true, encoding: "utf8" }).filter((entry) => /\.tsx?$/.test(entry));
  const shared = ["shell", "ruletree", "phone"];

  it("say only what is loaded with their page: their own texts and the shared ones", () => {
    const names = readdirSync(join(root, "locales/zh")).map((file) => file.replace(".json", ""));
    const offences: string[] = [];
    for (const entry of sources) {
      const text = readFileSync(join(root, "features", entry), "utf8");
      const used = [...text.matchAll(/useTranslation\("(\w+)"\)|["'`](\w+):\w+(?:\.\w+)*/g)].map((found) => found[1] ?? found[2] ?? "");
      for (const name of used)
        if (names.includes(name) && ![...shared, entry.split("/")[0]].includes(name)) offences.push(`${entry} says ${name}`);
    }
    expect(offences).toEqual([]);
  });
  it("are opened with their own texts", () => {
    const app = readFileSync(join(root, "app/App.tsx"), "utf8");
    const pages = [...app.matchAll(/page\("(\w+)", \(\) => import\("@\/features\/(\w+)/g)].map((found) => [found[1], found[2]]);
    expect(pages.filter(([texts, feature]) => texts !== feature)).toEqual([]);
    expect(new Set(pages.map(([texts]) => texts))).toEqual(new Set(readdirSync(join(root, "features"))));
  });
  it("never import each other", () => {
    const offences: string[] = [];
    for (const feature of readdirSync(join(root, "features")))
      for (const entry of readdirSync(join(root, "features", feature), { recursive: true, encoding: "utf8" })) {
        if (!/\.tsx?$/.test(entry)) continue;
        const text = readFileSync(join(root, "features", feature, entry), "utf8");
        for (const found of text.matchAll(/from "@\/features\/([^/"]+)/g))
          if (found[1] !== feature) offences.push(`${feature}/${entry} imports ${found[1]}`);
      }
    expect(offences).toEqual([]);
  });
});
