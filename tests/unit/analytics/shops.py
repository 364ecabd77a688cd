"""A small brand with stores, products, visits and orders behind the doors of commerce, audiences and analytics."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from quanyu.access.api import Audit
from quanyu.access.contracts import Scope
from quanyu.analytics.api import Analytics
from quanyu.audiences.api import Audiences
from quanyu.commerce.api import Commerce
from quanyu.commerce.contracts import PRODUCT_SCHEMA, STORE_SCHEMA
from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.errors import NotFound
from quanyu.kernel.ids import SeededIds
from quanyu.storage.engine import DuckDBEngine
from quanyu.storage.history import History
from quanyu.storage.state import State
from tests.unit.audiences.stores import Doors
from tests.unit.audiences.worlds import AT, Person, World, event, event_table

SKUS = {"s1": "food.tea", "s2": "food.tea", "s3": "food.milk", "s4": "care.soap", "s5": "care.soap"}
STORES = ("sh01", "sh02", "bj01")
BRAND = Scope(1, "acme", currency="CNY", time_zone="Asia/Shanghai")
SHANGHAI = Scope(1, "acme", currency="CNY", time_zone="Asia/Shanghai", store_ids=frozenset({"sh01", "sh02"}))


@dataclass(frozen=True)
class Ref:
    person_id: int
    public_id: str


class Known(Doors):
    """Identity's part of reading people, over the test's tables."""

    def person_of(self, public_id: str, scope: Scope, tx: Any = None) -> Ref:
        number = int(public_id.removeprefix("p_"))
        with self.state.read() as own:
            if number not in own.execute(self.visible_people(scope)).scalars().all():
                raise NotFound("person_not_found")
        return Ref(number, public_id)

    def people_by_id(self, tx: Any, numbers: Sequence[int], scope: Scope) -> list[Ref]:
        seen = set(tx.execute(self.visible_people(scope)).scalars())
        return [Ref(number, f"p_{number}") for number in numbers if number in seen]


class Shop:
    def __init__(self, state: State, root: Path, ids: SeededIds, world: World, homes: dict[int, str]) -> None:
        clock = ManualClock(AT)
        self.world, self.homes = world, homes
        self.doors = Known(state)
        self.doors.load(world, stores=homes)
        self.history = History(root / "history")
        self.history.declare("events", EVENT_SCHEMA)
        self.history.append("events", event_table(world), app="test", version=1)
        stranger = World([Person(1, [event("order_paid", AT, amount=10**9, store_id="sh01", order_id="x")])])
        self.history.append("events", event_table(stranger, brand="other"), app="test", version=2)
        self.engine = DuckDBEngine(self.history, EVENT_SCHEMA, threads=1)
        self.commerce = Commerce(state, clock)
        for name, dimension in self.commerce.dimensions().items():
            self.engine.register(name, dimension)
        with state.write() as tx:
            self.commerce.upsert_products(tx, BRAND, products())
            self.commerce.upsert_stores(tx, BRAND, stores())
        self.audiences = Audiences(
            state,
            self.engine,
            clock,
            ids,
            Audit(state, clock),
            people=self.doors,
            profiles=self.doors,
            consents=self.doors,
            brand_scope=lambda _: BRAND,
            options=self.commerce.options(),
        )
        self.door = Analytics(
            state,
            self.engine,
            clock,
            people=self.doors,
            audiences=self.audiences,
            commerce=self.commerce,
            made_sources=lambda _: {"made"},
        )


def products() -> pa.Table:
    rows = []
    for sku, category in SKUS.items():
        department = category.split(".", maxsplit=1)[0]
        rows.append(
            {
                "sku": sku,
                "name_zh": f"商品{sku}",
                "name_en": f"Product {sku}",
                "category_key": category,
                "category_zh": f"品类{category}",
                "category_en": category,
                "department_key": department,
                "department_zh": f"部门{department}",
                "department_en": department,
            }
        )
    return pa.Table.from_pylist(rows, schema=PRODUCT_SCHEMA)


def stores() -> pa.Table:
    rows = [{"store_id": s, "name_zh": f"门店{s}", "name_en": f"Store {s}", "region": s[:2]} for s in STORES]
    return pa.Table.from_pylist(rows, schema=STORE_SCHEMA)


def random_world(seed: int, people: int = 40) -> tuple[World, dict[int, str]]:
    """People who view and buy over 100 days, some without a home, some orders without store, channel or amount."""
    r = random.Random(seed)
    world, homes = World([], dict(SKUS)), {}
    for number in range(1, people + 1):
        happened = []
        for _ in range(r.randrange(7)):
            at = AT - timedelta(seconds=r.randrange(100 * 86_400))
            place = {
                "channel": r.choice([None, "store", "mini_program", "other"]),
                "store_id": r.choice([None, *STORES]),
            }
            items = [
                {"sku": r.choice([*SKUS, "s9"]), "quantity": q, "unit_price": p, "amount": round(q * p)}
                for q, p in ((r.choice([1.0, 2.0, 0.5]), r.randrange(100, 900)) for _ in range(r.randrange(1, 4)))
            ]
            if r.random() < 0.6:
                total = sum(i["amount"] for i in items)
                happened.append(event("order_paid", at, amount=total, items=items, order_id=f"o{number}", **place))
            else:
                name = r.choice(["product_viewed", "page_viewed", "campaign_mailed"])
                happened.append(event(name, at, items=items if name == "product_viewed" else [], **place))
        consent = {("marketing", "sms")} if r.random() < 0.4 else set()
        world.people.append(Person(number, happened, consent=consent))
        if r.random() < 0.8:
            homes[number] = r.choice(STORES)
    return world, homes
