"""The rows that reports count, as Ibis tables within a scope: events, paid orders, their lines, visits.

This is the one place where analytics applies the scope. A caller who sees some stores gets the rows of those stores
only, and on them only the people within their scope: everybody else is nobody (`person_id` null) to them, so every
count of people equals what opening it shows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import ibis
import pyarrow as pa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.analytics.contracts import Question
from quanyu.analytics.definitions import ORDER, VISITS
from quanyu.audiences.api import to_ids
from quanyu.storage.engine import Engine

_COLUMNS = ("event_id", "source", "name", "occurred_at", "day", "channel", "store_id", "person_id", "amount", "items")


def within(engine: Engine, scope: Scope, visible: BitMap | None, *, somewhere: bool = True) -> Any:
    """All events of the scope, every column. `visible` is None for a caller who sees the whole brand.

    `somewhere`: only rows of the caller's stores; otherwise rows without a store too (a person's own timeline).
    """
    table = engine.events()
    table = table.filter(table.brand == scope.brand)
    if scope.store_ids is not None:
        mine = table.store_id.isin(sorted(scope.store_ids)) if scope.store_ids else ibis.literal(False)
        table = table.filter(mine if somewhere else (mine | table.store_id.isnull()))
    if visible is None:
        return table.mutate(person_id=table.person_id.nullif(0))
    people = ibis.memtable(pa.table({"seen_id": pa.array(to_ids(visible).astype("int64"))}))
    joined = table.left_join(people, table.person_id == people.seen_id)
    if scope.staff_id is not None:  # a guide sees what their customers did, and nothing else
        joined = joined.filter(joined.seen_id.notnull())
    return joined.mutate(person_id=joined.seen_id).drop("seen_id")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one question."""

    engine: Engine
    scope: Scope
    visible: BitMap | None
    question: Question
    until: int  # microseconds: nothing that claims to happen later

    def events(self, *names: str) -> Any:
        """Events of the names in the period, the store and the channel; few columns."""
        q = self.question
        table = within(self.engine, self.scope, self.visible)
        table = table.filter(
            [
                table.name.isin(names) if len(names) > 1 else table.name == names[0],
                table.day >= q.period.first.isoformat(),
                table.day <= q.period.last.isoformat(),
                table.occurred_at <= self.until,
            ]
        )
        if q.store_id is not None:
            table = table.filter(table.store_id == q.store_id)
        if q.channel is not None:
            table = table.filter(table.channel.coalesce("other") == q.channel)
        return table.select(*_COLUMNS)

    def came(self, made_sources: Collection[str]) -> Any:
        """Who came: one row per `day, channel, store_id, person_id, made` with a visit or a paid order.

        `orders` and their `amount`, and `others`, the visits besides. With a category, rows with such an item count,
        and amounts are those of its lines. `made`: what was sent by one of the made sources. Everything that the
        overview counts besides goods follows from these rows, so that history is read once.
        """
        visits = self.events(*VISITS)
        visits = visits.drop("items") if self.question.category is None else self._of_category(visits)
        paid = (visits.name == ORDER).cast("int64")
        rows = visits.select(
            "day",
            "store_id",
            "person_id",
            channel=visits.channel.coalesce("other"),
            made=visits.source.isin(sorted(made_sources)) if made_sources else ibis.literal(False),
            amount=paid * visits.amount.coalesce(0),
            paid=paid,
        )
        return rows.group_by("day", "channel", "store_id", "person_id", "made").aggregate(
            amount=rows.amount.sum(), orders=rows.paid.sum(), others=(1 - rows.paid).sum()
        )

    def bought(self) -> Any:
        """What was bought: one row per `sku, category_key, person_id` of paid orders, with `amount` and `units`.

        `category_key` is null for what the catalogue does not have.
        """
        lines, category = self._lines(self.events(ORDER)), self.question.category
        lines = lines if category is None else lines.filter(lines.category_key == category)
        return lines.group_by("sku", "category_key", "person_id").aggregate(
            amount=lines.amount.sum().coalesce(0), units=lines.quantity.sum().coalesce(0.0)
        )

    def _lines(self, rows: Any) -> Any:
        kept = [column for column in _COLUMNS if column not in {"amount", "items"}]
        opened = rows.select(*kept, item=rows["items"].unnest())
        lines = opened.select(*kept, sku=opened.item.sku, quantity=opened.item.quantity, amount=opened.item.amount)
        products = self.engine.dimension("products")
        mine = products.filter(products.brand == self.scope.brand).select("category_key", product_sku=products.sku)
        return lines.left_join(mine, lines.sku == mine.product_sku).drop("product_sku")

    def _of_category(self, rows: Any) -> Any:
        lines = self._lines(rows)
        lines = lines.filter(lines.category_key == self.question.category)
        return lines.group_by(
            "event_id", "source", "name", "occurred_at", "day", "channel", "store_id", "person_id"
        ).aggregate(amount=lines.amount.sum())
