"""The kinds of nodes a journey is made of: their settings, their exits, and what is wrong with a draft of one.

What a node does when a person stands on it is in `movement.py`; this file knows no database and no time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quanyu.kernel.faults import of_field
from quanyu.kernel.label import Label

Kind = Literal["trigger", "wait", "branch", "send", "goal", "exit"]

KIND_LABELS: dict[str, Label] = {
    "trigger": Label("触发", "Trigger"),
    "wait": Label("等待", "Wait"),
    "branch": Label("分支", "Branch"),
    "send": Label("发送", "Send"),
    "goal": Label("目标", "Goal"),
    "exit": Label("结束", "Exit"),
}

_UNITS = {
    "seconds": timedelta(seconds=1),
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
}
Operator = Literal["eq", "ne", "in", "gt", "gte", "lt", "lte", "contains", "known", "unknown"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Filter(_Frozen):
    """One condition on an event: `property` is a column of it (`amount`, `store_id`) or one of its properties."""

    property: str = Field(min_length=1)
    operator: Operator = "eq"
    value: Any = None


class Trigger(_Frozen):
    """Where people enter: by an event, or by entering or leaving an audience."""

    on: Literal["event", "audience"]
    event: str | None = None
    where: tuple[Filter, ...] = ()
    audience_id: str | None = None
    change: Literal["entered", "left"] = "entered"


class Wait(_Frozen):
    """Wait for a time, or for an event with a time limit. The clock starts when the person arrives."""

    mode: Literal["duration", "event"]
    value: int = Field(ge=0, le=100_000)
    unit: Literal["seconds", "minutes", "hours", "days"]
    event: str | None = None
    where: tuple[Filter, ...] = ()

    @property
    def length(self) -> timedelta:
        """How long the wait lasts at most."""
        return self.value * _UNITS[self.unit]


class Branch(_Frozen):
    """Yes for the people who fulfil a condition tree when they arrive, no for the others."""

    tree: dict[str, Any]
    title: str = ""


class Send(_Frozen):
    """One message on one connection, with a coupon of its own if `coupon_id` is set."""

    connection: str = Field(min_length=1)
    template_id: str = Field(min_length=1)
    coupon_id: str | None = None


class Goal(_Frozen):
    """What the journey is for: the event, within `within_days` of entering. People wait here until it comes."""

    event: str = Field(min_length=1)
    where: tuple[Filter, ...] = ()
    within_days: int = Field(default=7, ge=1, le=365)

    @property
    def window(self) -> timedelta:
        """How long after entering the goal counts."""
        return timedelta(days=self.within_days)


class Exit(_Frozen):
    """The end of the way."""


Config = Trigger | Wait | Branch | Send | Goal | Exit

_CONFIGS: dict[str, type[Trigger | Wait | Branch | Send | Goal | Exit]] = {
    "trigger": Trigger,
    "wait": Wait,
    "branch": Branch,
    "send": Send,
    "goal": Goal,
    "exit": Exit,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a draft: on which node and field, a stable code, and a sentence."""

    node_id: str | None
    field: str | None
    code: str
    message: Label


def ports(kind: str, config: dict[str, Any]) -> tuple[str, ...]:
    """The exits of a node, in the order in which they are drawn."""
    if kind == "branch":
        return ("yes", "no")
    if kind == "wait" and config.get("mode") == "event":
        return ("event", "timeout")
    return () if kind == "exit" else ("next",)


def read(node_id: str, kind: str, config: dict[str, Any]) -> tuple[Config | None, list[Fault]]:
    """The typed settings of a node, or what is wrong with them."""
    model = _CONFIGS.get(kind)
    if model is None:
        return None, [
            Fault(node_id, "kind", "node_kind_unknown", Label(f"没有“{kind}”这种节点", f"There is no node kind {kind}"))
        ]
    missing = list(_missing(node_id, kind, config))
    if missing:
        return None, missing
    try:
        return model.model_validate(_without_blanks(config)), []
    except ValidationError as error:
        return None, [_fault(node_id, entry) for entry in error.errors(include_url=False, include_context=True)]


def _without_blanks(config: dict[str, Any]) -> dict[str, Any]:
    # A form sends null or "" for what was not filled in.
    return {key: value for key, value in config.items() if value is not None and value != ""}


_NEEDED: dict[str, tuple[tuple[str, Label], ...]] = {
    "branch": (("tree", Label("请设置分支条件", "Set the condition of this branch")),),
    "send": (
        ("connection", Label("请选择发送通道", "Choose the connection to send on")),
        ("template_id", Label("请选择消息模板", "Choose a message template")),
    ),
    "goal": (("event", Label("请选择目标事件", "Choose the goal event")),),
}


def _missing(node_id: str, kind: str, config: dict[str, Any]) -> Iterator[Fault]:
    needed = list(_NEEDED.get(kind, ()))
    if kind == "trigger":
        if config.get("on") not in ("event", "audience"):
            needed.append(("on", Label("请选择触发方式：事件或人群", "Choose what starts it: an event or an audience")))
            config = {**config, "on": None}
        elif config["on"] == "event":
            needed.append(("event", Label("请选择触发事件", "Choose the event that starts the journey")))
        else:
            needed.append(("audience_id", Label("请选择人群包", "Choose the audience")))
    if kind == "wait":
        needed.append(("mode", Label("请选择等待方式", "Choose how to wait")))
        needed.append(("value", Label("请填写等待时长", "Fill in how long to wait")))
        needed.append(("unit", Label("请选择时间单位", "Choose the unit of time")))
        if config.get("mode") == "event":
            needed.append(("event", Label("请选择要等待的事件", "Choose the event to wait for")))
    for field, message in needed:
        if config.get(field) in (None, "", {}, []):
            yield Fault(node_id, field, "field_missing", message)


def _fault(node_id: str, entry: Any) -> Fault:
    return Fault(node_id, ".".join(str(part) for part in entry["loc"]), "field_invalid", of_field(entry))
