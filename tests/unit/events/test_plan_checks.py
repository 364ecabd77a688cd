"""What a plan does to traffic: kept, dropped, hashed or quarantined, counted once; on both databases."""

import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from quanyu.access.contracts import system_caller
from quanyu.events.contracts import EVENT_SCHEMA, FrameHeader
from quanyu.events.plan import Event, Plan, Property, load
from quanyu.events.plan_rules import EventRules
from quanyu.events.protocols import native
from quanyu.events.tables import violation
from quanyu.kernel.clock import from_micros
from quanyu.kernel.errors import Conflict
from tests.unit.events.conftest import World

NOW = 1_790_000_000_000_000
PLAN = """
enforce: true
undeclared: keep
events:
  order_paid:
    rule: quarantine
    properties:
      total: {type: number, required: true, minimum: 0}
  viewed:
    rule: drop
    undeclared: drop
    sources: [web]
    properties:
      sku: {type: text}
      way: {type: text, allowed: [scan, search], rule: keep}
      diary: {personal: true}
      age: {type: integer, maximum: 150}
      at: {type: time}
"""


def publish(world: World, text: str) -> int:
    with world.state.write() as tx:
        return world.events.plans.publish(tx, system_caller(world.brand.scope()), load(text), "", after=None)


def send(world: World, *events: tuple[str, dict[str, Any]], source: str = "web", at: int = NOW) -> None:
    calls = [
        {"type": "track", "event": name, "userId": "u", "messageId": f"m{at}{source}{n}", "properties": properties}
        for n, (name, properties) in enumerate(events)
    ]
    header = FrameHeader(at, "segment", source, len(calls), "batch")
    world.events.log.append_now([(header, json.dumps({"batch": calls}, ensure_ascii=False).encode())])


def stored(world: World) -> list[tuple[str, dict[str, Any]]]:
    table = world.drain().table
    return [(row["name"], json.loads(row["properties"])) for row in table.to_pylist()]


def violations(world: World) -> dict[tuple[str, str, str, str], tuple[int, str]]:
    with world.state.read() as tx:
        rows = tx.execute(sa.select(violation)).all()
    return {(row.name, row.property, row.reason, row.rule): (row._mapping["count"], row.example) for row in rows}


def test_without_a_plan_nothing_is_changed(both_worlds: World) -> None:
    world = both_worlds
    send(world, ("viewed", {"sku": 5, "x": "y"}))
    assert stored(world) == [("viewed", {"sku": 5, "x": "y"})]
    assert violations(world) == {}


def test_each_break_is_treated_by_its_rule_and_counted(both_worlds: World) -> None:
    world = both_worlds
    publish(world, PLAN)
    send(
        world,
        ("viewed", {"sku": "a", "way": "scan", "age": 3, "at": "2026-09-21T10:00:00Z"}),
        ("viewed", {"sku": 7, "way": "guess", "age": 200, "extra": {"a": 1}, "$lib": "js"}),
        ("viewed", {"sku": None, "age": 3.0, "at": 1_790_000_000}),
        ("order_paid", {"total": 5, "note": "x"}),
        ("order_paid", {"total": -5}),
        ("order_paid", {}),
        ("unheard_of", {"a": 1}),
    )
    assert stored(world) == [
        ("viewed", {"sku": "a", "way": "scan", "age": 3, "at": "2026-09-21T10:00:00Z"}),
        ("viewed", {"way": "guess", "$lib": "js"}),
        ("viewed", {"sku": None, "age": 3.0, "at": 1_790_000_000}),
        ("order_paid", {"total": 5, "note": "x"}),
        ("unheard_of", {"a": 1}),
    ]
    assert violations(world) == {
        ("viewed", "sku", "wrong_type", "drop"): (1, "7"),
        ("viewed", "way", "not_allowed", "keep"): (1, "guess"),
        ("viewed", "age", "out_of_range", "drop"): (1, "200"),
        ("viewed", "extra", "undeclared_property", "drop"): (1, '{"a": 1}'),
        ("order_paid", "total", "out_of_range", "quarantine"): (1, "-5"),
        ("order_paid", "total", "missing_property", "quarantine"): (1, ""),
        ("unheard_of", "", "undeclared_event", "keep"): (1, ""),
    }
    assert world.books() == {"accepted": 7, "stored": 5, "duplicate": 0, "quarantined": 2, "pending": 0}
    held, _ = world.events.quarantine.list(world.brand.scope())
    assert sorted((item.reason, item.where) for item in held) == [
        ("missing_property", "properties.total"),
        ("out_of_range", "properties.total"),
    ]
    raws = [world.events.quarantine.read(world.brand.scope(), item.quarantine_id)[1] for item in held]
    assert all(json.loads(raw)["event"] == "order_paid" for raw in raws), "the very message, as it was sent"


