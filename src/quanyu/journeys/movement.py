"""What happens to one participation at one node: the rules of time, as a pure function of what is known.

Journey time is logical: a step happens when its wait ended, not when a worker came by, so neither batch size nor
lag changes where anybody goes. An event beats the timeout on a tie; a goal that comes before the next step ends
the journey (if it is set to end), one that comes with it does not undo the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from quanyu.journeys.graph import JourneySettings, Plan, PlanNode
from quanyu.journeys.nodes import Goal, Send, Wait

Sighting = tuple[datetime, str]
"""An event that was seen: its time and its id, the order in which events count."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands, and everything that decides what comes next."""

    participation_id: int
    person_id: int
    anchor_id: int
    node_id: str
    visit: int
    arrived_at: datetime
    timer_at: datetime | None
    seen: Sighting | None
    entered_at: datetime
    goal_at: datetime | None
    reply_token: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One transition: `to` None leaves the journey for `reason`."""

    port: str
    to: str | None
    at: datetime
    reason: str | None = None
    sends: Send | None = None


Outcome = Step | Literal["stay", "ask"]
"""A step, nothing to do yet, or a condition that has to be evaluated first."""


def decide(
    standing: Standing, plan: Plan, settings: JourneySettings, now: datetime, answer: bool | None = None
) -> Outcome:
    """What happens to `standing` at `now`. `answer` is whether the person fulfils the branch they stand at."""
    node = plan.nodes[standing.node_id]
    goal_at, arrived = standing.goal_at, standing.arrived_at
    leaves = settings.exit_on_goal and goal_at is not None
    if isinstance(node.config, Wait):
        return _wait(standing, node, node.config, leaves, now)
    if isinstance(node.config, Goal):
        return _goal(standing, node, node.config, settings, now)
    if leaves and goal_at is not None and node.kind != "trigger":
        return Step("goal", None, max(arrived, goal_at), "goal")
    if node.kind == "exit":
        return Step("exit", None, arrived, "end")
    if node.kind == "branch":
        if answer is None:
            return "ask"
        return _take(node, "yes" if answer else "no", arrived)
    step = _take(node, "next", arrived)
    return replace(step, sends=node.config) if isinstance(node.config, Send) else step


def _wait(standing: Standing, node: PlanNode, config: Wait, leaves: bool, now: datetime) -> Outcome:
    ends = standing.timer_at
    assert ends is not None
    port = "next" if config.mode == "duration" else "timeout"
    due = ends <= now
    if standing.seen is not None:
        ends, port, due = standing.seen[0], "event", True
    if leaves and standing.goal_at is not None and standing.goal_at < ends:
        return Step("goal", None, max(standing.arrived_at, standing.goal_at), "goal")
    return _take(node, port, ends) if due else "stay"


def _goal(standing: Standing, node: PlanNode, config: Goal, settings: JourneySettings, now: datetime) -> Outcome:
    if standing.goal_at is not None:
        at = max(standing.arrived_at, standing.goal_at)
        if settings.exit_on_goal or node.ways["next"] is None:
            return Step("goal", None, at, "goal")
        return _take(node, "next", at)
    over = max(standing.arrived_at, standing.entered_at + config.window)
    return Step("timeout", None, over, "goal_window_over") if over <= now else "stay"


def _take(node: PlanNode, port: str, at: datetime) -> Step:
    to = node.ways[port]
    return Step(port, to, at, None if to is not None else "way_ended")


def arrive(standing: Standing, step: Step, plan: Plan, sightings: Mapping[str, list[Sighting]]) -> Standing:
    """`standing` after a step that does not leave: at the new node, its clock started when the step happened.

    `sightings` are events that the person's later nodes wait for, seen before they got there; the earliest that
    lies within the wait ends it.
    """
    assert step.to is not None
    node = plan.nodes[step.to]
    timer, seen = None, None
    if isinstance(node.config, Wait):
        timer = step.at + node.config.length
        if node.config.mode == "event":
            seen = min((each for each in sightings.get(step.to, []) if step.at <= each[0] <= timer), default=None)
    elif isinstance(node.config, Goal):
        timer = max(step.at, standing.entered_at + node.config.window)
    return replace(standing, node_id=step.to, visit=standing.visit + 1, arrived_at=step.at, timer_at=timer, seen=seen)


def wake_time(standing: Standing, plan: Plan, settings: JourneySettings) -> datetime:
    """When a standing has to be looked at: its timer, or at once when an event or a goal has been seen."""
    node = plan.nodes[standing.node_id]
    times = [standing.timer_at if standing.timer_at is not None else standing.arrived_at]
    if standing.seen is not None:
        times.append(standing.seen[0])
    if standing.goal_at is not None and (settings.exit_on_goal or node.kind == "goal"):
        times.append(max(standing.arrived_at, standing.goal_at))
    return min(times)
