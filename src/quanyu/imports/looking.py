"""Looking before importing: what is in a file, and what a mapping would make of it. Nothing is recorded here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.events.api import RefusedRow, mask, reason_label
from quanyu.imports import cells
from quanyu.imports.contracts import BadRowView, ColumnView, Inspected, Previewed
from quanyu.imports.reading import Read
from quanyu.imports.running import Made
from quanyu.kernel.clock import from_micros

_SAMPLE_ROWS = 20
_LOOKED_AT = 1_000
_FIRST = 50
_BAD_SHOWN = 200


def inspect(found: Read, time_zone: str) -> Inspected:
    """Columns, what they look like, and the first rows; what looks personal is masked."""
    head = found.table.slice(0, _SAMPLE_ROWS).to_pylist()
    return Inspected(
        found.format,
        found.reading.encoding,
        found.reading.delimiter,
        found.sheets,
        found.table.num_rows,
        tuple(_column(name, found.table.column(name), time_zone) for name in found.table.column_names),
        tuple({name: None if cell is None else mask(cell) for name, cell in row.items()} for row in head),
        len(found.ragged),
    )


def preview(made: Made) -> Previewed:
    """The first events and the first refused rows of a mapped file, with all counts."""
    applied = made.applied
    reasons = Counter((row.reason, row.column) for row in made.refused)
    return Previewed(
        applied.rows + sum(row.reason == "row_ragged" for row in made.refused),
        applied.table.num_rows,
        len(made.refused),
        applied.skipped,
        applied.repeated,
        applied.masked,
        tuple(_shown(row) for row in applied.table.slice(0, _FIRST).to_pylist()),
        tuple(bad_row(row) for row in made.refused[:_BAD_SHOWN]),
        tuple((reason, column, count) for (reason, column), count in reasons.most_common(50)),
    )


def bad_row(row: RefusedRow) -> BadRowView:
    """A refused row as the console shows it."""
    return BadRowView(row.row + 2, row.column, row.reason, reason_label(row.reason), mask(row.value))


def _column(name: str, column: pa.ChunkedArray, time_zone: str) -> ColumnView:
    text = cells.tidy(column.slice(0, _LOOKED_AT))
    filled = text.drop_null()
    sample = pc.unique(filled).slice(0, 5).to_pylist()
    empty = int(pc.sum(pc.is_null(cells.tidy(column))).as_py() or 0)
    return ColumnView(name, empty, _looks_like(filled, time_zone), tuple(mask(value)[:80] for value in sample))


def _looks_like(text: pa.Array, time_zone: str) -> str:
    """`time`, `phone`, `masked`, `number` or `text`, by nine tenths of the cells; `empty` when there are none."""
    if not len(text):
        return "empty"
    enough = 0.9 * len(text)
    if np.sum(cells.masked(text)) >= enough:
        return "masked"
    if np.sum(cells.true(pc.match_substring_regex(text, r"^(\+?86)?1[3-9]\d{9}$"))) >= enough:
        return "phone"
    if len(text) - np.sum(cells.number(text)[1]) >= enough:
        return "number"
    if len(text) - np.sum(cells.instants(text, time_zone)[1]) >= enough:
        return "time"
    return "text"


def _shown(row: Dictionary[str, Any]) -> dict[str, Any]:
    """An event of a preview: times as instants, identifiers and traits masked."""
    shown = {name: value for name, value in row.items() if value is not None and name != "raw_identifiers"}
    if "occurred_at" in shown:
        shown["occurred_at"] = from_micros(shown["occurred_at"]).isoformat()
    if row.get("raw_identifiers"):
        shown["identifiers"] = [
            {"namespace": one["namespace"], "value": _hidden(one["value"])} for one in row["raw_identifiers"]
        ]
    for name in ("properties", "traits", "consent"):
        if shown.get(name):
            shown[name] = json.loads(mask(shown[name]))
    shown["key"] = mask(row["key"])
    return shown


def _hidden(value: str) -> str:
    """An identifier with its middle hidden."""
    if len(value) <= 4:
        return "*" * len(value)
    ends = min(3, len(value) // 4 + 1)
    return value[:ends] + "*" * (len(value) - 2 * ends) + value[-ends:]


def csv_of(rows: Sequence[RefusedRow], language: str, *, clear: bool) -> str:
    """Refused rows as CSV: the row as it was, and before it the number, the column and the reason.

    A cell that a spreadsheet would run as a formula is written as text.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.raw))
    heads = ["行号", "出错列", "原因"] if language == "zh" else ["Row", "Column", "Reason"]
    lines = [[*heads, *names]]
    lines += [
        [str(row.row + 2), row.column, reason_label(row.reason).text(language), *(row.raw.get(n) or "" for n in names)]
        for row in rows
    ]
    if not clear:
        lines = [[mask(cell) for cell in line] for line in lines]
    return "\ufeff" + "".join(",".join(_quoted(cell) for cell in line) + "\r\n" for line in lines)


def _quoted(cell: str) -> str:
    safe = f"'{cell}" if cell[:1] in ("=", "+", "@", "\t") or (cell[:1] == "-" and not cell[1:2].isdigit()) else cell
    return '"' + safe.replace('"', '""') + '"'
