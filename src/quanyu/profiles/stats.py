"""Totals per identifier: orders, amounts, and when somebody was last seen doing something themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sqlalchemy as sa

from quanyu.identity.api import Identity
from quanyu.kernel.clock import from_micros
from quanyu.profiles import due
from quanyu.profiles.contracts import Totals
from quanyu.profiles.tables import identifier_stat
from quanyu.storage.bulk import merge_many, rows

I64 = npt.NDArray[np.int64]

# What the brand does to people; they are not seen by it.
BRAND_ACTS = frozenset(
    {
        "coupon_issued",
        "campaign_mailed",
        "message_submitted",
        "message_accepted",
        "message_rejected",
        "message_delivered",
        "profile_updated",
        "identifier_unbound",
    }
)
_SEEN_STEP = 600_000_000  # a newer sighting is written when it is ten minutes newer
MANY = 10_000  # identifiers of a batch, from which on its totals are put off
PUT_OFF = timedelta(minutes=4)


class Sightings:
    """When identifiers were seen, as far as this process has read it lately: most clicks then ask nothing.

    What is stored only grows, so an older reading is at most asked again; whoever lowers it must `forget`.
    """

    def __init__(self, size: int = 1 << 18) -> None:
        self._size = size
        self.forget()

    def forget(self) -> None:
        """Begin anew: totals are written anew."""
        self._number, self._at = np.zeros(self._size, np.int64), np.zeros(self._size, np.int64)

    def known(self, numbers: I64) -> I64:
        """When each was seen at least; far in the past where nothing is known."""
        place = numbers % self._size
        found: I64 = np.where(self._number[place] == numbers, self._at[place], -_SEEN_STEP)
        return found

    def keep(self, numbers: I64, at: I64) -> None:
        """Remember what was read; of two that have one place, one stays."""
        place = numbers % self._size
        self._number[place], self._at[place] = numbers, at


def add(
    tx: sa.Connection,
    batch: pa.Table,
    anchor_id: I64,
    now: datetime,
    sightings: Sightings | None = None,
    *,
    many: int = MANY,
) -> None:
    """Add a batch to the totals of the identifiers that its events belong to; later, when they are `many`."""
    sums = _summed(batch, anchor_id)
    if sums.num_rows < many:
        _apply(tx, sums, sightings or Sightings(1))
        return
    due.note(tx, sums, now)
    apply_due(tx, now - PUT_OFF, at_most=2)


def apply_due(tx: sa.Connection, before: datetime, at_most: int) -> int:
    """Add what is due since before an instant, at most so many slices of it; how many that were."""
    slices = due.oldest(tx, before, at_most)
    for number in slices:
        _apply(tx, due.take(tx, [number]), Sightings(1))
    return len(slices)


def write_anew(tx: sa.Connection, events: pa.Table, anchors: I64, brand_id: int) -> None:
    """Set the totals of `anchors` to what `events` (all of theirs that count) say, whatever was there before."""
    _apply(tx, due.take(tx, due.slices_of(anchors)), Sightings(1))
    given = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in anchors.tolist()])
    tx.execute(sa.delete(identifier_stat).where(identifier_stat.c.identifier_id.in_(sa.select(given.c.identifier_id))))
    brand = pa.array(np.full(events.num_rows, brand_id, np.int64))
    sums = _summed(events.append_column("brand_id", brand), events.column("anchor_id").to_numpy())
    _apply(tx, sums, Sightings(1))


def _summed(batch: pa.Table, anchor_id: I64) -> pa.Table:
    """What a batch adds to each identifier: `due.SUMS`, in the order of their numbers."""
    name = np.array(batch.column("name").to_pylist(), object)
    at = batch.column("occurred_at").to_numpy()
    amount = batch.column("amount").fill_null(0).to_numpy()
    brand = batch.column("brand_id").to_numpy()
    known = anchor_id > 0
    if "replaced" in batch.column_names:
        known &= ~batch.column("replaced").to_numpy()
    numbers, place = np.unique(anchor_id[known], return_inverse=True)
    name, at, amount, brand = name[known], at[known], amount[known], brand[known]
    paid, back = name == "order_paid", name == "order_refunded"
    own = ~np.isin(name.astype(str), list(BRAND_ACTS))
    orders = np.bincount(place[paid], minlength=numbers.size)
    total = np.zeros(numbers.size, np.int64)
    np.add.at(total, place, np.where(paid, amount, np.where(back, -amount, 0)))
    first, last, seen = np.full(numbers.size, np.iinfo(np.int64).max), np.zeros_like(total), np.zeros_like(total)
    np.minimum.at(first, place[paid], at[paid])
    np.maximum.at(last, place[paid], at[paid])
    np.maximum.at(seen, place[own], at[own])
    brand_of = np.zeros_like(total)
    brand_of[place] = brand
    instants = (pa.array(first, mask=orders == 0), pa.array(last, mask=last == 0), pa.array(seen, mask=seen == 0))
    return pa.table([numbers, brand_of, orders, total, *instants], schema=due.SUMS)


def _apply(tx: sa.Connection, sums: pa.Table, sightings: Sightings) -> None:
    """Add to the stored totals, one row of `sums` per identifier."""
    numbers, orders, amount = (sums.column(name).to_numpy() for name in ("identifier_id", "orders", "amount"))
    wanted = (orders > 0) | (amount != 0)  # written in any case, the sighting with it
    rest = np.flatnonzero(~wanted)
    seen = sums.column("seen_at").fill_null(0).to_numpy()
    wanted[rest] = _later(tx, numbers[rest], seen[rest], sightings)
    _write(tx, list(zip(*(column.to_pylist() for column in sums.filter(pa.array(wanted)).columns), strict=True)))


def _later(tx: sa.Connection, numbers: I64, seen: I64, sightings: Sightings) -> npt.NDArray[np.bool_]:
    """Whose sighting is later, by enough, than what is stored."""
    later = seen > sightings.known(numbers) + _SEEN_STEP
    asked = numbers[later]
    if asked.size:
        stored = _seen(tx, asked)
        sightings.keep(asked, stored)
        later[later] = seen[later] > stored + _SEEN_STEP
    return later


def _seen(tx: sa.Connection, numbers: I64) -> I64:
    """When each identifier was last seen, as stored; far in the past for one that never was."""
    given = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in numbers.tolist()])
    stored = np.full(numbers.size, -_SEEN_STEP, np.int64)
    found = tx.execute(
        sa.select(identifier_stat.c.identifier_id, sa.type_coerce(identifier_stat.c.seen_at, sa.BigInteger))
        .join_from(given, identifier_stat, identifier_stat.c.identifier_id == given.c.identifier_id)
        .where(identifier_stat.c.seen_at.is_not(None))
    ).all()
    if found:
        number, at = (np.array(column, np.int64) for column in zip(*found, strict=True))
        stored[np.searchsorted(numbers, number)] = at
    return stored


def seen(tx: sa.Connection, numbers: Sequence[int]) -> dict[int, datetime]:
    """When the owner of each identifier last did something, to ten minutes; by identifier."""
    found = _seen(tx, distinct := np.unique(np.array(numbers, np.int64)))
    waiting = due.of(tx, distinct)
    place = np.searchsorted(distinct, waiting.column("identifier_id").to_numpy())
    found[place] = np.maximum(found[place], waiting.column("seen_at").fill_null(0).to_numpy())
    return {number: from_micros(at) for number, at in zip(distinct.tolist(), found.tolist(), strict=True) if at > 0}


def _write(tx: sa.Connection, values: Sequence[Sequence[Any]]) -> None:
    table = identifier_stat.c
    least, most = (sa.func.least, sa.func.greatest) if tx.dialect.name == "postgresql" else (sa.func.min, sa.func.max)

    def merged(new: Any) -> dict[str, Any]:
        def either(pick: Any, column: str) -> Any:
            """The lesser or greater of the stored and the new value; a missing one does not count."""
            one, other = (sa.type_coerce(side[column], sa.BigInteger) for side in (table, new))
            return pick(sa.func.coalesce(one, other), sa.func.coalesce(other, one))

        return {
            "orders": table.orders + new.orders,
            "amount": table.amount + new.amount,
            "first_order_at": either(least, "first_order_at"),
            "last_order_at": either(most, "last_order_at"),
            "seen_at": either(most, "seen_at"),
        }

    merge_many(tx, identifier_stat, due.SUMS.names, values, ["identifier_id"], merged)


def totals(tx: sa.Connection, people: Sequence[int], identity: Identity) -> dict[int, Totals]:
    """What these people bought over all their identifiers; nothing for those who never did anything."""
    if not people:
        return {}
    holders, stat = identity.holders(), identifier_stat.c
    given = rows(tx, {"person_id": sa.BigInteger}, [(int(number),) for number in people])
    held = sa.select(given.c.person_id, holders.c.identifier_id).join_from(
        given, holders, holders.c.person_id == given.c.person_id
    )
    owner = {identifier_id: person_id for person_id, identifier_id in tx.execute(held)}
    mine = held.subquery()
    instants = (sa.type_coerce(at, sa.BigInteger) for at in (stat.first_order_at, stat.last_order_at, stat.seen_at))
    stored = tx.execute(
        sa.select(stat.identifier_id, stat.orders, stat.amount, *instants).join_from(
            mine, identifier_stat, stat.identifier_id == mine.c.identifier_id
        )
    )
    waiting = due.of(tx, np.array(list(owner), np.int64)).drop_columns(["brand_id"])
    found: dict[int, Totals] = {}
    for identifier_id, *own in (*stored, *zip(*(column.to_pylist() for column in waiting.columns), strict=True)):
        person_id = owner[identifier_id]
        found[person_id] = _both(found.get(person_id, Totals()), _totals(*own))
    return found


def _totals(orders: int, amount: int, *instants: int | None) -> Totals:
    return Totals(int(orders), int(amount), *(None if at is None else from_micros(int(at)) for at in instants))


def _both(one: Totals, other: Totals) -> Totals:
    def either(pick: Callable[..., datetime], *instants: datetime | None) -> datetime | None:
        return pick((at for at in instants if at is not None), default=None)

    return Totals(
        one.orders + other.orders,
        one.amount + other.amount,
        either(min, one.first_order_at, other.first_order_at),
        either(max, one.last_order_at, other.last_order_at),
        either(max, one.seen_at, other.seen_at),
    )
