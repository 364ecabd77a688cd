"""Applying tracking plans to a micro-batch: personal values hashed, breaks counted, properties dropped, rows refused.

Called once per batch on its Arrow columns. Rows are grouped by event and source, and a group whose properties all
keep the plan costs one decoding of them, in C. Without a plan nothing is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.events.checks import Refused
from quanyu.events.contracts import BATCH_SCHEMA, Batch, Frame, Rejected
from quanyu.events.personal import Hasher, dumped, mask, storable
from quanyu.events.plan import Plan
from quanyu.events.plan_rules import COLUMN_OF, Break, EventRules, shown
from quanyu.events.raws import Row
from quanyu.events.rows import HOUR_MICROS

# (brand, source, event, property, reason, rule, hour in microseconds) -> how often, and a masked example.
Violations = Mapping[tuple[int, str, str, str, str, str, int], tuple[int, str]]
Refuse = Callable[[Sequence[Frame], Mapping[Row, list[Refused]]], list[Rejected]]

_CHUNK = 256
_MAX_EXAMPLE = 120
_MAX_NAME = 128
_MAX_COUNTS = 2_000
_OTHERS = "…"
_HASHED = "hash:"
Rows = npt.NDArray[np.int64]


class Compiled:
    """A brand's plan, with the rules of each event and source made when they are first met."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._rules: dict[tuple[str, str], EventRules] = {}

    def rules(self, name: str, source: str) -> EventRules:
        """What the plan says of the event when it comes from the source."""
        found = self._rules.get((name, source))
        if found is None:
            found = self._rules[name, source] = EventRules(self.plan, name, source)
        return found


@dataclass(slots=True)
class _Work:
    """What judging a batch found so far, by row."""

    texts: dict[int, str] = field(default_factory=dict)  # properties that changed
    cleared: dict[str, set[int]] = field(default_factory=dict)  # columns that must go with a property
    refused: dict[int, Refused] = field(default_factory=dict)
    counts: dict[tuple[int, str, str, str, str, str, int], int] = field(default_factory=dict)
    examples: dict[tuple[int, str, str, str, str, str, int], str] = field(default_factory=dict)


def judge(
    batch: Batch,
    frames: Sequence[Frame],
    plans: Mapping[int, Compiled],
    hasher: Hasher,
    refuse: Refuse,
    own: Callable[[str], bool] = lambda _: False,
) -> Batch:
    """The batch as the brands' plans want it. `refuse` finds the raw bytes of refused rows in `frames`; what the
    product itself recorded (`own` says so of a source) is left as it is.
    """
    table = batch.table
    if not plans or not table.num_rows:
        return batch
    work = _Work()
    properties = table.column("properties").combine_chunks()
    received = table.column("received_at").to_numpy()
    for brand_id, name, source, rows in _groups(table, plans):
        if own(source):
            continue
        rules = plans[brand_id].rules(name, source)
        if rules.whole is not None:
            _note(work, (brand_id, source, name), rules.whole, rows, received)
        if rules.checks_properties:
            for row, breaks in _breaking(rules, properties, rows):
                _apply(work, (brand_id, source, name), row, breaks, properties, received)
        if rules.personal:
            _hash(work, brand_id, rules.personal, properties, rows, hasher)
    if not work.counts and not work.texts:
        return batch
    table = _changed(table, work)
    rejected: list[Rejected] = []
    if work.refused:
        rejected = refuse(frames, _by_row(table, work.refused))
        kept = np.ones(table.num_rows, bool)
        kept[list(work.refused)] = False
        table = table.filter(pa.array(kept))
    violations = {key: (count, work.examples.get(key, "")) for key, count in work.counts.items()}
    return replace(batch, table=table, rejected=(*batch.rejected, *rejected), violations=violations)


def _groups(table: pa.Table, plans: Mapping[int, Compiled]) -> Iterator[tuple[int, str, str, Rows]]:
    """The rows of each (brand, event, source) whose brand has a plan."""
    names = table.column("name").combine_chunks().dictionary_encode()
    sources = table.column("source").combine_chunks().dictionary_encode()
    brands = table.column("brand_id").to_numpy()
    codes = names.indices.to_numpy().astype(np.int64) * len(sources.dictionary) + sources.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    edges = np.flatnonzero(np.diff(codes[order])) + 1
    for rows in np.split(order, edges):
        code = int(codes[rows[0]])
        brand_id = int(brands[rows[0]])  # a source belongs to one brand
        if brand_id in plans:
            name, source = divmod(code, len(sources.dictionary))
            yield brand_id, names.dictionary[name].as_py(), sources.dictionary[source].as_py(), rows


def _breaking(rules: EventRules, properties: pa.Array, rows: Rows) -> Iterator[tuple[int, list[Break]]]:
    """The rows of a group that break the plan, and how."""
    texts = properties.take(pa.array(rows)) if len(rows) < len(properties) else properties
    if rules.keeps(_joined(texts)):
        return
    for begin in range(0, len(rows), _CHUNK):
        part = texts.slice(begin, _CHUNK)
        if rules.keeps(_joined(part)):
            continue
        for row, text in zip(rows[begin : begin + _CHUNK], part.to_pylist(), strict=True):
            if not rules.keeps_one(text.encode()):
                breaks = rules.examine(json.loads(text))
                if breaks:
                    yield int(row), breaks


