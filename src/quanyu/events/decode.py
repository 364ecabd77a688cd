"""From frames to a batch: every acknowledged event becomes a row or a quarantined item with its reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from quanyu.events import errors
from quanyu.events.bodies import BadEncoding
from quanyu.events.checks import Refused
from quanyu.events.contracts import BATCH_SCHEMA, Batch, Frame, Position, Rejected
from quanyu.events.personal import Hasher, clean, mask
from quanyu.events.protocols import native, refused_rows, segment, segment_calls, sensors, sensors_messages
from quanyu.events.rows import Draft, Origin, Rows, hour_of
from quanyu.kernel.ids import stable_id

# The origin of a source's events received at a time; None for a source that is not known any more.
Origins = Callable[[str, int], Origin | None]

_DRAFTS = {
    segment.PROTOCOL: segment_calls.drafts,
    sensors.PROTOCOL: sensors_messages.drafts,
    native.PROTOCOL: native.drafts,
    refused_rows.PROTOCOL: refused_rows.drafts,
}


class Decoder:
    """Decodes frames of all protocols."""

    def __init__(self, origins: Origins, hasher: Hasher) -> None:
        self._origins = origins
        self._hasher = hasher

    def decode(self, frames: Sequence[Frame]) -> Batch:
        """All events of `frames`, in order of the time at which they happened."""
        rows = Rows()
        tables: list[pa.Table] = []
        rejected: list[Rejected] = []
        accepted: dict[tuple[str, int], int] = defaultdict(int)
        replays: list[tuple[str, str, int, int]] = []
        began: dict[str, Position] = {}
        ended: dict[str, Position] = {}
        for frame in frames:
            began.setdefault(frame.writer, frame.begin)
            ended[frame.writer] = frame.end
            header = frame.header
            origin = self._origins(header.source, header.received_at)
            if origin is None:
                raise errors.source_vanished(header.source)
            hour = hour_of(header.received_at)
            if header.replays:
                replays.append((header.replays, header.source, hour, header.events))
            else:
                accepted[header.source, hour] += header.events
            if header.reason:
                rejected.extend(_whole(frame, origin))
            elif header.protocol == native.TABLE_PROTOCOL:
                table, refused = native.read_table(frame, origin)
                tables.append(table)
                rejected.extend(
                    _rejected(frame, origin, row.index, row.refused, row.raw, protocol=native.PROTOCOL)
                    for row in refused
                )
            else:
                rejected.extend(self._rows(frame, origin, rows))
        if len(rows):
            tables.append(rows.table())
        table = pa.concat_tables(tables).combine_chunks() if tables else BATCH_SCHEMA.empty_table()
        return Batch(
            table=self._finished(table),
            rejected=tuple(rejected),
            accepted=dict(accepted),
            replays=tuple(replays),
            began=began,
            ended=ended,
        )

    def _rows(self, frame: Frame, origin: Origin, rows: Rows) -> Iterator[Rejected]:
        """Add the frame's events to `rows`; give those that are refused."""
        raws: list[bytes] | None = None
        index = -1
        try:
            for index, draft in enumerate(_DRAFTS[frame.header.protocol](frame, origin)):
                refused = draft if isinstance(draft, Refused) else _added(rows, origin, draft)
                if refused is not None:
                    if raws is None:
                        raws = _elements(frame)
                    yield _rejected(frame, origin, index, refused, raws[index])
        except BadEncoding as error:
            # The collector could open it and this version cannot: kept whole, to be replayed.
            yield _rejected(
                frame,
                origin,
                index + 1,
                Refused(error.reason, "", error.detail),
                frame.payload,
                count=frame.header.events,
            )

    def _finished(self, table: pa.Table) -> pa.Table:
        if not table.num_rows:
            return table
        at = table.column("occurred_at").to_numpy()
        if not np.all(at[:-1] <= at[1:]):
            table = table.take(pa.array(np.argsort(at, kind="stable")))
        properties = clean(
            table.column("properties").combine_chunks(), table.column("brand_id").to_numpy(), self._hasher
        )
        return table.set_column(
            table.schema.get_field_index("properties"), BATCH_SCHEMA.field("properties"), properties
        )


def _added(rows: Rows, origin: Origin, draft: Draft) -> Refused | None:
    try:
        rows.add(origin, draft)
    except Refused as reason:
        return reason
    return None


def _elements(frame: Frame) -> list[bytes]:
    """The raw bytes of each event of a frame, in the order of its drafts."""
    protocol, payload = frame.header.protocol, frame.payload
    if protocol == segment.PROTOCOL:
        return [bytes(raw) for raw in segment.open_payload(frame.header.call, payload).calls]
    if protocol == sensors.PROTOCOL:
        return [bytes(raw) for raw in sensors.open_payload(payload).messages]
    return native.elements(payload)


def _whole(frame: Frame, origin: Origin) -> Iterator[Rejected]:
    """A frame that the collector already refused: in one piece, or message by message if it could be cut."""
    header = frame.header
    refused = Refused(header.reason, "", header.detail)
    if header.events <= 1:
        yield _rejected(frame, origin, 0, refused, frame.payload)
        return
    for index, raw in enumerate(_elements(frame)):
        yield _rejected(frame, origin, index, refused, raw)


def _rejected(
    frame: Frame,
    origin: Origin,
    index: int,
    refused: Refused,
    raw: bytes,
    *,
    protocol: str | None = None,
    count: int = 1,
) -> Rejected:
    header = frame.header
    row = native.row_of(frame, index)
    return Rejected(
        quarantine_id=stable_id(frame.writer, *frame.begin, index, prefix="q"),
        brand_id=origin.brand_id,
        source=header.source,
        received_at=header.received_at,
        protocol=protocol or header.protocol,
        call=header.call,
        reason=refused.reason,
        detail=mask(refused.detail[:500]) if row is None else f"row {row}: {mask(refused.detail[:480])}".rstrip(": "),
        where=mask(refused.where[:200]),
        sent_at=_sent_at(frame),
        raw=raw,
        count=count,
    )


def _sent_at(frame: Frame) -> str:
    """The envelope's `sentAt`, which a call taken out of it would otherwise lose."""
    if frame.header.sent_at or frame.header.protocol != segment.PROTOCOL or frame.header.call != segment.BATCH:
        return frame.header.sent_at
    try:
        sent_at = segment.open_body(segment.BATCH, frame.payload).sent_at
    except BadEncoding:
        return ""
    return str(sent_at)[:64] if isinstance(sent_at, str | int | float) else ""
