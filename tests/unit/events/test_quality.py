"""The quality check finds what is wrong and nothing else, in words, and forgets it when it is over; both databases."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa

from quanyu.access.contracts import system_caller
from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.events.observing import Observer
from quanyu.events.plan import Property, load
from quanyu.events.plan_learning import Learning
from quanyu.events.quality import Problem, Quality
from quanyu.events.quality_words import KINDS
from quanyu.events.reconcile import Reconciliation
from quanyu.events.tables import book, hourly, violation
from quanyu.events.tables import source as source_table
from quanyu.kernel.clock import ManualClock, micros
from quanyu.kernel.errors import NotFound
from quanyu.kernel.label import Label
from quanyu.storage.bulk import insert_ignore
from quanyu.storage.engine import DuckDBEngine
from quanyu.storage.history import History
from quanyu.storage.state import State
from tests.unit.events.conftest import World, make_world

NOW = datetime(2026, 9, 21, 14, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Brand:
    """A brand whose sources have sent regularly for eight weeks: 20 orders and 40 views an hour."""

    def __init__(self, state: State, folder: Path) -> None:
        self.clock = ManualClock(NOW)
        self.world: World = make_world(state, folder / "events", self.clock)
        self.history = History(folder / "history")
        self.history.declare("events", EVENT_SCHEMA)
        engine = DuckDBEngine(self.history, EVENT_SCHEMA)
        recount = Reconciliation(state, self.history, self.clock, "ingest")
        self.observer = Observer(state, engine, self.clock)
        self.quality = Quality(state, self.clock, self.observer, recount, lambda: [self.world.brand])
        self.serial = 0

    def add(
        self,
        name: str,
        hours: range,
        each: int,
        properties: dict[str, Any],
        *,
        source: str = "web",
        person: int = 7,
        received: datetime | None = None,
    ) -> None:
        """`each` events in each of the hours that lie so many hours back, received at once or at one time."""
        whole = NOW.replace(minute=0)
        at = [micros(whole - back * HOUR) + n * 1_000_000 for back in hours for n in range(each)]
        days = [datetime.fromtimestamp(one / 1e6, UTC).date().isoformat() for one in at]
        count = len(at)
        columns: dict[str, Any] = {field.name: pa.nulls(count, field.type) for field in EVENT_SCHEMA}
        columns |= {
            "event_id": [f"{name}{self.serial + n}" for n in range(count)],
            "source": [source] * count,
            "name": [name] * count,
            "brand": ["acme"] * count,
            "occurred_at": at,
            "received_at": [micros(received) if received else one + 1_000_000 for one in at],
            "day": days,
            "person_id": np.full(count, person),
            "anchor_id": np.full(count, person),
            "properties": [json.dumps(properties)] * count,
        }
        table = pa.table([pa.array(columns[field.name], field.type) for field in EVENT_SCHEMA], schema=EVENT_SCHEMA)
        self.serial += count
        self.history.append("events", table, app="test", version=self.serial)
        with self.world.state.write() as tx:
            tx.execute(
                sa.update(source_table).where(source_table.c.source == source).values(last_event_at=self.clock.now())
            )

    def usual(self, *, until: int = 0) -> None:
        hours = range(until, 24 * 56)
        self.add("order_paid", hours, 20, {"total": 5, "way": "scan"})
        self.add("product_viewed", hours, 40, {"sku": "a"})

    def found(self) -> list[tuple[str, str, str]]:
        self.quality.check(self.world.brand)
        return sorted((one.kind, one.name, one.property) for one in self.problems())

    def problems(self) -> list[Problem]:
        return self.quality.problems(self.world.brand.scope())


@pytest.fixture
def brand(state: State, tmp_path: Path) -> Brand:
    return Brand(state, tmp_path)


def test_nothing_is_wrong_with_regular_traffic(brand: Brand) -> None:
    brand.usual()
    assert brand.found() == []
    assert brand.found() == [], "nor when it is looked at again"
    (web,) = [one for one in brand.quality.sources(brand.world.brand.scope()) if one.source == "web"]
    assert (web.events, web.week_before, web.with_person, web.problems) == (24 * 60, 24 * 60, 24 * 60, 0)
    assert web.days == (1440,) * 14
    assert brand.quality.checked_at(brand.world.brand.brand_id) == NOW


def test_a_silent_event_and_a_silent_source_are_found_and_forgotten_when_they_are_back(brand: Brand) -> None:
    brand.usual(until=30)
    with brand.world.state.write() as tx:
        silent = tx.execute(sa.update(source_table).values(last_event_at=NOW - 30 * HOUR)).rowcount
        assert silent == 3
    assert brand.found() == [
        ("stale_source", "", ""),
        ("volume_drop", "order_paid", ""),
        ("volume_drop", "product_viewed", ""),
    ]
    stale, drop = (next(one for one in brand.problems() if one.name == name) for name in ("", "order_paid"))
    assert (stale.severity, drop.severity) == ("high", "high")
    assert stale.title.zh == "「web」已 30.0 小时没有新数据，平时最长间隔约 1 小时"
    assert "同一时段平时约 20 条，偏少共 24 小时" in drop.title.zh
    assert "usually 20; low in 24 hours" in drop.title.en
    first_at = drop.first_at
    brand.clock.advance(timedelta(minutes=20))
    brand.quality.step()
    assert {one.first_at for one in brand.problems()} == {first_at}
    brand.add("order_paid", range(30), 20, {"total": 5, "way": "scan"})
    brand.add("product_viewed", range(30), 40, {"sku": "a"})
    assert brand.found() == []


def test_a_history_that_was_loaded_at_once_is_not_missed_afterwards(brand: Brand) -> None:
    brand.usual(until=80)
    with brand.world.state.write() as tx:
        tx.execute(sa.update(source_table).values(last_event_at=NOW - 80 * HOUR))
        # A part of it on one day, the rest on the next; a day of nothing but its replay counts for nothing.
        for days, accepted in ((5, 7_000), (4, 9_000), (3, 0)):
            tx.execute(sa.insert(book).values(source="web", hour_at=NOW - days * 24 * HOUR, accepted=accepted))
    assert brand.found() == []
    assert brand.found() == [], "nor later, when the look goes back a few days only"
    with brand.world.state.write() as tx:
        tx.execute(sa.insert(book).values(source="web", hour_at=NOW - 6 * 24 * HOUR, accepted=1))
    assert brand.found() == [
        ("gone_event", "order_paid", ""),
        ("gone_event", "product_viewed", ""),
        ("stale_source", "", ""),
        ("volume_drop", "order_paid", ""),
        ("volume_drop", "product_viewed", ""),
    ]


def deliver(brand: Brand, day: int, each: int = 20, *, weekend: bool = True) -> datetime:
    """A file with the orders of the day that many days before today, at two the next morning; when it came.

    Without `weekend` what would come then comes on Monday.
    """
    midnight = NOW.replace(hour=0, minute=0)
    came = midnight - timedelta(days=day - 1) + timedelta(hours=2)
    while not weekend and came.weekday() > 4:
        came += timedelta(days=1)
    first = NOW.hour + 24 * day
    brand.add("order_paid", range(first - 23, first + 1), each, {"total": 5}, source="pos", received=came)
    with brand.world.state.write() as tx:
        insert_ignore(tx, book, [{"source": "pos", "hour_at": came, "accepted": 24 * each}])
        tx.execute(sa.update(source_table).where(source_table.c.source == "pos").values(last_event_at=came))
    return came


def test_a_file_of_yesterdays_orders_every_night_is_judged_by_what_it_brought(brand: Brand) -> None:
    for day in range(56, 1, -1):
        deliver(brand, day)
    for hours in range(0, 24, 3):  # from yesterday's file to just before the one of today
        brand.clock.set(NOW.replace(hour=2, minute=10) - timedelta(days=1) + timedelta(hours=hours))
        assert brand.found() == [], brand.clock.now()
    brand.clock.set(NOW.replace(hour=3, minute=50))
    assert brand.found() == [], "two hours late is not silent"
    brand.clock.set(deliver(brand, 1, each=1) + 12 * HOUR)
    assert brand.found() == [("volume_drop", "order_paid", "")]
    brand.clock.set(NOW.replace(hour=2, minute=30) + timedelta(days=2))
    assert ("stale_source", "", "") in brand.found(), "a file is missing"
    (stale,) = [one for one in brand.problems() if one.kind == "stale_source"]
    assert stale.title.en == "pos has sent nothing for 48.5 hours; its longest usual gap is 24"


def test_nothing_is_awaited_of_a_file_that_does_not_come_at_weekends(brand: Brand) -> None:
    for day in range(56, 3, -1):  # NOW is a Monday: the orders of Friday have not come yet
        deliver(brand, day, weekend=False)
    for hours in (30, 44, 49):  # after Saturday's silence, and Sunday's, and just before they come
        brand.clock.set(NOW.replace(hour=0, minute=50) - timedelta(days=2) + timedelta(hours=hours))
        assert brand.found() == [], brand.clock.now()


def test_what_a_file_brings_of_last_week_is_counted_the_next_day(brand: Brand) -> None:
    brand.usual()

    def counted() -> int:
        with brand.world.state.read() as tx:
            total = sa.select(sa.func.sum(hourly.c.events)).where(hourly.c.source == "pos")
            return tx.execute(total).scalar() or 0

    brand.found()
    brand.add("order_paid", range(24 * 9, 24 * 10), 5, {"total": 5}, source="pos", received=NOW)
    brand.clock.set(NOW + HOUR)
    brand.found()
    assert counted() == 0, "the days before yesterday are looked at once a day"
    brand.clock.set(NOW + 24 * HOUR)
    brand.found()
    assert counted() == 24 * 5


def test_a_spike_is_told_from_a_regular_peak(brand: Brand) -> None:
    brand.usual()
    for week in range(9):  # a sale every Monday at the same hour is usual
        brand.add("order_paid", range(168 * week + 5, 168 * week + 6), 300, {"total": 5, "way": "scan"})
    assert brand.found() == []
    brand.add("product_viewed", range(4, 7), 500, {"sku": "a"})
    assert brand.found() == [("volume_spike", "product_viewed", "")]


def test_what_the_product_itself_records_comes_in_bursts_and_is_not_judged(brand: Brand) -> None:
    with brand.world.state.write() as tx:
        brand.world.events.sources.ensure(
            tx, source="acme.quanyu", brand_id=brand.world.brand.brand_id, name=Label("平台", "Own"), kind="internal"
        )
    brand.usual()
    brand.add("message_submitted", range(24 * 14, 24 * 56), 20, {"a": 1}, source="acme.quanyu")
    brand.add("message_submitted", range(4, 8), 900, {"a": "b"}, source="acme.quanyu", person=0)
    assert brand.found() == []
    learning = Learning(brand.world.state, brand.clock)
    found = learning.proposals(brand.world.brand.brand_id, load(""))
    assert {one.name for one in found} == {"order_paid", "product_viewed"}


def test_one_odd_week_does_not_change_what_is_usual(brand: Brand) -> None:
    brand.usual()
    brand.add("order_paid", range(168, 168 + 72), 900, {"total": 5, "way": "scan"})
    assert brand.found() == []


def test_events_of_nobody_are_found(brand: Brand) -> None:
    brand.usual()
    brand.add("signed_up", range(48, 24 * 56), 10, {"a": 1})
    brand.add("signed_up", range(48), 10, {"a": 1}, person=0)
    brand.add("stock_reported", range(48, 24 * 56), 10, {"a": 1}, person=0)  # of goods, not of people
    brand.add("stock_reported", range(48), 10, {"a": 1}, person=0)
    assert brand.found() == [("without_person", "signed_up", "")]
    (problem,) = brand.problems()
    assert "100%" in problem.title.zh
    assert "identifier" in problem.advice.en


def test_drift_of_events_and_properties_is_found(brand: Brand) -> None:
    brand.add("product_viewed", range(24 * 56), 40, {"sku": "a"})
    brand.add("gone", range(72, 24 * 56), 3, {"a": 1})
    brand.add("changed", range(24, 24 * 56), 10, {"total": 5, "lost": "x", "phone": "hash:1"})
    brand.clock.set(NOW - 24 * HOUR)
    brand.quality.check(brand.world.brand)
    brand.clock.set(NOW)
    brand.add("changed", range(24), 30, {"total": "five", "more": True})
    brand.add("fresh", range(20), 3, {"b": 2})
    assert ("type_changed", "changed", "total") in brand.found()
    brand.clock.advance(timedelta(minutes=20))
    kinds = {(one.kind, one.name, one.property): one for one in brand.problems()}
    assert set(kinds) >= {
        ("new_event", "fresh", ""),
        ("gone_event", "gone", ""),
        ("new_property", "changed", "more"),
        ("type_changed", "changed", "total"),
    }
    assert kinds["type_changed", "changed", "total"].title.zh == "「changed」（web）的属性 total 由整数变成了文本"
    assert kinds["new_property", "changed", "more"].title.en == "changed (web) has a new property, more (yes or no)"
    assert not any(one.property == "phone" for one in kinds.values())


def test_a_broken_plan_and_a_filling_quarantine_are_found(brand: Brand) -> None:
    brand.usual()
    world = brand.world
    row = {"brand_id": world.brand.brand_id, "source": "web", "name": "order_paid", "hour_at": NOW - 3 * HOUR}
    with world.state.write() as tx:
        tx.execute(
            sa.insert(violation),
            [
                {**row, "property": "total", "reason": "missing_property", "rule": "keep", "count": 400, "example": ""},
                {**row, "property": "way", "reason": "not_allowed", "rule": "drop", "count": 3, "example": "guess"},
            ],
        )
    from quanyu.events.contracts import FrameHeader

    body = json.dumps({"batch": [{"type": "track", "event": "E"}] * 12}).encode()
    world.events.log.append_now([(FrameHeader(micros(NOW) - 1, "segment", "web", 12, "batch"), body)])
    world.drain()
    assert brand.found() == [
        ("broken_plan", "order_paid", "way"),
        ("missing_required", "order_paid", "total"),
        ("quarantine", "", "no_identifier"),
    ]
    titles = {one.kind: one.title.zh for one in brand.problems()}
    assert titles["missing_required"] == "「支付订单」（web）近 24 小时有 400 条缺少必填属性 total"
    assert titles["quarantine"] == "「web」近 24 小时有 100% 的事件被隔离（12 条）：没有任何客户标识"
    (web,) = [one for one in brand.quality.sources(world.brand.scope()) if one.source == "web"]
    assert (web.accepted, web.quarantined, web.broken, web.problems) == (12, 12, 403, 3)


def test_a_muted_problem_is_hidden_until_its_day(brand: Brand) -> None:
    brand.usual()
    brand.add("product_viewed", range(4, 7), 500, {"sku": "a"})
    brand.quality.check(brand.world.brand)
    scope = brand.world.brand.scope()
    (problem,) = brand.problems()
    with brand.world.state.write() as tx:
        brand.quality.mute(tx, scope, problem.problem_id, NOW + timedelta(days=1))
    brand.quality.check(brand.world.brand)
    assert brand.problems() == []
    assert [one.problem_id for one in brand.quality.problems(scope, muted=True)] == [problem.problem_id]
    brand.clock.advance(timedelta(hours=25))
    assert [one.problem_id for one in brand.problems()] == [problem.problem_id]
    with brand.world.state.write() as tx, pytest.raises(NotFound):
        brand.quality.mute(tx, scope, "pb_nope", None)


def test_a_check_is_made_every_ten_minutes_and_when_asked_for(brand: Brand) -> None:
    brand_id = brand.world.brand.brand_id
    brand.quality.step()
    first = brand.quality.checked_at(brand_id)
    brand.clock.advance(timedelta(minutes=5))
    brand.quality.step()
    assert brand.quality.checked_at(brand_id) == first
    with brand.world.state.write() as tx:
        brand.quality.ask(tx, brand_id)
    brand.quality.step()
    assert brand.quality.checked_at(brand_id) == brand.clock.now()


def _kind(suggested: Property) -> tuple[str, bool]:
    return suggested.type, suggested.personal


def test_a_plan_is_learnt_from_what_was_seen(brand: Brand) -> None:
    brand.add("order_paid", range(10), 20, {"total": 5, "$lib": "js", "memo": "call 13800138000", "phone": "hash:x"})
    brand.add("order_paid", range(10), 20, {"total": 5.5})
    brand.quality.check(brand.world.brand)
    learning = Learning(brand.world.state, brand.clock)
    found = learning.proposals(brand.world.brand.brand_id, load(""))
    shapes = {
        one.property: (one.types, one.suggestion and (one.suggestion.type, one.suggestion.personal)) for one in found
    }
    assert shapes == {
        "": ((), None),
        "total": (("integer", "number"), ("number", False)),
        "memo": (("text",), ("text", False)),
        "phone": (("text",), ("text", True)),
    }
    assert {one.property: one.example for one in found}["memo"] == "call [phone]"
    plan = load("events: {order_paid: {properties: {total: {}}}}")
    assert {one.property for one in learning.proposals(brand.world.brand.brand_id, plan)} == {"memo", "phone"}


def test_violations_are_shown_as_trends(brand: Brand) -> None:
    world = brand.world
    row = {"brand_id": world.brand.brand_id, "source": "web", "name": "e", "property": "p", "reason": "wrong_type"}
    hour = NOW.replace(minute=0)
    with world.state.write() as tx:
        for back, count in ((0, 5), (1, 7), (23, 1), (24, 100)):
            values = {**row, "rule": "keep", "hour_at": hour - back * HOUR, "count": count, "example": f"x{back}"}
            tx.execute(sa.insert(violation).values(**values))
    learning = Learning(world.state, brand.clock)
    starts, (one,) = learning.violations(world.brand.brand_id, hours=24)
    assert (len(starts), starts[-1], one["count"], one["example"]) == (24, hour, 13, "x0")
    assert (one["trend"][-1], one["trend"][-2], one["trend"][0]) == (5, 7, 1)
    starts, (one,) = learning.violations(world.brand.brand_id, hours=24 * 7)
    assert (len(starts), one["trend"]) == (7, [0, 0, 0, 0, 0, 100, 13])
    assert learning.violations(world.brand.brand_id, hours=24, source="other")[1] == []


def test_every_kind_has_words_in_both_languages() -> None:
    assert len(KINDS) == 15


def test_another_brand_sees_nothing(brand: Brand) -> None:
    from quanyu.access.api import Brands

    brand.usual()
    brand.add("product_viewed", range(4, 7), 500, {"sku": "a"})
    brand.quality.check(brand.world.brand)
    other = Brands(brand.world.state, brand.clock).create(
        key="other", name=Label("别家", "Other"), currency="CNY", time_zone="Asia/Shanghai"
    )
    assert brand.quality.problems(other.scope()) == []
    assert brand.quality.sources(other.scope()) == []
    caller = system_caller(other.scope())
    (problem,) = brand.problems()
    with brand.world.state.write() as tx, pytest.raises(NotFound):
        brand.quality.mute(tx, caller.scope, problem.problem_id, None)
