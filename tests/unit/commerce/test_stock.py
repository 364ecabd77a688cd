"""Current stock: the latest report of each product in each store, whatever came when, corrected or not.

What is kept batch by batch, what a count from history finds, and an obvious oracle are the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from quanyu.access.contracts import Scope
from quanyu.app.working import lanes, stocking
from quanyu.commerce.contracts import PRODUCT_SCHEMA
from quanyu.commerce.stocking import Stocking
from quanyu.commerce.tables import stock, stock_count
from quanyu.events.contracts import NativeEvent, NativeItem
from quanyu.events.retiring import Retiring
from quanyu.imports.suggesting import ready
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.label import same
from tests.unit.imports.conftest import World, make

START = datetime(2026, 1, 5, tzinfo=UTC)
STORES = ["D1", "D2", None]
SKUS = ["S1", "S2", "S3"]


@pytest.fixture
def world(installed_url: str, tmp_path: Path, clock: ManualClock) -> Iterator[World]:
    made = make(tmp_path / "data", installed_url, clock)
    yield made
    made.product.close()


@dataclass(frozen=True)
class Report:
    """What a source says of one store, or, corrected, does not say any more."""

    report: str
    at: datetime
    store: str | None
    lines: tuple[tuple[str, float | None], ...]
    replaces: str | None = None
    name: str = "stock_reported"

    def event(self) -> NativeEvent:
        items = tuple(NativeItem(sku=sku, quantity=quantity) for sku, quantity in self.lines)
        return NativeEvent(
            event_id=self.report,
            name=self.name,
            occurred_at=self.at,
            store_id=self.store,
            items=items,
            replaces=self.replaces,
        )


def sources(world: World, *names: str) -> list[str]:
    with world.product.state.write() as tx:
        for name in names:
            world.product.events.sources.ensure(
                tx, source=name, brand_id=world.scope.brand_id, name=same(name), kind="file"
            )
    return list(names)


Shelves = dict[tuple[str, str | None], tuple[float, datetime]]


def shelves(world: World, scope: Scope | None = None, *, q: str = "") -> Shelves:
    """What the door shows, by product and store."""
    door, found = world.product.commerce, {}
    for one in door.list_goods(scope or world.scope, q=q, limit=1000):
        for shelf in door.list_shelves(scope or world.scope, one.sku):
            found[one.sku, shelf.store_id] = (shelf.quantity, shelf.reported_at)
    return found


def lose(world: World) -> None:
    """As if the table of stock had only come with the newest version."""
    with world.product.state.write() as tx:
        tx.execute(sa.delete(stock))
        tx.execute(sa.delete(stock_count))


def ask(world: World) -> None:
    with world.product.state.write() as tx:
        world.product.commerce.ask_stock_recount(tx, world.scope)


def mine(_tx: sa.Connection) -> bool:
    """A turn that nobody else wants."""
    return True


def take_in(world: World) -> None:
    """Let the worker take everything in; history has yet to get it."""
    while world.batches.step():
        pass


def expected(said: list[tuple[str, Report]]) -> Shelves:
    """The oracle: go through the reports that nobody corrects from the oldest to the newest."""
    corrected = {(source, one.replaces) for source, one in said}
    counting = [(one.at, source, one.report, one) for source, one in said if (source, one.report) not in corrected]
    found: Shelves = {}
    for at, _, _, one in sorted(counting, key=lambda each: each[:3]):
        if one.name != "stock_reported":
            continue
        sums: dict[str, float] = {}
        for sku, quantity in one.lines:
            if quantity is not None:
                sums[sku] = sums.get(sku, 0.0) + quantity
        found |= {(sku, one.store): (quantity, at) for sku, quantity in sums.items()}
    return found


def invented(chance: random.Random, source: str, skus: list[str]) -> list[tuple[str, Report]]:
    """Reports on few products in few stores at few moments, some corrected, some of those again."""
    said: list[Report] = []
    for number in range(chance.randint(1, 12)):
        lines = tuple(
            (chance.choice(skus), chance.choice([0.0, 1.0, 2.5, 7.0, None])) for _ in range(chance.randint(1, 3))
        )
        said.append(Report(f"r{number}", START + timedelta(hours=chance.randint(0, 4)), chance.choice(STORES), lines))
    for number in range(chance.randint(0, 8)):
        corrected = {one.replaces for one in said}
        one = chance.choice([each for each in said if each.report not in corrected])
        change: dict[str, object] = chance.choice(
            [
                {"lines": ((chance.choice(skus), 9.0),)},
                {"lines": tuple((sku, 4.0) for sku, _ in one.lines)},
                {"at": one.at + timedelta(hours=chance.randint(-2, 2))},
                {"store": chance.choice(STORES)},
                {"name": "stock_withdrawn"},
            ]
        )
        said.append(replace(one, report=f"c{number}", replaces=one.report, **change))  # type: ignore[arg-type]
    return [(source, one) for one in said]


def beside(world: World, happens: Callable[[], None]) -> Stocking:
    """A count during which something happens: after it read history, before it writes."""
    engine = world.product.engine

    class Slow:
        def events(self) -> object:
            return engine.events()

        def run(self, expression: object) -> pa.Table:
            found = engine.run(expression)
            todo, self.todo = self.todo, lambda: None
            todo()
            return found

        todo = staticmethod(happens)

    product = world.product
    counting = product.events.without_replaced
    return Stocking(product.state, Slow(), product.clock, counting, lambda: [world.scope.brand])  # type: ignore[arg-type]


@given(chance=st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_late_shuffled_and_corrected_reports_equal_the_latest_and_a_count_from_history(
    world: World, chance: random.Random
) -> None:
    # One installation for all examples: each has its own sources and products.
    made = f"x{len(world.product.events.list_sources(world.scope)):03}"
    names = sources(world, f"acme.erp-{made}", f"acme.till-{made}")
    said = [one for source in names for one in invented(chance, source, [f"{made}-{sku}" for sku in SKUS])]
    chance.shuffle(said)
    rest = list(said)

    def come(size: int) -> None:
        nonlocal rest
        part, rest = rest[:size], rest[size:]
        for source in names:
            world.product.events.record_now(source, [one.event() for of, one in part if of == source])
        take_in(world)

    def now() -> Shelves:
        return shelves(world, q=made)

    while rest:
        come(chance.randint(1, 8))
        if chance.random() < 0.5:  # else what is corrected still waits for history
            world.batches.drain()
        assert now() == expected(said[: len(said) - len(rest)])
        if chance.random() < 0.5:
            lose(world)
            assert now() == {}
            meanwhile = beside(world, lambda: come(chance.randint(0, 4)))
            assert meanwhile.recount(mine)
            assert now() == expected(said[: len(said) - len(rest)])
    world.batches.drain()
    before = shelves(world)
    lose(world)
    assert stocking(world.product).recount(mine)
    assert shelves(world) == before
    ask(world)
    assert stocking(world.product).recount(mine)
    assert shelves(world) == before


def test_the_worker_counts_what_was_stored_before_there_was_a_table_of_stock_once(world: World) -> None:
    (source,) = sources(world, "acme.erp")
    reports = [Report("old", START, "D1", (("S1", 3.0),)), Report("cut", START, "D2", (("S1", 5.0),))]
    reports.append(Report("new", START, "D2", (("S1", 1.0),), replaces="cut"))
    world.product.events.record_now(source, [one.event() for one in reports])
    world.batches.drain()
    lose(world)
    world.batches.release()
    work = {lane.name: lane for lane in lanes(world.product)}
    work["stock"].run()  # before it is this worker's turn
    assert shelves(world) == {}
    assert work["batches"].run() is False
    assert work["stock"].run() is True
    assert shelves(world) == {("S1", "D1"): (3.0, START), ("S1", "D2"): (1.0, START)}
    assert work["stock"].run() is False
    work["batches"].end()


def test_a_count_gives_way_to_another_workers_turn(world: World) -> None:
    (source,) = sources(world, "acme.erp")
    world.product.events.record_now(source, [Report("r", START, "D1", (("S1", 3.0),)).event()])
    world.batches.drain()
    lose(world)
    told = [True, False]  # the turn passes to somebody else while history is read
    assert not stocking(world.product).recount(lambda _: told.pop(0))
    assert told == []
    assert shelves(world) == {}
    assert stocking(world.product).recount(mine)
    assert shelves(world) == {("S1", "D1"): (3.0, START)}


def test_a_count_keeps_what_retention_took_out_of_history(world: World) -> None:
    (source,) = sources(world, "acme.erp")
    product, clock = world.product, world.clock
    now = clock.now()
    reports = [
        Report("old", now - timedelta(days=400), "D1", (("S1", 3.0),)),
        Report("new", now, "D2", (("S1", 5.0),)),
    ]
    product.events.record_now(source, [one.event() for one in reports])
    world.batches.drain()
    before = shelves(world)
    with product.state.write() as tx:
        product.retention.set(tx, world.scope, "stock_reported", "days", 30, "u1")
    clock.advance(timedelta(days=2))
    retiring = Retiring(product.state, product.history, clock, product.access.brands.by_id)
    while retiring.step():
        pass
    assert [row["event_id"] for row in world.events()] == ["new"]
    ask(world)
    assert stocking(product).recount(mine)
    assert shelves(world) == before
    assert len(before) == 2


def test_an_erp_export_is_the_stock_of_its_products_and_a_corrected_one_replaces_it(world: World) -> None:
    mapping = ready()["erp_stock"][2]
    saved = world.product.imports.save_mapping(world.caller, "stock", mapping.model_dump(), source="erp")
    head = "仓库编码,商品编码,可用库存,更新时间\n"
    world.bring(head + "W1,S1,12,2026-01-05 08:00:00\nW2,S1,3,2026-01-05 08:00:00\n", saved.mapping_id)
    world.bring(head + "W1,S1,5,2026-01-06 08:00:00\n", saved.mapping_id)
    world.bring(head + "W1,S1,99,2026-01-04 08:00:00\n", saved.mapping_id)  # late
    world.bring(head + "W2,S1,2.5,2026-01-05 08:00:00\n", saved.mapping_id)  # corrected
    assert {cell: quantity for cell, (quantity, _) in shelves(world).items()} == {("S1", "W1"): 5.0, ("S1", "W2"): 2.5}
    (one,) = world.product.commerce.list_goods(world.scope)
    assert (one.sku, one.name, one.quantity, one.stores) == ("S1", None, 7.5, 2)
    assert one.reported_at == datetime(2026, 1, 5, tzinfo=UTC)


def goods(world: World, **only: Any) -> list[tuple[str, int, int, int]]:
    """What the door lists: products, and in how many stores there is stock, none, few."""
    scope = only.pop("scope", world.scope)
    found = world.product.commerce.list_goods(scope, **only)
    return [(one.sku, one.stores, one.out_stores, one.low_stores) for one in found]


def test_what_is_out_low_or_not_reported_is_found(world: World) -> None:
    (source,) = sources(world, "acme.erp")
    catalogue = [("A1", "苹果", "apple"), ("A2", "香蕉", "banana"), ("A3", "樱桃", "cherry"), ("A4", "枣", "date")]
    rows = [
        {"sku": sku, "name_zh": zh, "name_en": en, "category_key": key, "category_zh": key, "category_en": key,
         "department_key": "food", "department_zh": "食品", "department_en": "food"}
        for (sku, zh, en), key in zip(catalogue, ["red", "yellow", "red", "red"], strict=True)
    ]  # fmt: skip
    with world.product.state.write() as tx:
        world.product.commerce.upsert_products(tx, world.scope, pa.Table.from_pylist(rows, schema=PRODUCT_SCHEMA))
    told = {"D1": [("A1", 0.0), ("A2", 40.0), ("A3", 3.0), ("Z9", -1.0)], "D2": [("A1", 5.0), ("A2", 6.0)]}
    reports = [Report(store, START, store, tuple(lines)) for store, lines in told.items()]
    world.product.events.record_now(source, [one.event() for one in reports])
    world.batches.drain()
    a1, a2, a3, a4, z9 = ("A1", 2, 1, 1), ("A2", 2, 0, 0), ("A3", 1, 0, 1), ("A4", 0, 0, 0), ("Z9", 1, 1, 0)
    assert goods(world) == [a1, a2, a3, a4, z9]
    assert goods(world, state="reported") == [a1, a2, a3, z9]
    assert goods(world, state="out") == [a1, z9]
    assert goods(world, state="short") == [a1, a3, z9]
    assert goods(world, state="unreported") == [a4]
    assert goods(world, state="short", low=6) == [a1, ("A2", 2, 0, 1), a3, z9]
    assert goods(world, state="short", low=2) == [("A1", 2, 1, 0), z9]
    assert goods(world, state="short", category_key="red") == [a1, a3]
    assert goods(world, category_key="red") == [a1, a3, a4]
    assert goods(world, state="reported", q="cherr") == [a3]
    assert goods(world, state="reported", q="Z") == [z9]
    assert goods(world, state="reported", limit=2) == [a1, a2]
    assert goods(world, state="reported", after="A2", limit=1) == [a3]
    second = replace(world.scope, store_ids=frozenset({"D2"}))
    assert goods(world, scope=second, state="short") == [("A1", 1, 0, 1)]
    assert goods(world, scope=second, state="unreported") == [("A3", 0, 0, 0), a4]
    assert goods(world, scope=second) == [("A1", 1, 0, 1), ("A2", 1, 0, 0), ("A3", 0, 0, 0), a4]


def test_a_store_sees_its_own_stock_only(world: World) -> None:
    (source,) = sources(world, "acme.erp")
    reports = [Report(f"r{store}", START, store, (("S1", 1.0), ("S2", 2.0)), None) for store in STORES]
    world.product.events.record_now(source, [one.event() for one in reports])
    world.batches.drain()
    second = replace(world.scope, store_ids=frozenset({"D2"}))
    assert shelves(world, second) == {("S1", "D2"): (1.0, START), ("S2", "D2"): (2.0, START)}
    assert [one.quantity for one in world.product.commerce.list_goods(second)] == [1.0, 2.0]
    assert shelves(world, replace(world.scope, store_ids=frozenset())) == {}
    assert shelves(world, replace(world.scope, staff_id="g1")) == {}
    assert shelves(world, replace(world.scope, brand="other")) == {}
