"""The recount finds every row that is missing or too many, in whichever store, and nothing else; on both databases."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from deltalake import DeltaTable, write_deltalake

from quanyu.access.contracts import system_caller
from quanyu.events.contracts import EVENT_SCHEMA, FrameHeader
from quanyu.events.reconcile import Reconciliation
from quanyu.events.removals import note_removed
from quanyu.events.tables import book, discrepancy, quarantine
from quanyu.kernel.clock import ManualClock, from_micros
from quanyu.storage import handover
from quanyu.storage.history import History
from quanyu.storage.state import State
from tests.unit.events.conftest import World, make_world

NOW = 1_790_000_000_000_000
HOUR = 3_600_000_000


class Stores:
    """A world whose batches go all the way into history."""

    def __init__(self, world: World, clock: ManualClock) -> None:
        self.world = world
        self.clock = clock
        self.history = History(world.folder / "history")
        self.history.declare("events", EVENT_SCHEMA)
        self.recount = Reconciliation(world.state, self.history, clock, "ingest")

    def send(self, ids: range, *, at: int = NOW, source: str = "web", bad: int = 0) -> None:
        calls = [{"type": "track", "event": "E", "userId": "u", "messageId": f"m{n}"} for n in ids]
        calls += [{"type": "track", "event": "E"}] * bad
        header = FrameHeader(at, "segment", source, len(calls), "batch")
        self.world.events.log.append_now([(header, json.dumps({"batch": calls}).encode())])
        events = self.world.events
        batch = events.deduplicate(events.decode(events.read()))
        with self.world.state.write() as tx:
            assert events.commit_books(tx, batch)
            rows = batch.table.select(EVENT_SCHEMA.names).cast(EVENT_SCHEMA)
            number = handover.put(tx, "events", rows, self.clock.now()) if rows.num_rows else None
        if number is not None:
            events.keep_keys(batch, number)

    def deliver(self) -> None:
        handover.deliver(self.world.state, self.history, "ingest", "events")

    def wrong(self) -> list[tuple[str, int, int, int, int]]:
        return [
            (row.source, row.stored, row.found_stored, row.quarantined, row.found_quarantined)
            for row in self.recount.wrong(self.world.brand.brand_id)
        ]

    @property
    def table(self) -> DeltaTable:
        return DeltaTable(str(self.history.root / "events"))


@pytest.fixture
def stores(state: State, tmp_path: Path) -> Stores:
    clock = ManualClock(from_micros(NOW + 60_000_000))
    return Stores(make_world(state, tmp_path / "events", clock), clock)


def test_what_is_in_history_on_its_way_there_and_in_quarantine_adds_up(stores: Stores) -> None:
    stores.send(range(10), bad=2)
    stores.deliver()
    stores.send(range(5, 20), at=NOW + HOUR, bad=1)
    stores.send(range(3), source="other")
    done = stores.recount.run()
    assert (done.counted, done.hours, done.wrong) == (23 + 3, 3, 0)
    stores.deliver()
    assert stores.recount.run() == done
    health = stores.recount.health()
    assert (health.checked_at, health.counted, health.wrong) == (stores.clock.now(), 26, 0)


def test_a_row_deleted_behind_its_back_is_found_and_the_alarm_ends_when_it_is_back(stores: Stores) -> None:
    stores.send(range(10))
    stores.deliver()
    kept = stores.table.to_pyarrow_table()
    stores.table.delete("event_id = 'm3'")
    assert stores.recount.run().wrong == 1
    assert stores.wrong() == [("web", 10, 9, 0, 0)]
    found_at = stores.recount.wrong(stores.world.brand.brand_id)[0].found_at
    stores.clock.advance(timedelta(minutes=6))
    stores.recount.step()
    (row,) = stores.recount.wrong(stores.world.brand.brand_id)
    assert (row.found_at, row.seen_at) == (found_at, stores.clock.now()), "since when it is wrong is kept"
    views = {view.source.source: view.balanced for view in stores.world.events.list_sources(stores.world.brand.scope())}
    assert views == {"web": False, "other": True, "pos": True}
    write_deltalake(
        stores.table, kept.filter([name == "m3" for name in kept.column("event_id").to_pylist()]), mode="append"
    )
    assert stores.recount.run().wrong == 0
    assert stores.wrong() == []


def test_a_row_added_behind_its_back_is_found(stores: Stores) -> None:
    stores.send(range(10))
    stores.send(range(20, 25), at=NOW + HOUR)
    stores.deliver()
    table = stores.table.to_pyarrow_table()
    write_deltalake(stores.table, table.slice(0, 1), mode="append")
    assert stores.recount.run().wrong == 1
    ((_, stored, found, _, _),) = stores.wrong()
    assert found == stored + 1


def test_rows_of_nobody_are_found(stores: Stores) -> None:
    stores.send(range(3))
    stores.deliver()
    with stores.world.state.write() as tx:
        tx.execute(sa.delete(book))
    assert stores.recount.run().wrong == 1
    assert stores.wrong() == [("web", 0, 3, 0, 0)]


def test_a_lost_and_an_added_item_of_quarantine_are_found(stores: Stores) -> None:
    stores.send(range(2), bad=3)
    with stores.world.state.write() as tx:
        row = tx.execute(sa.select(quarantine).limit(1)).one()
        tx.execute(sa.delete(quarantine).where(quarantine.c.quarantine_id == row.quarantine_id))
    assert stores.recount.run().wrong == 1
    assert stores.wrong() == [("web", 2, 2, 3, 2)]
    with stores.world.state.write() as tx:
        tx.execute(sa.insert(quarantine).values(**row._mapping))
        tx.execute(sa.insert(quarantine).values(**{**row._mapping, "quarantine_id": "q_more"}))
    stores.recount.run()
    assert stores.wrong() == [("web", 2, 2, 3, 4)]


def test_replays_keep_it_right(stores: Stores) -> None:
    stores.send(range(2), bad=1)
    (item,), _ = stores.world.events.quarantine.list(stores.world.brand.scope())
    body = json.dumps({"type": "track", "event": "E", "userId": "u", "messageId": "mended"}).encode()
    with stores.world.state.write() as tx:
        stores.world.events.quarantine.replay(tx, system_caller(stores.world.brand.scope()), item.quarantine_id, body)
    stores.send(range(0))
    stores.deliver()
    assert stores.recount.run().wrong == 0


def test_what_was_lawfully_removed_is_not_missing(stores: Stores) -> None:
    stores.send(range(10))
    stores.deliver()
    stores.table.delete("event_id < 'm4'")
    with stores.world.state.write() as tx:
        note_removed(tx, {("web", NOW - NOW % HOUR): 4})
    assert stores.recount.run().wrong == 0


def test_old_hours_are_counted_once_a_day_and_when_asked_for(stores: Stores) -> None:
    stores.send(range(10))
    stores.deliver()
    stores.recount.step()
    stores.clock.advance(timedelta(days=3))
    stores.send(range(20, 21), at=NOW + 72 * HOUR)
    stores.recount.step()  # everything: the last time is more than a day ago
    stores.table.delete("event_id = 'm3'")
    stores.clock.advance(timedelta(minutes=6))
    stores.recount.step()
    assert stores.wrong() == [], "three days ago is not looked at every few minutes"
    with stores.world.state.write() as tx:
        stores.recount.ask(tx)
    stores.recount.step()
    assert stores.wrong() == [("web", 10, 9, 0, 0)]
    stores.clock.advance(timedelta(minutes=6))
    stores.recount.step()
    assert len(stores.wrong()) == 1, "an alarm about an old hour does not end by not looking at it"


def test_an_append_between_two_looks_is_waited_out(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    stores.send(range(10))
    real = stores.history.snapshot
    looks = []

    def snapshot(name: str) -> object:
        found = real(name)
        looks.append(name)
        if len(looks) == 1:
            stores.deliver()  # the worker hands over just now
        return found

    monkeypatch.setattr(stores.history, "snapshot", snapshot)
    assert stores.recount.run().wrong == 0
    assert len(looks) == 2
    with stores.world.state.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(discrepancy)).scalar_one() == 0
