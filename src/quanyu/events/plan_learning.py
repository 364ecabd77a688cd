"""What a plan can learn: what traffic has that the plan does not name, for a person to confirm; what broke it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from quanyu.events.plan import Plan, Property, Type
from quanyu.events.plan_rules import is_hashed
from quanyu.events.rows import HOUR_MICROS
from quanyu.events.sources import OWN
from quanyu.events.tables import seen, violation
from quanyu.events.tables import source as source_table
from quanyu.kernel.clock import Clock, from_micros, micros
from quanyu.storage.state import State

_HOURLY = 72
_MAX_ROWS = 20_000
_MAX_FOUND = 500


@dataclass(frozen=True, slots=True)
class Proposal:
    """An event (`property` is empty) or a property that traffic has and the plan does not name."""

    name: str
    property: str
    sources: tuple[str, ...]
    types: tuple[str, ...]
    count: int
    first_at: datetime
    last_at: datetime
    example: str
    suggestion: Property | None


class Learning:
    """Reads what the checks of traffic wrote down."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def proposals(self, brand_id: int, plan: Plan) -> list[Proposal]:
        """What could be added to the plan, most frequent first. What SDKs add by themselves (`$…`) is left out."""
        own = sa.select(source_table.c.source).where(source_table.c.kind.in_(OWN))
        with self._state.read() as tx:
            rows = tx.execute(
                sa.select(seen)
                .where(seen.c.brand_id == brand_id, ~seen.c.property.startswith("$"), seen.c.source.not_in(own))
                .order_by(seen.c.count.desc())
                .limit(_MAX_ROWS)
            ).all()
        groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for row in rows:
            event = plan.events.get(row.name)
            if event is None or (row.property and row.property not in event.properties):
                groups[row.name, row.property].append(row)
        found = [_proposal(name, key, group) for (name, key), group in groups.items()]
        return sorted(found, key=lambda one: (-one.count, one.name, one.property))[:_MAX_FOUND]

    def violations(
        self, brand_id: int, *, hours: int, name: str | None = None, source: str | None = None
    ) -> tuple[list[datetime], list[dict[str, Any]]]:
        """The steps of time, and what broke the plan in them: by hour for up to three days, by day beyond."""
        now = micros(self._clock.now())
        step = HOUR_MICROS if hours <= _HOURLY else 24 * HOUR_MICROS
        end = now - now % HOUR_MICROS + HOUR_MICROS
        count = -(-hours * HOUR_MICROS // step)
        begin = end - count * step
        where = [violation.c.brand_id == brand_id, violation.c.hour_at >= begin]
        where += [violation.c.name == name] if name else []
        where += [violation.c.source == source] if source else []
        with self._state.read() as tx:
            rows = tx.execute(
                sa.select(violation).where(*where).order_by(violation.c.hour_at.desc()).limit(_MAX_ROWS)
            ).mappings()
            found = [dict(row) for row in rows]
        groups: dict[tuple[str, ...], dict[str, Any]] = {}
        for row in found:
            key = tuple(row[part] for part in ("source", "name", "property", "reason", "rule"))
            one = groups.get(key)
            if one is None:
                one = groups[key] = {
                    **{part: row[part] for part in ("source", "name", "property", "reason", "rule", "example")},
                    "count": 0,
                    "last_at": row["hour_at"],
                    "trend": [0] * count,
                }
            one["count"] += row["count"]
            one["first_at"] = row["hour_at"]
            one["example"] = one["example"] or row["example"]
            place = (micros(row["hour_at"]) - begin) // step
            one["trend"][min(max(place, 0), count - 1)] += row["count"]
        starts = [from_micros(begin) + place * timedelta(microseconds=step) for place in range(count)]
        ranked = sorted(groups.values(), key=lambda one: (-one["count"], one["name"], one["property"], one["reason"]))
        return starts, ranked[:_MAX_FOUND]


def _proposal(name: str, key: str, rows: list[Any]) -> Proposal:
    types = tuple(sorted({row.type for row in rows if row.type}))
    return Proposal(
        name,
        key,
        tuple(sorted({row.source for row in rows})),
        types,
        sum(row._mapping["count"] for row in rows),  # noqa: SLF001 - `count` is a method of a row
        min(row.first_at for row in rows),
        max(row.last_at for row in rows),
        next((row.example for row in rows if row.example), ""),
        Property(type=_one_type(types), personal=is_hashed(key)) if key else None,
    )


def _one_type(types: tuple[str, ...]) -> Type:
    """The narrowest type that takes all of them."""
    if len(types) == 1:
        return types[0]  # type: ignore[return-value]
    return "number" if set(types) <= {"integer", "number"} and types else "any"
