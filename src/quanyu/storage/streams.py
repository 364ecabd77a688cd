"""Column streams: who did what on which day, as plain arrays derived from the history's files.

A cache, rebuilt from history at any time: per file of the newest version, rows sorted by brand and name, the deciding
identifier of each as an unsigned 32-bit number, amounts where there are any; everything else is read again from the
file when a question needs it. Who an identifier belongs to today is one dense array beside them, so a merge changes
that array and no stream. `docs/decisions` and the audience benchmark say why: a person is a position in an array.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from quanyu.storage.engine import EVENTS, Dimension
from quanyu.storage.history import History, Snapshot

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
_MOST_ROWS = 250_000_000
_SMALL_FILE = 200_000
_MOST_PARTS = 16
_MOST_VALUES = 5_000


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one name, brand and day. `anchor` says who; arrays are read-only and in the same order.

    `earliest` and `latest` bound `occurred_at` of the whole part. `amount` is None where no row has one; a missing
    amount is 0.
    """

    day: str
    name: str
    anchor: U32
    amount: I64 | None
    earliest: int
    latest: int
    _part: Part
    _start: int
    _end: int

    def occurred_at(self) -> I64:
        """The instants of the rows, microseconds; read from the file."""
        column = cast(I64, self._part.column("occurred_at").to_numpy())
        order = self._part.order
        return column[self._start : self._end] if order is None else column[order[self._start : self._end]]

    def texts(self, column: str) -> tuple[I32, list[str | None]] | None:
        """A text column of the rows as codes into its distinct values (the last one is null); kept.

        None for a column of too many values to be worth it.
        """
        codes, values = self._part.coded(column)
        return (codes[self._start : self._end], values) if values else None

    def property_texts(self, key: str) -> tuple[I32, list[str | None]] | None:
        """The same for a property in the JSON of `properties`, as `engine.json_text` reads it; values may repeat."""
        codes, documents = self._part.coded("properties")
        if not documents:
            return None
        known = self._part.properties.get(key)
        if known is None:
            known = self._part.properties[key] = [_property(document, key) for document in documents]
        return codes[self._start : self._end], known


