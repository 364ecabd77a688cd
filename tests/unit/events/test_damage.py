"""Bytes of the log that rotted are an alarm, once, and the books of their hour explain themselves, on both stores."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from quanyu.access.api import Brands
from quanyu.access.contracts import Scope
from quanyu.events.api import Events
from quanyu.events.books import cursors
from quanyu.events.contracts import EVENT_SCHEMA, FrameHeader, Position
from quanyu.events.log import segment_path
from quanyu.events.observing import Observer
from quanyu.events.quality import Problem, Quality
from quanyu.events.reconcile import Reconciliation
from quanyu.events.routes import BookOut, SourceOut
from quanyu.events.tables import damage
from quanyu.kernel.clock import ManualClock, micros
from quanyu.kernel.errors import Conflict
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import Label
from quanyu.storage.engine import DuckDBEngine
from quanyu.storage.history import History
from quanyu.storage.state import State
from quanyu.worker.ahead import read_batch
from tests.unit.events.conftest import World, make_world

NOW = datetime(2026, 9, 21, 14, 20, tzinfo=UTC)
HOUR = datetime(2026, 9, 21, 14, tzinfo=UTC)


class Log:
    """A world whose log can rot."""

    def __init__(self, state: State, folder: Path) -> None:
        self.clock = ManualClock(NOW)
        self.world: World = make_world(state, folder / "events", self.clock)
        history = History(folder / "history")
        history.declare("events", EVENT_SCHEMA)
        self.recount = Reconciliation(state, history, self.clock, "ingest")
        observer = Observer(state, DuckDBEngine(history, EVENT_SCHEMA), self.clock)
        self.quality = Quality(state, self.clock, observer, self.recount, lambda: [self.world.brand])
        self.sent = 0

    @property
    def scope(self) -> Scope:
        return self.world.brand.scope()

    def send(self, *sizes: int, source: str = "web") -> list[Position]:
        """Frames with so many events each; where they begin."""
        frames = []
        for size in sizes:
            numbers = range(self.sent, self.sent + size)
            calls = [{"type": "track", "event": "E", "userId": "u", "messageId": f"m{n}"} for n in numbers]
            self.sent += size
            header = FrameHeader(micros(NOW), "segment", source, size, "batch")
            frames.append((header, json.dumps({"batch": calls}).encode()))
        return self.world.events.log.append_now(frames)

    def file(self, segment: int) -> Path:
        return segment_path(self.world.folder / "log" / "w00", segment)

    def rot(self, at: Position, into: int) -> None:
        """Turn one bit of the frame's byte `into`."""
        with self.file(at.segment).open("r+b") as file:
            file.seek(at.offset + into)
            (byte,) = file.read(1)
            file.seek(at.offset + into)
            file.write(bytes([byte ^ 1]))

    def restart(self) -> None:
        """The same installation in a new process, whose worker begins where the books end."""
        self.world.events.close()
        self.world.events = self.process()
        _ = self.world.events.log  # a server opens it when it starts

    def process(self) -> Events:
        """The installation's events as another process has them."""
        world = self.world
        return Events(world.state, world.vault, self.clock, SeededIds(4), Brands(world.state, self.clock), world.folder)

    def alarms(self, scope: Scope | None = None) -> list[Problem]:
        self.quality.check(self.world.brand)
        return [one for one in self.quality.problems(scope or self.scope) if one.kind == "damaged_log"]

    def rows(self) -> list[tuple[int, int, str | None, int]]:
        with self.world.state.read() as tx:
            found = tx.execute(sa.select(damage).order_by(damage.c.segment, damage.c.offset)).all()
        return [(row.segment, row.offset, row.source, row.events) for row in found]

    def hours(self) -> list[tuple[int, int, int, int, int]]:
        begin, end = HOUR - timedelta(days=1), HOUR + timedelta(days=1)
        found = self.world.events.read_books(self.scope, "web", begin, end)
        return [(one.accepted, one.stored, one.duplicate, one.quarantined, one.damaged) for one in found]


@pytest.fixture
def log(state: State, tmp_path: Path) -> Log:
    return Log(state, tmp_path)


