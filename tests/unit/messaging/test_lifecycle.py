from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from quanyu.kernel.errors import Conflict, NotFound
from quanyu.kernel.label import Label
from quanyu.messaging.api import CardTemplate, SendFilter
from quanyu.messaging.contracts import PersonCard, Stop
from quanyu.messaging.tables import cap_use
from quanyu.promotions.contracts import Grant
from quanyu.sdk import Answer, Delivery, NotTaken, OutcomeUnknown, PersonQuota, Problem
from tests.unit.doubles import BRAND, OWNER, guide
from tests.unit.messaging.conftest import OOPS, TestChannel


def test_a_wish_is_sent_once_and_its_way_is_kept(world) -> None:
    world.grow(1)
    (effect,) = world.wish(world.intent(1))
    world.wish(*[world.intent(1, effect_id=effect)] * 2)
    assert world.messaging.dispatch() == 1
    assert world.messaging.dispatch() == 0
    assert world.provider.received == [effect]
    assert world.provider.batches[0].messages[0].address == "ww1:wm1"
    assert world.status(effect) == [("accepted", None)]
    assert world.history(effect) == ["intended", "claimed", "submitted", "accepted"]


def test_equal_content_and_sender_are_one_call(world) -> None:
    world.grow(5)
    named = world.messaging.templates.create(BRAND, "Named", "{{name}}，你好", None).template_id
    world.cards.known = {
        1: PersonCard("p1", "小王", staff_id="anna"),
        2: PersonCard("p2", "小王", staff_id="anna"),
        3: PersonCard("p3", "小王", staff_id="ben"),
        4: PersonCard("p4", "小李", staff_id="anna"),
    }
    world.wish(*(world.intent(person, template_id=named) for person in range(1, 6)))
    world.messaging.dispatch()
    calls = sorted((batch.text, batch.sender or "", len(batch.messages)) for batch in world.provider.batches)
    assert calls == [
        ("小李，你好", "anna", 1),
        ("小王，你好", "anna", 2),
        ("小王，你好", "ben", 1),
        ("顾客，你好", "", 1),
    ]


def test_a_card_carries_the_send_token_and_the_coupon_name(world) -> None:
    world.grow(1)
    coupon = world.promotions.define(OWNER, name=Label("满100减10", "10 off"), kind="amount_off", value=1000)
    template = world.messaging.templates.create(
        BRAND, "Card", "送你{{coupon.name}}", CardTemplate("{{coupon.name}}", "pages/coupon")
    )
    with world.state.write() as tx:
        code = world.promotions.issue(tx, 1, coupon.coupon_id, [Grant(1, "e1")]).codes["e1"]
        world.messaging.intend(
            tx,
            1,
            [
                world.intent(
                    1, effect_id="e1", template_id=template.template_id, coupon_id=coupon.coupon_id, coupon_code=code
                )
            ],
        )
    world.messaging.dispatch()
    (batch,) = world.provider.batches
    assert (batch.text, batch.card.title) == ("送你满100减10", "满100减10")
    assert batch.card.page == f"pages/coupon?send={batch.token}"
    with world.state.read() as tx:
        assert tx.execute(world.messaging.effects_of_send(tx, 1, batch.token)).scalars().all() == ["e1"]
        assert tx.execute(world.messaging.effects_of_send(tx, 2, batch.token)).scalars().all() == []


