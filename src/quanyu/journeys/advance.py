"""Moving everybody whose time has come: one transaction per set of due rows, all or nothing.

Conditions of branches are evaluated before the transaction, for the whole set and at a named watermark of history,
so that no lock is held while history is read. Within the transaction the rows are claimed (PostgreSQL: FOR UPDATE
SKIP LOCKED; SQLite: the single writer), moved in memory as far as they can go, and written as sets: positions,
transitions, coupons, intents. A set that fails is halved until the row that cannot be processed stands alone; it
is put off with a growing pause, and after five tries leaves the journey as `failed`.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.journeys.contracts import Audiences
from quanyu.journeys.matching import standing_of
from quanyu.journeys.movement import Sighting, Standing, Step, arrive, decide, wake_time
from quanyu.journeys.nodes import Branch
from quanyu.journeys.running import Plans, Version
from quanyu.journeys.sending import Sender, Sending
from quanyu.journeys.tables import journey, participation, sighting, transition
from quanyu.kernel.clock import Clock, micros
from quanyu.kernel.errors import QuanyuError
from quanyu.storage.bulk import rows
from quanyu.storage.state import State

log = logging.getLogger(__name__)

TRIES = 5
_PAUSE_MICROS = 30_000_000

Branches = tuple[str, int, str]


@dataclass(slots=True)
class Answers:
    """Who fulfils which branch: evaluated for `asked` people, true for `yes`, at a watermark."""

    asked: dict[Branches, BitMap] = field(default_factory=dict)
    yes: dict[Branches, BitMap] = field(default_factory=dict)
    watermark: dict[Branches, str] = field(default_factory=dict)
    failed: dict[Branches, str] = field(default_factory=dict)

    def of(self, key: Branches, person_id: int) -> bool | None:
        """The answer for a person, None when it has not been asked."""
        return person_id in self.yes[key] if person_id in self.asked.get(key, ()) else None


class Advancer:
    """Advances participations. `scope_of` gives a brand's whole scope, in which conditions are evaluated."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        plans: Plans,
        audiences: Audiences,
        sender: Sender,
        scope_of: Callable[[int], Scope],
    ) -> None:
        self._state, self._clock, self._plans = state, clock, plans
        self._audiences, self._sender, self._scope_of = audiences, sender, scope_of

    def advance(self, limit: int) -> int:
        """Move up to `limit` due participations as far as they go now; how many moved or were put off."""
        now = self._clock.now()
        with self._state.read() as tx:
            due = self._due(tx, now, limit)
        if not due:
            return 0
        answers = self._ask(due, now)
        stuck = [
            (row.participation_id, answers.failed[key])
            for row in due
            if (key := (row.journey_id, row.version, row.node_id)) in answers.failed
        ]
        held = {number for number, _ in stuck}
        self._put_off(stuck, now)
        return len(stuck) + self._process(
            [row.participation_id for row in due if row.participation_id not in held], answers, now
        )

    def _due(self, tx: sa.Connection, now: datetime, limit: int) -> list[Any]:
        frozen = sa.and_(journey.c.status == "paused", journey.c.pause_mode == "freeze")
        return list(
            tx.execute(
                sa.select(
                    participation.c.participation_id,
                    participation.c.journey_id,
                    participation.c.version,
                    participation.c.node_id,
                    participation.c.person_id,
                    participation.c.brand_id,
                )
                .join(journey, journey.c.journey_id == participation.c.journey_id)
                .where(
                    participation.c.state == "active",
                    participation.c.wake_at <= now,
                    journey.c.status != "ended",
                    sa.not_(frozen),
                )
                .order_by(participation.c.wake_at, participation.c.participation_id)
                .limit(limit)
            )
        )

    def _ask(self, due: Sequence[Any], now: datetime) -> Answers:
        """Evaluate the branches at which due people stand, each for all of them at once."""
        answers = Answers()
        with self._state.read() as tx:
            versions = self._plans.versions(tx, {(row.journey_id, row.version) for row in due})
        groups: dict[Branches, BitMap] = defaultdict(BitMap)
        brands: dict[Branches, int] = {}
        for row in due:
            version = versions[(row.journey_id, row.version)]
            if version.plan.nodes[row.node_id].kind == "branch":
                key = (row.journey_id, row.version, row.node_id)
                groups[key].add(row.person_id)
                brands[key] = row.brand_id
        for key, people in groups.items():
            config = versions[key[:2]].plan.nodes[key[2]].config
            assert isinstance(config, Branch)
            scope = self._scope_of(brands[key])
            try:
                tree = self._audiences.check(config.tree, scope)
                answers.watermark[key] = self._audiences.watermark(tree)
                answers.yes[key] = self._audiences.evaluate(tree, now, scope, people)
                answers.asked[key] = people
            except QuanyuError as error:  # an audience was deleted, a store is away: these people wait
                answers.failed[key] = error.code
                log.warning("branch_failed", extra={"journey": key[0], "node": key[2], "code": error.code})
        return answers

    def _process(self, numbers: Sequence[int], answers: Answers, now: datetime) -> int:
        if not numbers:
            return 0
        try:
            with self._state.write() as tx:
                return self._move(tx, numbers, answers, now)
        except QuanyuError as error:
            if error.transient:
                raise
            failure = error.code
        except sa.exc.OperationalError:
            raise
        except Exception as error:  # find the row that cannot be processed, and let the others go on
            log.exception("advance_failed", extra={"rows": len(numbers)})
            failure = type(error).__name__
        if len(numbers) > 1:
            middle = len(numbers) // 2
            return self._process(numbers[:middle], answers, now) + self._process(numbers[middle:], answers, now)
        self._put_off([(numbers[0], failure)], now)
        return 1

    def _move(self, tx: sa.Connection, numbers: Sequence[int], answers: Answers, now: datetime) -> int:
        given = rows(tx, {"participation_id": sa.BigInteger}, [(number,) for number in numbers])
        claimed = tx.execute(
            sa.select(participation)
            .where(
                participation.c.participation_id.in_(sa.select(given.c.participation_id)),
                participation.c.state == "active",
                participation.c.wake_at <= now,
            )
            .order_by(participation.c.participation_id)
            .with_for_update(skip_locked=True)
        ).all()
        if not claimed:
            return 0
        versions = self._plans.versions(tx, {(row.journey_id, row.version) for row in claimed})
        seen = _sightings(tx, [row.participation_id for row in claimed])
        result = _Moved()
        for row in claimed:
            version = versions[(row.journey_id, row.version)]
            stored = (row.event_at, row.event_id) if row.event_at is not None else None
            standing = standing_of(row, stored, row.goal_at)
            _walk(row, standing, version, seen.get(row.participation_id, {}), answers, now, result)
        result.write(tx, now)
        self._sender.send(tx, result.sendings, now)
        return len(claimed)

    def _put_off(self, stuck: Sequence[tuple[int, str]], now: datetime) -> None:
        """Look at rows again later; after `TRIES` they leave as failed."""
        if not stuck:
            return
        with self._state.write() as tx:
            given = rows(tx, {"participation_id": sa.BigInteger, "failure": sa.Text}, stuck)
            found = tx.execute(
                sa.update(participation)
                .where(participation.c.participation_id == given.c.participation_id, participation.c.state == "active")
                .values(
                    tries=participation.c.tries + 1,
                    failure=given.c.failure,
                    # In microseconds: the pause grows with each try.
                    wake_at=sa.literal(micros(now), sa.BigInteger) + (participation.c.tries + 1) * _PAUSE_MICROS,
                )
                .returning(participation)
            ).all()
            leave(tx, [row for row in found if row.tries >= TRIES], "failed", now)


