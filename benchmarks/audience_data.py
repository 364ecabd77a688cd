"""Generated people and events for the audience benchmark, seeded, the same for every engine that is compared.

Half of the traffic comes from a few heavy users, events are skewed over names, and everything is written the way the
product keeps it: people, identifiers, traits and consent in the state store, events in day partitions sorted by name
and person, as compaction leaves them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from quanyu.events.contracts import EVENT_SCHEMA

DAYS = 180
FIRST = date(2026, 1, 1)
AT = datetime(2026, 6, 29, 23, 59, 59, tzinfo=UTC)  # the end of the last day
NAMES = (
    "page_viewed",
    "product_viewed",
    "mini_program_opened",
    "products_searched",
    "product_added_to_cart",
    "order_paid",
    "coupon_issued",
    "message_delivered",
    "message_read",
    "cart_viewed",
    "checkout_started",
    "coupon_redeemed",
)
SHARES = (0.28, 0.22, 0.16, 0.09, 0.07, 0.05, 0.03, 0.04, 0.02, 0.02, 0.015, 0.005)
LEVELS = ("none", "silver", "gold", "diamond")
CATEGORIES = tuple(f"cat_{i:02d}" for i in range(20))
CONSENT = ("unknown", "granted", "denied")


@dataclass(frozen=True, slots=True)
class Day:
    """The events of one day, sorted by name and person."""

    number: int
    name: npt.NDArray[np.int8]
    person: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    amount: npt.NDArray[np.int64]  # -1: none
    category: npt.NDArray[np.int8]  # -1: none


@dataclass(frozen=True, slots=True)
class Data:
    """Who there is, and how many events happen."""

    people: int
    events: int
    seed: int

    def attributes(self) -> dict[str, npt.NDArray[np.int8]]:
        """Per person (index 0 is person 1): level, and where they stand on two channels."""
        random = np.random.default_rng(self.seed)
        return {
            "level": random.choice(4, self.people, p=(0.5, 0.3, 0.15, 0.05)).astype(np.int8),
            "sms": random.choice(3, self.people, p=(0.4, 0.5, 0.1)).astype(np.int8),
            "wecom": random.choice(3, self.people, p=(0.7, 0.28, 0.02)).astype(np.int8),
        }

    def days(self) -> Iterator[Day]:
        """The events, day by day."""
        each = self.events // DAYS
        names = np.arange(len(NAMES), dtype=np.int8)
        for number in range(DAYS):
            random = np.random.default_rng((self.seed, number))
            name = random.choice(names, each, p=SHARES)
            heavy = random.random(each) < 0.5
            anybody = random.integers(1, self.people + 1, each)
            busy = (random.random(each) ** 3 * self.people * 0.2).astype(np.int64) * 5 % self.people + 1
            person = np.where(heavy, busy, anybody)
            seconds = random.integers(0, 86_400, each)
            order = np.lexsort((seconds, person, name))
            name, person, seconds = name[order], person[order], seconds[order]
            start = _micros(FIRST + timedelta(days=number))
            amount = np.where(name == 5, random.integers(500, 50_000, each), -1)
            viewed = (name == 1) | (name == 4) | (name == 5)
            category = np.where(viewed, random.integers(0, len(CATEGORIES), each), -1).astype(np.int8)
            yield Day(number, name, person, start + seconds * 1_000_000, amount, category)


def event_table(day: Day, brand: str) -> pa.Table:
    """A day as rows of history."""
    n = day.person.size
    names = pa.DictionaryArray.from_arrays(pa.array(day.name), pa.array(NAMES)).cast(pa.string())
    texts = [f'{{"category":"{category}"}}' for category in CATEGORIES]
    category = pa.array(np.where(day.category < 0, 0, day.category).astype(np.int8), mask=day.category < 0)
    columns: dict[str, Any] = {
        "event_id": pa.array(np.arange(n) + day.number * 10**9).cast(pa.string()),
        "source": _same("bench", n),
        "name": names,
        "occurred_at": pa.array(day.at),
        "received_at": pa.array(day.at),
        "day": _same((FIRST + timedelta(days=day.number)).isoformat(), n),
        "brand": _same(brand, n),
        "person_id": pa.array(day.person),
        "anchor_id": pa.array(day.person),
        "amount": pa.array(day.amount, mask=day.amount < 0),
        "properties": pa.DictionaryArray.from_arrays(category, pa.array(texts)).cast(pa.string()),
    }
    arrays = [columns.get(f.name, pa.nulls(n, f.type)) for f in EVENT_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=EVENT_SCHEMA)


def column_table(day: Day) -> pa.Table:
    """A day as the columns that a column engine would be given: names and categories as dictionaries."""
    n = day.person.size
    category = np.where(day.category < 0, len(CATEGORIES), day.category).astype(np.int8)
    return pa.table(
        {
            "name": pa.DictionaryArray.from_arrays(pa.array(day.name), pa.array(NAMES)),
            "day": pa.array(np.full(n, day.number, dtype=np.uint16)),
            "person_id": pa.array(day.person.astype(np.uint32)),
            "occurred_at": pa.array(day.at),
            "amount": pa.array(np.maximum(day.amount, 0).astype(np.uint32)),
            "category": pa.DictionaryArray.from_arrays(pa.array(category), pa.array([*CATEGORIES, ""])),
        }
    )


def _same(text: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int8)), pa.array([text])).cast(pa.string())


def _micros(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000