def test_every_stop_has_its_reason_and_the_coupon_goes_back(world) -> None:
    world.grow(4)
    world.people.add([(9, 9)], namespace="phone")
    world.consents.grant([9])
    world.consents.withdraw([2], channel="any")
    coupon = world.promotions.define(OWNER, name=Label("券", "C"), kind="amount_off", value=1, total=9)
    with world.state.write() as tx:
        code = world.promotions.issue(tx, 1, coupon.coupon_id, [Grant(2, "denied")]).codes["denied"]
    denied, expired, nowhere, gone, ended, fine, no_template = world.wish(
        world.intent(2, effect_id="denied", coupon_id=coupon.coupon_id, coupon_code=code),
        world.intent(1, expires_at=world.clock.now()),
        world.intent(9),
        world.intent(77),
        world.intent(3, journey_id="ended"),
        world.intent(4),
        world.intent(4, template_id="tpl_gone"),
    )
    world.messaging.on_last_look(
        lambda tx, effects: {e.effect_id: Stop("journey_ended") for e in effects if e.journey_id == "ended"}
    )
    world.messaging.dispatch()
    assert world.status(denied, expired, nowhere, gone, ended, fine, no_template) == [
        ("suppressed", "consent_missing"),
        ("suppressed", "expired"),
        ("suppressed", "no_address"),
        ("suppressed", "erased"),
        ("suppressed", "journey_ended"),
        ("accepted", None),
        ("suppressed", "template_missing"),
    ]
    assert world.provider.received == [fine]
    assert world.promotions.definition(BRAND, coupon.coupon_id).issued == 0
    by_status, suppressed, unknown = world.messaging.summary(BRAND)
    assert {each.key: each.count for each in by_status if each.count} == {"suppressed": 6, "accepted": 1}
    assert sorted(each.key for each in suppressed) == sorted(
        ["consent_missing", "expired", "no_address", "erased", "journey_ended", "template_missing"]
    )
    assert unknown == 0


def test_the_daily_cap_counts_the_person_and_the_brands_day(world) -> None:
    world.grow(2)
    first, second = world.wish(world.intent(1, daily_cap=1, priority=10), world.intent(1, daily_cap=1, priority=90))
    world.messaging.dispatch()
    assert world.status(first, second) == [("suppressed", "daily_cap"), ("accepted", None)]
    world.people.move(2, 1)  # merged: the day's message of one is the day's message of both
    (merged,) = world.wish(world.intent(2, daily_cap=1))
    world.messaging.dispatch()
    assert world.status(merged) == [("suppressed", "daily_cap")]
    # 01:00 UTC is 09:00 in Shanghai: the next day begins 15 hours later.
    world.clock.advance(timedelta(hours=14, minutes=59))
    (same_day,) = world.wish(world.intent(2, daily_cap=1))
    world.messaging.dispatch()
    world.clock.advance(timedelta(minutes=1))
    (next_day,) = world.wish(world.intent(2, daily_cap=1))
    world.messaging.dispatch()
    assert world.status(same_day, next_day) == [("suppressed", "daily_cap"), ("accepted", None)]


def test_service_messages_do_not_use_up_marketing(world) -> None:
    world.grow(1)
    world.consents.grant([1], purpose="service")
    world.wish(world.intent(1, category="service", purpose="service", daily_cap=1))
    world.messaging.dispatch()
    (effect,) = world.wish(world.intent(1, daily_cap=1))
    world.messaging.dispatch()
    assert world.status(effect) == [("accepted", None)]


def test_the_providers_quota_is_counted_per_month(make_world) -> None:
    channel = type("Q", (TestChannel,), {"person_quota": PersonQuota("month", lambda day: 2 if day.month == 3 else 1)})
    world = make_world(channel=channel)
    world.grow(1)
    for _ in range(2):
        world.wish(world.intent(1))
        world.messaging.dispatch()
        world.clock.advance(timedelta(days=1))
    (third,) = world.wish(world.intent(1))
    world.messaging.dispatch()
    assert world.status(third) == [("suppressed", "provider_quota")]
    world.clock.advance(timedelta(days=29))
    assert world.clock.now().astimezone().date() >= date(2026, 4, 1)
    (april,) = world.wish(world.intent(1))
    world.messaging.dispatch()
    assert world.status(april) == [("accepted", None)]


def test_quiet_hours_defer_and_the_message_goes_when_they_end(world) -> None:
    world.grow(1)
    world.clock.advance(timedelta(hours=14))  # 23:00 in Shanghai
    (effect,) = world.wish(world.intent(1, quiet=("22:00", "08:00")))
    world.messaging.dispatch()
    view = world.look(effect)
    assert (view.status, view.reason) == ("deferred", "quiet_hours")
    assert view.wake_at == world.clock.now() + timedelta(hours=9)
    assert world.messaging.dispatch() == 0
    world.clock.advance(timedelta(hours=9))
    world.messaging.dispatch()
    assert world.status(effect) == [("accepted", None)]


