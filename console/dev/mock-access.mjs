// The development server's users, clients, audit, settings, channels and consent.
import { iso, label, NOW } from "./mock-data.mjs";

const PERMISSIONS = "people.read people.reveal people.write people.export audiences.read audiences.write journeys.read journeys.write journeys.publish sends.read sends.write sources.read sources.write analytics.read consent.read consent.write audit.read users.write settings.read settings.write catalog.read coupons.redeem".split(" ");
const GUIDE = "people.read people.write consent.read consent.write catalog.read coupons.redeem".split(" ");

const users = [["u1", "demo", "王敏", "owner"], ["u2", "lin", "林运营", "operator"], ["u3", "ana", "陈分析", "analyst"], ["u4", "guide01", "周导购", "guide"], ["u5", "dpo", "许合规", "compliance"]].map(([user_id, username, name, role], at) => ({ user_id, username, name, role, brands: ["fresh"], stores: role === "guide" ? ["31782"] : null, staff_id: role === "guide" ? "S0203" : null, active: at !== 2, last_seen_at: at === 2 ? null : iso(NOW.getTime() - at * 4e6) }));
const clients = [{ client_id: "c1", name: "POS 同步", permissions: ["people.read", "catalog.read"], brands: ["fresh"], key_hint: "qk_…8f3a", active: true, made_at: iso(NOW) }];
const connections = [{ connection: "wecom-main", kind: "wecom", name: "企业微信（本地沙箱）", label: label("企业微信", "WeCom"), enabled: true, config: { corp_id: "ww****01", corp_secret: "••••••", base_url: "http://127.0.0.1:8601" }, status: { ok: true, message: label("正常", "Fine"), checked_at: iso(NOW) }, sent_24h: 312 }];
const schema = (title, properties, required) => ({ title, type: "object", properties, required });
const channels = [
  { kind: "wecom", label: label("企业微信", "WeCom"), description: label("通过企业微信客户联系发送群发、欢迎语与小程序卡片", "Sends group messages, welcome messages and mini-program cards through WeCom customer contact"), capabilities: ["text", "card", "welcome"], config_schema: schema("WeCom", { corp_id: { type: "string", title: "企业 ID", description: "我的企业 → 企业信息", minLength: 3 }, corp_secret: { type: "string", title: "应用 Secret", format: "password", writeOnly: true }, token: { type: "string", title: "回调 Token", format: "password", writeOnly: true, default: "" }, base_url: { type: "string", title: "接口地址", default: "https://qyapi.weixin.qq.com", pattern: "^https?://" } }, ["corp_id", "corp_secret"]) },
  { kind: "webhook", label: label("Webhook", "Webhook"), description: label("按 Standard Webhooks 签名后推送到你的地址", "Pushes to your address, signed as Standard Webhooks"), capabilities: ["text"], config_schema: schema("Webhook", { url: { type: "string", title: "URL", format: "uri" }, secret: { type: "string", title: "签名密钥", format: "password", writeOnly: true }, timeout_seconds: { type: "integer", title: "超时（秒）", default: 10, minimum: 1, maximum: 60 }, verify_tls: { type: "boolean", title: "校验证书", default: true }, method: { type: "string", title: "方法", enum: ["POST", "PUT"], default: "POST" } }, ["url", "secret"]) },
];

