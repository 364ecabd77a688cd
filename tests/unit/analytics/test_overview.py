"""Every number of the overview equals a plain recount of the events, and opens to exactly itself, in every scope."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from quanyu.access.contracts import Scope
from quanyu.analytics.contracts import EventQuery, Overview
from quanyu.analytics.definitions import VISITS
from quanyu.audiences.api import parse_tree
from quanyu.kernel.errors import Invalid
from quanyu.kernel.ids import SeededIds
from quanyu.storage.schema import metadata
from quanyu.storage.state import State
from tests.unit.analytics.shops import BRAND, SHANGHAI, SKUS, Shop, random_world
from tests.unit.audiences.worlds import AT, World, _day

FIRST, LAST = date(2026, 1, 20), date(2026, 2, 25)


Only = dict[str, str | None]


@pytest.fixture(scope="module")
def one_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One shop for many questions: nobody changes it."""
    root = tmp_path_factory.mktemp("shop")
    state = State(f"sqlite:///{root / 'state.sqlite'}")
    metadata.create_all(state.engine)
    yield Shop(state, root, SeededIds(7), *random_world(3))
    state.dispose()


@pytest.fixture
def shop(state: State, tmp_path: Path, ids: SeededIds) -> Shop:
    return Shop(state, tmp_path, ids, *random_world(3))


class Recount:
    """The rows that a scope and filters leave, as plain lists."""

    def __init__(self, shop: Shop, scope: Scope, first: date, last: date, **only: str | None) -> None:
        self.visible = {
            p.person_id
            for p in shop.world.people
            if scope.store_ids is None or shop.homes.get(p.person_id) in scope.store_ids
        }
        self.orders: list[tuple[int | None, dict[str, Any], int]] = []
        self.visits: list[tuple[int | None, dict[str, Any]]] = []
        for p in shop.world.people:
            who = p.person_id if p.person_id in self.visible else None
            for e in p.events:
                if not first <= _day(e) <= last or not self._in(e, scope, only):
                    continue
                of = [i for i in e["items"] if only.get("category") in (None, SKUS.get(i["sku"]))]
                if only.get("category") and not of:
                    continue
                if e["name"] in VISITS:
                    self.visits.append((who, e))
                if e["name"] == "order_paid":
                    amount = sum(i["amount"] for i in of) if only.get("category") else e["amount"]
                    self.orders.append((who, e, amount))

    @staticmethod
    def _in(e: dict[str, Any], scope: Scope, only: dict[str, str | None]) -> bool:
        return (
            (scope.store_ids is None or e["store_id"] in scope.store_ids)
            and (only.get("store_id") in (None, e["store_id"]))
            and (only.get("channel") in (None, e["channel"] or "other"))
        )

    def amount(self) -> int:
        return sum(a for _, _, a in self.orders)

    def buyers(self) -> set[int]:
        return {who for who, _, _ in self.orders if who}

    def visitors(self) -> set[int]:
        return {who for who, _ in self.visits if who}

    def repeaters(self) -> set[int]:
        days = {(who, _day(e)) for who, e, _ in self.orders if who}
        return {who for who, n in Counter(who for who, _ in days).items() if n >= 2}


ASKED: list[tuple[Scope, Only]] = [
    (BRAND, {}),
    (BRAND, {"store_id": "sh01"}),
    (BRAND, {"channel": "mini_program"}),
    (BRAND, {"channel": "other"}),
    (BRAND, {"category": "food.tea"}),
    (BRAND, {"category": "food.tea", "store_id": "sh01", "channel": "store"}),
    (SHANGHAI, {}),
    (SHANGHAI, {"store_id": "sh02"}),
    (SHANGHAI, {"store_id": "bj01"}),
    (SHANGHAI, {"category": "care.soap"}),
]


@pytest.mark.parametrize(("scope", "only"), ASKED)
def test_every_number_equals_a_recount_and_opens_to_itself(one_shop: Shop, scope: Scope, only: Only) -> None:
    _check(one_shop, scope, only)


@pytest.mark.parametrize("scope", [BRAND, SHANGHAI])
def test_so_it_does_on_both_databases(shop: Shop, scope: Scope) -> None:
    _check(shop, scope, {})


def _check(shop: Shop, scope: Scope, only: Only) -> None:
    found, plain = shop.door.overview(scope, FIRST, LAST, **only), Recount(shop, scope, FIRST, LAST, **only)
    _totals_equal_a_recount(shop, scope, only, found, plain)
    _breakdowns_equal_a_recount(only, found, plain)
    _numbers_open_to_themselves(shop, scope, only, found)