def test_a_paused_journey_holds_its_sends(world) -> None:
    world.grow(1)
    paused = {"now": True}
    until = world.clock.now() + timedelta(minutes=5)
    world.messaging.on_last_look(
        lambda tx, effects: {e.effect_id: Stop("journey_paused", until) for e in effects} if paused["now"] else {}
    )
    (effect,) = world.wish(world.intent(1))
    world.messaging.dispatch()
    assert world.status(effect) == [("deferred", "journey_paused")]
    paused["now"] = False
    world.clock.advance(timedelta(minutes=5))
    world.messaging.dispatch()
    assert world.status(effect) == [("accepted", None)]


def test_ghosts_pass_the_same_checks_and_never_go(world) -> None:
    world.grow(2)
    world.consents.withdraw([2])
    ghost, second, denied = world.wish(
        world.intent(1, held_out=True, daily_cap=1, priority=60),
        world.intent(1, held_out=True, daily_cap=1),
        world.intent(2, held_out=True),
    )
    (real,) = world.wish(world.intent(1, daily_cap=1, priority=1))
    world.messaging.dispatch()
    assert world.status(ghost, second, denied) == [
        ("held_out", None),
        ("suppressed", "daily_cap"),
        ("suppressed", "consent_missing"),
    ]
    assert world.status(real) == [("accepted", None)]  # a ghost uses up nothing of the real person
    assert world.provider.received == [real]


def test_a_withdrawal_between_claim_and_gate_wins(world) -> None:
    world.grow(2)
    kept, stopped = world.wish(world.intent(1, daily_cap=1), world.intent(2, daily_cap=1))
    world.messaging._dispatcher.point = lambda name: world.consents.withdraw([2]) if name == "claimed" else None
    world.messaging.dispatch()
    assert world.provider.received == [kept]
    assert world.status(stopped) == [("suppressed", "consent_missing")]
    with world.state.read() as tx:
        assert tx.execute(sa.select(cap_use.c.effect_id)).scalars().all() == [kept]


def test_erasure_between_claim_and_gate_wins(world) -> None:
    world.grow(1)
    (effect,) = world.wish(world.intent(1))
    world.messaging._dispatcher.point = lambda name: world.people.forget(1) if name == "claimed" else None
    world.messaging.dispatch()
    assert world.provider.batches == []
    assert world.status(effect) == [("suppressed", "erased")]


def test_refused_people_are_rejected_with_the_providers_words(world) -> None:
    world.grow(2)
    stranger = Problem("84061", Label("不是好友", "Not a contact"), Label("请先加好友", "Add them first"))
    first, second = world.wish(world.intent(1), world.intent(2))
    world.provider.behave = lambda batch: Answer("ref", {second: stranger})
    world.messaging.dispatch()
    assert world.status(first, second) == [("accepted", None), ("rejected", "test:84061")]
    assert world.look(second).reason_label == Label("不是好友。请先加好友", "Not a contact. Add them first")
    with world.state.read() as tx:
        assert tx.execute(sa.select(cap_use.c.effect_id)).scalars().all() == [first]


def test_what_was_certainly_not_taken_is_tried_again_with_a_growing_pause(world) -> None:
    world.grow(1)
    (effect,) = world.wish(world.intent(1))
    world.provider.behave = _raise(NotTaken(OOPS, transient=True))
    pauses = []
    for _ in range(5):
        world.messaging.dispatch()
        view = world.look(effect)
        assert (view.status, view.reason) == ("deferred", "provider_busy")
        pauses.append((view.wake_at - world.clock.now()).total_seconds())
        world.clock.set(max(view.wake_at, world.clock.now() + timedelta(minutes=20)))
    assert pauses == [3.75, 7.5, 15, 30, 60]
    world.provider.behave = None
    world.messaging.dispatch()
    assert world.status(effect) == [("accepted", None)]


def test_what_will_never_be_taken_is_rejected(world) -> None:
    world.grow(2)
    effects = world.wish(world.intent(1), world.intent(2))
    world.provider.behave = _raise(NotTaken(OOPS))
    world.messaging.dispatch()
    assert world.status(*effects) == [("rejected", "test:500")] * 2
    assert world.messaging.dispatch() == 0


