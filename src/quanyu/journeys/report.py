"""The numbers of a journey: who stands where, what was sent, and the people behind each number.

All versions count together, node by node; everything is counted within the caller's scope. The two arms of the
lift are people who were due a message: treated when it was submitted, held out when only a ghost was. What they did
counts from that moment to the end of the goal's window, once per event however often a person was inside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.journeys.contracts import People
from quanyu.journeys.statistics import Arm, Lift, lift
from quanyu.journeys.tables import goal_hit, journey, participation, transition

NodeState = Literal[
    "entered",
    "waiting",
    "held_out",
    "intended",
    "sent",
    "accepted",
    "rejected",
    "unknown",
    "suppressed",
    "deferred",
    "delivered",
    "read",
    "redeemed",
    "converted",
]


@dataclass(slots=True)
class NodeNumbers:
    """The numbers of one node. `reasons` counts the suppressed."""

    node_id: str
    entered: int = 0
    left: int = 0
    waiting: int = 0
    held_out: int = 0
    intended: int = 0
    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    deferred: int = 0
    suppressed: int = 0
    delivered: int = 0
    read: int = 0
    redeemed: int = 0
    converted: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EdgeNumbers:
    """How many went along one way; `target` None left the journey."""

    source: str
    port: str
    target: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a journey's page shows."""

    as_of: datetime
    entered: int
    active: int
    exited: int
    goal_converted: int
    nodes: dict[str, NodeNumbers]
    edges: tuple[EdgeNumbers, ...]
    exits: dict[str, int]
    lift: Lift | None


