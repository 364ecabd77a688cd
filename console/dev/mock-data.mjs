// Made-up data for the development server: a small grocer with people, orders, events and links, all from one seed.

let state = 20240607;
export function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}
export const pick = (items) => items[Math.floor(random() * items.length)];
export const between = (low, high) => Math.round(low + random() * (high - low));
export const label = (zh, en) => ({ zh, en });

export const NOW = new Date("2017-12-31T15:20:00Z");
export const iso = (time) => new Date(time).toISOString();
export const day = (offset) => new Date(NOW.getTime() - offset * 86400000).toISOString().slice(0, 10);

const SURNAMES = [..."林周陈许王李赵孙吴郑何高梁宋唐"];
const GIVEN = ["音", "航", "雨桐", "思远", "敏", "子涵", "佳怡", "浩然", "梓萱", "文博", "一诺", "嘉懿"];

export const STORES = [
  ["31782", "上海 · 南京西路店", "Shanghai · Nanjing West Rd", "华东"],
  ["32004", "北京 · 三里屯店", "Beijing · Sanlitun", "华北"],
  ["33923", "杭州 · 湖滨银泰店", "Hangzhou · Hubin", "华东"],
  ["34280", "成都 · 太古里店", "Chengdu · Taikoo Li", "西南"],
  ["34466", "深圳 · 万象城店", "Shenzhen · MixC", "华南"],
  ["35576", "武汉 · 楚河汉街店", "Wuhan · Han Street", "华中"],
  ["36789", "西安 · 赛格店", "Xi'an · SEG", "西北"],
  ["37022", "南京 · 德基店", "Nanjing · Deji Plaza", "华东"],
].map(([store_id, zh, en, region]) => ({ store_id, name: label(zh, en), region }));

export const CATEGORIES = [
  ["fluid-milk", "鲜奶", "Fluid milk", "食品", "Grocery"],
  ["soft-drinks", "碳酸饮料", "Soft drinks", "食品", "Grocery"],
  ["cheese", "奶酪", "Cheese", "食品", "Grocery"],
  ["beef", "牛肉", "Beef", "肉类", "Meat"],
  ["frozen-pizza", "冷冻披萨", "Frozen pizza", "食品", "Grocery"],
  ["tropical-fruit", "热带水果", "Tropical fruit", "生鲜", "Produce"],
  ["bread", "面包", "Baked bread", "食品", "Grocery"],
  ["coffee", "咖啡", "Coffee", "食品", "Grocery"],
].map(([category_key, zh, en, dzh, den]) => ({ category_key, name: label(zh, en), department: label(dzh, den), products: between(20, 400) }));

export const PRODUCTS = CATEGORIES.flatMap((category, at) =>
  ["经典装", "家庭装", "小包装"].map((kind, index) => ({
    sku: String(1000000 + at * 10 + index),
    name: label(`${category.name.zh} · ${kind}`, `${category.name.en} · ${["classic", "family", "single"][index]}`),
    category: category.name,
    category_key: category.category_key,
    department: category.department,
  })),
);

export const CHANNELS = [
  ["store", "门店", "Store"],
  ["miniprogram", "小程序", "Mini-program"],
  ["wecom", "企业微信", "WeCom"],
].map(([channel, zh, en]) => ({ channel, label: label(zh, en) }));

export const TAGS = [
  ["t1", "高客单", "High basket", "消费"],
  ["t2", "周末购物", "Weekend shopper", "行为"],
  ["t3", "乳品偏好", "Likes dairy", "偏好"],
  ["t4", "价格敏感", "Price sensitive", "偏好"],
  ["t5", "沉睡客户", "Lapsed", "生命周期"],
].map(([tag_id, zh, en, group]) => ({ tag_id, name: label(zh, en), group: label(group, group), people: between(40, 800) }));

export const PEOPLE = Array.from({ length: 137 }, (_, index) => {
  const orders = between(1, 90);
  return {
    person_id: `p_${(0x8f21c0 + index * 7919).toString(16)}`,
    name: random() < 0.12 ? null : `${pick(SURNAMES)}*${pick(GIVEN).slice(-1)}`,
    phone: random() < 0.2 ? null : `13${between(0, 9)}****${between(1000, 9999)}`,
    home_store: random() < 0.9 ? (({ store_id, name }) => ({ store_id, name }))(pick(STORES)) : null,
    owner_staff: random() < 0.5 ? `${pick(SURNAMES)}*${pick(GIVEN).slice(-1)}` : null,
    tags: TAGS.filter(() => random() < 0.3).map(({ tag_id, name }) => ({ tag_id, name })),
    identifiers: between(1, 6),
    orders,
    amount: orders * between(900, 6200),
    currency: "USD",
    last_seen_at: iso(NOW.getTime() - random() * 86400000 * 90),
    made: random() < 0.25,
  };
});

