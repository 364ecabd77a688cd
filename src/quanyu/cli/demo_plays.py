"""The demonstration's plays: templates, a coupon, audiences and journeys, as an operator would make them.

A name of these is one text in the product, as an operator types it, so the demonstration writes it in its language.
"""

from __future__ import annotations

from typing import Any

from quanyu.access.contracts import Caller
from quanyu.app import Product
from quanyu.kernel.errors import Conflict
from quanyu.kernel.label import Label
from quanyu.messaging.api import CardTemplate

COUPON = "cpn_demo_winback"
_TEMPLATES = (
    (
        "tpl_demo_welcome",
        Label("新客欢迎语", "Welcome"),
        Label(
            "您好 {{name}}，我是您的专属导购，有任何需要随时找我～",
            "Hello {{name}}, I am your personal shopping guide; write to me whenever you need anything.",
        ),
        None,
    ),
    (
        "tpl_demo_cart",
        Label("加购提醒 + 满减券", "Cart reminder with a coupon"),
        Label(
            "{{name}}，您看中的商品还在购物车里，给您留了一张 {{coupon.name}}，点开卡片就能用。",
            "{{name}}, what you picked is still in your cart, and {{coupon.name}} is yours: open the card to use it.",
        ),
        Label("您有一张优惠券待使用", "A coupon is waiting for you"),
    ),
    (
        "tpl_demo_winback",
        Label("老客回馈", "Winback offer"),
        Label(
            "{{name}}，好久不见！{{store}} 为您准备了 {{coupon.name}}，欢迎回来逛逛。",
            "{{name}}, it has been a while! {{store}} has {{coupon.name}} for you; come and see us again.",
        ),
        Label("老朋友专享券", "A coupon for old friends"),
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
        Label("沉睡老客（可触达）", "Sleeping customers (reachable)"),
        Label(
            "近一年买过、近 30 天没买、同意企业微信营销",
            "Bought within a year, not in the last 30 days, agreed to marketing on WeCom",
        ),
        "daily",
        _all(_BOUGHT_YEAR, _QUIET, _REACHABLE),
    ),
    (
        Label("高频会员", "Frequent members"),
        Label("近 90 天下单 8 次以上", "8 orders or more in the last 90 days"),
        "daily",
        _all(_OFTEN),
    ),
    (
        Label("近 30 天加购", "Filled a cart in 30 days"),
        Label("近 30 天在小程序加过购物车", "Put something into the mini program's cart in the last 30 days"),
        "live",
        _all(_CARTED),
    ),
)


def _node(node_id: str, kind: str, x: int, y: int, **config: Any) -> dict[str, Any]:
    return {"id": node_id, "kind": kind, "config": config, "position": {"x": x, "y": y}}


def _graph(nodes: list[dict[str, Any]], *ways: tuple[str, str, str]) -> dict[str, Any]:
    edges = [{"id": f"{source}-{port}", "from": source, "port": port, "to": target} for source, port, target in ways]
    return {"nodes": nodes, "edges": edges}


def publish_plays(product: Product, caller: Caller, connection: str) -> None:
    """Make what is missing in the caller's language, and publish it."""
    scope, language = caller.scope, caller.language
    for template_id, name, text, title in _TEMPLATES:
        card = CardTemplate(title.text(language), "pages/coupon") if title else None
        product.messaging.templates.create(scope, name.text(language), text.text(language), card, template_id)
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
            product.audiences.create_audience(
                caller,
                name.text(language),
                description.text(language),
                tree,
                refresh,  # type: ignore[arg-type]
            )
        except Conflict:
            continue  # made by an earlier run that was cut short
    running = {view.name for view in product.journeys.list_journeys(scope)}
    for name, graph, settings in _journeys(connection, language):
        if name.text(language) in running:
            continue
        made = product.journeys.create(caller, name.text(language), graph, settings)
        product.journeys.publish(caller, made.journey_id)


def _journeys(connection: str, language: str) -> list[tuple[Label, dict[str, Any], dict[str, Any]]]:
    known = Label("近一年买过", "Bought within a year").text(language)
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
            _node("wait", "wait", 0, 160, mode="event", value=20, unit="seconds", event="order_paid", where=[]),
            _node("regular", "branch", 0, 320, title=known, tree=_all(_BOUGHT_YEAR)),
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
        (
            Label("新客欢迎", "Welcome new friends"),
            welcome,
            {"holdout_percent": 0, "reentry": once, "category": "service", "purpose": "service"},
        ),
        (
            Label("加购未付挽回", "Abandoned cart"),
            cart,
            {"holdout_percent": 20, "reentry": once, "daily_cap": 1},
        ),
    ]
