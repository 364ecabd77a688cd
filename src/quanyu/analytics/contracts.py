"""The frozen values that cross the door of analytics."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from quanyu.kernel.label import Label

Drill = dict[str, Any]
"""How a number opens: `{"kind": "people", "tree": …}` or `{"kind": "events", "query": {name, from, to, …}}`."""


@dataclass(frozen=True, slots=True)
class Period:
    """Brand-local days, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Question:
    """What an overview is about: days, and at most one store, channel and category."""

    period: Period
    store_id: str | None = None
    channel: str | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """The counts of a period. Amounts are minor units. `repeaters` bought on two or more days."""

    amount: int
    orders: int
    buyers: int
    visitors: int
    repeaters: int

    @property
    def conversion(self) -> float | None:
        """Buyers per visitor: at most 1, because whoever buys is a visitor."""
        return self.buyers / self.visitors if self.visitors else None

    @property
    def order_value(self) -> float | None:
        """Amount per buyer (客单价)."""
        return self.amount / self.buyers if self.buyers else None

    @property
    def average_order(self) -> float | None:
        """Amount per order (笔单价)."""
        return self.amount / self.orders if self.orders else None

    @property
    def repurchase(self) -> float | None:
        """Repeaters per buyer."""
        return self.repeaters / self.buyers if self.buyers else None


@dataclass(frozen=True, slots=True)
class Point:
    """A value on a day."""

    on: date
    value: float


@dataclass(frozen=True, slots=True)
class Kpi:
    """One number with its definition, the one before, its days and how it opens.

    A percentage opens to its `numerator`.
    """

    key: str
    label: Label
    definition: Label
    value: float
    unit: Literal["money", "count", "percent"]
    previous: float | None
    change: float | None
    series: tuple[Point, ...]
    made: bool
    drill: Drill | None
    numerator: int | None = None
    denominator: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a breakdown: of a channel, store, category or product."""

    key: str
    label: Label
    amount: int
    orders: int = 0
    buyers: int = 0
    visitors: int | None = None
    units: float = 0.0
    department: Label | None = None
    drill: Drill | None = None


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """Amount and orders of a channel on a day."""

    on: date
    channel: str
    amount: int
    orders: int


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the RFM pyramid."""

    key: str
    label: Label
    people: int
    amount: int
    share: float
    drill: Drill


@dataclass(frozen=True, slots=True)
class People:
    """The people of a period: active ones did something, new ones for the first time, returning ones again."""

    total: int
    new: int
    active: int
    returning: int
    pyramid: tuple[Level, ...]
    drills: dict[str, Drill] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Overview:
    """人货场: what was sold, to whom, where."""

    as_of: datetime
    question: Question
    currency: str
    totals: Totals
    kpis: tuple[Kpi, ...]
    trend: tuple[TrendPoint, ...]
    channels: tuple[Row, ...]
    stores: tuple[Row, ...]
    categories: tuple[Row, ...]
    products: tuple[Row, ...]
    people: People


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: all conditions hold; days are brand-local and included."""

    name: str | None = None
    first: date | None = None
    last: date | None = None
    store_id: str | None = None
    channel: str | None = None
    category: str | None = None
    order_id: str | None = None
    person_id: int | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class EventItem:
    """A line of an event, with the product's name where the catalogue has it."""

    sku: str | None
    name: Label | None
    quantity: float | None
    unit_price: int | None
    amount: int | None


@dataclass(frozen=True, slots=True)
class EventView:
    """An event as people read it. `person_id` is the public id, None for nobody or somebody out of scope."""

    event_id: str
    source: str
    name: str
    label: Label
    occurred_at: datetime
    received_at: datetime
    channel: str | None
    touchpoint: str | None
    store_id: str | None
    store_name: Label | None
    staff_id: str | None
    order_id: str | None
    effect_id: str | None
    amount: int | None
    currency: str | None
    items: tuple[EventItem, ...]
    properties: dict[str, Any]
    person_id: str | None
    made: bool


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page of events, newest first."""

    items: tuple[EventView, ...]
    next_cursor: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class EventName:
    """A name of events, and how many there are within the scope."""

    name: str
    label: Label
    count: int