def test_what_a_mended_plan_lets_through_comes_back_by_a_replay(both_worlds: World) -> None:
    world = both_worlds
    publish(world, PLAN)
    send(world, ("order_paid", {"total": -5, "phone": "13800138000"}), ("order_paid", {"total": 1}))
    stored(world)
    (item,), _ = world.events.quarantine.list(world.brand.scope())
    caller = system_caller(world.brand.scope())
    with world.state.write() as tx:
        assert world.events.quarantine.replay(tx, caller, item.quarantine_id, None).reason == "out_of_range"
    publish(world, PLAN.replace("minimum: 0", "minimum: -10"))
    with world.state.write() as tx:
        assert world.events.quarantine.replay(tx, caller, item.quarantine_id, None).outcome == "stored"
    ((name, properties),) = stored(world)
    assert (name, properties["total"]) == ("order_paid", -5)
    assert "13800138000" not in json.dumps(properties)
    assert world.books() == {"accepted": 2, "stored": 2, "duplicate": 0, "quarantined": 0, "pending": 0}


def test_personal_values_never_reach_history_whatever_the_mode(both_worlds: World) -> None:
    world = both_worlds
    watching = PLAN.replace("enforce: true", "enforce: false")
    publish(world, watching.replace("diary: {", "order_id: {personal: true}\n      diary: {type: text, "))
    secret = "我今天很难过"
    send(
        world,
        ("viewed", {"diary": secret, "order_id": "O-77"}),
        ("viewed", {"diary": secret}),
        ("viewed", {"diary": {"very": secret}}),
        ("viewed", {"diary": ""}),
    )
    batch = world.drain()
    table = batch.table.select(EVENT_SCHEMA.names)
    assert secret not in json.dumps(table.to_pylist(), ensure_ascii=False)
    assert "O-77" not in json.dumps(table.to_pylist())
    first, second, third, fourth = (json.loads(text) for text in table.column("properties").to_pylist())
    assert first["diary"] == second["diary"] != third["diary"]
    assert first["diary"].startswith("hash:")
    assert fourth["diary"] == ""
    assert violations(world) == {("viewed", "diary", "wrong_type", "keep"): (1, "")}, "no example of what is personal"


def test_watching_only_counts(both_worlds: World) -> None:
    world = both_worlds
    publish(world, PLAN.replace("enforce: true", "enforce: false"))
    send(world, ("viewed", {"sku": 7}), ("order_paid", {}))
    send(world, ("viewed", {"sku": "a"}), source="other")
    assert stored(world) == [("viewed", {"sku": 7}), ("order_paid", {}), ("viewed", {"sku": "a"})]
    assert {key[2:] for key in violations(world)} == {
        ("wrong_type", "keep"),
        ("missing_property", "keep"),
        ("wrong_source", "keep"),
    }


