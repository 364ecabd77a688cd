"""Several writers at once: the same identifiers are made once, and the gate holds changes of people back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from quanyu.identity.api import Identity
from quanyu.identity.tables import identifier, person
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import SystemIds
from quanyu.storage.state import State
from quanyu.storage.vault import Vault
from tests.unit.identity.support import Event, caller, door, load


@pytest.fixture
def identity(state: State, vault: Vault, clock: ManualClock) -> Identity:
    return door(state, vault, clock, SystemIds())


def test_batches_of_one_brand_at_once_make_each_identifier_and_person_once(identity: Identity, state: State) -> None:
    def run(worker: int) -> None:
        for turn in range(4):
            events = [
                Event(worker * 1000 + turn * 100 + i, (("member_no", f"M{i}"), ("phone", f"139123410{i:02d}")))
                for i in range(20)
            ]
            load(identity, events)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    with state.read() as tx:
        held = tx.execute(sa.select(identifier.c.person_id, sa.func.count()).group_by(identifier.c.person_id)).all()
        numbers = sorted(tx.execute(sa.select(person.c.person_id)).scalars())
    assert sorted(tuple(row) for row in held) == [(number, 2) for number in range(1, 21)]
    assert numbers == list(range(1, 21))


def test_a_merge_waits_for_readers_in_the_gate(identity: Identity, state: State) -> None:
    load(identity, [Event(1, (("phone", "13912340001"),)), Event(2, (("phone", "13912340002"),))])
    with state.read() as tx:
        publics = list(tx.execute(sa.select(person.c.public_id)).scalars())
    merged = threading.Event()

    def merge() -> None:
        identity.merge(caller(), publics, "same")
        merged.set()

    # The gate writes too: on SQLite the one write lock keeps the merge out, on PostgreSQL the gate's own lock.
    with state.write() as tx:
        identity.enter_gate(tx, 1)
        thread = threading.Thread(target=merge)
        thread.start()
        assert not merged.wait(0.5)
        active = tx.execute(sa.select(sa.func.count()).select_from(person).where(person.c.active)).scalar_one()
        assert active == 2
    thread.join(30)
    assert merged.is_set()
