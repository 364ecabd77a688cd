"""One person at a time: a plain, slow reading of what a journey means. The oracle of the set engine.

It shares nothing with the engine but the parsed graph and the hash of the holdout: no sets, no database, no
batches. Events are handed to it one by one in the order of the log; `tick` lets time act.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quanyu.journeys.graph import JourneySettings, Plan
from quanyu.journeys.holdout import bucket


@dataclass
class Happening:
    """An event as the log has it."""

    event_id: str
    name: str
    person: int
    at: datetime
    order_id: str | None = None
    amount: int = 0


@dataclass
class Walker:
    """One participation."""

    person: int
    cause: str
    entered: datetime
    held_out: bool
    node: str
    arrived: datetime
    inside: bool = True
    steps: list[tuple[str, str, str | None, datetime]] = field(default_factory=list)
    reason: str | None = None
    goals: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    seen: dict[str, list[tuple[datetime, str]]] = field(default_factory=dict)
    late: set[tuple[str, str]] = field(default_factory=set)
    sends: list[str] = field(default_factory=list)

    @property
    def goal_at(self) -> datetime | None:
        return min((at for at, _ in self.goals.values()), default=None)


class Reference:
    """A journey, read person by person."""

    def __init__(self, plan: Plan, settings: JourneySettings, salt: str, published: datetime, yes) -> None:
        self.plan, self.settings, self.salt, self.published, self.yes = plan, settings, salt, published, yes
        self.walkers: list[Walker] = []

    def happen(self, event: Happening, now: datetime) -> None:
        """One event arrives. It can concern only those who came in before it."""
        for walker in self.walkers:
            if walker.person == event.person:
                self._note(walker, event)
        self._maybe_enter(event, now)

    def tick(self, now: datetime) -> None:
        """Time passes: everybody goes as far as they can."""
        for walker in self.walkers:
            while walker.inside and self._move(walker, now):
                pass

    def _note(self, walker: Walker, event: Happening) -> None:
        goal = self.plan.goal
        counts = goal is not None and goal.event == event.name
        if counts and walker.entered <= event.at <= walker.entered + timedelta(days=goal.within_days):
            walker.goals.setdefault(event.event_id, (event.at, event.amount))
        if not walker.inside:
            return
        for node_id, node in self.plan.nodes.items():
            if node.kind != "wait" or node.config.mode != "event" or node.config.event != event.name:
                continue
            left = next((step for step in walker.steps if step[0] == node_id), None)
            if left is None:
                walker.seen.setdefault(node_id, []).append((event.at, event.event_id))
                continue
            came = next((step[3] for step in walker.steps if step[2] == node_id), walker.entered)
            if left[1] == "timeout" and came <= event.at <= left[3]:
                walker.late.add((node_id, event.event_id))

    def _maybe_enter(self, event: Happening, now: datetime) -> None:
        entry, reentry = self.plan.entry, self.settings.reentry
        if entry.event != event.name or event.at < self.published:
            return
        mine = [walker for walker in self.walkers if walker.person == event.person]
        key = event.order_id or event.event_id
        at = min(event.at, now)
        if reentry.rule == "once" and mine:
            return
        if reentry.rule == "per_key" and any(walker.cause == key for walker in mine):
            return
        alone = reentry.rule in ("after_exit", "cooldown")
        if alone and any(walker.inside or walker.cause == event.event_id for walker in mine):
            return
        last = max((walker.entered for walker in mine), default=None)
        if reentry.rule == "cooldown" and last is not None and at < last + timedelta(days=reentry.cooldown_days):
            return
        held = bucket(self.salt, event.person) < self.settings.holdout_percent * 100
        cause = key if reentry.rule == "per_key" else event.event_id
        self.walkers.append(Walker(event.person, cause, at, held, self.plan.trigger.node_id, at))

    def _move(self, walker: Walker, now: datetime) -> bool:
        node = self.plan.nodes[walker.node]
        goal_at = walker.goal_at
        gone_by_goal = self.settings.exit_on_goal and goal_at is not None
        if node.kind == "trigger":
            return self._go(walker, "next", walker.arrived)
        if node.kind == "goal":
            over = max(walker.arrived, walker.entered + timedelta(days=node.config.within_days))
            if goal_at is not None:
                if self.settings.exit_on_goal or node.ways["next"] is None:
                    return self._out(walker, "goal", max(walker.arrived, goal_at), "goal")
                return self._go(walker, "next", max(walker.arrived, goal_at))
            return over <= now and self._out(walker, "timeout", over, "goal_window_over")
        if node.kind == "wait":
            ends, port, due = walker.arrived + node.config.length, "next", None
            if node.config.mode == "event":
                port = "timeout"
                inside = sorted(s for s in walker.seen.get(walker.node, []) if walker.arrived <= s[0] <= ends)
                if inside:
                    ends, port, due = inside[0][0], "event", True
            due = due or ends <= now
            if gone_by_goal and goal_at < ends:
                return self._out(walker, "goal", max(walker.arrived, goal_at), "goal")
            return due and self._go(walker, port, ends)
        if gone_by_goal:
            return self._out(walker, "goal", max(walker.arrived, goal_at), "goal")
        if node.kind == "exit":
            return self._out(walker, "exit", walker.arrived, "end")
        if node.kind == "branch":
            return self._go(walker, "yes" if self.yes(walker.person) else "no", walker.arrived)
        walker.sends.append(walker.node)
        return self._go(walker, "next", walker.arrived)

    def _go(self, walker: Walker, port: str, at: datetime) -> bool:
        to = self.plan.nodes[walker.node].ways[port]
        if to is None:
            return self._out(walker, port, at, "way_ended")
        walker.steps.append((walker.node, port, to, at))
        walker.node, walker.arrived = to, at
        return True

    def _out(self, walker: Walker, port: str, at: datetime, reason: str) -> bool:
        walker.steps.append((walker.node, port, None, at))
        walker.inside, walker.reason = False, reason
        return True
