import pytest

from quanyu.journeys.graph import Draft, JourneySettings, Reentry, validate
from quanyu.kernel.label import Label


def node(node_id: str, kind: str, **config: object) -> dict:
    return {"id": node_id, "kind": kind, "config": config, "position": {"x": 0, "y": 0}}


def edge(source: str, target: str, port: str = "next") -> dict:
    return {"id": f"{source}-{port}-{target}", "from": source, "port": port, "to": target}


def cart() -> dict:
    return {
        "nodes": [
            node("t", "trigger", on="event", event="product_added_to_cart"),
            node("w", "wait", mode="event", value=1, unit="hours", event="order_paid"),
            node("b", "branch", tree={"type": "group", "id": "g", "op": "and", "children": []}),
            node("s", "send", connection="wecom", template_id="tpl_1", coupon_id=None),
            node("g", "goal", event="order_paid", within_days=7),
            node("x", "exit"),
        ],
        "edges": [
            edge("t", "w"),
            edge("w", "x", "event"),
            edge("w", "b", "timeout"),
            edge("b", "s", "yes"),
            edge("b", "x", "no"),
            edge("s", "g"),
        ],
    }


def check(graph: dict, settings: JourneySettings | None = None, references: object = None):
    return validate(Draft.model_validate(graph), settings or JourneySettings(), references)  # type: ignore[arg-type]


def codes(graph: dict, **more) -> list[tuple[str | None, str]]:
    return [(fault.node_id, fault.code) for fault in check(graph, **more).errors]


def test_a_sound_graph_becomes_a_plan_in_order() -> None:
    result = check(cart())
    assert result.errors == []
    assert result.warnings == []
    assert result.plan is not None
    place = {key: i for i, key in enumerate(result.plan.order)}
    assert place["t"] < place["w"] < place["b"] < place["s"] < place["g"]
    assert place["w"] < place["x"]
    assert result.plan.nodes["w"].ways == {"event": "x", "timeout": "b"}
    assert result.plan.goal is not None
    assert result.plan.goal.within_days == 7


def test_an_empty_draft_says_that_the_trigger_is_missing() -> None:
    result = check({"nodes": [], "edges": []})
    assert [fault.code for fault in result.errors] == ["trigger_missing"]
    assert result.errors[0].message == Label("缺少触发节点", "There is no trigger")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda g: g["nodes"].append(node("t2", "trigger", on="event", event="x")), ("t2", "trigger_repeated")),
        (lambda g: g["nodes"].append(node("g2", "goal", event="x")), ("g2", "goal_repeated")),
        (lambda g: g["nodes"].append(node("lost", "exit")), ("lost", "unreachable")),
        (lambda g: g["nodes"].append(node("t", "exit")), ("t", "node_repeated")),
        (lambda g: g["nodes"].append(node("k", "teleport")), ("k", "node_kind_unknown")),
        (lambda g: g["edges"].append(edge("s", "nowhere")), ("s", "edge_dangling")),
        (lambda g: g["edges"].append(edge("s", "x", "yes")), ("s", "port_unknown")),
        (lambda g: g["edges"].append(edge("s", "x")), ("s", "port_repeated")),
        (lambda g: g["edges"].append(edge("g", "t")), ("g", "trigger_target")),
        (lambda g: g["edges"].append(edge("g", "w")), ("g", "loop")),
        (lambda g: g["edges"].append(edge("x", "s")), ("x", "port_unknown")),
    ],
)
def test_each_mistake_is_named_on_its_node(change, expected) -> None:
    graph = cart()
    change(graph)
    assert expected in codes(graph)


