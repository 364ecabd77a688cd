// One made-up person's page for the development server: identifiers, why they are linked, traits, consent.
import { CATEGORIES, iso, label, NOW, STORES } from "./mock-data.mjs";

const days = (count) => iso(NOW.getTime() - count * 86400000);

export function detail(person, ledger) {
  const identifier = (identifier_id, namespace, zh, en, masked, strength, first, last, made = true) => ({ identifier_id, namespace, namespace_label: label(zh, en), masked, strength, state: strength > 50 ? "active" : "shared", sharing: strength > 50 ? 1 : 3, first_seen_at: days(first), last_seen_at: days(last), made });
  const identifiers = [
    identifier(1, "household", "家庭号", "Household id", "h:1**4", 90, 364, 1, false),
    identifier(2, "phone", "手机号", "Phone", person.phone ?? "139****7701", 90, 300, 3),
    identifier(3, "unionid", "微信 UnionID", "WeChat UnionID", "oX3f****9kQ", 90, 210, 2),
    identifier(4, "openid", "小程序 OpenID", "Mini-program OpenID", "o7aB****2Lm", 90, 210, 2),
    identifier(5, "external_userid", "企微外部联系人", "WeCom contact", "wmK2****x81", 90, 120, 9),
    identifier(6, "device", "设备", "Device", "iPhone****7F3E", 30, 88, 6),
    identifier(7, "cookie", "浏览器", "Browser cookie", "c-9f****12", 30, 60, 30),
  ];
  const link = (link_id, a, b, rule, zh, en, status, reason, count, name) => ({ link_id, a, b, rule, rule_label: label(zh, en), last_at: days(2), decided_by: null, decided_at: null, status: ledger.get(String(link_id)) ?? status, reason, first_at: days(200 - count), count, event: name ? { source: "miniprogram", event_id: `e-${link_id}`, name } : null });
  const links = [
    link(1, 1, 2, "same_event", "同一事件中同时出现", "Seen together in one event", "accepted", null, 14, "member_registered"),
    link(2, 2, 3, "same_event", "同一事件中同时出现", "Seen together in one event", "accepted", null, 6, "phone_authorized"),
    link(3, 3, 4, "same_event", "同一事件中同时出现", "Seen together in one event", "accepted", null, 41, "page_viewed"),
    link(4, 3, 5, "external_contact", "企微客户资料", "WeCom contact record", "accepted", null, 1, "contact_added"),
    link(5, 4, 6, "same_event", "同一事件中同时出现", "Seen together in one event", "accepted", null, 9, "page_viewed"),
    link(6, 6, 7, "same_event", "同一事件中同时出现", "Seen together in one event", "refused", label("超过上限：一台设备最多关联 3 人", "Past the limit: a device is shared by at most 3 people"), 2, "page_viewed"),
  ];
  const trait = (name, zh, en, value, personal = false, made = true) => ({ name, label: label(zh, en), value, at: days(40), source: made ? "miniprogram" : "household", personal, made });
  return {
    person,
    identifiers,
    links,
    traits: [
      trait("name", "姓名", "Name", person.name ?? "林*音", true),
      trait("birthday", "生日", "Birthday", "****-11-**", true),
      trait("age", "年龄段", "Age band", "35-44", false, false),
      trait("income", "收入段", "Income band", "50-74K", false, false),
      trait("household_size", "家庭人数", "Household size", 3, false, false),
      trait("level", "会员等级", "Level", "金卡"),
      trait("rfm", "RFM 分层", "RFM segment", "重要价值"),
    ],
    tags: person.tags,
    consent: ["marketing", "service", "profiling"].flatMap((purpose, row) => ["wecom", "sms", "miniprogram"].map((channel, column) => ({
      purpose, channel,
      purpose_label: { marketing: label("营销", "Marketing"), service: label("服务通知", "Service"), profiling: label("个性化", "Personalisation") }[purpose],
      channel_label: { wecom: label("企业微信", "WeCom"), sms: label("短信", "SMS"), miniprogram: label("小程序", "Mini-program") }[channel],
      status: ledger.get(`${purpose}/${channel}`) ?? ["granted", "unknown", "denied"][(row + column * 2) % 3],
      notice_version: "v3.2", at: days(50 + row * 9), source: "miniprogram", evidence: "mp_privacy_popup#8812",
    }))),
    stats: { orders: person.orders, amount: person.amount, first_order_at: days(350), last_order_at: days(6), stores: STORES.slice(0, 2).map((store) => ({ store_id: store.store_id, name: store.name })), categories: CATEGORIES.slice(0, 5).map((category, at) => ({ category_key: category.category_key, name: category.name, amount: Math.round(person.amount / (at + 2.5)) })) },
    audiences: [{ audience_id: "a1", name: "周末高客单" }, { audience_id: "a2", name: "乳品爱好者" }],
    journeys: [{ journey_id: "j1", name: "加购未付挽回", node: "等待 2 小时", state: "waiting" }],
  };
}
