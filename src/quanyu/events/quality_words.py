"""The sentences of what is wrong with the data, and what to do about it, in words for operators."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
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
UNKNOWN_SOURCE = Label("未知来源", "An unknown source")
_LOST = Label("帧头记着 {events} 条事件，均未入库", "by their headers {events} events were not stored")
_LOST_UNKNOWN = Label("其中有多少事件已无从得知", "how many events they held cannot be told")
_MORE, _FEWER = Label("偏多", "high"), Label("偏少", "low")
# In {braces}: whose it is, and facts of the finding as people write them (`_words`).
_VOLUME = Label(
    "「{event}」（{source}）{at} 这一小时 {count} 条，同一时段平时约 {usual} 条，{side}共 {hours} 小时",
    "{event} ({source}): {count} in the hour of {at}, usually {usual}; {side} in {hours} hours of the day",
)
_BROKEN = Label(
    "「{event}」（{source}）{reason}{which}：近 24 小时 {count} 条",
    "{event} ({source}): {reason}{which}; {count} in 24 hours",
)
_TEXTS: dict[str, tuple[Label, Label]] = {  # what is wrong, and what to do
    "wrong_books": (
        Label(
            "「{source}」有 {hours} 个小时的账与库里实际不符，相差 {missing} 条",
            "{source}: the books of {hours} hours differ from the stores by {missing} events",
        ),
        Label(
            "账目与库存不符，请先不要清理数据，联系管理员核对当时的运维操作；恢复后会自动消警。",
            "Do not clean anything up; ask the administrator what was done at that time. The alarm ends by itself once "
            "the rows are back.",
        ),
    ),
    "damaged_log": (
        Label(
            "「{source}」的事件日志有 {frames} 帧损坏：数据目录下的 {file}，从第 {offset} 字节起，"
            "共 {bytes} 字节；{lost}",
            "{source}: frames of the event log are damaged ({frames}), in {file} of the data folder from byte {offset} "
            "on, {bytes} bytes in all; {lost}",
        ),
        Label(
            "这些事件在入库之前磁盘上的内容变了，无法还原。它们多半已回答接收成功；文件末尾的几帧若是断电时正在写入的，"
            "也可能从未回答过。请先检查磁盘和内存（SMART、系统日志），换掉有问题的硬件，再请发送方补发这段时间的数据："
            "补发不会重复计数。告警三十天后自动结束，账上一直保留。",
            "Their bytes changed on the disk before they were stored; they cannot be restored. Most likely they were "
            "acknowledged; frames at the end of a file, if the power failed while they were written, may never have "
            "been. Check disk and memory (SMART, the system's log), replace what is faulty, then have that time "
            "sent again: nothing is counted twice. The alarm ends after thirty days; the books keep it.",
        ),
    ),
    "stale_source": (
        Label(
            "「{source}」已 {hours} 小时没有新数据，平时最长间隔约 {usual} 小时",
            "{source} has sent nothing for {hours} hours; its longest usual gap is {usual}",
        ),
        Label(
            "检查发送端是否在运行、写入密钥是否有效、网络是否通；恢复后补发不会重复计数。",
            "Check that the sender runs, that its write key is valid and that it can connect. Sending again counts "
            "nothing twice.",
        ),
    ),
    "volume_drop": (
        _VOLUME,
        Label(
            "看看近期是否改过埋点或页面、活动是否结束；如属正常可以静音。",
            "Look whether tracking or pages changed, or a campaign ended. If this is expected, mute it.",
        ),
    ),
    "volume_spike": (
        _VOLUME,
        Label(
            "看看是否有活动、重复上报或爬虫；如属正常可以静音。",
            "Look for a campaign, repeated sending or a crawler. If this is expected, mute it.",
        ),
    ),
    "without_person": (
        Label(
            "「{event}」（{source}）近 24 小时有 {share} 的事件认不出是谁（{count} 条）",
            "{event} ({source}): {share} of the last 24 hours belong to nobody ({count} events)",
        ),
        Label(
            "请在埋点里带上客户标识（会员号、手机号、unionid 等），否则这些事件进不了人群和旅程。",
            "Let the sender add an identifier (member number, phone, unionid); without one these events reach no "
            "audience.",
        ),
    ),
    "missing_required": (
        Label(
            "「{event}」（{source}）近 24 小时有 {count} 条缺少必填属性 {key}",
            "{event} ({source}): {count} events of the last 24 hours lack {key}",
        ),
        Label(
            "联系负责人补上这个必填属性；也可以在埋点方案里改为选填。",
            "Ask the owner to send this property, or make it optional in the tracking plan.",
        ),
    ),
    "broken_plan": (
        _BROKEN,
        Label(
            "打开埋点方案核对定义：改正发送端，或修改方案后重放隔离的数据。",
            "Compare with the tracking plan: mend the sender, or change the plan and replay what is in quarantine.",
        ),
    ),
    "undeclared_event": (
        _BROKEN,
        Label(
            "确认这是需要的事件后，在埋点方案的「待确认」里加入；否则请发送端停掉。",
            "If this event is wanted, confirm it in the tracking plan; else let the sender stop it.",
        ),
    ),
    "quarantine": (
        Label(
            "「{source}」近 24 小时有 {share} 的事件被隔离（{count} 条）：{reason}",
            "{source}: {share} of the last 24 hours went to quarantine ({count}): {reason}",
        ),
        Label(
            "打开隔离区看原因和原文，修好后先预览再批量重放，数据不会丢。",
            "Open the quarantine, mend the cause, preview and replay in bulk. Nothing is lost.",
        ),
    ),
    "new_event": (
        Label(
            "「{source}」出现新事件「{event}」，最早 {first_at}",
            "{source} sends a new event, {event}, since {first_at}",
        ),
        Label(
            "这是新出现的事件；确认后可以加入埋点方案。",
            "This event is new; confirm it and add it to the tracking plan.",
        ),
    ),
    "gone_event": (
        Label(
            "「{source}」不再发送「{event}」，最后一条在 {last_at}",
            "{source} stopped sending {event}; the last was at {last_at}",
        ),
        Label(
            "过去几乎每天都有，现在停了；检查最近的发版是否漏了埋点。",
            "It came nearly every day and stopped; check whether a release lost it.",
        ),
    ),
    "new_property": (
        Label(
            "「{event}」（{source}）多了属性 {key}（{type}）", "{event} ({source}) has a new property, {key} ({type})"
        ),
        Label(
            "这是新出现的属性；确认含义和是否涉及个人信息后加入埋点方案。",
            "This property is new; find out what it means and whether it is personal, then add it to the plan.",
        ),
    ),
    "gone_property": (
        Label(
            "「{event}」（{source}）不再带属性 {key}，最后一次在 {last_at}",
            "{event} ({source}) lost the property {key}, last seen at {last_at}",
        ),
        Label(
            "这个属性不再上报了；用到它的人群和报表会变空，请检查最近的发版。",
            "It is not sent any more; audiences and reports that use it run empty. Check the last release.",
        ),
    ),
    "type_changed": (
        Label(
            "「{event}」（{source}）的属性 {key} 由{before}变成了{after}",
            "{event} ({source}): {key} was {before} and is now {after}",
        ),
        Label(
            "类型变了会让条件和报表算错；请发送端改回，或在埋点方案里声明并丢弃不合格的值。",
            "Conditions and reports go wrong with another type; mend the sender, or declare the type and drop the "
            "rest.",
        ),
    ),
}
KINDS = tuple(_TEXTS)


def advice(kind: str) -> Label:
    """What to do."""
    return _TEXTS[kind][1]


def sentence(kind: str, source: Label, name: str, key: str, facts: Facts, zone: ZoneInfo) -> Label:
    """What is wrong, as one sentence."""
    text, event = _TEXTS[kind][0], event_label(name)
    zh, en = _words("zh", source, event, key, facts, zone), _words("en", source, event, key, facts, zone)
    return Label(text.zh.format_map(zh), text.en.format_map(en))


def _words(
    language: Literal["zh", "en"], source: Label, event: Label, key: str, facts: Facts, zone: ZoneInfo
) -> dict[str, str]:
    def say(label: Label) -> str:
        return label.zh if language == "zh" else label.en

    which = {"zh": f" {key}", "en": f": {key}"}[language] if key else ""
    words = {"source": say(source), "event": say(event), "key": key, "which": which}
    for name, fact in facts.items():
        if name in ("at", "first_at", "last_at"):
            words[name] = datetime.fromisoformat(fact).astimezone(zone).strftime("%m-%d %H:%M")
        elif name == "reason":
            words[name] = say(reason_label(fact))
        elif name in ("type", "before", "after"):
            words[name] = say(_TYPES.get(fact, _TYPES["any"]))
        elif name in ("file", "offset"):
            words[name] = str(fact)
        elif isinstance(fact, int | float):
            words[name] = f"{fact:,}"
    if "frames" in facts:
        words["lost"] = say(_LOST if facts["events"] else _LOST_UNKNOWN).format_map(words)
    if "total" in facts:
        share = facts["count"] / max(facts["total"], 1)
        words["share"] = f"{share:.0%}" if share >= 0.01 else "<1%"
    if "usual" in facts and "count" in facts:
        words["side"] = say(_MORE if facts["count"] > facts["usual"] else _FEWER)
    return words