def test_a_property_that_is_dropped_takes_its_column_along(world: World) -> None:
    publish(
        world,
        "{enforce: true, events: {e: {rule: drop, properties: {revenue: {type: text}, order_id: {type: number}}}}}",
    )
    send(world, ("e", {"revenue": 12.5, "order_id": "x", "store_id": "s"}))
    (row,) = world.drain().table.to_pylist()
    assert (row["amount"], row["order_id"], row["store_id"]) == (None, None, "s")
    assert json.loads(row["properties"]) == {"store_id": "s"}


def test_no_plan_stops_what_the_product_itself_records(world: World) -> None:
    publish(world, "{enforce: true, undeclared: quarantine}")
    event = native.NativeEvent(event_id="1", name="coupon_redeemed", occurred_at=NOW)
    with world.state.write() as tx:
        world.events.record(tx, world.brand.brand_id, [event])
    world.events.pump()
    send(world, ("unheard_of", {}))
    assert [name for name, _ in stored(world)] == ["coupon_redeemed"]
    assert world.reasons() == ["undeclared_event"]


def test_examples_are_masked(world: World) -> None:
    publish(world, "events: {e: {undeclared: keep}}")
    send(world, ("e", {"memo": "call 13800138000 or a@b.cn", "mobile": "13800138001"}))
    stored(world)
    examples = {key[1]: example for key, (_, example) in violations(world).items()}
    assert examples["memo"] == "call [phone] or [email]"
    assert examples["mobile"].startswith("hash:")


def test_a_sender_may_call_its_properties_what_it_likes(both_worlds: World) -> None:
    world = both_worlds
    publish(world, "{enforce: true, events: {e: {undeclared: drop, properties: {p: {personal: true}}}}}")
    import pyarrow as pa

    halves = '{"\\ud800": "\\udc00x", "p": "\\ud83d", "ok": "\\ud83d\\ude00"}'  # half characters, as JSON can name them
    many = json.dumps({"k" * 9000: 1, **{f"k{n}": 1 for n in range(3000)}})
    table = pa.table(
        {
            "event_id": ["1", "2"],
            "name": ["e", "e"],
            "occurred_at": pa.array([NOW, NOW], pa.int64()),
            "properties": [halves, many],
        }
    )
    world.events.record_table("pos", table)
    (_, first), (_, second) = stored(world)
    assert set(first) == {"p"}
    assert second == {}
    found = violations(world)
    assert sum(count for count, _ in found.values()) == 3003, "each is counted"
    assert len(found) <= 2001, "but not each by its name"
    assert max(len(key[1]) for key in found) == 128


def test_rows_of_a_table_are_judged_too(world: World) -> None:
    import pyarrow as pa

    publish(world, PLAN)
    table = pa.table(
        {
            "event_id": ["1", "2"],
            "name": ["order_paid", "order_paid"],
            "occurred_at": pa.array([NOW, NOW], pa.int64()),
            "properties": ['{"total": 5}', '{"total": "five"}'],
            "raw_identifiers": [[{"namespace": "phone", "value": "13800138000"}]] * 2,
        }
    )
    world.events.record_table("pos", table)
    assert stored(world) == [("order_paid", {"total": 5})]
    (item,), _ = world.events.quarantine.list(world.brand.scope())
    raw = world.events.quarantine.read(world.brand.scope(), item.quarantine_id)[1]
    event = native._event.decode(raw)
    assert (event.event_id, event.properties) == ("2", {"total": "five"})
    assert event.identifiers[0].value == "13800138000", "a replay knows whose it was"


def test_a_batch_that_is_repeated_after_a_crash_counts_once(both_worlds: World) -> None:
    world = both_worlds
    publish(world, PLAN)
    send(world, ("order_paid", {}), ("viewed", {"sku": 1}))
    world.drain(commit=False)
    world.drain()
    assert {key: count for key, (count, _) in violations(world).items()} == {
        ("order_paid", "total", "missing_property", "quarantine"): 1,
        ("viewed", "sku", "wrong_type", "drop"): 1,
    }
    assert world.reasons() == ["missing_property"]


