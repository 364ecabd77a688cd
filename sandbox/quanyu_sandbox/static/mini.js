// The brand's mini program, as far as a coupon needs it: the page that a card opens, and the button that redeems.

import { $, amount, ask, face, icon, make, moment, Refused, symbol } from "./dom.js";
import { state, t } from "./texts.js";

const DOTS = ["circle 5 12 1.2", "circle 12 12 1.2", "circle 19 12 1.2"];
const CLOSE = ["circle 12 12 8", "circle 12 12 2.5"];
const sentence = (error) => (error instanceof Refused && error.message === "offline" ? t("offline") : t("failed", error.message));

let cameFrom = null;

export function closeMini() {
  if ($("mini").hidden) return;
  $("mini").hidden = true;
  $("mini").replaceChildren();
  cameFrom?.focus?.();
  cameFrom = null;
}

// Tapping tells the brand that the page was opened; what it shows comes from the brand's API, now.
export async function openMini(message, person, corp) {
  cameFrom = document.activeElement;
  const body = make("div", { className: "mini-body" }, make("p", { className: "wait" }, t("loading")));
  const shut = make("button", { type: "button", testid: "close-mini", "aria-label": t("close") }, icon(CLOSE));
  shut.onclick = closeMini;
  const bar = make("header", { className: "mini-bar" }, make("span"), make("h2", { id: "mini-title" }, corp),
    make("span", { className: "capsule" }, make("button", { type: "button", tabIndex: -1, "aria-hidden": "true" }, icon(DOTS)), shut));
  $("mini").replaceChildren(bar, body);
  $("mini").hidden = false;
  shut.focus();
  const member = make("div", { className: "member" }, face(person.external_userid), make("div", {}, make("b", {}, person.name), make("span", {}, t("hello"))));
  try {
    await ask("/sandbox/act", { action: "tap", message_id: message.message_id });
    const { items } = await ask(`/sandbox/coupons?message_id=${message.message_id}`);
    const shown = items.length ? items.map((item) => coupon(item, message, body)) : [make("p", { className: "wait" }, t("nothing"))];
    body.replaceChildren(member, ...shown);
  } catch (error) {
    body.replaceChildren(member, make("p", { className: "failed", role: "alert", testid: "mini-error" }, sentence(error)));
  }
}

const label = (name) => (name && typeof name === "object" ? name[state.language] ?? name.zh : name ?? "");

function faceValue(item) {
  if (item.kind === "percent_off") {
    const folds = state.language === "en" ? item.value : String((100 - item.value) / 10);
    return make("b", {}, t("percentOff", folds));
  }
  return make("b", {}, make("small", {}, symbol(item.currency)), amount(item.value), make("small", {}, ` ${t("off")}`));
}

function coupon(item, message, body) {
  const words = { issued: t("use"), redeemed: t("used"), expired: t("expired"), void: t("void") };
  const style = { redeemed: "used", expired: "expired", void: "void" }[item.status] ?? "";
  const act = make("button", { type: "button", className: "primary", testid: "redeem", disabled: item.status !== "issued" }, words[item.status] ?? item.status);
  const fact = (term, value) => (value ? [make("dt", {}, term), make("dd", {}, value)] : []);
  const card = make("article", { className: `coupon ${style}`, testid: "coupon" },
    make("div", { className: "face-value" }, faceValue(item), make("span", {}, item.threshold ? t("threshold", symbol(item.currency) + amount(item.threshold)) : t("noThreshold"))),
    make("div", { className: "facts" }, make("h3", {}, label(item.name)),
      make("dl", {}, ...fact(t("code"), make("code", { testid: "coupon-code" }, item.code.toUpperCase())), ...fact(t("until"), item.expires_at ? moment(item.expires_at, state.language) : ""), ...fact(t("order"), item.order_id))),
    make("div", { className: "act" }, act));
  card.dataset.status = item.status;
  act.onclick = () => redeem(message, card, act, body);
  return card;
}

async function redeem(message, card, act, body) {
  act.disabled = true;
  act.textContent = t("using");
  body.querySelector(".failed")?.remove();
  try {
    const done = await ask("/sandbox/act", { action: "redeem", message_id: message.message_id });
    card.classList.add("used");
    card.dataset.status = "redeemed";
    act.textContent = t("used");
    const tick = icon(["circle 30 30 28", "M18 31l8 8 16-18"], "0 0 60 60");
    const note = make("section", { className: "done", role: "status", testid: "redeemed" }, tick, make("b", {}, t(done.outcome)), make("small", {}, `${t("order")} ${done.order_id}`));
    note.dataset.order = done.order_id;
    body.append(note);
    note.scrollIntoView({ behavior: "smooth", block: "end" });
  } catch (error) {
    act.disabled = false;
    act.textContent = t("use");
    body.append(make("p", { className: "failed", role: "alert", testid: "mini-error" }, sentence(error)));
  }
}
