"""Drafts, publishing, pausing: the life of a journey itself, not of the people in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import Caller, Scope
from quanyu.journeys.advance import leave
from quanyu.journeys.contracts import JourneyView, PauseMode
from quanyu.journeys.errors import journey_invalid, journey_not, journey_not_found, journey_stale
from quanyu.journeys.graph import Draft, JourneySettings, References, validate
from quanyu.journeys.tables import journey, journey_version, participation
from quanyu.kernel.clock import Clock
from quanyu.kernel.ids import Ids
from quanyu.storage.state import State

EMPTY: dict[str, Any] = {"nodes": [], "edges": []}
ENDING = 2000  # people let out in one transaction when a journey is ended


class Journals:
    """Keeps journeys."""

    def __init__(self, state: State, clock: Clock, ids: Ids) -> None:
        self._state, self._clock, self._ids = state, clock, ids

    def create(
        self, caller: Caller, name: str, graph: dict[str, Any], settings: dict[str, Any], journey_id: str | None = None
    ) -> str:
        """Make a draft; its id. A given id that exists is left as it is."""
        made = journey_id or self._ids.new("j")
        draft, ruled = _normal(graph, settings)
        with self._state.write() as tx:
            if not tx.execute(sa.select(journey.c.journey_id).where(journey.c.journey_id == made)).first():
                tx.execute(
                    sa.insert(journey).values(
                        journey_id=made,
                        brand_id=caller.scope.brand_id,
                        name=name,
                        status="draft",
                        graph=draft,
                        settings=ruled,
                        revision=1,
                        salt=self._ids.token(),
                        made_by=caller.id,
                        updated_at=self._clock.now(),
                    )
                )
        return made

    def save(
        self,
        scope: Scope,
        journey_id: str,
        name: str,
        graph: dict[str, Any],
        settings: dict[str, Any],
        revision: int | None,
    ) -> None:
        """Save the draft. Raises NotFound, or Stale when `revision` is not the stored one."""
        draft, ruled = _normal(graph, settings)
        with self._state.write() as tx:
            row = self.row(tx, scope, journey_id)
            if revision is not None and row.revision != revision:
                raise journey_stale()
            tx.execute(
                sa.update(journey)
                .where(journey.c.journey_id == journey_id)
                .values(
                    name=name,
                    graph=draft,
                    settings=ruled,
                    revision=row.revision + 1,
                    updated_at=self._clock.now(),
                )
            )

    def publish(
        self, caller: Caller, journey_id: str, references: References, newest: Callable[[str], int | None]
    ) -> int:
        """Publish the draft as the next version and let people in. Raises NotFound, Invalid or Conflict.

        People who are inside stay on the version that they entered. `newest` tells an audience's newest version:
        who enters it from now on comes in.
        """
        with self._state.read() as tx:
            row = self.row(tx, caller.scope, journey_id, lock=False)
        if row.status == "ended":
            raise journey_not("draft", row.status)
        checked = validate(Draft.model_validate(row.graph), JourneySettings.model_validate(row.settings), references)
        if checked.plan is None:
            raise journey_invalid(checked.errors)
        entry = checked.plan.entry
        audience_version = newest(entry.audience_id) if entry.on == "audience" and entry.audience_id else None
        now = self._clock.now()
        with self._state.write() as tx:
            current = self.row(tx, caller.scope, journey_id)
            if current.revision != row.revision:
                raise journey_stale()
            version = (current.version or 0) + 1
            tx.execute(
                sa.insert(journey_version).values(
                    journey_id=journey_id,
                    version=version,
                    graph=row.graph,
                    settings=row.settings,
                    published_at=now,
                    published_by=caller.id,
                )
            )
            keeps = current.audience_version if current.version is not None else None
            tx.execute(
                sa.update(journey)
                .where(journey.c.journey_id == journey_id)
                .values(
                    version=version,
                    status="running" if current.status == "draft" else current.status,
                    published_at=current.published_at or now,
                    audience_version=keeps if keeps is not None else audience_version,
                    updated_at=now,
                )
            )
        return version

    def pause(self, scope: Scope, journey_id: str, mode: PauseMode) -> None:
        """Pause a running journey in one of three ways. Raises NotFound or Conflict."""
        now = self._clock.now()
        with self._state.write() as tx:
            row = self.row(tx, scope, journey_id)
            if row.status != "running":
                raise journey_not("running", row.status)
            self._set(tx, journey_id, status="paused", pause_mode=mode, paused_at=now, updated_at=now)

    def resume(self, scope: Scope, journey_id: str, wake: Callable[[sa.Connection], object]) -> None:
        """Go on. Frozen timers run on from where they stood; held messages are looked at at once (`wake`)."""
        now = self._clock.now()
        with self._state.write() as tx:
            row = self.row(tx, scope, journey_id)
            if row.status != "paused":
                raise journey_not("paused", row.status)
            if row.pause_mode == "freeze":
                _thaw(tx, journey_id, row.paused_at, now)
            self._set(tx, journey_id, status="running", pause_mode=None, paused_at=None, updated_at=now)
            wake(tx)

    def end(self, scope: Scope, journey_id: str) -> None:
        """End a journey for good: nobody enters, everybody inside leaves, nothing more is sent."""
        now = self._clock.now()
        with self._state.write() as tx:
            row = self.row(tx, scope, journey_id)
            if row.status not in ("running", "paused"):
                raise journey_not("running", row.status)
            self._set(tx, journey_id, status="ended", pause_mode=None, paused_at=None, updated_at=now)
        while self.let_out(journey_id):
            pass

    def let_out(self, journey_id: str | None = None) -> int:
        """Let people out of ended journeys, one bounded set at a time; how many."""
        with self._state.write() as tx:
            inside = (
                sa.select(participation)
                .join(journey, journey.c.journey_id == participation.c.journey_id)
                .where(journey.c.status == "ended", participation.c.state == "active")
                .order_by(participation.c.participation_id)
                .limit(ENDING)
                .with_for_update(of=participation, skip_locked=True)
            )
            if journey_id is not None:
                inside = inside.where(participation.c.journey_id == journey_id)
            return leave(tx, tx.execute(inside).all(), "ended", self._clock.now())

    def view(self, scope: Scope, journey_id: str) -> JourneyView:
        """One journey. Raises NotFound."""
        with self._state.read() as tx:
            row = self.row(tx, scope, journey_id, lock=False)
            live = None
            if row.version is not None:
                live = tx.execute(
                    sa.select(journey_version).where(
                        journey_version.c.journey_id == journey_id, journey_version.c.version == row.version
                    )
                ).one()
        changed = live is None or (live.graph, live.settings) != (row.graph, row.settings)
        return JourneyView(
            row.journey_id,
            row.name,
            row.status,
            row.pause_mode,
            row.version,
            row.graph,
            row.settings,
            live.graph if live is not None else None,
            changed,
            row.revision,
            row.updated_at,
            row.published_at,
        )

    def all(self, tx: sa.Connection, scope: Scope) -> list[Any]:
        """The brand's journeys, last changed first."""
        return list(
            tx.execute(
                sa.select(journey)
                .where(journey.c.brand_id == scope.brand_id)
                .order_by(journey.c.updated_at.desc(), journey.c.journey_id)
            )
        )

    def names(self, journey_ids: set[str]) -> dict[str, str]:
        """What journeys are called."""
        with self._state.read() as tx:
            found = tx.execute(
                sa.select(journey.c.journey_id, journey.c.name).where(journey.c.journey_id.in_(journey_ids))
            )
            return {row.journey_id: row.name for row in found}

    @staticmethod
    def row(tx: sa.Connection, scope: Scope, journey_id: str, *, lock: bool = True) -> Any:
        """The stored row. Raises NotFound."""
        statement = sa.select(journey).where(journey.c.journey_id == journey_id, journey.c.brand_id == scope.brand_id)
        found = tx.execute(statement.with_for_update() if lock else statement).one_or_none()
        if found is None:
            raise journey_not_found(journey_id)
        return found

    @staticmethod
    def note_audience(tx: sa.Connection, journey_id: str, version: int) -> None:
        """Remember up to which version of its audience a journey has let people in."""
        tx.execute(sa.update(journey).where(journey.c.journey_id == journey_id).values(audience_version=version))

    @staticmethod
    def _set(tx: sa.Connection, journey_id: str, **values: Any) -> None:
        tx.execute(
            sa.update(journey)
            .where(journey.c.journey_id == journey_id)
            .values(**values, revision=journey.c.revision + 1)
        )


def _thaw(tx: sa.Connection, journey_id: str, paused_at: datetime, now: datetime) -> None:
    """Move every timer that had not run out by as long as the journey was frozen."""
    micros = int((now - paused_at).total_seconds() * 1_000_000)
    columns = participation.c
    shifted = {
        name: sa.type_coerce(sa.type_coerce(columns[name], sa.BigInteger) + micros, columns[name].type)
        for name in ("timer_at",)
    }
    waits = sa.and_(columns.journey_id == journey_id, columns.state == "active", columns.timer_at > paused_at)
    looks = sa.case(
        (columns.wake_at == columns.timer_at, sa.type_coerce(columns.wake_at, sa.BigInteger) + micros),
        else_=sa.type_coerce(columns.wake_at, sa.BigInteger),
    )
    tx.execute(
        sa.update(participation).where(waits).values(**shifted, wake_at=sa.type_coerce(looks, columns.wake_at.type))
    )


def _normal(graph: dict[str, Any], settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    draft = Draft.model_validate(graph or EMPTY).model_dump(mode="json", by_alias=True)
    return draft, JourneySettings.model_validate(settings or {}).model_dump(mode="json", by_alias=True)
