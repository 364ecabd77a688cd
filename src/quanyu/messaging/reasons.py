"""Why something was not sent, not yet sent, or not known: one list, every entry in both languages.

A provider's own reasons are not here: they come with their texts from the channel and are kept in
`provider_problem`.
"""

from __future__ import annotations

from collections.abc import Mapping

from quanyu.kernel.label import Label
from quanyu.promotions.contracts import REFUSAL_LABELS

REASONS: Mapping[str, Label] = {
    **REFUSAL_LABELS,
    "consent_missing": Label("客户未授权或已撤回授权", "No consent, or consent withdrawn"),
    "erased": Label("客户资料已删除", "The person was erased"),
    "goal_reached": Label("客户已达成目标", "The person reached the goal already"),
    "journey_left": Label("客户已离开旅程", "The person left the journey"),
    "journey_ended": Label("旅程已结束", "The journey has ended"),
    "journey_paused": Label("旅程暂停发送", "The journey holds its sends"),
    "expired": Label("已过消息有效期", "The message expired before it could go"),
    "no_address": Label("该通道没有客户的联系方式", "The person cannot be addressed on this channel"),
    "daily_cap": Label("已达当日次数上限", "The person's messages of the day are used up"),
    "provider_quota": Label("已达平台对该客户的次数上限", "The provider's limit for this person is used up"),
    "quiet_hours": Label("免打扰时段", "Quiet hours"),
    "template_missing": Label("消息模板已删除", "The message template was deleted"),
    "connection_off": Label("发送通道已停用", "The connection is switched off"),
    "provider_busy": Label("平台暂时不可用，稍后自动重试", "The provider is unavailable; it is tried again"),
    "worker_lost": Label("发送进程中断，正在向平台核实", "The sending process was lost; the provider is being asked"),
    "unanswered": Label("平台没有答复，正在核实", "The provider gave no answer; it is being asked"),
    "provider_has_not": Label(
        "平台查无此消息，请人工决定是否重发", "The provider does not have it; decide whether to resend"
    ),
    "cannot_tell": Label("平台无法查询，请人工核实", "The provider cannot be asked; a person has to find out"),
    "resolved_by_hand": Label("人工处理", "Settled by hand"),
    "resend": Label("重新发送", "Sent again"),
}


def reason_label(reason: str | None, known: Mapping[str, Label]) -> Label | None:
    """The text of a reason: ours, else the provider's (`known`), else the code itself."""
    if reason is None:
        return None
    return REASONS.get(reason) or known.get(reason) or Label(reason, reason)
