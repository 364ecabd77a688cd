// The two screens of the chat: the list of chats, and one chat with its bubbles and cards. Only draws.

import { face, icon, make, moment } from "./dom.js";
import { state, t } from "./texts.js";

const BACK = "M15 5l-7 7 7 7";
const DOTS = ["circle 5 12 1.4", "circle 12 12 1.4", "circle 19 12 1.4"];
const PLUS = ["circle 12 12 9", "M12 8v8M8 12h8"];
const LOOP = ["M9 6.500a3 3 0 1 0-3 3M7 9.500a3 3 0 1 0 3-3"];

const name = (chat) => chat.name || chat.userid;

function preview(last, who) {
  if (!last) return t("noNews");
  if (last.kind === "text") return last.body.content;
  if (last.kind === "miniprogram") return `${t("mini")} ${last.body.title}`;
  if (last.kind === "link") return `${t("link")} ${last.body.title}`;
  if (last.kind === "added" || last.kind === "blocked") return t(last.kind, who);
  return t(last.kind);
}

export function chatList(person, corp, on) {
  const rows = person.chats.map((chat) => {
    const row = make("button", { type: "button", className: "chat-row", testid: `chat-${chat.userid}` },
      face(chat.userid, chat.unread, t("unread", chat.unread)),
      make("div", {},
        make("span", { className: "top" }, make("b", {}, name(chat), " ", make("i", {}, `@${corp}`)), make("time", {}, moment(chat.last?.at, state.language))),
        make("span", { className: "last" }, preview(chat.last, name(chat)))));
    row.onclick = () => on.open(chat.userid);
    return make("li", {}, row);
  });
  const add = make("button", { type: "button", className: "icon end", testid: "scan", "aria-label": t("add"), title: t("add") }, icon(PLUS));
  add.onclick = on.scan;
  const leave = make("button", { type: "button", className: "icon leave", testid: "leave", "aria-label": t("back") }, icon(BACK));
  leave.onclick = on.leave;
  return [
    make("header", { className: "bar" }, leave, make("h2", {}, t("wechat")), add),
    rows.length ? make("ul", { className: "chats", testid: "chats" }, rows) : make("p", { className: "empty" }, t("noChats")),
  ];
}

export function chatBar(chat, corp, unreadElsewhere, on) {
  const back = make("button", { type: "button", className: "icon", testid: "back", "aria-label": t("back") }, icon(BACK));
  back.onclick = on.back;
  const more = make("button", { type: "button", className: "icon end", testid: "menu", "aria-label": t("more"), "aria-haspopup": "dialog" }, icon(DOTS));
  more.onclick = on.menu;
  const badge = unreadElsewhere ? make("i", { className: "badge", "aria-label": t("unread", unreadElsewhere) }, String(unreadElsewhere)) : null;
  return make("header", { className: "bar" }, make("span", { className: "start" }, back, badge), make("h2", { testid: "staff-name" }, name(chat), " ", make("span", { className: "corp" }, `@${corp}`)), more);
}

// The bubbles. A time is written where more than five minutes have passed, as in WeChat.
export function bubbles(messages, chat, customer, corp, on) {
  let before = 0;
  return messages.flatMap((message) => {
    const parts = [];
    const at = Date.parse(message.at);
    if (at - before > 300_000) parts.push(make("time", { className: "when", dateTime: message.at }, moment(message.at, state.language)));
    before = at;
    if (message.author === "system") return [...parts, make("p", { className: "note" }, t(message.kind, name(chat)))];
    const mine = message.author === "customer";
    const line = make("div", { className: mine ? "line mine" : "line", testid: mine ? "line-customer" : "line-staff" }, face(mine ? customer : chat.userid), content(message, corp, on));
    line.dataset.message = message.message_id;
    return [...parts, line];
  });
}

function content(message, corp, on) {
  const { kind, body } = message;
  if (kind === "text") return make("div", { className: "bubble", testid: "bubble" }, body.content);
  if (kind === "miniprogram") return miniCard(message, corp, on);
  if (kind === "link") return linkCard(message, on);
  if (kind === "image" && body.media_id) return make("img", { className: "picture", src: `/sandbox/media/${encodeURIComponent(body.media_id)}`, alt: t("image") });
  return make("div", { className: "bubble", testid: "bubble" }, t(kind));
}

function miniCard(message, corp, on) {
  const { body } = message;
  const photo = make("span", { className: "photo" });
  if (body.pic_media_id) photo.append(make("img", { src: `/sandbox/media/${encodeURIComponent(body.pic_media_id)}`, alt: "" }));
  photo.append(make("b", { "aria-hidden": "true" }, body.title));
  const card = make("button", { type: "button", className: "card", testid: "card", "aria-label": `${t("mini")} ${body.title}` },
    make("span", { className: "app" }, make("img", { src: "/static/icon.svg", alt: "" }), t("member", corp)),
    make("span", { className: "name" }, body.title), photo,
    make("span", { className: "foot" }, icon(LOOP, "0 0 16 16"), t("miniFoot"), message.opened_at ? ` · ${t("opened")}` : ""));
  card.onclick = () => on.tap(message);
  return card;
}

function linkCard(message, on) {
  const { body } = message;
  const card = make("button", { type: "button", className: "card link", testid: "link-card", "aria-label": `${t("link")} ${body.title}` },
    make("span", { className: "name" }, body.title),
    make("span", { className: "row" }, make("span", { className: "desc" }, body.desc ?? ""), make("span", { className: "thumb", "aria-hidden": "true" })));
  card.onclick = () => on.tap(message);
  return card;
}

export function composer(friend, on) {
  if (!friend) {
    const again = make("button", { type: "button", testid: "add-staff" }, t("addAgain"));
    again.onclick = on.addAgain;
    return make("footer", { className: "gone" }, t("gone"), " · ", again);
  }
  const input = make("input", { type: "text", autocomplete: "off", testid: "say-input", "aria-label": t("say"), placeholder: t("say"), maxLength: 1000 });
  const send = make("button", { type: "submit", testid: "say-send", disabled: true }, t("send"));
  input.oninput = () => { send.disabled = !input.value.trim(); };
  const form = make("form", { className: "composer" }, input, send);
  form.onsubmit = (event) => { event.preventDefault(); const text = input.value.trim(); if (text) { input.value = ""; send.disabled = true; on.say(text); } };
  return form;
}
