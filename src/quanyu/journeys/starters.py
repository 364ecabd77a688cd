"""Journeys to start from: abandoned cart, welcome, winning back. Drafts that lack only what a brand must choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quanyu.kernel.label import Label


def _node(node_id: str, kind: str, x: int, y: int, **config: Any) -> dict[str, Any]:
    return {"id": node_id, "kind": kind, "config": config, "position": {"x": x, "y": y}}


def _edges(*ways: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [{"id": f"{source}-{port}", "from": source, "port": port, "to": target} for source, port, target in ways]


def _recent(event: str, days: int) -> dict[str, Any]:
    rule = {
        "type": "rule",
        "id": "r1",
        "predicate": "performed",
        "params": {"event": event, "times_operator": "gte", "times": 1, "within_days": days},
    }
    return {"type": "group", "id": "g1", "op": "and", "children": [rule]}


STARTERS: Mapping[str, tuple[Label, dict[str, Any], dict[str, Any]]] = {
    "cart": (
        Label("购物车挽回", "Abandoned cart"),
        {
            "nodes": [
                _node("trigger", "trigger", 0, 120, on="event", event="product_added_to_cart", where=[]),
                _node("wait", "wait", 260, 120, mode="event", value=1, unit="hours", event="order_paid", where=[]),
                _node("known", "branch", 520, 200, title="近 90 天买过", tree=_recent("order_paid", 90)),
                _node("send", "send", 780, 120, connection="", template_id="", coupon_id=None),
                _node("goal", "goal", 1040, 120, event="order_paid", where=[], within_days=7),
                _node("exit", "exit", 780, 320),
            ],
            "edges": _edges(
                ("trigger", "next", "wait"),
                ("wait", "event", "exit"),
                ("wait", "timeout", "known"),
                ("known", "yes", "send"),
                ("known", "no", "exit"),
                ("send", "next", "goal"),
            ),
        },
        {"holdout_percent": 10, "reentry": {"rule": "cooldown", "cooldown_days": 7}, "daily_cap": 1},
    ),
    "welcome": (
        Label("新客欢迎", "Welcome"),
        {
            "nodes": [
                _node("trigger", "trigger", 0, 120, on="event", event="contact_added", where=[]),
                _node("send", "send", 260, 120, connection="", template_id="", coupon_id=None),
                _node("goal", "goal", 520, 120, event="order_paid", where=[], within_days=14),
            ],
            "edges": _edges(("trigger", "next", "send"), ("send", "next", "goal")),
        },
        {"holdout_percent": 0, "reentry": {"rule": "once"}, "category": "service", "purpose": "service"},
    ),
    "winback": (
        Label("沉睡唤醒", "Win back"),
        {
            "nodes": [
                _node("trigger", "trigger", 0, 120, on="audience", audience_id="", change="entered"),
                _node("send", "send", 260, 120, connection="", template_id="", coupon_id=None),
                _node("wait", "wait", 520, 120, mode="event", value=3, unit="days", event="order_paid", where=[]),
                _node("again", "send", 780, 220, connection="", template_id="", coupon_id=None),
                _node("goal", "goal", 1040, 120, event="order_paid", where=[], within_days=14),
            ],
            "edges": _edges(
                ("trigger", "next", "send"),
                ("send", "next", "wait"),
                ("wait", "event", "goal"),
                ("wait", "timeout", "again"),
                ("again", "next", "goal"),
            ),
        },
        {"holdout_percent": 10, "reentry": {"rule": "after_exit"}, "daily_cap": 1},
    ),
}
