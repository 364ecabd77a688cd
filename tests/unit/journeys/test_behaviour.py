from __future__ import annotations

from datetime import timedelta

import pytest
from pyroaring import BitMap

from quanyu.audiences.contracts import AUDIENCE_CHANGED
from quanyu.journeys.tables import journey, participation, transition
from quanyu.kernel.errors import Conflict, Invalid, NotFound, Stale, Unavailable
from quanyu.kernel.label import Label
from quanyu.messaging.tables import effect
from quanyu.promotions.tables import coupon
from quanyu.storage.outbox import publish
from tests.unit.doubles import BRAND, OWNER, guide
from tests.unit.journeys.reference import Happening
from tests.unit.journeys.test_graph import edge, node


def event(world, number: int, person: int, name: str = "cart", **more) -> Happening:
    return Happening(f"e{number}", name, person, more.pop("at", world.clock.now()), **more)


def simple(world, *, coupon_id: str | None = None, wait: int = 0, goal: bool = True) -> dict:
    graph = {
        "nodes": [
            node("t", "trigger", on="event", event="cart"),
            node("w", "wait", mode="duration", value=wait, unit="hours"),
            node("s", "send", connection="one", template_id=world.template, coupon_id=coupon_id),
        ],
        "edges": [edge("t", "w"), edge("w", "s")],
    }
    if goal:
        graph["nodes"].append(node("g", "goal", event="paid", within_days=2))
        graph["edges"].append(edge("s", "g"))
    return graph


def effects(world, **where) -> list:
    return world.rows(effect, *(effect.c[name] == value for name, value in where.items()))


def test_the_message_and_its_coupon_are_one_transaction(world) -> None:
    world.grow(3)
    made = world.promotions.define(OWNER, name=Label("券", "C"), kind="amount_off", value=100, total=2)
    journey_id = world.publish(simple(world, coupon_id=made.coupon_id, goal=False))
    world.arrive(*(event(world, i, i) for i in (1, 2, 3)))
    world.settle()
    by_person = {row.anchor_id: row for row in effects(world)}
    assert [by_person[i].status for i in (1, 2, 3)] == ["intended", "intended", "suppressed"]
    assert by_person[3].reason == "coupon_sold_out"
    codes = {row.effect_id: row.code for row in world.rows(coupon)}
    assert {by_person[i].effect_id: by_person[i].coupon_code for i in (1, 2)} == codes
    _, report = world.journeys.report(BRAND, journey_id)
    assert (report.nodes["s"].intended, report.nodes["s"].reasons) == (2, {"coupon_sold_out": 1})


def test_a_failed_transaction_leaves_neither_message_nor_coupon_nor_step(world, monkeypatch) -> None:
    world.grow(2)
    made = world.promotions.define(OWNER, name=Label("券", "C"), kind="amount_off", value=100)
    journey_id = world.publish(simple(world, coupon_id=made.coupon_id, goal=False))
    world.arrive(event(world, 1, 1))
    real = world.messaging.intend

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(world.messaging, "intend", die)
    with pytest.raises(KeyboardInterrupt):
        world.journeys.advance()
    assert world.rows(coupon) == []
    assert effects(world) == []
    assert world.path(world.participations(journey_id)[0].participation_id) == ["t"]
    monkeypatch.setattr(world.messaging, "intend", real)
    world.settle()
    assert len(world.rows(coupon)) == len(effects(world)) == 1
    assert world.promotions.definition(BRAND, made.coupon_id).issued == 1


def test_a_poison_row_is_isolated_put_off_and_leaves_as_failed(world, monkeypatch) -> None:
    world.grow(8)
    journey_id = world.publish(simple(world, goal=False))
    world.arrive(*(event(world, i, i) for i in range(1, 9)))
    real = world.messaging.intend

    def poisoned(tx, brand_id, intents):
        if any(intent.anchor_id == 5 for intent in intents):
            raise ValueError("cannot")
        return real(tx, brand_id, intents)

    monkeypatch.setattr(world.messaging, "intend", poisoned)
    world.settle()
    assert sorted(row.anchor_id for row in effects(world)) == [1, 2, 3, 4, 6, 7, 8]
    (stuck,) = [row for row in world.participations(journey_id) if row.person_id == 5]
    assert (stuck.state, stuck.tries, stuck.failure) == ("active", 1, "ValueError")
    for _ in range(4):
        world.pass_time(minutes=10)
    (stuck,) = [row for row in world.participations(journey_id) if row.person_id == 5]
    assert (stuck.state, stuck.exit_reason) == ("exited", "failed")
    world.check_invariants(journey_id)


