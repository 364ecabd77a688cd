// The development server's journeys, sends, templates, coupons and connections: one running journey with a report.
import { between, iso, label, NOW, PEOPLE } from "./mock-data.mjs";

const node = (id, kind, config, x, y) => ({ id, kind, config, position: { x, y } });
const edge = (from, port, to) => ({ id: `${from}:${port}-${to}`, from, port, to });
const branch = { type: "group", id: "g1", op: "and", children: [{ type: "rule", id: "r1", predicate: "tag", params: { tags: ["t1"], match: "any" } }] };
const graph = {
  nodes: [
    node("n1", "trigger", { on: "event", event: "product_added_to_cart", where: [] }, 0, 0), node("n2", "wait", { mode: "event", event: "order_paid", value: 30, unit: "minutes", where: [] }, 0, 180),
    node("n3", "exit", {}, -180, 360), node("n4", "branch", { title: "高客单", tree: branch }, 180, 360), node("n5", "send", { connection: "wecom-main", template_id: "tp1", coupon_id: "cp1" }, 20, 540),
    node("n6", "send", { connection: "wecom-main", template_id: "tp2", coupon_id: null }, 340, 540), node("n7", "goal", { event: "order_paid", within_days: 7, where: [] }, 180, 720),
  ],
  edges: [edge("n1", "next", "n2"), edge("n2", "event", "n3"), edge("n2", "timeout", "n4"), edge("n4", "yes", "n5"), edge("n4", "no", "n6"), edge("n5", "next", "n7"), edge("n6", "next", "n7")],
};
const settings = { holdout_percent: 10, reentry: { rule: "after_exit", cooldown_days: null }, category: "marketing", purpose: "marketing", priority: 50, daily_cap: 1, quiet_hours: { from: "22:00", to: "08:00" }, exit_on_goal: true };
const journey = (journey_id, name, status, version) => ({ journey_id, name, status, pause_mode: null, version, graph: structuredClone(graph), settings: structuredClone(settings), live_graph: version ? graph : null, has_draft_changes: false, updated_at: iso(NOW.getTime() - 8e6), published_at: version ? iso(NOW.getTime() - 9e8) : null });
const journeys = [journey("j1", "加购未付挽回", "running", 3), journey("j2", "沉睡唤醒（夏季）", "draft", null)];
let tick = 0;
const numbers = (node_id, entered, more = {}) => ({ node_id, entered, waiting: 0, left: entered, held_out: 0, intended: 0, sent: 0, accepted: 0, rejected: 0, unknown: 0, delivered: 0, read: 0, redeemed: 0, converted: 0, suppressed: [], deferred: 0, ...more });
const suppressed = [{ reason: "consent_missing", label: label("没有营销授权", "No marketing consent"), count: 118 }, { reason: "daily_cap", label: label("超过每日上限", "Over the daily cap"), count: 41 }, { reason: "quiet_hours_expired", label: label("勿扰时段后已过期", "Expired after quiet hours"), count: 6 }];

function report() {
  tick += 1;
  const e = 4812 + tick, w = 63 + (tick % 5), held = 330;
  return {
    as_of: iso(NOW), version: 3, entered: e, active: w + 905, exited: e - w - 905, goal_converted: 702,
    nodes: [numbers("n1", e), numbers("n2", e, { waiting: w, left: e - w }), numbers("n3", 1423), numbers("n4", e - w - 1423), numbers("n5", 1180, { held_out: 118, intended: 1062, sent: 897, accepted: 890, rejected: 4, unknown: 3, delivered: 871, read: 512, redeemed: 143, suppressed }), numbers("n6", 2140, { held_out: held - 118, intended: 1928, sent: 1700, accepted: 1694, rejected: 6, delivered: 1611, read: 803, suppressed: suppressed.slice(0, 2) }), numbers("n7", 3320, { waiting: 905, converted: 702 })],
    edges: [["n1", "next", e], ["n2", "event", 1423], ["n2", "timeout", e - w - 1423], ["n4", "yes", 1180], ["n4", "no", 2140], ["n5", "next", 1180], ["n6", "next", 2140]].map(([from, port, count]) => ({ from, port, to: graph.edges.find((each) => each.from === from && each.port === port).to, count })),
    lift: { confidence: 0.95, method: label("两比例之差，Newcombe 区间", "Difference of two proportions, Newcombe interval"), treated: { people: 2990, converted: 655, rate: 0.219, amount: 9840200 }, holdout: { people: 330, converted: 47, rate: 0.142, amount: 702100 }, difference: 0.077, interval: { low: 0.033, high: 0.115 }, relative: 0.54, p_value: 0.0011, amount_per_person: { treated: 3291, holdout: 2128, difference: 1163, interval: { low: 402, high: 1920 } }, verdict: "positive", explanation: label("收到消息的人比对照组多转化 7.7 个百分点", "Those who got messages convert 7.7 points more than the holdout") },
  };
}

