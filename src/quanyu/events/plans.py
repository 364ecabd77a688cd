"""Tracking plans of brands: their versions, which one holds now, and what broke it.

The newest version of a brand holds. A process that judges looks for new versions once a second, so that a batch costs
no question; publishing here is seen here at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from quanyu.access.contracts import Caller
from quanyu.events import errors, plan_checks
from quanyu.events.contracts import Batch, Frame
from quanyu.events.personal import Hasher
from quanyu.events.plan import EMPTY, Plan, checked, from_json, to_json
from quanyu.events.plan_checks import Compiled, Refuse, Violations
from quanyu.events.tables import plan as plan_table
from quanyu.events.tables import violation
from quanyu.kernel.clock import Clock
from quanyu.storage.state import State

_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a brand's plan."""

    version: int
    note: str
    made_at: datetime
    made_by: str
    events: int
    properties: int
    enforce: bool


class Plans:
    """Keeps plans and applies them."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        hasher: Hasher,
        refuse: Refuse,
        own: Callable[[str], bool] = lambda _: False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`own` says of which sources the product records itself: no plan may stop its own receipts and redemptions."""
        self._state = state
        self._clock = clock
        self._hasher = hasher
        self._refuse = refuse
        self._own = own
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looked = -_LOOK_SECONDS
        self._active: dict[int, tuple[int, Compiled]] = {}

    # ------------------------------------------------------------------------------------------------ versions
    def current(self, brand_id: int) -> tuple[int, Plan]:
        """The brand's newest version; 0 and an empty plan before the first."""
        with self._state.read() as tx:
            row = tx.execute(
                sa.select(plan_table.c.version, plan_table.c.document)
                .where(plan_table.c.brand_id == brand_id)
                .order_by(plan_table.c.version.desc())
                .limit(1)
            ).one_or_none()
        return (0, EMPTY) if row is None else (row.version, from_json(row.document))

    def get(self, brand_id: int, version: int) -> Plan:
        """One version; 0 is the empty plan. Raises NotFound."""
        if version == 0:
            return EMPTY
        with self._state.read() as tx:
            document = tx.execute(
                sa.select(plan_table.c.document).where(
                    plan_table.c.brand_id == brand_id, plan_table.c.version == version
                )
            ).scalar_one_or_none()
        if document is None:
            raise errors.plan_version_not_found(version)
        return from_json(document)

    def versions(self, brand_id: int, limit: int = 100) -> list[Version]:
        """The brand's versions, newest first."""
        with self._state.read() as tx:
            rows = tx.execute(
                sa.select(plan_table)
                .where(plan_table.c.brand_id == brand_id)
                .order_by(plan_table.c.version.desc())
                .limit(limit)
            ).all()
        return [_version(row) for row in rows]

    def publish(self, tx: sa.Connection, caller: Caller, plan: Plan, note: str, *, after: int | None) -> int:
        """Make `plan` the newest version; its number. Nothing happens when it says what the newest says.

        `after` is the version that was edited: another newest one is a Conflict. Raises Invalid.
        """
        checked(plan)
        brand_id = caller.scope.brand_id
        row = tx.execute(
            sa.select(plan_table.c.version, plan_table.c.document)
            .where(plan_table.c.brand_id == brand_id)
            .order_by(plan_table.c.version.desc())
            .limit(1)
        ).one_or_none()
        newest, document = (0, to_json(EMPTY)) if row is None else (row.version, row.document)
        if after is not None and after != newest:
            raise errors.plan_changed(newest)
        if to_json(plan) == document:
            return newest
        try:
            with tx.begin_nested():
                tx.execute(
                    sa.insert(plan_table).values(
                        brand_id=brand_id,
                        version=newest + 1,
                        document=to_json(plan),
                        note=note,
                        made_at=self._clock.now(),
                        made_by=caller.name,
                    )
                )
        except sa.exc.IntegrityError as error:  # two at once
            raise errors.plan_changed(newest + 1) from error
        self._looked = -_LOOK_SECONDS
        return newest + 1

    # ------------------------------------------------------------------------------------------------ applying
    def judge(self, batch: Batch, frames: Sequence[Frame]) -> Batch:
        """The batch as the plans want it."""
        return plan_checks.judge(batch, frames, self.active(), self._hasher, self._refuse, self._own)

    def active(self) -> Mapping[int, Compiled]:
        """The plans that hold now, by brand; plans that say nothing are left out."""
        now = self._monotonic()
        with self._lock:
            if now - self._looked >= _LOOK_SECONDS:
                self._looked = now
                self._look()
            return {brand_id: compiled for brand_id, (_, compiled) in self._active.items() if compiled.plan != EMPTY}

    def _look(self) -> None:
        newest = sa.select(plan_table.c.brand_id, sa.func.max(plan_table.c.version)).group_by(plan_table.c.brand_id)
        with self._state.read() as tx:
            found = [(row[0], row[1]) for row in tx.execute(newest)]
        for brand_id, version in found:
            held = self._active.get(brand_id)
            if held is None or held[0] != version:
                self._active[brand_id] = (version, Compiled(self.get(brand_id, version)))


def note_violations(tx: sa.Connection, found: Violations) -> None:
    """Add what a batch broke to the counts; in the transaction that keeps its books."""
    if not found:
        return
    insert: Any = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(violation)
    statement = insert.on_conflict_do_update(
        index_elements=[column.name for column in violation.primary_key.columns],
        set_={
            "count": violation.c.count + insert.excluded.count,
            "example": sa.case((insert.excluded.example == "", violation.c.example), else_=insert.excluded.example),
        },
    )
    tx.execute(
        statement,
        [
            {
                "brand_id": brand_id,
                "source": source,
                "name": name,
                "property": key,
                "reason": reason,
                "rule": rule,
                "hour_at": hour,
                "count": count,
                "example": example.replace("\0", "\\0"),
            }
            for (brand_id, source, name, key, reason, rule, hour), (count, example) in found.items()
        ],
    )


def _version(row: Any) -> Version:
    plan = from_json(row.document)
    properties = sum(len(event.properties) for event in plan.events.values())
    return Version(row.version, row.note, row.made_at, row.made_by, len(plan.events), properties, plan.enforce)
