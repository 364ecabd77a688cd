"""The demonstration's plays: templates, a coupon, audiences and journeys, as an operator would make them."""

from __future__ import annotations

from typing import Any

from quanyu.access.contracts import Caller
from quanyu.app import Product
from quanyu.kernel.errors import Conflict
from quanyu.kernel.label import Label
from quanyu.messaging.api import CardTemplate

COUPON = "cpn_demo_winback"
_TEMPLATES = (
    ("tpl_demo_welcome", "新客欢迎语", "您好 {{name}}，我是您的专属导购，有任何需要随时找我～", None),
    (
        "tpl_demo_cart",
        "加购提醒 + 满减券",
        "{{name}}，您看中的商品还在购物车里，给您留了一张 {{coupon.name}}，点开卡片就能用。",
        CardTemplate("您有一张优惠券待使用", "pages/coupon"),
    ),
    (
        "tpl_demo_winback",
        "老客回馈",
        "{{name}}，好久不见！{{store}} 为您准备了 {{coupon.name}}，欢迎回来逛逛。",
        CardTemplate("老朋友专享券", "pages/coupon"),
    ),
)


def _rule(rule_id: str, predicate: str, **params: Any) -> dict[str, Any]:
    return {"type": "rule", "id": rule_id, "predicate": predicate, "params": params}


def _all(*children: dict[str, Any]) -> dict[str, Any]:
    return {"type": "group", "id": "g1", "op": "and", "children": list(children)}


_REACHABLE = _rule("r9", "has_consent", purpose="marketing", channel="wecom")
_BOUGHT_YEAR = _rule("r1", "performed", event="order_paid", times_operator="gte", times=1, within_days=365)
_QUIET = _rule("r2", "not_performed", event="order_paid", within_days=30)
_OFTEN = _rule("r1", "performed", event="order_paid", times_operator="gte", times=8, within_days=90)
_CARTED = _rule("r1", "performed", event="product_added_to_cart", times_operator="gte", times=1, within_days=30)

_AUDIENCES = (
    (
        "沉睡老客（可触达）",
        "近一年买过、近 30 天没买、同意企业微信营销",
        "daily",
        _all(_BOUGHT_YEAR, _QUIET, _REACHABLE),
    ),
    ("高频会员", "近 90 天下单 8 次以上", "daily", _all(_OFTEN)),
    ("近 30 天加购", "近 30 天在小程序加过购物车", "live", _all(_CARTED)),
)


def _node(node_id: str, kind: str, x: int, y: int, **config: Any) -> dict[str, Any]:
    return {"id": node_id, "kind": kind, "config": config, "position": {"x": x, "y": y}}


def _graph(nodes: list[dict[str, Any]], *ways: tuple[str, str, str]) -> dict[str, Any]:
    edges = [{"id": f"{source}-{port}", "from": source, "port": port, "to": target} for source, port, target in ways]
    return {"nodes": nodes, "edges": edges}


def publish_plays(product: Product, caller: Caller, connection: str) -> None:
    """Make what is missing, and publish it."""
    scope = caller.scope
    for template_id, name, text, card in _TEMPLATES:
        product.messaging.templates.create(scope, name, text, card, template_id)
    product.promotions.define(
        caller,
        name=Label("满 20 减 5 券", "5 off orders over 20"),
        kind="amount_off",
        value=500,
        threshold=2000,
        total=20_000,
        per_person=1,
        valid_days=14,
        coupon_id=COUPON,
    )
    for name, description, refresh, tree in _AUDIENCES:
        try:
            product.audiences.create_audience(caller, name, description, tree, refresh)  # type: ignore[arg-type]
        except Conflict:
            continue  # made by an earlier run that was cut short
    running = {view.name for view in product.journeys.list_journeys(scope)}
    for name, graph, settings in _journeys(connection):
        if name in running:
            continue
        made = product.journeys.create(caller, name, graph, settings)
        product.journeys.publish(caller, made.journey_id)


def _journeys(connection: str) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    welcome = _graph(
        [
            _node("added", "trigger", 0, 0, on="event", event="contact_added", where=[]),
            _node("hello", "send", 0, 160, connection=connection, template_id="tpl_demo_welcome", coupon_id=None),
            _node("first", "goal", 0, 320, event="order_paid", where=[], within_days=14),
        ],
        ("added", "next", "hello"),
        ("hello", "next", "first"),
    )
    cart = _graph(
        [
            _node("carted", "trigger", 0, 0, on="event", event="product_added_to_cart", where=[]),
            _node("wait", "wait", 0, 160, mode="event", value=1, unit="minutes", event="order_paid", where=[]),
            _node("regular", "branch", 0, 320, title="近一年买过", tree=_all(_BOUGHT_YEAR)),
            _node("remind", "send", 0, 480, connection=connection, template_id="tpl_demo_cart", coupon_id=COUPON),
            _node("bought", "goal", 0, 640, event="order_paid", where=[], within_days=3),
            _node("leave", "exit", 280, 480),
        ],
        ("carted", "next", "wait"),
        ("wait", "event", "leave"),
        ("wait", "timeout", "regular"),
        ("regular", "yes", "remind"),
        ("regular", "no", "leave"),
        ("remind", "next", "bought"),
    )
    once = {"rule": "once"}
    return [
        ("新客欢迎", welcome, {"holdout_percent": 0, "reentry": once, "category": "service", "purpose": "service"}),
        ("加购未付挽回", cart, {"holdout_percent": 20, "reentry": once, "daily_cap": 1}),
    ]
