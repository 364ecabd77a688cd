from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from quanyu.kernel.errors import Conflict, Invalid, NotFound
from quanyu.kernel.ids import SystemIds
from quanyu.kernel.label import Label
from quanyu.promotions.api import Promotions
from quanyu.promotions.contracts import Grant
from quanyu.promotions.redemption import Redemption, discount_of
from quanyu.promotions.tables import coupon, coupon_ledger
from tests.unit.doubles import BRAND, OWNER, People, Recorder, guide

NAME = Label("满100减10", "10 off 100")


@pytest.fixture
def people(state) -> People:
    return People(state)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def promotions(state, clock, people, recorder) -> Promotions:
    return Promotions(state, clock, SystemIds(), people, recorder)


def define(promotions: Promotions, **more) -> str:
    given = {"name": NAME, "kind": "amount_off", "value": 1000, "threshold": 10000, "total": None} | more
    return promotions.define(OWNER, **given).coupon_id


def give(promotions: Promotions, state, coupon_id: str, *grants: tuple[int, str]):
    with state.write() as tx:
        return promotions.issue(tx, 1, coupon_id, [Grant(anchor, effect) for anchor, effect in grants])


def test_the_total_is_given_in_order_and_never_exceeded(promotions, people, state) -> None:
    people.add((i, i) for i in range(1, 6))
    coupon_id = define(promotions, total=3)
    first = give(promotions, state, coupon_id, (1, "e1"), (2, "e2"))
    second = give(promotions, state, coupon_id, (3, "e3"), (4, "e4"), (5, "e5"))
    assert set(first.codes) == {"e1", "e2"}
    assert set(second.codes) == {"e3"}
    assert second.refused == {"e4": "coupon_sold_out", "e5": "coupon_sold_out"}
    assert promotions.definition(BRAND, coupon_id).issued == 3


def test_giving_for_the_same_effect_again_gives_the_same_code_and_counts_once(promotions, people, state) -> None:
    people.add([(1, 1)])
    coupon_id = define(promotions, total=1)
    first = give(promotions, state, coupon_id, (1, "e1"))
    assert give(promotions, state, coupon_id, (1, "e1"), (1, "e1")).codes == first.codes
    assert promotions.definition(BRAND, coupon_id).issued == 1


def test_the_limit_per_person_follows_the_person_through_a_merge(promotions, people, state) -> None:
    people.add([(1, 1), (2, 2)])
    coupon_id = define(promotions, per_person=1)
    assert give(promotions, state, coupon_id, (1, "e1"), (1, "e2")).refused == {"e2": "coupon_limit_reached"}
    people.move(2, 1)
    assert give(promotions, state, coupon_id, (2, "e3")).refused == {"e3": "coupon_limit_reached"}
    people.move(2, 2)
    assert set(give(promotions, state, coupon_id, (2, "e3")).codes) == {"e3"}


def test_nothing_is_given_when_the_transaction_fails(promotions, people, state) -> None:
    people.add([(1, 1)])
    coupon_id = define(promotions, total=1)

    def fail() -> None:
        with state.write() as tx:
            promotions.issue(tx, 1, coupon_id, [Grant(1, "e1")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert promotions.definition(BRAND, coupon_id).issued == 0
    assert set(give(promotions, state, coupon_id, (1, "e2")).codes) == {"e2"}


def test_taking_back_frees_the_total_and_leaves_redeemed_ones(promotions, people, state) -> None:
    people.add([(1, 1), (2, 2)])
    coupon_id = define(promotions, total=2)
    codes = give(promotions, state, coupon_id, (1, "e1"), (2, "e2")).codes
    promotions.redeem(OWNER, Redemption(codes["e1"], "o1", 20000, "store"), "k1")
    with state.write() as tx:
        assert promotions.void_effects(tx, ["e1", "e2", "e3"]) == 1
        assert promotions.void_effects(tx, ["e1", "e2"]) == 0
    kind = promotions.definition(BRAND, coupon_id)
    assert (kind.issued, kind.redeemed) == (1, 1)
    with pytest.raises(Conflict, match="coupon_void"):
        promotions.redeem(OWNER, Redemption(codes["e2"], "o2", 20000, "store"), "k2")


def test_a_coupon_is_redeemed_once_and_the_same_key_gets_the_same_answer(promotions, people, state, clock) -> None:
    people.add([(1, 1)])
    code = give(promotions, state, define(promotions), (1, "e1")).codes["e1"]
    given = Redemption(code, "o1", 12000, "store", "s1")
    first = promotions.redeem(OWNER, given, "k1")
    assert (first.status, first.discount, first.order_id, first.redeemed_at) == ("redeemed", 1000, "o1", clock.now())
    clock.advance(timedelta(days=40))
    assert promotions.redeem(OWNER, given, "k1") == first
    with pytest.raises(Conflict, match="coupon_already_redeemed"):
        promotions.redeem(OWNER, given, "k2")
    with pytest.raises(Conflict, match="idempotency_key_reused"):
        promotions.redeem(OWNER, Redemption(code, "o9", 12000, "store"), "k1")
    with state.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).where(coupon_ledger.c.kind == "redeem")).scalar_one() == 1


