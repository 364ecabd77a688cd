"""Events are found within the scope, page by page without gaps or repeats, and read with names."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from quanyu.access.contracts import Scope
from quanyu.analytics.contracts import EventQuery
from quanyu.kernel.errors import BadRequest, NotFound
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import Label
from quanyu.storage.state import State
from tests.unit.analytics.shops import BRAND, SHANGHAI, SKUS, Shop, random_world
from tests.unit.audiences.worlds import AT, Person, World, _day, event, event_table


@pytest.fixture
def shop(state: State, tmp_path: Path, ids: SeededIds) -> Shop:
    return Shop(state, tmp_path, ids, *random_world(3))


def test_pages_hold_every_event_once_newest_first(shop: Shop) -> None:
    same_instant = World([Person(9, [event("page_viewed", AT - timedelta(days=3)) for _ in range(7)])])
    shop.history.append("events", event_table(same_instant), app="more", version=1)
    everything = sum(len(p.events) for p in shop.world.people) + 7
    seen: list[tuple[int, str]] = []
    cursor = None
    while True:
        page = shop.door.search_events(BRAND, EventQuery(), cursor=cursor, limit=5)
        assert (page.total == everything) if cursor is None else (page.total is None)
        seen += [(-int(e.occurred_at.timestamp() * 1_000_000), e.event_id) for e in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == everything
    assert [at for at, _ in seen] == sorted(at for at, _ in seen)


@pytest.mark.parametrize("cursor", ["x", "e30", "W10", "WzEsMl0", "é"])
def test_a_cursor_of_another_origin_is_refused(shop: Shop, cursor: str) -> None:
    with pytest.raises(BadRequest):
        shop.door.search_events(BRAND, EventQuery(), cursor=cursor)


def test_filters_narrow(shop: Shop) -> None:
    everything = [(p.person_id, e) for p in shop.world.people for e in p.events]
    find = lambda **how: shop.door.search_events(BRAND, EventQuery(**how)).total  # noqa: E731
    assert find(name="page_viewed") == sum(e["name"] == "page_viewed" for _, e in everything)
    assert find(store_id="sh01") == sum(e["store_id"] == "sh01" for _, e in everything)
    assert find(channel="other") == sum((e["channel"] or "other") == "other" for _, e in everything)
    assert find(order_id="o3") == sum(e.get("order_id") == "o3" for _, e in everything)
    assert find(person_id=3) == sum(number == 3 for number, _ in everything)
    milk = [e for _, e in everything if any(SKUS.get(i["sku"]) == "food.milk" for i in e["items"])]
    assert find(category="food.milk") == len(milk)
    days = {"first": date(2026, 2, 1), "last": date(2026, 2, 7)}
    assert find(**days) == sum(days["first"] <= _day(e) <= days["last"] for _, e in everything)


def test_a_source_narrows(shop: Shop) -> None:
    views = event_table(World([Person(9, [event("page_viewed", AT - timedelta(days=3)) for _ in range(7)])]))
    views = views.set_column(views.schema.get_field_index("source"), "source", [["till"] * 7])
    shop.history.append("events", views, app="more", version=1)
    find = lambda **how: shop.door.search_events(BRAND, EventQuery(**how)).total  # noqa: E731
    assert find(source="till") == find(source="till", name="page_viewed") == 7
    assert find(source="test") == sum(len(p.events) for p in shop.world.people)
    assert find(source="nosuch") == 0


def test_an_event_reads_with_the_names_of_what_it_names(shop: Shop) -> None:
    found = shop.door.search_events(BRAND, EventQuery(name="order_paid", store_id="sh01"), limit=200).items
    assert found[0].label == Label("支付订单", "Order paid")
    assert found[0].store_name == Label("门店sh01", "Store sh01")
    names = {item.sku: item.name for e in found for item in e.items}
    assert names["s1"] == Label("商品s1", "Product s1")
    assert names["s9"] is None
    assert all(e.person_id and e.person_id.startswith("p_") for e in found)


def test_a_store_finds_its_own_rows_and_names_only_its_own_people(shop: Shop) -> None:
    found = shop.door.search_events(SHANGHAI, EventQuery(), limit=200)
    rows = [(p.person_id, e) for p in shop.world.people for e in p.events if e["store_id"] in ("sh01", "sh02")]
    home = {f"p_{n}" for n, store in shop.homes.items() if store in ("sh01", "sh02")}
    assert found.total == len(rows)
    assert {e.store_id for e in found.items} <= {"sh01", "sh02"}
    assert {e.person_id for e in found.items} - {None} <= home
    assert None in {e.person_id for e in found.items}  # somebody from elsewhere bought here: the row, not the person
    counts = {one.name: one.count for one in shop.door.list_event_names(SHANGHAI)}
    assert sum(counts.values()) == len(rows)


def test_a_guide_finds_what_their_customers_did(shop: Shop) -> None:
    guide = Scope(1, "acme", time_zone="Asia/Shanghai", store_ids=frozenset({"sh01"}), staff_id="g1")
    found = shop.door.search_events(guide, EventQuery(), limit=200)
    home = {n for n, store in shop.homes.items() if store == "sh01"}
    rows = [e for p in shop.world.people for e in p.events if p.person_id in home and e["store_id"] == "sh01"]
    assert found.total == len(rows)


def test_a_timeline_is_one_persons_and_within_the_scope(shop: Shop) -> None:
    number = next(n for n, store in shop.homes.items() if store == "sh01" and len(shop.world.people[n - 1].events) > 3)
    own = shop.world.people[number - 1].events
    assert shop.door.timeline(BRAND, f"p_{number}").total == len(own)
    mine = [e for e in own if e["store_id"] in (None, "sh01", "sh02")]
    assert shop.door.timeline(SHANGHAI, f"p_{number}").total == len(mine)
    stranger = next(n for n, store in shop.homes.items() if store == "bj01")
    with pytest.raises(NotFound):
        shop.door.timeline(SHANGHAI, f"p_{stranger}")
    with pytest.raises(NotFound):
        shop.door.person_number(SHANGHAI, f"p_{stranger}")


def test_what_a_person_bought_is_summed_by_category(shop: Shop) -> None:
    number = next(p.person_id for p in shop.world.people if sum(e["name"] == "order_paid" for e in p.events) > 2)
    orders = [e for e in shop.world.people[number - 1].events if e["name"] == "order_paid"]
    expected: dict[str, int] = {}
    for item in (i for e in orders for i in e["items"] if i["sku"] in SKUS):
        expected[SKUS[item["sku"]]] = expected.get(SKUS[item["sku"]], 0) + item["amount"]
    stores, categories = shop.door.bought(BRAND, number)
    assert stores == sorted({e["store_id"] for e in orders if e["store_id"]})
    assert {key: amount for key, _, amount in categories} == expected
    assert [amount for _, _, amount in categories] == sorted(expected.values(), reverse=True)
    assert all(name.zh == f"品类{key}" for key, name, _ in categories)


def test_what_claims_to_lie_ahead_is_not_shown(shop: Shop) -> None:
    before = shop.door.search_events(BRAND, EventQuery()).total
    ahead = World([Person(1, [event("order_paid", AT + timedelta(hours=1), amount=5)])])
    shop.history.append("events", event_table(ahead), app="more", version=1)
    assert shop.door.search_events(BRAND, EventQuery()).total == before
