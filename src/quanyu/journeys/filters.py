"""Which events of a batch fulfil the filters of a node: evaluated column by column, each column read once.

A property is a column of the event (`amount`, `channel`, `store_id`, `order_id` …), `sku` (any of its items), or
one of its own properties, written `properties.name` or just `name`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.journeys.nodes import Filter

Mask = npt.NDArray[np.bool_]

_COLUMNS = frozenset(
    {
        "event_id",
        "source",
        "name",
        "occurred_at",
        "received_at",
        "day",
        "channel",
        "touchpoint",
        "store_id",
        "staff_id",
        "effect_id",
        "session_id",
        "order_id",
        "amount",
        "currency",
    }
)


class EventBatch:
    """A batch of events with its columns decoded at most once, whatever the number of filters."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._names: dict[str, Mask] = {}
        self._values: dict[str, list[Any]] = {}
        self._properties: dict[str, list[dict[str, Any] | None]] = {}

    def named(self, name: str) -> Mask:
        """Where the events are called `name`."""
        if name not in self._names:
            equal = pc.fill_null(pc.equal(self.table["name"], name), fill_value=False)
            self._names[name] = equal.combine_chunks().to_numpy(zero_copy_only=False).astype(np.bool_)
        return self._names[name]

    def matching(self, name: str, where: Sequence[Filter]) -> npt.NDArray[np.int64]:
        """The rows, in order, of the events called `name` that fulfil every filter."""
        rows = np.flatnonzero(self.named(name))
        for condition in where:
            if not len(rows):
                break
            test = _TESTS[condition.operator]
            values = self._column(name, condition.property, rows)
            rows = rows[[test(value, condition.value) for value in values]]
        return rows

    def property_of(self, row: int, name: str) -> Any:
        """One property of one event, None when it is not there."""
        raw = self.table["properties"][row].as_py()
        return _decode(raw).get(name) if raw else None

    def _column(self, event: str, prop: str, rows: npt.NDArray[np.int64]) -> list[Any]:
        if prop in _COLUMNS:
            if prop not in self._values:
                self._values[prop] = self.table[prop].to_pylist()
            values = self._values[prop]
            return [values[row] for row in rows]
        if prop == "sku":
            items = self.table["items"].take(pa.array(rows)).to_pylist()
            return [[item["sku"] for item in entry or ()] for entry in items]
        if event not in self._properties:
            decoded: list[dict[str, Any] | None] = [None] * self.table.num_rows
            named = np.flatnonzero(self.named(event))
            for row, raw in zip(named, self.table["properties"].take(pa.array(named)).to_pylist(), strict=True):
                decoded[row] = _decode(raw) if raw else {}
            self._properties[event] = decoded
        key = prop.removeprefix("properties.")
        return [(self._properties[event][row] or {}).get(key) for row in rows]


def _decode(raw: str) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _equal(value: Any, wanted: Any) -> bool:
    if isinstance(value, list):
        return any(_equal(entry, wanted) for entry in value)
    if value is None or isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted or (value is not None and str(value).lower() == str(wanted).lower())
    left, right = _number(value), _number(wanted)
    if left is not None and right is not None:
        return left == right
    return str(value) == str(wanted)


def _ordered(compare: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    def test(value: Any, wanted: Any) -> bool:
        left, right = _number(value), _number(wanted)
        return left is not None and right is not None and compare(left, right)

    return test


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, list):
        return any(_equal(entry, wanted) for entry in value)
    return value is not None and str(wanted) in str(value)


def _known(value: Any) -> bool:
    return value is not None and value not in ("", [])


_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "ne": lambda value, wanted: _known(value) and not _equal(value, wanted),
    "in": lambda value, wanted: any(_equal(value, each) for each in (wanted if isinstance(wanted, list) else [wanted])),
    "gt": _ordered(lambda a, b: a > b),
    "gte": _ordered(lambda a, b: a >= b),
    "lt": _ordered(lambda a, b: a < b),
    "lte": _ordered(lambda a, b: a <= b),
    "contains": _contains,
    "known": lambda value, _: _known(value),
    "unknown": lambda value, _: not _known(value),
}