@pytest.mark.parametrize(
    ("node_id", "config", "field", "code"),
    [
        ("t", {}, "on", "field_missing"),
        ("t", {"on": "event"}, "event", "field_missing"),
        ("t", {"on": "audience"}, "audience_id", "field_missing"),
        ("t", {"on": "audience", "audience_id": "a", "change": "sideways"}, "change", "field_invalid"),
        ("w", {"mode": "duration", "unit": "hours"}, "value", "field_missing"),
        ("w", {"mode": "duration", "value": -1, "unit": "hours"}, "value", "field_invalid"),
        ("w", {"mode": "duration", "value": 1, "unit": "moons"}, "unit", "field_invalid"),
        ("b", {}, "tree", "field_missing"),
        ("s", {"template_id": "x"}, "connection", "field_missing"),
        ("s", {"connection": "x"}, "template_id", "field_missing"),
        ("g", {"event": ""}, "event", "field_missing"),
        ("g", {"event": "e", "within_days": 0}, "within_days", "field_invalid"),
        ("g", {"event": "e", "where": [{"property": "x", "operator": "like"}]}, "where.0.operator", "field_invalid"),
    ],
)
def test_each_bad_setting_is_named_on_its_field(node_id, config, field, code) -> None:
    graph = cart()
    next(entry for entry in graph["nodes"] if entry["id"] == node_id)["config"] = config
    found = [(fault.node_id, fault.field, fault.code) for fault in check(graph).errors]
    assert (node_id, field, code) in found


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"event": "e", "within_days": "soon"}, Label("应为整数", "A whole number is needed")),
        ({"event": "e", "within_days": 0}, Label("不能小于 1", "Must not be below 1")),
        ({"event": "e", "where": 3}, Label("应为列表", "A list is needed")),
        ({"event": "e", "where": [{}]}, Label("必填", "This is required")),
    ],
)
def test_a_bad_setting_is_said_in_the_sentences_of_all_documents(config, said) -> None:
    graph = cart()
    next(entry for entry in graph["nodes"] if entry["id"] == "g")["config"] = config
    assert said in [fault.message for fault in check(graph).errors if fault.node_id == "g"]


def test_every_sentence_is_there_in_both_languages() -> None:
    graph = cart()
    graph["nodes"] += [node("k", "teleport"), node("lost", "exit"), node("t2", "trigger")]
    graph["edges"] += [edge("g", "w"), edge("s", "nowhere"), edge("s", "x", "yes")]
    for fault in check(graph).errors:
        assert any("\u4e00" <= letter <= "\u9fff" for letter in fault.message.zh)
        assert fault.message.en.isascii()


def test_open_ways_no_goal_and_no_holdout_are_warnings() -> None:
    graph = {
        "nodes": [
            node("t", "trigger", on="event", event="e"),
            node("w", "wait", mode="duration", value=1, unit="days"),
        ],
        "edges": [edge("t", "w")],
    }
    result = check(graph, JourneySettings(holdout_percent=0))
    assert result.errors == []
    assert {(w.node_id, w.code) for w in result.warnings} == {
        ("w", "way_ends"),
        (None, "nothing_sent"),
        (None, "goal_missing"),
        (None, "holdout_missing"),
    }


def test_a_cooldown_needs_its_days() -> None:
    settings = JourneySettings(reentry=Reentry(rule="cooldown"))
    assert (None, "cooldown_missing") in codes(cart(), settings=settings)


class References:
    def connection_problem(self, connection):
        return None if connection == "wecom" else Label("没有这个通道", "No such connection")

    def template_problem(self, template_id, connection, coupon_id):
        return None if template_id == "tpl_1" else Label("没有这个模板", "No such template")

    def coupon_problem(self, coupon_id):
        return Label("券已停用", "The coupon is off")

    def audience_problem(self, audience_id):
        return Label("没有这个人群包", "No such audience")

    def tree_problems(self, tree):
        return [("children", Label("条件为空", "The condition is empty"))] if not tree["children"] else []


def test_what_a_graph_names_must_exist() -> None:
    graph = cart()
    assert codes(graph, references=References()) == [("b", "condition_invalid")]
    graph["nodes"][0]["config"] = {"on": "audience", "audience_id": "a_1"}
    graph["nodes"][2]["config"] = {"tree": {"children": [1]}}
    graph["nodes"][3]["config"] = {"connection": "wecom", "template_id": "tpl_2", "coupon_id": "c_1"}
    assert codes(graph, references=References()) == [
        ("t", "audience_unusable"),
        ("s", "template_unusable"),
        ("s", "coupon_unusable"),
    ]
