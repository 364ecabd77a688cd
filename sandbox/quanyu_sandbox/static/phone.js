// The phone: which customer, which screen, what a finger does. Drawing is in chat.js and mini.js.

import { $, ask, face, follow, make, moment, Refused } from "./dom.js";
import { bubbles, chatBar, chatList, composer } from "./chat.js";
import { closeMini, openMini } from "./mini.js";
import { label, state, t, toggle } from "./texts.js";

const address = new URLSearchParams(location.search);
const here = { customer: address.get("customer"), chat: address.get("chat"), scan: address.get("scan"), person: null, corp: "" };
const drawn = { people: "", screen: "", log: "" };
let toastEnds = 0;

function remember() {
  const next = new URL(location.href);
  for (const key of ["customer", "chat"]) if (here[key]) next.searchParams.set(key, here[key]); else next.searchParams.delete(key);
  next.searchParams.delete("scan");
  history.replaceState(null, "", next);
}

function toast(text) {
  $("toast").textContent = text;
  $("toast").classList.add("on");
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => $("toast").classList.remove("on"), 2200);
}

async function act(body, said) {
  try {
    const done = await ask("/sandbox/act", { external_userid: here.customer, userid: here.chat ?? undefined, ...body });
    if (said) toast(typeof said === "function" ? said(done) : said);
    return done;
  } catch (error) {
    toast(error instanceof Refused && error.message === "offline" ? t("offline") : t("failed", error.message));
    return null;
  } finally {
    refresh();
  }
}

// ------------------------------------------------------------------ the list of customers
async function people() {
  const query = $("search").value.trim();
  const { items, total } = await ask(`/sandbox/customers?limit=60&q=${encodeURIComponent(query)}`);
  $("count").textContent = total > items.length ? t("shown", total, items.length) : t("people", total);
  const mark = JSON.stringify([items, here.customer, state.language]);
  if (mark === drawn.people) return;
  drawn.people = mark;
  const focused = document.activeElement?.dataset?.testid;
  $("people").replaceChildren(...(items.length ? items.map(personRow) : [make("li", { className: "empty" }, t(query ? "nobody" : "nobodyYet"))]));
  if (focused?.startsWith("customer-")) $("people").querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
}

function personRow(person) {
  const about = person.friend ? t("guide", person.staff_name ?? person.staff ?? "") : t("noFriend");
  const row = make("button", { type: "button", className: "person", testid: `customer-${person.external_userid}` },
    face(person.external_userid, person.unread, t("unread", person.unread)),
    make("span", {}, make("strong", {}, person.name), make("small", {}, about)),
    make("time", {}, moment(person.last_at, state.language)));
  row.setAttribute("aria-current", String(person.external_userid === here.customer));
  row.onclick = () => { closeMini(); closeSheet(); Object.assign(here, { customer: person.external_userid, chat: null, person: null, fresh: true }); remember(); refresh(); };
  return make("li", {}, row);
}

// ------------------------------------------------------------------ the screen
async function screen() {
  document.querySelector(".desk").toggleAttribute("data-customer", Boolean(here.customer));
  if (!here.customer) {
    draw("nobody", () => [make("p", { className: "empty" }, t("pick"))]);
    return;
  }
  const person = await ask(`/sandbox/customers/${encodeURIComponent(here.customer)}`);
  here.person = person;
  if (here.scan) { const config = here.scan; here.scan = null; remember(); await act({ action: "add", config_id: config, userid: undefined }, (done) => t("addedToast", done.userid)); return; }
  if (here.fresh && person.chats.length === 1) { here.chat = person.chats[0].userid; remember(); }
  here.fresh = false;
  const chat = person.chats.find((one) => one.userid === here.chat);
  if (!chat) {
    draw(JSON.stringify(["list", person.chats, state.language]), () => chatList(person, here.corp, { open: (userid) => { here.chat = userid; remember(); refresh(); }, scan: scanSheet, leave: () => { Object.assign(here, { customer: null, person: null }); remember(); refresh(); } }));
    return;
  }
  const elsewhere = person.chats.reduce((sum, one) => sum + (one.userid === chat.userid ? 0 : one.unread), 0);
  draw(JSON.stringify(["chat", here.customer, chat.userid, chat.friend, elsewhere, state.language]), () => [
    chatBar(chat, here.corp, elsewhere, { back: () => { here.chat = null; remember(); refresh(); }, menu: () => menuSheet(chat) }),
    make("div", { className: "log", id: "log", role: "log", "aria-live": "polite", testid: "chat", tabIndex: 0 }),
    composer(chat.friend, { say: (text) => act({ action: "say", text }), addAgain: () => act({ action: "add" }, t("addedToast", chat.name)) }),
  ]);
  await log(chat, person);
  if (chat.unread) await ask("/sandbox/act", { action: "read", external_userid: here.customer, userid: chat.userid });
}