def test_a_rotten_frame_is_an_alarm_with_its_place_and_the_books_explain_themselves(log: Log) -> None:
    places = log.send(3, 4, 5)
    length = places[2].offset - places[1].offset
    log.rot(places[1], length - 5)
    assert log.world.drain().table.num_rows == 8
    assert log.rows() == [(places[1].segment, places[1].offset, "web", 4)]
    assert log.hours() == [(12, 8, 0, 0, 4)]
    assert log.world.events.damaged_frames() == 1
    view = next(one for one in log.world.events.list_sources(log.scope) if one.source.source == "web")
    assert (view.accepted, view.stored, view.damaged, view.pending) == (12, 8, 4, 0)
    (alarm,) = log.alarms()
    assert (alarm.severity, alarm.source, alarm.first_at) == ("high", "web", NOW)
    assert alarm.facts == {
        "file": f"log/w00/{places[1].segment:010d}.log",
        "offset": places[1].offset,
        "frames": 1,
        "bytes": length,
        "events": 4,
        "at": HOUR.isoformat(),
    }
    assert f"log/w00/{places[1].segment:010d}.log，从第 {places[1].offset} 字节起" in alarm.title.zh
    assert "帧头记着 4 条事件" in alarm.title.zh
    assert f"from byte {places[1].offset} on, {length:,} bytes in all; by their headers 4 events" in alarm.title.en
    assert "counted twice" in alarm.advice.en


def test_there_is_no_second_alarm_at_a_restart_or_when_a_batch_is_read_again(log: Log) -> None:
    places = log.send(1, 2, 3)
    log.rot(places[1], 60)
    log.world.drain(commit=False)  # killed before the commit
    assert log.rows() == []
    log.restart()
    log.world.drain()
    (first,) = log.alarms()
    log.restart()
    log.send(1)
    log.world.drain()
    log.clock.advance(timedelta(minutes=11))
    (again,) = log.alarms()
    assert (again.problem_id, again.first_at, again.facts) == (first.problem_id, first.first_at, first.facts)
    assert len(log.rows()) == 1
    assert log.hours() == [(7, 5, 0, 0, 2)]


def test_what_is_read_twice_by_two_readers_is_written_down_once(log: Log) -> None:
    places = log.send(1, 2, 3)
    log.rot(places[1], 60)
    batch = log.world.events.decode(log.world.events.read())
    with log.world.state.write() as tx:
        assert log.world.events.commit_books(tx, batch)
    with log.world.state.write() as tx:
        assert not log.world.events.commit_books(tx, batch)
    assert log.hours() == [(6, 4, 0, 0, 2)]


def test_rotten_frames_side_by_side_are_each_counted_for_their_own_source(log: Log) -> None:
    (first,) = log.send(2)
    (second,) = log.send(3, source="other")
    log.send(4)
    log.rot(first, 60)
    log.rot(second, 60)
    log.world.drain()
    assert [row[1:] for row in log.rows()] == [(first.offset, "web", 2), (second.offset, "other", 3)]
    assert sorted((one.source, one.facts["events"]) for one in log.alarms()) == [("other", 3), ("web", 2)]


@pytest.mark.parametrize("into", [10, 12], ids=["the header's shape", "the time of receipt"])
def test_a_frame_whose_header_rotted_too_is_nobodys_and_every_brands_alarm(log: Log, into: int) -> None:
    places = log.send(1, 2, 3)
    with log.file(places[1].segment).open("r+b") as file:
        file.seek(places[1].offset + into)
        file.write(b"\xff" * 8)
    log.world.drain()
    assert log.rows() == [(places[1].segment, places[1].offset, None, 0)]
    assert log.hours() == [(4, 4, 0, 0, 0)]
    (alarm,) = log.alarms()
    assert (alarm.source, alarm.source_name.zh) == ("", "未知来源")
    assert "多少事件已无从得知" in alarm.title.zh
    other = Brands(log.world.state, log.clock).create(
        key="other", name=Label("别家", "Other"), currency="CNY", time_zone="Asia/Shanghai"
    )
    log.quality.check(other)
    assert [one.source for one in log.quality.problems(other.scope())] == [""]


def test_a_named_source_is_no_alarm_of_another_brand(log: Log) -> None:
    places = log.send(1, 2, 3)
    log.rot(places[1], 60)
    log.world.drain()
    other = Brands(log.world.state, log.clock).create(
        key="other", name=Label("别家", "Other"), currency="CNY", time_zone="Asia/Shanghai"
    )
    log.quality.check(other)
    assert log.quality.problems(other.scope()) == []


