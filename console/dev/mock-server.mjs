// A development server that answers like the product's API, so that pages can be made without a backend.
// Never shipped and never tested against; `node dev/mock-server.mjs [port]`, then `npm run dev`.
import { createServer } from "node:http";
import { between, CATEGORIES, day, EVENT_NAMES, EVENTS, iso, label, NOW, overview, pick, PEOPLE, PRODUCTS, random, STORES, TAGS } from "./mock-data.mjs";
import { detail } from "./mock-person.mjs";
import { accessRoutes } from "./mock-access.mjs";
import { audienceRoutes } from "./mock-audiences.mjs";
import { journeyRoutes } from "./mock-journeys.mjs";

const port = Number(process.argv[2] ?? 8600);
const ledger = new Map();
let signedIn = process.env.MOCK_SIGNED_IN === "1";

const page = (items, query, size = 20) => {
  const from = Number(query.get("cursor") || 0), limit = Number(query.get("limit") || size);
  return { items: items.slice(from, from + limit), next_cursor: from + limit < items.length ? String(from + limit) : null, total: items.length };
};
export class Problem extends Error {
  constructor(status, code, title, extra = {}) {
    super(title);
    this.body = { type: `urn:quanyu:${code}`, title, status, code, detail: null, errors: [], request_id: "req_mock", ...extra };
  }
}
const person = (id) => PEOPLE.find((item) => item.person_id === id) ?? (() => { throw new Problem(404, "person_not_found", "没有这个客户"); })();

const SOURCES = [
  ["pos", "门店 POS", "Store POS", "file", ["file"], 1474110, 1469307, 4803, 0, false],
  ["miniprogram", "会员小程序", "Member mini-program", "sdk", ["segment", "sensors"], 58210, 57120, 1042, 41, true],
  ["wecom", "企业微信回调", "WeCom callbacks", "callback", ["callback"], 2290, 2290, 0, 0, true],
].map(([source, zh, en, kind, protocol, accepted, stored, duplicate, quarantined, made]) => ({ source, name: label(zh, en), kind, protocol, brand: "fresh", channel: null, write_key: kind === "sdk" ? "wk_****a81c" : null, accepted, stored, duplicate, quarantined, pending: accepted - stored - duplicate - quarantined, balanced: true, last_event_at: iso(NOW.getTime() - 60000), made }));

const QUARANTINE = Array.from({ length: 23 }, (_, index) => ({ quarantine_id: `q${index}`, source: "miniprogram", received_at: iso(NOW.getTime() - index * 4e6), reason: ["time_out_of_range", "bad_json", "unknown_namespace"][index % 3], reason_label: [label("发生时间超出范围", "Time out of range"), label("不是合法 JSON", "Not valid JSON"), label("未知的标识类型", "Unknown identifier namespace")][index % 3], detail: ["occurred_at 1970-01-01T00:00:00Z 早于 2000-01-01", "第 1 行第 42 列：缺少引号", "namespace「mobil」不在策略表中，是否为 phone？"][index % 3], where: ["batch[3].timestamp", "body", "context.traits.mobil"][index % 3], count: between(1, 9), excerpt: '{"event":"cart_added","timestamp":"1970-01-01T00:00:00Z","context":{"traits":{"phone":"138****8000"}}}', status: index < 18 ? "held" : pick(["replayed", "discarded"]), note: null }));

