"""Computing the overview: a handful of Ibis aggregates, put together with what audiences and RFM say of people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.analytics import drills
from quanyu.analytics.breakdowns import Breakdowns, Catalogue
from quanyu.analytics.contracts import (
    Drill,
    Kpi,
    Level,
    Overview,
    People,
    Period,
    Point,
    Question,
    Totals,
    TrendPoint,
)
from quanyu.analytics.definitions import DEFINITIONS, KPI_LABELS
from quanyu.analytics.rfm import SEGMENTS, Rfm
from quanyu.analytics.rows import Rows
from quanyu.audiences.api import Node, from_ids, group, parse_tree, rule
from quanyu.audiences.contracts import REACH_CHANNELS, REACH_PURPOSE
from quanyu.kernel.clock import micros
from quanyu.kernel.label import Label
from quanyu.storage.engine import Engine

Unit = Literal["money", "count", "percent"]


@dataclass(frozen=True, slots=True)
class Computing:
    """One overview in the making. `count_people` evaluates a tree within the scope."""

    engine: Engine
    rfm: Rfm
    scope: Scope
    visible: BitMap
    question: Question
    catalogue: Catalogue
    made_sources: Collection[str]
    people_of: Callable[[Node], BitMap]
    at: datetime

    def rows(self, question: Question | None = None) -> Rows:
        """The rows of the question; people are checked one by one only for a caller with a narrower scope."""
        seen = None if self.scope.whole_brand else self.visible
        return Rows(self.engine, self.scope, seen, question or self.question, micros(self.at))

    def overview(self, as_of: datetime) -> Overview:
        """All of it."""
        totals = self.totals(self.rows())
        before = self.totals(self.rows(replace(self.question, period=_before(self.question.period))))
        trend = self.trend()
        parts = Breakdowns(self.rows(), self.catalogue)
        return Overview(
            as_of,
            self.question,
            self.scope.currency,
            totals,
            self.kpis(totals, before, trend),
            trend,
            parts.channels(),
            parts.stores(),
            parts.categories(),
            parts.products(),
            self.people(),
        )

    def totals(self, rows: Rows) -> Totals:
        """The counts of the rows' period."""
        orders, visits = rows.orders(), rows.visits()
        buyers = orders.group_by("person_id").aggregate(  # orders of nobody make one row without a person
            amount=orders.amount.sum().coalesce(0), orders=orders.count(), days=orders.day.nunique()
        )
        sold = self._run(
            buyers.aggregate(
                amount=buyers.amount.sum().coalesce(0),
                orders=buyers.orders.sum().coalesce(0),
                buyers=buyers.person_id.count(),
                repeaters=(buyers.person_id.notnull() & (buyers.days >= 2)).cast("int64").sum().coalesce(0),
            )
        )[0]
        came = self._run(visits.aggregate(visitors=visits.person_id.nunique()))[0]
        return Totals(
            int(sold["amount"]), int(sold["orders"]), int(sold["buyers"]), int(came["visitors"]), int(sold["repeaters"])
        )

    def trend(self) -> tuple[TrendPoint, ...]:
        """Amount and orders per day and channel."""
        orders = self.rows().orders()
        found = self._run(
            orders.group_by("day", "channel").aggregate(amount=orders.amount.sum().coalesce(0), orders=orders.count())
        )
        points = [
            TrendPoint(date.fromisoformat(r["day"]), r["channel"] or "other", int(r["amount"]), int(r["orders"]))
            for r in found
        ]
        merged: dict[tuple[date, str], TrendPoint] = {}
        for p in points:  # no channel and `other` are one line
            known = merged.get((p.on, p.channel))
            merged[p.on, p.channel] = (
                p if known is None else TrendPoint(p.on, p.channel, known.amount + p.amount, known.orders + p.orders)
            )
        return tuple(merged[key] for key in sorted(merged))

    def kpis(self, now: Totals, before: Totals, trend: tuple[TrendPoint, ...]) -> tuple[Kpi, ...]:
        """The numbers at the top, each with its days and how it opens."""
        rows, q, scope = self.rows(), self.question, self.scope
        orders, visits = rows.orders(), rows.visits()
        buyers = self._by_day(orders.group_by("day").aggregate(n=orders.person_id.nunique()))
        visitors = self._by_day(visits.group_by("day").aggregate(n=visits.person_id.nunique()))
        amounts: dict[date, float] = dict.fromkeys(_days(q.period), 0.0)
        counts: dict[date, float] = dict.fromkeys(_days(q.period), 0.0)
        for p in trend:
            amounts[p.on] += p.amount
            counts[p.on] += p.orders
        made_orders, made_visits, made_consent = self._made()
        reachable = self._tree(_reachable())
        shop = drills.events(q)
        came, bought = drills.people(drills.visitors(scope, q)), drills.people(drills.buyers(scope, q))
        again, asked = drills.people(drills.repeaters(scope, q)), drills.people(_reachable())
        converted = _kpi(
            "conversion",
            "percent",
            now.conversion,
            before.conversion,
            _ratio(buyers, visitors),
            made_orders or made_visits,
            bought,
        )
        value_days, order_days = _ratio(amounts, buyers), _ratio(amounts, counts)
        repurchase = _kpi("repurchase", "percent", now.repurchase, before.repurchase, {}, made_orders, again)
        return (
            _kpi("gmv", "money", now.amount, before.amount, amounts, made_orders, shop),
            _kpi("visitors", "count", now.visitors, before.visitors, visitors, made_visits, came),
            replace(converted, numerator=now.buyers, denominator=now.visitors),
            _kpi("order_value", "money", now.order_value, before.order_value, value_days, made_orders, shop),
            _kpi("orders", "count", now.orders, before.orders, counts, made_orders, shop),
            _kpi("average_order", "money", now.average_order, before.average_order, order_days, made_orders, shop),
            _kpi("buyers", "count", now.buyers, before.buyers, buyers, made_orders, bought),
            _kpi("people", "count", len(self.visible), None, {}, False, drills.people(rule("anyone"))),
            _kpi("reachable", "count", len(reachable), None, {}, made_consent, asked),
            replace(repurchase, numerator=now.repeaters, denominator=now.buyers),
        )

    def people(self) -> People:
        """New, active and returning people, and the pyramid."""
        q, scope = self.question, self.scope
        active, before = self._tree(drills.visitors(scope, q)), self._tree(drills.visitors_before(scope, q))
        return People(
            len(self.visible),
            active.difference_cardinality(before),
            len(active),
            active.intersection_cardinality(before),
            self.pyramid(),
            {
                "total": drills.people(rule("anyone")),
                "new": drills.people(drills.new_visitors(scope, q)),
                "active": drills.people(drills.visitors(scope, q)),
                "returning": drills.people(drills.returning_visitors(scope, q)),
            },
        )

    def pyramid(self) -> tuple[Level, ...]:
        """The RFM segments as of the period's last day, and below them who did not buy in that year."""
        last = self.question.period.last
        scored = self.rfm.scored(self.scope, last)
        total, levels, bought = len(self.visible), [], BitMap()
        for position, (key, label) in enumerate(SEGMENTS.values()):
            hit = scored.segment == position
            members = from_ids(scored.person_id[hit]) & self.visible
            bought |= members
            tree = rule("rfm", segments=[key], as_of=last.isoformat())
            levels.append(
                Level(
                    key,
                    label,
                    len(members),
                    int(scored.amount[hit].sum()),
                    len(members) / total if total else 0.0,
                    drills.people(tree),
                )
            )
        rest = total - len(bought)
        everyone = rule("rfm", segments=[key for key, _ in SEGMENTS.values()], as_of=last.isoformat())
        foot = Label("近一年未购买", "Did not buy in the year")
        none = Level("none", foot, rest, 0, rest / total if total else 0.0, drills.people(group("not", everyone)))
        return (*levels, none)

    # ---------------------------------------------------------------------------------------------------- inside
    def _by_day(self, expression: Any) -> dict[date, float]:
        found = {date.fromisoformat(r["day"]): float(r["n"]) for r in self._run(expression)}
        return {day: found.get(day, 0.0) for day in _days(self.question.period)}

    def _made(self) -> tuple[bool, bool, bool]:
        """Whether orders, visits and consent in the period rest on sources that a demonstration filled."""
        if not self.made_sources:
            return False, False, False
        sources = list(self.made_sources)
        orders, visits = self.rows().orders(), self.rows().visits()
        consent = Rows(self.engine, self.scope, None, Question(Period(date.min, date.max)), micros(self.at))
        asked = (orders, visits, consent.events("consent_granted"))
        return tuple(  # type: ignore[return-value]
            bool(self._run(rows.filter(rows.source.isin(sources)).select("source").limit(1))) for rows in asked
        )

    def _tree(self, tree: dict[str, Any]) -> BitMap:
        return self.people_of(parse_tree(tree))

    def _run(self, expression: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.engine.run(expression).to_pylist()
        return rows


def _reachable() -> dict[str, Any]:
    return group("or", *(rule("has_consent", purpose=REACH_PURPOSE, channel=channel) for channel in REACH_CHANNELS))


def _before(period: Period) -> Period:
    return Period(period.first - timedelta(days=period.days), period.first - timedelta(days=1))


def _days(period: Period) -> list[date]:
    return [period.first + timedelta(days=i) for i in range(period.days)]


def _ratio(above: Mapping[date, float], below: Mapping[date, float]) -> dict[date, float]:
    return {day: above[day] / below[day] if below.get(day) else 0.0 for day in above}


def _kpi(
    key: str,
    unit: Unit,
    value: float | None,
    before: float | None,
    series: Mapping[date, float],
    made: bool,
    drill: Drill,
) -> Kpi:
    change = (value - before) / before if value is not None and before else None
    points = tuple(Point(day, series[day]) for day in sorted(series))
    return Kpi(key, KPI_LABELS[key], DEFINITIONS[key], value or 0, unit, before, change, points, made, drill)