def test_the_last_frame_of_a_file_that_rots_before_a_restart_is_an_alarm_before_anything_is_sent(log: Log) -> None:
    places = log.send(3, 4)
    size = log.file(places[1].segment).stat().st_size
    log.rot(places[1], 60)
    log.restart()
    log.world.drain()
    assert (log.rows(), log.hours()) == ([(places[1].segment, places[1].offset, "web", 4)], [(7, 3, 0, 0, 4)])
    (alarm,) = log.alarms()
    assert (alarm.facts["bytes"], alarm.facts["events"]) == (size - places[1].offset, 4)
    assert "也可能" in alarm.advice.zh
    assert "may never have been" in alarm.advice.en


def test_damage_without_a_frame_to_come_with_is_written_down_before_the_next_reading(log: Log) -> None:
    places = log.send(3, 4)
    log.world.drain()
    (last,) = log.send(5)
    log.rot(last, 60)
    log.restart()
    events = log.world.events
    assert places[0] < last
    for _ in range(2):
        assert read_batch(events, events.cursors(), 1000) is None
        events.pump()
        assert log.rows() == [(last.segment, last.offset, "web", 5)]
        assert log.hours() == [(12, 7, 0, 0, 5)]
        view = next(one for one in events.list_sources(log.scope) if one.source.source == "web")
        assert (view.accepted, view.pending, view.damaged) == (12, 0, 5)
    assert log.send(1)[0] > last
    log.world.drain()
    assert log.hours() == [(13, 8, 0, 0, 5)]


def test_damage_never_takes_along_a_frame_that_could_not_be_decoded(log: Log) -> None:
    (first,) = log.send(3, source="nobody")
    (last,) = log.send(4)
    log.rot(last, 60)
    log.restart()
    events = log.world.events
    for _ in range(2):
        with pytest.raises(Conflict) as vanished:
            read_batch(events, events.cursors(), 1000)
        assert vanished.value.code == "source_vanished"
        events.pump()
        assert (events.cursors(), log.rows()) == ({}, [])
    with log.world.state.write() as tx:
        events.sources.ensure(
            tx, source="nobody", brand_id=log.world.brand.brand_id, name=Label("有", "Somebody"), kind="sdk"
        )
    assert log.world.drain().began == {"w00": first}
    assert log.rows() == [(last.segment, last.offset, "web", 4)]


def test_damage_that_comes_with_another_writers_frames_is_not_waiting_any_more(log: Log) -> None:
    (last,) = log.send(5)
    log.rot(last, 60)
    log.restart()
    first, log.world.events = log.world.events, log.process()
    log.send(2)
    log.world.drain()
    assert log.hours() == [(7, 2, 0, 0, 5)]
    view = next(one for one in log.world.events.list_sources(log.scope) if one.source.source == "web")
    assert (view.accepted, view.pending) == (7, 0)
    first.close()


def test_a_torn_rest_is_an_alarm_and_counts_nothing_because_nobody_may_have_been_answered(log: Log) -> None:
    (place,) = log.send(3)
    path = log.file(place.segment)
    size = path.stat().st_size
    log.restart()
    log.send(2)  # a later segment: the former is final
    os.truncate(path, size - 10)
    log.world.drain()
    assert log.rows() == [(place.segment, place.offset, "web", 0)]
    assert log.hours() == [(2, 2, 0, 0, 0)]
    (alarm,) = log.alarms()
    assert (alarm.facts["bytes"], alarm.facts["offset"]) == (size - 10 - place.offset, place.offset)


def test_the_alarm_ends_after_thirty_days_and_the_books_keep_it(log: Log) -> None:
    places = log.send(1, 2, 3)
    log.rot(places[1], 60)
    log.world.drain()
    log.clock.advance(timedelta(days=30))
    assert len(log.alarms()) == 1
    log.clock.advance(timedelta(seconds=1))
    assert log.alarms() == []
    assert log.hours() == [(6, 4, 0, 0, 2)]


def test_a_sound_log_costs_no_question_to_the_database(log: Log) -> None:
    log.send(1, 2, 3)
    asked: list[str] = []
    with log.world.state.read() as tx:
        engine = tx.engine
        assert cursors(tx) == {}
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert log.world.drain().damaged == ()
    assert not [one for one in asked if "event_damage" in one]
    assert log.hours() == [(6, 6, 0, 0, 0)]
    assert log.alarms() == []


def test_the_api_says_what_damaged_counts() -> None:
    for model in (SourceOut, BookOut):
        said = model.model_fields["damaged"].description
        assert said is not None
        assert "rotted on disk after they were acknowledged" in said
        assert "Counted from the frame's header where that could be read" in said