def test_an_unknown_outcome_is_asked_for_and_never_sent_again(world) -> None:
    world.grow(1)
    (effect,) = world.wish(world.intent(1))
    world.provider.behave = _raise(OutcomeUnknown(OOPS))
    world.messaging.dispatch()
    assert world.status(effect) == [("unknown", "unanswered")]
    assert [effect_id for effect_id, _ in world.in_flight(1)] == [effect]
    assert world.in_flight(1, "sms") == []
    world.provider.kept[world.provider.batches[0].token] = Answer("found")
    world.clock.advance(timedelta(seconds=31))
    world.messaging.dispatch()
    assert world.status(effect) == [("accepted", None)]
    assert len(world.provider.batches) == 1


def test_what_the_provider_does_not_have_waits_for_a_person_unless_it_is_service(world) -> None:
    world.grow(2)
    world.consents.grant([2], purpose="service")
    marketing, service = world.wish(world.intent(1), world.intent(2, category="service", purpose="service"))
    world.provider.behave = _raise(OutcomeUnknown(OOPS))
    world.messaging.dispatch()
    world.provider.behave = None
    for _ in range(4):
        world.clock.advance(timedelta(minutes=5))
        world.messaging.dispatch()
    assert world.status(marketing, service) == [("unknown", "provider_has_not"), ("accepted", None)]
    assert world.provider.received.count(marketing) == 1
    with pytest.raises(Conflict, match="send_not_unknown"):
        world.messaging.resolve(OWNER, service, "resend", "")
    world.messaging.resolve(OWNER, marketing, "resend", "asked the guide")
    world.messaging.dispatch()
    assert world.status(marketing) == [("accepted", None)]
    assert world.provider.received.count(marketing) == 2


def test_a_fault_in_a_plugin_is_unknown_not_lost(world) -> None:
    world.grow(1)
    (effect,) = world.wish(world.intent(1))
    world.provider.behave = _raise(KeyError("x"))
    world.messaging.dispatch()
    assert world.status(effect) == [("unknown", "unanswered")]


def test_an_idempotent_provider_is_simply_asked_again_with_the_same_token(make_world) -> None:
    world = make_world(channel=type("I", (TestChannel,), {"idempotent": True, "capabilities": frozenset()}))
    world.grow(1)
    (effect,) = world.wish(world.intent(1))
    world.provider.behave = _raise(OutcomeUnknown(OOPS))
    world.messaging.dispatch()
    world.provider.behave = None
    world.clock.advance(timedelta(minutes=1))
    world.messaging.dispatch()
    assert world.status(effect) == [("accepted", None)]
    assert len(world.provider.batches) == 2
    assert len({batch.token for batch in world.provider.batches}) == 1


def test_a_withdrawal_stops_the_second_attempt_and_the_first_stays_unknown(make_world) -> None:
    world = make_world(channel=type("I", (TestChannel,), {"idempotent": True, "capabilities": frozenset()}))
    world.grow(2)
    kept, stopped = world.wish(world.intent(1), world.intent(2))
    world.provider.behave = _raise(OutcomeUnknown(OOPS))
    world.messaging.dispatch()
    world.provider.behave = None
    world.consents.withdraw([2])
    world.clock.advance(timedelta(minutes=1))
    world.messaging.dispatch()
    assert world.status(kept, stopped) == [("accepted", None), ("unknown", "cannot_tell")]
    assert [len(batch.messages) for batch in world.provider.batches] == [2, 1]


def test_a_killed_worker_leaves_nothing_undecided(world) -> None:
    world.grow(2)
    claimed, submitted = world.wish(world.intent(1, priority=1, daily_cap=1), world.intent(2))

    class Killed(BaseException):
        pass

    def die(at: str):
        def point(name: str) -> None:
            if name == at:
                raise Killed

        return point

    dispatcher = world.messaging._dispatcher
    dispatcher.point = die("claimed")
    with pytest.raises(Killed):
        dispatcher.run("one", 1)  # the one with the higher priority
    assert world.status(submitted) == [("claimed", None)]
    assert world.messaging.recover() == 0  # its lease has not ended
    world.clock.advance(timedelta(minutes=3))
    assert world.messaging.recover() == 1
    assert world.status(submitted) == [("intended", "worker_lost")]
    dispatcher.point = die("gated")
    with pytest.raises(Killed):
        dispatcher.run("one", 1)
    world.clock.advance(timedelta(minutes=3))
    assert world.messaging.recover() == 1
    assert world.status(submitted) == [("unknown", "worker_lost")]
    dispatcher.point = lambda name: None
    for _ in range(4):
        world.clock.advance(timedelta(minutes=5))
        world.messaging.dispatch()
    assert world.status(claimed, submitted) == [("accepted", None), ("unknown", "provider_has_not")]
    assert world.provider.received == [claimed]