def test_branches_are_asked_for_the_whole_set_and_a_broken_one_waits(world) -> None:
    world.grow(6)
    graph = {
        "nodes": [
            node("t", "trigger", on="event", event="cart"),
            node("b", "branch", tree={"modulo": 2}),
            node("x", "exit"),
        ],
        "edges": [edge("t", "b"), edge("b", "x", "yes")],
    }
    journey_id = world.publish(graph)
    world.arrive(*(event(world, i, i) for i in range(1, 7)))
    world.audiences.broken = Unavailable("store_away")
    world.settle()
    assert {row.node_id for row in world.participations(journey_id)} == {"b"}
    assert world.audiences.asked == []
    world.audiences.broken = None
    world.pass_time(minutes=1)
    assert world.audiences.asked == [(2, 6)]
    reasons = {row.person_id: row.exit_reason for row in world.participations(journey_id)}
    assert reasons == {1: "way_ended", 2: "end", 3: "way_ended", 4: "end", 5: "way_ended", 6: "end"}
    marks = {row.watermark for row in world.rows(transition) if row.from_node == "b"}
    assert marks == {"w1"}


def test_nobody_enters_by_what_happened_before_the_publication(world) -> None:
    world.grow(2)
    old = event(world, 1, 1, at=world.clock.now() - timedelta(seconds=1))
    journey_id = world.publish(simple(world))
    world.arrive(old, event(world, 2, 2))
    assert [row.person_id for row in world.participations(journey_id)] == [2]


def test_people_enter_by_the_difference_of_audience_versions(world) -> None:
    world.grow(6)
    world.audiences.sets["a1"] = [BitMap([1, 2])]
    graph = simple(world)
    graph["nodes"][0] = node("t", "trigger", on="audience", audience_id="a1", change="entered")
    journey_id = world.publish(graph)

    def news() -> int:
        with world.state.write() as tx:
            publish(tx, AUDIENCE_CHANGED, {"brand_id": 1, "audience_id": "a1", "version": 0}, world.clock.now())
        return world.journeys.follow_news()

    assert news() == 1
    assert world.participations(journey_id) == []  # they were in before the journey was published
    world.audiences.sets["a1"] += [BitMap([2, 3]), BitMap([2, 3, 4])]
    news()
    news()
    assert [row.person_id for row in world.participations(journey_id)] == [3, 4]
    world.journeys.pause(OWNER, journey_id, "stop_entry")
    world.audiences.sets["a1"].append(BitMap([2, 3, 4, 5]))
    news()
    world.journeys.resume(OWNER, journey_id)
    world.audiences.sets["a1"].append(BitMap([2, 3, 4, 5, 6]))
    news()
    assert [row.person_id for row in world.participations(journey_id)] == [3, 4, 6]
    world.settle()
    world.check_invariants(journey_id)


def test_stop_entry_lets_nobody_in_and_those_inside_go_on(world) -> None:
    world.grow(2)
    journey_id = world.publish(simple(world, wait=1))
    world.arrive(event(world, 1, 1))
    world.journeys.pause(OWNER, journey_id, "stop_entry")
    world.arrive(event(world, 2, 2))
    world.pass_time(hours=1)
    assert [(row.person_id, row.node_id) for row in world.participations(journey_id)] == [(1, "g")]


