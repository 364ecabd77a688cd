"""Event conditions over column streams: the fast part of the evaluator, with the answers of the general one.

It answers what streams can say: whole events, in windows of days, filtered by few-valued columns and properties.
Everything else it declines (None), and `history_sets` answers. A condition is one walk over the days it touches, into
one slot per person; a row's exact instant is read only where a window or bound cuts through a day.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences import kernels
from quanyu.audiences.bitmaps import from_mask
from quanyu.audiences.primitives import EventAggregate, EventFilter, Scalar
from quanyu.storage.streams import U32, EventStreams, Slice

# Columns of few values. A property is decoded from its JSON text once per distinct text.
_COLUMNS = frozenset({"channel", "store_id", "staff_id", "touchpoint", "currency", "source"})
_EVERY: Any = np.zeros(0, dtype=np.bool_)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

Keep = npt.NDArray[np.bool_]
Passes = Callable[[str | None], bool]


class _Declined(Exception):
    """Streams cannot answer this."""


def people(streams: EventStreams, scope: Scope, aggregate: EventAggregate) -> BitMap | None:
    """The people of a condition, or None where the general evaluator has to answer."""
    if aggregate.items is not None or aggregate.of == "quantity":
        return None
    window = aggregate.window
    slices = streams.slices(scope.brand, aggregate.names, window.first_day, window.last_day)
    if slices is None:
        return None
    holder = streams.holders()
    try:
        if aggregate.measure in {"first", "last"}:
            return _by_instant(slices, holder, scope, aggregate)
        return _by_amount(slices, holder, scope, aggregate)
    except _Declined:
        return None


def _by_amount(slices: Sequence[Slice], holder: U32, scope: Scope, aggregate: EventAggregate) -> BitMap:
    size = int(holder.max(initial=0)) + 1
    low = -math.inf if aggregate.low is None else aggregate.low
    high = math.inf if aggregate.high is None else aggregate.high
    if aggregate.measure == "sum":
        total, seen = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.uint8)
        for one, keep in _kept(slices, scope, aggregate):
            amount = np.zeros(0, dtype=np.int64) if one.amount is None else one.amount
            kernels.sum_rows(one.anchor, amount, holder, keep, total, seen)
        return from_mask((seen > 0) & (total >= low) & (total <= high))
    if aggregate.measure == "days":
        last, days = np.zeros(size, dtype=np.uint16), np.zeros(size, dtype=np.uint16)
        numbers: dict[str, int] = {}
        for one, keep in _kept(slices, scope, aggregate):
            number = numbers.setdefault(one.day, len(numbers) + 1)
            kernels.count_days(one.anchor, holder, keep, number, last, days)
        return from_mask((days > 0) & (days >= low) & (days <= high))
    small = low <= 255 and (high == math.inf or high < 255)
    counted: npt.NDArray[Any] = np.zeros(size, dtype=np.uint8 if small else np.uint32)
    for one, keep in _kept(slices, scope, aggregate):
        kernels.count_rows(one.anchor, holder, keep, counted)
    return from_mask((counted > 0) & (counted >= max(low, 1)) & (counted <= high))


def _by_instant(slices: Sequence[Slice], holder: U32, scope: Scope, aggregate: EventAggregate) -> BitMap:
    """Days are walked from the end (or the beginning): the first row met of a person is of their last (first) day."""
    latest = aggregate.measure == "last"
    size = int(holder.max(initial=0)) + 1
    low = -math.inf if aggregate.low is None else aggregate.low
    high = math.inf if aggregate.high is None else aggregate.high
    verdict = np.zeros(size, dtype=np.uint8)  # 1: within, 2: outside
    by_day: dict[str, list[Slice]] = {}
    for one in slices:
        by_day.setdefault(one.day, []).append(one)
    for day in sorted(by_day, reverse=latest):
        of_day = by_day[day]
        begin, end = min(one.earliest for one in of_day), max(one.latest for one in of_day)
        inside, outside = low <= begin and end <= high, end < low or begin > high
        if inside or outside:
            for one, keep in _kept(of_day, scope, aggregate):
                kernels.settle(one.anchor, holder, keep, 1 if inside else 2, verdict)
            continue
        bound = np.iinfo(np.int64).min if latest else np.iinfo(np.int64).max
        best = np.full(size, bound, dtype=np.int64)
        for one, keep in _kept(of_day, scope, aggregate):
            kernels.extreme(one.anchor, one.occurred_at(), holder, keep, latest, verdict, best)
        met = (verdict == 0) & (best != bound)
        verdict[met] = np.where((best[met] >= low) & (best[met] <= high), 1, 2)
    return from_mask(verdict == 1)


def _kept(slices: Iterable[Slice], scope: Scope, aggregate: EventAggregate) -> Iterable[tuple[Slice, Keep]]:
    """Each slice with which of its rows count; an empty mask is all of them."""
    start, end = aggregate.window.start, aggregate.window.end
    tests = [_test(wanted) for wanted in aggregate.where]
    if scope.store_ids is not None:
        stores = scope.store_ids
        tests.append(("store_id", None, lambda text: text is None or text in stores))
    for one in slices:
        keep: Keep = _EVERY
        for column, key, passes in tests:
            keep = _both(keep, _filtered(one, column, key, passes))
        if end is not None and one.latest >= end:
            keep = _both(keep, one.occurred_at() < end)
        if start is not None and aggregate.window.first_day is None and one.earliest < start:
            keep = _both(keep, one.occurred_at() >= start)
        yield one, keep


def _both(one: Keep, other: Keep) -> Keep:
    if one.size == 0:
        return other
    return one if other.size == 0 else one & other


def _filtered(one: Slice, column: str, key: str | None, passes: Passes) -> Keep:
    coded = one.texts(column) if key is None else one.property_texts(key)
    if coded is None:
        raise _Declined
    codes, values = coded
    allowed = np.fromiter(map(passes, values), np.bool_, len(values))
    kept: Keep = np.take(allowed, codes)
    return kept


def _test(wanted: EventFilter) -> tuple[str, str | None, Passes]:
    """The column to look at, the property in it, and the test of its text: as `history_sets` compares."""
    if wanted.property in _COLUMNS:
        default = "other" if wanted.property == "channel" else None
        compare = _compare(wanted)
        return wanted.property, None, lambda text: compare(default if text is None else text)
    if wanted.property in {"amount", "order_id", "effect_id", "session_id", "event_id"}:
        raise _Declined
    return "properties", wanted.property, _compare(wanted)


def _compare(wanted: EventFilter) -> Passes:
    operator, value = wanted.operator, wanted.value
    if operator == "exists":
        return lambda text: text is not None
    if operator == "in":
        many = value if isinstance(value, tuple) else (value,)
        return lambda text: text is not None and any(_equal(text, one) for one in many)
    if operator == "contains":
        part = str(value).lower()
        return lambda text: text is not None and part in text.lower()
    if operator in {"eq", "ne"}:
        assert not isinstance(value, tuple)
        same = operator == "eq"
        return lambda text: (text is not None and _equal(text, value)) == same
    bound = float(value)  # type: ignore[arg-type]
    tests: dict[str, Callable[[float], bool]] = {
        "gt": lambda number: number > bound,
        "gte": lambda number: number >= bound,
        "lt": lambda number: number < bound,
        "lte": lambda number: number <= bound,
    }
    passes = tests[operator]
    return lambda text: text is not None and (number := _number(text)) is not None and passes(number)


def _equal(text: str, value: Scalar | None) -> bool:
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if isinstance(value, int | float):
        return _number(text) == float(value)
    return text == str(value)


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text.strip()) else None