def test_the_server_clock_decides_expiry_and_the_threshold_holds(promotions, people, state, clock) -> None:
    people.add([(1, 1)])
    coupon_id = define(promotions, valid_days=7)
    code = give(promotions, state, coupon_id, (1, "e1")).codes["e1"]
    with pytest.raises(Invalid, match="coupon_below_threshold"):
        promotions.redeem(OWNER, Redemption(code, "o1", 9999, "store"), "k1")
    clock.advance(timedelta(days=7))
    with pytest.raises(Conflict, match="coupon_expired"):
        promotions.redeem(OWNER, Redemption(code, "o1", 12000, "store"), "k2")
    assert promotions.coupons_of(OWNER, "external_userid", "ww1:wm1")[0].status == "expired"
    # A refused redemption leaves nothing behind: neither counters nor its key.
    assert promotions.definition(BRAND, coupon_id).redeemed == 0
    clock.advance(timedelta(days=-1))
    assert promotions.redeem(OWNER, Redemption(code, "o1", 12000, "store"), "k1").status == "redeemed"


def test_a_guide_finds_and_redeems_only_for_own_customers(promotions, people, state) -> None:
    people.add([(1, 1)], staff="anna")
    people.add([(2, 2)], staff="ben")
    codes = give(promotions, state, define(promotions), (1, "e1"), (2, "e2")).codes
    assert [c.code for c in promotions.coupons_of(guide("anna"), "external_userid", "ww1:wm1")] == [codes["e1"]]
    assert promotions.coupons_of(guide("anna"), "external_userid", "ww1:wm2") == []
    with pytest.raises(NotFound):
        promotions.redeem(guide("anna"), Redemption(codes["e2"], "o", 20000, "store"), "k")


def test_a_send_token_narrows_to_the_coupons_of_that_send(promotions, people, state) -> None:
    people.add([(1, 1)])
    coupon_id = define(promotions, per_person=None)
    codes = give(promotions, state, coupon_id, (1, "e1"), (1, "e2")).codes
    promotions.use_sends(lambda tx, brand, token: sa.select(sa.literal("e2" if token == "b1" else "none")))
    listed = promotions.coupons_of(OWNER, "external_userid", "ww1:wm1", send="b1")
    assert [item.code for item in listed] == [codes["e2"]]
    assert promotions.coupons_of(OWNER, "external_userid", "ww1:wm1", send="b2") == []


@pytest.mark.parametrize(
    ("kind", "value", "amount", "off"),
    [
        ("amount_off", 1000, 20000, 1000),
        ("amount_off", 1000, 300, 300),
        ("percent_off", 15, 999, 149),
        ("percent_off", 100, 5, 5),
    ],
)
def test_the_discount_is_whole_and_never_more_than_the_order(promotions, kind, value, amount, off) -> None:
    made = promotions.definition(BRAND, define(promotions, kind=kind, value=value, threshold=0))
    assert discount_of(made, amount) == off


def test_events_are_told_once_even_when_told_twice(promotions, people, state, recorder) -> None:
    people.add([(1, 1)])
    code = give(promotions, state, define(promotions), (1, "e1")).codes["e1"]
    promotions.redeem(OWNER, Redemption(code, "o1", 12000, "mini_program"), "k1")
    assert promotions.publish_events() == 2
    assert promotions.publish_events() == 0
    with state.write() as tx:  # as after a crash between recording and noting that it was recorded
        tx.execute(sa.update(coupon_ledger).values(told=False))
    assert promotions.publish_events() == 2
    (issued,) = recorder.named("coupon_issued")
    (redeemed,) = recorder.named("coupon_redeemed")
    assert (issued.effect_id, issued.identifiers[0].value) == ("e1", "ww1:wm1")
    assert (redeemed.effect_id, redeemed.order_id, redeemed.amount) == ("e1", "o1", 1000)
    assert code not in repr(recorder.events)


def test_parallel_giving_never_oversells(promotions, people, state) -> None:
    people.add((i, i) for i in range(1, 201))
    coupon_id = define(promotions, total=50)
    given: list[str] = []
    lock = threading.Lock()

    def work(part: int) -> None:
        for start in range(part, 200, 40):
            result = give(promotions, state, coupon_id, *((i + 1, f"e{i}") for i in range(start, min(start + 10, 200))))
            with lock:
                given.extend(result.codes)

    threads = [threading.Thread(target=work, args=(part * 10,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with state.read() as tx:
        stored = tx.execute(sa.select(sa.func.count()).select_from(coupon)).scalar_one()
    assert len(given) == stored == promotions.definition(BRAND, coupon_id).issued == 50


def test_parallel_redemptions_of_one_coupon_succeed_once(promotions, people, state) -> None:
    people.add([(1, 1)])
    coupon_id = define(promotions)
    code = give(promotions, state, coupon_id, (1, "e1")).codes["e1"]
    outcomes: list[str] = []
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        barrier.wait()
        try:
            promotions.redeem(OWNER, Redemption(code, f"o{number}", 12000, "store"), f"k{number}")
            outcomes.append("redeemed")
        except Conflict as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["coupon_already_redeemed"] * 7 + ["redeemed"]
    assert promotions.definition(BRAND, coupon_id).redeemed == 1
