"""1,000 withdrawals racing 10,000 sends: nothing is submitted after the withdrawal's commit."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from quanyu.messaging import dispatch, gate
from quanyu.messaging.tables import effect
from tests.unit.messaging.conftest import TestChannel

PEOPLE = 1000
SENDS = 10_000


@pytest.mark.slow
def test_no_submission_commits_after_a_withdrawal(make_world, monkeypatch) -> None:
    world = make_world(channel=type("Small", (TestChannel,), {"max_batch": 40}))
    world.grow(PEOPLE)
    world.wish(*(world.intent(1 + i % PEOPLE) for i in range(SENDS)))
    withdrawn_at: dict[int, float] = {}
    gated_at: dict[str, float] = {}
    violations: list[str] = []
    dispatcher, lock = world.messaging._dispatcher, threading.Lock()

    def behave(batch):
        # A withdrawal whose commit had returned before this batch's `submitted` was about to commit came first.
        with lock:
            for message in batch.messages:
                done = withdrawn_at.get(int(message.address.removeprefix("ww1:wm")))
                if done is not None and done < gated_at[batch.token]:
                    violations.append(message.effect_id)

    world.provider.behave = behave

    def timed_gate(*args):
        passed = gate.pass_gate(*args)
        if passed is not None:
            time.sleep(0.002)  # widen the moment between reading consent and committing
            gated_at[passed.batch.token] = time.monotonic()
        return passed

    monkeypatch.setattr(dispatch, "pass_gate", timed_gate)
    order = list(range(1, PEOPLE + 1))
    random.Random(5).shuffle(order)

    def withdraw(people: list[int]) -> None:
        for person in people:
            world.consents.withdraw([person], channel=random.choice(["test", "any"]))
            with lock:
                withdrawn_at[person] = time.monotonic()

    def work() -> None:
        while dispatcher.run("one", 500):
            pass

    with ThreadPoolExecutor(8) as pool:
        workers = [pool.submit(work) for _ in range(3)]
        racers = [pool.submit(withdraw, order[part::4]) for part in range(4)]
        for each in [*workers, *racers]:
            each.result()
    work()
    assert violations == []
    with world.state.read() as tx:
        found = dict(tx.execute(sa.select(effect.c.status, sa.func.count()).group_by(effect.c.status)).all())
    assert sum(found.values()) == SENDS
    assert set(found) <= {"accepted", "suppressed"}
    # A race that one side has won before it began proves nothing.
    assert found["accepted"] > 100
    assert found["suppressed"] > 100
    received = world.provider.received
    assert len(received) == len(set(received)) == found["accepted"]
