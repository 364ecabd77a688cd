// Numbers, money, shares and times as operators read them: 万/亿 in Chinese, thousands in English, tabular figures.
import dayjs from "dayjs";
import relativeTime from "dayjs/plugin/relativeTime";
import timezone from "dayjs/plugin/timezone";
import utc from "dayjs/plugin/utc";
import "dayjs/locale/zh-cn";
import i18next from "i18next";

dayjs.extend(utc);
dayjs.extend(timezone);
dayjs.extend(relativeTime);

const SYMBOLS: Record<string, string> = { CNY: "¥", USD: "$", EUR: "€", HKD: "HK$", JPY: "¥" };
const WITHOUT_MINOR = new Set(["JPY", "KRW", "VND"]);

function chinese(): boolean {
  return i18next.language !== "en";
}

export function integer(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US");
}

/** A quantity, with as many decimals as it has, up to three. */
export function decimal(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

/** A number that fits a card: 1.2万, 3.4亿, 12.3k. */
export function short(value: number, digits = 1): string {
  const units: [number, string][] = chinese()
    ? [[1e8, "亿"], [1e4, "万"]]
    : [[1e9, "B"], [1e6, "M"], [1e4, "k"]];
  for (const [size, name] of units) {
    if (Math.abs(value) >= size) return `${(value / (name === "k" ? 1e3 : size)).toFixed(digits)}${name}`;
  }
  return Number.isInteger(value) ? value.toLocaleString("en-US") : value.toFixed(digits);
}

function major(amount: number, currency: string): number {
  return WITHOUT_MINOR.has(currency) ? amount : amount / 100;
}

export function symbol(currency: string): string {
  return SYMBOLS[currency] ?? `${currency} `;
}

export function money(amount: number | null | undefined, currency: string): string {
  if (amount === null || amount === undefined) return "–";
  const digits = WITHOUT_MINOR.has(currency) ? 0 : 2;
  const text = Math.abs(major(amount, currency)).toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return `${amount < 0 ? "−" : ""}${symbol(currency)}${text}`;
}

export function moneyShort(amount: number | null | undefined, currency: string): string {
  if (amount === null || amount === undefined) return "–";
  const value = major(amount, currency);
  return Math.abs(value) < 1e4 ? money(amount, currency) : `${symbol(currency)}${short(value)}`;
}

/** Words after each other: 甲、乙 in Chinese, a, b in English. */
export function listed(words: string[]): string {
  return words.join(chinese() ? "、" : ", ");
}

/** A size on disk: 512 B, 1.4 MB. */
export function bytes(value: number): string {
  const names = ["B", "KB", "MB", "GB", "TB"];
  const step = Math.min(names.length - 1, value > 0 ? Math.floor(Math.log(value) / Math.log(1024)) : 0);
  return `${(value / 1024 ** step).toFixed(step ? 1 : 0)} ${names[step]}`;
}

export function percent(value: number | null | undefined, digits = 1): string {
  return value === null || value === undefined ? "–" : `${(value * 100).toFixed(digits)}%`;
}

let zone: string | undefined;

export function setTimeZone(name: string): void {
  zone = name;
}

/** An instant in the brand's time zone. */
export function at(instant: string | null | undefined, pattern = "YYYY-MM-DD HH:mm"): string {
  if (!instant) return "–";
  const time = dayjs(instant);
  return (zone ? time.tz(zone) : time).format(pattern);
}

export function ago(instant: string | null | undefined): string {
  if (!instant) return "–";
  return dayjs(instant).locale(chinese() ? "zh-cn" : "en").fromNow();
}

export function today(): dayjs.Dayjs {
  return zone ? dayjs().tz(zone) : dayjs();
}
