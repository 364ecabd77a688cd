"""Current stock: the latest report of each product in each store, whatever came when, corrected or not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quanyu.events.contracts import NativeEvent, NativeItem
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


def shelves(world: World, scope: object = None) -> dict[tuple[str, str | None], tuple[float, datetime]]:
    door, found = world.product.commerce, {}
    for goods in door.list_goods(scope or world.scope):  # type: ignore[arg-type]
        for shelf in door.list_shelves(scope or world.scope, goods.sku):  # type: ignore[arg-type]
            found[goods.sku, shelf.store_id] = (shelf.quantity, shelf.reported_at)
    return found


def expected(said: list[tuple[str, Report]]) -> dict[tuple[str, str | None], tuple[float, datetime]]:
    """The oracle: go through the reports that nobody corrects from the oldest to the newest."""
    corrected = {(source, one.replaces) for source, one in said}
    counting = [(one.at, source, one.report, one) for source, one in said if (source, one.report) not in corrected]
    found: dict[tuple[str, str | None], tuple[float, datetime]] = {}
    for at, _, _, one in sorted(counting, key=lambda each: each[:3]):
        if one.name != "stock_reported":
            continue
        sums: dict[str, float] = {}
        for sku, quantity in one.lines:
            if quantity is not None:
                sums[sku] = sums.get(sku, 0.0) + quantity
        found |= {(sku, one.store): (quantity, at) for sku, quantity in sums.items()}
    return found


def invented(chance: random.Random, source: str) -> list[tuple[str, Report]]:
    """Reports on few products in few stores at few moments, some corrected, some of those again."""
    said: list[Report] = []
    for number in range(chance.randint(5, 25)):
        lines = tuple(
            (chance.choice(SKUS), chance.choice([0.0, 1.0, 2.5, 7.0, None])) for _ in range(chance.randint(1, 3))
        )
        said.append(Report(f"r{number}", START + timedelta(hours=chance.randint(0, 4)), chance.choice(STORES), lines))
    for number in range(chance.randint(0, 10)):
        corrected = {one.replaces for one in said}
        one = chance.choice([each for each in said if each.report not in corrected])
        change: dict[str, object] = chance.choice(
            [
                {"lines": ((chance.choice(SKUS), 9.0),)},
                {"lines": tuple((sku, 4.0) for sku, _ in one.lines)},
                {"at": one.at + timedelta(hours=chance.randint(-2, 2))},
                {"store": chance.choice(STORES)},
                {"name": "stock_withdrawn"},
            ]
        )
        said.append(replace(one, report=f"c{number}", replaces=one.report, **change))  # type: ignore[arg-type]
    return [(source, one) for one in said]


@pytest.mark.parametrize("seed", range(8))
def test_shuffled_late_and_corrected_reports_equal_the_latest(world: World, seed: int) -> None:
    chance = random.Random(seed)
    said = [one for source in sources(world, "acme.erp", "acme.till") for one in invented(chance, source)]
    chance.shuffle(said)
    rest = list(said)
    while rest:
        size = chance.randint(1, 12)
        part, rest = rest[:size], rest[size:]
        for source in ("acme.erp", "acme.till"):
            world.product.events.record_now(source, [one.event() for of, one in part if of == source])
        if chance.random() < 0.5:
            world.batches.drain()  # into history
        else:
            while world.batches.step():  # what is corrected may still wait for history
                pass
        assert shelves(world) == expected(said[: len(said) - len(rest)])


def test_an_erp_export_is_the_stock_of_its_products_and_a_corrected_one_replaces_it(world: World) -> None:
    mapping = ready()["erp_stock"][2]
    saved = world.product.imports.save_mapping(world.caller, "stock", mapping.model_dump(), source="erp")
    head = "仓库编码,商品编码,可用库存,更新时间\n"
    world.bring(head + "W1,S1,12,2026-01-05 08:00:00\nW2,S1,3,2026-01-05 08:00:00\n", saved.mapping_id)
    world.bring(head + "W1,S1,5,2026-01-06 08:00:00\n", saved.mapping_id)
    world.bring(head + "W1,S1,99,2026-01-04 08:00:00\n", saved.mapping_id)  # late
    world.bring(head + "W2,S1,2.5,2026-01-05 08:00:00\n", saved.mapping_id)  # corrected
    assert {cell: quantity for cell, (quantity, _) in shelves(world).items()} == {("S1", "W1"): 5.0, ("S1", "W2"): 2.5}
    (goods,) = world.product.commerce.list_goods(world.scope)
    assert (goods.sku, goods.name, goods.quantity, goods.stores) == ("S1", None, 7.5, 2)
    assert goods.reported_at == datetime(2026, 1, 5, tzinfo=UTC)


def test_a_store_sees_its_own_stock_only(world: World) -> None:
    (source,) = sources(world, "acme.erp")
    reports = [Report(f"r{store}", START, store, (("S1", 1.0), ("S2", 2.0)), None) for store in STORES]
    world.product.events.record_now(source, [one.event() for one in reports])
    world.batches.drain()
    mine = replace(world.scope, store_ids=frozenset({"D2"}))
    assert shelves(world, mine) == {("S1", "D2"): (1.0, START), ("S2", "D2"): (2.0, START)}
    assert [goods.quantity for goods in world.product.commerce.list_goods(mine)] == [1.0, 2.0]
    assert shelves(world, replace(world.scope, store_ids=frozenset())) == {}
    assert shelves(world, replace(world.scope, staff_id="g1")) == {}
    assert shelves(world, replace(world.scope, brand="other")) == {}
