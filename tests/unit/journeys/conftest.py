from __future__ import annotations

import itertools
from datetime import timedelta

import pyarrow as pa
import pytest
import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.events.contracts import BATCH_SCHEMA
from quanyu.journeys.api import Journeys
from quanyu.journeys.graph import compile_graph
from quanyu.journeys.tables import goal_hit, journey, participation, sighting, transition
from quanyu.kernel.clock import micros
from quanyu.kernel.errors import NotFound
from quanyu.kernel.ids import SeededIds
from quanyu.messaging.tables import effect
from tests.unit.doubles import BRAND, OWNER
from tests.unit.messaging.conftest import World


class Audiences:
    """Answers {"modulo": m}: people whose number m divides. Keeps versions of sets that a test gives it."""

    def __init__(self) -> None:
        self.sets: dict[str, list[BitMap]] = {}
        self.asked: list[tuple[int, int]] = []
        self.broken: Exception | None = None

    def check(self, data, scope):
        return data

    def watermark(self, tree=None):
        return "w1"

    def evaluate(self, tree, at, scope, within=None):
        if self.broken:
            raise self.broken
        self.asked.append((tree["modulo"], len(within)))
        return BitMap(person for person in within if person % tree["modulo"] == 0)

    def get_audience(self, scope, audience_id):
        if audience_id not in self.sets:
            raise NotFound("audience_not_found")

        class View:
            version = len(self.sets[audience_id]) or None

        return View

    def members(self, tx, scope, audience_id, version=None, change=None):
        kept = self.sets[audience_id]
        after, before = kept[version - 1], kept[version - 2] if version > 1 else BitMap()
        return after - before if change == "entered" else before - after


class JourneyWorld(World):
    """A messaging world with journeys on top."""

    def __init__(self, state, vault, clock) -> None:
        super().__init__(state, vault, clock)
        self.audiences = Audiences()
        self.journeys = Journeys(
            state,
            clock,
            SeededIds(11),
            people=self.people,
            audiences=self.audiences,
            messaging=self.messaging,
            promotions=self.promotions,
            scope_of=lambda brand_id: BRAND,
        )

    def publish(self, graph: dict, **settings) -> str:
        given = {"holdout_percent": 0, "daily_cap": None} | settings
        view = self.journeys.create(OWNER, "Test", graph, given)
        self.journeys.publish(OWNER, view.journey_id)
        return view.journey_id

    def plan(self, journey_id: str):
        return compile_graph(self.journeys.get(BRAND, journey_id).graph)

    def salt(self, journey_id: str) -> str:
        with self.state.read() as tx:
            return tx.execute(sa.select(journey.c.salt).where(journey.c.journey_id == journey_id)).scalar_one()

    def arrive(self, *events) -> int:
        """Events (objects with event_id, name, person, at, order_id, amount) as one micro-batch."""
        with self.state.write() as tx:
            return self.journeys.on_events(tx, batch_of(events))

    def settle(self, limit: int = 1000) -> None:
        while self.journeys.advance(limit):
            pass

    def pass_time(self, limit: int = 1000, **delta) -> None:
        self.clock.advance(timedelta(**delta))
        self.settle(limit)

    def rows(self, table, *where):
        with self.state.read() as tx:
            return tx.execute(sa.select(table).where(*where)).all()

    def participations(self, journey_id: str):
        return sorted(
            self.rows(participation, participation.c.journey_id == journey_id), key=lambda row: row.participation_id
        )

    def path(self, participation_id: int) -> list[str | None]:
        steps = self.rows(transition, transition.c.participation_id == participation_id)
        return [step.to_node for step in sorted(steps, key=lambda step: step.visit)]

    def check_invariants(self, journey_id: str) -> None:
        """entered = active + exited; arrivals = departures + waiting per node; one step per visit, none missing."""
        _, report = self.journeys.report(BRAND, journey_id)
        assert report.entered == report.active + report.exited
        for numbers in report.nodes.values():
            assert numbers.entered == numbers.left + numbers.waiting, numbers
        assert sum(report.exits.values()) == report.exited
        for row in self.participations(journey_id):
            steps = self.rows(transition, transition.c.participation_id == row.participation_id)
            assert sorted(step.visit for step in steps) == list(range(row.visit + 1))
            ordered = sorted(steps, key=lambda step: step.visit)
            assert all(a.to_node == b.from_node for a, b in itertools.pairwise(ordered))
            assert all(a.at <= b.at for a, b in itertools.pairwise(ordered))
            assert (ordered[-1].to_node is None) == (row.state == "exited")


def batch_of(events) -> pa.Table:
    columns = {field.name: [None] * len(events) for field in BATCH_SCHEMA}
    columns |= {
        "event_id": [event.event_id for event in events],
        "name": [event.name for event in events],
        "person_id": [event.person for event in events],
        "anchor_id": [event.person for event in events],
        "occurred_at": [micros(event.at) for event in events],
        "received_at": [micros(event.at) for event in events],
        "order_id": [event.order_id for event in events],
        "amount": [event.amount for event in events],
        "properties": [getattr(event, "properties", None) for event in events],
        "brand_id": [1] * len(events),
        "brand": ["b"] * len(events),
        "source": ["test"] * len(events),
    }
    return pa.table(columns, schema=BATCH_SCHEMA)


@pytest.fixture
def world(state, vault, clock):
    made = JourneyWorld(state, vault, clock)
    yield made
    made.messaging.close()


__all__ = ["JourneyWorld", "batch_of", "effect", "goal_hit", "sighting"]
