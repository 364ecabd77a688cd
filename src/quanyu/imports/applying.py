"""From rows to events: a mapping applied to a table, whole columns at once.

In goes a table of text columns (`reading`), out comes a table as `sdk.connector` describes it, with the business key
of each event, and the rows that were refused, each with its column and reason. Nothing here knows where the rows come
from, what was imported before, or how events are stored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.events.contracts import CHANNELS, IDENTIFIER, ITEM
from quanyu.imports import cells
from quanyu.imports.errors import columns_missing
from quanyu.imports.mapping import Column, Identifier, Items, Mapping, Money, Tags, Typed, Value

I64 = npt.NDArray[np.int64]
MAX_KEY = 200


@dataclass(frozen=True, slots=True)
class BadRow:
    """A refused row: its number in the table (from 0), the column and the reason (one of those of quarantine)."""

    row: int
    column: str
    reason: str
    value: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a table. `table` has a column `key` beside those of events (or of a product, a store).

    `first_row` is the row that each of its rows came from. Every row of the input is in `table`'s rows (one or, where
    grouped, several per event), in `bad`, among the `skipped`, or `repeated`: an earlier row with the key of a later.
    """

    table: pa.Table
    first_row: I64
    bad: list[BadRow]
    rows: int
    skipped: int
    repeated: int
    masked: int


@dataclass
class _Rows:
    """The columns of a table as they are read, and the first mistake of each row."""

    table: pa.Table
    time_zone: str
    fill_down: bool
    reason: npt.NDArray[np.object_] = field(init=False)
    where: npt.NDArray[np.object_] = field(init=False)
    bad: cells.Mask = field(init=False)
    skip: cells.Mask = field(init=False)
    masked: int = 0

    def __post_init__(self) -> None:
        count = self.table.num_rows
        self.reason = np.full(count, None, object)
        self.where = np.full(count, None, object)
        self.bad = np.zeros(count, bool)
        self.skip = np.zeros(count, bool)
        self._tidy: dict[str, pa.Array] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def name(self, columns: Sequence[str]) -> str | None:
        """Which of the columns the table has."""
        return next((one for one in columns if one in self.table.column_names), None)

    def text(self, columns: Sequence[str]) -> pa.Array:
        """The tidied text of a column."""
        name = self.name(columns)
        if name is None:
            return pa.nulls(len(self), pa.string())
        if name not in self._tidy:
            text = cells.tidy(self.table.column(name))
            self._tidy[name] = pc.fill_null_forward(text) if self.fill_down else text
        return self._tidy[name]

    def refuse(self, reason: str, columns: Sequence[str], wrong: cells.Mask) -> None:
        """Note the reason of rows that have none yet."""
        fresh = wrong & ~self.skip & ~self.bad
        self.bad |= fresh
        self.reason[fresh], self.where[fresh] = reason, self.name(columns) or columns[0]

    def value(self, value: Value) -> pa.Array:
        """One text per row."""
        if value.const is not None:
            return pa.repeat(pa.scalar(value.const, pa.string()), len(self))
        text = self.text(value.column)
        if not value.values:
            return text
        known = pa.array(list(value.values))
        place = pc.index_in(text, known)
        given = pc.take(pa.array(list(value.values.values())), place)
        unknown = pc.and_(pc.is_valid(text), pc.is_null(place))
        if value.otherwise is None:
            self.refuse("row_value_unknown", value.column, cells.true(unknown))
            return given
        return pc.if_else(unknown, value.otherwise, given)

    def money(self, money: Money) -> pa.Array:
        """Integer cents."""
        values, wrong = cells.money(self.text(money.column), money.unit)
        self.refuse("row_money_unreadable", money.column, wrong)
        return values

    def number(self, column: Column) -> pa.Array:
        """Floating-point numbers."""
        values, wrong = cells.number(self.text(column.column))
        self.refuse("row_number_unreadable", column.column, wrong)
        return values

    def typed(self, typed: Typed) -> pa.Array:
        """A column of the type that the mapping gives it; a time is text with its offset."""
        if typed.type == "money":
            return self.money(Money(column=typed.column, unit=typed.unit))
        if typed.type == "number":
            return self.number(Column(column=typed.column))
        text = self.value(Value(column=typed.column, values=typed.values, otherwise=None)) if typed.values else None
        text = self.text(typed.column) if text is None else text
        if typed.type == "flag":
            values, wrong = cells.flag(text)
            self.refuse("row_flag_unreadable", typed.column, wrong)
            return values
        if typed.type == "time":
            micros, wrong = cells.instants(text, self.time_zone)
            self.refuse("row_time_unreadable", typed.column, wrong)
            seconds = pc.divide(micros, 1_000_000).cast(pa.timestamp("s", tz="UTC"))
            return pc.strftime(seconds, format="%Y-%m-%dT%H:%M:%SZ")
        return text


