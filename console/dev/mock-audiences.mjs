// The development server's audiences. The forms of the predicates in mock-predicates.json are what the product answers
// to GET /predicates; the numbers are made up from the text of the tree.
import { readFileSync } from "node:fs";
import { CATEGORIES, CHANNELS, EVENT_NAMES, iso, label, NOW, PEOPLE, PRODUCTS, STORES, TAGS } from "./mock-data.mjs";

const PREDICATES = JSON.parse(readFileSync(new URL("./mock-predicates.json", import.meta.url), "utf8"));
const TOTAL = 2469;
const rule = (id, predicate, params) => ({ type: "rule", id, predicate, params });
const tree = (...children) => ({ type: "group", id: "g1", op: "and", children });

const audience = (audience_id, name, zh, en, size, refresh, children, used_by = []) => ({ audience_id, name, description: "", tree: tree(...children), sentence: label(zh, en), refresh, size, version: 7, computed_at: iso(NOW.getTime() - 3.6e6), created_by: "林运营", updated_at: iso(NOW.getTime() - 9e7), used_by, revision: 1 });
const audiences = [
  audience("a1", "周末高客单", "有标签“高客单”，且最近 30 天消费满 200.00", "has the tag “High basket” and spent at least 200.00 in the last 30 days", 812, "daily", [rule("r1", "tag", { tags: ["t1"], match: "any" }), rule("r2", "spent", { at_least: 20000, within_days: 30 })], [{ kind: "journey", id: "j1", name: "加购未付挽回" }]),
  audience("a2", "乳品爱好者", "最近 90 天购买品类“鲜奶”至少 3 次", "bought Fluid milk at least 3 times in the last 90 days", 430, "manual", [rule("r1", "bought", { by: "category", keys: ["fluid-milk"], measure: "times", at_least: 3, within_days: 90 })]),
  audience("a3", "沉睡 60 天", "最近一次“支付订单”在 60 天前或更早", "last did “Order paid” 60 or more days ago", 1104, "live", [rule("r1", "recency", { event: "order_paid", min_days: 60 })]),
];

const option = (value, name, count = null) => ({ value, label: name, count });
const OPTIONS = {
  events: EVENT_NAMES.map((item) => option(item.name, item.label, item.count)),
  traits: [option("level", label("会员等级", "Member level")), option("city", label("城市", "City")), option("birth_month", label("生日月份", "Birth month"))],
  trait_values: ["金卡", "银卡", "普通"].map((text, at) => option(text, label(text, ["Gold", "Silver", "Basic"][at]), 100 * (at + 1))),
  properties: [option("amount", label("金额", "Amount")), option("store_id", label("门店", "Store")), option("category", label("品类", "Category")), option("page", label("页面", "Page"))],
  products: PRODUCTS.map((item) => option(item.sku, item.name)),
  categories: CATEGORIES.map((item) => option(item.category_key, item.name, item.products)),
  stores: STORES.map((item) => option(item.store_id, item.name)),
  tags: TAGS.map((item) => option(item.tag_id, item.name, item.people)),
  channels: CHANNELS.map((item) => option(item.channel, item.label)),
  purposes: [option("marketing", label("营销", "Marketing")), option("service", label("服务通知", "Service")), option("profiling", label("画像分析", "Profiling")), option("sharing", label("向第三方共享", "Sharing"))],
};

const rulesOf = (node) => (node.type === "rule" ? [node] : node.children.flatMap(rulesOf));
const wordOf = (node) => PREDICATES.items.find((item) => item.key === node.predicate)?.label ?? label(node.predicate, node.predicate);

function count({ body }) {
  const rules = rulesOf(body.tree);
  const errors = rules.filter((each) => each.params.within_days > 3660).map((each) => ({ id: each.id, field: "within_days", message: "“最近天数”最多 3660 天" }));
  const hash = [...JSON.stringify(body.tree)].reduce((sum, each) => (Math.imul(sum, 31) + each.charCodeAt(0)) >>> 0, 7);
  const found = errors.length ? null : hash % TOTAL;
  return {
    count: found, total: TOTAL, at: iso(NOW), took_ms: 12 + (hash % 40), errors,
    sentence: label(rules.map((each) => wordOf(each).zh).join("，且"), rules.map((each) => wordOf(each).en).join(" and ")),
    reachable: found === null ? [] : [["wecom", "企业微信", "WeCom", 0.61], ["sms", "短信", "SMS", 0.34], ["mini_program", "小程序订阅", "Mini-program", 0.12]].map(([channel, zh, en, share]) => ({ channel, label: label(zh, en), count: Math.round(found * share) })),
  };
}

export function audienceRoutes(Problem, page) {
  const find = (id) => audiences.find((item) => item.audience_id === id) ?? (() => { throw new Problem(404, "audience_not_found", "人群包不存在"); })();
  return {
    "GET /predicates": () => PREDICATES,
    "GET /predicates/options": ({ query }) => {
      const source = query.get("source"), q = (query.get("q") ?? "").toLowerCase();
      const all = source === "audiences" ? audiences.map((item) => option(item.audience_id, label(item.name, item.name), item.size)) : (OPTIONS[source] ?? []);
      return { items: all.filter((item) => !q || `${item.value} ${item.label.zh} ${item.label.en}`.toLowerCase().includes(q)) };
    },
    "POST /audiences/count": count,
    "GET /audiences": () => ({ items: audiences, next_cursor: null, total: audiences.length }),
    "POST /audiences": ({ body }) => { const made = { ...audience(`a${audiences.length + 1}`, body.name, "新建的人群", "A new audience", 137, body.refresh, []), ...body, version: 1 }; audiences.push(made); return made; },
    "GET /audiences/:id": ({ id }) => find(id),
    "PUT /audiences/:id": ({ id, body }) => Object.assign(find(id), body, { version: find(id).version + 1 }),
    "DELETE /audiences/:id": ({ id }) => { audiences.splice(audiences.indexOf(find(id)), 1); },
    "POST /audiences/:id/refresh": ({ id }) => ({ version: ++find(id).version, at: iso(NOW), size: find(id).size, entered: 12, left: 4, took_ms: 31, kept: true }),
    "GET /audiences/:id/versions": ({ id }) => ({ items: Array.from({ length: 7 }, (_, at) => ({ version: 7 - at, at: iso(NOW.getTime() - at * 8.64e7), size: find(id).size - at * 8, entered: at === 6 ? find(id).size - 48 : 12, left: at === 6 ? 0 : 4, took_ms: 31, kept: at < 5 })), next_cursor: null, total: 7 }),
    "POST /audiences/:id/people": ({ body }) => page(PEOPLE, new Map(Object.entries(body)), 50),
  };
}
