"""A tracking plan as a document: exact round trips, mistakes named, differences and which of them break."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quanyu.events.plan import EMPTY, Event, Plan, Property, checked, dump, from_json, load, ordered, to_json
from quanyu.events.plan_diff import diff
from quanyu.kernel.errors import Invalid

TEXT = """enforce: true
undeclared: quarantine
events:
  order_paid:
    description: 支付成功
    owner: 数据组
    sources:
    - pos
    - web
    rule: quarantine
    undeclared: drop
    properties:
      coupon:
        personal: true
      total:
        type: number
        unit: CNY
        minimum: 0
        required: true
      way:
        type: text
        allowed:
        - 微信
        - 支付宝
        - '1'
        - 'yes'
        sources:
        - pos
        rule: drop
"""

names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12).filter(
    str.isprintable
)
notes = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=20)
allowed_texts = st.lists(names, max_size=4).map(tuple)
properties = st.one_of(
    st.builds(Property, type=st.sampled_from(["any", "text"]), allowed=allowed_texts, description=notes, unit=notes),
    st.builds(
        Property,
        type=st.sampled_from(["number", "integer"]),
        minimum=st.none() | st.integers(-100, 0) | st.floats(-100, 0),
        maximum=st.none() | st.integers(1, 100),
        required=st.booleans(),
    ),
    st.builds(
        Property,
        type=st.sampled_from(["boolean", "list", "object", "time"]),
        personal=st.booleans(),
        sources=allowed_texts,
        rule=st.none() | st.sampled_from(["keep", "drop", "quarantine"]),
    ),
)
plans = st.builds(
    Plan,
    enforce=st.booleans(),
    undeclared=st.sampled_from(["allow", "keep", "quarantine"]),
    events=st.dictionaries(
        names,
        st.builds(
            Event,
            description=notes,
            sources=allowed_texts,
            rule=st.sampled_from(["keep", "drop", "quarantine"]),
            undeclared=st.sampled_from(["allow", "keep", "drop", "quarantine"]),
            properties=st.dictionaries(names, properties, max_size=4),
        ),
        max_size=4,
    ),
)


def test_yaml_written_by_hand_comes_back_to_the_letter() -> None:
    assert dump(load(TEXT)) == TEXT


@given(plans)
def test_a_plan_survives_yaml_and_json(plan: Plan) -> None:
    assert load(dump(plan)) == ordered(plan)
    assert dump(load(dump(plan))) == dump(plan)
    assert from_json(to_json(plan)) == ordered(plan)
    assert diff(plan, load(dump(plan))) == []


def test_nothing_is_the_empty_plan() -> None:
    assert load("") == load("  \n") == load("{}") == EMPTY
    assert dump(EMPTY) == "{}\n"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "events: {a: {properties: {b: {type: money}}}}",
            "events.a.properties.b.type: It cannot be 'money', only any, boolean",
        ),
        ("events: {a: {rule: stop}}", "events.a.rule: It cannot be 'stop', only drop, keep, quarantine"),
        ("events: {a: {propertys: {}}}", "events.a: There is no field propertys, only description, owner"),
        ("events: {a: {properties: {b: {minimum: x}}}}", "events.a.properties.b.minimum: Expected whole number or"),
        ("events: {1: {}}", "events: A name must be a text"),
        ("events: [a]", "events: Expected object (name: value), but it is list"),
        ("enforce: maybe", "enforce: Expected true or false, but it is text"),
        ("a: [", "A bracket is not closed"),
        ("events:\n\ta: {}", "Line 2, column 1 “a: {}”: Indent with spaces"),
        ("events:\n  a:\n    rule: keep\n   owner: x\n", "Line 4, column 4 “owner: x”: The indent does not line up"),
        ("a: 'x", "A quotation mark is not closed"),
        ("x: 2024-13-45", "too deep, or with a wrong number, date"),
        ("[" * 20_000, "closed"),
        ("events: {a: {properties: {b: {type: list, allowed: [x]}}}}", "events.a.properties.b.allowed"),
        ("events: {a: {properties: {b: {type: number, allowed: [x]}}}}", "events.a.properties.b.allowed"),
        ("events: {a: {properties: {b: {type: text, minimum: 1}}}}", "events.a.properties.b"),
        ("events: {a: {properties: {b: {type: integer, minimum: 2, maximum: 1}}}}", "minimum is above"),
        ("events: {'': {}}", "events."),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, place: str) -> None:
    with pytest.raises(Invalid) as caught:
        load(text)
    assert caught.value.code == "plan_invalid"
    assert caught.value.detail is not None
    assert place in caught.value.detail.en


def test_a_mistake_is_told_in_chinese_without_the_parsers_words() -> None:
    told = {
        "events:\n  a:\n    rule: keep\n   owner: x\n": "第 4 行第 4 列「owner: x」：缩进没有与同级的上一行对齐",
        "events: {a: {properties: {b: {type: money}}}}": (
            "events.a.properties.b.type：不能是 'money'；可用：any, boolean, integer, list, number, object, text, time"
        ),
        "enforce: maybe": "enforce：应为 true 或 false，却是文本",
    }
    for text, detail in told.items():
        with pytest.raises(Invalid) as caught:
            load(text)
        assert caught.value.detail is not None
        assert caught.value.detail.zh == detail


def test_what_the_console_sends_is_told_the_same_way() -> None:
    with pytest.raises(Invalid) as caught:
        from_json('{"events": {"a": {"properties": {"b": {"type": "money"}}}}}')
    assert caught.value.detail is not None
    assert caught.value.detail.en.startswith("events.a.properties.b.type: It cannot be 'money'")


def plan_of(**more: object) -> Plan:
    return checked(Plan(events={"e": Event(properties={"p": Property(**more)})}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "path", "breaking"),
    [
        (plan_of(), plan_of(type="text"), "events.e.properties.p.type", True),
        (plan_of(type="text"), plan_of(), "events.e.properties.p.type", False),
        (plan_of(type="integer"), plan_of(type="number"), "events.e.properties.p.type", False),
        (plan_of(type="number"), plan_of(type="integer"), "events.e.properties.p.type", True),
        (plan_of(allowed=("a",)), plan_of(allowed=("a", "b")), "events.e.properties.p.allowed", False),
        (plan_of(allowed=("a", "b")), plan_of(allowed=("a",)), "events.e.properties.p.allowed", True),
        (plan_of(allowed=("a",)), plan_of(), "events.e.properties.p.allowed", False),
        (plan_of(), plan_of(required=True), "events.e.properties.p.required", True),
        (plan_of(required=True), plan_of(), "events.e.properties.p.required", False),
        (plan_of(), plan_of(personal=True), "events.e.properties.p.personal", True),
        (plan_of(), plan_of(description="x"), "events.e.properties.p.description", False),
        (plan_of(rule="keep"), plan_of(rule="quarantine"), "events.e.properties.p.rule", True),
        (plan_of(rule="quarantine"), plan_of(rule="keep"), "events.e.properties.p.rule", False),
        (
            plan_of(type="number", minimum=1),
            plan_of(type="number", minimum=0),
            "events.e.properties.p.minimum",
            False,
        ),
        (plan_of(type="number"), plan_of(type="number", maximum=5), "events.e.properties.p.maximum", True),
        (EMPTY, Plan(events={"e": Event()}), "events.e", False),
        (EMPTY, plan_of(required=True), "events.e", True),
        (Plan(events={"e": Event()}), EMPTY, "events.e", False),
        (
            Plan(undeclared="quarantine", events={"e": Event()}),
            Plan(undeclared="quarantine"),
            "events.e",
            True,
        ),
        (Plan(), Plan(enforce=True), "enforce", True),
        (Plan(), Plan(undeclared="quarantine"), "undeclared", True),
        (
            Plan(events={"e": Event(sources=("a",))}),
            Plan(events={"e": Event(sources=("a", "b"))}),
            "events.e.sources",
            False,
        ),
        (Plan(events={"e": Event()}), Plan(events={"e": Event(sources=("a",))}), "events.e.sources", True),
    ],
)
def test_a_difference_is_found_and_judged(before: Plan, after: Plan, path: str, breaking: bool) -> None:
    (change,) = diff(before, after)
    assert (change.path, change.breaking) == (path, breaking)


@given(plans, plans)
def test_equal_plans_and_only_they_have_no_difference(one: Plan, other: Plan) -> None:
    assert (diff(one, other) == []) == (ordered(one) == ordered(other))