class Reporter:
    """Counts, within a scope. `effects` is messaging's narrow view of every effect."""

    def __init__(self, people: People, effects: Callable[[], sa.Subquery]) -> None:
        self._people = people
        self._effects = effects

    def report(self, tx: sa.Connection, scope: Scope, journey_id: str, now: datetime) -> Report:
        """The numbers of one journey."""
        inside = self._inside(scope, journey_id)
        totals = tx.execute(
            sa.select(
                participation.c.state,
                sa.func.count().label("many"),
                sa.func.count(participation.c.goal_at).label("goals"),
            )
            .where(*inside)
            .group_by(participation.c.state)
        ).all()
        by_state = {row.state: row.many for row in totals}
        nodes: dict[str, NodeNumbers] = {}
        edges = self._steps(tx, scope, journey_id, nodes)
        self._waiting(tx, inside, nodes)
        self._sends(tx, scope, journey_id, nodes)
        exits = {
            str(row.exit_reason): row.many
            for row in tx.execute(
                sa.select(participation.c.exit_reason, sa.func.count().label("many"))
                .where(*inside, participation.c.state == "exited")
                .group_by(participation.c.exit_reason)
            )
        }
        return Report(
            as_of=now,
            entered=sum(by_state.values()),
            active=by_state.get("active", 0),
            exited=by_state.get("exited", 0),
            goal_converted=sum(row.goals for row in totals),
            nodes=nodes,
            edges=edges,
            exits=exits,
            lift=self.lift(tx, scope, journey_id),
        )

    def totals(self, tx: sa.Connection, scope: Scope) -> dict[str, tuple[int, int, int]]:
        """Entered, active and converted per journey."""
        found = tx.execute(
            sa.select(
                participation.c.journey_id,
                sa.func.count().label("entered"),
                sa.func.sum(sa.case((participation.c.state == "active", 1), else_=0)).label("active"),
                sa.func.count(participation.c.goal_at).label("converted"),
            )
            .where(participation.c.brand_id == scope.brand_id, *self._visible(scope))
            .group_by(participation.c.journey_id)
        )
        return {row.journey_id: (row.entered, row.active, row.converted) for row in found}

    def lift(self, tx: sa.Connection, scope: Scope, journey_id: str) -> Lift | None:
        """Treated against held out; None while nobody has been held out or nobody treated."""
        exposed = self._exposed(scope, journey_id)
        sizes = {
            bool(row.ghost): row.many
            for row in tx.execute(sa.select(exposed.c.ghost, sa.func.count().label("many")).group_by(exposed.c.ghost))
        }
        if not sizes.get(True) or not sizes.get(False):
            return None
        hits = (
            sa.select(exposed.c.person_id, exposed.c.ghost, goal_hit.c.event_id, goal_hit.c.amount)
            .select_from(exposed)
            .join(
                participation,
                sa.and_(participation.c.person_id == exposed.c.person_id, participation.c.journey_id == journey_id),
            )
            .join(goal_hit, goal_hit.c.participation_id == participation.c.participation_id)
            .where(goal_hit.c.occurred_at >= exposed.c.exposed_at)
            .distinct()
            .subquery("hits")
        )
        arms = {False: [0, 0, 0], True: [0, 0, 0]}
        # Squares are summed here: they would overflow the database's integers.
        for row in tx.execute(
            sa.select(hits.c.person_id, hits.c.ghost, sa.func.sum(hits.c.amount).label("amount")).group_by(
                hits.c.person_id, hits.c.ghost
            )
        ):
            amount, arm = int(row.amount), arms[bool(row.ghost)]
            arm[0] += 1
            arm[1] += amount
            arm[2] += amount * amount
        return lift(Arm(sizes[False], *arms[False]), Arm(sizes[True], *arms[True]))

    def people(
        self, scope: Scope, journey_id: str, node_id: str | None, state: NodeState, reason: str | None
    ) -> sa.Select[Any]:
        """The distinct `person_id` behind one number of `report`, whole journey when no node is given."""
        columns = participation.c
        inside = self._inside(scope, journey_id)
        if state == "converted" and node_id is None:
            return sa.select(columns.person_id).where(*inside, columns.goal_at.is_not(None)).distinct()
        if state == "waiting":
            where = [*inside, columns.state == "active"]
            return (
                sa.select(columns.person_id)
                .where(*where, *([columns.node_id == node_id] if node_id else []))
                .distinct()
            )
        if state == "entered":
            if node_id is None:
                return sa.select(columns.person_id).where(*inside).distinct()
            return (
                sa.select(columns.person_id)
                .join(transition, transition.c.participation_id == columns.participation_id)
                .where(*inside, transition.c.to_node == node_id)
                .distinct()
            )
        effects = self._effects()
        where = [*inside, _in_state(effects, state)]
        if node_id is not None:
            where.append(effects.c.node_id == node_id)
        if reason is not None:
            where.append(effects.c.reason == reason)
        return (
            sa.select(columns.person_id)
            .select_from(participation.join(effects, effects.c.participation_id == columns.participation_id))
            .where(*where)
            .distinct()
        )

    def of_person(self, tx: sa.Connection, scope: Scope, person_id: int) -> list[dict[str, Any]]:
        """The journeys that a person is or was in, newest first."""
        found = tx.execute(
            sa.select(participation.c.journey_id, journey.c.name, participation.c.node_id, participation.c.state)
            .join(journey, journey.c.journey_id == participation.c.journey_id)
            .where(
                participation.c.person_id == person_id,
                participation.c.brand_id == scope.brand_id,
                *self._visible(scope),
            )
            .order_by(participation.c.entered_at.desc(), participation.c.participation_id.desc())
            .limit(100)
        )
        return [
            {"journey_id": row.journey_id, "name": row.name, "node": row.node_id, "state": row.state} for row in found
        ]

    def _visible(self, scope: Scope) -> list[sa.ColumnElement[bool]]:
        if scope.whole_brand:
            return []
        return [participation.c.person_id.in_(self._people.visible_people(scope))]

    def _inside(self, scope: Scope, journey_id: str) -> list[sa.ColumnElement[bool]]:
        columns = participation.c
        return [columns.journey_id == journey_id, columns.brand_id == scope.brand_id, *self._visible(scope)]

    def _steps(
        self, tx: sa.Connection, scope: Scope, journey_id: str, nodes: dict[str, NodeNumbers]
    ) -> tuple[EdgeNumbers, ...]:
        statement = (
            sa.select(transition.c.from_node, transition.c.port, transition.c.to_node, sa.func.count().label("many"))
            .where(transition.c.journey_id == journey_id)
            .group_by(transition.c.from_node, transition.c.port, transition.c.to_node)
        )
        if not scope.whole_brand:
            statement = statement.join(
                participation, participation.c.participation_id == transition.c.participation_id
            ).where(*self._visible(scope))
        edges = []
        for row in tx.execute(statement):
            if row.to_node is not None:
                _node(nodes, row.to_node).entered += row.many
            if row.from_node is not None:
                _node(nodes, row.from_node).left += row.many
                edges.append(EdgeNumbers(row.from_node, row.port, row.to_node, row.many))
        return tuple(sorted(edges, key=lambda edge: (edge.source, edge.port, edge.target or "")))

    def _waiting(self, tx: sa.Connection, inside: list[sa.ColumnElement[bool]], nodes: dict[str, NodeNumbers]) -> None:
        for row in tx.execute(
            sa.select(participation.c.node_id, sa.func.count().label("many"))
            .where(*inside, participation.c.state == "active")
            .group_by(participation.c.node_id)
        ):
            _node(nodes, row.node_id).waiting = row.many

    def _sends(self, tx: sa.Connection, scope: Scope, journey_id: str, nodes: dict[str, NodeNumbers]) -> None:
        effects = self._effects()
        bought = sa.and_(
            participation.c.goal_at >= effects.c.claimed_at,
            sa.or_(effects.c.submitted_at.is_not(None), effects.c.status == "held_out"),
        )
        statement = (
            sa.select(
                effects.c.node_id,
                effects.c.status,
                effects.c.reason,
                sa.func.count().label("many"),
                sa.func.count(effects.c.submitted_at).label("sent"),
                sa.func.count(effects.c.delivered_at).label("delivered"),
                sa.func.count(effects.c.read_at).label("read"),
                sa.func.count(effects.c.redeemed_at).label("redeemed"),
                sa.func.sum(sa.case((sa.and_(bought, sa.not_(effects.c.ghost)), 1), else_=0)).label("converted"),
            )
            .select_from(effects.join(participation, participation.c.participation_id == effects.c.participation_id))
            .where(effects.c.journey_id == journey_id, *self._inside(scope, journey_id))
            .group_by(effects.c.node_id, effects.c.status, effects.c.reason)
        )
        for row in tx.execute(statement):
            numbers = _node(nodes, row.node_id)
            numbers.sent += row.sent
            numbers.delivered += row.delivered
            numbers.read += row.read
            numbers.redeemed += row.redeemed
            numbers.converted += row.converted
            if row.status == "suppressed":
                numbers.suppressed += row.many
                numbers.reasons[row.reason] = numbers.reasons.get(row.reason, 0) + row.many
            elif row.status in ("held_out", "accepted", "rejected", "unknown", "deferred"):
                setattr(numbers, row.status, getattr(numbers, row.status) + row.many)
            elif row.status in ("intended", "claimed"):
                numbers.intended += row.many

    def _exposed(self, scope: Scope, journey_id: str) -> sa.Subquery:
        """Everybody who was due a message: since when, and in which arm (their first exposure decides)."""
        effects = self._effects()
        due = sa.or_(effects.c.submitted_at.is_not(None), effects.c.status == "held_out")
        ranked = (
            sa.select(
                participation.c.person_id,
                effects.c.ghost,
                effects.c.claimed_at,
                sa.func.row_number()
                .over(partition_by=participation.c.person_id, order_by=(effects.c.claimed_at, effects.c.effect_id))
                .label("place"),
            )
            .select_from(effects.join(participation, participation.c.participation_id == effects.c.participation_id))
            .where(effects.c.journey_id == journey_id, due, *self._inside(scope, journey_id))
            .subquery("ranked")
        )
        return (
            sa.select(ranked.c.person_id, ranked.c.ghost, ranked.c.claimed_at.label("exposed_at"))
            .where(ranked.c.place == 1)
            .subquery("exposed")
        )


def _node(nodes: dict[str, NodeNumbers], node_id: str) -> NodeNumbers:
    if node_id not in nodes:
        nodes[node_id] = NodeNumbers(node_id)
    return nodes[node_id]


def _in_state(effects: sa.Subquery, state: NodeState) -> sa.ColumnElement[bool]:
    columns = effects.c
    if state == "sent":
        return columns.submitted_at.is_not(None)
    if state in ("delivered", "read", "redeemed"):
        return columns[f"{state}_at"].is_not(None)
    if state == "intended":
        return columns.status.in_(("intended", "claimed"))
    if state == "converted":
        return sa.and_(
            columns.submitted_at.is_not(None),
            sa.not_(columns.ghost),
            participation.c.goal_at >= columns.claimed_at,
        )
    return columns.status == state