def test_a_frozen_journey_stands_still_and_its_timers_run_on_afterwards(world) -> None:
    world.grow(1)
    journey_id = world.publish(simple(world, wait=2))
    world.arrive(event(world, 1, 1))
    world.pass_time(hours=1)
    world.journeys.pause(OWNER, journey_id, "freeze")
    world.pass_time(hours=10)
    assert world.participations(journey_id)[0].node_id == "w"
    world.journeys.resume(OWNER, journey_id)
    world.pass_time(minutes=59)
    assert world.participations(journey_id)[0].node_id == "w"
    world.pass_time(minutes=1)
    assert world.participations(journey_id)[0].node_id == "g"


def test_held_sends_go_at_once_after_resuming(world) -> None:
    world.grow(1)
    journey_id = world.publish(simple(world))
    world.journeys.pause(OWNER, journey_id, "hold_sends")
    world.arrive(event(world, 1, 1))
    world.settle()
    world.messaging.dispatch()
    assert [(row.status, row.reason) for row in effects(world)] == [("deferred", "journey_paused")]
    world.journeys.resume(OWNER, journey_id)
    world.messaging.dispatch()
    assert [row.status for row in effects(world)] == ["accepted"]


def test_ending_lets_everybody_out_and_sends_nothing_more(world) -> None:
    world.grow(3)
    journey_id = world.publish(simple(world))
    world.arrive(event(world, 1, 1), event(world, 2, 2))
    world.settle()
    world.journeys.end(OWNER, journey_id)
    world.messaging.dispatch()
    assert {(row.status, row.reason) for row in effects(world)} == {("suppressed", "journey_ended")}
    assert {row.exit_reason for row in world.participations(journey_id)} == {"ended"}
    world.arrive(event(world, 3, 3))
    assert len(world.participations(journey_id)) == 2
    world.check_invariants(journey_id)
    with pytest.raises(Conflict):
        world.journeys.publish(OWNER, journey_id)


def test_the_goal_is_looked_at_again_at_the_claim(world) -> None:
    world.grow(2)
    world.publish(simple(world))
    world.arrive(event(world, 1, 1), event(world, 2, 2))
    world.settle()
    world.arrive(event(world, 3, 1, "paid", amount=500))
    world.messaging.dispatch()
    assert {row.anchor_id: (row.status, row.reason) for row in effects(world)} == {
        1: ("suppressed", "goal_reached"),
        2: ("accepted", None),
    }


def test_late_and_repeated_goal_events_keep_the_earliest_and_count_once(world) -> None:
    world.grow(1)
    journey_id = world.publish(simple(world))
    world.arrive(event(world, 1, 1))
    world.pass_time(hours=5)
    later, earlier = (
        event(world, 2, 1, "paid", amount=500),
        event(world, 3, 1, "paid", amount=70, at=world.clock.now() - timedelta(hours=2)),
    )
    world.arrive(later)
    world.settle()
    world.arrive(earlier, later)
    (row,) = world.participations(journey_id)
    assert row.goal_at == earlier.at
    assert row.exit_reason == "goal"
    world.pass_time(days=3)
    world.arrive(event(world, 4, 1, "paid", amount=9))  # after the window
    _, report = world.journeys.report(BRAND, journey_id)
    assert report.goal_converted == 1


def test_the_arm_is_kept_when_the_percentage_changes(world) -> None:
    world.grow(200)
    journey_id = world.publish(simple(world, goal=False), holdout_percent=50, reentry={"rule": "after_exit"})
    world.arrive(*(event(world, i, i) for i in range(1, 101)))
    world.settle()
    before = {row.person_id: row.held_out for row in world.participations(journey_id)}
    assert 20 < sum(before.values()) < 80
    view = world.journeys.get(BRAND, journey_id)
    world.journeys.save(OWNER, journey_id, "Test", view.graph, view.settings | {"holdout_percent": 0})
    world.journeys.publish(OWNER, journey_id)
    world.arrive(*(event(world, 1000 + i, i) for i in range(1, 201)))
    again = [row for row in world.participations(journey_id) if row.version == 2]
    assert len(again) == 200
    assert {row.person_id: row.held_out for row in again if row.person_id <= 100} == before
    assert not any(row.held_out for row in again if row.person_id > 100)


