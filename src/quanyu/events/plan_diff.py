"""What differs between two tracking plans, and whether events that were right before can now break the plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from quanyu.events.plan import Event, Plan, Property

Kind = Literal["added", "removed", "changed"]
_WIDER = {("integer", "number")}
_STRICT = {"allow": 0, "keep": 1, "drop": 2, "quarantine": 3}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `path` is like `events.order_paid.properties.total.type`; `breaking` means that an event which
    kept the old plan can break the new one, or is treated more harshly, or that something declared is gone.
    """

    kind: Kind
    path: str
    before: Any
    after: Any
    breaking: bool


def diff(before: Plan, after: Plan) -> list[Change]:
    """Every difference, in order of events and properties."""
    changes = list(_fields("", before, after, ("enforce", "undeclared"), _plan_breaks))
    for name in sorted({*before.events, *after.events}):
        changes += _event(f"events.{name}", before.events.get(name), after.events.get(name), after)
    return changes


def _event(path: str, before: Event | None, after: Event | None, plan: Plan) -> Iterator[Change]:
    if before is None and after is not None:
        # What was undeclared is declared: stricter when it now asks for anything that was not asked for.
        yield Change("added", path, None, msgspec.to_builtins(after), _asks(after))
        return
    if before is not None and after is None:
        yield Change("removed", path, msgspec.to_builtins(before), None, plan.undeclared != "allow" or _tells(before))
        return
    assert before is not None
    assert after is not None
    yield from _fields(path, before, after, ("description", "owner", "sources", "rule", "undeclared"), _event_breaks)
    for key in sorted({*before.properties, *after.properties}):
        yield from _property(
            f"{path}.properties.{key}", before.properties.get(key), after.properties.get(key), after.undeclared
        )


def _property(path: str, before: Property | None, after: Property | None, undeclared: str) -> Iterator[Change]:
    if before is None and after is not None:
        yield Change("added", path, None, msgspec.to_builtins(after), _demands(after))
    elif before is not None and after is None:
        yield Change("removed", path, msgspec.to_builtins(before), None, undeclared != "allow" or before.personal)
    elif before is not None and after is not None:
        yield from _fields(path, before, after, Property.__struct_fields__, _property_breaks)


def _fields(path: str, before: Any, after: Any, names: tuple[str, ...], breaks: Any) -> Iterator[Change]:
    for name in names:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            where = f"{path}.{name}" if path else name
            yield Change("changed", where, msgspec.to_builtins(old), msgspec.to_builtins(new), breaks(name, old, new))


def _plan_breaks(name: str, old: Any, new: Any) -> bool:
    return bool(new and not old) if name == "enforce" else _STRICT[new] > _STRICT[old]


def _event_breaks(name: str, old: Any, new: Any) -> bool:
    if name == "sources":
        return bool(new) and not (old and set(old) <= set(new))
    return name in ("rule", "undeclared") and _STRICT[new] > _STRICT[old]


def _property_breaks(name: str, old: Any, new: Any) -> bool:
    if name == "type":
        return new != "any" and (old, new) not in _WIDER
    if name == "allowed":
        return bool(new) and not (old and set(old) <= set(new))
    if name == "minimum":
        return new is not None and (old is None or new > old)
    if name == "maximum":
        return new is not None and (old is None or new < old)
    if name == "required":
        return bool(new)
    if name == "personal":
        return True  # either way what is stored changes its meaning
    if name == "sources":
        return not (old and (not new or set(old) <= set(new))) if new else bool(old)
    return name == "rule" and _STRICT[new or "keep"] > _STRICT[old or "keep"]


def _demands(one: Property) -> bool:
    """Whether an event may break what is said of this property, or is changed by it."""
    bounded = one.minimum is not None or one.maximum is not None
    return one.required or one.personal or one.type != "any" or bool(one.allowed) or bounded


def _asks(event: Event) -> bool:
    return bool(event.sources) or event.undeclared != "allow" or any(map(_demands, event.properties.values()))


def _tells(event: Event) -> bool:
    """Whether something is stored otherwise without it."""
    return any(one.personal for one in event.properties.values())