def _joined(texts: pa.Array) -> bytes:
    """A JSON array of the texts."""
    whole = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    joined: bytes = pc.binary_join(whole, ",")[0].as_buffer().to_pybytes()
    return b"[" + joined + b"]"


def _apply(
    work: _Work,
    place: tuple[int, str, str],
    row: int,
    breaks: Sequence[Break],
    properties: pa.Array,
    received: npt.NDArray[Any],
) -> None:
    at = int(received[row])
    for one in breaks:
        _add(work, place, one, at - at % HOUR_MICROS, 1)
        if one.rule == "quarantine":
            work.refused.setdefault(row, _refused(one))
    dropped = [one.property for one in breaks if one.rule == "drop"]
    if dropped:
        value = json.loads(work.texts.get(row) or properties[row].as_py())
        for key in dropped:
            value.pop(key, None)
            if key in COLUMN_OF:
                work.cleared.setdefault(COLUMN_OF[key], set()).add(row)
        work.texts[row] = dumped(value)


def _note(
    work: _Work, place: tuple[int, str, str], one: Break, rows: npt.NDArray[Any], received: npt.NDArray[Any]
) -> None:
    """Count a break of all the given rows by hour, and refuse them if the rule says so."""
    at = received[rows]
    hours, counts = np.unique(at - at % HOUR_MICROS, return_counts=True)
    for hour, count in zip(hours.tolist(), counts.tolist(), strict=True):
        _add(work, place, one, hour, count)
    if one.rule == "quarantine":
        refused = _refused(one)
        for row in rows.tolist():
            work.refused.setdefault(row, refused)


def _add(work: _Work, place: tuple[int, str, str], one: Break, hour: int, count: int) -> None:
    # What a sender calls its properties is its own: names are cut, and endless new ones are counted together.
    name = storable(one.property)[:_MAX_NAME]
    key = (*place, name, one.reason, one.rule, hour)
    if key not in work.counts and len(work.counts) >= _MAX_COUNTS:
        key = (*place, _OTHERS if name else "", one.reason, one.rule, hour)
    work.counts[key] = work.counts.get(key, 0) + count
    if one.value is not None and key not in work.examples:
        work.examples[key] = mask(storable(shown(one.value)[: 4 * _MAX_EXAMPLE]))[:_MAX_EXAMPLE]


def _refused(one: Break) -> Refused:
    return Refused(one.reason, f"properties.{storable(one.property)}" if one.property else "name", one.detail)


def _hash(
    work: _Work, brand_id: int, personal: Sequence[str], properties: pa.Array, rows: Rows, hasher: Hasher
) -> None:
    """Put keyed hashes in the place of personal values, all of a group in one call."""
    texts = properties.take(pa.array(rows))
    named = np.zeros(len(rows), bool)
    for key in personal:
        written = {json.dumps(key, ensure_ascii=escaped) for escaped in (False, True)}
        for text in written:
            named |= pc.match_substring(texts, text).to_numpy(zero_copy_only=False)
    found: list[tuple[int, dict[str, Any], str]] = []
    values: list[tuple[str, str]] = []
    for place in np.flatnonzero(named).tolist():
        row = int(rows[place])
        properties_of = json.loads(work.texts.get(row) or texts[place].as_py())
        for key in personal:
            value = properties_of.get(key)
            if value is None or value == "" or (isinstance(value, str) and value.startswith(_HASHED)):
                continue
            found.append((row, properties_of, key))
            values.append((f"plan:{storable(key)}", storable(shown(value))))
            if key in COLUMN_OF:
                work.cleared.setdefault(COLUMN_OF[key], set()).add(row)
    for (row, properties_of, key), hashed in zip(found, hasher(brand_id, values) if values else [], strict=True):
        properties_of[key] = f"{_HASHED}{hashed}"
        work.texts[row] = dumped(properties_of)


def _changed(table: pa.Table, work: _Work) -> pa.Table:
    """The table with changed properties in place, and without the columns that were read from what is gone."""
    if work.texts:
        mask_ = np.zeros(table.num_rows, bool)
        mask_[list(work.texts)] = True
        new = pa.array([work.texts[row] for row in sorted(work.texts)], pa.string())
        old = table.column("properties").combine_chunks()
        table = _with(table, "properties", pc.replace_with_mask(old, pa.array(mask_), new))
    for column, rows in work.cleared.items():
        gone = np.zeros(table.num_rows, bool)
        gone[list(rows)] = True
        kind = BATCH_SCHEMA.field(column).type
        old = table.column(column).combine_chunks()
        table = _with(table, column, pc.if_else(pa.array(gone), pa.scalar(None, kind), old))
    return table


def _with(table: pa.Table, column: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(column), BATCH_SCHEMA.field(column), values)


def _by_row(table: pa.Table, refused: Mapping[int, Refused]) -> dict[Row, list[Refused]]:
    rows = sorted(refused)
    part = table.select(["source", "received_at", "event_id"]).take(pa.array(rows)).to_pylist()
    out: dict[Row, list[Refused]] = {}
    for row, values in zip(rows, part, strict=True):
        out.setdefault((values["source"], values["received_at"], values["event_id"]), []).append(refused[row])
    return out
