"""One event's part of a tracking plan, ready to judge properties: many at once, and one in detail.

Almost all traffic keeps the plan, so the plan becomes a type that msgspec decodes thousands of rows into without
making Python objects of their values; only rows that do not decode are looked at one by one. The slow look is the
meaning; the fast one may refuse more than it, never less.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from quanyu.events.checks import Refused
from quanyu.events.names import PROPERTY_NAMES
from quanyu.events.personal import PERSONAL_KEYS
from quanyu.events.plan import Event, Plan, Property, Rule
from quanyu.events.values import instant

_MAX_PRESETS = 200
_PRESENT: Any = str | int | float | bool | list[msgspec.Raw] | dict[str, msgspec.Raw]
_FAST: dict[str, Any] = {
    "any": _PRESENT,
    "text": str,
    "number": int | float,
    "integer": int,
    "boolean": bool,
    "list": list[msgspec.Raw],
    "object": dict[str, msgspec.Raw],
}
_COLUMNS = ("order_id", "store_id", "staff_id", "effect_id", "session_id", "touchpoint")
# A property -> the column of the event that is read from it, and must go with it.
COLUMN_OF: dict[str, str] = {
    **{name: ours for ours in _COLUMNS for name in PROPERTY_NAMES[ours]},
    **{name: "amount" for ours in ("total", "refund", "revenue") for name in PROPERTY_NAMES[ours]},
    **{name: "items" for ours in ("products", "sku") for name in PROPERTY_NAMES[ours]},
}


@dataclass(frozen=True, slots=True)
class Break:
    """One way in which an event breaks the plan; `property` is empty when it is the event itself."""

    property: str
    reason: str
    rule: Rule
    detail: str
    value: Any = None


class EventRules:
    """What a plan says of one event of one source."""

    def __init__(self, plan: Plan, name: str, source: str) -> None:
        self.enforce = plan.enforce
        event = plan.events.get(name)
        self.whole = _whole(plan, event, source)
        self._event = event or Event()
        self._properties = {
            key: one for key, one in self._event.properties.items() if not one.sources or source in one.sources
        }
        self.personal = tuple(key for key, one in self._properties.items() if one.personal)
        self._checked = {key: one for key, one in self._properties.items() if _says_something(key, one)}
        self._closed = event is not None and self._event.undeclared != "allow"
        self._presets: set[str] = set()
        self._many, self._one = self._decoders()

    @property
    def checks_properties(self) -> bool:
        """Whether any property must be looked at."""
        return bool(self._checked) or self._closed

    def keeps(self, many: bytes) -> bool:
        """Whether every object of a JSON array keeps the plan, as far as a fast look can tell."""
        try:
            self._many.decode(many)
        except (msgspec.MsgspecError, RecursionError):
            return False
        return True

    def keeps_one(self, one: bytes) -> bool:
        """The same of one object."""
        try:
            self._one.decode(one)
        except (msgspec.MsgspecError, RecursionError):
            return False
        return True

    def examine(self, properties: dict[str, Any]) -> list[Break]:
        """Every way in which an event's properties break the plan."""
        found = list(self._examine(properties))
        if self._closed and len(self._presets) < _MAX_PRESETS:
            presets = {key for key in properties if key.startswith("$")} - self._presets - set(self._properties)
            if presets:  # what the SDKs add by themselves is nobody's mistake: know it from now on
                self._presets |= presets
                self._many, self._one = self._decoders()
        return found

    def _examine(self, properties: dict[str, Any]) -> Iterator[Break]:
        for key, one in self._checked.items():
            value = properties.get(key)
            if value is None:
                if one.required:
                    yield Break(key, "missing_property", self._rule(one, missing=True), "")
                continue
            wrong = None if is_hashed(key) else _wrong(one, value)
            if wrong:
                shown = None if one.personal else value
                yield Break(key, wrong[0], self._rule(one), wrong[1], shown)
        if self._closed:
            rule = self._event.undeclared
            assert rule != "allow"
            for key, value in properties.items():
                if key not in self._event.properties and not key.startswith("$") and value is not None:
                    yield Break(key, "undeclared_property", rule if self.enforce else "keep", "", value)

    def _rule(self, one: Property, *, missing: bool = False) -> Rule:
        rule = one.rule or self._event.rule
        return "keep" if not self.enforce or (missing and rule == "drop") else rule

    def _decoders(self) -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]:
        names: dict[str, str] = {}
        required, optional = [], []
        for number, (key, one) in enumerate(self._checked.items()):
            field = f"f{number}"
            names[field] = key
            kind = _PRESENT if is_hashed(key) else _fast(one)
            if one.required:
                required.append((field, kind))
            else:
                optional.append((field, kind | None, None))
        others = (set(self._event.properties) - set(self._checked)) | self._presets if self._closed else set()
        for number, key in enumerate(sorted(others)):
            names[f"o{number}"] = key
            optional.append((f"o{number}", _PRESENT | None, None))
        made = msgspec.defstruct(
            "Planned", [*required, *optional], rename=names, forbid_unknown_fields=self._closed, gc=False
        )
        return msgspec.json.Decoder(list[made]), msgspec.json.Decoder(made)  # type: ignore[valid-type]


