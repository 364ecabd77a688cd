"""The journeys that people can enter or stand in, compiled once per published version."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.journeys.graph import JourneySettings, Plan, compile_graph
from quanyu.journeys.tables import journey, journey_version


@dataclass(frozen=True, slots=True)
class Version:
    """One published version: its plan and settings."""

    journey_id: str
    version: int
    plan: Plan
    settings: JourneySettings


@dataclass(frozen=True, slots=True)
class Running:
    """A journey that was published: what state it is in now, and the version that people enter."""

    journey_id: str
    brand_id: int
    name: str
    status: str
    pause_mode: str | None
    salt: str
    published_at: datetime
    audience_version: int | None
    changed_at: datetime
    current: Version

    @property
    def enters(self) -> bool:
        """Whether people may enter now."""
        return self.status == "running" or (self.status == "paused" and self.pause_mode != "stop_entry")

    def matters(self, now: datetime) -> bool:
        """Whether events can still change anything here: an ended journey measures until its goal's window is over."""
        if self.status != "ended":
            return True
        goal = self.current.plan.goal
        return goal is not None and now <= self.changed_at + goal.window


class Plans:
    """Compiles stored versions, each once. A published version never changes. Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], Version] = {}
        self._lock = threading.Lock()

    def published(self, tx: sa.Connection) -> list[Running]:
        """Every journey that has a version, ended ones included."""
        found = tx.execute(
            sa.select(journey).where(journey.c.version.is_not(None)).order_by(journey.c.journey_id)
        ).all()
        self._load(tx, {(row.journey_id, row.version) for row in found})
        return [self._running(row) for row in found]

    def versions(self, tx: sa.Connection, keys: set[tuple[str, int]]) -> dict[tuple[str, int], Version]:
        """The versions with these (journey, version) keys."""
        self._load(tx, keys)
        return {key: self._known[key] for key in keys}

    def of_journeys(self, tx: sa.Connection, journey_ids: set[str]) -> list[Version]:
        """Every version of these journeys, old ones too: people still stand in them."""
        found = tx.execute(
            sa.select(journey_version.c.journey_id, journey_version.c.version).where(
                journey_version.c.journey_id.in_(journey_ids)
            )
        )
        return list(self.versions(tx, {(row.journey_id, row.version) for row in found}).values())

    def _load(self, tx: sa.Connection, keys: set[tuple[str, int]]) -> None:
        missing = {key for key in keys if key not in self._known}
        if not missing:
            return
        found = tx.execute(
            sa.select(journey_version).where(journey_version.c.journey_id.in_({key[0] for key in missing}))
        ).all()
        with self._lock:
            for row in found:
                self._known[(row.journey_id, row.version)] = Version(
                    row.journey_id,
                    row.version,
                    compile_graph(row.graph),
                    JourneySettings.model_validate(row.settings),
                )

    def _running(self, row: Any) -> Running:
        return Running(
            row.journey_id,
            row.brand_id,
            row.name,
            row.status,
            row.pause_mode,
            row.salt,
            row.published_at,
            row.audience_version,
            row.updated_at,
            self._known[(row.journey_id, row.version)],
        )