def _walk(
    row: Any,
    standing: Standing,
    version: Version,
    seen: Mapping[str, list[Sighting]],
    answers: Answers,
    now: datetime,
    result: _Moved,
) -> None:
    """Let one participation go as far as it can at `now`."""
    plan, settings = version.plan, version.settings
    while True:
        key = (row.journey_id, row.version, standing.node_id)
        outcome = decide(standing, plan, settings, now, answers.of(key, standing.person_id))
        if not isinstance(outcome, Step):
            result.stands(row, standing, wake_time(standing, plan, settings))
            return
        result.steps(row, standing, outcome, answers.watermark.get(key), now)
        if outcome.sends is not None:
            result.sendings.append(Sending(row.brand_id, version, standing, outcome.sends))
        if outcome.to is None:
            result.leaves(standing, outcome)
            return
        standing = arrive(standing, outcome, plan, seen)


@dataclass(slots=True)
class _Moved:
    """What a set of moves changes, collected and then written as sets."""

    transitions: list[dict[str, Any]] = field(default_factory=list)
    positions: list[tuple[Any, ...]] = field(default_factory=list)
    exits: list[tuple[Any, ...]] = field(default_factory=list)
    sendings: list[Sending] = field(default_factory=list)

    def steps(self, row: Any, standing: Standing, step: Step, watermark: str | None, now: datetime) -> None:
        """One transition."""
        self.transitions.append(
            {
                "participation_id": standing.participation_id,
                "visit": standing.visit + 1,
                "journey_id": row.journey_id,
                "version": row.version,
                "from_node": standing.node_id,
                "port": step.port,
                "to_node": step.to,
                "at": step.at,
                "done_at": now,
                "watermark": watermark,
            }
        )

    def stands(self, row: Any, standing: Standing, wake_at: datetime) -> None:
        """Where somebody stands now."""
        if standing.visit == row.visit and wake_at == row.wake_at:
            return
        seen = standing.seen or (None, None)
        self.positions.append(
            (
                standing.participation_id,
                standing.node_id,
                standing.visit,
                standing.arrived_at,
                wake_at,
                standing.timer_at,
                *seen,
            )
        )

    def leaves(self, standing: Standing, step: Step) -> None:
        """Somebody leaves; the last node stays on the row."""
        self.exits.append((standing.participation_id, standing.node_id, standing.visit + 1, step.at, step.reason))

    def write(self, tx: sa.Connection, now: datetime) -> None:  # noqa: ARG002
        """Write it."""
        if self.transitions:
            tx.execute(sa.insert(transition), self.transitions)
        instant = participation.c.wake_at.type
        if self.positions:
            given = rows(
                tx,
                {
                    "participation_id": sa.BigInteger,
                    "node_id": sa.Text,
                    "visit": sa.Integer,
                    "arrived_at": sa.BigInteger,
                    "wake_at": sa.BigInteger,
                    "timer_at": sa.BigInteger,
                    "event_at": sa.BigInteger,
                    "event_id": sa.Text,
                },
                self.positions,
            )
            tx.execute(
                sa.update(participation)
                .where(participation.c.participation_id == given.c.participation_id)
                .values(
                    node_id=given.c.node_id,
                    visit=given.c.visit,
                    event_id=given.c.event_id,
                    tries=0,
                    failure=None,
                    **{
                        name: sa.type_coerce(given.c[name], instant)
                        for name in ("arrived_at", "wake_at", "timer_at", "event_at")
                    },
                )
            )
        if self.exits:
            _write_exits(tx, self.exits)


