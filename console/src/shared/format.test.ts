import i18next from "i18next";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { at, bytes, integer, money, moneyShort, percent, setTimeZone, short } from "@/shared/format";

beforeAll(async () => {
  await i18next.init({ lng: "zh", resources: {} });
  setTimeZone("America/New_York");
});
afterAll(() => setTimeZone("Asia/Shanghai"));

describe("numbers", () => {
  it("are shortened by 万 and 亿 in Chinese, by k, M and B in English", async () => {
    expect([short(9999), short(12_345), short(340_000_000)]).toEqual(["9,999", "1.2万", "3.4亿"]);
    await i18next.changeLanguage("en");
    expect([short(9999), short(12_345), short(3_400_000), short(5_000_000_000)]).toEqual(["9,999", "12.3k", "3.4M", "5.0B"]);
    await i18next.changeLanguage("zh");
  });
  it("show an absent value as a dash, never as zero", () => {
    expect([integer(null), money(null, "CNY"), percent(undefined), moneyShort(null, "USD")]).toEqual(["–", "–", "–", "–"]);
    expect(integer(0)).toBe("0");
  });
  it("read money in minor units, of currencies with and without them", () => {
    expect(money(123_456, "CNY")).toBe("¥1,234.56");
    expect(money(-50, "USD")).toBe("−$0.50");
    expect(money(500, "JPY")).toBe("¥500");
    expect(moneyShort(284_360_000_00, "CNY")).toBe("¥2.8亿");
  });
  it("read shares and sizes", () => {
    expect(percent(0.4909)).toBe("49.1%");
    expect([bytes(0), bytes(512), bytes(1536), bytes(88_211_034)]).toEqual(["0 B", "512 B", "1.5 KB", "84.1 MB"]);
  });
});

describe("instants", () => {
  it("are shown in the brand's time zone", () => {
    expect(at("2026-01-01T03:30:00Z")).toBe("2025-12-31 22:30");
    expect(at(null)).toBe("–");
  });
});
