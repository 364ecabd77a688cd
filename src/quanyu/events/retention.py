"""Retention: for how long events of each kind stay in history, what that means today, and what it took already.

A rule is a number of days (or for ever) for one event name of a brand, or for every name without a rule of its own
(`*`). Without any rule everything stays for ever. What is removed cannot be brought back, so a rule is first carried
out a day after it was set, and whoever sets it can ask before what it would take. Carrying out is in `retiring.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.events import errors
from quanyu.events.holdings import Holdings
from quanyu.events.tables import removed, retention
from quanyu.kernel.clock import Clock
from quanyu.storage.bulk import upsert
from quanyu.storage.history import History
from quanyu.storage.state import State

EVERY_NAME = "*"
GRACE = timedelta(days=1)
LONGEST_DAYS = 36_500

Keep = Literal["forever", "days", "others"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Events of `name` (`*`: of every name without a rule) stay for `days` days; None: for ever."""

    name: str
    days: int | None = None
    set_by: str | None = None
    set_at: datetime | None = None

    @property
    def from_at(self) -> datetime | None:
        """When it is first carried out; None for a rule that removes nothing."""
        return None if self.set_at is None or self.days is None else self.set_at + GRACE


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event: its own rule (None: as all others), the one that holds, and what history has of it.

    `next_at` is when its next events go (in the past: they are going now). `removed` events went on the brand-local
    day `removed_on`, the last of them at `removed_at`.
    """

    name: str
    own: Rule | None
    holds: Rule
    events: int
    begins_on: date | None
    ends_on: date | None
    next_at: datetime | None
    removed: int
    removed_on: date | None
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would take when it is first carried out, at `from_at`: `events` in all, and of each name.

    Days before `before_on` would go; `begins_on` and `ends_on` are the first and the last of them that have events.
    """

    events: int
    kinds: Mapping[str, int]
    begins_on: date | None
    ends_on: date | None
    before_on: date | None
    from_at: datetime | None


def last_due(days: int, at: datetime, time_zone: str) -> str:
    """The last day whose events are due at `at` when they stay for `days` days."""
    return (at.astimezone(ZoneInfo(time_zone)).date() - timedelta(days=days + 1)).isoformat()


