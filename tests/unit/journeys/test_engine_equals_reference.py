"""The set engine against the one-person-at-a-time reading, on random histories: shuffled, repeated and late events,
random sizes of batches and of sets, on both databases."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quanyu.journeys.graph import JourneySettings
from quanyu.journeys.sending import effect_id_of
from quanyu.journeys.tables import goal_hit, sighting, transition
from quanyu.messaging.tables import effect
from tests.unit.journeys.reference import Happening, Reference
from tests.unit.journeys.test_graph import edge, node

PEOPLE = 3
EXAMPLES = int(os.environ.get("QUANYU_TEST_EXAMPLES", "20"))


def graphs(template: str) -> dict[str, dict]:
    """Three shapes that together have every kind of node and every way out."""

    def send(node_id: str) -> dict:
        return node(node_id, "send", connection="one", template_id=template)

    long = {
        "nodes": [
            node("t", "trigger", on="event", event="cart"),
            node("w1", "wait", mode="event", value=2, unit="hours", event="seen"),
            node("b", "branch", tree={"modulo": 2}),
            send("s1"),
            node("w2", "wait", mode="duration", value=1, unit="hours"),
            node("w3", "wait", mode="event", value=3, unit="hours", event="seen"),
            send("s2"),
            node("g", "goal", event="paid", within_days=1),
            node("x", "exit"),
        ],
        "edges": [
            edge("t", "w1"),
            edge("w1", "x", "event"),
            edge("w1", "b", "timeout"),
            edge("b", "s1", "yes"),
            edge("b", "w2", "no"),
            edge("s1", "w2"),
            edge("w2", "w3"),
            edge("w3", "g", "event"),
            edge("w3", "s2", "timeout"),
            edge("s2", "g"),
            edge("g", "x"),
        ],
    }
    # The event that starts it also counts as its goal, and is waited for: three meanings of one event.
    knot = {
        "nodes": [
            node("t", "trigger", on="event", event="paid"),
            node("w", "wait", mode="event", value=2, unit="hours", event="paid"),
            send("s"),
            node("g", "goal", event="paid", within_days=1),
        ],
        "edges": [edge("t", "w"), edge("w", "s", "event"), edge("w", "g", "timeout"), edge("s", "g")],
    }
    short = {
        "nodes": [
            node("t", "trigger", on="event", event="cart"),
            node("b", "branch", tree={"modulo": 3}),
            node("b2", "branch", tree={"modulo": 2}),
            send("s"),
        ],
        "edges": [edge("t", "b"), edge("b", "b2", "yes"), edge("b", "s", "no"), edge("b2", "s", "yes")],
    }
    return {"long": long, "knot": knot, "short": short}


YES = {"long": lambda person: person % 2 == 0, "knot": lambda _: False, "short": lambda _: None}

events = st.tuples(
    st.sampled_from(["cart", "cart", "seen", "paid"]),
    st.integers(1, PEOPLE),
    st.integers(0, 30),  # quarters of an hour ago
    st.integers(0, 2),  # order number
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("events"), st.lists(events, min_size=2, max_size=8)),
        st.tuples(st.just("tick"), st.integers(0, 100)),
        st.tuples(st.just("again"), st.lists(st.integers(0, 200), min_size=1, max_size=3)),
    ),
    min_size=4,
    max_size=16,
)
rules = st.sampled_from(
    [{"rule": "once"}, {"rule": "after_exit"}, {"rule": "cooldown", "cooldown_days": 1}, {"rule": "per_key"}]
)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["long", "knot", "short"])
@given(
    plan=steps,
    rule=rules,
    exit_on_goal=st.booleans(),
    cut=st.integers(1, 7),
    limit=st.sampled_from([1, 2, 5, 1000]),
)
@settings(max_examples=EXAMPLES)
def test_sets_and_single_people_agree(world, shape, plan, rule, exit_on_goal, cut, limit) -> None:
    graph = graphs(world.template)[shape]
    ruled = {"reentry": rule, "exit_on_goal": exit_on_goal, "holdout_percent": 50}
    journey_id = world.publish(graph, **ruled)
    settings_ = JourneySettings.model_validate({"daily_cap": None} | ruled)
    reference = Reference(world.plan(journey_id), settings_, world.salt(journey_id), world.clock.now(), YES[shape])
    if shape == "short":
        _answer_short(reference)
    world.clock.advance(timedelta(hours=8))  # events may lie behind the present and still after the publication
    numbers = itertools.count()
    known: list[Happening] = []
    for kind, what in plan:
        now = world.clock.now()
        if kind == "tick":
            reference.tick(now + timedelta(minutes=15 * what))
            world.pass_time(limit, minutes=15 * what)
        else:
            if kind == "events":
                arrived = [
                    Happening(
                        f"{journey_id}-{next(numbers)}",
                        name,
                        person,
                        now - timedelta(minutes=15 * ago),
                        f"o{o}",
                        100 + o,
                    )
                    for name, person, ago, o in what
                ]
                known += arrived
            else:
                arrived = [known[i % len(known)] for i in what] if known else []
            for start in range(0, len(arrived), cut):
                world.arrive(*arrived[start : start + cut])
            for event in arrived:
                reference.happen(event, now)
    world.settle(limit)
    reference.tick(world.clock.now())
    world.check_invariants(journey_id)
    assert _stored(world, journey_id) == _expected(reference)
    world.journeys.end(_owner(), journey_id)  # so that the next example is alone


def _answer_short(reference: Reference) -> None:
    move = reference._move

    def answering(walker, now):
        modulo = {"b": 3, "b2": 2}.get(walker.node)
        reference.yes = lambda person: modulo is not None and person % modulo == 0
        return move(walker, now)

    reference._move = answering


def _owner():
    from tests.unit.doubles import OWNER

    return OWNER


def _expected(reference: Reference) -> dict:
    return {
        (walker.person, walker.cause): {
            "entered": walker.entered,
            "held_out": walker.held_out,
            "steps": walker.steps,
            "state": "active" if walker.inside else "exited",
            "reason": walker.reason,
            "node": walker.node,
            "goal_at": walker.goal_at,
            "goals": {key: amount for key, (_, amount) in walker.goals.items()},
            "late": walker.late,
            "sends": walker.sends,
        }
        for walker in reference.walkers
    }


def _stored(world, journey_id: str) -> dict:
    participations = world.participations(journey_id)
    wanted = [row.participation_id for row in participations]
    grouped = {}
    for table in (transition, goal_hit, sighting, effect):
        found = defaultdict(list)
        for row in world.rows(table, table.c.participation_id.in_(wanted)):
            found[row.participation_id].append(row)
        grouped[table.name] = found
    out = {}
    for row in participations:
        number = row.participation_id
        steps = sorted(grouped["transition"][number], key=lambda step: step.visit)[1:]
        visit_of = {step.from_node: step.visit - 1 for step in steps}
        sent = [each.node_id for each in grouped["effect"][number]]
        for each in grouped["effect"][number]:
            assert each.effect_id == effect_id_of(number, visit_of[each.node_id], each.node_id, "one")
            assert each.ghost == row.held_out
        cause = row.entry_key if row.entry_key.startswith("o") and row.entry_key != "once" else row.cause
        out[(row.person_id, cause)] = {
            "entered": row.entered_at,
            "held_out": row.held_out,
            "steps": [(step.from_node, step.port, step.to_node, step.at) for step in steps],
            "state": row.state,
            "reason": row.exit_reason,
            "node": row.node_id,
            "goal_at": row.goal_at,
            "goals": {hit.event_id: hit.amount for hit in grouped["goal_hit"][number]},
            "late": {(each.node_id, each.event_id) for each in grouped["sighting"][number] if each.late},
            "sends": sorted(sent, key=[step.from_node for step in steps].index),
        }
    return out