def _write_exits(tx: sa.Connection, exits: Sequence[tuple[Any, ...]]) -> None:
    given = rows(
        tx,
        {
            "participation_id": sa.BigInteger,
            "node_id": sa.Text,
            "visit": sa.Integer,
            "exited_at": sa.BigInteger,
            "exit_reason": sa.Text,
        },
        exits,
    )
    tx.execute(
        sa.update(participation)
        .where(participation.c.participation_id == given.c.participation_id)
        .values(
            state="exited",
            active_slot=None,
            wake_at=None,
            timer_at=None,
            node_id=given.c.node_id,
            visit=given.c.visit,
            exited_at=sa.type_coerce(given.c.exited_at, participation.c.exited_at.type),
            exit_reason=given.c.exit_reason,
        )
    )


def leave(tx: sa.Connection, found: Sequence[Any], reason: str, now: datetime) -> int:
    """Let participations (rows) out at once for `reason`; how many."""
    if not found:
        return 0
    tx.execute(
        sa.insert(transition),
        [
            {
                "participation_id": row.participation_id,
                "visit": row.visit + 1,
                "journey_id": row.journey_id,
                "version": row.version,
                "from_node": row.node_id,
                "port": reason,
                "to_node": None,
                "at": now,
                "done_at": now,
            }
            for row in found
        ],
    )
    _write_exits(tx, [(row.participation_id, row.node_id, row.visit + 1, now, reason) for row in found])
    return len(found)


def _sightings(tx: sa.Connection, numbers: Sequence[int]) -> dict[int, dict[str, list[Sighting]]]:
    given = rows(tx, {"participation_id": sa.BigInteger}, [(number,) for number in numbers])
    found: dict[int, dict[str, list[Sighting]]] = {}
    for row in tx.execute(
        sa.select(sighting)
        .join_from(given, sighting, sighting.c.participation_id == given.c.participation_id)
        .where(sa.not_(sighting.c.late))
    ):
        found.setdefault(row.participation_id, {}).setdefault(row.node_id, []).append((row.occurred_at, row.event_id))
    return found
