"""The tracking plan (埋点方案) as a document: what events and properties mean and must look like.

A plan is written as YAML, so that it can live in a repository and be reviewed there; `dump` and `load` are exact
inverses. What applies a plan to traffic is in `plan_checks`, what keeps its versions in `plans`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import yaml

from quanyu.events import errors
from quanyu.events.plan_faults import explained
from quanyu.kernel.faults import of_yaml
from quanyu.kernel.label import Label

Type = Literal["any", "text", "number", "integer", "boolean", "list", "object", "time"]
TYPES: tuple[Type, ...] = ("any", "text", "number", "integer", "boolean", "list", "object", "time")
Rule = Literal["keep", "drop", "quarantine"]
RULES: tuple[Rule, ...] = ("keep", "drop", "quarantine")
Undeclared = Literal["allow", "keep", "drop", "quarantine"]

_MAX_EVENTS = 2_000
_MAX_PROPERTIES = 500
_MAX_ALLOWED = 1_000
_MAX_NAME = 128


class Property(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A property of an event. `sources` limits what is said here to these sources; empty means all.

    `personal` values become keyed hashes before anything is stored. `rule` says what happens to one that breaks the
    plan; left out, the event's rule holds. `minimum` and `maximum` are included.
    """

    type: Type = "any"
    description: str = ""
    unit: str = ""
    allowed: tuple[str | int, ...] = ()
    minimum: int | float | None = None
    maximum: int | float | None = None
    required: bool = False
    personal: bool = False
    owner: str = ""
    sources: tuple[str, ...] = ()
    rule: Rule | None = None


class Event(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An event, by the name it has in history. From another source than `sources` (empty: all) it breaks the plan.

    `undeclared` says what happens to properties that are not listed: `allow` means that any may come.
    """

    description: str = ""
    owner: str = ""
    sources: tuple[str, ...] = ()
    rule: Rule = "keep"
    undeclared: Undeclared = "allow"
    properties: dict[str, Property] = {}


class Plan(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A whole plan. Without `enforce` it only watches: it counts, and changes nothing but personal values.

    `undeclared` says what happens to events that are not listed.
    """

    enforce: bool = False
    undeclared: Literal["allow", "keep", "quarantine"] = "allow"
    events: dict[str, Event] = {}


_NAME = Label(f"名称应为 1 到 {_MAX_NAME} 个可见字符", f"A name has 1 to {_MAX_NAME} printable characters")
_UNREADABLE = Label(
    "内容读不懂：嵌套过深，或有不合法的数字、日期、字符",
    "It cannot be read: too deep, or with a wrong number, date or character",
)

EMPTY = Plan()
# The one in C: a large plan is read in a fraction of the time.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_json = msgspec.json.Decoder(Plan)


def dump(plan: Plan) -> str:
    """The plan as YAML, always the same text for the same plan: events and properties in order of their names."""
    return msgspec.yaml.encode(ordered(plan)).decode()


def load(text: str) -> Plan:
    """A plan from YAML (or JSON, which is YAML). Raises Invalid, naming what is wrong and where."""
    try:
        document = yaml.load(text, Loader=_Loader) if text.strip() else {}  # noqa: S506 - one of the safe ones
    except yaml.YAMLError as error:
        raise errors.plan_invalid(of_yaml(error, text)) from error
    except (RecursionError, ValueError) as error:  # a date that is none, a number beyond measure
        raise errors.plan_invalid(_UNREADABLE) from error
    return _plan_of(document)


def from_json(text: str | bytes) -> Plan:
    """A plan as it is stored or sent by the console. Raises Invalid."""
    try:
        return checked(_json.decode(text))
    except msgspec.ValidationError:
        return _plan_of(msgspec.json.decode(text))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise errors.plan_invalid(_UNREADABLE) from error


def _plan_of(document: Any) -> Plan:
    try:
        plan = msgspec.convert({} if document is None else document, Plan)
    except msgspec.ValidationError as error:
        where, why = explained(document, (Plan, Event, Property), error)
        raise errors.plan_invalid(why, where) from error
    return checked(plan)


def to_json(plan: Plan) -> str:
    """The plan as it is stored."""
    return msgspec.json.encode(ordered(plan)).decode()


def ordered(plan: Plan) -> Plan:
    """The same plan with events and properties in order of their names."""
    return msgspec.structs.replace(
        plan,
        events={
            name: msgspec.structs.replace(event, properties=dict(sorted(event.properties.items())))
            for name, event in sorted(plan.events.items())
        },
    )


def checked(plan: Plan) -> Plan:
    """The plan, if it can be applied. Raises Invalid for the first thing that contradicts itself."""
    for where, wrong in _mistakes(plan):
        raise errors.plan_invalid(wrong, where)
    return plan


def _mistakes(plan: Plan) -> Iterator[tuple[str, Label]]:
    if len(plan.events) > _MAX_EVENTS:
        yield "events", _too_many(_MAX_EVENTS)
    for name, event in plan.events.items():
        where = f"events.{name}"
        if not _is_name(name):
            yield where, _NAME
        if len(event.properties) > _MAX_PROPERTIES:
            yield f"{where}.properties", _too_many(_MAX_PROPERTIES)
        for key, one in event.properties.items():
            yield from _property_mistakes(f"{where}.properties.{key}", key, one)


def _property_mistakes(where: str, key: str, one: Property) -> Iterator[tuple[str, Label]]:
    if not _is_name(key):
        yield where, _NAME
    if len(one.allowed) > _MAX_ALLOWED:
        yield f"{where}.allowed", _too_many(_MAX_ALLOWED)
    if one.allowed and one.type not in ("any", "text", "number", "integer"):
        yield (
            f"{where}.allowed",
            Label(f"类型 {one.type} 不能列出允许的值", f"A {one.type} has no list of allowed values"),
        )
    texts = [value for value in one.allowed if isinstance(value, str)]
    if (texts and one.type in ("number", "integer")) or (len(texts) < len(one.allowed) and one.type == "text"):
        yield f"{where}.allowed", Label(f"有的值不是类型 {one.type}", f"Not all of them are of type {one.type}")
    if (one.minimum is not None or one.maximum is not None) and one.type not in ("number", "integer"):
        yield (
            where,
            Label("minimum、maximum 只用于类型 number 和 integer", "minimum and maximum are for numbers and integers"),
        )
    if one.minimum is not None and one.maximum is not None and one.minimum > one.maximum:
        yield where, Label("minimum 大于 maximum", "minimum is above maximum")


def _too_many(most: int) -> Label:
    return Label(f"超过 {most:,} 个", f"More than {most:,}")


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _MAX_NAME and name.isprintable()
