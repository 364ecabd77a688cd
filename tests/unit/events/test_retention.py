"""Retention takes what is due, only that, and the books know of it whatever is killed; on both databases."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from quanyu.access.api import Access
from quanyu.events import removals
from quanyu.events.contracts import EVENT_SCHEMA, FrameHeader
from quanyu.events.reconcile import Reconciliation
from quanyu.events.retention import EVERY_NAME, Keep, Preview, Retention
from quanyu.events.retiring import Retiring
from quanyu.events.routes_retention import router
from quanyu.events.tables import book, removal, retention
from quanyu.http import problems
from quanyu.kernel.clock import ManualClock, from_micros
from quanyu.kernel.errors import Invalid, NotFound
from quanyu.kernel.ids import SystemIds
from quanyu.storage import handover
from quanyu.storage.delta_log import CommitConflict
from quanyu.storage.history import History
from quanyu.storage.state import State
from quanyu.storage.upkeep import merge
from tests.unit.events.conftest import World, make_world

NOW = 1_790_000_000_000_000  # 2026-09-21 14:13 UTC, 22:13 in Shanghai
DAY = 86_400_000_000


class Shop:
    """A world, its history, and retention over both."""

    def __init__(self, world: World, clock: ManualClock) -> None:
        self.world, self.clock, self.state = world, clock, world.state
        self.history = History(world.folder / "history")
        self.history.declare("events", EVENT_SCHEMA)
        self.scope = world.brand.scope()
        self.retention = Retention(world.state, self.history, clock)
        self.retiring = Retiring(world.state, self.history, clock, lambda _: world.brand)
        self.recount = Reconciliation(world.state, self.history, clock, "ingest")

    def send(self, *events: tuple[str, float], source: str = "web") -> None:
        """Events as (name, days ago); their ids are their content, so a repetition is a duplicate."""
        calls = [
            {
                "type": "track",
                "event": name,
                "userId": "u",
                "messageId": f"{name}-{ago}",
                "timestamp": from_micros(NOW - int(ago * DAY)).isoformat(),
            }
            for name, ago in events
        ]
        header = FrameHeader(NOW, "segment", source, len(calls), "batch")
        self.world.events.log.append_now([(header, json.dumps({"batch": calls}).encode())])
        batch = self.world.events.deduplicate(self.world.events.decode(self.world.events.read()))
        with self.state.write() as tx:
            assert self.world.events.commit_books(tx, batch)
            rows = batch.table.select(EVENT_SCHEMA.names).cast(EVENT_SCHEMA)
            number = handover.put(tx, "events", rows, self.clock.now()) if rows.num_rows else None
        if number is not None:
            self.world.events.keep_keys(batch, number)
        handover.deliver(self.state, self.history, "ingest", "events")

    def set(self, name: str, days: int | None, keep: Keep = "days") -> None:
        with self.state.write() as tx:
            self.retention.set(tx, self.scope, name, keep, days, "ann")

    def keep(self, **days: int | None) -> None:
        """Rules (None: as all others) that were set long enough ago to be followed now."""
        for name, count in days.items():
            self.set(name.replace("every", EVERY_NAME), count, "days" if count else "others")
        with self.state.write() as tx:
            tx.execute(sa.update(retention).values(set_at=self.clock.now() - timedelta(days=1)))

    def follow(self) -> int:
        steps = 0
        while self.retiring.step():
            steps += 1
        return steps

    def there(self) -> list[str]:
        files = self.history.snapshot("events").files
        return sorted(one for file in files for one in pq.ParquetFile(file).read(["event_id"])["event_id"].to_pylist())

    def removed(self) -> int:
        with self.state.read() as tx:
            return int(tx.execute(sa.select(sa.func.sum(book.c.removed))).scalar_one())

    def balanced(self) -> bool:
        return self.recount.run().wrong == 0 and self.world.events.unbalanced() == []


@pytest.fixture
def shop(state: State, tmp_path: Path) -> Shop:
    clock = ManualClock(from_micros(NOW + 1))
    return Shop(make_world(state, tmp_path / "events", clock), clock)


def test_a_rule_takes_its_kind_once_it_is_older_than_its_days_and_nothing_else(shop: Shop) -> None:
    shop.send(("seen", 40), ("seen", 31), ("seen", 30), ("seen", 1), ("bought", 40), ("bought", 1))
    assert shop.follow() == 0, "without a rule everything stays"
    shop.keep(seen=30)
    assert shop.follow() == 2
    assert shop.there() == ["bought-1", "bought-40", "seen-1", "seen-30"]
    assert shop.removed() == 2
    assert shop.balanced()
    assert shop.follow() == 0
    shop.clock.advance(timedelta(days=1))
    shop.follow()
    assert shop.there() == ["bought-1", "bought-40", "seen-1"], "the next day, the next one is due"
    assert shop.balanced()


def test_a_rule_that_is_set_again_as_it_is_waits_for_no_day_anew(shop: Shop) -> None:
    shop.send(("seen", 40), ("seen", 1))
    shop.keep(seen=30)
    with shop.state.write() as tx:
        assert shop.retention.set(tx, shop.scope, "seen", "days", 30, "bob") is False
        assert shop.retention.set(tx, shop.scope, "bought", "others", None, "bob") is False
    (kind,) = shop.retention.kinds(shop.scope)
    assert kind.own is not None
    assert kind.own.set_by == "ann"
    assert shop.follow() == 1
    with shop.state.write() as tx:
        assert shop.retention.set(tx, shop.scope, "seen", "days", 20, "bob") is True
    shop.send(("seen", 25))
    assert shop.follow() == 0, "another rule has its day of grace"


def test_the_day_is_the_brands_own(shop: Shop) -> None:
    shop.send(("seen", 2.0), ("seen", 2.5))  # 22:13 and 10:13 of the same day in Shanghai
    shop.keep(seen=1)
    shop.clock.advance(timedelta(hours=1))  # 23:13: still the same today
    shop.follow()
    assert shop.there() == []
    shop.send(("seen", 1.0))
    assert shop.follow() == 0
    shop.clock.advance(timedelta(hours=1))  # past midnight in Shanghai
    shop.follow()
    assert shop.there() == []


def test_a_rule_for_every_kind_spares_those_with_their_own(shop: Shop) -> None:
    shop.send(("seen", 20), ("clicked", 20), ("bought", 20), ("bought", 400))
    shop.keep(every=10, bought=365)
    shop.follow()
    assert shop.there() == ["bought-20"]
    shop.keep(bought=None)
    shop.follow()
    assert shop.there() == [], "without its own rule it falls under the general one"
    assert shop.removed() == 4
    assert shop.balanced()
    assert shop.retention.general(shop.scope).days == 10


def test_what_was_removed_is_a_duplicate_when_it_is_sent_again_and_late_events_are_taken_too(shop: Shop) -> None:
    shop.send(("seen", 40))
    shop.keep(seen=30)
    shop.follow()
    shop.send(("seen", 40))
    assert shop.there() == []
    shop.send(("seen", 50), ("seen", 2))
    assert shop.there() == ["seen-2", "seen-50"]
    shop.follow()
    assert shop.there() == ["seen-2"]
    assert shop.balanced()


def test_a_kill_between_history_and_the_books_is_made_up_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(Exception):
        pass

    def die(*_: object) -> None:
        raise Killed

    shop.send(("seen", 40), ("seen", 41), ("seen", 1))
    shop.keep(seen=30)
    finish = removals.finish
    monkeypatch.setattr(removals, "finish", die)
    with pytest.raises(Killed):
        shop.retiring.step()
    assert len(shop.there()) == 2
    assert shop.removed() == 0
    assert shop.balanced(), "the recount knows what is under way"
    monkeypatch.setattr(removals, "finish", finish)
    shop.clock.advance(timedelta(minutes=11))
    shop.follow()
    assert shop.there() == ["seen-1"]
    assert shop.removed() == 2
    assert shop.balanced()


def test_a_kill_before_history_changed_bars_that_removal_and_a_new_one_is_made(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    shop.send(("seen", 40), ("seen", 1))
    shop.keep(seen=30)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(History, "replace", die)
        shop.retiring.step()
    with shop.state.read() as tx:
        left = tx.execute(sa.select(removal.c.removal_id)).scalar_one()
    shop.clock.advance(timedelta(minutes=11))
    shop.follow()
    assert shop.there() == ["seen-1"]
    assert shop.removed() == 1
    assert shop.balanced()
    files = shop.history.files("events")
    with pytest.raises(CommitConflict):  # whoever was only slow, and not dead, is too late
        shop.history.replace("events", files, None, "DELETE", news=True, app=removals.app(left))
    assert shop.there() == ["seen-1"]


def test_a_merge_in_between_makes_the_removal_start_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.send(("seen", 40), ("bought", 40))
    shop.send(("clicked", 40))
    shop.keep(seen=30)
    replace, calls = History.replace, Counter[str]()

    def merge_first(self: History, name: str, *args: object, **more: object) -> None:
        calls[str(more.get("app"))] += 1
        if more.get("app") and len(calls) == 1:
            assert merge(self, name, self.files(name))
        replace(self, name, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(History, "replace", merge_first)
    shop.follow()
    assert shop.there() == ["bought-40", "clicked-40"]
    assert shop.removed() == 1
    assert shop.balanced()


def test_a_kind_stays_for_ever_by_a_rule_of_its_own_whatever_holds_for_the_others(shop: Shop) -> None:
    shop.send(("seen", 400), ("bought", 400))
    shop.set("bought", None, "forever")
    shop.keep(every=30)
    shop.follow()
    assert shop.there() == ["bought-400"]


def test_a_rule_is_first_followed_a_day_after_it_was_set_and_can_be_taken_back_until_then(shop: Shop) -> None:
    shop.send(("seen", 40), ("bought", 40))
    shop.set("seen", 30)
    shop.set("bought", 30)
    shop.clock.advance(timedelta(hours=23))
    assert shop.follow() == 0
    shop.set("bought", None, "others")
    shop.clock.advance(timedelta(hours=1))
    shop.follow()
    assert shop.there() == ["bought-40"]


def test_a_kind_that_loses_its_own_rule_has_a_day_of_grace_too(shop: Shop) -> None:
    shop.send(("seen", 40), ("bought", 40))
    shop.keep(every=30, bought=365)
    shop.set("bought", None, "others")
    assert shop.follow() == 0
    shop.clock.advance(timedelta(days=1))
    shop.follow()
    assert shop.there() == []


def test_a_preview_says_what_is_then_removed(shop: Shop) -> None:
    shop.send(("seen", 40), ("seen", 33), ("seen", 30), ("seen", 1), ("bought", 50), ("bought", 45), ("clicked", 35))
    shop.set("bought", 48)
    found = shop.retention.preview(shop.scope, "seen", "days", 29)
    assert found == Preview(
        3, {"seen": 3}, date(2026, 8, 12), date(2026, 8, 22), date(2026, 8, 24), shop.clock.now() + timedelta(days=1)
    )
    every = shop.retention.preview(shop.scope, "*", "days", 31)
    assert (every.events, list(every.kinds.items())) == (3, [("seen", 2), ("clicked", 1)]), "bought has its own rule"
    shop.set("*", 31)
    assert shop.retention.preview(shop.scope, "bought", "others", None).kinds == {"bought": 2}
    assert shop.retention.preview(shop.scope, "bought", "forever", None).events == 0
    assert shop.retention.preview(shop.scope, "bought", "days", 365).events == 0
    shop.clock.advance(timedelta(days=1))
    before = len(shop.there())
    shop.follow()
    assert before - len(shop.there()) == every.events + 1, "and the one of bought's own rule"
    assert shop.balanced()


def test_what_was_removed_is_told_by_kind_and_day_once_whatever_is_repeated(shop: Shop) -> None:
    shop.send(("seen", 40), ("seen", 39), ("seen", 32), ("bought", 40))
    shop.keep(seen=31)
    shop.follow()
    (bought, seen) = shop.retention.kinds(shop.scope)
    assert (bought.name, bought.own, bought.events, bought.removed, bought.next_at) == ("bought", None, 1, 0, None)
    told = (seen.name, seen.events, seen.removed, seen.removed_on, seen.removed_at)
    assert told == ("seen", 0, 3, date(2026, 9, 21), shop.clock.now())
    for removal_id in (1, 2, 3):
        removals.finish(shop.state, removal_id)
    assert shop.retention.kinds(shop.scope)[1].removed == 3
    shop.send(("seen", 31.5))
    shop.clock.advance(timedelta(days=1))
    shop.follow()
    (seen,) = (kind for kind in shop.retention.kinds(shop.scope) if kind.name == "seen")
    assert (seen.removed, seen.removed_on) == (1, date(2026, 9, 22)), "of the last day on which any went"


def test_kinds_say_what_they_hold_and_when_the_next_go(shop: Shop) -> None:
    shop.send(("seen", 40), ("seen", 1), ("bought", 10))
    shop.send(("seen", 3))
    shop.keep(every=100)
    shop.set("bought", 5)
    (seen, bought) = shop.retention.kinds(shop.scope)
    assert (seen.name, seen.events, seen.begins_on, seen.ends_on) == ("seen", 3, date(2026, 8, 12), date(2026, 9, 20))
    assert (seen.own, seen.holds.days) == (None, 100)
    assert seen.next_at == datetime(2026, 11, 20, 16, tzinfo=UTC), "when the 101st day after it ends in Shanghai"
    assert (bought.holds.days, bought.next_at) == (5, shop.clock.now() + timedelta(days=1)), "due, but for the grace"
    other = replace(shop.scope, brand_id=99, brand="other")
    assert shop.retention.kinds(other) == []


def test_rules_are_checked(shop: Shop) -> None:
    shop.send(("seen", 1))
    wrong: list[tuple[str, Keep, int | None]] = [
        ("seen", "days", 0),
        ("seen", "days", -1),
        ("seen", "days", 40_000),
        ("seen", "days", None),
        ("seen", "forever", 3),
        ("*", "others", None),
    ]
    for name, keep, days in wrong:
        with pytest.raises(Invalid):
            shop.set(name, days, keep)
        with pytest.raises(Invalid):
            shop.retention.preview(shop.scope, name, keep, days)
    with pytest.raises(NotFound):
        shop.retention.preview(shop.scope, "nosuch", "days", 3)


def test_a_route_removes_nothing_that_was_not_confirmed_and_notes_who_set_what(shop: Shop) -> None:
    shop.send(("seen", 40), ("seen", 1))
    access = Access(shop.state, shop.clock, SystemIds())
    app = FastAPI()
    problems.install(app)
    app.include_router(router(shop.retention, access.guard, access.audit, shop.state), prefix="/api/v1")
    with shop.state.write() as tx:
        _, key = access.clients.create(tx, name="ann", permissions=["sources.read", "settings.write"], brands=["acme"])
    http = TestClient(app, headers={"Authorization": f"Bearer {key}"})
    rule = {"event": "seen", "keep": "days", "days": 30}
    refused = http.put("/api/v1/retention", json=rule)
    assert (refused.status_code, refused.json()["code"]) == (409, "retention_unconfirmed")
    assert "2026-08-23 之前的 1 条事件将被删除，最早一天是 2026-08-12" in refused.json()["detail"]
    assert http.get("/api/v1/retention").json()["items"][0]["keep"] == "others", "nothing was set"
    asked = http.get("/api/v1/retention/preview", params=rule).json()
    assert (asked["events"], asked["begins_on"], asked["kinds"][0]["event"]) == (1, "2026-08-12", "seen")
    assert http.put("/api/v1/retention", json={**rule, "confirm": True}).status_code == 204
    (seen,) = http.get("/api/v1/retention").json()["items"]
    assert (seen["keep"], seen["days"], seen["set_by"], seen["events"]) == ("days", 30, "ann", 2)
    assert http.put("/api/v1/retention", json={"event": "*", "keep": "forever"}).status_code == 204
    entries = [(one.action, one.subject, one.detail) for one in access.audit.entries(shop.scope)]
    assert entries[1] == ("retention_set", "seen", {"keep": "days", "days": 30, "removes": 1})
    assert entries[0][:2] == ("retention_set", "*")
    assert http.put("/api/v1/retention", json={**rule, "event": "nosuch"}).json()["code"] == "event_kind_not_found"
