"""The quarantine: what failed a check, with its raw bytes sealed and its reason; to mend, replay or discard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from quanyu.events import errors
from quanyu.events.contracts import Frame, FrameHeader, Rejected
from quanyu.events.personal import mask
from quanyu.events.protocols import native, segment, sensors
from quanyu.events.tables import quarantine
from quanyu.kernel.clock import micros
from quanyu.storage.bulk import insert_ignore
from quanyu.storage.bulk import rows as given_rows
from quanyu.storage.vault import SealBroken, Vault

_EXCERPT = 240


@dataclass(frozen=True, slots=True)
class Held:
    """A quarantined item as it is listed; `excerpt` is masked."""

    quarantine_id: str
    source: str
    received_at: datetime
    reason: str
    detail: str
    where: str
    count: int
    status: str
    excerpt: str
    seq: int
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which items of a brand are meant; what is left out does not matter. `until` is not included."""

    source: str | None = None
    reason: str | None = None
    status: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def where(self, brand_id: int) -> list[sa.ColumnElement[bool]]:
        """The conditions in SQL."""
        found: list[sa.ColumnElement[bool]] = [quarantine.c.brand_id == brand_id]
        found += [quarantine.c.source == self.source] if self.source else []
        found += [quarantine.c.reason == self.reason] if self.reason else []
        found += [quarantine.c.status == self.status] if self.status else []
        found += [quarantine.c.received_at >= self.since] if self.since else []
        found += [quarantine.c.received_at < self.until] if self.until else []
        return found


def hold(tx: sa.Connection, vault: Vault, items: Sequence[Rejected]) -> None:
    """Keep refused events. An item that is there already stays as it is."""
    if not items:
        return
    sealed: dict[str, bytes] = {}
    for brand_id in {item.brand_id for item in items}:
        mine = [item for item in items if item.brand_id == brand_id]
        boxes = vault.seal_many(brand_id, [item.raw for item in mine])
        sealed.update(zip((item.quarantine_id for item in mine), boxes, strict=True))
    insert_ignore(
        tx,
        quarantine,
        [
            {
                "quarantine_id": item.quarantine_id,
                "seq": item.received_at,
                "brand_id": item.brand_id,
                "source": item.source,
                "received_at": item.received_at,
                "protocol": item.protocol,
                "call": item.call,
                "sent_at": item.sent_at,
                "reason": item.reason,
                "detail": item.detail.replace("\0", "\\0"),
                "place": item.where.replace("\0", "\\0"),
                "count": item.count,
                "raw": sealed[item.quarantine_id],
                "status": "held",
                "settled": False,
            }
            for item in items
        ],
    )


def listed(
    tx: sa.Connection,
    vault: Vault,
    brand_id: int,
    chosen: Chosen,
    *,
    before: tuple[int, str] | None,
    limit: int,
) -> tuple[list[Held], int]:
    """A page of the brand's items, newest first, and how many there are in all."""
    where = chosen.where(brand_id)
    total = tx.execute(sa.select(sa.func.count()).select_from(quarantine).where(*where)).scalar_one()
    if before is not None:
        where.append(sa.tuple_(quarantine.c.seq, quarantine.c.quarantine_id) < sa.tuple_(*map(sa.literal, before)))
    found = tx.execute(
        sa.select(quarantine)
        .where(*where)
        .order_by(quarantine.c.seq.desc(), quarantine.c.quarantine_id.desc())
        .limit(limit)
    )
    return [held(row, vault) for row in found], int(total)


def grouped(tx: sa.Connection, brand_id: int, chosen: Chosen) -> list[dict[str, Any]]:
    """How many items (`items`) and events (`events`) there are by source and reason, most events first."""
    events = sa.func.sum(quarantine.c.count)
    found = tx.execute(
        sa.select(
            quarantine.c.source,
            quarantine.c.reason,
            sa.func.count().label("items"),
            events.label("events"),
            sa.func.min(quarantine.c.received_at, type_=quarantine.c.received_at.type).label("first_at"),
            sa.func.max(quarantine.c.received_at, type_=quarantine.c.received_at.type).label("last_at"),
        )
        .where(*chosen.where(brand_id))
        .group_by(quarantine.c.source, quarantine.c.reason)
        .order_by(events.desc(), quarantine.c.source, quarantine.c.reason)
        .limit(500)
    ).mappings()
    return [{**row, "events": int(row["events"])} for row in found]


