"""Events that come late, shuffled, again and corrected, while history is merged: every number equals a full recompute.

One installation gets a random schedule: any order, any cut into batches, repetitions, deliveries, compaction and
questions in between. Another gets each event once, oldest first, at once. Books, people, totals, the overview and
audiences must be equal; who is who is compared by the events that people have. Everybody is known beforehand, in the
same order, because RFM breaks ties by the number of a person.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from quanyu.app import compose, working
from quanyu.audiences.api import group, rule
from quanyu.events.contracts import FrameHeader, NativeEvent, NativeIdentifier, NativeItem
from quanyu.events.protocols import native
from quanyu.kernel.clock import ManualClock, micros
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import same
from quanyu.kernel.settings import Settings
from quanyu.profiles import stats
from quanyu.storage.schema import metadata
from quanyu.storage.upkeep import Upkeep
from quanyu.worker.pipeline import EVENTS

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
SOURCE = "pos"
NAMES = ("product_viewed", "product_added_to_cart", "order_paid", "order_refunded")
RULES = [
    rule("performed", event="order_paid"),
    rule("performed", event="product_viewed", times=2, within_days=20),
    rule("performed", event="product_added_to_cart", within_days=7),
    rule("not_performed", event="order_paid", within_days=14),
]

MEMBERS = 6

Key = frozenset[str]


class Shop:
    """An installation on an empty state store."""

    def __init__(self, folder: Path, url: str = "") -> None:
        settings_ = Settings.load({}, {"data_dir": str(folder), "database_url": url})
        self.clock = ManualClock(NOW)
        self.product = compose(settings_, clock=self.clock, ids=SeededIds(9))
        metadata.drop_all(self.product.state.engine)
        metadata.create_all(self.product.state.engine)
        self.product.vault.prepare(0, ("log",))
        self.brand = self.product.access.brands.create(key="main", name=same("M"), currency="CNY", time_zone="UTC")
        self.product.vault.prepare(self.brand.brand_id)
        with self.product.state.write() as tx:
            self.product.events.sources.create(
                tx, source=SOURCE, brand_id=self.brand.brand_id, name=same(SOURCE), kind="file"
            )
        self.batches = working.pipeline(self.product)
        self.upkeep = Upkeep(self.product.history, EVENTS, self.clock)
        self.send([event(-1 - member, "page_viewed", 31 * 1440, member, False, 0) for member in range(MEMBERS)])

    def send(self, events: list[NativeEvent]) -> None:
        header = FrameHeader(micros(NOW), native.PROTOCOL, SOURCE, len(events))
        self.product.events.log.append_now([(header, native.encode(events))])
        while self.batches.step():
            pass

    def deliver(self) -> None:
        while self.batches.deliver():
            pass

    def compact(self) -> None:
        while self.upkeep.step(crowd=2):
            pass
        self.product.history.vacuum(EVENTS, 1)

    def people(self) -> dict[int, Key]:
        """Every person as the set of their events."""
        engine = self.product.engine
        rows = engine.run(engine.events().select("person_id", "event_id")).to_pylist()
        events: dict[int, set[str]] = defaultdict(set)
        for row in rows:
            events[row["person_id"]].add(row["event_id"])
        return {person: frozenset(ids) for person, ids in events.items()}

    def audiences(self, people: dict[int, Key]) -> list[set[Key]]:
        scope = self.brand.scope()
        found = []
        for one in RULES:
            tree = group("and", one)
            members = self.product.audiences.people_of(tree, scope)
            counted = self.product.audiences.count(tree, scope)
            assert counted.count == len(members)
            found.append({people.get(person, frozenset()) for person in members})
        return found

    def numbers(self) -> dict[str, Any]:
        """Everything that the two must agree on."""
        self.deliver()
        people = self.people()
        overview = self.product.analytics.overview(self.brand.scope(), date(2026, 3, 1), date(2026, 3, 31))
        with self.product.state.read() as tx:
            totals = stats.totals(tx, sorted(people), self.product.identity)
        recounted = self.product.reconciliation.run()
        (view,) = [
            view for view in self.product.events.list_sources(self.brand.scope()) if view.source.source == SOURCE
        ]
        return {
            "stored": view.stored,
            "pending": view.pending,
            "wrong": recounted.wrong + len(self.product.events.unbalanced()),
            "people": set(people.values()),
            "totals": {
                people[person]: (one.orders, one.amount, one.first_order_at, one.last_order_at)
                for person, one in totals.items()
                if one.orders or one.amount
            },
            "audiences": self.audiences(people),
            "overview": dataclasses.replace(overview, as_of=NOW),
        }

    def close(self) -> None:
        self.product.close()


def event(number: int, name: str, minutes_ago: int, person: int, shared: bool, cents: int) -> NativeEvent:
    identifiers = [NativeIdentifier("member_no", f"m{person}")]
    if shared:  # a phone that two members give: whether they are one person follows from all links, not their order
        identifiers.append(NativeIdentifier("phone", f"1390000000{person // 2}"))
    order = name.startswith("order_")
    return NativeEvent(
        event_id=f"e{number}",
        name=name,
        occurred_at=NOW - timedelta(minutes=minutes_ago),
        identifiers=tuple(identifiers),
        order_id=f"o{number}" if order else None,
        amount=cents if order else None,
        currency="CNY" if order else None,
        items=(NativeItem(sku="s1", quantity=1, unit_price=cents, amount=cents),) if order else (),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[NativeEvent]:
    """Events of 30 days by six members, some of which correct an earlier one."""
    made = st.tuples(
        st.sampled_from(NAMES),
        st.integers(0, 30 * 1440),
        st.integers(0, MEMBERS - 1),
        st.booleans(),
        st.integers(1, 500),
    )
    events = [event(number, *values) for number, values in enumerate(draw(st.lists(made, min_size=3, max_size=40)))]
    corrected = draw(st.sets(st.integers(0, len(events) - 1), max_size=4))
    for number in sorted(corrected):
        old = events[number]
        new = event(
            len(events), old.name, draw(st.integers(0, 30 * 1440)), draw(st.integers(0, MEMBERS - 1)), False, 77
        )
        events.append(msgspec.structs.replace(new, replaces=old.event_id))
    return events


@st.composite
def schedules(draw: st.DrawFn, events: list[NativeEvent]) -> list[Any]:
    """Batches with repetitions, and what the worker and the operator do in between."""
    order = draw(st.permutations(events))
    steps: list[Any] = []
    sent: list[NativeEvent] = []
    while order:
        size = draw(st.integers(1, max(1, len(order))))
        batch, order = list(order[:size]), order[size:]
        sent += batch
        batch += draw(st.lists(st.sampled_from(sent), max_size=4))
        steps.append(batch)
        steps += draw(st.lists(st.sampled_from(["deliver", "compact", "look"]), max_size=3))
    return steps


def _equal(url: str, data: st.DataObject) -> None:
    events = data.draw(histories())
    steps = data.draw(schedules(events))
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder) / "a", url)
        try:
            for step in steps:
                if isinstance(step, list):
                    shop.send(step)
                elif step == "look":
                    shop.audiences(shop.people())
                    shop.product.analytics.overview(shop.brand.scope(), date(2026, 3, 1), date(2026, 3, 31))
                else:
                    getattr(shop, step)()
            shop.deliver()
            shop.compact()
            found = shop.numbers()
        finally:
            shop.close()
        again = Shop(Path(folder) / "b", url)
        try:
            again.send(sorted(events, key=lambda one: (one.occurred_at, one.event_id)))
            wanted = again.numbers()
        finally:
            again.close()
    assert found["wrong"] == found["pending"] == 0
    assert found["stored"] == len(events) + MEMBERS
    for name, value in wanted.items():
        assert found[name] == value, name


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Hundreds of installations are made here, and each would hash a password first."""
    hashed = PasswordHasher().hash("nobody")
    monkeypatch.setattr(PasswordHasher, "hash", lambda *_, **__: hashed)
    return lambda: None


@pytest.mark.slow
@settings(max_examples=12)
@given(data=st.data())
def test_late_shuffled_repeated_and_corrected_events_give_the_same_numbers(
    quick_passwords: Callable[[], None], data: st.DataObject
) -> None:
    _equal("", data)


@pytest.mark.slow
@pytest.mark.postgres
@settings(max_examples=4)
@given(data=st.data())
def test_on_postgresql_too(quick_passwords: Callable[[], None], postgres_url: str, data: st.DataObject) -> None:
    _equal(postgres_url, data)
