"""Finding events: newest first, page by page, within the scope; what every number rests on."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.analytics.contracts import EventItem, EventName, EventPage, EventQuery, EventView
from quanyu.analytics.definitions import ORDER
from quanyu.analytics.rows import within
from quanyu.events.contracts import event_label
from quanyu.kernel.clock import from_micros
from quanyu.kernel.errors import BadRequest
from quanyu.kernel.label import Label
from quanyu.storage.engine import Engine

_SHOWN = (
    "event_id",
    "source",
    "name",
    "occurred_at",
    "received_at",
    "channel",
    "touchpoint",
    "store_id",
    "staff_id",
    "order_id",
    "effect_id",
    "amount",
    "currency",
    "items",
    "properties",
    "person_id",
)

_PLACE = ("occurred_at", "source", "event_id")


@dataclass(frozen=True, slots=True)
class Names:
    """How the keys in events are shown: stores, products by sku, public ids of visible people, made sources."""

    stores: Mapping[str, Label]
    products: Callable[[Collection[str]], Mapping[str, Label]]
    people: Callable[[Sequence[int]], Mapping[int, str]]
    made_sources: Collection[str]


class EventSearch:
    """Searches history."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(
        self,
        scope: Scope,
        visible: BitMap | None,
        query: EventQuery,
        names: Names,
        *,
        cursor: str | None,
        limit: int,
        counted: bool,
        until: int,
    ) -> EventPage:
        """One page, newest first; `counted` asks for the total too. Raises BadRequest for a cursor not ours."""
        rows = self.rows(scope, visible, query, until)
        total = None
        if counted:
            total = int(self._engine.run(rows.aggregate(n=rows.count())).column(0)[0].as_py())
        wanted = rows if cursor is None else rows.filter(_after(rows, *_decode(cursor)))
        places = wanted.select(*_PLACE, "day")
        ordered = places.order_by(places.occurred_at.desc(), places.source.desc(), places.event_id.desc())
        found = self._engine.run(ordered.limit(limit + 1)).to_pylist()
        shown = self._whole(rows, found[:limit])
        return EventPage(_views(shown, names), _encode(shown[-1]) if len(found) > limit else None, total)

    def _whole(self, rows: Any, places: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The rows at these places, in their order: only the page is read in full, not all that was sorted."""
        if not places:
            return []
        ids, days = sorted({place["event_id"] for place in places}), sorted({place["day"] for place in places})
        found = self._engine.run(rows.filter([rows.day.isin(days), rows.event_id.isin(ids)]).select(*_SHOWN))
        by_place = {tuple(row[column] for column in _PLACE): row for row in found.to_pylist()}
        return [by_place[tuple(place[column] for column in _PLACE)] for place in places]

    def rows(self, scope: Scope, visible: BitMap | None, query: EventQuery, until: int) -> Any:
        """The events of a query as an Ibis table."""
        somewhere = query.person_id is None
        rows = within(self._engine, scope, visible, somewhere=somewhere)
        conditions = [rows.occurred_at <= until]
        for column, value in (
            ("name", query.name),
            ("store_id", query.store_id),
            ("order_id", query.order_id),
            ("person_id", query.person_id),
            ("source", query.source),
        ):
            if value is not None:
                conditions.append(rows[column] == value)
        if query.channel is not None:
            conditions.append(rows.channel.coalesce("other") == query.channel)
        if query.first is not None:
            conditions.append(rows.day >= query.first.isoformat())
        if query.last is not None:
            conditions.append(rows.day <= query.last.isoformat())
        rows = rows.filter(conditions)
        if query.category is not None:
            rows = self._of_category(rows, scope.brand, query.category)
        return rows

    def _of_category(self, rows: Any, brand: str, category: str) -> Any:
        products = self._engine.dimension("products")
        wanted = products.filter((products.brand == brand) & (products.category_key == category))
        lines = rows.select("source", "event_id", item=rows["items"].unnest())
        lines = lines.select("source", "event_id", sku=lines.item.sku).semi_join(wanted, "sku")
        return rows.semi_join(lines, ["source", "event_id"])

    def bought(
        self, scope: Scope, visible: BitMap | None, person_id: int, until: int
    ) -> tuple[list[str], dict[str, int]]:
        """The stores a person bought in, and amounts by category; in the caller's stores or where none was involved."""
        paid = self.rows(scope, visible, EventQuery(name=ORDER, person_id=person_id), until)
        stores = self._engine.run(paid.filter(paid.store_id.notnull()).select("store_id").distinct())
        lines = paid.select(item=paid["items"].unnest())
        lines = lines.select(sku=lines.item.sku, amount=lines.item.amount)
        products = self._engine.dimension("products")
        mine = products.filter(products.brand == scope.brand).select("sku", "category_key")
        of_category = lines.inner_join(mine, "sku")
        sums = of_category.group_by("category_key").aggregate(amount=of_category.amount.sum().coalesce(0))
        found = self._engine.run(sums.order_by(sums.amount.desc(), sums.category_key)).to_pylist()
        return sorted(stores.column(0).to_pylist()), {row["category_key"]: int(row["amount"]) for row in found}

    def names(self, scope: Scope, visible: BitMap | None, until: int) -> list[EventName]:
        """The names of events in the scope with how many there are, most first."""
        rows = self.rows(scope, visible, EventQuery(), until)
        found = self._engine.run(rows.group_by("name").aggregate(n=rows.count())).to_pylist()
        counted = [EventName(r["name"], event_label(r["name"]), int(r["n"])) for r in found]
        return sorted(counted, key=lambda one: (-one.count, one.name))


def _after(rows: Any, occurred_at: int, source: str, event_id: str) -> Any:
    older = rows.occurred_at < occurred_at
    same_instant = rows.occurred_at == occurred_at
    return older | (
        same_instant & ((rows.source < source) | ((rows.source == source) & (rows.event_id < ibis.literal(event_id))))
    )


def _encode(row: Mapping[str, Any]) -> str:
    text = json.dumps([row["occurred_at"], row["source"], row["event_id"]])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[int, str, str]:
    try:
        at, source, event_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return int(at), str(source), str(event_id)
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadRequest(
            "cursor_malformed",
            Label("翻页参数不对", "The cursor is malformed"),
            detail=Label("请使用上一页返回的 next_cursor", "Use the next_cursor of the page before"),
        ) from error


def _views(rows: Sequence[Mapping[str, Any]], names: Names) -> tuple[EventView, ...]:
    skus = {item["sku"] for row in rows for item in row["items"] or () if item["sku"]}
    products = names.products(skus) if skus else {}
    people = names.people(sorted({row["person_id"] for row in rows if row["person_id"]}))
    return tuple(
        EventView(
            row["event_id"],
            row["source"],
            row["name"],
            event_label(row["name"]),
            from_micros(row["occurred_at"]),
            from_micros(row["received_at"]),
            row["channel"],
            row["touchpoint"],
            row["store_id"],
            names.stores.get(row["store_id"]) if row["store_id"] else None,
            row["staff_id"],
            row["order_id"],
            row["effect_id"],
            row["amount"],
            row["currency"],
            tuple(
                EventItem(i["sku"], products.get(i["sku"]), i["quantity"], i["unit_price"], i["amount"])
                for i in row["items"] or ()
            ),
            _properties(row["properties"]),
            people.get(row["person_id"]),
            row["source"] in names.made_sources,
        )
        for row in rows
    )


def _properties(text: str | None) -> dict[str, Any]:
    decoded = json.loads(text) if text else {}
    return decoded if isinstance(decoded, dict) else {}
