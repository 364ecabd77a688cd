"""A set of people as CSV: masked, and safe to open in a spreadsheet.

A cell that a spreadsheet would read as a formula gets an apostrophe in front, as OWASP advises ("CSV injection").
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BOM = "\ufeff"  # without it spreadsheets read Chinese as something else


def safe_cell(value: Any) -> str:
    """The text of a cell, with an apostrophe in front where a spreadsheet would calculate it."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    text = str(value)
    return f"'{text}" if text.lstrip().startswith(_DANGEROUS) or text.startswith(_DANGEROUS) else text


def csv_lines(head: Sequence[str], rows: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> Iterator[str]:
    """The lines of the file, one by one, so that millions of rows never stand in memory."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([safe_cell(cell) for cell in head])
    yield BOM + buffer.getvalue()
    for row in rows:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([safe_cell(row.get(key)) for key in keys])
        yield buffer.getvalue()
