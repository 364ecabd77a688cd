"""The raw bytes of rows that were decoded and are refused afterwards: found again in their frames.

A row does not carry its bytes, since almost no row is ever asked for them; the frames of the few that are get read
once more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from quanyu.events.bodies import BadEncoding
from quanyu.events.checks import Refused
from quanyu.events.contracts import Frame, Rejected
from quanyu.events.decode import _DRAFTS, Origins, _elements, _rejected
from quanyu.events.protocols import native
from quanyu.events.rows import Origin

# (source, received_at, event_id): enough to find a row, short of a repetition inside of one frame.
Row = tuple[str, int, str]


def refuse(frames: Sequence[Frame], origins: Origins, refused: Mapping[Row, list[Refused]]) -> list[Rejected]:
    """The rows as quarantined items with the bytes they came in, each once."""
    frames_of: dict[tuple[str, int], list[Frame]] = {}
    for frame in frames:
        frames_of.setdefault((frame.header.source, frame.header.received_at), []).append(frame)
    left = {row: list(reasons) for row, reasons in refused.items()}
    out = []
    for place in dict.fromkeys((source, received_at) for source, received_at, _ in refused):
        for frame in frames_of.get(place, []):
            origin = origins(*place)
            if origin is None or frame.header.reason:
                continue
            for index, event_id, raw in _rows(frame, origin):
                reasons = left.get((*place, event_id))
                if reasons:
                    out.append(_rejected(frame, origin, index, reasons.pop(0), raw, protocol=_protocol(frame)))
    missing = sum(map(len, left.values()))
    if missing:
        raise AssertionError(f"{missing} refused rows are in none of the frames")
    return out


def _protocol(frame: Frame) -> str:
    return native.PROTOCOL if frame.header.protocol == native.TABLE_PROTOCOL else frame.header.protocol


def _rows(frame: Frame, origin: Origin) -> Iterator[tuple[int, str, bytes]]:
    """Place in the frame, event id and raw bytes of each event that could be read."""
    if frame.header.protocol == native.TABLE_PROTOCOL:
        table, refused = native.read_table(frame, origin)
        offered = table.select([name for name in native.OFFERED if name in table.column_names])
        before = {row.index for row in refused}  # while reading: the others keep their places in the frame
        places = (place for place in range(table.num_rows + len(before)) if place not in before)
        for index, row in zip(places, offered.to_pylist(), strict=True):
            raw = json.dumps(native._as_native(row), ensure_ascii=False).encode()  # noqa: SLF001
            yield index, row["event_id"], raw
        return
    elements: list[bytes] | None = None
    try:
        for index, draft in enumerate(_DRAFTS[frame.header.protocol](frame, origin)):
            if not isinstance(draft, Refused):
                if elements is None:
                    elements = _elements(frame)
                yield index, draft.event_id, elements[index]
    except BadEncoding:
        return