def _totals_equal_a_recount(shop: Shop, scope: Scope, only: Only, found: Overview, plain: Recount) -> None:
    kpi = {k.key: k for k in found.kpis}
    assert kpi["gmv"].value == plain.amount()
    assert kpi["orders"].value == len(plain.orders)
    assert kpi["buyers"].value == len(plain.buyers())
    assert kpi["visitors"].value == len(plain.visitors())
    assert (kpi["repurchase"].numerator, kpi["repurchase"].denominator) == (len(plain.repeaters()), len(plain.buyers()))
    assert kpi["people"].value == len(plain.visible)
    t = found.totals
    assert plain.buyers() <= plain.visitors()  # a buyer is a visitor, so conversion is at most 1
    assert (kpi["conversion"].numerator, kpi["conversion"].denominator) == (t.buyers, t.visitors)
    assert kpi["average_order"].value == (plain.amount() / len(plain.orders) if plain.orders else 0)
    for day in kpi["conversion"].series:
        assert 0 <= day.value <= 1, day
    if t.buyers:
        assert t.conversion == len(plain.buyers()) / len(plain.visitors()) <= 1
        exactly = t.visitors * Fraction(t.buyers, t.visitors) * Fraction(t.amount, t.buyers)
        assert exactly == t.amount
        assert t.visitors * t.conversion * t.order_value == pytest.approx(t.amount, abs=1e-6)  # type: ignore[operator]
    by_day = {d: sum(a for _, e, a in plain.orders if _day(e) == d) for d in (p.on for p in kpi["gmv"].series)}
    assert {p.on: p.value for p in kpi["gmv"].series} == by_day
    assert len(by_day) == (LAST - FIRST).days + 1
    assert sum(p.amount for p in found.trend) == plain.amount()
    before = Recount(shop, scope, FIRST - timedelta(days=37), FIRST - timedelta(days=1), **only)
    assert kpi["gmv"].previous == before.amount()
    assert kpi["visitors"].previous == len(before.visitors())
    if before.amount():
        assert kpi["gmv"].change == pytest.approx(plain.amount() / before.amount() - 1)


def _breakdowns_equal_a_recount(only: Only, found: Overview, plain: Recount) -> None:
    for row in found.channels:
        mine = [(who, a) for who, e, a in plain.orders if (e["channel"] or "other") == row.key]
        came = {who for who, e in plain.visits if who and (e["channel"] or "other") == row.key}
        assert (row.amount, row.orders) == (sum(a for _, a in mine), len(mine))
        assert (row.buyers, row.visitors) == (len({who for who, _ in mine if who}), len(came))
    assert {r.key for r in found.channels} == {e["channel"] or "other" for _, e in plain.visits}
    for row in found.stores:
        mine = [(who, a) for who, e, a in plain.orders if e["store_id"] == row.key]
        assert (row.amount, row.orders) == (sum(a for _, a in mine), len(mine))
        assert row.label.zh == f"门店{row.key}"
    assert {r.key for r in found.stores} == {e["store_id"] for _, e, _ in plain.orders if e["store_id"]}
    lines = [
        (who, i) for who, e, _ in plain.orders for i in e["items"] if only.get("category") in (None, SKUS.get(i["sku"]))
    ]
    for row in found.products:
        mine = [(who, i) for who, i in lines if i["sku"] == row.key]
        assert row.amount == sum(i["amount"] for _, i in mine)
        assert row.units == sum(i["quantity"] for _, i in mine)
        assert row.buyers == len({who for who, _ in mine if who})
    assert {r.key for r in found.products} == {i["sku"] for _, i in lines}
    assert {r.key for r in found.categories} == {SKUS[i["sku"]] for _, i in lines if i["sku"] in SKUS}
    for row in found.categories:
        assert row.amount == sum(i["amount"] for _, i in lines if SKUS.get(i["sku"]) == row.key)
    assert [r.amount for r in found.products] == sorted((r.amount for r in found.products), reverse=True)


