// The phone: pick a customer, see the chat, tap the card, redeem the coupon, add or block a member of staff.
const TEXTS = {
  zh: { title: "顾客手机", hint: "挑一位顾客，看看 TA 收到了什么，点开卡片试试核销。", search: "按姓名查找顾客", other: "English", none: "还没有消息", pick: "从左边选一位顾客", add: "扫码添加导购", block: "删除导购（拉黑）", mini: "会员小程序", app: "小程序", open: "打开小程序", redeem: "下单并核销", redeemed: "已核销，订单号 ", used: "已使用", expired: "已过期", nothing: "这张卡片没有优惠券", code: "券码", until: "有效期至", over: "满 {0} 可用", off: "立减", percent: "折扣 {0}%", failed: "没有成功：", guide: "导购", notFriend: "已不是好友" },
  en: { title: "Customer's phone", hint: "Pick a customer, see what they received, open the card and redeem.", search: "Find a customer by name", other: "中文", none: "No messages yet", pick: "Pick a customer on the left", add: "Scan the guide's code (add)", block: "Delete the guide (block)", mini: "Member mini program", app: "Mini program", open: "Open mini program", redeem: "Order and redeem", redeemed: "Redeemed, order ", used: "Used", expired: "Expired", nothing: "This card has no coupon", code: "Code", until: "Valid until", over: "on orders over {0}", off: "off", percent: "{0}% off", failed: "It did not work: ", guide: "Guide", notFriend: "Not a friend any more" },
};
const COLOURS = ["#1554d9", "#0b7a5e", "#9a3412", "#7c3aed", "#be185d", "#0e7490"];
const SYMBOL = { CNY: "¥", USD: "$" };
const $ = (id) => document.getElementById(id);
const params = new URLSearchParams(location.search);
let language = params.get("lang") === "en" ? "en" : "zh";
let current = params.get("customer");
let shown = "";
let opened = null;
const t = (key, value) => TEXTS[language][key].replace("{0}", value ?? "");