def _whole(plan: Plan, event: Event | None, source: str) -> Break | None:
    """How the event itself breaks the plan, whatever its properties say."""
    if event is None:
        if plan.undeclared == "allow":
            return None
        return Break("", "undeclared_event", plan.undeclared if plan.enforce else "keep", "")
    if event.sources and source not in event.sources:
        rule: Rule = "quarantine" if plan.enforce and event.rule == "quarantine" else "keep"
        return Break("", "wrong_source", rule, ", ".join(event.sources))
    return None


def _says_something(key: str, one: Property) -> bool:
    return one.required or (_fast(one) is not _PRESENT and not is_hashed(key))


def is_hashed(key: str) -> bool:
    """Whether the value was made a hash before, so that nothing is left to check but its presence."""
    return key.lower().replace("_", "").replace("-", "").lstrip("$") in PERSONAL_KEYS


def _fast(one: Property) -> Any:
    """The type whose values all keep what is said of the property."""
    if one.allowed:
        return Literal[tuple(one.allowed)]
    if one.type == "time":
        return datetime
    if one.minimum is not None or one.maximum is not None:
        # A bound of an integer must be one; the slow look knows the exact bound.
        low = None if one.minimum is None else int(-(-one.minimum // 1))
        high = None if one.maximum is None else int(one.maximum // 1)
        whole = Annotated[int, msgspec.Meta(ge=low, le=high)]
        if one.type == "integer":
            return whole
        return whole | Annotated[float, msgspec.Meta(ge=one.minimum, le=one.maximum)]
    return _FAST[one.type]


def _wrong(one: Property, value: Any) -> tuple[str, str] | None:
    if not _is(one.type, value):
        return "wrong_type", f"{_name_of(value)}, {one.type} is planned"
    if one.allowed and (isinstance(value, bool | list | dict) or value not in one.allowed):
        return "not_allowed", f"{len(one.allowed)} values are allowed"
    if one.minimum is not None and value < one.minimum:
        return "out_of_range", f"below {one.minimum}"
    if one.maximum is not None and value > one.maximum:
        return "out_of_range", f"above {one.maximum}"
    return None


def _is(wanted: str, value: Any) -> bool:
    if wanted == "any":
        return True
    if wanted == "integer":
        return not isinstance(value, bool) and (
            isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        )
    if wanted == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted == "time":
        try:
            instant(value, "")
        except Refused:
            return False
        return True
    return isinstance(value, {"text": str, "boolean": bool, "list": list, "object": dict}[wanted])


def type_of(value: Any) -> str:
    """The narrowest type of a plan that a value has."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, list):
        return "list"
    return "object" if isinstance(value, dict) else "text"


_name_of = type_of


def shown(value: Any) -> str:
    """A value as an example, short; the caller masks it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
