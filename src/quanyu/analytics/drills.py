"""How numbers open: the tree or the events query whose answer is exactly the number."""

from __future__ import annotations

from typing import Any

from quanyu.access.contracts import Scope
from quanyu.analytics.contracts import Drill, Period, Question
from quanyu.analytics.definitions import ORDER
from quanyu.audiences.api import group, rule


def people(tree: dict[str, Any]) -> Drill:
    """Opens to people."""
    return {"kind": "people", "tree": tree}


def events(question: Question, **narrower: str) -> Drill:
    """Opens to paid orders as events."""
    narrowed = {"store_id": question.store_id, "channel": question.channel, "category": question.category}
    query = {"name": ORDER, "from": question.period.first.isoformat(), "to": question.period.last.isoformat()}
    query |= {key: value for key, value in narrowed.items() if value is not None}
    return {"kind": "events", "query": query | narrower}


def _params(scope: Scope, question: Question, period: Period | None = None) -> dict[str, Any]:
    days = period or question.period
    params: dict[str, Any] = {"from": days.first.isoformat(), "to": days.last.isoformat()}
    if question.store_id is not None:
        params["store_ids"] = [question.store_id]
    elif scope.store_ids is not None:
        params["store_ids"] = sorted(scope.store_ids)
    if question.channel is not None:
        params["channels"] = [question.channel]
    return params


def visitors(scope: Scope, question: Question) -> dict[str, Any]:
    """The tree of people with a visit or order."""
    params = _params(scope, question)
    if question.category is not None:
        params["categories"] = [question.category]
    return rule("visited", **params)


def visitors_before(scope: Scope, question: Question) -> dict[str, Any]:
    """The tree of people with a visit or order before the period."""
    tree = visitors(scope, question)
    day_before = question.period.first.toordinal() - 1
    params = {**tree["params"], "to": question.period.first.fromordinal(day_before).isoformat()}
    del params["from"]
    return {**tree, "params": params}


def new_visitors(scope: Scope, question: Question) -> dict[str, Any]:
    """The tree of people whose first visit lies in the period."""
    return group("and", visitors(scope, question), group("not", visitors_before(scope, question)))


def returning_visitors(scope: Scope, question: Question) -> dict[str, Any]:
    """The tree of people who had visited before the period and did again."""
    return group("and", visitors(scope, question), visitors_before(scope, question))


def buyers(scope: Scope, question: Question, *, category: str | None = None, sku: str | None = None) -> dict[str, Any]:
    """The tree of people with a paid order, of a category or product if given."""
    params = _params(scope, question)
    if sku is not None:
        return rule("bought", by="product", keys=[sku], **params)
    wanted = category or question.category
    if wanted is not None:
        return rule("bought", by="category", keys=[wanted], **params)
    return rule("performed", event=ORDER, **params)


def repeaters(scope: Scope, question: Question) -> dict[str, Any]:
    """The tree of people with paid orders on two or more days."""
    params = _params(scope, question)
    if question.category is not None:
        return rule("bought", by="category", keys=[question.category], measure="days", at_least=2, **params)
    return rule("performed", event=ORDER, counted="days", times=2, **params)