def apply(mapping: Mapping, table: pa.Table, *, time_zone: str, now: int) -> Applied:
    """Events (or catalogue rows) of a table of text columns. `now` (µs) is when people without a time were described.

    Raises Invalid when the table lacks a column that the mapping cannot do without.
    """
    rows = _Rows(table, time_zone, mapping.fill_down)
    _require(mapping, rows)
    for skip in mapping.skip:
        text = rows.text(skip.column)
        if skip.is_in is not None:
            rows.skip |= pc.is_in(text, pa.array(skip.is_in, pa.string())).to_numpy(zero_copy_only=False)
        if skip.is_not_in is not None:
            rows.skip |= ~pc.is_in(text, pa.array(skip.is_not_in, pa.string())).to_numpy(zero_copy_only=False)
    key = _key(mapping, rows)
    if mapping.target in ("products", "stores"):
        columns = {name: rows.value(value) for name, value in mapping.fields.items()}
        for name in ("sku", "store_id"):
            if name in columns:
                rows.refuse("row_value_missing", mapping.fields[name].column, _null(columns[name]))
    else:
        columns = _event(mapping, rows, now)
        if mapping.target == "events":
            key = pc.binary_join_element_wise(columns["name"], key, ":")
    lines = _lines(mapping.items, rows) if mapping.items else None
    return _put_together(mapping, rows, key, columns, lines)


def _require(mapping: Mapping, rows: _Rows) -> None:
    missing = ["/".join(columns) for columns in mapping.needed() if rows.name(columns) is None]
    if missing:
        raise columns_missing(list(dict.fromkeys(missing)), rows.table.column_names)


def _key(mapping: Mapping, rows: _Rows) -> pa.Array:
    parts = [rows.text(part) for part in mapping.key]
    for part, text in zip(mapping.key, parts, strict=True):
        rows.refuse("row_key_missing", part, _null(text))
    key = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "|")
    rows.refuse("row_key_too_long", mapping.key[0], cells.true(pc.greater(pc.utf8_length(key), MAX_KEY)))
    return key


def _event(mapping: Mapping, rows: _Rows, now: int) -> dict[str, pa.Array]:
    columns: dict[str, pa.Array] = {}
    columns["name"] = rows.value(mapping.name or Value(const="identified"))
    if mapping.name:
        rows.refuse("row_value_missing", mapping.name.column or mapping.key[0], _null(columns["name"]))
    columns["occurred_at"] = _occurred_at(mapping, rows, now)
    for name in ("order_id", "store_id", "staff_id", "touchpoint", "currency"):
        value = getattr(mapping, name)
        if value is not None:
            columns[name] = rows.value(value)
    if mapping.channel is not None:
        channel = rows.value(mapping.channel)
        columns["channel"] = pc.if_else(pc.is_in(channel, pa.array(list(CHANNELS))), channel, "other")
    if mapping.amount is not None:
        columns["amount"] = rows.money(mapping.amount)
    columns["raw_identifiers"] = _identifiers(mapping.identifiers, rows)
    if mapping.target == "people":
        none = pc.equal(pc.list_value_length(columns["raw_identifiers"]), 0)
        rows.refuse("row_identifier_missing", mapping.identifiers[0].column, cells.true(none))
    if mapping.properties:
        columns["properties"] = _json({name: rows.typed(typed) for name, typed in mapping.properties.items()})
    if mapping.traits or mapping.tags:
        columns["traits"] = _operations(mapping, rows)
    if mapping.consent:
        columns["consent"] = _consent(mapping, rows)
    return columns


