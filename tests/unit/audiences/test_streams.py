"""Column streams answer what they can exactly as the general evaluator; they follow merges, late files, compaction."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences import fast_sets, history_sets
from quanyu.audiences.api import events
from quanyu.audiences.primitives import EventAggregate, EventFilter
from quanyu.audiences.windows import between, last_days, until
from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.kernel.clock import micros
from quanyu.storage import streams as streams_module
from quanyu.storage.engine import Dimension, DuckDBEngine
from quanyu.storage.history import History
from quanyu.storage.streams import EventStreams
from quanyu.storage.upkeep import merge
from tests.unit.audiences.worlds import AT, SCOPE, Person, World, event, event_table

DAY = timedelta(days=1)
NORTH = Scope(1, "acme", time_zone="Asia/Shanghai", store_ids=frozenset({"north"}))


class Both:
    """One history behind both evaluators, and a table of moved identifiers."""

    def __init__(self, root: Path) -> None:
        self.moves: dict[int, int] = {}
        self.history = History(root)
        self.history.declare("events", EVENT_SCHEMA)
        moved = Dimension(self._moved, lambda: str(sorted(self.moves.items())))
        self.engine = DuckDBEngine(self.history, EVENT_SCHEMA, moved=moved, threads=1)
        self.engine.register("products", Dimension(_no_products, lambda: ""))
        self.streams = EventStreams(self.history, moved)
        self.version = 0

    def _moved(self) -> pa.Table:
        columns = {"moved_anchor": list(self.moves), "moved_person": list(self.moves.values())}
        return pa.table({name: pa.array(values, pa.int64()) for name, values in columns.items()})

    def happen(self, *people: Person) -> None:
        self.version += 1
        self.history.append("events", event_table(World(list(people))), app="t", version=self.version)

    def ask(self, wanted: EventAggregate, scope: Scope = SCOPE) -> set[int] | None:
        """The fast answer (None: declined), checked against the general one."""
        general = history_sets.people(self.engine, scope, [wanted], None)[wanted]
        assert self.streams.follow()
        fast = fast_sets.people(self.streams, scope, wanted)
        assert fast is None or fast == general, wanted
        return None if fast is None else set(fast)


def _no_products() -> pa.Table:
    return pa.schema([(name, pa.string()) for name in ("brand", "sku", "category_key")]).empty_table()


@pytest.fixture
def both(tmp_path: Path) -> Both:
    made = Both(tmp_path / "history")
    made.happen(
        Person(1, [event("order_paid", AT - DAY, amount=300, store_id="north", properties={"kind": "x", "n": 3})]),
        Person(2, [event("order_paid", AT - 3 * DAY, amount=None), event("order_paid", AT - 3 * DAY, amount=50)]),
        Person(3, [event("page_viewed", AT - 2 * DAY, channel="web", properties={"kind": "y", "n": 3.5})]),
    )
    made.happen(Person(2, [event("page_viewed", AT, store_id="south")]), Person(4, [event("order_paid", AT + DAY)]))
    return made


PAID = events("order_paid").within(until(AT))
CASES: list[tuple[EventAggregate, set[int]]] = [
    (PAID.count() >= 1, {1, 2}),
    (PAID.count() >= 2, {2}),
    (PAID.count().between(1, 1), {1}),
    (PAID.count() >= 256, set()),
    (PAID.days() >= 1, {1, 2}),
    (PAID.days() >= 2, set()),
    (PAID.sum("amount") >= 50, {1, 2}),
    (PAID.sum("amount").between(0, 60), {2}),
    (events("*").within(last_days(1, AT)).count() >= 1, {2}),
    (events("order_paid", "page_viewed").within(between(None, (AT - 2 * DAY).date(), AT)).count() >= 1, {2, 3}),
    (events("*").within(until(AT)).last().between(micros(AT), None), {2}),
    (events("*").within(until(AT)).last().between(micros(AT) - 1, micros(AT - DAY)), set()),
    (events("*").within(until(AT)).first().between(None, micros(AT - 3 * DAY)), {2}),
    (events("*").within(until(AT)).first().between(micros(AT - 2 * DAY), micros(AT - DAY)), {1, 3}),
    (events("*").where(EventFilter("kind", "eq", "x")).count() >= 1, {1}),
    (events("*").where(EventFilter("n", "gte", 3)).count() >= 1, {1, 3}),
    (events("*").where(EventFilter("n", "eq", 3.5)).count() >= 1, {3}),
    (events("*").where(EventFilter("kind", "ne", "x")).count() >= 1, {2, 3, 4}),
    (events("*").where(EventFilter("channel", "in", ("web",))).count() >= 1, {3}),
    (events("*").where(EventFilter("channel", "eq", "other"), EventFilter("kind", "exists")).count() >= 1, {1}),
    (events("nothing").count() >= 1, set()),
]


@pytest.mark.parametrize(("wanted", "expected"), CASES)
def test_streams_answer_themselves_and_as_the_general_evaluator_does(
    both: Both, wanted: EventAggregate, expected: set[int]
) -> None:
    assert both.ask(wanted) == expected


@pytest.mark.parametrize(
    "wanted",
    [
        PAID.with_items("product", ("s",)).count() >= 1,
        PAID.with_items("category", ("c",)).sum("quantity") >= 1,
        PAID.where(EventFilter("amount", "gt", 10)).count() >= 1,
        PAID.where(EventFilter("order_id", "exists")).count() >= 1,
    ],
)
def test_what_streams_cannot_say_they_decline(both: Both, wanted: EventAggregate) -> None:
    assert both.ask(wanted) is None


def test_a_property_of_too_many_values_is_declined(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "_MOST_VALUES", 0)
    assert both.ask(events("*").where(EventFilter("kind", "eq", "x")).count() >= 1) is None


def test_a_store_is_told_of_its_own_rows(both: Both) -> None:
    everything = events("*").within(until(AT)).count() >= 1
    assert both.ask(everything, NORTH) == {1, 2, 3}
    assert both.ask(events("page_viewed").count() >= 1, NORTH) == {3}
    assert both.ask(everything, Scope(2, "other")) == set()


def test_merges_and_splits_are_followed_at_once(both: Both) -> None:
    twice = PAID.count() >= 2
    assert both.ask(twice) == {2}
    both.moves = {1: 2}
    assert both.ask(PAID.count() >= 3) == {2}
    both.moves = {1: 9, 2: 9}
    assert both.ask(PAID.count() >= 3) == {9}
    both.moves = {1: 0}
    assert both.ask(PAID.count() >= 1) == {2}
    both.moves = {}
    assert both.ask(twice) == {2}


def test_late_files_and_compaction_are_followed(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Any] = []
    part = streams_module._part
    monkeypatch.setattr(streams_module, "_part", lambda day, *more: reads.append(day) or part(day, *more))
    assert both.ask(PAID.count() >= 1) == {1, 2}
    first = len(reads)
    assert both.ask(PAID.count() >= 1) == {1, 2}
    assert len(reads) == first  # nothing is read twice
    late = (AT - 3 * DAY).date().isoformat()
    for number in range(40):  # many small appends to an old day
        both.happen(Person(20 + number, [event("order_paid", AT - 3 * DAY)]))
    assert both.ask(PAID.count() >= 1) == {1, 2, *range(20, 60)}
    assert set(reads[first:]) == {late}
    before = len(reads)
    assert merge(both.history, "events", [file for file in both.history.files("events") if file.day == late])
    assert both.ask(PAID.count() >= 1) == {1, 2, *range(20, 60)}
    assert reads[before:] == [late]


def test_a_history_that_is_too_large_is_left_to_the_general_evaluator(both: Both) -> None:
    assert not EventStreams(both.history, most_rows=3).follow()


def test_random_histories_agree(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    both = Both(tmp_path / "history")
    for _ in range(4):
        people = []
        for number in random.integers(1, 400, 300):
            at = AT - timedelta(seconds=int(random.integers(0, 20 * 86_400)))
            name = str(random.choice(["a", "b", "c"]))
            people.append(Person(int(number), [event(name, at, amount=int(random.integers(-50, 500)))]))
        both.happen(*people)
    both.moves = {int(a): int(p) for a, p in random.integers(1, 400, (60, 2))}
    answered = BitMap()
    for number, name in enumerate(["a", "b", "*"]):
        for days in (1, 3, 15, 30):
            of = events(name).within(last_days(days, AT))
            low = micros(AT - timedelta(days=days, hours=5))
            for wanted in (
                of.count() >= 2,
                of.count().between(1, 2),
                of.days() >= 2,
                of.sum("amount").between(-20, 300),
                of.last().between(low, low + 86_400_000_000),
                of.first() >= low,
            ):
                answered |= BitMap(both.ask(wanted) or ())
        assert len(answered) > 100, number