def test_a_worker_that_comes_back_late_is_fenced_off(world) -> None:
    world.grow(1)
    (effect,) = world.wish(world.intent(1))

    def point(name: str) -> None:
        if name == "claimed" and not taken:
            taken.append(name)
            world.clock.advance(timedelta(minutes=3))
            world.messaging.recover()
            world.messaging._dispatcher.run("one", 10)

    taken: list[str] = []
    world.messaging._dispatcher.point = point
    world.messaging._dispatcher.run("one", 10)
    assert world.provider.received == [effect]
    assert world.history(effect).count("submitted") == 1


def test_results_are_polled_and_late_refusals_reject(world) -> None:
    world.grow(3)
    effects = world.wish(*(world.intent(person, daily_cap=1) for person in (1, 2, 3)))
    world.messaging.dispatch()
    reference = f"ref-{world.provider.batches[0].token}"
    full = Problem("3", Label("超限", "Over the limit"), Label("下月再发", "Send next month"))
    arrived = world.clock.now() + timedelta(seconds=2)
    world.provider.deliveries[reference] = [
        Delivery("ww1:wm1", "delivered", arrived),
        Delivery("ww1:wm2", "failed", None, full),
        Delivery("ww1:wm3", "pending"),
    ]
    world.clock.advance(timedelta(seconds=6))
    world.messaging.dispatch()
    assert world.look(effects[0]).delivered_at == arrived
    assert world.status(*effects) == [("accepted", None), ("rejected", "test:3"), ("accepted", None)]
    world.provider.deliveries[reference][2] = Delivery("ww1:wm3", "delivered", arrived)
    world.clock.advance(timedelta(seconds=60))
    world.messaging.dispatch()
    assert world.look(effects[2]).delivered_at == arrived
    world.clock.advance(timedelta(days=1))
    assert world.messaging.dispatch() == 0  # everything is known: no more polling


def test_lists_counts_and_single_sends_keep_to_the_scope(world) -> None:
    world.people.add([(1, 1)], staff="anna")
    world.people.add([(2, 2)], staff="ben")
    world.consents.grant([1, 2])
    mine, other = world.wish(world.intent(1), world.intent(2))
    world.messaging.dispatch()
    scope = guide("anna").scope
    found, _, total = world.messaging.page(scope, SendFilter())
    assert ([view.effect_id for view in found], total) == ([mine], 1)
    by_status, _, _ = world.messaging.summary(scope)
    assert {each.key: each.count for each in by_status if each.count} == {"accepted": 1}
    with pytest.raises(NotFound):
        world.messaging.send(scope, other)


def test_pages_are_stable_and_complete(world) -> None:
    world.grow(7)
    effects = world.wish(*(world.intent(person) for person in range(1, 8)))
    seen, cursor = [], None
    while True:
        found, cursor, total = world.messaging.page(BRAND, SendFilter(status="intended"), cursor, 3)
        assert total == 7
        seen += [view.effect_id for view in found]
        if cursor is None:
            break
    assert sorted(seen) == sorted(effects)
    assert len(seen) == 7


def test_changes_are_told_to_history_once(world) -> None:
    world.grow(2)
    world.consents.withdraw([2])
    sent, stopped = world.wish(world.intent(1, journey_id="j1", node_id="n1", version=1), world.intent(2))
    world.messaging.dispatch()
    assert world.messaging.publish_events() == 3
    assert world.messaging.publish_events() == 0
    assert [event.effect_id for event in world.recorder.named("message_submitted")] == [sent]
    (accepted,) = world.recorder.named("message_accepted")
    assert accepted.channel == "test"
    assert accepted.identifiers[0].value == "ww1:wm1"
    assert accepted.properties["journey_id"] == "j1"
    (suppressed,) = world.recorder.named("message_suppressed")
    assert (suppressed.effect_id, suppressed.properties["reason"]) == (stopped, "consent_missing")


def _raise(error: Exception):
    def behave(_batch):
        raise error

    return behave
