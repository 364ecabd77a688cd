"""The door of analytics: the overview, events, a person's timeline."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.analytics.breakdowns import Catalogue
from quanyu.analytics.contracts import EventName, EventPage, EventQuery, Overview, Period, Question
from quanyu.analytics.definitions import ORDER
from quanyu.analytics.event_search import EventSearch, Names
from quanyu.analytics.overview import Computing
from quanyu.analytics.rfm import LIST, Rfm
from quanyu.analytics.visited import Visited
from quanyu.audiences.api import Audiences, local
from quanyu.commerce.api import Commerce
from quanyu.kernel.clock import Clock, from_micros, micros
from quanyu.kernel.errors import Invalid
from quanyu.kernel.label import Label
from quanyu.storage.engine import Engine
from quanyu.storage.state import State

__all__ = ["Analytics", "Visited"]

MOST_DAYS = 1_100
_USUAL_DAYS = 30
_KEPT = 128


class People(Protocol):
    """What is needed of identity."""

    def person_of(self, public_id: str, scope: Scope, tx: sa.Connection | None = None) -> Any:
        """The visible person with this public id: has `person_id`. Raises NotFound."""
        ...

    def people_by_id(self, tx: sa.Connection, numbers: Sequence[int], scope: Scope) -> Sequence[Any]:
        """The visible ones of these people: each has `person_id` and `public_id`."""
        ...


class Analytics:
    """Reports of every brand. Thread-safe."""

    def __init__(
        self,
        state: State,
        engine: Engine,
        clock: Clock,
        *,
        people: People,
        audiences: Audiences,
        commerce: Commerce,
        made_sources: Callable[[Scope], Collection[str]],
    ) -> None:
        self._state = state
        self._engine = engine
        self._clock = clock
        self._people = people
        self._audiences = audiences
        self._commerce = commerce
        self._made_sources = made_sources
        self._search = EventSearch(engine)
        self.rfm = Rfm(engine, audiences.visible)
        audiences.offer_list(LIST, self.rfm)
        self._kept: OrderedDict[Any, Overview] = OrderedDict()
        self._lock = threading.Lock()

    # --------------------------------------------------------------------------------------------------- overview
    def overview(
        self,
        scope: Scope,
        first: date | None = None,
        last: date | None = None,
        store_id: str | None = None,
        channel: str | None = None,
        category: str | None = None,
    ) -> Overview:
        """人货场 of the brand-local days `first` to `last`; without them the last 30 days that have events.

        Raises Invalid for a range that ends before it starts or is longer than three years.
        """
        at = self._clock.now()
        question = Question(self._period(scope, first, last), store_id, channel, category)
        today = local(at, scope).date()
        key = (scope, question, today, self._audiences.watermark())
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
                return replace(known, as_of=at)
        computing = Computing(
            self._engine,
            self.rfm,
            scope,
            self._audiences.visible(scope),
            question,
            self._catalogue(scope),
            self._made_sources(scope),
            lambda tree: self._audiences.evaluate(tree, at, scope),
            at,
        )
        found = computing.overview(at)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    def _period(self, scope: Scope, first: date | None, last: date | None) -> Period:
        end = last or self._last_day(scope)
        begin = first or end - timedelta(days=_USUAL_DAYS - 1)
        if begin > end or (end - begin).days >= MOST_DAYS:
            raise Invalid(
                "date_range_invalid",
                Label("日期范围不对", "The date range is wrong"),
                detail=Label(
                    f"开始日期应不晚于结束日期，且最多 {MOST_DAYS} 天",
                    f"The range must not end before it starts, and spans at most {MOST_DAYS} days",
                ),
            )
        return Period(begin, end)

    def _last_day(self, scope: Scope) -> date:
        """The newest day with a paid order, or today while there is none (or it claims to lie ahead)."""
        now = self._clock.now()
        events = self._engine.events()
        mine = events.filter(
            (events.brand == scope.brand) & (events.name == ORDER) & (events.occurred_at <= micros(now))
        )
        newest = self._engine.run(mine.aggregate(at=mine.occurred_at.max())).column(0)[0].as_py()
        return local(now if newest is None else from_micros(newest), scope).date()

    def _catalogue(self, scope: Scope) -> Catalogue:
        return Catalogue(
            self._commerce.store_names(scope),
            {c.category_key: (c.name, c.department) for c in self._commerce.list_categories(scope)},
            lambda skus: self._product_names(scope, skus),
        )

    # ----------------------------------------------------------------------------------------------------- events
    def search_events(
        self, scope: Scope, query: EventQuery, *, cursor: str | None = None, limit: int = 50
    ) -> EventPage:
        """Events within the scope, newest first; the first page says how many there are. Raises BadRequest."""
        return self._search.page(
            scope,
            self._seen(scope),
            query,
            self._names(scope),
            cursor=cursor,
            limit=limit,
            counted=cursor is None,
            until=micros(self._clock.now()),
        )

    def list_event_names(self, scope: Scope) -> list[EventName]:
        """The names of events within the scope with their counts, most first."""
        return self._search.names(scope, self._seen(scope), micros(self._clock.now()))

    def timeline(
        self, scope: Scope, public_id: str, *, name: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> EventPage:
        """What a person did, newest first: in the caller's stores and where no store was involved.

        Raises NotFound for a person outside the scope.
        """
        person = self._people.person_of(public_id, scope)
        return self.search_events(
            scope, EventQuery(name=name, person_id=int(person.person_id)), cursor=cursor, limit=limit
        )

    def bought(self, scope: Scope, person_id: int) -> tuple[list[str], list[tuple[str, Label, int]]]:
        """What a visible person bought: store ids, and (category, name, amount), the largest first."""
        stores, amounts = self._search.bought(scope, self._seen(scope), person_id, micros(self._clock.now()))
        names = {c.category_key: c.name for c in self._commerce.list_categories(scope)}
        return stores, [(key, names.get(key, Label(key, key)), amount) for key, amount in amounts.items()]

    def person_number(self, scope: Scope, public_id: str) -> int:
        """The inner number of a visible person. Raises NotFound."""
        return int(self._people.person_of(public_id, scope).person_id)

    def _seen(self, scope: Scope) -> BitMap | None:
        return None if scope.whole_brand else self._audiences.visible(scope)

    def _names(self, scope: Scope) -> Names:
        return Names(
            self._commerce.store_names(scope),
            lambda skus: self._product_names(scope, skus),
            lambda numbers: self._public_ids(scope, numbers),
            self._made_sources(scope),
        )

    def _product_names(self, scope: Scope, skus: Collection[str]) -> Mapping[str, Label]:
        return {sku: product.name for sku, product in self._commerce.products(scope, skus).items()}

    def _public_ids(self, scope: Scope, numbers: Sequence[int]) -> Mapping[int, str]:
        with self._state.read() as tx:
            return {ref.person_id: ref.public_id for ref in self._people.people_by_id(tx, numbers, scope)}
