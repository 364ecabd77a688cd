// Small helpers: making nodes (text is always text, never markup), asking the sandbox, showing time and money.

export const $ = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key === "testid") node.dataset.testid = value;
    else if (key.includes("-") || key === "role") node.setAttribute(key, value);
    else node[key] = value;
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
export function icon(path, box = "0 0 24 24") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", box);
  svg.setAttribute("aria-hidden", "true");
  for (const d of [path].flat()) {
    const part = document.createElementNS(SVG, d.startsWith("circle") ? "circle" : "path");
    if (d.startsWith("circle")) {
      const [, cx, cy, r] = d.split(" ");
      part.setAttribute("cx", cx); part.setAttribute("cy", cy); part.setAttribute("r", r);
    } else part.setAttribute("d", d);
    svg.append(part);
  }
  return svg;
}

export class Refused extends Error {}

export async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Refused("offline");
  }
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(found.error ?? `HTTP ${answer.status}`);
  return found;
}

export const face = (key, unread = 0, label = "") => {
  const node = make("span", { className: "face" }, make("img", { src: `/sandbox/avatar/${encodeURIComponent(key)}`, alt: "" }));
  if (unread) node.append(make("i", { className: "badge", testid: "unread", "aria-label": label }, unread > 99 ? "99+" : String(unread)));
  return node;
};

const SYMBOLS = { CNY: "¥", USD: "$", EUR: "€", HKD: "HK$", JPY: "¥", GBP: "£" };
export const symbol = (currency) => SYMBOLS[currency] ?? `${currency} `;
export const amount = (minor) => (minor / 100).toFixed(minor % 100 ? 2 : 0);

const sameDay = (one, other) => one.toDateString() === other.toDateString();
export function moment(iso, language, now = new Date()) {
  if (!iso) return "";
  const at = new Date(iso);
  const locale = language === "en" ? "en-GB" : "zh-CN";
  const hour = at.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit", hour12: false });
  if (sameDay(at, now)) return hour;
  return `${at.toLocaleDateString(locale, { month: "numeric", day: "numeric" })} ${hour}`;
}

// Calls `work` now and whenever the world has changed; never twice at once.
export function follow(work) {
  let running = false;
  let again = false;
  const go = async () => {
    if (running) { again = true; return; }
    running = true;
    do { again = false; await work().catch((error) => console.error(error)); } while (again);
    running = false;
  };
  new EventSource("/sandbox/live").addEventListener("change", go);
  return go;
}