def _occurred_at(mapping: Mapping, rows: _Rows, now: int) -> pa.Array:
    when = mapping.occurred_at
    if when is None:
        return pa.array(np.full(len(rows), now, np.int64))
    text = rows.text(when.column)
    at, wrong = cells.instants(text, when.time_zone or rows.time_zone, when.format)
    rows.refuse("row_time_unreadable", when.column, wrong)
    if mapping.target == "people":
        return pc.fill_null(at, now)
    rows.refuse("row_time_missing", when.column, _null(text))
    return at


def _identifiers(wanted: Sequence[Identifier], rows: _Rows) -> pa.Array:
    """The identifiers of each row; masked values are counted and left out."""
    count, owners, namespaces, values = len(rows), [], [], []
    for one in wanted:
        text = rows.text(one.column)
        hidden = cells.masked(text)
        rows.masked += int((hidden & ~rows.skip).sum())
        there = np.flatnonzero(~hidden & ~_null(text))
        text = text.take(pa.array(there))
        owners.append(there)
        namespaces.append(pa.repeat(pa.scalar(one.namespace, pa.string()), len(there)))
        values.append(pc.binary_join_element_wise(text, one.suffix, "") if one.suffix else text)
    if not owners:
        return pa.nulls(count, pa.list_(IDENTIFIER))
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    flat = pa.StructArray.from_arrays([pa.concat_arrays(namespaces), pa.concat_arrays(values)], fields=list(IDENTIFIER))
    return pa.ListArray.from_arrays(_offsets(owner, count), flat.take(pa.array(order)))


def _lines(items: Items, rows: _Rows) -> pa.Array:
    """The product of each row; null where the row has none."""
    sku = rows.value(items.sku)
    nothing = pa.nulls(len(rows), pa.int64())
    quantity = rows.number(items.quantity) if items.quantity else pa.nulls(len(rows), pa.float64())
    price = rows.money(items.unit_price) if items.unit_price else nothing
    amount = rows.money(items.amount) if items.amount else nothing
    return pa.StructArray.from_arrays([sku, quantity, price, amount], fields=list(ITEM), mask=pc.is_null(sku))


def _put_together(
    mapping: Mapping, rows: _Rows, key: pa.Array, columns: dict[str, pa.Array], lines: pa.Array | None
) -> Applied:
    """One row per key: of an order all its lines, otherwise the last; an order with a bad row is refused whole."""
    order = pc.fill_null(key, "").dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    bad = rows.bad
    if mapping.grouped:
        spoilt = np.zeros(int(order.max(initial=-1)) + 1, bool)
        spoilt[order[bad & ~_null(key)]] = True
        rows.refuse("row_order_incomplete", mapping.key[0], spoilt[order] & ~_null(key))
    good = np.flatnonzero(~bad & ~rows.skip)
    repeated = 0
    if mapping.grouped:
        _, first = np.unique(order[good], return_index=True)
        chosen = good[np.sort(first)]
    else:
        _, last = np.unique(order[good][::-1], return_index=True)
        chosen = good[np.sort(len(good) - 1 - last)]
        repeated = len(good) - len(chosen)
    table = pa.table({name: column.take(pa.array(chosen)) for name, column in columns.items()})
    table = table.append_column("key", key.take(pa.array(chosen)))
    # The place of each kept row's event: keys in the order in which they first occur.
    place = np.full(int(order.max(initial=-1)) + 1, -1, np.int64)
    place[order[chosen]] = np.arange(len(chosen))
    if lines is not None:
        used = good if mapping.grouped else chosen
        used = used[~_null(lines)[used]]
        event = place[order[used]]
        used = used[np.argsort(event, kind="stable")]
        offsets = _offsets(event, len(chosen))
        table = table.append_column("items", pa.ListArray.from_arrays(offsets, lines.take(pa.array(used))))
    if mapping.grouped and mapping.amount is not None and mapping.amount.lines == "sum":
        amount = columns["amount"].take(pa.array(good))
        total = np.zeros(len(chosen), np.int64)
        np.add.at(total, place[order[good]], amount.fill_null(0).to_numpy(zero_copy_only=False))
        table = table.set_column(table.column_names.index("amount"), "amount", pa.array(total))
    return Applied(table, chosen, _bad_rows(rows, bad), len(rows), int(rows.skip.sum()), repeated, rows.masked)


def _bad_rows(rows: _Rows, bad: cells.Mask) -> list[BadRow]:
    found = []
    for row in np.flatnonzero(bad).tolist():
        column = rows.where[row]
        value = rows.table.column(column)[row].as_py() if column in rows.table.column_names else None
        found.append(BadRow(row, column, rows.reason[row], "" if value is None else str(value)[:200]))
    return found


