"""Withdrawals and sends at the same time, through the doors of the product as it is put together."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from quanyu.kernel.errors import Conflict
from quanyu.messaging import dispatch, gate
from quanyu.messaging.api import SendFilter
from quanyu.messaging.tables import effect
from quanyu.promotions.contracts import Grant
from quanyu.promotions.redemption import Redemption
from tests.unit.messaging.composed import Composed

PEOPLE = 1000
SENDS = 10_000


@pytest.fixture
def world(installed_url: str, tmp_path: Path) -> Iterator[Composed]:
    made = Composed(tmp_path, installed_url, max_batch=40)
    yield made
    made.close()


@pytest.mark.slow
def test_no_submission_commits_after_a_withdrawal(world: Composed, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 withdrawals through consent's API race 10,000 sends of two workers: 0 submitted after the commit."""
    world.grow(PEOPLE)
    world.wish(*(world.intent(i % PEOPLE) for i in range(SENDS)))
    number = {world.address(n): n for n in range(PEOPLE)}
    withdrawn_at: dict[int, float] = {}
    gated_at: dict[str, float] = {}

    def timed_gate(*args, **more):
        passed = gate.pass_gate(*args, **more)
        if passed is not None:
            # Taken before `submitted` is committed: a withdrawal whose commit had returned by then came first.
            gated_at[passed.batch.token] = time.monotonic()
        return passed

    monkeypatch.setattr(dispatch, "pass_gate", timed_gate)
    order = list(range(PEOPLE))
    random.Random(5).shuffle(order)
    started = threading.Event()
    world.provider.on_send = lambda _: started.set()

    def withdraw(people: list[int]) -> None:
        assert started.wait(60)
        for person in people:
            world.withdraw(person, channel=random.choice(["wecom", "any"]))
            withdrawn_at[person] = time.monotonic()

    def work(messaging) -> None:
        while messaging.dispatch(limit=200):
            pass

    workers = [world.product.messaging, world.worker().messaging]
    with ThreadPoolExecutor(8) as pool:
        racers = [pool.submit(withdraw, order[part::4]) for part in range(4)]
        for each in [*racers, *(pool.submit(work, one) for one in workers)]:
            each.result()
    work(workers[0])

    late, raced = [], 0
    for batch in world.provider.batches:
        for message in batch.messages:
            done = withdrawn_at[number[message.address]]
            raced += done > gated_at[batch.token]
            late += [message.effect_id] if done < gated_at[batch.token] else []
    assert late == [], "submitted after the withdrawal's commit"
    with world.product.state.read() as tx:
        columns = (effect.c.status, effect.c.reason)
        found = {tuple(row)[:2]: row[2] for row in tx.execute(sa.select(*columns, sa.func.count()).group_by(*columns))}
    assert set(found) == {("accepted", None), ("suppressed", "consent_missing")}
    assert sum(found.values()) == SENDS
    # A race that one side has won before it began proves nothing.
    assert found["accepted", None] == raced > 100
    assert found["suppressed", "consent_missing"] > 100
    received = world.provider.received
    assert len(received) == len(set(received)) == found["accepted", None]


@pytest.mark.parametrize("point", ["before the claim", "claimed"])
@pytest.mark.parametrize("channel", ["wecom", "any"])
def test_who_withdraws_before_the_submission_is_not_written_to(world: Composed, point: str, channel: str) -> None:
    world.grow(3)
    effects = world.wish(*(world.intent(person) for person in range(3)))
    reached: list[str] = []

    def at(name: str) -> None:
        reached.append(name)
        if name == point:
            world.withdraw(1, channel)

    world.product.messaging._dispatcher.point = at
    if point == "before the claim":
        world.withdraw(1, channel)
    world.product.messaging.dispatch()
    assert reached == ["claimed", "gated", "called"]
    assert [world.status(each) for each in effects] == [
        ("accepted", None),
        ("suppressed", "consent_missing"),
        ("accepted", None),
    ]
    assert sorted(world.provider.received) == sorted([effects[0], effects[2]])


@pytest.mark.parametrize(("channel", "late"), [("wecom", True), ("any", True), ("sms", False)])
def test_a_withdrawal_says_which_sends_it_came_too_late_for(world: Composed, channel: str, late: bool) -> None:
    world.grow(2)
    effects = world.wish(*(world.intent(person) for person in range(2)))
    told = []

    def at(name: str) -> None:
        if name == "gated":
            told.append(world.withdraw(0, channel).too_late)

    world.product.messaging._dispatcher.point = at
    world.product.messaging.dispatch()
    ((*found,),) = told
    assert [effect_id for effect_id, _ in found] == ([effects[0]] if late else [])
    assert sorted(world.provider.received) == sorted(effects)
    # Answered by now: there is nothing left that could still be on its way.
    assert world.withdraw(0, channel).too_late == ()


@pytest.mark.parametrize("point", ["before the claim", "claimed"])
def test_the_coupon_of_a_suppressed_send_is_void(world: Composed, point: str) -> None:
    """Taken back into the stock, shown as void on the sends page, and redeemable by nobody."""
    world.grow(2)
    promotions, messaging = world.product.promotions, world.product.messaging
    coupon_id = world.coupon(total=2)
    grants = [Grant(anchor, f"ef_{n}") for n, anchor in enumerate(world.anchors)]
    with world.product.state.write() as tx:
        codes = promotions.issue(tx, world.scope.brand_id, coupon_id, grants).codes
    world.wish(
        *(world.intent(n, effect_id=f"ef_{n}", coupon_id=coupon_id, coupon_code=codes[f"ef_{n}"]) for n in range(2))
    )
    if point == "before the claim":
        world.withdraw(0)
    messaging._dispatcher.point = lambda name: world.withdraw(0) if name == point else None
    messaging.dispatch()
    sends = {view.effect_id: view for view in messaging.page(world.scope, SendFilter())[0]}
    assert [(sends[each].status, sends[each].coupon_status) for each in ("ef_0", "ef_1")] == [
        ("suppressed", "void"),
        ("accepted", "issued"),
    ]
    assert messaging.send(world.scope, "ef_0")[0].coupon_status == "void"
    assert promotions.definition(world.scope, coupon_id).issued == 1
    with pytest.raises(Conflict, match="coupon_void"):
        promotions.redeem(world.caller, Redemption(codes["ef_0"], "o1", 100, "store", None), "k1")
    paid = promotions.redeem(world.caller, Redemption(codes["ef_1"], "o1", 100, "store", None), "k2")
    assert paid.status == "redeemed"
    assert messaging.send(world.scope, "ef_1")[0].coupon_status == "redeemed"