export const accessRoutes = {
  session: () => ({
    user: { user_id: "u1", username: "demo", name: "王敏", role: process.env.MOCK_ROLE ?? "owner", language: "zh" },
    brands: [{ brand: "fresh", name: label("鲜选超市", "Fresh Choice"), currency: "USD", time_zone: "America/New_York" }, { brand: "home", name: label("居家生活", "Home & Living"), currency: "CNY", time_zone: "Asia/Shanghai" }],
    stores: null, permissions: process.env.MOCK_ROLE === "guide" ? GUIDE : PERMISSIONS, csrf: "csrf-mock", product: { version: "0.1.0", demo: true, sandbox_url: "http://127.0.0.1:8601" },
  }),
  routes: (Problem, page) => ({
    "GET /users": () => ({ items: users, next_cursor: null, total: users.length }),
    "POST /users": ({ body }) => { if (users.some((user) => user.username === body.username)) throw new Problem(409, "username_taken", "用户名已被占用"); const made = { stores: null, staff_id: null, active: true, last_seen_at: null, user_id: `u${users.length + 1}`, ...body }; users.push(made); return made; },
    "PATCH /users/:id": ({ id, body }) => Object.assign(users.find((user) => user.user_id === id), body),
    "GET /api-clients": () => ({ items: clients, next_cursor: null, total: clients.length }),
    "POST /api-clients": ({ body }) => { const made = { client_id: `c${clients.length + 1}`, key_hint: "qk_…77aa", active: true, made_at: iso(NOW), ...body }; clients.push(made); return { ...made, key: "qk_5b1f0c3de2a94a77aa" }; },
    "DELETE /api-clients/:id": ({ id }) => { clients.find((client) => client.client_id === id).active = false; },
    "GET /audit": ({ query }) => page(Array.from({ length: 70 }, (_, index) => ({ audit_id: 70 - index, at: iso(NOW.getTime() - index * 9e5), actor: { kind: "user", id: "u1", name: "王敏" }, action: ["person_revealed", "people_searched", "session_opened", "link_denied", "audience_exported"][index % 5], subject: ["p_8f21c0", "people", "u1", "l6", "a1"][index % 5], detail: index % 5 === 0 ? { reason: "客户来电核对订单" } : {}, count: index % 5 === 1 ? 20 : 1, request_id: `req_${index}` })).filter((item) => !query.get("action") || item.action === query.get("action")), query, 25),
    "GET /audit/verification": () => ({ intact: true, entries: 70, broken_at: null }),
    "GET /settings": () => ({ items: [["data_dir", "quanyu-data", "quanyu-data", "数据目录", "Folder of all data", "default"], ["port", 8600, 8600, "监听端口", "Port to listen on", "default"], ["public_url", "https://crm.example.com", "", "对外网址，用于链接与回调", "Public address, used in links and callbacks", "env"], ["master_key", null, "", "主密钥", "Master key", "file", true]].map(([name, value, fallback, zh, en, source, secret]) => ({ name, value, default: fallback, help: label(zh, en), source, secret: Boolean(secret) })), next_cursor: null, total: 4 }),
    "GET /channels": () => ({ items: channels, next_cursor: null, total: 2 }),
    "GET /connections": () => ({ items: connections, next_cursor: null, total: connections.length }),
    "POST /connections": ({ body }) => { if (!/^https?:/.test(body.config.url ?? body.config.base_url ?? "")) throw new Problem(422, "invalid", "配置有误", { errors: [{ field: "config.url", message: "必须以 http:// 或 https:// 开头" }] }); const made = { label: channels.find((item) => item.kind === body.kind).label, enabled: true, status: null, sent_24h: 0, ...body }; connections.push(made); return made; },
    "PUT /connections/:id": ({ id, body }) => Object.assign(connections.find((item) => item.connection === id), body),
    "POST /connections/:id/check": () => ({ ok: false, steps: [{ name: label("连接接口", "Reach the interface"), ok: true, message: label("41 毫秒", "41 ms") }, { name: label("获取凭证", "Get a token"), ok: true, message: label("有效期 7200 秒", "Valid for 7200 s") }, { name: label("客户联系权限", "Customer contact permission"), ok: false, message: label("应用不在“可调用接口的应用”名单中：请在企业微信后台添加", "The app is not in the list of apps that may call the interface: add it in the WeCom admin") }] }),
    "GET /identity/policies": () => ({ items: [["phone", "手机号", "Phone", "strong", 3, 1, "refuse", ["13800138000", "11111111111"], true], ["unionid", "微信 UnionID", "WeChat UnionID", "strong", 1, 1, "refuse", [], false], ["device", "设备", "Device", "weak", 10, 3, "demote", ["00000000-0000-0000-0000-000000000000"], false]].map(([namespace, zh, en, strength, max_per_person, max_people, over_limit, blocked, personal]) => ({ namespace, label: label(zh, en), strength, max_per_person, max_people, over_limit, blocked, personal })), next_cursor: null, total: 3 }),
    "GET /consent/summary": () => ({ items: [["marketing", "wecom", 1602, 214, 653], ["marketing", "sms", 980, 402, 1087], ["service", "wecom", 1902, 84, 483], ["profiling", "miniprogram", 1320, 310, 839]].map(([purpose, channel, granted, denied, unknown]) => ({ purpose, purpose_label: label({ marketing: "营销", service: "服务", profiling: "个性化" }[purpose], purpose), channel, channel_label: label({ wecom: "企业微信", sms: "短信", miniprogram: "小程序" }[channel], channel), granted, denied, unknown })), next_cursor: null, total: 4 }),
  }),
};