export const EVENT_NAMES = [
  ["order_paid", "支付订单", "Order paid", 155848],
  ["page_viewed", "浏览页面", "Page viewed", 38210],
  ["cart_added", "加入购物车", "Added to cart", 9120],
  ["coupon_redeemed", "核销优惠券", "Coupon redeemed", 2102],
  ["campaign_mailed", "邮寄促销册", "Campaign mailed", 6589],
  ["message_delivered", "消息送达", "Message delivered", 842],
  ["consent_granted", "授权", "Consent granted", 1800],
].map(([name, zh, en, count]) => ({ name, label: label(zh, en), count }));

export const EVENTS = Array.from({ length: 260 }, (_, index) => {
  const kind = index % 3 ? pick(EVENT_NAMES) : EVENT_NAMES[0];
  const paid = kind.name === "order_paid";
  const time = NOW.getTime() - index * 5.1e6 - random() * 3e6;
  const items = paid || kind.name === "cart_added"
    ? Array.from({ length: between(1, 4) }, () => pick(PRODUCTS)).map((product) => ({ sku: product.sku, name: product.name, quantity: between(1, 3), unit_price: between(120, 1900) }))
    : [];
  const amount = paid ? items.reduce((sum, item) => sum + item.quantity * item.unit_price, 0) : null;
  const store = paid ? pick(STORES) : null;
  return {
    event_id: `e${index}-${between(1e6, 9e6)}`,
    source: paid ? "pos" : "miniprogram",
    name: kind.name,
    label: kind.label,
    occurred_at: iso(time),
    received_at: iso(time + 4000),
    channel: paid ? "store" : pick(["miniprogram", "wecom"]),
    touchpoint: paid ? "pos" : "mp_home",
    store: store ? { store_id: store.store_id, name: store.name } : null,
    staff_id: paid && random() < 0.4 ? "S0203" : null,
    order_id: paid ? `B${between(3e9, 4e9)}` : null,
    effect_id: kind.name === "message_delivered" ? `ef_${index}` : null,
    amount,
    currency: paid ? "USD" : null,
    items,
    properties: paid ? { payment: "card", discount: between(0, 300) } : { path: "/home", campaign: `C${between(1, 27)}` },
    person_id: PEOPLE[index % 29].person_id,
    made: !paid,
  };
});

const drillEvents = (query, from, to) => ({ kind: "events", query: { name: "order_paid", from, to, ...query } });
const bought = (params) => ({ kind: "people", tree: { type: "group", id: "g1", op: "and", children: [{ type: "rule", id: "r1", predicate: "bought", params }] } });

