// Every word of the two pages, Chinese first. `?lang=en` or the switch chooses English.

const TEXTS = {
  zh: {
    skip: "跳到手机", title: "顾客手机", overview: "沙箱总览", other: "English", hint: "挑一位顾客，看看 TA 的微信里收到了什么；点开卡片，用掉优惠券。",
    search: "搜索姓名、客户 ID 或手机号", people: "共 {0} 位顾客", shown: "显示前 {1} 位，共 {0} 位", nobody: "没有找到顾客", nobodyYet: "沙箱里还没有顾客",
    noNews: "暂无消息", unread: "{0} 条未读", guide: "导购 {0}", noFriend: "未添加导购", wechat: "微信", pick: "请先在左侧选择一位顾客", back: "返回", more: "更多", noChats: "还没有会话，点右上角 ＋ 扫码添加导购",
    say: "发消息", send: "发送", image: "[图片]", video: "[视频]", file: "[文件]", mini: "[小程序]", link: "[链接]", miniFoot: "小程序", member: "{0} · 会员中心", added: "你已添加了{0}，现在可以开始聊天了。", blocked: "你已删除{0}，对方将无法再给你发消息。",
    block: "删除导购（拉黑）", blockHint: "之后的群发会失败，品牌会收到删除事件", add: "扫码添加导购", addAgain: "重新添加该导购", scanTitle: "扫一扫：选择导购或渠道活码", noCodes: "没有可添加的导购或活码", way: "渠道活码 {0}", cancel: "取消", gone: "你们已不是好友", close: "关闭小程序", menu: "小程序菜单",
    loading: "加载中…", off: "立减", percentOff: "{0} 折", threshold: "满 {0} 可用", noThreshold: "无门槛", code: "券码", until: "有效期至", use: "立即下单并核销", using: "正在下单…", used: "已使用", expired: "已过期", void: "已作废", order: "订单号", redeemed: "核销成功", bought: "下单成功", nothing: "这张卡片没有优惠券", hello: "尊敬的会员", buy: "直接下单", opened: "已打开", readMark: "已读",
    offline: "沙箱没有响应，请检查它是否在运行", failed: "没有成功：{0}", blockedToast: "已删除导购", addedToast: "已添加 {0}",
    o_title: "微信生态沙箱", o_lead: "在本机扮演企业微信与它的顾客：接口、错误码、加密回调都与官方文档一致，任何数据都不会离开这台电脑。", o_phone: "打开顾客手机", o_customers: "顾客", o_friends: "好友关系", o_tasks: "待确认任务", o_deliveries: "已送达", o_read: "已读", o_opened: "打开小程序", o_redeemed: "已核销", o_blocked: "已删除导购", o_outgoing: "待发往品牌", o_calls: "接口调用",
    o_taskTitle: "企业群发任务", o_taskHint: "真实的企业微信里，群发要由员工确认才会发出。", o_staff: "员工", o_content: "内容", o_targets: "目标", o_sent: "送达", o_state: "状态", o_confirm: "立即确认", o_waiting: "待确认", o_done: "已发送", o_cancelled: "已取消", o_noTasks: "还没有群发任务",
    o_staffTitle: "员工", o_noStaff: "还没有员工", o_faultTitle: "故障注入", o_faultHint: "让接口出错，看看产品如何应对；每次命中都会计数。", o_path: "接口", o_kind: "故障", o_times: "次数", o_inject: "注入", o_clear: "全部清除", o_hits: "命中", o_left: "剩余", o_every: "全部接口", o_noFaults: "没有注入故障", o_clock: "时钟", o_virtual: "虚拟", o_machine: "真实时间", o_speed: "{0} 倍速", o_seed: "种子 {0}", o_auto: "顾客自动行动", o_manual: "顾客等待点击", o_open: "{0} 个待确认", o_has: "{0} 位顾客",
    k_drop: "执行后断开连接", k_drop_before: "执行前断开连接", k_http_500: "HTTP 500", k_busy: "系统繁忙 -1", k_delay: "延迟 3 秒", k_expire_tokens: "令牌过期 42001",
  },
  en: {
    skip: "Skip to the phone", title: "Customer's phone", overview: "Overview", other: "中文", hint: "Pick a customer and see what arrived in their WeChat. Open the card, use the coupon.",
    search: "Search name, id or phone", people: "{0} customers", shown: "First {1} of {0} customers", nobody: "Nobody found", nobodyYet: "Nobody lives in the sandbox yet",
    noNews: "No messages", unread: "{0} unread", guide: "Guide {0}", noFriend: "No guide added", wechat: "WeChat", pick: "Pick a customer on the left", back: "Back", more: "More", noChats: "No chats yet: ＋ scans a guide's code",
    say: "Message", send: "Send", image: "[Image]", video: "[Video]", file: "[File]", mini: "[Mini program]", link: "[Link]", miniFoot: "Mini program", member: "{0} · Members", added: "You have added {0}. You can chat now.", blocked: "You have deleted {0}, who can no longer write to you.",
    block: "Delete guide (block)", blockHint: "Later mass messages fail; the brand is told", add: "Scan a code to add a guide", addAgain: "Add this guide again", scanTitle: "Scan: choose a guide or a channel code", noCodes: "No guide or code to add", way: "Channel code {0}", cancel: "Cancel", gone: "You are no longer friends", close: "Close mini program", menu: "Mini program menu",
    loading: "Loading…", off: "off", percentOff: "{0}% off", threshold: "On orders over {0}", noThreshold: "No minimum", code: "Code", until: "Valid until", use: "Order and redeem", using: "Ordering…", used: "Used", expired: "Expired", void: "Void", order: "Order", redeemed: "Redeemed", bought: "Ordered", nothing: "This card has no coupon", hello: "Dear member", buy: "Order now", opened: "Opened", readMark: "Read",
    offline: "The sandbox does not answer: is it running?", failed: "It did not work: {0}", blockedToast: "Guide deleted", addedToast: "{0} added",
    o_title: "WeChat sandbox", o_lead: "Plays WeCom and its customers on this machine: interfaces, error codes and encrypted callbacks as the documents say. Nothing leaves this computer.", o_phone: "Open a customer's phone", o_customers: "Customers", o_friends: "Friends", o_tasks: "Open tasks", o_deliveries: "Delivered", o_read: "Read", o_opened: "Opened", o_redeemed: "Redeemed", o_blocked: "Deleted the guide", o_outgoing: "To tell the brand", o_calls: "API calls",
    o_taskTitle: "Mass-message tasks", o_taskHint: "In WeCom a mass message leaves only when a member of staff confirms it.", o_staff: "Member", o_content: "Content", o_targets: "Targets", o_sent: "Delivered", o_state: "State", o_confirm: "Confirm now", o_waiting: "Waiting", o_done: "Sent", o_cancelled: "Cancelled", o_noTasks: "No mass message yet",
    o_staffTitle: "Staff", o_noStaff: "No staff yet", o_faultTitle: "Faults", o_faultHint: "Let the API go wrong and see how the product copes; every hit is counted.", o_path: "API", o_kind: "Fault", o_times: "Times", o_inject: "Inject", o_clear: "Clear all", o_hits: "Hits", o_left: "Left", o_every: "Every API", o_noFaults: "No faults injected", o_clock: "Clock", o_virtual: "virtual", o_machine: "real time", o_speed: "{0}× speed", o_seed: "seed {0}", o_auto: "customers act by themselves", o_manual: "customers wait for a finger", o_open: "{0} to confirm", o_has: "{0} customers",
    k_drop: "Cut the connection after the work", k_drop_before: "Cut the connection before the work", k_http_500: "HTTP 500", k_busy: "System busy -1", k_delay: "3 seconds late", k_expire_tokens: "Token expired 42001",
  },
};

const address = new URLSearchParams(location.search);
export const state = { language: address.get("lang") === "en" ? "en" : "zh" };

export const t = (key, ...values) => (TEXTS[state.language][key] ?? key).replace(/\{(\d)\}/g, (_, place) => values[place] ?? "");

// Puts words into everything marked with data-t, and keeps the language in the address.
export function label() {
  document.documentElement.lang = state.language === "en" ? "en" : "zh-CN";
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  const here = new URL(location.href);
  if (state.language === "en") here.searchParams.set("lang", "en"); else here.searchParams.delete("lang");
  history.replaceState(null, "", here);
}

export const toggle = () => { state.language = state.language === "en" ? "zh" : "en"; };
