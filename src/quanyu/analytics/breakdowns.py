"""What was sold, by channel, store, category and product: the lower half of the overview."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from quanyu.analytics import drills
from quanyu.analytics.contracts import Row
from quanyu.analytics.definitions import ORDER
from quanyu.analytics.rows import Rows
from quanyu.events.contracts import CHANNELS
from quanyu.kernel.label import Label, same

TOP = 20


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Names that rows are shown with: stores, (category, department) by category, products by sku."""

    stores: Mapping[str, Label]
    categories: Mapping[str, tuple[Label, Label]]
    product: Callable[[Collection[str]], Mapping[str, Label]]


@dataclass(frozen=True, slots=True)
class Breakdowns:
    """The rows of one question, broken down."""

    rows: Rows
    catalogue: Catalogue

    def channels(self) -> tuple[Row, ...]:
        """By channel, the largest amount first."""
        orders, visits = self.rows.orders(), self.rows.visits()
        orders = orders.mutate(key=orders.channel.coalesce("other"))
        visits = visits.mutate(key=visits.channel.coalesce("other"))
        seen = {
            r["key"]: int(r["n"]) for r in self._run(visits.group_by("key").aggregate(n=visits.person_id.nunique()))
        }
        sold = {r["key"]: r for r in self._run(self._summed(orders))}
        empty = {"amount": 0, "orders": 0, "buyers": 0}
        rows = [
            Row(
                key,
                CHANNELS.get(key, same(key)),
                int(sold.get(key, empty)["amount"]),
                int(sold.get(key, empty)["orders"]),
                int(sold.get(key, empty)["buyers"]),
                visitors,
                drill=drills.events(self.rows.question, channel=key),
            )
            for key, visitors in seen.items()
        ]
        return tuple(sorted(rows, key=lambda row: (-row.amount, -(row.visitors or 0), row.key)))

    def stores(self) -> tuple[Row, ...]:
        """The stores with the largest amounts. Visitors only where a store reports visits besides orders."""
        orders = self.rows.orders()
        orders = orders.filter(orders.store_id.notnull()).mutate(key=orders.store_id)
        top = self._top(self._summed(orders))
        visits = self.rows.visits()
        counted = visits.filter(visits.store_id.isin([r["key"] for r in top] or [""]))
        seen = {
            r["store_id"]: int(r["n"])
            for r in self._run(
                counted.group_by("store_id").aggregate(
                    n=counted.person_id.nunique(), others=(counted.name != ORDER).cast("int64").sum()
                )
            )
            if r["others"]
        }
        return tuple(
            Row(
                r["key"],
                self.catalogue.stores.get(r["key"], same(r["key"])),
                int(r["amount"]),
                int(r["orders"]),
                int(r["buyers"]),
                seen.get(r["key"]),
                drill=drills.events(self.rows.question, store_id=r["key"]),
            )
            for r in top
        )

    def categories(self) -> tuple[Row, ...]:
        """The categories with the largest amounts."""
        lines = self.rows.lines()
        lines = lines.filter(lines.category_key.notnull()).mutate(key=lines.category_key)
        unknown = (same(""), same(""))
        return tuple(
            Row(
                r["key"],
                self.catalogue.categories.get(r["key"], unknown)[0],
                int(r["amount"]),
                buyers=int(r["buyers"]),
                units=float(r["units"]),
                department=self.catalogue.categories.get(r["key"], unknown)[1],
                drill=drills.people(drills.buyers(self.rows.scope, self.rows.question, category=r["key"])),
            )
            for r in self._top(self._summed_lines(lines))
        )

    def products(self) -> tuple[Row, ...]:
        """The products with the largest amounts."""
        lines = self.rows.lines()
        lines = lines.filter(lines.sku.notnull()).mutate(key=lines.sku)
        top = self._top(self._summed_lines(lines))
        names = self.catalogue.product([r["key"] for r in top])
        return tuple(
            Row(
                r["key"],
                names.get(r["key"], same(r["key"])),
                int(r["amount"]),
                buyers=int(r["buyers"]),
                units=float(r["units"]),
                drill=drills.people(drills.buyers(self.rows.scope, self.rows.question, sku=r["key"])),
            )
            for r in top
        )

    def _summed(self, orders: Any) -> Any:
        return orders.group_by("key").aggregate(
            amount=orders.amount.sum().coalesce(0), orders=orders.count(), buyers=orders.person_id.nunique()
        )

    def _summed_lines(self, lines: Any) -> Any:
        return lines.group_by("key").aggregate(
            amount=lines.amount.sum().coalesce(0),
            units=lines.quantity.sum().coalesce(0.0),
            buyers=lines.person_id.nunique(),
        )

    def _top(self, expression: Any) -> list[dict[str, Any]]:
        return self._run(expression.order_by(expression.amount.desc(), expression.key).limit(TOP))

    def _run(self, expression: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.rows.engine.run(expression).to_pylist()
        return rows