export function overview(query) {
  const from = query.get("from") || day(29);
  const to = query.get("to") || day(0);
  const days = Math.max(1, Math.round((Date.parse(to) - Date.parse(from)) / 86400000) + 1);
  state = 7 + days;
  const dates = Array.from({ length: days }, (_, index) => new Date(Date.parse(from) + index * 86400000).toISOString().slice(0, 10));
  const chosen = CHANNELS.filter((item) => !query.get("channel") || item.channel === query.get("channel"));
  const scale = (query.get("store_id") ? 0.08 : 1) * (query.get("category") ? 0.12 : 1);
  const trend = dates.flatMap((on, index) => chosen.map(({ channel }, at) => {
    const weekend = [0, 6].includes(new Date(on).getUTCDay()) ? 1.35 : 1;
    const orders = Math.round([420, 90, 22][CHANNELS.findIndex((item) => item.channel === channel)] * weekend * (0.8 + random() * 0.4) * scale * (index === Math.floor(days / 2) && days > 5 ? 1.9 : 1)) + at;
    return { on, channel, amount: orders * between(2700, 3300), orders };
  }));
  const sum = (rows, key) => rows.reduce((total, row) => total + row[key], 0);
  const gmv = sum(trend, "amount"), orders = sum(trend, "orders");
  const visitors = Math.round(orders * 3.1), buyers = Math.round(orders * 0.62);
  const series = (make) => dates.map((on) => ({ on, value: make(trend.filter((row) => row.on === on)) }));
  const kpi = (key, zh, en, unit, value, change, values, made, drill) => ({ key, label: label(zh, en), value, unit, previous: change === null ? null : unit === "percent" ? value / (1 + change) : Math.round(value / (1 + change)), change, series: values, made, drill });
  const people = 2469;
  const pyramid = [["champions", "重要价值", "Champions", 0.07, 0.31], ["loyal", "重要保持", "Loyal", 0.13, 0.27], ["promising", "重要发展", "Promising", 0.19, 0.2], ["at_risk", "重要挽留", "At risk", 0.26, 0.15], ["lapsed", "一般流失", "Lapsed", 0.35, 0.07]];
  return {
    as_of: iso(NOW), range: { from, to }, currency: "USD",
    formula: { visitors, conversion: orders / visitors, order_value: gmv / orders, gmv, orders, buyers, definitions: { visitors: label("到店与线上访问的去重人次", "Distinct visits, in store and online"), conversion: label("订单数 ÷ 访客数", "Orders ÷ visitors"), order_value: label("成交金额 ÷ 订单数", "GMV ÷ orders") } },
    kpis: [
      kpi("gmv", "成交金额", "GMV", "money", gmv, 0.124, series((rows) => sum(rows, "amount")), false, drillEvents({}, from, to)),
      kpi("orders", "订单数", "Orders", "count", orders, 0.081, series((rows) => sum(rows, "orders")), false, drillEvents({}, from, to)),
      kpi("buyers", "购买客户", "Buyers", "count", buyers, -0.012, series((rows) => Math.round(sum(rows, "orders") * 0.6)), false, bought({ by: "category", keys: [], measure: "times", at_least: 1, within_days: days })),
      kpi("visitors", "访客数", "Visitors", "count", visitors, 0.034, series((rows) => sum(rows, "orders") * 3), true, { kind: "events", query: { name: "page_viewed", from, to } }),
      kpi("conversion", "转化率", "Conversion", "percent", orders / visitors, 0.006, series(() => 0.28 + random() * 0.08), true, null),
      kpi("order_value", "客单价", "Order value", "money", Math.round(gmv / orders), 0.04, series((rows) => Math.round(sum(rows, "amount") / Math.max(1, sum(rows, "orders")))), false, drillEvents({}, from, to)),
      kpi("repurchase", "90 天复购率", "90-day repurchase", "percent", 0.372, 0.018, series(() => 0.34 + random() * 0.05), false, bought({ by: "category", keys: [], measure: "times", at_least: 2, within_days: 90 })),
      kpi("reachable", "可触达客户", "Reachable", "count", 1602, null, series(() => between(1500, 1602)), true, { kind: "people", tree: { type: "group", id: "g1", op: "and", children: [{ type: "rule", id: "r1", predicate: "has_consent", params: { purpose: "marketing", channel: "wecom" } }] } }),
    ],
    trend,
    channels: chosen.map(({ channel, label: name }) => { const rows = trend.filter((row) => row.channel === channel); return { channel, label: name, amount: sum(rows, "amount"), orders: sum(rows, "orders"), buyers: Math.round(sum(rows, "orders") * 0.6), visitors: sum(rows, "orders") * 3, drill: drillEvents({ channel }, from, to) }; }),
    stores: STORES.map((store, index) => { const share = (9 - index) / 44; return { store_id: store.store_id, name: store.name, amount: Math.round(gmv * share), orders: Math.round(orders * share), buyers: Math.round(buyers * share), visitors: index % 2 ? null : Math.round(visitors * share), conversion: index % 2 ? null : orders / visitors, order_value: Math.round(gmv / orders), drill: drillEvents({ store_id: store.store_id }, from, to) }; }),
    categories: CATEGORIES.map((category, index) => ({ category_key: category.category_key, name: category.name, department: category.department, amount: Math.round((gmv * (9 - index)) / 60), units: between(200, 3000), buyers: between(100, 800), drill: drillEvents({ category: category.category_key }, from, to) })),
    products: PRODUCTS.slice(0, 20).map((product, index) => ({ sku: product.sku, name: product.name, amount: Math.round((gmv * (22 - index)) / 800), units: between(90, 900), buyers: between(60, 400), drill: bought({ by: "product", keys: [product.sku], measure: "times", at_least: 1, within_days: days }) })),
    people: { total: people, new: 41, active: 1203, returning: 1162, drills: { total: { kind: "people", tree: { type: "group", id: "g1", op: "and", children: [] } }, new: null, active: null, returning: null }, definition: label("按最近一次消费、消费频次、消费金额三项分层", "Cut by recency, frequency and money"), pyramid: pyramid.map(([key, zh, en, share, money]) => ({ key, label: label(zh, en), people: Math.round(people * share), amount: Math.round(gmv * money), share, drill: { kind: "people", tree: { type: "group", id: "g1", op: "and", children: [{ type: "rule", id: "r1", predicate: "trait", params: { trait: "rfm", operator: "eq", value: key } }] } } })) },
  };
}
