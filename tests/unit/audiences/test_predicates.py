"""Predicates say what they mean and how they read; a wrong one is refused when it is registered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import pytest
from ibis.backends.sql.compilers import DuckDBCompiler, PySparkCompiler
from ibis.config import Config
from pyroaring import BitMap

import quanyu.analytics.api
import quanyu.commerce.api  # noqa: F401 - both register predicates
from quanyu.access.contracts import Scope
from quanyu.audiences.api import Choice, FormField, Names, Predicate, events
from quanyu.audiences.evaluator import lower
from quanyu.audiences.history_sets import expression, together
from quanyu.audiences.options import NameBook
from quanyu.audiences.predicate import PredicateRejected, Registry, read_rule, registry
from quanyu.audiences.primitives import EventAggregate, EventFilter, Except, TraitCompare, primitives
from quanyu.audiences.tree import parse_tree, rule
from quanyu.audiences.windows import Window, between, last_days
from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.kernel.clock import micros
from quanyu.kernel.label import Label
from tests.unit.audiences.worlds import AT, SCOPE

EXAMPLES: list[tuple[dict[str, Any], str, str]] = [
    (
        rule("performed", event="order_paid", times=2, within_days=90),
        "最近 90 天做过“支付订单”至少 2 次",
        "did “Order paid” at least 2 times in the last 90 days",
    ),
    (
        rule("performed", event="order_paid", times_operator="lte", times=3, counted="days", store_ids=["s1"]),
        "历史上做过“支付订单”（门店为s1），至多 3 天",
        "did “Order paid” in store s1 ever, but at most 3 different days",
    ),
    (
        rule(
            "not_performed", event="page_viewed", where=[{"property": "title", "operator": "contains", "value": "新品"}]
        ),
        "历史上没做过“浏览页面”（title包含新品）",
        "did not do “Page viewed” with title that contains 新品 ever",
    ),
    (
        rule("recency", event="order_paid", min_days=31, max_days=60),
        "最近一次“支付订单”在 31 至 60 天前",
        "last did “Order paid” 31 to 60 days ago",
    ),
    (
        rule("spent", at_least=10000, **{"from": "2026-01-01", "to": "2026-01-31"}),
        "2026-01-01 至 2026-01-31消费满 100.00",
        "spent at least 100.00 from 2026-01-01 to 2026-01-31",
    ),
    (
        rule("bought", by="category", keys=["tea"], measure="quantity", at_least=3, within_days=30),
        "最近 30 天购买“茶”至少 3 件",
        "bought “Tea”, at least 3 pieces, in the last 30 days",
    ),
    (
        rule("visited", channels=["web"], within_days=7),
        "最近 7 天有“到访”（渠道为网站）",
        "had a “visit” through Web in the last 7 days",
    ),
    (
        rule("trait", trait="城市", operator="in", value=["上海", "北京"]),
        "城市属于上海、北京",
        "城市 is one of 上海、北京",
    ),
    (rule("tag", tags=["t1", "t2"], match="all"), "同时有标签“会员、t2”", "has all the tags “Member, t2”"),
    (rule("in_audience", audience_id="a1"), "属于人群包“a1”", "is in the audience “a1”"),
    (rule("has_consent", channel="sms"), "同意通过短信用于营销", "consents to Marketing through SMS"),
    (
        rule("rfm", segments=["champions", "at_risk"]),
        "RFM 分层为重要价值客户、重要挽留客户",
        "is in the RFM segment Champions, Big spenders at risk",
    ),
    (rule("anyone"), "所有客户", "everybody"),
]
NAMES = NameBook(
    {
        ("events", "order_paid"): Label("支付订单", "Order paid"),
        ("events", "page_viewed"): Label("浏览页面", "Page viewed"),
        ("categories", "tea"): Label("茶", "Tea"),
        ("channels", "web"): Label("网站", "Web"),
        ("consent_channels", "sms"): Label("短信", "SMS"),
        ("purposes", "marketing"): Label("营销", "Marketing"),
        ("tags", "t1"): Label("会员", "Member"),
    }
)


@pytest.mark.parametrize(("data", "zh", "en"), EXAMPLES)
def test_a_rule_reads_as_a_sentence_in_both_languages(data: dict[str, Any], zh: str, en: str) -> None:
    read = read_rule("r", data["predicate"], data["params"])
    assert isinstance(read, Predicate)
    assert read.sentence(NAMES) == Label(zh, en)


def test_every_predicate_has_an_example_here() -> None:
    assert {key for key, _ in registry.items()} == {data["predicate"] for data, _, _ in EXAMPLES}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (rule("performed"), "event"),
        (rule("performed", event="x", within_days=0), "within_days"),
        (rule("performed", event="x", within_days=3, **{"from": "2026-01-01"}), ""),
        (rule("performed", event="x", **{"from": "2026-02-01", "to": "2026-01-01"}), ""),
        (rule("performed", event="x", where=[{"property": "a'b", "operator": "exists"}]), "where.0.property"),
        (rule("performed", event="x", where=[{"property": "a", "operator": "gt", "value": "NaN"}]), "where.0"),
        (rule("performed", event="x", when="now"), "when"),
        (rule("recency", event="x", min_days=5, max_days=4), ""),
        (rule("trait", trait="a", operator="in", value=[]), ""),
        (rule("trait", trait="a", operator="eq"), ""),
        (rule("trait", trait="a", operator="gt", value=True), ""),
        (rule("tag", tags=[]), "tags"),
        (rule("bought", keys=["k"], at_least=0), "at_least"),
        (rule("rfm", segments=["champions", "best"]), "segments.1"),
    ],
)
def test_wrong_parameters_are_refused_at_their_field(data: dict[str, Any], field: str) -> None:
    found = read_rule("r9", data["predicate"], data["params"])
    assert isinstance(found, list)
    assert [(error.id, error.field) for error in found] == [("r9", field)]
    assert found[0].message.zh
    assert "Wrong value" not in found[0].message.en, "every kind of fault has a sentence of its own"


def test_wrong_parameters_are_said_in_the_sentences_of_all_documents() -> None:
    params = {"event": 5, "times": "x", "where": 3, "from": "soon", "when": 1}
    found = read_rule("r9", "performed", params)
    assert isinstance(found, list)
    assert {error.field: (error.message.zh, error.message.en) for error in found} == {
        "event": ("应为文本", "A text is needed"),
        "times": ("应为整数", "A whole number is needed"),
        "where": ("应为列表", "A list is needed"),
        "from": ("应为日期，如 2026-01-31", "A date is needed, like 2026-01-31"),
        "when": ("没有这一项", "There is no such field"),
    }


@pytest.mark.parametrize(
    ("params", "place", "zh", "en"),
    [
        ({"event": "x", "times": 0}, "times", "做过某事 · 次", "Did something · Number"),
        (
            {"event": "x", "where": [{"property": "a", "operator": "exists"}, {"property": "b", "operator": "eq"}]},
            "where.1",
            "做过某事 · 且属性满足 (2)",
            "Did something · Where (2)",
        ),
        ({"event": "x", "colour": 1}, "colour", "做过某事", "Did something"),
    ],
)
def test_a_fault_names_the_field_as_the_form_does(params: dict[str, Any], place: str, zh: str, en: str) -> None:
    found = read_rule("r9", "performed", params)
    assert isinstance(found, list)
    (fault,) = found
    assert (fault.field, fault.label) == (place, Label(zh, en))


def test_lowering_says_what_a_rule_means() -> None:
    whole = lower(parse_tree(rule("trait", trait="tier", operator="ne", value="gold")), AT).whole
    assert whole == Except(TraitCompare("tier", "eq", "gold"))
    (one,) = primitives(lower(parse_tree(rule("performed", event="order_paid", times=2, within_days=7)), AT).whole)
    midnight = datetime(2026, 2, 24, tzinfo=ZoneInfo("Asia/Shanghai"))
    days = Window(micros(midnight), micros(AT) + 1, "2026-02-24", "2026-03-02")
    assert one == EventAggregate(("order_paid",), days, "count", low=2)


def test_days_are_the_brands_own_also_when_a_clock_changes() -> None:
    new_york = datetime(2026, 3, 9, 12, tzinfo=ZoneInfo("America/New_York"))  # the clock went forward the day before
    window = last_days(3, new_york)
    assert (window.first_day, window.last_day) == ("2026-03-07", "2026-03-09")
    assert window.start is not None
    assert micros(new_york) - window.start == int(timedelta(hours=59) / timedelta(microseconds=1))  # not 60
    assert between(None, None, new_york).end == micros(new_york) + 1


class Good(Predicate):
    """People who."""

    label = Label("好", "Good")
    group = Label("组", "Group")
    form = (FormField("n", "integer", Label("数", "Number")),)
    n: int

    def lower(self, at: datetime) -> Any:
        return events("x").count() >= self.n

    def sentence(self, names: Names) -> Label:
        return Label("好", "good")


def _wrong(**changes: Any) -> type[Predicate]:
    return type("Wrong", (Good,), {"__doc__": "Wrong.", "__annotations__": {}, **changes})


@pytest.mark.parametrize(
    ("key", "cls", "why"),
    [
        ("Good", Good, "lower-case"),
        ("good", _wrong(form=()), "form and parameters differ: ['n']"),
        ("good", _wrong(form=(FormField("n", "integer", Label("数", "")),)), "both languages"),
        ("good", _wrong(form=(FormField("n", "select", Label("数", "N")),)), "no choices"),
        ("good", _wrong(form=(*Good.form, *Good.form)), "twice"),
        ("good", _wrong(lower=Predicate.lower), "lacks `lower`"),
        ("good", _wrong(sentence=Predicate.sentence), "lacks `sentence`"),
        ("good", _wrong(__doc__=" "), "docstring"),
        ("good", int, "must derive"),
    ],
)
def test_a_wrong_predicate_is_refused_at_registration(key: str, cls: Any, why: str) -> None:
    with pytest.raises(PredicateRejected) as caught:
        Registry().add(key, cls)
    assert why in str(caught.value)


def test_a_key_is_taken_once() -> None:
    own = Registry()
    own.add("good", Good)
    own.add("good", Good)
    with pytest.raises(PredicateRejected, match="taken"):
        own.add(
            "good", _wrong(form=(FormField("n", "select", Label("数", "N"), choices=(Choice("1", Label("一", "1")),)),))
        )
    assert [key for key, _ in own.items()] == ["good"]


class _SparkOptions(Config):
    """What Spark's backend adds to Ibis's options when it is installed."""

    treat_nan_as_null: bool = False


class _Unbound:
    """An engine that only has schemas."""

    def events(self) -> Any:
        return ibis.table(ibis.Schema.from_pyarrow(EVENT_SCHEMA), name="events")

    def dimension(self, name: str) -> Any:
        return ibis.table({"brand": "string", "sku": "string", "category_key": "string"}, name=name)


SPARK_CASES: list[list[EventAggregate]] = [
    [events("order_paid").within(last_days(30, AT)).count() >= 2],
    [events("a", "b").where(EventFilter("p.q", "gte", 3), EventFilter("页", "contains", "x")).days() >= 2],
    [events("order_paid").with_items("category", ("c",)).sum("quantity") >= 3],
    [events("order_paid").with_items("product", ("s",)).last() >= 3],
    [
        events("order_paid").within(last_days(30, AT)).sum("amount") >= 2,
        events("order_paid").where(EventFilter("channel", "in", ("web", 3, True))).first().between(1, 2),
        events("order_paid").days() >= 2,
    ],
]


@pytest.mark.parametrize("aggregates", SPARK_CASES)
def test_history_conditions_compile_for_both_engines(aggregates: list[EventAggregate], monkeypatch: Any) -> None:
    if ibis.options.pyspark is None:
        monkeypatch.setattr(ibis.options, "pyspark", _SparkOptions())
    scope = Scope(1, "acme", store_ids=frozenset({"s1"}))
    wanted = expression(_Unbound(), scope, aggregates, BitMap([1, 2]))  # type: ignore[arg-type]
    assert together(aggregates) == [aggregates]
    for compiler, dialect in ((DuckDBCompiler(), "duckdb"), (PySparkCompiler(), "spark")):
        sql = compiler.to_sqlglot(wanted).sql(dialect)
        assert sql.startswith("SELECT"), dialect
        assert SCOPE.brand in sql
