"""Rows of a micro-batch while it is being decoded: checked one by one, kept as columns, made into Arrow once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.events.checks import Refused
from quanyu.events.contracts import BATCH_SCHEMA, CHANNELS, IDENTIFIER, ITEM, NAMESPACES
from quanyu.kernel.clock import micros

OLDEST_AT = micros(datetime(2000, 1, 1, tzinfo=UTC))
FUTURE_MICROS = 3_600_000_000
HOUR_MICROS = 3_600_000_000
MAX_ID = 256
MAX_NAME = 128
MAX_VALUE = 512
MAX_TEXT = 512
MAX_EVENT_BYTES = 1 << 20
MAX_AMOUNT = 1 << 53

Identifier = tuple[str, str]
Item = tuple[str, float | None, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Origin:
    """What all events of one frame share."""

    source: str
    brand_id: int
    brand: str
    currency: str
    time_zone: str
    channel: str | None
    received_at: int


@dataclass(slots=True)
class Draft:
    """One event, understood but not yet checked. Times in microseconds UTC, money in minor units."""

    event_id: str
    name: str
    occurred_at: int
    identifiers: Sequence[Identifier] = ()
    properties: str = "{}"
    traits: str | None = None
    channel: str | None = None
    touchpoint: str | None = None
    store_id: str | None = None
    staff_id: str | None = None
    effect_id: str | None = None
    session_id: str | None = None
    order_id: str | None = None
    items: Sequence[Item] | None = None
    amount: int | None = None
    currency: str | None = None
    consent: str | None = None
    replaces: str | None = None


_PLAIN = (
    "channel",
    "event_id",
    "name",
    "occurred_at",
    "amount",
    "currency",
    "properties",
    "consent",
    "traits",
    "touchpoint",
    "store_id",
    "staff_id",
    "effect_id",
    "session_id",
    "order_id",
    "replaces",
)
_values_of = attrgetter(*_PLAIN)


class Rows:
    """Collects drafts of any number of frames."""

    def __init__(self) -> None:
        self._rows: list[tuple[object, ...]] = []
        self._origins: list[Origin] = []
        self._id_counts: list[int] = []
        self._identifiers: list[Identifier] = []
        self._item_counts: list[int] = []
        self._items: list[Item] = []

    def __len__(self) -> int:
        return len(self._origins)

    def add(self, origin: Origin, draft: Draft) -> None:
        """Check a draft and keep it. Raises Refused; then nothing of it is kept."""
        check(draft.event_id, draft.name, draft.occurred_at, origin.received_at)
        for namespace, value in draft.identifiers:
            if namespace not in NAMESPACES:
                raise Refused("unknown_namespace", "identifiers", namespace[:64])
            if not value or len(value) > MAX_VALUE or "\0" in value:
                raise Refused("bad_identifier", f"identifiers.{namespace}", "empty, too long or with a NUL")
        if len(draft.properties) > MAX_EVENT_BYTES:
            raise Refused("too_large", "properties", f"{len(draft.properties)} characters")
        if draft.channel not in CHANNELS:
            draft.channel = origin.channel
        self._rows.append(_values_of(draft))
        self._origins.append(origin)
        self._id_counts.append(len(draft.identifiers))
        self._identifiers.extend(draft.identifiers)
        if draft.items is None:
            self._item_counts.append(-1)
        else:
            self._item_counts.append(len(draft.items))
            self._items.extend(draft.items)

    def table(self) -> pa.Table:
        """The rows as `BATCH_SCHEMA`, without `day` filled in."""
        count = len(self)
        origins = self._origins
        plain = zip(*self._rows, strict=True) if count else ((),) * len(_PLAIN)
        columns: dict[str, pa.Array] = {
            name: pa.array(values, BATCH_SCHEMA.field(name).type) for name, values in zip(_PLAIN, plain, strict=True)
        }
        for name in ("source", "brand", "brand_id", "received_at"):
            columns[name] = pa.array([getattr(origin, name) for origin in origins], BATCH_SCHEMA.field(name).type)
        columns["day"] = days(columns["occurred_at"], [origin.time_zone for origin in origins])
        columns["person_id"] = columns["anchor_id"] = pa.array(np.zeros(count, np.int64))
        columns["identifiers"] = pa.nulls(count, BATCH_SCHEMA.field("identifiers").type)
        namespaces, values = zip(*self._identifiers, strict=True) if self._identifiers else ((), ())
        columns["raw_identifiers"] = _nested(
            self._id_counts,
            pa.StructArray.from_arrays(
                [pa.array(namespaces, pa.string()), pa.array(values, pa.string())],
                fields=list(IDENTIFIER),
            ),
        )
        skus, quantities, prices, amounts = zip(*self._items, strict=True) if self._items else ((), (), (), ())
        columns["items"] = _nested(
            self._item_counts,
            pa.StructArray.from_arrays(
                [
                    pa.array(skus, pa.string()),
                    pa.array(quantities, pa.float64()),
                    pa.array(prices, pa.int64()),
                    pa.array(amounts, pa.int64()),
                ],
                fields=list(ITEM),
            ),
        )
        return pa.table([columns[field.name] for field in BATCH_SCHEMA], schema=BATCH_SCHEMA)


def check(event_id: str, name: str, occurred_at: int, received_at: int) -> None:
    """What every event must have, whatever spoke it. Raises Refused."""
    if not event_id or len(event_id) > MAX_ID or "\0" in event_id:
        raise Refused("bad_event_id", "event_id", f"1 to {MAX_ID} characters")
    if not name:
        raise Refused("name_missing", "name")
    if len(name) > MAX_NAME or not name.isprintable():
        raise Refused("bad_name", "name", f"1 to {MAX_NAME} printable characters")
    if occurred_at < OLDEST_AT:
        raise Refused("time_too_old", "occurred_at", _when(occurred_at))
    if occurred_at > received_at + FUTURE_MICROS:
        raise Refused("time_in_future", "occurred_at", _when(occurred_at))


def days(occurred_at: pa.Array, time_zones: Sequence[str]) -> pa.Array:
    """The local date of each instant in its own time zone, as `2026-03-02`."""
    out: pa.Array = pa.nulls(len(occurred_at), pa.string())
    for zone in dict.fromkeys(time_zones):
        local = pc.strftime(occurred_at.cast(pa.timestamp("us", tz=zone)), format="%Y-%m-%d")
        if len(set(time_zones)) == 1:
            return local
        out = pc.if_else(pa.array([one == zone for one in time_zones]), local, out)
    return out


def hour_of(at: int) -> int:
    """The beginning of the hour (UTC) that holds `at`; both in microseconds."""
    return at - at % HOUR_MICROS


def _nested(counts: Iterable[int], values: pa.Array) -> pa.ListArray:
    """Lists of the given lengths over flat values; -1 means null."""
    lengths = np.fromiter(counts, np.int64)
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(np.maximum(lengths, 0), out=offsets[1:])
    missing = pa.array(lengths < 0) if len(lengths) else None
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=missing)


def _when(at: int) -> str:
    try:
        return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return "out of range"