class Retention:
    """The rules of brands and what they mean."""

    def __init__(self, state: State, history: History, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._holdings = Holdings(history)

    def general(self, scope: Scope) -> Rule:
        """The rule for every kind without one of its own."""
        with self._state.read() as tx:
            return _rules(tx, scope.brand_id).get(EVERY_NAME, Rule(EVERY_NAME))

    def kinds(self, scope: Scope) -> list[Kind]:
        """Every kind that history holds, or that has a rule: most events first."""
        held = self._holdings.of_brand(scope.brand)
        with self._state.read() as tx:
            rules, last = _rules(tx, scope.brand_id), _last_removed(tx, scope.brand_id)
        general = rules.pop(EVERY_NAME, Rule(EVERY_NAME))
        kinds = []
        for name in {*held, *rules, *last}:
            days, own, gone = held.get(name, {}), rules.get(name), last.get(name)
            holds = own or general
            kinds.append(
                Kind(
                    name,
                    own,
                    holds,
                    sum(days.values()),
                    date.fromisoformat(min(days)) if days else None,
                    date.fromisoformat(max(days)) if days else None,
                    _next(holds, min(days), scope.time_zone) if days else None,
                    gone.events if gone else 0,
                    date.fromisoformat(gone.day) if gone else None,
                    gone.last_at if gone else None,
                )
            )
        return sorted(kinds, key=lambda kind: (-kind.events, kind.name))

    def preview(self, scope: Scope, name: str, keep: Keep, days: int | None) -> Preview:
        """What setting a rule (see `keep`) would take. Raises NotFound, Invalid."""
        _check(name, keep, days)
        held = self._holdings.of_brand(scope.brand)
        with self._state.read() as tx:
            rules = _rules(tx, scope.brand_id)
        if name != EVERY_NAME and name not in held and name not in rules:
            raise errors.event_kind_not_found(name)
        if keep == "others":
            days = rules.get(EVERY_NAME, Rule(EVERY_NAME)).days
        if days is None:
            return Preview(0, {}, None, None, None, None)
        from_at = self._clock.now() + GRACE
        last = last_due(days, from_at, scope.time_zone)
        names = held.keys() - rules.keys() if name == EVERY_NAME else held.keys() & {name}
        due = {one: {day: n for day, n in held[one].items() if day <= last} for one in names}
        kinds = {one: sum(found.values()) for one, found in due.items() if found}
        gone = sorted({day for found in due.values() for day in found})
        return Preview(
            sum(kinds.values()),
            dict(sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))),
            date.fromisoformat(gone[0]) if gone else None,
            date.fromisoformat(gone[-1]) if gone else None,
            date.fromisoformat(last) + timedelta(days=1),
            from_at,
        )

    def set(self, tx: sa.Connection, scope: Scope, name: str, keep: Keep, days: int | None, by: str) -> bool:
        """Keep events of `name` (`*`: of every name without a rule) for ever, for `days` days, or as all others.

        Whether that changes anything: a rule that is set again as it is goes on, and waits for no day anew. Raises
        Invalid.
        """
        _check(name, keep, days)
        now = self._clock.now()
        if keep == "others":
            mine = sa.and_(retention.c.brand_id == scope.brand_id, retention.c.name == name)
            if not tx.execute(sa.delete(retention).where(mine)).rowcount:
                return False
            # What the rule spared comes under the general one now, and has its day of grace too.
            general = sa.and_(retention.c.brand_id == scope.brand_id, retention.c.name == EVERY_NAME)
            tx.execute(sa.update(retention).where(general).values(set_by=by, set_at=now))
            return True
        before = _rules(tx, scope.brand_id).get(name)
        if before is not None and before.days == days:
            return False
        rule = {"brand_id": scope.brand_id, "name": name, "days": days, "set_by": by, "set_at": now}
        upsert(tx, retention, [rule], ["brand_id", "name"], ["days", "set_by", "set_at"])
        return True


def _check(name: str, keep: Keep, days: int | None) -> None:
    if keep == "others" and name == EVERY_NAME:
        raise errors.retention_invalid(errors.RETENTION_GENERAL)
    if (keep == "days") != (days is not None) or (days is not None and not 1 <= days <= LONGEST_DAYS):
        raise errors.retention_invalid(errors.retention_days(LONGEST_DAYS))


def _rules(tx: sa.Connection, brand_id: int) -> dict[str, Rule]:
    found = tx.execute(sa.select(retention).where(retention.c.brand_id == brand_id))
    return {row.name: Rule(row.name, row.days, row.set_by, row.set_at) for row in found}


def _last_removed(tx: sa.Connection, brand_id: int) -> dict[str, Any]:
    """By name: the last day on which events were removed, how many, and when the last of them went."""
    newest = (
        sa.select(removed.c.name, sa.func.max(removed.c.day).label("day"))
        .where(removed.c.brand_id == brand_id)
        .group_by(removed.c.name)
        .subquery()
    )
    found = tx.execute(
        sa.select(removed.c.name, removed.c.day, removed.c.events, removed.c.last_at)
        .join(newest, sa.and_(newest.c.name == removed.c.name, newest.c.day == removed.c.day))
        .where(removed.c.brand_id == brand_id)
    )
    return {row.name: row for row in found}


def _next(rule: Rule, first: str, time_zone: str) -> datetime | None:
    """When the events of the day `first` go."""
    if rule.days is None or rule.from_at is None:
        return None
    day = date.fromisoformat(first) + timedelta(days=rule.days + 1)
    return max(datetime.combine(day, time(), ZoneInfo(time_zone)), rule.from_at)
