"""The general evaluator agrees, for any tree over any small world, with one that looks at a person at a time."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

import quanyu.commerce.api  # noqa: F401 - registers `bought`
from quanyu.audiences.api import group, parse_tree, rule
from quanyu.audiences.errors import CountCancelled
from quanyu.audiences.evaluator import Evaluator
from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.storage.engine import Dimension, DuckDBEngine
from quanyu.storage.history import History
from quanyu.storage.streams import EventStreams
from tests.unit.audiences.worlds import AT, SCOPE, Person, World, WorldSets, event, event_table

NAMES = ["order_paid", "product_viewed", "page_viewed"]
CATEGORIES = {"s1": "c1", "s2": "c1", "s3": "c2"}  # s4 is not in the catalogue
SERIAL = itertools.count()


def engine_of(world: World, root: Path) -> DuckDBEngine:
    history = History(root / f"world-{next(SERIAL)}")
    history.declare("events", EVENT_SCHEMA)
    history.append("events", event_table(world), app="test", version=1)
    stranger = event_table(World([Person(1, [event("order_paid", AT, amount=10**9)])]), brand="other")
    history.append("events", stranger, app="test", version=2)
    engine = DuckDBEngine(history, EVENT_SCHEMA, threads=1)
    products = pa.table(
        {
            "brand": [*(["acme"] * len(world.categories)), "other"],
            "sku": [*world.categories, "s4"],
            "category_key": [*world.categories.values(), "c1"],
        }
    )
    engine.register("products", Dimension(lambda: products, lambda: "1"))
    return engine


def evaluator(world: World, root: Path) -> Evaluator:
    return Evaluator(engine_of(world, root), WorldSets(world))


moments = st.one_of(
    st.integers(0, 40 * 86_400).map(lambda s: AT - timedelta(seconds=s)),
    # the edges of brand-local days, which are not those of UTC
    st.tuples(st.integers(-1, 40), st.integers(-1, 1)).map(
        lambda t: datetime(2026, 3, 2, tzinfo=AT.tzinfo) - timedelta(days=t[0]) + timedelta(microseconds=t[1])
    ),
    st.just(AT),
)
items = st.lists(
    st.fixed_dictionaries(
        {
            "sku": st.sampled_from(["s1", "s2", "s3", "s4"]),
            "quantity": st.sampled_from([0.0, 1.0, 2.5]),
            "unit_price": st.just(100),
            "amount": st.integers(0, 500),
        }
    ),
    max_size=3,
)
properties = st.dictionaries(
    st.sampled_from(["p", "页 面", "a.b"]), st.sampled_from(["x", "Xy", "3", 3, 3.5, True, "true", None]), max_size=2
)
happenings = st.builds(
    event,
    st.sampled_from(NAMES),
    moments,
    amount=st.sampled_from([None, 0, 100, 999]),
    channel=st.sampled_from([None, "web", "store"]),
    store_id=st.sampled_from([None, "sh01", "sh02"]),
    items=items,
    properties=properties,
)
people = st.builds(
    Person,
    person_id=st.just(0),
    events=st.lists(happenings, max_size=6),
    traits=st.dictionaries(st.sampled_from(["tier", "age"]), st.sampled_from(["gold", "Gold card", "18", "3.5", ""])),
    tags=st.sets(st.sampled_from(["t1", "t2"])),
    audiences=st.sets(st.sampled_from(["a1", "a2"])),
    consent=st.sets(st.sampled_from([("marketing", "sms"), ("service", "sms"), ("marketing", "wecom")])),
    visible=st.booleans() | st.just(True),
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    drawn = draw(st.lists(people, min_size=1, max_size=8))
    for number, person in enumerate(drawn, 1):
        person.person_id = number * 7
    return World(drawn, CATEGORIES)


def _maybe(**options: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=options)


windows = st.one_of(
    st.just({}),
    st.integers(1, 40).map(lambda d: {"within_days": d}),
    st.sampled_from(
        [{"from": "2026-02-20"}, {"to": "2026-02-25"}, {"from": "2026-02-10", "to": "2026-03-01"}, {"to": "2026-05-01"}]
    ),
)
operands = st.sampled_from(["x", "3", "XY", "true", 3, 3.5, True, 100])
filters = st.builds(
    lambda p, o, v: {"property": p, "operator": o, "value": v},
    st.sampled_from(["p", "页 面", "a.b", "amount", "channel"]),
    st.sampled_from(["eq", "ne", "contains"]),
    operands,
) | st.sampled_from(
    [
        {"property": "p", "operator": "exists"},
        {"property": "p", "operator": "in", "value": ["x", "3"]},
        {"property": "p", "operator": "in", "value": ["x", 3, True]},
        {"property": "p", "operator": "gte", "value": 3},
        {"property": "amount", "operator": "gt", "value": 100},
        {"property": "p", "operator": "lt", "value": "3.5"},
    ]
)
of_events = st.builds(
    lambda name, window, more: {"event": name, **window, **more},
    st.sampled_from([*NAMES, "*", "never"]),
    windows,
    _maybe(
        where=st.lists(filters, max_size=2),
        store_ids=st.just(["sh01"]),
        channels=st.sampled_from([["web", "app"], ["other"]]),
    ),
)
leaves = st.one_of(
    st.builds(
        lambda p, m: rule("performed", **p, **m),
        of_events,
        _maybe(
            times_operator=st.sampled_from(["gte", "lte", "eq"]),
            times=st.integers(1, 3),
            counted=st.sampled_from(["times", "days"]),
        ),
    ),
    of_events.map(lambda p: rule("not_performed", **p)),
    st.builds(
        lambda e, low, more: rule("recency", event=e, min_days=low, max_days=None if more is None else low + more),
        st.sampled_from([*NAMES, "*"]),
        st.integers(0, 5),
        st.none() | st.integers(0, 20),
    ),
    st.builds(
        lambda w, low, more: rule("spent", at_least=low, at_most=None if more is None else low + more, **w),
        windows,
        st.sampled_from([0, 100, 200]),
        st.none() | st.just(900),
    ),
    st.builds(
        lambda w, by, keys, measure, n: rule("bought", by=by, keys=keys, measure=measure, at_least=n, **w),
        st.builds(lambda w, m: w | m, windows, _maybe(store_ids=st.just(["sh01"]), channels=st.just(["web"]))),
        st.sampled_from(["product", "category"]),
        st.sampled_from([["s1"], ["c1"], ["s1", "c1"], ["s4", "c2"]]),
        st.sampled_from(["times", "days", "quantity", "amount"]),
        st.sampled_from([1, 2, 300]),
    ),
    st.builds(
        lambda t, o: rule("trait", trait=t, **o),
        st.sampled_from(["tier", "age", "none"]),
        st.sampled_from(
            [
                {"operator": "eq", "value": "gold"},
                {"operator": "ne", "value": "gold"},
                {"operator": "eq", "value": 18},
                {"operator": "in", "value": ["gold", "18"]},
                {"operator": "gte", "value": 3.5},
                {"operator": "contains", "value": "GOLD"},
                {"operator": "known"},
                {"operator": "unknown"},
            ]
        ),
    ),
    st.sampled_from(
        [
            rule("tag", tags=["t1", "t2"], match="any"),
            rule("tag", tags=["t1", "t2"], match="all"),
            rule("in_audience", audience_id="a1"),
            rule("anyone"),
            rule("has_consent", channel="sms"),
            rule("has_consent", purpose="service", channel="sms"),
        ]
    ),
)


def _grown(children: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda op, kids, k: group(op, *kids, k=min(k, len(kids)) if op == "at_least" else None),
        st.sampled_from(["and", "or", "not", "at_least"]),
        st.lists(children, min_size=1, max_size=4),
        st.integers(1, 4),
    )


trees = st.recursive(leaves, _grown, max_leaves=8)


@settings(max_examples=60)
@given(world=worlds(), wanted=st.lists(trees, min_size=3, max_size=6))
def test_any_tree_over_any_world_agrees_with_the_obvious_evaluator(
    tmp_path: Path, world: World, wanted: list[dict[str, Any]]
) -> None:
    engine = engine_of(world, tmp_path)
    general = Evaluator(engine, WorldSets(world))
    fast = Evaluator(engine, WorldSets(world), streams=EventStreams(engine._history))
    some = BitMap(p.person_id for p in world.people[::2])
    for tree in wanted:
        expected = world.answer(tree)
        for product in (general, fast):
            assert set(product.evaluate(parse_tree(tree), AT, SCOPE)) == expected, tree
            assert set(product.evaluate(parse_tree(tree), AT, SCOPE, within=some)) == expected & set(some), tree


def test_each_leaf_agrees_alone(tmp_path: Path) -> None:
    """A world that has at least one person on both sides of every leaf, so no leaf passes by being empty."""
    day = timedelta(days=1)
    world = World(
        [
            Person(
                1, [event("order_paid", AT - day, amount=300, items=[_item("s1", 2, 300)])], {"tier": "gold"}, {"t1"}
            ),
            Person(2, [event("order_paid", AT - 20 * day, amount=50, items=[_item("s3", 1, 50)])], {}, {"t1", "t2"}),
            Person(
                3, [event("page_viewed", AT, channel="web")], {"tier": "silver"}, set(), {"a1"}, {("marketing", "sms")}
            ),
        ],
        CATEGORIES,
    )
    product = evaluator(world, tmp_path)
    for tree, expected in [
        (rule("performed", event="order_paid", within_days=7), {1}),
        (rule("performed", event="order_paid", within_days=2), {1}),
        (rule("performed", event="order_paid", within_days=1), set()),
        (rule("not_performed", event="order_paid"), {3}),
        (rule("recency", event="order_paid", min_days=20), {2}),
        (rule("recency", event="*", min_days=0, max_days=1), {1, 3}),
        (rule("spent", at_least=300), {1}),
        (rule("bought", by="category", keys=["c1"]), {1}),
        (rule("bought", by="product", keys=["s3"], measure="amount", at_least=50), {2}),
        (rule("trait", trait="tier", operator="ne", value="gold"), {2, 3}),
        (rule("tag", tags=["t1", "t2"], match="all"), {2}),
        (rule("in_audience", audience_id="a1"), {3}),
        (rule("has_consent", channel="sms"), {3}),
        (rule("performed", event="page_viewed", channels=["web"]), {3}),
    ]:
        assert world.answer(tree) == expected, tree
        assert set(product.evaluate(parse_tree(tree), AT, SCOPE)) == expected, tree


def test_conditions_on_one_event_are_answered_by_one_scan(tmp_path: Path) -> None:
    world = World([Person(1, [event("order_paid", AT, amount=5)])], CATEGORIES)
    engine = engine_of(world, tmp_path)
    scans: list[Any] = []
    run = engine.run
    engine.run = lambda expression: scans.append(expression) or run(expression)  # type: ignore[func-returns-value,method-assign]
    tree = group(
        "or",
        rule("performed", event="order_paid", times=2, within_days=30),
        rule("spent", at_least=5, within_days=90),
        rule("recency", event="order_paid", max_days=3),
        rule("performed", event="page_viewed"),
    )
    assert set(Evaluator(engine, WorldSets(world)).evaluate(parse_tree(tree), AT, SCOPE)) == {1}
    assert len(scans) == 2


def test_a_cancelled_evaluation_stops_between_scans(tmp_path: Path) -> None:
    world = World([Person(1)])
    with pytest.raises(CountCancelled):
        evaluator(world, tmp_path).evaluate(
            parse_tree(rule("performed", event="order_paid")), AT, SCOPE, cancelled=lambda: True
        )


def _item(sku: str, quantity: float, amount: int) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, "unit_price": amount, "amount": amount}