async function log(chat, person) {
  const { messages } = await ask(`/sandbox/chat?external_userid=${encodeURIComponent(person.external_userid)}&userid=${encodeURIComponent(chat.userid)}`);
  const mark = JSON.stringify([messages.map((one) => [one.message_id, one.opened_at]), state.language, drawn.screen]);
  if (mark === drawn.log || !$("log")) return;
  drawn.log = mark;
  const focused = document.activeElement?.closest?.("[data-message]")?.dataset.message;
  const atEnd = $("log").scrollTop + $("log").clientHeight > $("log").scrollHeight - 60;
  $("log").replaceChildren(...bubbles(messages, chat, person.external_userid, here.corp, { tap: (message) => openMini(message, person, here.corp).then(refresh) }));
  if (atEnd) $("log").scrollTop = $("log").scrollHeight;
  if (focused) $("log").querySelector(`[data-message="${focused}"] button`)?.focus({ preventScroll: true });
}

// Draws a screen only when it has changed, so that a focus or a half-written text is not lost.
function draw(mark, parts) {
  if (mark === drawn.screen) return;
  drawn.screen = mark;
  drawn.log = "";
  $("screen").replaceChildren(...parts());
}

// ------------------------------------------------------------------ sheets
let sheetFrom = null;
function openSheet(title, choices) {
  sheetFrom = document.activeElement;
  const buttons = choices.map(({ text, hint, danger, testid, work }) => {
    const button = make("button", { type: "button", className: danger ? "danger" : "", testid }, text, hint ? make("small", {}, hint) : null);
    button.onclick = () => { closeSheet(); work(); };
    return button;
  });
  const away = make("button", { type: "button", className: "away", testid: "sheet-cancel" }, t("cancel"));
  away.onclick = closeSheet;
  $("sheet").replaceChildren(make("div", { className: "drawer", role: "dialog", "aria-modal": "true", "aria-label": title }, make("h3", {}, title), ...buttons, away));
  $("sheet").hidden = false;
  (buttons[0] ?? away).focus();
}

function closeSheet() {
  if ($("sheet").hidden) return;
  $("sheet").hidden = true;
  $("sheet").replaceChildren();
  sheetFrom?.focus?.();
}

function menuSheet(chat) {
  openSheet(chat.name || chat.userid, [
    chat.friend
      ? { text: t("block"), hint: t("blockHint"), danger: true, testid: "block-staff", work: () => act({ action: "block" }, t("blockedToast")) }
      : { text: t("addAgain"), testid: "add-staff-menu", work: () => act({ action: "add" }, t("addedToast", chat.name)) },
    { text: t("add"), testid: "scan-other", work: scanSheet },
  ]);
}

async function scanSheet() {
  const [{ items: staff }, { items: ways }, person] = await Promise.all([ask("/sandbox/staff"), ask("/sandbox/contact-ways"), ask(`/sandbox/customers/${encodeURIComponent(here.customer)}`)]);
  const friends = new Set(person.chats.filter((one) => one.friend).map((one) => one.userid));
  const added = (done) => { if (done) { here.chat = done.userid; remember(); refresh(); } };
  const choices = [
    ...ways.filter((way) => !way.user.every((userid) => friends.has(userid))).slice(0, 20).map((way) => ({ text: t("way", way.remark || way.state || way.config_id.slice(0, 8)), hint: way.user.join(", "), testid: `scan-way-${way.config_id}`, work: () => act({ action: "add", config_id: way.config_id, userid: undefined }, (done) => t("addedToast", done.userid)).then(added) })),
    ...staff.filter((one) => !friends.has(one.userid)).slice(0, 40).map((one) => ({ text: one.name, hint: one.userid, testid: `scan-${one.userid}`, work: () => act({ action: "add", userid: one.userid }, t("addedToast", one.name)).then(added) })),
  ];
  openSheet(choices.length ? t("scanTitle") : t("noCodes"), choices);
}

// ------------------------------------------------------------------ together
async function all() {
  $("clock").textContent = new Date().toTimeString().slice(0, 5);
  if (!here.corp) here.corp = (await ask("/sandbox/stats")).corp_name;
  await Promise.all([people(), screen()]);
}

function words() {
  label();
  $("search").placeholder = t("search");
  $("search").setAttribute("aria-label", t("search"));
  $("language").textContent = t("other");
}

const refresh = follow(all);
$("language").onclick = () => { toggle(); closeMini(); closeSheet(); words(); refresh(); };
$("search").oninput = () => refresh();
$("sheet").onclick = (event) => { if (event.target === $("sheet")) closeSheet(); };
document.addEventListener("keydown", (event) => { if (event.key === "Escape") { if (!$("sheet").hidden) closeSheet(); else closeMini(); } });
words();
refresh();
