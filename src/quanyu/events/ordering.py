"""Bulk in an order that is cheap to take in: events of people who came early beside others of such people.

State numbers identifiers as they appear, and what belongs to them lies in that order. Where ten million people shop,
neighbouring events are of people from all over, and nearly every change of a batch touches a page for itself. So rows
are taken a window at a time, and within a window in the order in which this load first saw their people; rows of people
who came at the same time, and of new ones, stay in the order of the source. Events may come in any order, so this is a
matter of speed only: what is remembered is small and may be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from quanyu.events.contracts import BATCH_SCHEMA

WINDOW = 1_000_000  # rows
_BYTES = 512 << 20
_PIECE = 100_000  # rows of a table that is given on
_SLOTS = 1 << 26  # two bytes each, and only those that are used take memory
_LAST = np.iinfo(np.uint16).max
_IDENTIFIERS = "raw_identifiers"


def by_first_seen(tables: Iterable[pa.Table], *, window: int = WINDOW, slots: int = _SLOTS) -> Iterator[pa.Table]:
    """The rows of `tables` (columns as `native.OFFERED`), each once, in tables of up to 100,000 rows.

    A window is `window` rows or half a gigabyte, and a table more; nothing is given on before it is full.
    """
    seen = np.zeros(slots, np.uint16)  # for the hash of an identifier the window, from 1, in which it came first
    with duckdb.connect(":memory:") as db:
        for number, rows in enumerate(_windows(tables, window), 1):
            places = _hashes(db, rows) % np.uint64(slots)
            first = seen[places]
            first[first == 0] = min(number, _LAST)
            seen[places] = first
            yield from _in_order(rows, np.argsort(first, kind="stable"))


def _windows(tables: Iterable[pa.Table], window: int) -> Iterator[pa.Table]:
    parts: list[pa.Table] = []
    for table in tables:
        if parts and table.schema != parts[0].schema:
            yield pa.concat_tables(parts)
            parts = []
        if table.num_rows:
            parts.append(table)
        if sum(part.num_rows for part in parts) >= window or sum(part.nbytes for part in parts) >= _BYTES:
            yield pa.concat_tables(parts)
            parts = []
    if parts:
        yield pa.concat_tables(parts)


def _hashes(db: duckdb.DuckDBPyConnection, table: pa.Table) -> npt.NDArray[np.uint64]:
    """Of the first identifier of each row. All alike where a table names nobody."""
    try:
        given = table.select([_IDENTIFIERS]).cast(pa.schema([BATCH_SCHEMA.field(_IDENTIFIERS)]))
    except (KeyError, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return np.zeros(table.num_rows, np.uint64)  # whoever records the table says what is wrong with it
    db.register("given", given)
    found: npt.NDArray[np.uint64] = db.sql("SELECT hash(raw_identifiers[1]) AS h FROM given").fetchnumpy()["h"]
    return found


def _in_order(table: pa.Table, order: npt.NDArray[np.int64]) -> Iterator[pa.Table]:
    moved = bool((np.diff(order) < 0).any())
    table = table.combine_chunks() if moved else table
    for begin in range(0, len(order), _PIECE):
        piece = order[begin : begin + _PIECE]
        yield table.take(pa.array(piece)) if moved else table.slice(begin, len(piece))
