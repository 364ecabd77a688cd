"""The primitive conditions that every predicate lowers to, as frozen values.

An evaluator knows these and no predicate; a predicate knows these and no engine. Each stands for a set of people of
one brand. Write event conditions as they read:

    events("order_paid").within(window).count() >= 2
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from quanyu.audiences.windows import Window

Scalar = str | int | float | bool
TraitOperator = Literal["eq", "in", "gt", "gte", "lt", "lte", "contains", "known"]
FilterOperator = Literal["eq", "ne", "in", "gt", "gte", "lt", "lte", "contains", "exists"]
Measure = Literal["count", "sum", "days", "first", "last"]
ANY_EVENT = "*"


@dataclass(frozen=True, slots=True)
class TraitCompare:
    """People who have the trait `name`, and whose value compares with `value`.

    The person's value is the newest over their identifiers. gt, gte, lt, lte compare numbers (a text that is no
    number never passes); eq and in compare as text, or as numbers where `value` is one; contains ignores case.
    """

    name: str
    operator: TraitOperator
    value: Scalar | tuple[Scalar, ...] | None = None


@dataclass(frozen=True, slots=True)
class SetMember:
    """Members of a set that is kept somewhere.

    `kind` tag: people with any of the tags `keys`. audience: `keys` is one audience id, its newest version counts.
    consent: (purpose, channel). list: (name of a list that a context offers, its own parameters...).
    """

    kind: Literal["tag", "audience", "consent", "list"]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """A condition on one event: on a column of it (`store_id`, `amount`) or a property.

    Numbers compare as numbers, everything else as text.
    """

    property: str
    operator: FilterOperator
    value: Scalar | tuple[Scalar, ...] | None = None


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Only the items of an event that are one of these products, or in one of these categories."""

    by: Literal["product", "category"]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EventAggregate:
    """People with at least one event of these names (none: any) that matches, whose aggregate lies in [low, high].

    `measure`: count (events), sum (of `of`), days (distinct brand-local days), first / last (`occurred_at`, in
    microseconds). With `items`, an event matches when one of its items does, and sums run over those items only.
    """

    names: tuple[str, ...]
    window: Window
    measure: Measure = "count"
    of: Literal["amount", "quantity"] | None = None
    low: float | None = None
    high: float | None = None
    where: tuple[EventFilter, ...] = ()
    items: ItemFilter | None = None


Primitive = TraitCompare | SetMember | EventAggregate


@dataclass(frozen=True, slots=True)
class Every:
    """People in all of the parts."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """People in at least `k` of the parts."""

    parts: tuple[Condition, ...]
    k: int = 1


@dataclass(frozen=True, slots=True)
class Except:
    """Visible people who are not in the part."""

    part: Condition


Condition = Primitive | Every | Some | Except


def primitives(condition: Condition) -> Iterator[Primitive]:
    """Every primitive of a condition, in order, repeats included."""
    if isinstance(condition, Every | Some):
        for part in condition.parts:
            yield from primitives(part)
    elif isinstance(condition, Except):
        yield from primitives(condition.part)
    else:
        yield condition


@dataclass(frozen=True, slots=True)
class Measured:
    """An aggregate waiting for its comparison: `>= n`, `<= n`, `.between(low, high)`."""

    aggregate: EventAggregate

    def __ge__(self, low: float) -> EventAggregate:
        return replace(self.aggregate, low=low)

    def __le__(self, high: float) -> EventAggregate:
        return replace(self.aggregate, high=high)

    def between(self, low: float | None, high: float | None) -> EventAggregate:
        """From `low` to `high`, both included; None is open."""
        return replace(self.aggregate, low=low, high=high)


@dataclass(frozen=True, slots=True)
class Events:
    """Events of some names, narrowed step by step."""

    aggregate: EventAggregate

    def within(self, window: Window) -> Events:
        """Only inside the window."""
        return Events(replace(self.aggregate, window=window))

    def where(self, *filters: EventFilter) -> Events:
        """Only events that pass all the filters too."""
        return Events(replace(self.aggregate, where=self.aggregate.where + filters))

    def with_items(self, by: Literal["product", "category"], keys: tuple[str, ...]) -> Events:
        """Only events with such an item, and of them only such items."""
        return Events(replace(self.aggregate, items=ItemFilter(by, tuple(sorted(keys)))))

    def count(self) -> Measured:
        """How many events."""
        return Measured(replace(self.aggregate, measure="count"))

    def days(self) -> Measured:
        """On how many distinct days."""
        return Measured(replace(self.aggregate, measure="days"))

    def sum(self, of: Literal["amount", "quantity"]) -> Measured:
        """How much: minor units of money, or pieces."""
        return Measured(replace(self.aggregate, measure="sum", of=of))

    def first(self) -> Measured:
        """When first, microseconds."""
        return Measured(replace(self.aggregate, measure="first"))

    def last(self) -> Measured:
        """When last, microseconds."""
        return Measured(replace(self.aggregate, measure="last"))


def events(*names: str) -> Events:
    """Events with one of the names, or all with `"*"`."""
    return Events(EventAggregate(() if ANY_EVENT in names else tuple(sorted(names)), Window()))