def test_people_inside_stay_on_the_version_they_entered(world) -> None:
    world.grow(2)
    journey_id = world.publish(simple(world, wait=5))
    world.arrive(event(world, 1, 1))
    world.settle()
    world.journeys.save(OWNER, journey_id, "Test", simple(world, wait=1), {"holdout_percent": 0})
    assert world.journeys.get(BRAND, journey_id).has_draft_changes
    world.journeys.publish(OWNER, journey_id)
    world.arrive(event(world, 2, 2))
    world.pass_time(hours=1)
    assert {row.person_id: row.node_id for row in world.participations(journey_id)} == {1: "w", 2: "g"}
    world.pass_time(hours=4)
    assert {row.person_id: row.node_id for row in world.participations(journey_id)} == {1: "g", 2: "g"}


def test_a_merge_keeps_once_once_and_undoing_it_leaves_no_trace(world) -> None:
    world.grow(3)
    journey_id = world.publish(simple(world), holdout_percent=50)
    world.arrive(event(world, 1, 1))
    world.clock.advance(timedelta(minutes=1))
    world.arrive(event(world, 2, 2))
    before = [(row.participation_id, row.person_id, row.entry_slot) for row in world.participations(journey_id)]
    _merge(world, 2, 1, [1, 2])
    assert {row.person_id for row in world.participations(journey_id)} == {1}
    world.arrive(event(world, 3, 1))
    assert len(world.participations(journey_id)) == 2  # nobody enters a third time
    arms = [row.held_out for row in world.participations(journey_id)]
    world.settle()
    assert {row.ghost for row in effects(world)} == {arms[0]}  # the earliest arm counts for both
    _merge(world, 2, 2, [1, 2])
    after = [(row.participation_id, row.person_id, row.entry_slot) for row in world.participations(journey_id)]
    assert after == before
    world.arrive(event(world, 4, 2))
    assert len(world.participations(journey_id)) == 2
    world.check_invariants(journey_id)


def _merge(world, identifier: int, person: int, moved: list[int]) -> None:
    world.people.move(identifier, person)
    with world.state.write() as tx:
        publish(tx, "people_moved", {"brand_id": 1, "person_ids": moved}, world.clock.now())
    assert world.journeys.follow_news() == 1


def test_a_welcome_code_travels_to_the_send_and_dies_with_time(world) -> None:
    world.grow(2)
    graph = {
        "nodes": [
            node("t", "trigger", on="event", event="contact_added"),
            node("s", "send", connection="one", template_id=world.template),
        ],
        "edges": [edge("t", "s")],
    }
    world.publish(graph, category="service", purpose="marketing", quiet_hours={"from": "00:00", "to": "23:59"})
    fast, slow = event(world, 1, 1, "contact_added"), event(world, 2, 2, "contact_added")
    fast.properties = slow.properties = '{"reply_token":"W1"}'
    world.arrive(fast)
    world.settle()
    world.messaging.dispatch()
    world.clock.advance(timedelta(seconds=30))
    world.arrive(slow)
    world.settle()
    world.messaging.dispatch()
    assert [message.reply_token for batch in world.provider.batches for message in batch.messages] == ["W1"]
    by_person = {row.anchor_id: (row.status, row.reason) for row in effects(world)}
    assert by_person == {1: ("accepted", None), 2: ("deferred", "quiet_hours")}


