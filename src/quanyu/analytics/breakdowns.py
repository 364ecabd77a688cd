"""What was sold, by channel, store, category and product: the lower half of the overview."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from quanyu.access.contracts import Scope
from quanyu.analytics import drills
from quanyu.analytics.contracts import Question, Row
from quanyu.events.contracts import CHANNELS
from quanyu.kernel.label import Label, same
from quanyu.storage.engine import Engine

TOP = 20


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Names that rows are shown with: stores, (category, department) by category, products by sku."""

    stores: Mapping[str, Label]
    categories: Mapping[str, tuple[Label, Label]]
    product: Callable[[Collection[str]], Mapping[str, Label]]


@dataclass(frozen=True, slots=True)
class Breakdowns:
    """One question broken down: of `came` and `bought`, its rows as `Rows` makes them."""

    engine: Engine
    scope: Scope
    question: Question
    catalogue: Catalogue
    came: Any
    bought: Any

    def channels(self) -> tuple[Row, ...]:
        """By channel, the largest amount first."""
        rows = [
            Row(
                r["key"],
                CHANNELS.get(r["key"], same(r["key"])),
                int(r["amount"]),
                int(r["orders"]),
                int(r["buyers"]),
                int(r["visitors"]),
                drill=drills.events(self.question, channel=r["key"]),
            )
            for r in self._run(_counted(self.came.mutate(key=self.came.channel)))
        ]
        return tuple(sorted(rows, key=lambda row: (-row.amount, -(row.visitors or 0), row.key)))

    def stores(self) -> tuple[Row, ...]:
        """The stores with the largest amounts. Visitors only where a store reports visits besides orders."""
        stores = _counted(self.came.filter(self.came.store_id.notnull()).mutate(key=self.came.store_id))
        return tuple(
            Row(
                r["key"],
                self.catalogue.stores.get(r["key"], same(r["key"])),
                int(r["amount"]),
                int(r["orders"]),
                int(r["buyers"]),
                int(r["visitors"]) if r["others"] else None,
                drill=drills.events(self.question, store_id=r["key"]),
            )
            for r in self._top(stores.filter(stores.orders > 0))
        )

    def categories(self) -> tuple[Row, ...]:
        """The categories with the largest amounts."""
        unknown = (same(""), same(""))
        return tuple(
            Row(
                r["key"],
                self.catalogue.categories.get(r["key"], unknown)[0],
                int(r["amount"]),
                buyers=int(r["buyers"]),
                units=float(r["units"]),
                department=self.catalogue.categories.get(r["key"], unknown)[1],
                drill=drills.people(drills.buyers(self.scope, self.question, category=r["key"])),
            )
            for r in self._top(_sold(self.bought, "category_key"))
        )

    def products(self) -> tuple[Row, ...]:
        """The products with the largest amounts."""
        top = self._top(_sold(self.bought, "sku"))
        names = self.catalogue.product([r["key"] for r in top])
        return tuple(
            Row(
                r["key"],
                names.get(r["key"], same(r["key"])),
                int(r["amount"]),
                buyers=int(r["buyers"]),
                units=float(r["units"]),
                drill=drills.people(drills.buyers(self.scope, self.question, sku=r["key"])),
            )
            for r in top
        )

    def _top(self, expression: Any) -> list[dict[str, Any]]:
        return self._run(expression.order_by(expression.amount.desc(), expression.key).limit(TOP))

    def _run(self, expression: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.engine.run(expression).to_pylist()
        return rows


def _counted(came: Any) -> Any:
    return came.group_by("key").aggregate(
        amount=came.amount.sum(),
        orders=came.orders.sum(),
        others=came.others.sum(),
        buyers=came.person_id.nunique(where=came.orders > 0),
        visitors=came.person_id.nunique(),
    )


def _sold(bought: Any, key: str) -> Any:
    rows = bought.filter(bought[key].notnull()).mutate(key=bought[key])
    return rows.group_by("key").aggregate(
        amount=rows.amount.sum(), units=rows.units.sum(), buyers=rows.person_id.nunique()
    )
