"""Event conditions as Ibis expressions over history: the part of the general evaluator that scans events.

Everything here stays in what compiles for DuckDB and Spark alike; edges of days were computed in `windows`, times are
integers. Conditions over the same event are answered by one scan. Sets of one condition are not combined here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences.bitmaps import from_ids, to_ids
from quanyu.audiences.primitives import EventAggregate, EventFilter, Scalar
from quanyu.storage.engine import Engine, json_text

# Columns of an event that a filter may name; any other name is looked up in `properties`.
EVENT_COLUMNS = frozenset(
    {
        "source",
        "channel",
        "touchpoint",
        "store_id",
        "staff_id",
        "effect_id",
        "session_id",
        "order_id",
        "amount",
        "currency",
        "event_id",
    }
)
_PUSHED_DOWN = 50_000
_COLUMNS = ("person_id", "name", "brand", "day", "occurred_at")


def together(aggregates: Sequence[EventAggregate]) -> list[list[EventAggregate]]:
    """The conditions cut into those that one scan can answer: same event, whole events rather than items."""
    found: dict[tuple[tuple[str, ...], int], list[EventAggregate]] = {}
    for number, aggregate in enumerate(aggregates):
        key = (aggregate.names, number if aggregate.items is not None else -1)
        found.setdefault(key, []).append(aggregate)
    return list(found.values())


def people(
    engine: Engine, scope: Scope, aggregates: Sequence[EventAggregate], within: BitMap | None
) -> dict[EventAggregate, BitMap]:
    """The people of each of the conditions, which must be `together`, from one scan."""
    answer = engine.run(expression(engine, scope, aggregates, within))
    ids = answer.column("person_id").to_numpy()
    if len(aggregates) == 1:
        return {aggregates[0]: from_ids(ids)}
    return {aggregate: from_ids(ids[_mask(answer, i)]) for i, aggregate in enumerate(aggregates)}


def _mask(answer: pa.Table, number: int) -> Any:
    return answer.column(f"is_{number}").fill_null(False).to_numpy(zero_copy_only=False)


def expression(engine: Engine, scope: Scope, aggregates: Sequence[EventAggregate], within: BitMap | None = None) -> Any:
    """One row per person who fulfils at least one of the conditions: `person_id`, then `is_0`, `is_1`, …

    `is_n` is left out when there is one condition only.
    """
    rows = _rows(engine, scope, aggregates, within)
    if len(aggregates) == 1:
        return _one(engine, scope.brand, rows, aggregates[0])
    measures, answers = {}, {}
    for i, aggregate in enumerate(aggregates):
        mine = _all([rows.person_id > 0, *_matching(rows, aggregate)])
        measures[f"n_{i}"] = ibis.coalesce(mine, False).cast("int64").sum()
        measures[f"m_{i}"] = _measure(rows, aggregate, mine)
    by_person = rows.group_by("person_id").aggregate(**measures)
    for i, aggregate in enumerate(aggregates):
        answers[f"is_{i}"] = (by_person[f"n_{i}"] > 0) & _between(by_person[f"m_{i}"], aggregate)
    answered = by_person.select("person_id", **answers)
    anywhere = answered.is_0
    for i in range(1, len(aggregates)):
        anywhere = anywhere | answered[f"is_{i}"]
    return answered.filter(anywhere)


def _rows(engine: Engine, scope: Scope, aggregates: Sequence[EventAggregate], within: BitMap | None) -> Any:
    """Events of the scope, the name and the widest window, of somebody.

    A caller who sees some stores is told nothing of what happened in others: those rows do not count.
    """
    table = engine.events()
    first = aggregates[0]
    conditions = [table.brand == scope.brand, table.person_id > 0]
    if scope.store_ids is not None:
        mine = table.store_id.isin(sorted(scope.store_ids)) if scope.store_ids else ibis.literal(False)
        conditions.append(table.store_id.isnull() | mine)
    if len(first.names) == 1:
        conditions.append(table.name == first.names[0])
    elif first.names:
        conditions.append(table.name.isin(first.names))
    days = [aggregate.window.first_day for aggregate in aggregates]
    if all(day is not None for day in days):
        conditions.append(table.day >= min(day for day in days if day is not None))
    ends = [aggregate.window.last_day for aggregate in aggregates]
    if all(day is not None for day in ends):
        conditions.append(table.day <= max(day for day in ends if day is not None))
    found = table.filter(conditions)
    if within is not None and len(within) <= _PUSHED_DOWN:
        wanted = ibis.memtable(pa.table({"person_id": pa.array(to_ids(within).astype(np.int64))}))
        found = found.semi_join(wanted, "person_id")
    return found


def _one(engine: Engine, brand: str, rows: Any, aggregate: EventAggregate) -> Any:
    mine = rows.filter([rows.person_id > 0, *_matching(rows, aggregate)])
    if aggregate.items is not None:
        mine = _with_items(engine, brand, mine, aggregate)
    if aggregate.measure == "count" and (aggregate.low or 0) <= 1 and aggregate.high is None:
        return mine.select("person_id").distinct()
    by_person = mine.group_by("person_id").aggregate(m=_measure(mine, aggregate, None))
    return by_person.filter(_between(by_person.m, aggregate)).select("person_id")


def _with_items(engine: Engine, brand: str, rows: Any, aggregate: EventAggregate) -> Any:
    """One row per event that has such an item, with the sums over its such items as `amount` and `quantity`."""
    wanted = aggregate.items
    assert wanted is not None
    lines = rows.select("person_id", "source", "event_id", "day", "occurred_at", item=rows["items"].unnest())
    lines = lines.select(
        "person_id",
        "source",
        "event_id",
        "day",
        "occurred_at",
        sku=lines.item.sku,
        quantity=lines.item.quantity,
        amount=lines.item.amount,
    )
    if wanted.by == "product":
        lines = lines.filter(lines.sku.isin(list(wanted.keys)))
    else:
        products = engine.dimension("products")
        chosen = products.filter((products.brand == brand) & products.category_key.isin(list(wanted.keys)))
        lines = lines.semi_join(chosen, "sku")
    return lines.group_by("person_id", "source", "event_id", "day", "occurred_at").aggregate(
        quantity=lines.quantity.sum(), amount=lines.amount.sum()
    )


def _matching(rows: Any, aggregate: EventAggregate) -> list[Any]:
    """The conditions on single events; `day` alone says where a window starts that starts with a day."""
    window = aggregate.window
    parts = [_passes(rows, wanted) for wanted in aggregate.where]
    if window.first_day is not None:
        parts.append(rows.day >= window.first_day)
    elif window.start is not None:
        parts.append(rows.occurred_at >= window.start)
    if window.last_day is not None:
        parts.append(rows.day <= window.last_day)
    if window.end is not None:
        parts.append(rows.occurred_at < window.end)
    return parts


def _measure(rows: Any, aggregate: EventAggregate, where: Any) -> Any:
    if aggregate.measure == "count":
        return rows.count() if where is None else ibis.coalesce(where, False).cast("int64").sum()
    if aggregate.measure == "days":
        return rows.day.nunique(where=where)
    if aggregate.measure == "first":
        return rows.occurred_at.min(where=where)
    if aggregate.measure == "last":
        return rows.occurred_at.max(where=where)
    return ibis.coalesce(rows[aggregate.of or "amount"].sum(where=where), 0)


def _between(measured: Any, aggregate: EventAggregate) -> Any:
    parts = []
    if aggregate.low is not None:
        parts.append(measured >= aggregate.low)
    if aggregate.high is not None:
        parts.append(measured <= aggregate.high)
    return _all(parts)


def _passes(rows: Any, wanted: EventFilter) -> Any:
    """Whether an event passes a filter; never null."""
    if wanted.property in EVENT_COLUMNS:
        column = rows[wanted.property]
        if wanted.property == "channel":  # an event that names no channel came through another
            column = column.coalesce("other")
        text = column.cast("string")
    else:
        text = json_text(rows.properties, wanted.property)
    if wanted.operator == "exists":
        return text.notnull()
    if wanted.operator == "in":
        values = wanted.value if isinstance(wanted.value, tuple) else (wanted.value,)
        fits = ibis.literal(False)
        for value in values:
            fits = fits | ibis.coalesce(_equal(text, value), False)
        if all(isinstance(value, str) for value in values):
            fits = text.isin(list(values))
        return ibis.coalesce(fits, False)
    if wanted.operator == "contains":
        return ibis.coalesce(text.lower().contains(str(wanted.value).lower()), False)
    if wanted.operator in {"eq", "ne"}:
        equal = ibis.coalesce(_equal(text, wanted.value), False)
        return equal if wanted.operator == "eq" else ~equal
    number, bound = text.try_cast("float64"), float(wanted.value)  # type: ignore[arg-type]
    compared = {
        "gt": number > bound,
        "gte": number >= bound,
        "lt": number < bound,
        "lte": number <= bound,
    }[wanted.operator]
    return ibis.coalesce(compared, False)


def _equal(text: Any, value: Scalar | tuple[Scalar, ...] | None) -> Any:
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if isinstance(value, int | float):
        return text.try_cast("float64") == float(value)
    return text == str(value)


def _all(parts: list[Any]) -> Any:
    if not parts:
        return ibis.literal(True)
    whole = parts[0]
    for part in parts[1:]:
        whole = whole & part
    return whole
