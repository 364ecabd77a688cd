"""Rows of a file or table that a mapping could not make an event of: they enter as what they are, to be mended.

Each is refused with the reason that the import gave, so that the books count it and quarantine keeps it sealed. Mended
into a native event by hand, it is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec

from quanyu.events.checks import REASONS, Refused
from quanyu.events.contracts import Frame, RefusedRow
from quanyu.events.protocols import native
from quanyu.events.rows import Draft, Origin

PROTOCOL = "rows"
_encoder = msgspec.json.Encoder()
_row = msgspec.json.Decoder(RefusedRow)


def encode(rows: Sequence[RefusedRow]) -> bytes:
    """A frame's payload."""
    return _encoder.encode(rows)


def read(raw: bytes) -> RefusedRow | None:
    """The row in the raw bytes of a quarantined item; None when they are something else."""
    try:
        return _row.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def drafts(frame: Frame, origin: Origin) -> Iterator[Draft | Refused]:
    """The reason of each row; a draft for one that was mended into an event."""
    for raw in native.elements(frame.payload):
        row = read(raw)
        if row is not None:
            reason = row.reason if row.reason in REASONS else "bad_field"
            line = f"row {row.row + 2}"  # as a spreadsheet numbers them: the header is the first
            yield Refused(reason, row.column, f"{line}: {row.value}" if row.value else line)
        else:
            yield from native.drafts(replace(frame, payload=raw), origin)
