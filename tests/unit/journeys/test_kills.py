"""The process dies at every commit, before it and after it: nothing is lost, given or sent twice."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest

from quanyu.kernel.label import Label
from quanyu.messaging.tables import cap_use, effect
from quanyu.promotions.tables import coupon
from tests.unit.doubles import BRAND, OWNER
from tests.unit.journeys.reference import Happening
from tests.unit.journeys.test_graph import edge, node

PEOPLE = 4


class Killed(BaseException):
    """kill -9, as far as a process can feel it."""


def kill_at(state, commit: int, when: str) -> dict[str, int]:
    """Let the `commit`-th write transaction end the process: before it commits, or just after."""
    seen = {"commits": 0}
    real = type(state).write

    @contextmanager
    def write():
        seen["commits"] += 1
        mine = seen["commits"]
        with real(state) as tx:
            yield tx
            if mine == commit and when == "before":
                raise Killed
        if mine == commit and when == "after":
            raise Killed

    state.write = write
    return seen


def play(world, events) -> None:
    """Everything that a worker does, once round."""
    world.arrive(*events)
    while world.journeys.advance(3):
        pass
    dispatcher = world.messaging._dispatcher
    for name in dispatcher.due(world.clock.now()):
        # `run` logs and survives errors; a kill is no error.
        dispatcher.run(name, 100)
    world.messaging.publish_events()
    world.promotions.publish_events()


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_any_commit_changes_nothing_in_the_end(world, when: str) -> None:
    world.grow(PEOPLE * 30)
    made = world.promotions.define(OWNER, name=Label("券", "C"), kind="amount_off", value=1, per_person=None)
    graph = {
        "nodes": [
            node("t", "trigger", on="event", event="cart"),
            node("b", "branch", tree={"modulo": 1}),
            node("s", "send", connection="one", template_id=world.template, coupon_id=made.coupon_id),
        ],
        "edges": [edge("t", "b"), edge("b", "s", "yes")],
    }
    journey_id = world.publish(graph, daily_cap=1)
    person = 0
    for commit in range(1, 30):
        events = []
        for _ in range(PEOPLE):
            person += 1
            events.append(Happening(f"e{person}", "cart", person, world.clock.now()))
        seen = kill_at(world.state, commit, when)
        killed = False
        try:
            play(world, events)
        except Killed:
            killed = True
        del world.state.write
        _restart(world, events)
        if not killed:
            assert commit > 6, f"only {seen['commits']} commits: the play does nothing"
            break
    else:
        raise AssertionError("the play never ended")
    _check(world, journey_id, made.coupon_id, person)


def _restart(world, events) -> None:
    """A new process: the log is read again from where it was, leases run out, everything goes on."""
    world.clock.advance(timedelta(minutes=3))
    for _ in range(8):
        world.messaging.recover()
        play(world, events)
        world.clock.advance(timedelta(minutes=2))


def _check(world, journey_id: str, coupon_id: str, people: int) -> None:
    world.check_invariants(journey_id)
    found = world.rows(effect)
    assert len(found) == len(world.participations(journey_id)) == people
    received = world.provider.received
    assert len(received) == len(set(received))
    by_status = {row.effect_id: row.status for row in found}
    assert set(by_status.values()) <= {"accepted", "unknown"}
    # Unknown and not received: killed between the gate and the call. Never "accepted" without having been received.
    assert {each for each, status in by_status.items() if status == "accepted"} == set(received)
    codes = {row.effect_id for row in world.rows(coupon)}
    assert codes == set(by_status)
    assert world.promotions.definition(BRAND, coupon_id).issued == people
    assert {row.effect_id for row in world.rows(cap_use)} == set(by_status)
    told = [event.effect_id for event in world.recorder.named("message_submitted")]
    assert len(told) == len(set(told))
    assert set(received) <= set(told)
    assert len(world.recorder.named("coupon_issued")) == people