def _numbers_open_to_themselves(shop: Shop, scope: Scope, only: Only, found: Overview) -> None:
    kpi = {k.key: k for k in found.kpis}
    counted = 0
    for key in ("visitors", "buyers", "people", "reachable"):
        assert opened(shop, scope, kpi[key].drill) == kpi[key].value, key
    for key in ("repurchase", "conversion"):
        assert opened(shop, scope, kpi[key].drill) == kpi[key].numerator, key
    assert opened(shop, scope, kpi["orders"].drill) == kpi["orders"].value
    events = shop.door.search_events(scope, query_of(kpi["gmv"].drill), limit=200).items
    shown = [e.amount or 0 for e in events]
    if only.get("category"):
        shown = [sum(i.amount or 0 for i in e.items if SKUS.get(i.sku or "") == only["category"]) for e in events]
    assert sum(shown) == kpi["gmv"].value
    for row in (*found.channels, *found.stores):
        assert opened(shop, scope, row.drill) == row.orders, row
        counted += 1
    for row in (*found.categories, *found.products):
        assert opened(shop, scope, row.drill) == row.buyers, row
        counted += 1
    people = found.people
    assert people.active == people.new + people.returning
    for key in ("total", "active", "new", "returning"):
        assert opened(shop, scope, people.drills[key]) == getattr(people, key), key
    for level in people.pyramid:
        assert opened(shop, scope, level.drill) == level.people, level.key
    assert sum(level.people for level in people.pyramid) == people.total
    assert counted or not found.totals.orders


def opened(shop: Shop, scope: Scope, drill: dict[str, Any] | None) -> int:
    assert drill is not None
    if drill["kind"] == "people":
        parse_tree(drill["tree"])
        answer = shop.audiences.count(drill["tree"], scope)
        assert answer.errors == ()
        assert answer.count is not None
        assert shop.audiences.people_of_tree(drill["tree"], scope).total == answer.count
        return answer.count
    total = shop.door.search_events(scope, query_of(drill)).total
    assert total is not None
    return total


def query_of(drill: dict[str, Any] | None) -> EventQuery:
    assert drill is not None
    q = drill["query"]
    first, last = date.fromisoformat(q["from"]), date.fromisoformat(q["to"])
    return EventQuery(q["name"], first, last, q.get("store_id"), q.get("channel"), q.get("category"))


def test_a_store_is_told_nothing_of_other_stores(shop: Shop) -> None:
    found = shop.door.overview(SHANGHAI, FIRST, LAST)
    assert {row.key for row in found.stores} <= {"sh01", "sh02"}
    empty = shop.door.overview(SHANGHAI, FIRST, LAST, store_id="bj01")
    assert (empty.totals.amount, empty.totals.visitors, empty.stores) == (0, 0, ())


def test_new_people_are_those_who_never_came_before(shop: Shop) -> None:
    found = shop.door.overview(BRAND, FIRST, LAST)
    came = [(p, [_day(e) for e in p.events if e["name"] in VISITS]) for p in shop.world.people]
    new = {p.person_id for p, days in came if days and FIRST <= min(days) <= LAST}
    assert found.people.new == len(new)
    assert new


def test_the_usual_range_ends_with_the_last_order(shop: Shop) -> None:
    newest = max(_day(e) for p in shop.world.people for e in p.events if e["name"] == "order_paid")
    found = shop.door.overview(BRAND)
    assert (found.question.period.last, found.question.period.days) == (newest, 30)
    with pytest.raises(Invalid):
        shop.door.overview(BRAND, LAST, FIRST)


def test_an_answer_is_kept_until_something_happens(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    run = shop.engine.run
    monkeypatch.setattr(shop.engine, "run", lambda expression: asked.append(1) or run(expression))
    first = shop.door.overview(BRAND, FIRST, LAST)
    n = len(asked)
    assert shop.door.overview(BRAND, FIRST, LAST) == first
    assert len(asked) == n
    from tests.unit.audiences.worlds import Person, event, event_table

    more = World([Person(1, [event("order_paid", AT - timedelta(days=10), amount=77)])])
    shop.history.append("events", event_table(more), app="more", version=1)
    again = shop.door.overview(BRAND, FIRST, LAST)
    assert again.totals.amount == first.totals.amount + 77


def test_numbers_that_rest_on_made_data_say_so(state: State, tmp_path: Path, ids: SeededIds) -> None:
    shop = Shop(state, tmp_path, ids, *random_world(5))
    assert not any(k.made for k in shop.door.overview(BRAND, FIRST, LAST).kpis)
    from tests.unit.audiences.worlds import Person, event, event_table

    visits = event_table(World([Person(2, [event("page_viewed", AT - timedelta(days=20))])]))
    column = visits.schema.get_field_index("source")
    shop.history.append("events", visits.set_column(column, "source", [["made"]]), app="more", version=1)
    made = {k.key: k.made for k in shop.door.overview(BRAND, FIRST, LAST).kpis}
    assert (made["visitors"], made["conversion"], made["gmv"], made["orders"]) == (True, True, False, False)
