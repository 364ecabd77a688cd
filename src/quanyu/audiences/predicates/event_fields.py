"""The parameters that predicates about events share: which events, when, where. Not a predicate by itself."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quanyu.audiences.predicate import Choice, FormField, Names, Predicate
from quanyu.audiences.primitives import EventFilter, Events, events
from quanyu.audiences.windows import Window, window
from quanyu.kernel.faults import WrongValue
from quanyu.kernel.label import Label

EventName = Annotated[str, Field(min_length=1, max_length=100)]
Key = Annotated[str, Field(min_length=1, max_length=200)]
Scalar = bool | int | float | str
BEHAVIOUR = Label("行为", "Behaviour")

OPERATOR_WORDS: dict[str, Label] = {
    "eq": Label("等于", "is"),
    "ne": Label("不等于", "is not"),
    "in": Label("属于", "is one of"),
    "gt": Label("大于", "is above"),
    "gte": Label("大于等于", "is at least"),
    "lt": Label("小于", "is below"),
    "lte": Label("小于等于", "is at most"),
    "contains": Label("包含", "contains"),
    "exists": Label("有值", "is known"),
    "known": Label("有值", "is known"),
    "unknown": Label("没有值", "is unknown"),
}


class Where(BaseModel):
    """A filter on one property of the event."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    property: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^'\"?\\]+$")]
    operator: Literal["eq", "ne", "in", "gt", "gte", "lt", "lte", "contains", "exists"] = "eq"
    value: Scalar | tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _value_fits(self) -> Where:
        check_operand(self.operator, self.value)
        return self


def check_operand(operator: str, value: Any) -> None:
    """Raise WrongValue unless `value` is what `operator` compares with."""
    if operator in {"exists", "known", "unknown"}:
        return
    if operator == "in":
        if not isinstance(value, tuple) or not value:
            raise WrongValue("请至少选择一个值", "Choose at least one value")
    elif value is None or isinstance(value, tuple) or value == "":
        raise WrongValue("请填写比较的值", "Give a value to compare with")
    if operator in {"gt", "gte", "lt", "lte"} and (isinstance(value, bool) or not _is_number(value)):
        raise WrongValue("大小比较的值应为数字", "A size is compared with a number")


def _is_number(value: Any) -> bool:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return math.isfinite(number)


class InWindow(Predicate):
    """Parameters of time: the last n days, or from a day to a day, or always."""

    within_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    from_: Annotated[date | None, Field(alias="from")] = None
    to: date | None = None

    @model_validator(mode="after")
    def _one_window(self) -> InWindow:
        if self.within_days is not None and (self.from_ is not None or self.to is not None):
            raise WrongValue("“最近天数”和“日期范围”只能填一个", "Give either the last days or a date range, not both")
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise WrongValue("开始日期晚于结束日期", "The range ends before it starts")
        return self

    def window(self, at: datetime) -> Window:
        """The rule's window at `at`."""
        return window(self.within_days, self.from_, self.to, at)

    def when(self) -> Label:
        """The window in words, to start a sentence with."""
        if self.within_days is not None:
            return Label(f"最近 {self.within_days} 天", f"in the last {self.within_days} days")
        if self.from_ is not None and self.to is not None:
            return Label(f"{self.from_} 至 {self.to}", f"from {self.from_} to {self.to}")
        if self.from_ is not None:
            return Label(f"{self.from_} 起", f"since {self.from_}")
        if self.to is not None:
            return Label(f"{self.to} 及以前", f"up to {self.to}")
        return Label("历史上", "ever")


class InPlace(InWindow):
    """Parameters of place beside those of time: stores and channels."""

    store_ids: Annotated[tuple[Key, ...], Field(max_length=1000)] = ()
    channels: Annotated[tuple[Key, ...], Field(max_length=50)] = ()

    def placed(self, chosen: Events, at: datetime) -> Events:
        """The chosen events in the window, the stores and the channels."""
        filters = []
        if self.store_ids:
            filters.append(EventFilter("store_id", "in", tuple(sorted(self.store_ids))))
        if self.channels:
            filters.append(EventFilter("channel", "in", tuple(sorted(self.channels))))
        return chosen.within(self.window(at)).where(*filters)

    def where_words(self, names: Names) -> list[Label]:
        """Stores and channels in words."""
        words = []
        if self.store_ids:
            shops = joined([names.of("stores", key) for key in self.store_ids])
            words.append(Label(f"门店为{shops.zh}", f"in store {shops.en}"))
        if self.channels:
            ways = joined([names.of("channels", key) for key in self.channels])
            words.append(Label(f"渠道为{ways.zh}", f"through {ways.en}"))
        return words


class OfEvent(InPlace):
    """Parameters that choose events: name, window, filters, stores, channels."""

    event: EventName
    where: Annotated[tuple[Where, ...], Field(max_length=10)] = ()

    def matching(self, at: datetime) -> Events:
        """The events that the parameters choose."""
        filters = [EventFilter(w.property, w.operator, w.value) for w in self.where]
        return self.placed(events(self.event).where(*filters), at)

    def which(self, names: Names) -> Label:
        """The chosen events in words: "order_paid in store X where amount is above 3"."""
        words = self.where_words(names)
        for w in self.where:
            word, value, name = OPERATOR_WORDS[w.operator], shown(w.value), names.of("properties", w.property)
            words.append(Label(f"{name.zh}{word.zh}{value}", f"with {name.en} that {word.en} {value}".rstrip()))
        return narrowed(names.of("events", self.event), words)


def narrowed(what: Label, words: list[Label]) -> Label:
    """A quoted thing and what narrows it, in words."""
    if not words:
        return Label(f"“{what.zh}”", f"“{what.en}”")
    zh, en = "，".join(word.zh for word in words), " and ".join(word.en for word in words)
    return Label(f"“{what.zh}”（{zh}）", f"“{what.en}” {en}")


def shown(value: Any) -> str:
    """A compared value as people read it."""
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        return "、".join(str(v) for v in value)
    return str(value)


def joined(names: list[Label], most: int = 5) -> Label:
    """A list of names in words, cut after `most`."""
    zh = "、".join(name.zh for name in names[:most])
    en = ", ".join(name.en for name in names[:most])
    if len(names) > most:
        return Label(f"{zh}等 {len(names)} 项", f"{en} and {len(names) - most} more")
    return Label(zh, en)


TIMES_OPERATORS = (
    Choice("gte", Label("至少", "at least")),
    Choice("lte", Label("至多", "at most")),
    Choice("eq", Label("正好", "exactly")),
)
WINDOW_FORM = (
    FormField(
        "within_days",
        "duration",
        Label("最近", "Within the last"),
        required=False,
        low=1,
        high=3660,
        unit=Label("天", "days"),
    ),
    FormField("from", "date_range", Label("日期范围", "Date range"), required=False, end_key="to"),
)
EVENT_FIELD = FormField("event", "event", Label("事件", "Event"))
PLACE_FORM = (
    FormField("store_ids", "store", Label("门店", "Stores"), required=False, default=[], multiple=True),
    FormField("channels", "channel", Label("渠道", "Channels"), required=False, default=[], multiple=True),
)
EVENT_FORM = (FormField("where", "filters", Label("且属性满足", "Where"), required=False, default=[]), *PLACE_FORM)
