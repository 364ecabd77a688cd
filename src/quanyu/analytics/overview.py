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
        """All of it: history is read twice, once for who came and once for what was bought."""
        question = self.question
        first = _before(question.period).first
        both = self.rows(replace(question, period=Period(first, question.period.last)))
        engine = self.engine
        with engine.kept(both.came(self.made_sources)) as came, engine.kept(self.rows().bought()) as bought:
            mine = came.filter(came.day >= question.period.first.isoformat())
            totals, before = self.totals(came)
            trend = self.trend(mine)
            parts = Breakdowns(self.engine, self.scope, question, self.catalogue, mine, bought)
            return Overview(
                as_of,
                question,
                self.scope.currency,
                totals,
                self.kpis(totals, before, trend, mine),
                trend,
                parts.channels(),
                parts.stores(),
                parts.categories(),
                parts.products(),
                self.people(),
            )

    def totals(self, came: Any) -> tuple[Totals, Totals]:
        """The counts of the period and of the one before."""
        rows = came.mutate(now=came.day >= self.question.period.first.isoformat())
        each = rows.group_by("now", "person_id").aggregate(  # orders of nobody make one row without a person
            amount=rows.amount.sum(), orders=rows.orders.sum(), days=rows.day.nunique(where=rows.orders > 0)
        )
        found = self._run(
            each.group_by("now").aggregate(
                amount=each.amount.sum(),
                orders=each.orders.sum(),
                buyers=each.person_id.count(where=each.orders > 0),
                visitors=each.person_id.count(),
                repeaters=each.person_id.count(where=each.days >= 2),
            )
        )
        names = ("amount", "orders", "buyers", "visitors", "repeaters")
        by_now = {bool(r["now"]): Totals(*(int(r[name]) for name in names)) for r in found}
        nothing = Totals(0, 0, 0, 0, 0)
        return by_now.get(True, nothing), by_now.get(False, nothing)

    def trend(self, came: Any) -> tuple[TrendPoint, ...]:
        """Amount and orders per day and channel."""
        rows = came.filter(came.orders > 0)
        found = self._run(rows.group_by("day", "channel").aggregate(amount=rows.amount.sum(), orders=rows.orders.sum()))
        points = [
            TrendPoint(date.fromisoformat(r["day"]), r["channel"], int(r["amount"]), int(r["orders"])) for r in found
        ]
        return tuple(sorted(points, key=lambda point: (point.on, point.channel)))

    def kpis(self, now: Totals, before: Totals, trend: tuple[TrendPoint, ...], came: Any) -> tuple[Kpi, ...]:
        """The numbers at the top, each with its days and how it opens."""
        q, scope = self.question, self.scope
        buyers, visitors, made_orders, made_visits = self._days(came)
        amounts: dict[date, float] = dict.fromkeys(_days(q.period), 0.0)
        counts: dict[date, float] = dict.fromkeys(_days(q.period), 0.0)
        for p in trend:
            amounts[p.on] += p.amount
            counts[p.on] += p.orders
        reachable = self._tree(_reachable())
        shop = drills.events(q)
        visited, bought = drills.people(drills.visitors(scope, q)), drills.people(drills.buyers(scope, q))
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
            _kpi("visitors", "count", now.visitors, before.visitors, visitors, made_visits, visited),
            replace(converted, numerator=now.buyers, denominator=now.visitors),
            _kpi("order_value", "money", now.order_value, before.order_value, value_days, made_orders, shop),
            _kpi("orders", "count", now.orders, before.orders, counts, made_orders, shop),
            _kpi("average_order", "money", now.average_order, before.average_order, order_days, made_orders, shop),
            _kpi("buyers", "count", now.buyers, before.buyers, buyers, made_orders, bought),
            _kpi("people", "count", len(self.visible), None, {}, False, drills.people(rule("anyone"))),
            _kpi("reachable", "count", len(reachable), None, {}, self._made_consent(), asked),
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
    def _days(self, came: Any) -> tuple[dict[date, float], dict[date, float], bool, bool]:
        """Buyers and visitors per day, and whether orders and visits of the period rest on made sources."""
        paid = came.orders > 0
        found = self._run(
            came.group_by("day").aggregate(
                buyers=came.person_id.nunique(where=paid),
                visitors=came.person_id.nunique(),
                made_orders=(came.made & paid).any(),
                made=came.made.any(),
            )
        )
        days = {date.fromisoformat(r["day"]): r for r in found}
        buyers, visitors = (
            {day: float(days[day][name]) if day in days else 0.0 for day in _days(self.question.period)}
            for name in ("buyers", "visitors")
        )
        return buyers, visitors, any(r["made_orders"] for r in found), any(r["made"] for r in found)

    def _made_consent(self) -> bool:
        """Whether consent rests on sources that a demonstration filled."""
        if not self.made_sources:
            return False
        always = Rows(self.engine, self.scope, None, Question(Period(date.min, date.max)), micros(self.at))
        consent = always.events("consent_granted")
        return bool(self._run(consent.filter(consent.source.isin(list(self.made_sources))).select("source").limit(1)))

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