function make(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) key === "testid" ? (node.dataset.testid = value) : key in node ? (node[key] = value) : node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
const face = (name) => make("span", { className: "face", ariaHidden: "true", style: `background:${COLOURS[[...name].reduce((sum, c) => sum + c.codePointAt(0), 0) % COLOURS.length]}` }, name.slice(0, 1));
const time = (at) => new Date(at * 1000).toLocaleString(language === "en" ? "en-GB" : "zh-CN", { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit" });
const money = (amount, currency) => `${SYMBOL[currency] ?? currency + " "}${(amount / 100).toFixed(amount % 100 ? 2 : 0)}`;
const ask = async (path, body) => { const answer = await fetch(path, body ? { method: "POST", body: JSON.stringify(body) } : {}); return answer.json(); };

async function people() {
  const { items } = await ask(`/sandbox/customers?q=${encodeURIComponent($("search").value)}`);
  $("people").replaceChildren(...items.map((person) => {
    const picture = face(person.name);
    if (person.unread) picture.append(make("b", {}, String(person.unread)));
    const button = make("button", { type: "button", testid: `customer-${person.external_userid}` }, picture, make("span", {}, person.name, make("small", {}, `${t("guide")} ${person.staff}${person.friend ? "" : " · " + t("notFriend")}`)));
    button.setAttribute("aria-current", String(person.external_userid === current));
    button.onclick = () => { current = person.external_userid; shown = ""; close(); history.replaceState(null, "", `?customer=${current}&lang=${language}`); look(); people(); };
    return make("li", {}, button);
  }));
}

async function look() {
  $("clock").textContent = new Date().toTimeString().slice(0, 5);
  if (!current) { $("chat").replaceChildren(make("p", { className: "quiet" }, t("pick"))); return; }
  const answer = await ask(`/sandbox/chat?external_userid=${current}&read=1`);
  if (!answer.customer) return;
  const mark = language + JSON.stringify(answer);
  if (mark === shown) return;
  shown = mark;
  $("staff").textContent = `${t("guide")} ${answer.customer.staff}`;
  $("block").hidden = !answer.customer.friend;
  const lines = answer.messages.flatMap((message) => [
    make("span", { className: "time" }, time(message.at)),
    make("div", { className: "line" }, face(message.userid), make("div", {}, message.text ? make("div", { className: "bubble", testid: "bubble" }, message.text) : null, tile(message))),
  ]);
  $("chat").replaceChildren(...(lines.length ? lines : [make("p", { className: "quiet" }, t("none"))]));
  $("chat").scrollTop = $("chat").scrollHeight;
}

function tile(message) {
  const body = message.card?.miniprogram ?? message.card?.link;
  if (!body) return null;
  const button = make("button", { type: "button", className: "tile", testid: "card" }, make("span", { className: "app" }, t("mini")), make("span", { className: "name" }, body.title), make("span", { className: "picture", ariaHidden: "true" }, "券"), make("span", { className: "foot" }, `⬡ ${t("app")}`));
  button.setAttribute("aria-label", `${t("open")}: ${body.title}`);
  button.onclick = () => open(message);
  return button;
}

async function open(message) {
  opened = message;
  $("mini").hidden = false;
  $("mini-body").replaceChildren(make("p", { className: "quiet" }, "…"));
  $("close").focus();
  await ask("/sandbox/act", { action: "tap", subject: message.id });
  const { items = [], error } = message.send ? await ask(`/sandbox/coupons?external_userid=${current}&send=${encodeURIComponent(message.send)}`) : {};
  if (error) return $("mini-body").replaceChildren(make("p", { className: "quiet", role: "alert" }, t("failed") + error));
  $("mini-body").replaceChildren(...(items.length ? items.flatMap(coupon) : [make("p", { className: "quiet" }, t("nothing"))]));
}

function coupon(item) {
  const value = item.kind === "percent_off" ? t("percent", item.value) : `${money(item.value, item.currency)} ${t("off")}`;
  const action = make("button", { type: "button", className: "primary", testid: "redeem", disabled: item.status !== "issued" }, item.status === "redeemed" ? t("used") : item.status === "expired" ? t("expired") : t("redeem"));
  action.onclick = async () => {
    action.disabled = true;
    const answer = await ask("/sandbox/act", { action: "redeem", subject: opened.id });
    if (answer.error || answer.coupon?.status === undefined || answer.coupon.status !== "redeemed") { action.disabled = false; $("mini-body").append(make("p", { role: "alert" }, t("failed") + (answer.error ?? answer.coupon?.title ?? ""))); return; }
    action.textContent = t("used");
    $("mini-body").append(make("p", { className: "done", role: "status", testid: "redeemed" }, t("redeemed") + answer.order_id));
  };
  return [make("article", { className: "coupon", testid: "coupon" }, make("div", { className: "value" }, value, make("small", {}, item.threshold ? t("over", money(item.threshold, item.currency)) : "")), make("div", { className: "about" }, make("strong", {}, item.name), make("br"), `${t("code")} `, make("code", {}, item.code), make("br"), item.expires_at ? `${t("until")} ${item.expires_at.slice(0, 10)}` : "")), action];
}

function close() { $("mini").hidden = true; $("sheet").hidden = true; opened = null; }
function label() {
  document.documentElement.lang = language === "en" ? "en" : "zh-CN";
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  $("search").placeholder = t("search"); $("search").setAttribute("aria-label", t("search"));
  $("language").textContent = t("other"); $("add").textContent = t("add"); $("block").textContent = t("block");
}
$("language").onclick = () => { language = language === "en" ? "zh" : "en"; shown = ""; label(); people(); look(); };
$("search").oninput = people;
$("menu").onclick = () => { $("sheet").hidden = !$("sheet").hidden; };
$("close").onclick = close;
$("back").onclick = () => { current = null; close(); people(); look(); };
$("add").onclick = async () => { await ask("/sandbox/act", { action: "add", subject: current }); $("sheet").hidden = true; look(); };
$("block").onclick = async () => { await ask("/sandbox/act", { action: "block", subject: current }); $("sheet").hidden = true; look(); people(); };
document.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
label(); people(); look(); setInterval(look, 1000); setInterval(people, 5000);
