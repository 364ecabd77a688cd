"""Traits: operations that events carry, and the one row per identifier and trait that they leave.

What an operation does, as in 神策 and Segment: `set` overwrites, `set_once` fills what is empty, `increment` adds to
a number, `append` adds to a list, `unset` takes a trait away, `delete` all of them. Operations arrive late and out of
order; a row says when its value was said, and an older operation never overwrites a newer one.

Of several identifiers of one person: the latest `set` or `unset` decides; what was added since is added to it; what
was only ever said once counts when nothing else does, the earliest first.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Op = Literal["set", "once", "add", "list", "unset"]
MAX_NAME, MAX_TEXT, MAX_LIST = 100, 2000, 500
_NUMBER = re.compile(r"^-?\d{1,15}(\.\d{1,10})?$")
_OPERATIONS: Mapping[str, Op] = {"set": "set", "set_once": "once", "increment": "add", "append": "list"}


@dataclass(frozen=True, slots=True)
class Change:
    """One operation on one trait of one identifier; `at` microseconds. `value` is any JSON value."""

    identifier_id: int
    name: str
    op: Op
    value: Any
    at: int
    source: str


@dataclass(frozen=True, slots=True)
class Row:
    """The stored row: text of the value (JSON for a list), its number where it is one."""

    op: Op
    value: str | None
    number: float | None
    at: int
    source: str
    identifier_id: int = 0
    name: str = ""
    sealed: bytes | None = field(default=None, repr=False)
    masked: str | None = None
    hash: str | None = None


def parse(text: str) -> tuple[list[tuple[str, Op, Any]], bool]:
    """(name, operation, value) of the trait operations in a batch's JSON, and whether everything is deleted."""
    given = json.loads(text)
    found: list[tuple[str, Op, Any]] = []
    for word, op in _OPERATIONS.items():
        values = given.get(word)
        if isinstance(values, dict):
            found += [(name.strip()[:MAX_NAME], op, value) for name, value in values.items() if name.strip()]
    unset = given.get("unset")
    if isinstance(unset, list | dict):
        found += [(str(name).strip()[:MAX_NAME], "unset", None) for name in unset if str(name).strip()]
    return found, bool(given.get("delete"))


def apply(stored: Row | None, change: Change) -> Row | None:
    """The row after `change`, or None when it changes nothing."""
    at, source = change.at, change.source
    if change.op == "unset":
        return Row("unset", None, None, at, source) if stored is None or at >= stored.at else None
    if change.op == "set":
        if change.value is None:
            return None
        if stored is None or at >= stored.at or stored.op == "once":
            return _row("set", change.value, at, source)
        return None
    if change.op == "once":
        if change.value is None:
            return None
        empty = stored is None or (stored.op == "unset" and stored.at < at)
        earlier = stored is not None and stored.op == "once" and at < stored.at
        return _row("once", change.value, at, source) if empty or earlier else None
    if change.op == "add":
        return _add(stored, change)
    return _append(stored, change)


def _add(stored: Row | None, change: Change) -> Row | None:
    step = number_of(change.value)
    if step is None:
        return None
    if stored is None or (stored.op == "unset" and stored.at < change.at):
        return Row("add", None, step, change.at, change.source)
    if stored.op == "add":
        return replace(stored, number=(stored.number or 0) + step, at=max(stored.at, change.at))
    if stored.op in ("set", "once") and stored.at <= change.at and stored.number is not None:
        total = stored.number + step
        return replace(stored, number=total, value=text_of(total))
    return None


def _append(stored: Row | None, change: Change) -> Row | None:
    more = change.value if isinstance(change.value, list) else [change.value]
    if stored is None or (stored.op == "unset" and stored.at < change.at):
        return _row("list", _union([], more), change.at, change.source)
    if stored.op == "unset" or (stored.at > change.at and stored.op == "set"):
        return None
    items = _union(list_of(stored), more)
    return replace(stored, value=text_of(items), number=None, at=max(stored.at, change.at), op="list")


def list_of(row: Row) -> list[Any]:
    """The items of a list value; a plain value is a list of one."""
    if row.value is None:
        return []
    if row.value.startswith("["):
        try:
            data = json.loads(row.value)
        except ValueError:
            data = None
        if isinstance(data, list):
            return data
    return [row.value]


def _union(items: list[Any], more: Iterable[Any]) -> list[Any]:
    found = list(items)
    for item in more:
        if item is not None and item not in found and len(found) < MAX_LIST:
            found.append(item)
    return found


def _row(op: Op, value: Any, at: int, source: str) -> Row:
    return Row(op, text_of(value), number_of(value), at, source)


def text_of(value: Any) -> str:
    """A JSON value as text: `true`, `42`, `3.5`, the text itself, JSON for lists and objects."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value)[:MAX_TEXT]
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))[:MAX_TEXT]


def number_of(value: Any) -> float | None:
    """The number that a value is, or is written as; None for anything else (and for NaN)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, str) and _NUMBER.match(value.strip()):
        return float(value)
    return None


def present(rows: Sequence[Row]) -> Row | None:
    """A person's present value of a trait, from the rows of their identifiers; None when there is none."""
    bases = [row for row in rows if row.op in ("set", "unset")]
    base = max(bases, key=lambda row: (row.at, row.identifier_id), default=None)
    since = [row for row in rows if row.op in ("add", "list") and (base is None or row.at > base.at)]
    adds = [row for row in since if row.op == "add"]
    lists = [row for row in since if row.op == "list"]
    if adds:
        start = base.number if base is not None and base.number is not None else 0.0
        last = max(adds, key=lambda row: (row.at, row.identifier_id))
        total = start + sum(row.number or 0 for row in adds)
        return replace(last, number=total, value=text_of(total))
    if lists:
        items = list_of(base) if base is not None and base.op == "set" else []
        for row in sorted(lists, key=lambda row: (row.at, row.identifier_id)):
            items = _union(items, list_of(row))
        return replace(max(lists, key=lambda row: (row.at, row.identifier_id)), value=text_of(items), number=None)
    if base is not None:
        return base if base.op == "set" else None
    return min((row for row in rows if row.op == "once"), key=lambda row: (row.at, row.identifier_id), default=None)