def _json(values: dict[str, pa.Array]) -> pa.Array:
    """One JSON object per row, without what is null."""
    struct = pa.StructArray.from_arrays(list(values.values()), names=list(values))
    return _said(struct, "SELECT json_merge_patch('{}', to_json(s))::VARCHAR AS s FROM given")


def _said(column: pa.Array, statement: str) -> pa.Array:
    """The text that DuckDB makes of each value of `given.s`, in order."""
    with duckdb.connect(":memory:") as db:
        db.execute("SET preserve_insertion_order = true")
        db.register("given", pa.table({"s": column}))
        return db.sql(statement).to_arrow_table().column(0).combine_chunks().cast(pa.string())


def _operations(mapping: Mapping, rows: _Rows) -> pa.Array:
    """Trait operations: `{"set": {…}, "tags": [{"group": …, "name": …}]}`."""
    count = len(rows)
    traits = {name: rows.typed(typed) for name, typed in mapping.traits.items()}
    given: dict[str, pa.Array] = {}
    if traits:
        given["set"] = pa.StructArray.from_arrays(list(traits.values()), names=list(traits))
    if mapping.tags:
        given["tags"] = _tags(mapping.tags, rows, count)
    text = _json(given)
    return pc.if_else(pc.is_in(text, pa.array(["{}", '{"set":{}}'])), None, text)


def _tags(wanted: Sequence[Tags], rows: _Rows, count: int) -> pa.Array:
    owners, groups, names = [], [], []
    for one in wanted:
        pattern = "[" + re.escape(one.separators) + "]+"
        parts = pc.split_pattern_regex(rows.text(one.column), pattern)
        name = pc.utf8_trim_whitespace(parts.flatten())
        owner = pc.list_parent_indices(parts).to_numpy(zero_copy_only=False)
        there = pc.greater(pc.utf8_length(name), 0).to_numpy(zero_copy_only=False)
        owners.append(owner[there])
        names.append(name.filter(pa.array(there)))
        groups.append(pa.repeat(pa.scalar(one.group, pa.string()), int(there.sum())))
    owner = np.concatenate(owners)
    flat = pa.StructArray.from_arrays([pa.concat_arrays(groups), pa.concat_arrays(names)], names=["group", "name"])
    order = pa.array(np.argsort(owner, kind="stable"))
    return pa.ListArray.from_arrays(_offsets(owner, count), flat.take(order), mask=_none_of(owner, count))


def _consent(mapping: Mapping, rows: _Rows) -> pa.Array:
    owners, parts = [], []
    for one in mapping.consent:
        text = rows.text(one.column)
        for status, words in (("granted", one.granted), ("withdrawn", one.withdrawn)):
            said = np.flatnonzero(pc.is_in(text, pa.array(words, pa.string())).to_numpy(zero_copy_only=False))
            owners.append(said)
            shared = [one.purpose, one.channel, status, one.notice_version, f"import: {one.column[0]}"]
            parts.append(
                pa.StructArray.from_arrays(
                    [pa.repeat(pa.scalar(word), len(said)) for word in shared],
                    names=["purpose", "channel", "status", "notice_version", "evidence"],
                )
            )
    owner = np.concatenate(owners)
    order = pa.array(np.argsort(owner, kind="stable"))
    flat = pa.concat_arrays(parts).take(order)
    lists = pa.ListArray.from_arrays(_offsets(owner, len(rows)), flat)
    text = _said(lists, "SELECT to_json(s)::VARCHAR AS s FROM given")
    return pc.if_else(pc.equal(pc.list_value_length(lists), 0), None, text)


def _offsets(owner: npt.NDArray[Any], count: int) -> pa.Array:
    """List offsets of values whose owners are `owner`, once they are sorted by owner."""
    offsets = np.zeros(count + 1, np.int32)
    np.cumsum(np.bincount(owner, minlength=count), out=offsets[1:])
    return pa.array(offsets)


def _none_of(owner: npt.NDArray[Any], count: int) -> pa.Array:
    return pa.array(np.bincount(owner, minlength=count) == 0)


def _null(column: pa.Array) -> cells.Mask:
    return np.asarray(pc.is_null(column).to_numpy(zero_copy_only=False), bool)