@dataclass(slots=True)
class Part:
    """One file's (or several small files') rows of a day, sorted by brand and name."""

    day: str
    files: tuple[str, ...]
    order: U32 | None  # sorted position -> row in the files; None where they are the same
    anchor: U32
    amount: I64
    bounds: dict[tuple[str, str], tuple[int, int, bool]]  # (brand, name) -> start, end, has amounts
    earliest: int
    latest: int
    holders: tuple[U32, U32]  # distinct anchors, and whom the files say they belong to
    plain: bool  # every row with a person has an anchor
    properties: dict[str, list[str | None]] = field(default_factory=dict)  # by key: of each distinct document
    _codes: dict[str, tuple[I32, list[str | None]]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows."""
        return int(self.anchor.size)

    def column(self, name: str) -> Any:
        """A column of the files, in their order."""
        return _read(self.files, [name]).column(name).combine_chunks()

    def coded(self, name: str) -> tuple[I32, list[str | None]]:
        """A text column in sorted order, as codes into its distinct values (the last is null); none: too many."""
        known = self._codes.get(name)
        if known is None:
            encoded = self.column(name).dictionary_encode()
            if isinstance(encoded, pa.ChunkedArray):
                encoded = encoded.combine_chunks()
            if len(encoded.dictionary) > _MOST_VALUES:
                self._codes[name] = (np.zeros(0, np.int32), [])
                return self._codes[name]
            values: list[str | None] = [*encoded.dictionary.to_pylist(), None]
            codes = encoded.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False).astype(np.int32)
            known = self._codes[name] = (codes if self.order is None else codes[self.order], values)
        return known


class EventStreams:
    """The streams of a history. Thread-safe; parts are read when a question first needs their day."""

    def __init__(
        self,
        history: History,
        moved: Dimension | None = None,
        most_rows: int = _MOST_ROWS,
        *,
        replaced: Dimension | None = None,
    ) -> None:
        """`replaced` names the events (`source`, `event_id`, `day`) that nobody counts."""
        self._history = history
        self._replaced = replaced
        self._gone: dict[str, frozenset[tuple[str, str]]] = {}
        self._gone_token = ""
        self._moved = moved
        self._most_rows = most_rows
        self._lock = threading.RLock()
        self._version = -1
        self._days: dict[str, tuple[str, ...]] = {}
        self._parts: dict[str, list[Part]] = {}
        self._fits = False
        self._written: U32 = np.zeros(1, dtype=np.uint32)  # anchor -> person, as the files say
        self._changes = 0
        self._holders: tuple[str, U32] | None = None

    def follow(self) -> bool:
        """Look at the newest version of history; whether it is small enough to be kept in memory."""
        with self._lock:
            self._follow()
            return self._fits

    def slices(
        self, brand: str, names: Sequence[str], first_day: str | None, last_day: str | None
    ) -> list[Slice] | None:
        """The rows of the names (all if none) on the days, in order of days; None where streams cannot say it.

        Of the version that `follow` last saw, so that several conditions of one question see the same.
        """
        with self._lock:
            if not self._fits:
                return None
            found: list[Slice] = []
            for day in sorted(self._days):
                if (first_day is None or day >= first_day) and (last_day is None or day <= last_day):
                    parts = self._load(day)
                    if not all(part.plain for part in parts):
                        return None
                    for part in parts:
                        found += _slices(part, brand, names)
            return found

    def holders(self) -> U32:
        """Whom each identifier belongs to today: a dense array by `anchor_id`, 0 is nobody.

        It covers every anchor of the slices that were handed out before.
        """
        with self._lock:
            token = f"{self._changes}|{self._moved.token() if self._moved else ''}"
            if self._holders is None or self._holders[0] != token:
                holders = self._written.copy()
                if self._moved is not None:
                    data = self._moved.read()
                    if data.num_rows:
                        anchors = data.column("moved_anchor").to_numpy()
                        people = data.column("moved_person").to_numpy()
                        inside = anchors < holders.size
                        holders[anchors[inside]] = people[inside]
                self._holders = (token, holders)
            return self._holders[1]

    # ---------------------------------------------------------------------------------------------------- inside
    def _follow(self) -> None:
        version = self._history.version(EVENTS)
        if version == self._version and (self._replaced is None or self._replaced.token() == self._gone_token):
            return
        self._follow_replaced()
        snapshot = self._history.snapshot(EVENTS)
        self._fits = snapshot.rows <= self._most_rows
        self._days = _by_day(snapshot) if self._fits else {}
        self._version = snapshot.version
        for day in list(self._parts):
            current = set(self._days.get(day, ()))
            kept = [part for part in self._parts[day] if current.issuperset(part.files)]
            if kept:
                self._parts[day] = kept
            else:
                del self._parts[day]

    def _follow_replaced(self) -> None:
        """Forget the parts of days of which an event was replaced since."""
        if self._replaced is None or self._replaced.token() == self._gone_token:
            return
        self._gone_token = self._replaced.token()
        gone: dict[str, set[tuple[str, str]]] = {}
        for row in self._replaced.read().to_pylist():
            gone.setdefault(row["day"], set()).add((row["source"], row["event_id"]))
        for day, events in gone.items():
            if self._gone.get(day, frozenset()) != frozenset(events):
                self._parts.pop(day, None)
        self._gone = {day: frozenset(events) for day, events in gone.items()}

    def _load(self, day: str) -> list[Part]:
        parts = self._parts.setdefault(day, [])
        known = {file for part in parts for file in part.files}
        missing = [file for file in self._days[day] if file not in known]
        if missing:
            parts += self._read_parts(day, missing)
            if len(parts) > _MOST_PARTS:  # many small appends: one part is quicker to walk than dozens
                small = [part for part in parts if part.rows < _SMALL_FILE]
                if len(small) > 1:
                    merged = _part(day, tuple(file for part in small for file in part.files), self._gone.get(day))
                    parts[:] = [part for part in parts if part not in small] + [merged]
        return parts

    def _read_parts(self, day: str, files: Sequence[str]) -> Iterator[Part]:
        sizes = {file: Path(file).stat().st_size for file in files}
        small = tuple(file for file in files if sizes[file] < 1_000_000)
        groups = [(file,) for file in files if sizes[file] >= 1_000_000] + ([small] if small else [])
        made = [_part(day, group, self._gone.get(day)) for group in groups]
        for part in made:
            self._note_holders(*part.holders)
        return iter(made)

    def _note_holders(self, anchors: U32, people: U32) -> None:
        if anchors.size == 0:
            return
        top = int(anchors[-1]) + 1
        if top > self._written.size:
            grown = np.zeros(max(top, int(self._written.size * 1.25)), dtype=np.uint32)
            grown[: self._written.size] = self._written
            self._written = grown
        self._written[anchors] = people
        self._changes += 1


def _slices(part: Part, brand: str, names: Sequence[str]) -> list[Slice]:
    wanted = [(brand, name) for name in names] if names else [key for key in part.bounds if key[0] == brand]
    found = []
    for key in wanted:
        bound = part.bounds.get(key)
        if bound is not None:
            start, end, has_amounts = bound
            amount = part.amount[start:end] if has_amounts else None
            found.append(
                Slice(part.day, key[1], part.anchor[start:end], amount, part.earliest, part.latest, part, start, end)
            )
    return found


def _by_day(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    days: dict[str, list[str]] = {}
    for file in snapshot.files:
        folder = next((step for step in reversed(Path(file).parts[:-1]) if step.startswith("day=")), None)
        if folder is not None:
            days.setdefault(unquote(folder.removeprefix("day=")), []).append(file)
    return {day: tuple(files) for day, files in days.items()}


def _read(files: Sequence[str], columns: Sequence[str]) -> pa.Table:
    tables = [pq.ParquetFile(file).read(columns=list(columns), use_threads=True) for file in files]
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables)


def _part(day: str, files: tuple[str, ...], gone: frozenset[tuple[str, str]] | None = None) -> Part:
    """The stream of a day's files; rows of events in `gone` (source, event_id) have no place in its order."""
    table = _read(files, ["brand", "name", "anchor_id", "person_id", "occurred_at", "amount"])
    brand, name = (_encoded(table.column(column)) for column in ("brand", "name"))
    code = brand.indices.to_numpy().astype(np.int64) * len(name.dictionary) + name.indices.to_numpy()
    anchor = table.column("anchor_id").to_numpy().astype(np.uint32)
    person = table.column("person_id").to_numpy().astype(np.uint32)
    at = table.column("occurred_at").to_numpy()
    kept = _kept(files, gone) if gone else None
    in_order = kept is None and bool(np.all(code[1:] >= code[:-1]))
    order: slice | I64 = slice(None)
    if kept is not None:
        order = kept[np.argsort(code[kept], kind="stable")]
    elif not in_order:
        order = np.argsort(code, kind="stable").astype(np.int64)
    code = code[order]
    amounts = table.column("amount").combine_chunks()
    has_amount = pc.is_valid(amounts).to_numpy(zero_copy_only=False)[order]
    amount = amounts.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)[order]
    starts = np.flatnonzero(np.concatenate(([True], code[1:] != code[:-1]))) if code.size else np.zeros(0, np.int64)
    bounds = {}
    for start, end in zip(starts, [*starts[1:], code.size][: starts.size], strict=True):
        which = divmod(int(code[start]), len(name.dictionary))
        key = (brand.dictionary[which[0]].as_py(), name.dictionary[which[1]].as_py())
        bounds[key] = (int(start), int(end), bool(has_amount[start:end].any()))
    distinct, where = np.unique(anchor, return_index=True)
    people = person[where]
    if distinct.size and distinct[0] == 0:
        people[0] = 0
    return Part(
        day,
        files,
        None if isinstance(order, slice) else order.astype(np.uint32),
        anchor[order],
        amount if has_amount.any() else np.zeros(0, np.int64),
        bounds,
        int(at.min()) if at.size else 0,
        int(at.max()) if at.size else 0,
        (distinct, people),
        not bool(np.any((anchor == 0) & (person > 0))),
    )


def _kept(files: tuple[str, ...], gone: frozenset[tuple[str, str]]) -> I64:
    """The rows of the files that are not among the events in `gone`."""
    table = _read(files, ["source", "event_id"])
    ids = pa.array([event_id for _, event_id in gone])
    suspects = np.flatnonzero(pc.is_in(table.column("event_id"), ids).to_numpy())
    named = table.take(pa.array(suspects)).to_pylist()
    lost = [at for at, row in zip(suspects.tolist(), named, strict=True) if (row["source"], row["event_id"]) in gone]
    kept = np.ones(table.num_rows, bool)
    kept[lost] = False
    return np.flatnonzero(kept)


def _property(document: str | None, key: str) -> str | None:
    """The text of a property of a JSON document: `x`, `3`, `true`; None where it has none."""
    if document is None:
        return None
    value = json.loads(document, parse_float=_float_text, parse_int=str).get(key)
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _float_text(text: str) -> str:
    return repr(float(text))


def _encoded(column: Any) -> Any:
    array = column.combine_chunks()
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array if isinstance(array, pa.DictionaryArray) else array.dictionary_encode()
