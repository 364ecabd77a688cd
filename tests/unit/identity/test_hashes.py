"""Identifiers are found by their hash: on shelves, in memory, in any mixture, each is made once."""

from __future__ import annotations

import random

import numpy as np
import pytest
import sqlalchemy as sa

from quanyu.identity import hashes, records
from quanyu.identity.api import Identity
from quanyu.identity.hashes import Hashes, with_hash
from quanyu.identity.tables import SHELF, identifier, identity_sequence
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import SeededIds
from quanyu.storage.state import State
from quanyu.storage.vault import Vault
from tests.unit.identity.support import Event, batch, door, load, partition


@pytest.fixture
def identity(state: State, vault: Vault, clock: ManualClock, ids: SeededIds) -> Identity:
    with state.write() as tx:  # so that a dozen identifiers are on two shelves
        tx.execute(sa.insert(identity_sequence), [{"name": "identifier", "next": SHELF - 7}])
    return door(state, vault, clock, ids)


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_MANY", 0)


def made(state: State) -> list[tuple[int, int]]:
    """(identifiers, hashes) on each shelf."""
    with state.read() as tx:
        counts = (sa.func.count(), sa.func.count(sa.distinct(identifier.c.hash)))
        found = tx.execute(sa.select(*counts).group_by(identifier.c.shelf).order_by(identifier.c.shelf)).all()
    return [(row[0], row[1]) for row in found]


def events(*numbers: int) -> list[Event]:
    """One event for each, of a person with two identifiers."""
    return [Event(1000 + i, (("member_no", f"M{i}"), ("phone", f"+86139123400{i:02d}"))) for i in numbers]


@pytest.mark.parametrize("for_each", [0.2, 0.5, 100])
@pytest.mark.usefixtures("in_memory")
def test_in_memory_and_on_shelves_the_same_are_found(
    identity: Identity, state: State, vault: Vault, for_each: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity._hashes = Hashes(
        state, for_each=for_each
    )  # with the small ones it is often behind, and the shelves are asked
    order = random.Random(7)
    for turn in range(12):
        monkeypatch.setattr(records, "_MANY", 0 if turn % 3 else 2000)
        load(identity, events(*(order.randrange(10) for _ in range(4))))
    load(identity, events(*range(10)))
    assert made(state) == [(7, 7), (13, 13)]
    pool = [one for event in events(*range(10)) for one in event.identifiers]
    assert partition(state, vault, pool) == {
        frozenset({("member_no", f"M{i}"), ("phone", f"+86139123400{i:02d}")}) for i in range(10)
    }


@pytest.mark.usefixtures("in_memory")
def test_what_a_transaction_gave_up_is_not_remembered(identity: Identity, state: State) -> None:
    load(identity, events(0))
    with pytest.raises(RuntimeError), state.write() as tx:
        identity.resolve(tx, batch(events(1, 2)))
        identity.resolve(tx, batch(events(1, 3)))
        raise RuntimeError
    load(identity, events(3, 4))  # they get the numbers that 1 and 2 had
    load(identity, events(1, 2, 0))
    assert sum(count for count, _ in made(state)) == 10
    assert sum(count for _, count in made(state)) == 10


@pytest.mark.usefixtures("in_memory")
def test_one_transaction_finds_what_it_made_itself(identity: Identity, state: State) -> None:
    with state.write() as tx:
        first = identity.resolve(tx, batch(events(1, 2)))
        again = identity.resolve(tx, batch(events(2, 1, 3)))
    assert again.person_id.tolist()[:2] == first.person_id.tolist()[::-1]
    assert sum(count for count, _ in made(state)) == 6


@pytest.mark.usefixtures("in_memory")
def test_what_another_process_added_is_found(
    identity: Identity, state: State, vault: Vault, clock: ManualClock, ids: SeededIds
) -> None:
    other = door(state, vault, clock, ids)
    for turn in range(6):
        load((identity, other)[turn % 2], events(turn, turn + 1))
    assert [count for count, _ in made(state)] == [7, 7]
    assert [count for _, count in made(state)] == [7, 7]


@pytest.mark.usefixtures("in_memory")
def test_hashes_that_begin_alike_are_told_apart(
    identity: Identity, state: State, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alike(texts: list[str]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        return np.array([int(text[0], 16) % 2 for text in texts], np.uint64)

    monkeypatch.setattr(hashes, "ranks_of", alike)
    monkeypatch.setattr(records, "ranks_of", alike)
    for _ in range(3):
        load(identity, events(*range(10)), size=4)
    assert made(state) == [(7, 7), (13, 13)]
    pool = [one for event in events(*range(10)) for one in event.identifiers]
    assert len(partition(state, vault, pool)) == 10


def test_the_memory_grows_and_forgets_nothing(state: State) -> None:
    memory, order = Hashes(state), np.random.default_rng(3)
    ranks = order.integers(0, 1 << 63, 200_000, np.uint64)
    for begin in range(0, 200_000, 7_001):
        part = ranks[begin : begin + 7_001]
        memory._add(part, np.arange(begin + 1, begin + 1 + part.size))
    with state.read() as tx:
        assert np.array_equal(memory.find(tx, ranks), np.arange(1, 200_001))
        assert not memory.find(tx, order.integers(1 << 63, (1 << 64) - 1, 10_000, np.uint64)).any()


def test_sqlite_goes_by_the_index_to_each_hash(identity: Identity, state: State, vault: Vault) -> None:
    load(identity, events(*range(10)))
    if state.dialect != "sqlite":
        return
    with state.read() as tx:
        text = vault.index(1, "member_no", "M3")
        asked = sa.select(identifier.c.identifier_id).where(with_hash(tx, [text]), identifier.c.brand_id == 1)
        assert len(tx.execute(asked).all()) == 1
        compiled = asked.compile(tx.engine, compile_kwargs={"render_postcompile": True})
        values = tuple(compiled.params[key] for key in compiled.positiontup or ())
        plan = " ".join(str(row[3]) for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values))
    assert "(shelf=? AND hash=? AND brand_id=?)" in plan