def test_numbers_open_to_their_people_and_keep_to_the_scope(world) -> None:
    world.people.add([(i, i) for i in (1, 2, 3)], staff="anna")
    world.people.add([(i, i) for i in (4, 5)], staff="ben")
    world.consents.grant([1, 2, 4])
    journey_id = world.publish(simple(world))
    world.arrive(*(event(world, i, i) for i in range(1, 6)))
    world.settle()
    world.messaging.dispatch()
    world.arrive(event(world, 10, 1, "paid", amount=100))
    world.settle()
    for scope, entered, sent, converted in ((BRAND, 5, [1, 2, 4], [1]), (guide("anna").scope, 3, [1, 2], [1])):
        _, report = world.journeys.report(scope, journey_id)
        assert (report.entered, report.active, report.exited) == (entered, entered - 1, 1)
        numbers = report.nodes["s"]
        assert (numbers.sent, numbers.converted, numbers.suppressed) == (len(sent), 1, entered - len(sent))
        for state, people in (("sent", sent), ("converted", converted)):
            assert world.journeys.list_people(scope, journey_id, state, "s")[0] == people
        found, more, total = world.journeys.list_people(scope, journey_id, "entered", None, limit=2)
        assert (len(found), more, total) == (2, 2, entered)
        assert world.journeys.list_people(scope, journey_id, "suppressed", "s", "consent_missing")[2] == entered - len(
            sent
        )
    assert world.journeys.list_people(guide("ben").scope, journey_id, "converted")[2] == 0
    (summary,) = world.journeys.list_journeys(guide("anna").scope)
    assert (summary.entered, summary.active, summary.converted) == (3, 2, 1)


def test_lift_equals_a_recount_from_the_events(world) -> None:
    people = world.grow(400)
    world.consents.withdraw([7, 8, 9])
    journey_id = world.publish(simple(world), holdout_percent=40)
    world.arrive(*(event(world, i, i) for i in people))
    world.settle()
    while world.messaging.dispatch():
        pass
    exposed_at = world.clock.now()
    world.clock.advance(timedelta(hours=1))
    paid = []
    for i in people:
        orders = (i * 7) % 3 if i % 2 else 0
        paid += [event(world, 1000 * (n + 1) + i, i, "paid", amount=100 * i + n) for n in range(orders)]
    paid.append(event(world, 99_999, 1, "paid", amount=5, at=exposed_at - timedelta(seconds=1)))  # before exposure
    world.arrive(*paid, *paid[:50])
    due = {p.person_id: p.held_out for p in world.participations(journey_id) if p.person_id not in (7, 8, 9)}
    spent: dict[int, int] = {}
    for one in {one.event_id: one for one in paid if one.at >= exposed_at}.values():
        spent[one.person] = spent.get(one.person, 0) + one.amount
    lift = world.journeys.report(BRAND, journey_id)[1].lift
    for arm, held in ((lift.treated, False), (lift.holdout, True)):
        members = [person for person, ghost in due.items() if ghost is held]
        amounts = [spent[person] for person in members if person in spent]
        assert (arm.people, arm.converted) == (len(members), len(amounts))
        assert (arm.amount, arm.amount_squared) == (sum(amounts), sum(a * a for a in amounts))
    assert lift.treated.people + lift.holdout.people == 397


def test_drafts_are_saved_with_their_revision_and_published_when_sound(world) -> None:
    view = world.journeys.create(OWNER, "", template="cart")
    assert view.name == "购物车挽回"
    with pytest.raises(Invalid) as caught:
        world.journeys.publish(OWNER, view.journey_id)
    assert {field.field for field in caught.value.fields} == {"send.connection", "send.template_id"}
    checked = world.journeys.check(BRAND, view.journey_id)
    assert {(fault.node_id, fault.field) for fault in checked.errors} == {
        ("send", "connection"),
        ("send", "template_id"),
    }
    with pytest.raises(Stale):
        world.journeys.save(OWNER, view.journey_id, "x", view.graph, view.settings, revision=view.revision - 1)
    with pytest.raises(NotFound):
        world.journeys.get(BRAND, "j_none")
    with pytest.raises(Conflict):
        world.journeys.pause(OWNER, view.journey_id, "freeze")
    assert world.rows(journey)[0].status == "draft"
    assert world.rows(participation) == []


@pytest.mark.parametrize("starter", ["cart", "welcome", "winback"])
def test_every_starter_lacks_only_what_a_brand_must_choose(world, starter) -> None:
    view = world.journeys.create(OWNER, "", template=starter)
    faults = {(f.node_id, f.field, f.code) for f in world.journeys.check(BRAND, view.journey_id).errors}
    assert {code for _, _, code in faults} == {"field_missing"}
    assert {field for _, field, _ in faults} <= {"connection", "template_id", "audience_id"}
