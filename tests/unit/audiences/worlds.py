"""Small worlds of people, events, traits, tags and consent, and the obvious evaluator over them: one person at a time.

The evaluator here reads the same condition tree as the product and shares nothing with it but the tree's shape.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences.primitives import SetMember, TraitCompare
from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.kernel.clock import from_micros, micros

ZONE = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 3, 2, 9, 30, tzinfo=ZONE)
SCOPE = Scope(1, "acme", time_zone="Asia/Shanghai")


@dataclass
class Person:
    person_id: int
    events: list[dict[str, Any]] = field(default_factory=list)
    traits: dict[str, Any] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    audiences: set[str] = field(default_factory=set)
    consent: set[tuple[str, str]] = field(default_factory=set)
    visible: bool = True


@dataclass
class World:
    people: list[Person]
    categories: dict[str, str] = field(default_factory=dict)  # sku -> category

    def answer(self, tree: dict[str, Any], at: datetime = AT) -> set[int]:
        return {p.person_id for p in self.people if p.visible and fits(tree, p, at, self.categories)}


def event(name: str, at: datetime, **values: Any) -> dict[str, Any]:
    return {"name": name, "occurred_at": micros(at), "properties": {}, "items": [], **values}


def fits(node: dict[str, Any], person: Person, at: datetime, categories: dict[str, str]) -> bool:
    if node["type"] == "group":
        hits = sum(fits(child, person, at, categories) for child in node["children"])
        return {
            "and": hits == len(node["children"]),
            "or": hits >= 1,
            "not": hits == 0,
            "at_least": hits >= node.get("k", 1),
        }[node["op"]]
    p = node["params"]
    match node["predicate"]:
        case "performed":
            hits = _events(person, p, at)
            n = len(hits) if p.get("counted", "times") == "times" else len({_day(e) for e in hits})
            times = p.get("times", 1)
            return n >= 1 and {"gte": n >= times, "lte": n <= times, "eq": n == times}[p.get("times_operator", "gte")]
        case "anyone":
            return True
        case "not_performed":
            return not _events(person, p, at)
        case "recency":
            days = [_day(e) for e in _events(person, {"event": p["event"]}, at)]
            if not days:
                return False
            ago = (at.astimezone(ZONE).date() - max(days)).days
            return ago >= p.get("min_days", 0) and (p.get("max_days") is None or ago <= p["max_days"])
        case "spent":
            paid = _events(person, {**p, "event": "order_paid"}, at)
            total = sum(e.get("amount") or 0 for e in paid)
            most = p.get("at_most")
            return bool(paid) and total >= p.get("at_least", 0) and (most is None or total <= most)
        case "bought":
            return _bought(person, p, at, categories)
        case "trait":
            return _trait(person.traits.get(p["trait"]), p.get("operator", "eq"), p.get("value"))
        case "tag":
            hits = [tag in person.tags for tag in p["tags"]]
            return all(hits) if p.get("match") == "all" else any(hits)
        case "in_audience":
            return p["audience_id"] in person.audiences
        case "has_consent":
            return (p.get("purpose", "marketing"), p["channel"]) in person.consent
    raise AssertionError(node)


def _bought(person: Person, p: dict[str, Any], at: datetime, categories: dict[str, str]) -> bool:
    times, quantity, amount = 0, 0.0, 0
    days = set()
    for e in _events(person, {**p, "event": "order_paid"}, at):
        of = [i for i in e["items"] if (i["sku"] if p["by"] == "product" else categories.get(i["sku"])) in p["keys"]]
        times += bool(of)
        days |= {_day(e)} if of else set()
        quantity += sum(i["quantity"] for i in of)
        amount += sum(i["amount"] for i in of)
    measured = {"times": times, "days": len(days), "quantity": quantity, "amount": amount}[p.get("measure", "times")]
    return times >= 1 and measured >= p.get("at_least", 1)


def _day(e: dict[str, Any]) -> date:
    return from_micros(e["occurred_at"]).astimezone(ZONE).date()


def _events(person: Person, p: dict[str, Any], at: datetime) -> list[dict[str, Any]]:
    today = at.astimezone(ZONE).date()
    found = []
    for e in person.events:
        day = _day(e)
        if (
            (p["event"] in ("*", e["name"]))
            and e["occurred_at"] <= micros(at)
            and (p.get("within_days") is None or day > today - timedelta(days=p["within_days"]))
            and (p.get("from") is None or day >= date.fromisoformat(p["from"]))
            and (p.get("to") is None or day <= date.fromisoformat(p["to"]))
            and (not p.get("store_ids") or e.get("store_id") in p["store_ids"])
            and (not p.get("channels") or (e.get("channel") or "other") in p["channels"])
            and all(_passes(e, w) for w in p.get("where", []))
        ):
            found.append(e)
    return found


def _passes(e: dict[str, Any], w: dict[str, Any]) -> bool:
    value = (
        e.get(w["property"])
        if w["property"] in ("amount", "channel", "store_id")
        else e["properties"].get(w["property"])
    )
    if w["property"] == "channel":
        value = value or "other"
    operator, other = w["operator"], w.get("value")
    if operator == "exists":
        return value is not None
    if operator == "ne":
        return value is None or not _same(value, other)
    if value is None:
        return False
    if operator == "in":
        return any(_same(value, o) for o in other)
    return _trait(value, operator, other)


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except ValueError:
        return None


def _same(value: Any, other: Any) -> bool:
    if isinstance(other, int | float) and not isinstance(other, bool):
        return _number(value) == float(other)
    return _text(value) == _text(other)


def _trait(value: Any, operator: str, other: Any) -> bool:
    if operator in ("known", "unknown"):
        return (value is not None) == (operator == "known")
    if operator == "ne":
        return value is None or not _same(value, other)
    if value is None:
        return False
    if operator == "eq":
        return _same(value, other)
    if operator == "in":
        return any(_same(value, o) for o in other)
    if operator == "contains":
        return str(other).lower() in _text(value).lower()
    number, bound = _number(value), float(other)
    if number is None:
        return False
    return {"gt": number > bound, "gte": number >= bound, "lt": number < bound, "lte": number <= bound}[operator]


def event_table(world: World, brand: str = "acme") -> pa.Table:
    rows = []
    for person in world.people:
        for number, e in enumerate(person.events):
            rows.append(
                {
                    "event_id": f"{person.person_id}-{number}",
                    "source": "test",
                    "name": e["name"],
                    "occurred_at": e["occurred_at"],
                    "received_at": e["occurred_at"],
                    "day": _day(e).isoformat(),
                    "brand": brand,
                    "person_id": person.person_id,
                    "anchor_id": person.person_id,
                    "identifiers": [],
                    "channel": e.get("channel"),
                    "store_id": e.get("store_id"),
                    "order_id": e.get("order_id"),
                    "items": e["items"],
                    "amount": e.get("amount"),
                    "currency": "CNY",
                    "properties": json.dumps(e["properties"], ensure_ascii=False),
                }
            )
    return pa.Table.from_pylist(rows, schema=EVENT_SCHEMA)


class WorldSets:
    """The port that the evaluator needs of state, answered from a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def visible(self, scope: Scope) -> BitMap:
        return BitMap(p.person_id for p in self.world.people if p.visible)

    def answer(
        self, scope: Scope, wanted: Sequence[TraitCompare | SetMember], within: BitMap | None, at: datetime
    ) -> dict[TraitCompare | SetMember, BitMap]:
        return {w: BitMap(p.person_id for p in self.world.people if self._is(p, w)) for w in wanted}

    def _is(self, person: Person, wanted: TraitCompare | SetMember) -> bool:
        if isinstance(wanted, TraitCompare):
            return _trait(person.traits.get(wanted.name), wanted.operator, wanted.value)
        if wanted.kind == "tag":
            return bool(person.tags & set(wanted.keys))
        if wanted.kind == "audience":
            return wanted.keys[0] in person.audiences
        return wanted.keys in person.consent