def settled_among(tx: sa.Connection, quarantine_ids: Iterable[str]) -> set[str]:
    """Which of the items were already moved out of the books' quarantined by an earlier replay."""
    given = given_rows(tx, {"quarantine_id": sa.Text}, [(one,) for one in quarantine_ids])
    return set(
        tx.execute(
            sa.select(quarantine.c.quarantine_id).where(
                quarantine.c.quarantine_id.in_(sa.select(given.c.quarantine_id)), quarantine.c.settled.is_(True)
            )
        ).scalars()
    )


def once(tx: sa.Connection, frames: Sequence[Frame]) -> list[Frame]:
    """The frames with every repeated replay of one item emptied, so that each item comes back once.

    A kill between the log and state, or two people at once, can leave two replays of an item in the log; the first
    one counts, whatever the second would say.
    """
    done = settled_among(tx, {frame.header.replays for frame in frames if frame.header.replays})
    out = []
    for frame in frames:
        item = frame.header.replays
        if item and item in done:
            header = FrameHeader(frame.header.received_at, native.PROTOCOL, frame.header.source, 0)
            out.append(replace(frame, header=header, payload=b"[]"))
            continue
        if item:
            done.add(item)
        out.append(frame)
    return out


def find(tx: sa.Connection, brand_id: int, quarantine_id: str) -> Any:
    """The row of an item of the brand. Raises NotFound."""
    row = tx.execute(
        sa.select(quarantine).where(quarantine.c.brand_id == brand_id, quarantine.c.quarantine_id == quarantine_id)
    ).one_or_none()
    if row is None:
        raise errors.quarantined_not_found(quarantine_id)
    return row


def resolve(tx: sa.Connection, quarantine_id: str, status: str, by: str, note: str | None, now: datetime) -> None:
    """Mark a held item as replayed or discarded. Raises Conflict when it is not held any more."""
    changed = tx.execute(
        sa.update(quarantine)
        .where(quarantine.c.quarantine_id == quarantine_id, quarantine.c.status == "held")
        .values(status=status, resolved_at=now, resolved_by=by, note=note)
    ).rowcount
    if changed != 1:
        row = tx.execute(sa.select(quarantine.c.status).where(quarantine.c.quarantine_id == quarantine_id)).one()
        raise errors.quarantined_settled(row.status)


def held(row: Any, vault: Vault) -> Held:
    """A row as it is shown."""
    try:
        raw = vault.open(row.brand_id, row.raw)
    except SealBroken:
        raw = b""
    return Held(
        row.quarantine_id,
        row.source,
        row.received_at,
        row.reason,
        row.detail,
        row.place,
        row.count,
        row.status,
        excerpt(raw),
        row.seq,
        row.note,
    )


def excerpt(raw: bytes) -> str:
    """The beginning of raw bytes as text, without what looks personal."""
    # Masked before it is cut: a cut through a phone would hide it from the mask.
    return mask(raw[: 4 * _EXCERPT].decode("utf-8", "replace"))[:_EXCERPT]


def replay_frame(row: Any, raw: bytes) -> tuple[FrameHeader, bytes]:
    """The frame that repeats an item: received when it was received, so that its time is corrected as then.

    Raises BadEncoding when the bytes still cannot be cut into events.
    """
    payload = raw
    if row.protocol == segment.PROTOCOL:
        if row.call == segment.BATCH and not _has_batch(raw):
            payload = b'{"batch":[' + raw + b'],"sentAt":' + msgspec.json.encode(row.sent_at or None) + b"}"
        events = len(segment.open_body(row.call, payload).calls)
    elif row.protocol == sensors.PROTOCOL:
        events = len(sensors.open_payload(payload).messages)
    else:
        events = len(native.elements(payload))
    header = FrameHeader(
        micros(row.received_at),
        row.protocol,
        row.source,
        events,
        row.call,
        replays=row.quarantine_id,
        sent_at=row.sent_at,
    )
    return header, payload


class _Envelope(msgspec.Struct):
    batch: msgspec.Raw


def _has_batch(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw, type=_Envelope)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return False
    return True