const routes = {
  "POST /session": ({ body }) => {
    if (body.password !== "quanyu-demo") throw new Problem(401, "wrong_credentials", "用户名或密码不对");
    signedIn = true;
    return accessRoutes.session();
  },
  "GET /session": () => accessRoutes.session(),
  "DELETE /session": () => { signedIn = false; },
  ...accessRoutes.routes(Problem, page),
  "GET /stores": () => ({ items: STORES, next_cursor: null, total: STORES.length }),
  "GET /products": ({ query }) => page(PRODUCTS, query),
  "GET /categories": () => ({ items: CATEGORIES, next_cursor: null, total: 8 }),
  "GET /tags": () => ({ items: TAGS, next_cursor: null, total: 5 }),
  "GET /overview": ({ query }) => overview(query),
  "POST /people/search": ({ body }) => page(PEOPLE.filter((item) => !body.q || item.person_id === body.q || item.name?.includes(body.q)), new Map(Object.entries(body))),
  "GET /people/:id": ({ id }) => detail(person(id), ledger),
  "GET /people/:id/timeline": ({ query }) => page(EVENTS.filter((item) => !query.get("name") || item.name === query.get("name")), query, 12),
  "POST /people/:id/reveal": ({ body }) => { if (!body.reason) throw new Problem(422, "invalid", "请填写原因", { errors: [{ field: "reason", message: "必填" }] }); return { value: "13812348000" }; },
  "POST /people/merge": ({ body, query }) => ({ person_id: body.person_ids[0], link_id: 9, merged: body.person_ids.length, identifiers_moved: 3, preview: query.get("preview") === "true" }),
  "POST /identity/links/:id/deny": ({ id, query }) => { const preview = query.get("preview") === "true"; if (!preview) ledger.set(id, "denied"); return { link_id: Number(id), people: [PEOPLE[0].person_id, PEOPLE[1].person_id], people_before: 1, people_after: 2, identifiers_moved: 3, preview }; },
  "POST /identity/links/:id/restore": ({ id, query }) => { const preview = query.get("preview") === "true"; if (!preview) ledger.delete(id); return { link_id: Number(id), people: [PEOPLE[0].person_id], people_before: 2, people_after: 1, identifiers_moved: 3, preview }; },
  "POST /identity/links/:id/accept": ({ id, query }) => { const preview = query.get("preview") === "true"; if (!preview) ledger.set(id, "accepted"); return { link_id: Number(id), people: [PEOPLE[0].person_id], people_before: 2, people_after: 1, identifiers_moved: 1, preview }; },
  "PUT /people/:id/tags": ({ id, body }) => { const found = person(id); found.tags = [...found.tags.filter((tag) => !body.remove.includes(tag.tag_id)), ...TAGS.filter((tag) => body.add.includes(tag.tag_id)).map(({ tag_id, name }) => ({ tag_id, name }))]; return { tags: found.tags }; },
  "POST /people/:id/consent": ({ body }) => { ledger.set(`${body.purpose}/${body.channel}`, body.status === "granted" ? "granted" : "denied"); return { consent_id: "c1", at: iso(NOW) }; },
  "GET /events": ({ query }) => page(EVENTS.filter((item) => (!query.get("name") || item.name === query.get("name")) && (!query.get("store_id") || item.store?.store_id === query.get("store_id")) && (!query.get("channel") || item.channel === query.get("channel"))), query, 30),
  "GET /events/names": () => ({ items: EVENT_NAMES, next_cursor: null, total: null }),
  ...audienceRoutes(Problem, page),
  ...journeyRoutes(Problem, page),
  "GET /sources": () => ({ items: SOURCES, next_cursor: null, total: 3 }),
  "POST /sources": ({ body }) => { const made = { ...SOURCES[1], ...body, write_key: "wk_9f2c8b1a77d04e5f", accepted: 0, stored: 0, duplicate: 0, quarantined: 0, pending: 0, last_event_at: null, made: false, protocol: ["segment", "sensors"] }; SOURCES.push(made); return made; },
  "GET /sources/:id/books": () => ({ items: Array.from({ length: 48 }, (_, index) => { const stored = between(120, 900), duplicate = between(0, 30), quarantined = random() < 0.2 ? between(1, 25) : 0; return { hour_at: iso(Math.floor(NOW.getTime() / 3.6e6) * 3.6e6 - index * 3.6e6), accepted: stored + duplicate + quarantined, stored, duplicate, quarantined }; }), next_cursor: null, total: 48 }),
  "GET /quarantine": ({ query }) => page(QUARANTINE.filter((item) => !query.get("source") || item.source === query.get("source")), query, 10),
  "GET /quarantine/:id": ({ id }) => ({ ...QUARANTINE.find((item) => item.quarantine_id === id), raw: JSON.stringify({ event: "cart_added", timestamp: "1970-01-01T00:00:00Z", context: { traits: { phone: "138****8000" } } }, null, 2), masked: true }),
  "POST /quarantine/:id/replay": ({ id, body }) => { const bad = (body.body ?? "1970").includes("1970"); if (!bad) QUARANTINE.find((item) => item.quarantine_id === id).status = "replayed"; return bad ? { outcome: "quarantined", reason: "time_out_of_range", reason_label: label("发生时间超出范围", "Time out of range"), detail: "1970-01-01" } : { outcome: "stored", reason: null, reason_label: null, detail: "" }; },
  "POST /quarantine/:id/discard": ({ id }) => { QUARANTINE.find((item) => item.quarantine_id === id).status = "discarded"; },
  "GET /status": () => ({ worker: { alive: true, last_beat_at: iso(NOW), backlog_events: 49, backlog_bytes: 18211, lag_seconds: 1.4 }, stores: { state: "sqlite", history_rows: 1528717, history_bytes: 88211034 }, version: "0.1.0" }),
};

const patterns = Object.entries(routes).map(([key, handle]) => {
  const [method, path] = key.split(" ");
  return { method, pattern: new RegExp(`^/api/v1${path.replace(":id", "(?<id>[^/]+)")}$`), handle, wild: path.includes(":id") };
}).sort((one, other) => Number(one.wild) - Number(other.wild));

createServer(async (request, response) => {
  const url = new URL(request.url, "http://mock");
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : {};
  const slow = Number(process.env.MOCK_DELAY ?? 60);
  await new Promise((done) => setTimeout(done, slow));
  const answer = (status, value) => {
    response.writeHead(status, { "content-type": status >= 400 ? "application/problem+json" : "application/json" });
    response.end(value === undefined ? "" : JSON.stringify(value));
  };
  try {
    if (!signedIn && !url.pathname.endsWith("/session")) throw new Problem(401, "session_missing", "请先登录");
    if (!signedIn && request.method === "GET") throw new Problem(401, "session_missing", "请先登录", { demo_login: { username: "demo", password: "quanyu-demo" } });
    if (process.env.MOCK_FAIL && url.pathname.includes(process.env.MOCK_FAIL)) throw new Problem(503, "engine_busy", "分析引擎忙，请稍后再试", { detail: "30 秒内未完成" });
    for (const { method, pattern, handle } of patterns) {
      const found = method === request.method && pattern.exec(url.pathname);
      if (!found) continue;
      const value = handle({ query: url.searchParams, body, id: found.groups?.id && decodeURIComponent(found.groups.id) });
      return answer(value === undefined ? 204 : 200, value);
    }
    throw new Problem(404, "not_found", `没有 ${request.method} ${url.pathname}`);
  } catch (error) {
    if (!(error instanceof Problem)) console.error(error);
    answer(error.body?.status ?? 500, error.body ?? { title: String(error), status: 500, code: "bug" });
  }
}).listen(port, "127.0.0.1", () => console.log(`mock API on http://127.0.0.1:${port}, today is ${day(0)}`));