const templates = [{ template_id: "tp1", name: "加购提醒（带券）", kind: "card", text: "{{name}}，购物车里的好物还在等你，送你{{coupon.name}}，{{store}}与小程序通用。", card: { title: "你的购物车还有好物未付款", page: "pages/cart/index", image: null } }, { template_id: "tp2", name: "加购提醒", kind: "text", text: "{{name}}，购物车里的好物库存不多了，去看看吧。", card: null }];
const coupons = [{ coupon_id: "cp1", name: "满 200 减 20", kind: "amount_off", value: 2000, threshold: 20000, currency: "USD", total: 5000, issued: 897, redeemed: 143, per_person: 1, valid_days: 7 }];
const STATUSES = ["accepted", "accepted", "accepted", "suppressed", "unknown", "rejected", "deferred", "held_out"];
const REASON = { suppressed: ["consent_missing", label("没有营销授权", "No marketing consent")], deferred: ["quiet_hours", label("勿扰时段", "Quiet hours")], unknown: ["timeout", label("对方没有应答", "No answer from the provider")], rejected: ["provider_refused", label("对方拒绝：客户已删除好友", "Refused: the contact was removed")] };
const sends = Array.from({ length: 64 }, (_, at) => {
  const status = STATUSES[at % STATUSES.length], made = NOW.getTime() - at * 5.4e5, out = status === "accepted" ? iso(made + 2000) : null, person = PEOPLE[at % PEOPLE.length];
  return { effect_id: `ef_${at + 1}`, person: { person_id: person.person_id, name: person.name }, connection: "wecom-main", journey: { journey_id: "j1", name: "加购未付挽回" }, node_id: at % 2 ? "n6" : "n5", status, reason: REASON[status]?.[0] ?? null, reason_label: REASON[status]?.[1] ?? null, title: templates[at % 2].name, coupon_code: at % 2 || status !== "accepted" ? null : `CP${100000 + at}`, created_at: iso(made), claimed_at: iso(made + 500), submitted_at: ["accepted", "unknown", "rejected"].includes(status) ? iso(made + 900) : null, settled_at: out, delivered_at: out, read_at: out && at % 3 === 0 ? iso(made + 9e5) : null, wake_at: status === "deferred" ? iso(made + 3e7) : null };
});

export function journeyRoutes(Problem, page) {
  const find = (id) => journeys.find((item) => item.journey_id === id) ?? (() => { throw new Problem(404, "journey_not_found", "画布不存在"); })();
  const turn = (status) => ({ id, body }) => Object.assign(find(id), { status, pause_mode: body.mode ?? null }, status === "running" ? { version: find(id).version ?? 1, live_graph: find(id).graph, has_draft_changes: false, published_at: iso(NOW) } : {});
  const summary = (item) => { const { nodes: _, ...numbers_ } = item.version ? report() : { entered: 0, active: 0, goal_converted: 0 }; return { journey_id: item.journey_id, name: item.name, status: item.status, version: item.version, entered: numbers_.entered, active: numbers_.active, converted: numbers_.goal_converted, updated_at: item.updated_at }; };
  const missing = (item) => item.graph.nodes.filter((each) => each.kind === "send" && !each.config.template_id).map((each) => ({ node_id: each.id, field: "template_id", code: "field_missing", message: label("请选择消息模板", "Choose a message template") }));
  return {
    "GET /journeys": () => ({ items: journeys.map(summary), next_cursor: null, total: journeys.length }),
    "POST /journeys": ({ body }) => { const made = { ...journey(`j${journeys.length + 1}`, body.name, "draft", null), ...(body.template ? {} : { graph: body.graph ?? { nodes: [graph.nodes[0]], edges: [] } }) }; journeys.push(made); return made; },
    "GET /journeys/:id": ({ id }) => find(id),
    "PUT /journeys/:id": ({ id, body }) => Object.assign(find(id), body, { has_draft_changes: find(id).version !== null, updated_at: iso(NOW) }),
    "POST /journeys/:id/validation": ({ id }) => ({ errors: missing(find(id)), warnings: [] }),
    "POST /journeys/:id/publish": turn("running"), "POST /journeys/:id/pause": turn("paused"), "POST /journeys/:id/resume": turn("running"), "POST /journeys/:id/end": turn("ended"),
    "GET /journeys/:id/report": report,
    "GET /journeys/:id/people": ({ query }) => page(PEOPLE, query, 50),
    "GET /templates": () => ({ items: templates, next_cursor: null, total: templates.length }),
    "POST /templates": ({ body }) => { const made = { template_id: `tp${templates.length + 1}`, card: null, ...body }; templates.push(made); return made; },
    "PUT /templates/:id": ({ id, body }) => Object.assign(templates.find((each) => each.template_id === id), body),
    "GET /coupons/definitions": () => ({ items: coupons, next_cursor: null, total: coupons.length }),
    "POST /coupons/definitions": ({ body }) => { const made = { coupon_id: `cp${coupons.length + 1}`, currency: "USD", issued: 0, redeemed: 0, ...body }; coupons.push(made); return made; },
    "GET /sends": ({ query }) => page(sends.filter((each) => ["status", "reason"].every((key) => !query.get(key) || each[key] === query.get(key))), query, 20),
    "GET /sends/summary": () => ({ by_status: [...new Set(STATUSES)].map((status) => ({ status, count: sends.filter((each) => each.status === status).length })), suppressed: suppressed.map(({ reason, label: name, count }) => ({ reason, label: name, count })), unknown: sends.filter((each) => each.status === "unknown").length }),
    "GET /sends/:id": ({ id }) => { const found = sends.find((each) => each.effect_id === id); return { ...found, history: [["intended", found.created_at, "旅程节点产生"], ["claimed", found.claimed_at, "通过授权与频控检查"], ...(found.submitted_at ? [["submitted", found.submitted_at, "已交给企业微信"]] : []), [found.status, found.settled_at ?? found.claimed_at, found.reason_label?.zh ?? ""]].map(([status, at, detail]) => ({ at, status, detail })), content: templates[between(0, 1)].text }; },
    "POST /sends/:id/resolution": ({ id, body }) => Object.assign(sends.find((each) => each.effect_id === id), { status: body.outcome === "resend" ? "intended" : body.outcome }),
  };
}
