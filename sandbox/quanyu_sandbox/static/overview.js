// The overview: counts, tasks with a button to confirm, staff, faults. Follows the world by itself.

import { $, ask, follow, make, Refused } from "./dom.js";
import { label, state, t, toggle } from "./texts.js";

const COUNTS = ["customers", "friends", "tasks_open", "deliveries", "read", "opened", "redeemed", "blocked", "outgoing", "calls"];
const NAMES = { tasks_open: "o_tasks" };
const PATHS = ["*", "gettoken", "externalcontact/add_msg_template", "externalcontact/get_groupmsg_task", "externalcontact/get_groupmsg_send_result", "externalcontact/send_welcome_msg", "externalcontact/get", "media/upload", "callback", "webhook"];
const KINDS = ["drop", "drop_before", "http_500", "busy", "delay", "expire_tokens"];
const pathName = (path) => (path === "*" ? t("o_every") : path);
const kindName = (kind) => (KINDS.includes(kind) ? t(`k_${kind}`) : kind);

async function act(path, body, method = "POST") {
  try {
    if (method === "DELETE") await fetch(path, { method }); else await ask(path, body);
    $("said").textContent = "";
  } catch (error) {
    $("said").textContent = error instanceof Refused && error.message === "offline" ? t("offline") : t("failed", error.message);
  }
  refresh();
}

function counts(stats) {
  const format = new Intl.NumberFormat(state.language === "en" ? "en" : "zh-CN");
  $("counts").replaceChildren(...COUNTS.map((key) => {
    const value = make("dd", { testid: `count-${key}` }, format.format(stats[key]));
    return make("div", {}, make("dt", {}, t(NAMES[key] ?? `o_${key}`)), value);
  }));
  const clock = `${t("o_clock")} · ${t(stats.clock === "virtual" ? "o_virtual" : "o_machine")} · ${stats.now.slice(0, 19).replace("T", " ")} UTC`;
  const chips = [stats.corp_name, stats.corp_id, clock, t("o_speed", stats.speed), t("o_seed", stats.seed), t(stats.auto ? "o_auto" : "o_manual")];
  $("chips").replaceChildren(...chips.map((text) => make("span", {}, text)));
}

function taskState(task) {
  if (task.cancelled) return make("span", { className: "state off" }, t("o_cancelled"));
  if (task.status === 2) return make("span", { className: "state" }, t("o_done"));
  const button = make("button", { type: "button", className: "strong", testid: `confirm-${task.msgid}` }, t("o_confirm"));
  button.onclick = () => act("/sandbox/act", { action: "confirm", msgid: task.msgid, userid: task.userid });
  return button;
}

function tasks(items) {
  const rows = items.map((task) => make("tr", {},
    make("td", {}, task.name ?? task.userid),
    make("td", { className: "what" }, make("b", {}, task.text ?? task.cards[0] ?? ""), task.cards.length ? make("small", {}, task.cards.map((title) => `▣ ${title}`).join("  ")) : null),
    make("td", { className: "n" }, String(task.targets)), make("td", { className: "n" }, String(task.sent)), make("td", {}, taskState(task))));
  $("tasks").replaceChildren(...(rows.length ? rows : [make("tr", {}, make("td", { className: "none", colSpan: 5 }, t("o_noTasks")))]));
}

function staff(items) {
  const rows = items.slice(0, 100).map((one) => make("li", {}, make("img", { src: `/sandbox/avatar/${encodeURIComponent(one.userid)}`, alt: "" }),
    make("span", {}, one.name, make("small", {}, `${one.userid} · ${t("o_has", one.customers)}`)), one.tasks_open ? make("span", { className: "todo" }, t("o_open", one.tasks_open)) : null));
  $("staff").replaceChildren(...(rows.length ? rows : [make("li", {}, t("o_noStaff"))]));
}

function faults(items) {
  const rows = items.slice().reverse().slice(0, 20).map((one) => make("tr", {}, make("td", {}, kindName(one.kind)), make("td", {}, pathName(one.path)), make("td", { className: "n" }, String(one.happened)), make("td", { className: "n" }, String(one.remaining))));
  $("faults").replaceChildren(...(rows.length ? rows : [make("tr", {}, make("td", { className: "none", colSpan: 4 }, t("o_noFaults")))]));
}

async function all() {
  const [stats, work, members, trouble] = await Promise.all([ask("/sandbox/stats"), ask("/sandbox/tasks?limit=30"), ask("/sandbox/staff"), ask("/sandbox/faults")]);
  counts(stats); tasks(work.items); staff(members.items); faults(trouble.items);
}

function words() {
  label();
  $("language").textContent = t("other");
  $("phone-link").href = state.language === "en" ? "/phone?lang=en" : "/phone";
  const chosen = [$("fault-path").value, $("fault-kind").value];
  $("fault-path").replaceChildren(...PATHS.map((path) => make("option", { value: path }, pathName(path))));
  $("fault-kind").replaceChildren(...KINDS.map((kind) => make("option", { value: kind }, kindName(kind))));
  if (chosen[0]) [$("fault-path").value, $("fault-kind").value] = chosen;
}

const refresh = follow(all);
$("language").onclick = () => { toggle(); words(); refresh(); };
$("fault-form").onsubmit = (event) => { event.preventDefault(); act("/sandbox/faults", { path: $("fault-path").value, kind: $("fault-kind").value, times: Number($("fault-times").value) || 1, seconds: 3 }); };
$("fault-clear").onclick = () => act("/sandbox/faults", null, "DELETE");
words();
refresh();
