"""Totals per identifier: orders, amounts, and when somebody was last seen doing something themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from quanyu.identity.api import Identity
from quanyu.kernel.clock import from_micros
from quanyu.profiles.contracts import Totals
from quanyu.profiles.tables import identifier_stat
from quanyu.storage.bulk import rows

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


def add(tx: sa.Connection, batch: pa.Table, anchor_id: I64, sightings: Sightings | None = None) -> None:
    """Add a batch to the totals of the identifiers that its events belong to."""
    name = np.array(batch.column("name").to_pylist(), object)
    at = batch.column("occurred_at").to_numpy()
    amount = batch.column("amount").fill_null(0).to_numpy()
    brand = batch.column("brand_id").to_numpy()
    known = anchor_id > 0
    if "replaced" in batch.column_names:
        known &= ~batch.column("replaced").to_numpy()
    numbers, place = np.unique(anchor_id[known], return_inverse=True)
    if numbers.size == 0:
        return
    name, at, amount, brand = name[known], at[known], amount[known], brand[known]
    paid, back = name == "order_paid", name == "order_refunded"
    own = ~np.isin(name.astype(str), list(BRAND_ACTS))
    highest = np.iinfo(np.int64).max
    orders = np.bincount(place[paid], minlength=numbers.size)
    total = np.zeros(numbers.size, np.int64)
    np.add.at(total, place, np.where(paid, amount, np.where(back, -amount, 0)))
    first, last, seen = (
        np.full(numbers.size, highest),
        np.zeros(numbers.size, np.int64),
        np.zeros(numbers.size, np.int64),
    )
    np.minimum.at(first, place[paid], at[paid])
    np.maximum.at(last, place[paid], at[paid])
    np.maximum.at(seen, place[own], at[own])
    brand_of = np.zeros(numbers.size, np.int64)
    brand_of[place] = brand
    wanted = (orders > 0) | (total != 0)  # written in any case, the sighting with it
    rest = np.flatnonzero(~wanted)
    wanted[rest] = _later(tx, numbers[rest], seen[rest], sightings or Sightings(1))
    _write(
        tx,
        [
            (number, brand_id, count, money, begin if count else None, end or None, sighting or None)
            for number, brand_id, count, money, begin, end, sighting in zip(
                *(column[wanted].tolist() for column in (numbers, brand_of, orders, total, first, last, seen)),
                strict=True,
            )
        ],
    )


def write_anew(tx: sa.Connection, events: pa.Table, anchors: I64, brand_id: int) -> None:
    """Set the totals of `anchors` to what `events` (all of theirs that count) say, whatever was there before."""
    given = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in anchors.tolist()])
    tx.execute(sa.delete(identifier_stat).where(identifier_stat.c.identifier_id.in_(sa.select(given.c.identifier_id))))
    brand = pa.array(np.full(events.num_rows, brand_id, np.int64))
    add(tx, events.append_column("brand_id", brand), events.column("anchor_id").to_numpy())


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
    return {number: from_micros(at) for number, at in zip(distinct.tolist(), found.tolist(), strict=True) if at > 0}


def _write(tx: sa.Connection, values: Sequence[tuple[Any, ...]]) -> None:
    if not values:
        return
    big = sa.BigInteger
    given = rows(
        tx,
        {
            "identifier_id": big,
            "brand_id": big,
            "orders": big,
            "amount": big,
            "first_order_at": big,
            "last_order_at": big,
            "seen_at": big,
        },
        values,
    )
    names = [column.name for column in given.c]
    table = identifier_stat
    # SQLite cannot tell ON CONFLICT from a join without a WHERE.
    source = sa.select(*given.c).where(sa.true())
    insert: Any = postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)
    least, most = (sa.func.least, sa.func.greatest) if tx.dialect.name == "postgresql" else (sa.func.min, sa.func.max)

    def either(pick: Any, column: str) -> Any:
        """The lesser or greater of the stored and the new value; a missing one does not count."""
        old, new = (sa.type_coerce(side[column], big) for side in (table.c, statement.excluded))
        return pick(sa.func.coalesce(old, new), sa.func.coalesce(new, old))

    statement = insert.from_select(names, source)
    statement = statement.on_conflict_do_update(
        index_elements=[table.c.identifier_id],
        set_={
            "orders": table.c.orders + statement.excluded.orders,
            "amount": table.c.amount + statement.excluded.amount,
            "first_order_at": either(least, "first_order_at"),
            "last_order_at": either(most, "last_order_at"),
            "seen_at": either(most, "seen_at"),
        },
    )
    tx.execute(statement)


def totals(tx: sa.Connection, people: Sequence[int], identity: Identity) -> dict[int, Totals]:
    """What these people bought over all their identifiers; nothing for those who never did anything."""
    if not people:
        return {}
    holders, stat = identity.holders(), identifier_stat.c
    given = rows(tx, {"person_id": sa.BigInteger}, [(int(number),) for number in people])
    plain = [
        sa.type_coerce(column, sa.BigInteger) for column in (stat.first_order_at, stat.last_order_at, stat.seen_at)
    ]
    found = tx.execute(
        sa.select(
            given.c.person_id,
            sa.func.sum(stat.orders),
            sa.func.sum(stat.amount),
            sa.func.min(plain[0]),
            sa.func.max(plain[1]),
            sa.func.max(plain[2]),
        )
        .join_from(given, holders, holders.c.person_id == given.c.person_id)
        .join(identifier_stat, stat.identifier_id == holders.c.identifier_id)
        .group_by(given.c.person_id)
    )
    return {
        row[0]: Totals(int(row[1]), int(row[2]), *(None if at is None else from_micros(int(at)) for at in row[3:]))
        for row in found
    }