def test_versions_are_kept_and_nobody_overwrites_another(both_worlds: World) -> None:
    world = both_worlds
    assert publish(world, PLAN) == 1
    assert publish(world, PLAN) == 1, "the same plan is no new version"
    assert publish(world, "{}") == 2
    brand_id = world.brand.brand_id
    plans = world.events.plans
    assert plans.current(brand_id) == (2, Plan())
    assert plans.get(brand_id, 1) == load(PLAN)
    assert [(one.version, one.events, one.properties, one.enforce) for one in plans.versions(brand_id)] == [
        (2, 0, 0, False),
        (1, 2, 6, True),
    ]
    with world.state.write() as tx, pytest.raises(Conflict):
        plans.publish(tx, system_caller(world.brand.scope()), load(PLAN), "", after=1)
    send(world, ("order_paid", {}))
    assert stored(world) == [("order_paid", {})], "an empty plan says nothing"


def test_another_process_sees_a_new_plan_within_a_second(world: World) -> None:
    from quanyu.events.plans import Plans

    now = [0.0]
    there = Plans(
        world.state, world.events.plans._clock, lambda _, v: ["x" for _ in v], lambda *_: [], monotonic=lambda: now[0]
    )
    assert there.active() == {}
    publish(world, PLAN)
    assert there.active() == {}
    now[0] = 1.0
    assert set(there.active()) == {world.brand.brand_id}


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(-3, 3),
    st.sampled_from(["a", "b", "", "2026-01-01", "x"]),
    st.just([1]),
    st.just({"a": 1}),
    st.just(10**30),
)
rules = st.one_of(
    st.builds(
        Property, type=st.sampled_from(["any", "text", "boolean", "list", "object", "time"]), required=st.booleans()
    ),
    st.builds(Property, type=st.sampled_from(["any", "text"]), allowed=st.just(("a", "b")), required=st.booleans()),
    st.builds(
        Property,
        type=st.sampled_from(["number", "integer"]),
        minimum=st.none() | st.sampled_from([-1, -0.5]),
        maximum=st.none() | st.sampled_from([1, 1.5]),
        allowed=st.sampled_from([(), (1, 2)]),
    ),
)


@given(
    st.dictionaries(st.sampled_from(["p", "q", "$r", "phone"]), rules, max_size=4),
    st.lists(st.dictionaries(st.sampled_from(["p", "q", "$r", "$s", "u", "phone"]), values, max_size=5), max_size=6),
    st.sampled_from(["allow", "keep"]),
)
def test_the_fast_look_never_lets_through_what_the_slow_one_finds(
    properties: dict[str, Property], events: list[dict[str, Any]], undeclared: Any
) -> None:
    plan = Plan(events={"e": Event(properties=properties, undeclared=undeclared)})
    judged = EventRules(plan, "e", "web")
    for _ in range(2):  # the second time it knows what the SDKs add
        breaks = [judged.examine(event) for event in events]
        texts = [json.dumps(event, ensure_ascii=False).encode() for event in events]
        if judged.checks_properties:
            for event, text, found in zip(events, texts, breaks, strict=True):
                assert not (judged.keeps_one(text) and found), (event, found)
            assert not (judged.keeps(b"[" + b",".join(texts) + b"]") and any(breaks))
        else:
            assert not any(breaks)


def test_time_stands(world: World) -> None:
    """The hour of a violation is that of receipt."""
    publish(world, PLAN)
    send(world, ("viewed", {"sku": 1}), at=NOW)
    send(world, ("viewed", {"sku": 1}), at=NOW + 3_600_000_000)
    stored(world)
    with world.state.read() as tx:
        hours = tx.execute(sa.select(violation.c.hour_at).order_by(violation.c.hour_at)).scalars().all()
    first = from_micros(NOW - NOW % 3_600_000_000)
    assert [(hour - first).total_seconds() for hour in hours] == [0, 3600]
