"""The sentences of what is wrong with the data, and what to do about it, in words for operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from quanyu.events.checks import reason_label
from quanyu.events.contracts import event_label
from quanyu.kernel.label import Label

Facts = Mapping[str, Any]
_TYPES = {
    "any": Label("任意", "anything"),
    "text": Label("文本", "text"),
    "number": Label("数字", "a number"),
    "integer": Label("整数", "an integer"),
    "boolean": Label("是/否", "yes or no"),
    "list": Label("列表", "a list"),
    "object": Label("对象", "an object"),
    "time": Label("时间", "a time"),
}
_ADVICE: dict[str, Label] = {
    "wrong_books": Label(
        "账目与库存不符，请先不要清理数据，联系管理员核对当时的运维操作；恢复后会自动消警。",
        "Do not clean anything up; ask the administrator what was done at that time. The alarm ends by itself once the "
        "rows are back.",
    ),
    "stale_source": Label(
        "检查发送端是否在运行、写入密钥是否有效、网络是否通；恢复后补发不会重复计数。",
        "Check that the sender runs, that its write key is valid and that it can connect. Sending again counts nothing "
        "twice.",
    ),
    "volume_drop": Label(
        "看看近期是否改过埋点或页面、活动是否结束；如属正常可以静音。",
        "Look whether tracking or pages changed, or a campaign ended. If this is expected, mute it.",
    ),
    "volume_spike": Label(
        "看看是否有活动、重复上报或爬虫；如属正常可以静音。",
        "Look for a campaign, repeated sending or a crawler. If this is expected, mute it.",
    ),
    "without_person": Label(
        "请在埋点里带上客户标识（会员号、手机号、unionid 等），否则这些事件进不了人群和旅程。",
        "Let the sender add an identifier (member number, phone, unionid); without one these events reach no audience.",
    ),
    "missing_required": Label(
        "联系负责人补上这个必填属性；也可以在埋点方案里改为选填。",
        "Ask the owner to send this property, or make it optional in the tracking plan.",
    ),
    "broken_plan": Label(
        "打开埋点方案核对定义：改正发送端，或修改方案后重放隔离的数据。",
        "Compare with the tracking plan: mend the sender, or change the plan and replay what is in quarantine.",
    ),
    "undeclared_event": Label(
        "确认这是需要的事件后，在埋点方案的「待确认」里加入；否则请发送端停掉。",
        "If this event is wanted, confirm it in the tracking plan; else let the sender stop it.",
    ),
    "quarantine": Label(
        "打开隔离区看原因和原文，修好后先预览再批量重放，数据不会丢。",
        "Open the quarantine, mend the cause, preview and replay in bulk. Nothing is lost.",
    ),
    "new_event": Label(
        "这是新出现的事件；确认后可以加入埋点方案。", "This event is new; confirm it and add it to the tracking plan."
    ),
    "gone_event": Label(
        "过去几乎每天都有，现在停了；检查最近的发版是否漏了埋点。",
        "It came nearly every day and stopped; check whether a release lost it.",
    ),
    "new_property": Label(
        "这是新出现的属性；确认含义和是否涉及个人信息后加入埋点方案。",
        "This property is new; find out what it means and whether it is personal, then add it to the plan.",
    ),
    "gone_property": Label(
        "这个属性不再上报了；用到它的人群和报表会变空，请检查最近的发版。",
        "It is not sent any more; audiences and reports that use it run empty. Check the last release.",
    ),
    "type_changed": Label(
        "类型变了会让条件和报表算错；请发送端改回，或在埋点方案里声明并丢弃不合格的值。",
        "Conditions and reports go wrong with another type; mend the sender, or declare the type and drop the rest.",
    ),
}


def advice(kind: str) -> Label:
    """What to do."""
    return _ADVICE[kind]


def sentence(kind: str, source: Label, name: str, key: str, facts: Facts, zone: ZoneInfo) -> Label:
    """What is wrong, as one sentence."""
    event = event_label(name)
    return _SENTENCES[kind](_Words(source, event, key, facts, zone))


class _Words:
    def __init__(self, source: Label, event: Label, key: str, facts: Facts, zone: ZoneInfo) -> None:
        self.source, self.event, self.key, self.facts, self.zone = source, event, key, facts, zone

    def at(self, name: str) -> str:
        return datetime.fromisoformat(self.facts[name]).astimezone(self.zone).strftime("%m-%d %H:%M")

    def number(self, name: str) -> str:
        return f"{self.facts[name]:,}"

    def share(self) -> str:
        share = self.facts["count"] / max(self.facts["total"], 1)
        return f"{share:.0%}" if share >= 0.01 else "<1%"


def _wrong_books(w: _Words) -> Label:
    return Label(
        f"「{w.source.zh}」有 {w.number('hours')} 个小时的账与库里实际不符，相差 {w.number('missing')} 条",
        f"{w.source.en}: the books of {w.number('hours')} hours differ from the stores by {w.number('missing')} events",
    )


def _stale(w: _Words) -> Label:
    return Label(
        f"「{w.source.zh}」已 {w.number('hours')} 小时没有新数据，平时最长间隔约 {w.number('usual')} 小时",
        f"{w.source.en} has sent nothing for {w.number('hours')} hours; its longest usual gap is {w.number('usual')}",
    )


def _volume(w: _Words) -> Label:
    count, usual = w.number("count"), w.number("usual")
    more = w.facts["count"] > w.facts["usual"]
    hours = w.facts["hours"]
    return Label(
        f"「{w.event.zh}」（{w.source.zh}）{w.at('at')} 这一小时 {count} 条，同一时段平时约 {usual} 条，"
        f"{'偏多' if more else '偏少'}共 {hours} 小时",
        f"{w.event.en} ({w.source.en}): {count} in the hour of {w.at('at')}, usually {usual}; "
        f"{'high' if more else 'low'} in {hours} hours of the day",
    )


def _nobody(w: _Words) -> Label:
    return Label(
        f"「{w.event.zh}」（{w.source.zh}）近 24 小时有 {w.share()} 的事件认不出是谁（{w.number('count')} 条）",
        f"{w.event.en} ({w.source.en}): {w.share()} of the last 24 hours belong to nobody ({w.number('count')} events)",
    )


def _missing(w: _Words) -> Label:
    return Label(
        f"「{w.event.zh}」（{w.source.zh}）近 24 小时有 {w.number('count')} 条缺少必填属性 {w.key}",
        f"{w.event.en} ({w.source.en}): {w.number('count')} events of the last 24 hours lack {w.key}",
    )


def _broken(w: _Words) -> Label:
    reason = reason_label(w.facts["reason"])
    key = f" {w.key}" if w.key else ""
    return Label(
        f"「{w.event.zh}」（{w.source.zh}）{reason.zh}{key}：近 24 小时 {w.number('count')} 条",
        f"{w.event.en} ({w.source.en}): {reason.en}{': ' + w.key if w.key else ''}; {w.number('count')} in 24 hours",
    )


def _held(w: _Words) -> Label:
    reason = reason_label(w.facts["reason"])
    return Label(
        f"「{w.source.zh}」近 24 小时有 {w.share()} 的事件被隔离（{w.number('count')} 条）：{reason.zh}",
        f"{w.source.en}: {w.share()} of the last 24 hours went to quarantine ({w.number('count')}): {reason.en}",
    )


def _new_event(w: _Words) -> Label:
    return Label(
        f"「{w.source.zh}」出现新事件「{w.event.zh}」，最早 {w.at('first_at')}",
        f"{w.source.en} sends a new event, {w.event.en}, since {w.at('first_at')}",
    )


def _gone_event(w: _Words) -> Label:
    return Label(
        f"「{w.source.zh}」不再发送「{w.event.zh}」，最后一条在 {w.at('last_at')}",
        f"{w.source.en} stopped sending {w.event.en}; the last was at {w.at('last_at')}",
    )


def _new_property(w: _Words) -> Label:
    kind = _TYPES.get(w.facts["type"], _TYPES["any"])
    return Label(
        f"「{w.event.zh}」（{w.source.zh}）多了属性 {w.key}（{kind.zh}）",
        f"{w.event.en} ({w.source.en}) has a new property, {w.key} ({kind.en})",
    )


def _gone_property(w: _Words) -> Label:
    return Label(
        f"「{w.event.zh}」（{w.source.zh}）不再带属性 {w.key}，最后一次在 {w.at('last_at')}",
        f"{w.event.en} ({w.source.en}) lost the property {w.key}, last seen at {w.at('last_at')}",
    )


def _type(w: _Words) -> Label:
    was, now = (_TYPES.get(w.facts[name], _TYPES["any"]) for name in ("before", "after"))
    return Label(
        f"「{w.event.zh}」（{w.source.zh}）的属性 {w.key} 由{was.zh}变成了{now.zh}",
        f"{w.event.en} ({w.source.en}): {w.key} was {was.en} and is now {now.en}",
    )


_SENTENCES: dict[str, Callable[[_Words], Label]] = {
    "wrong_books": _wrong_books,
    "stale_source": _stale,
    "volume_drop": _volume,
    "volume_spike": _volume,
    "without_person": _nobody,
    "missing_required": _missing,
    "broken_plan": _broken,
    "undeclared_event": _broken,
    "quarantine": _held,
    "new_event": _new_event,
    "gone_event": _gone_event,
    "new_property": _new_property,
    "gone_property": _gone_property,
    "type_changed": _type,
}
KINDS = tuple(_SENTENCES)
assert set(_SENTENCES) == set(_ADVICE)
