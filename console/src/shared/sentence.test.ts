import i18next from "i18next";
import { beforeAll, describe, expect, it } from "vitest";
import zh from "@/locales/zh/shell.json";
import en from "@/locales/en/shell.json";
import { ApiError, type FieldError } from "@/shared/api";
import { sentenceOf } from "@/shared/ui";

const refused = (fields: FieldError[], detail: string | null = "see errors") => new ApiError(422, "invalid", "Not valid", detail, fields, null, {});

beforeAll(() => i18next.init({ lng: "en", resources: { zh: { shell: zh }, en: { shell: en } } }));

describe("an error as a sentence", () => {
  it("calls a field what the server calls it, else what it is called everywhere", () => {
    expect(sentenceOf(refused([{ field: "r1.where.0.value", message: "Required", label: "Did · Where (1)" }, { field: "edits.0.path", message: "Too long" }]), "")).toBe(
      "Not valid — Did · Where (1): Required; Path: Too long",
    );
  });
  it("calls it what its form calls it before anything else", () => {
    expect(sentenceOf(refused([{ field: "config.name", message: "Required" }]), "", () => "Bucket")).toBe("Not valid — Bucket: Required");
  });
  it("never says a path that has no name, and nothing twice", () => {
    expect(sentenceOf(refused([{ field: "filters.0.zzz", message: "Wrong" }, { field: "filters.1.zzz", message: "Wrong" }]), "")).toBe("Not valid — Wrong");
  });
  it("is written as Chinese is where the page is Chinese", async () => {
    await i18next.changeLanguage("zh");
    expect(sentenceOf(refused([{ field: "name", message: "必填" }, { field: "to", message: "太长" }]), "")).toBe("Not valid — 名称：必填；新名字：太长");
    await i18next.changeLanguage("en");
  });
  it("says the detail where no field is at fault, and the given words for what is no answer of the server", () => {
    expect(sentenceOf(refused([]), "")).toBe("Not valid — see errors");
    expect(sentenceOf(new Error("x"), "It failed")).toBe("It failed");
  });
});
