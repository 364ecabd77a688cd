"""WeCom's error codes in plain words, each with what the operator can do (W:90313)."""

from __future__ import annotations

from quanyu.sdk import Label, Problem

# code: (fact, remedy), Chinese and English.
_KNOWN: dict[int, tuple[str, str, str, str]] = {
    -1: ("企业微信系统繁忙", "稍后自动重试", "WeCom is busy", "It is tried again later"),
    40001: (
        "应用 Secret 不对",
        "在连接配置里重新填写自建应用的 Secret",
        "The secret is wrong",
        "Fill in the app's secret",
    ),
    40013: ("企业 ID 不对", "在连接配置里核对企业 ID", "The corporation id is wrong", "Check the corporation id"),
    40014: ("access_token 无效", "系统会自动换取新的凭证", "The token is invalid", "A new token is fetched"),
    40058: ("请求参数不合法", "请检查消息内容和卡片是否完整", "A parameter is invalid", "Check the text and the card"),
    40096: (
        "客户 ID 不对",
        "该客户可能属于别的企业",
        "The customer id is invalid",
        "It may belong to another corporation",
    ),
    40201: ("触发反垃圾规则", "降低群发频率，检查内容", "Anti-spam rules apply", "Send less, check the content"),
    41048: ("没有可发送的客户", "客户可能都已删除该员工", "Nobody can be sent to", "They may have deleted this member"),
    41050: (
        "欢迎语凭证已失效",
        "须在添加后 20 秒内发送；检查后台是否已配置欢迎语",
        "The welcome code has expired",
        "It must be used within 20 s; check WeCom's own welcome settings",
    ),
    41051: ("已发送过欢迎语或已开始聊天", "无需处理", "Welcomed already, or a chat has started", "Nothing to do"),
    41053: ("客户未同意会话存档", "待客户同意后再发", "The customer did not agree to archiving", "Wait for consent"),
    41063: ("群发任务正在派发", "稍后自动再查", "The task is being dispatched", "It is looked at again later"),
    41064: ("附件数量超限", "最多 9 个附件", "Too many attachments", "At most 9"),
    41088: (
        "附件内容不完整",
        "检查卡片的标题、页面和小程序 AppID",
        "The attachment is incomplete",
        "Check title, page, AppID",
    ),
    41093: ("群发已被取消", "如需发送请重新创建", "The message was cancelled", "Make it anew"),
    41096: ("其他应用正在发送欢迎语", "稍后自动重试", "Another app sends the welcome", "It is tried again"),
    42001: ("access_token 已过期", "系统会自动换取新的凭证", "The token has expired", "A new token is fetched"),
    45002: (
        "内容过长",
        "正文不超过 4000 字节，卡片标题不超过 64 字节",
        "The content is too long",
        "At most 4000 bytes of text and 64 of card title",
    ),
    45009: (
        "接口调用超过频率限制",
        "系统会降速后重试",
        "The call rate is exceeded",
        "It is slowed down and tried again",
    ),
    45033: ("并发调用超过限制", "系统会降速后重试", "Too many calls at once", "It is slowed down and tried again"),
    48001: (
        "应用没有接口权限",
        "在管理后台为应用开通客户联系权限",
        "The app lacks permission",
        "Grant customer contact",
    ),
    48002: (
        "接口没有权限",
        "在管理后台为应用开通客户联系权限",
        "The interface is not permitted",
        "Grant customer contact",
    ),
    60020: (
        "服务器 IP 不可信",
        "把服务器 IP 加入应用的企业可信 IP",
        "This IP is not trusted",
        "Add it to the trusted IPs",
    ),
    60111: ("员工账号不存在", "检查员工的企业微信账号", "There is no such member", "Check the member's id"),
    84061: (
        "不是该员工的客户",
        "客户可能已删除员工",
        "Not a customer of this member",
        "They may have deleted the member",
    ),
    701008: ("员工没有接口许可", "为员工购买并激活互通许可", "The member has no licence", "Buy and activate a licence"),
}

TRANSIENT = frozenset({-1, 41096, 45009, 45033})
STALE_TOKEN = frozenset({40014, 41001, 42001})


def problem(errcode: int) -> Problem:
    """An error code as the operator reads it."""
    known = _KNOWN.get(errcode)
    if known is None:
        return Problem(
            str(errcode),
            Label(f"企业微信返回错误码 {errcode}", f"WeCom answered with error {errcode}"),
            Label(
                f"查询 open.work.weixin.qq.com/devtool/query?e={errcode}",
                f"Look it up at open.work.weixin.qq.com/devtool/query?e={errcode}",
            ),
        )
    fact_zh, remedy_zh, fact_en, remedy_en = known
    return Problem(str(errcode), Label(fact_zh, fact_en), Label(remedy_zh, remedy_en))


NOT_FRIEND = Problem(
    "not_friend",
    Label("客户已不是好友", "Not a friend any more"),
    Label("可请客户重新添加导购，或换一个通道", "Ask them to add the guide again, or use another channel"),
)
CAPPED = Problem(
    "month_cap",
    Label("客户本月接收群发已达上限", "The customer's monthly cap of mass messages is reached"),
    Label("下个自然月恢复；减少群发次数", "It is lifted next month; send less often"),
)
REFUSED = Problem(
    "fail_list",
    Label("客户无法接收（不是该员工的好友）", "Cannot be sent to (not this member's friend)"),
    Label("检查客户归属的导购", "Check which guide the customer belongs to"),
)
