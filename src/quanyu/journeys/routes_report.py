"""The shape of a journey's report."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from quanyu.journeys.contracts import EXIT_LABELS, JourneyView
from quanyu.journeys.report import NodeNumbers, Report
from quanyu.journeys.statistics import METHOD, Arm, Lift
from quanyu.kernel.label import Label


class ReportText(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


class SuppressedCount(BaseModel):
    """How many were suppressed for a reason."""

    reason: str
    label: ReportText
    count: int


class NodeReport(BaseModel):
    """The numbers of a node."""

    node_id: str
    entered: int
    waiting: int
    left: int
    held_out: int
    intended: int
    sent: int
    accepted: int
    rejected: int
    unknown: int
    delivered: int
    read: int
    redeemed: int
    converted: int
    suppressed: list[SuppressedCount]
    deferred: int


class EdgeReport(BaseModel):
    """How many took a way."""

    model_config = ConfigDict(populate_by_name=True)
    source: str = Field(alias="from")
    port: str
    target: str = Field(alias="to")
    count: int


class ExitReport(BaseModel):
    """How many left, and why."""

    reason: str
    label: ReportText
    count: int


class ArmReport(BaseModel):
    """One arm; `amount` is the sum in minor units."""

    people: int
    converted: int
    rate: float
    amount: int


class IntervalReport(BaseModel):
    """Both ends of a confidence interval."""

    low: float
    high: float


class AmountReport(BaseModel):
    """Amounts per person in minor units."""

    treated: float
    holdout: float
    difference: float
    interval: IntervalReport | None


class LiftReport(BaseModel):
    """What the messages changed."""

    confidence: float
    method: ReportText
    treated: ArmReport
    holdout: ArmReport
    difference: float
    interval: IntervalReport
    relative: float | None
    p_value: float | None
    amount_per_person: AmountReport
    verdict: Literal["positive", "negative", "inconclusive", "too_few"]
    explanation: ReportText


class JourneyReport(BaseModel):
    """Everything that a journey's page shows."""

    as_of: datetime
    version: int | None
    entered: int
    active: int
    exited: int
    goal_converted: int
    nodes: list[NodeReport]
    edges: list[EdgeReport]
    exits: list[ExitReport]
    lift: LiftReport | None


Labels = Callable[[dict[str, int]], list[tuple[str, Label, int]]]


def report_out(view: JourneyView, report: Report, labels: Labels) -> JourneyReport:
    """A report as the API gives it; nodes of the running graph first, in its order."""
    graph = view.live_graph or view.graph
    order = [node["id"] for node in graph["nodes"]]
    known = order + sorted(set(report.nodes) - set(order))
    return JourneyReport(
        as_of=report.as_of,
        version=view.version,
        entered=report.entered,
        active=report.active,
        exited=report.exited,
        goal_converted=report.goal_converted,
        nodes=[_node(report.nodes.get(node_id) or NodeNumbers(node_id), labels) for node_id in known],
        edges=[
            EdgeReport(source=edge.source, port=edge.port, target=edge.target, count=edge.count)
            for edge in report.edges
            if edge.target is not None
        ],
        exits=[
            ExitReport(reason=reason, label=_text(EXIT_LABELS.get(reason) or Label(reason, reason)), count=count)
            for reason, count in sorted(report.exits.items(), key=lambda item: -item[1])
        ],
        lift=_lift(report.lift) if report.lift else None,
    )


def _node(numbers: NodeNumbers, labels: Labels) -> NodeReport:
    suppressed = [
        SuppressedCount(reason=reason, label=_text(label), count=count)
        for reason, label, count in (labels(numbers.reasons) if numbers.reasons else [])
    ]
    return NodeReport(
        node_id=numbers.node_id,
        entered=numbers.entered,
        waiting=numbers.waiting,
        left=numbers.left,
        held_out=numbers.held_out,
        intended=numbers.intended,
        sent=numbers.sent,
        accepted=numbers.accepted,
        rejected=numbers.rejected,
        unknown=numbers.unknown,
        delivered=numbers.delivered,
        read=numbers.read,
        redeemed=numbers.redeemed,
        converted=numbers.converted,
        suppressed=suppressed,
        deferred=numbers.deferred,
    )


def _lift(lift: Lift) -> LiftReport:
    amounts = lift.amount_interval
    return LiftReport(
        confidence=lift.confidence,
        method=_text(METHOD),
        treated=_arm(lift.treated),
        holdout=_arm(lift.holdout),
        difference=lift.difference,
        interval=IntervalReport(low=lift.interval.low, high=lift.interval.high),
        relative=lift.relative,
        p_value=lift.p_value,
        amount_per_person=AmountReport(
            treated=lift.treated.mean_amount,
            holdout=lift.holdout.mean_amount,
            difference=lift.amount_difference,
            interval=IntervalReport(low=amounts.low, high=amounts.high) if amounts else None,
        ),
        verdict=lift.verdict,
        explanation=_text(lift.explanation),
    )


def _arm(arm: Arm) -> ArmReport:
    return ArmReport(people=arm.people, converted=arm.converted, rate=arm.rate, amount=arm.amount)


def _text(label: Label) -> ReportText:
    return ReportText(zh=label.zh, en=label.en)
