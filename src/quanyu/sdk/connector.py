"""What a connector is: it reads a brand's data where it lies and hands it over as Arrow tables.

A connector maps rows to events with business idempotency keys, so that loading twice changes nothing; the host
checks, resolves people, stores and counts. A feed of events carries these columns (others are refused):
`event_id`, `name`, `occurred_at` (int64 µs UTC), and optionally `channel`, `touchpoint`, `store_id`, `staff_id`,
`effect_id`, `session_id`, `order_id`, `items` (list of struct sku, quantity, unit_price, amount), `amount` (minor
units), `currency`, `properties` (JSON text), `consent` (JSON text), `raw_identifiers` (list of struct namespace,
value) and `traits` (JSON text of operations: `{"set": {...}}`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from quanyu.kernel.label import Label

FeedKind = Literal["events", "products", "stores"]

ITEMS = pa.list_(
    pa.struct([("sku", pa.string()), ("quantity", pa.float64()), ("unit_price", pa.int64()), ("amount", pa.int64())])
)
IDENTIFIERS = pa.list_(pa.struct([("namespace", pa.string()), ("value", pa.string())]))


@dataclass(frozen=True, slots=True)
class Source:
    """Where events come from. `made` says that they are generated for a demonstration, not real."""

    key: str
    name: Label
    kind: str
    made: bool = False


@dataclass(frozen=True, slots=True)
class Feed:
    """One table of a load: what it is, how many rows it has in all, and its chunks in order."""

    kind: FeedKind
    title: Label
    rows: int
    chunks: Iterator[pa.Table]
    source: Source | None = None


class Connector(ABC):
    """Reads one kind of data of a brand."""

    @abstractmethod
    def feeds(self) -> Iterator[Feed]:
        """The tables of a load, in the order in which they should be taken in."""
