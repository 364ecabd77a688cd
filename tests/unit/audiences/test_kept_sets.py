"""A kept set always equals the set read anew, whatever changed, and is read anew only when it must be."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences import bitmaps, kept_sets
from quanyu.audiences.kept_sets import KeptSets
from quanyu.storage.outbox import publish
from quanyu.storage.schema import outbox
from quanyu.storage.state import State
from tests.unit.audiences import stores
from tests.unit.audiences.stores import Doors
from tests.unit.audiences.worlds import AT, SCOPE, Person, World

TOPICS = ("people_moved", "profiles_changed")


class Tagged:
    """People 1 to 30, some with tag `t`."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.doors = Doors(state)
        self.doors.load(World([Person(n) for n in range(1, 31)]))
        self.statement = self.doors.tagged_people(SCOPE, ["t"])
        self.kept = KeptSets()

    def toggle(self, person_ids: list[int], *, told: bool = True, brand_id: int = 1, **payload: Any) -> None:
        table = stores.tag
        with self.state.write() as tx:
            for number in person_ids:
                mine = (table.c.person_id == number) & (table.c.tag_id == "t")
                if not tx.execute(sa.delete(table).where(mine)).rowcount:
                    tx.execute(sa.insert(table).values(person_id=number, tag_id="t"))
            if told:
                publish(tx, "profiles_changed", payload or {"brand_id": brand_id, "person_ids": person_ids}, AT)

    def get(self) -> BitMap:
        with self.state.read() as tx:
            return self.kept.get(tx, "t", 1, TOPICS, self.statement)

    def fresh(self) -> BitMap:
        with self.state.read() as tx:
            return bitmaps.of_select(tx, self.statement)


@pytest.fixture
def tagged(state: State) -> Tagged:
    return Tagged(state)


def test_a_kept_set_follows_the_news(tagged: Tagged) -> None:
    r = random.Random(5)
    for _ in range(25):
        for _ in range(r.randrange(3)):
            tagged.toggle(r.sample(range(1, 31), r.randrange(1, 5)))
        assert tagged.get() == tagged.fresh()
    assert tagged.get()


def test_it_is_read_anew_only_when_too_many_changed(tagged: Tagged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_sets, "_PATCHED", 5)
    reads: list[bool] = []
    read = bitmaps.of_select

    def watched(tx: sa.Connection, statement: sa.Select[Any]) -> BitMap:
        reads.append(statement is tagged.statement)
        return read(tx, statement)

    monkeypatch.setattr(bitmaps, "of_select", watched)
    tagged.get()
    tagged.get()
    assert reads == [True]
    tagged.toggle([1, 2])
    assert tagged.get() == BitMap([1, 2])
    assert reads == [True, False]
    tagged.toggle(list(range(1, 11)))
    tagged.get()
    assert reads == [True, False, True]
    tagged.toggle([3], unknown=True)  # news that does not say whom
    tagged.get()
    assert reads == [True, False, True, True]
    tagged.toggle([4], told=False)
    before = tagged.get()
    assert reads == [True, False, True, True]
    tagged.toggle([40], brand_id=2)  # another brand's news corrects nobody here
    assert tagged.get() == before


def test_news_that_commits_late_is_seen(tagged: Tagged) -> None:
    """Two transactions: the one with the lower number commits last."""
    with tagged.state.write() as tx:
        publish(tx, "profiles_changed", {"brand_id": 1, "person_ids": [30]}, AT)
        low = tx.execute(sa.select(sa.func.max(outbox.c.seq))).scalar_one()
        tx.execute(sa.update(outbox).where(outbox.c.seq == low).values(seq=low + 50))
    tagged.get()
    tagged.toggle([7], told=False)
    with tagged.state.write() as tx:
        row = {"seq": low, "topic": "profiles_changed", "payload": '{"brand_id": 1, "person_ids": [7]}', "at": AT}
        tx.execute(sa.insert(outbox).values(row))
    assert tagged.get() == BitMap([7])


def test_everybody_grows_by_new_people_without_news(tagged: Tagged) -> None:
    everybody = tagged.doors.visible_people(Scope(1, "acme"))

    def get() -> BitMap:
        with tagged.state.read() as tx:
            return tagged.kept.get(tx, "all", 1, TOPICS, everybody, grows=True)

    assert len(get()) == 30
    with tagged.state.write() as tx:
        tx.execute(sa.insert(stores.person), [{"person_id": n, "brand_id": 1} for n in (31, 35)])
    assert get() == BitMap([*range(1, 32), 35])
    with tagged.state.write() as tx:  # numbers are handed out in blocks: 33 comes after 35
        tx.execute(sa.insert(stores.person).values(person_id=33, brand_id=1))
    assert get() == BitMap([*range(1, 32), 33, 35])
