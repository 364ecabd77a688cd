"""The lanes: one per connection, each claims, passes the gate, calls, settles, asks and polls by itself.

A lane is a thread that works only for its connection, so a dead or slow provider stalls nobody else. Small batches
pass the gate together and are called side by side, a few at a time; large ones go alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.kernel.clock import Clock
from quanyu.messaging import states
from quanyu.messaging.claiming import Parts, claim
from quanyu.messaging.connections import Connections
from quanyu.messaging.contracts import Timing
from quanyu.messaging.followup import FollowUp
from quanyu.messaging.gate import Passed, pass_gate, turn_away
from quanyu.messaging.settling import Settler, members, reason_of
from quanyu.messaging.tables import batch, connection, contact_lookup, effect
from quanyu.messaging.template_store import templates_of
from quanyu.messaging.timing import Breaker
from quanyu.sdk import Answer, Batch, Channel, Label, NotTaken, OutcomeUnknown, Problem
from quanyu.storage.state import State

log = logging.getLogger(__name__)

TOGETHER = 16  # small batches that pass the gate in one transaction
SMALL = 100
TRIAL = 20  # effects claimed while a connection is being tried after a failure

Point = Callable[[str], None]
"""A named place where a test lets a competitor in: `claimed`, `gated`, `called`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call: an answer, or the error."""

    sent: Batch
    answer: Answer | None = None
    error: NotTaken | OutcomeUnknown | None = None


class Dispatcher:
    """Runs lanes."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        parts: Parts,
        settler: Settler,
        connections: Connections,
        follow_up: FollowUp,
        timing: Timing,
        point: Point | None = None,
    ) -> None:
        self._state, self._clock, self._parts, self._settler = state, clock, parts, settler
        self._connections, self._follow_up, self._timing = connections, follow_up, timing
        self.point: Point = point or (lambda _: None)
        self._lanes: dict[str, Future[int]] = {}
        self._pool = ThreadPoolExecutor(max_workers=32, thread_name_prefix="lane")
        self._calls = ThreadPoolExecutor(max_workers=64, thread_name_prefix="call")
        self._lock = threading.Lock()

    def dispatch(self, limit: int, patience: float | None) -> int:
        """Start a lane for every connection with something due that has none running; how much was done.

        Waits up to `patience` seconds (None: until all are done). A lane that takes longer goes on by itself.
        """
        with self._lock:
            for name in self.due(self._clock.now()):
                running = self._lanes.get(name)
                if running is None or running.done():
                    self._lanes[name] = self._pool.submit(self.run, name, limit)
            lanes = dict(self._lanes)
        done, _ = wait(lanes.values(), timeout=patience)
        count = 0
        with self._lock:
            for name, lane in lanes.items():
                if lane in done and self._lanes.get(name) is lane:
                    del self._lanes[name]
        for lane in done:
            count += lane.result()
        return count

    def close(self) -> None:
        """Stop taking work; lanes that run end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._calls.shutdown(wait=False, cancel_futures=True)

    def due(self, now: datetime) -> list[str]:
        """The connections with something to do that may be tried now."""
        pending = sa.select(effect.c.connection).where(
            effect.c.status.in_(("intended", "deferred")), effect.c.wake_at <= now
        )
        later = sa.select(batch.c.connection).where(batch.c.next_at.is_not(None), batch.c.next_at <= now)
        contacts = sa.select(contact_lookup.c.connection).where(contact_lookup.c.due_at <= now)
        with self._state.read() as tx:
            found = tx.execute(
                sa.select(connection.c.connection)
                .where(
                    connection.c.enabled,
                    sa.or_(connection.c.open_until.is_(None), connection.c.open_until <= now),
                    sa.or_(
                        *(
                            sa.exists(each.where(_column(each) == connection.c.connection))
                            for each in (pending, later, contacts)
                        )
                    ),
                )
                .order_by(connection.c.connection)
            )
            return list(found.scalars())

    def run(self, name: str, limit: int) -> int:
        """Everything that is due for one connection, once; how many effects, batches and contacts were handled."""
        try:
            channel = self._connections.channel(name)
            sent = self._send(name, channel, limit)
            return sent + self._resend(name, channel) + self._follow_up.run(name, channel)
        except Exception:  # a lane must not die of one bad connection; what was not settled is found by the sweep
            log.exception("lane_failed", extra={"connection": name})
            return 0

    def _send(self, name: str, channel: Channel[Any], limit: int) -> int:
        now = self._clock.now()
        with self._state.write() as tx:
            failures = tx.execute(
                sa.select(connection.c.failures).where(connection.c.connection == name)
            ).scalar_one_or_none()
            if failures is None:
                return 0
            result = claim(tx, self._parts, channel, name, templates_of, now, min(limit, TRIAL) if failures else limit)
        if result.batches:
            self.point("claimed")
            self._deliver(name, channel, list(result.batches), result.fence)
        return result.decided

    def _deliver(self, name: str, channel: Channel[Any], batches: list[str], fence: int) -> None:
        brand_id = self._connections.brand_of(name)
        for group in self._groups(batches):
            with self._state.write() as tx:
                self._parts.people.enter_gate(tx, brand_id)
                now = self._clock.now()
                tried = [pass_gate(tx, self._parts, channel, each, fence, now) for each in group]
            passed = [each for each in tried if each is not None and each.batch.messages]
            if passed and not self._hand_over(name, channel, passed):
                rest = batches[batches.index(group[-1]) + 1 :]
                self._stand_back(name, rest, fence)
                return

    def _hand_over(self, name: str, channel: Channel[Any], passed: Sequence[Passed]) -> bool:
        """Call the provider and write what came of it; whether the connection may go on."""
        self.point("gated")
        outcomes = self._call_all(channel, passed)
        self.point("called")
        return self._settle(name, channel, outcomes)

    def _groups(self, batches: Sequence[str]) -> Iterable[list[str]]:
        with self._state.read() as tx:
            sizes = dict(
                tx.execute(sa.select(batch.c.batch_id, batch.c.size).where(batch.c.batch_id.in_(batches))).all()
            )
        group: list[str] = []
        for each in batches:
            large = sizes.get(each, 0) > SMALL
            if group and (large or len(group) >= TOGETHER):
                yield group
                group = []
            group.append(each)
            if large:
                yield group
                group = []
        if group:
            yield group

    def _call_all(self, channel: Channel[Any], passed: Sequence[Passed]) -> list[Outcome]:
        if len(passed) == 1:
            return [call(channel, passed[0].batch)]
        limit = threading.Semaphore(channel.parallel)

        def one(each: Passed) -> Outcome:
            with limit:
                return call(channel, each.batch)

        return list(self._calls.map(one, passed))

    def _settle(self, name: str, channel: Channel[Any], outcomes: Sequence[Outcome]) -> bool:
        """Write the outcomes; whether the connection may go on."""
        now, kind = self._clock.now(), channel.kind
        with self._state.write() as tx:
            for outcome in outcomes:
                if outcome.answer is not None:
                    results = "results" in channel.capabilities
                    self._settler.answered(tx, outcome.sent, outcome.answer, kind, results, now)
                elif isinstance(outcome.error, NotTaken):
                    self._settler.not_taken(tx, outcome.sent, outcome.error, kind, now)
                else:
                    ids = [message.effect_id for message in outcome.sent.messages]
                    self._settler.unknown(tx, outcome.sent.token, ids, "unanswered", now)
            bad = [each for each in outcomes if _is_failure(each)]
            if not bad:
                self._settler.breaker(tx, name, Breaker.succeeded, None)
                return True
            assert bad[0].error is not None
            problem = reason_of(kind, bad[0].error.problem)
            # Some went through: the connection lives, but something is wrong. None did: each failure counts.
            alive = len(bad) < len(outcomes)

            def after(before: Breaker) -> Breaker:
                found = before.succeeded() if alive else before
                for _ in range(1 if alive else len(bad)):
                    found = self._settler.opened(found, now)
                return found

            self._settler.breaker(tx, name, after, problem)
            opened = tx.execute(
                sa.select(connection.c.open_until).where(connection.c.connection == name)
            ).scalar_one_or_none()
            return opened is None

    def _stand_back(self, name: str, batches: Sequence[str], fence: int) -> None:
        """Put claimed effects back until the connection is tried again: they have not left the house."""
        if not batches:
            return
        now = self._clock.now()
        with self._state.write() as tx:
            until = tx.execute(
                sa.select(connection.c.open_until).where(connection.c.connection == name)
            ).scalar_one_or_none()
            for each in batches:
                claimed = [row for row in members(tx, each, "claimed") if row.fence == fence]
                turn_away(
                    tx,
                    self._parts,
                    [states.Change(row.effect_id, "provider_busy", until or now) for row in claimed],
                    now,
                )
                tx.execute(sa.update(batch).where(batch.c.batch_id == each).values(status="closed"))

    def _resend(self, name: str, channel: Channel[Any]) -> int:
        """Send unknown batches again where the provider ignores a repeated token."""
        if not channel.idempotent:
            return 0
        brand_id = self._connections.brand_of(name)
        passed: list[Passed] = []
        with self._state.write() as tx:
            self._parts.people.enter_gate(tx, brand_id)
            now = self._clock.now()
            due = tx.execute(
                sa.select(batch.c.batch_id)
                .where(
                    batch.c.connection == name,
                    batch.c.status == "unknown",
                    batch.c.next_at <= now,
                    batch.c.tries < self._timing.asks,
                )
                .order_by(batch.c.next_at)
                .limit(TOGETHER)
                .with_for_update(skip_locked=True)
            )
            again = list(due.scalars())
            if not again:
                return 0
            fence = tx.execute(
                sa.update(connection)
                .where(connection.c.connection == name)
                .values(fence=connection.c.fence + 1)
                .returning(connection.c.fence)
            ).scalar_one()
            tx.execute(
                sa.update(batch)
                .where(batch.c.batch_id.in_(again))
                .values(status="claimed", fence=fence, next_at=None, tries=batch.c.tries + 1)
            )
            # Claimed and through the gate in one transaction: a kill in between must not set an unknown message free.
            for each in again:
                changes = [states.Change(row.effect_id, detail=each) for row in members(tx, each, "unknown")]
                states.move(tx, "claimed", changes, now, values={"fence": fence})
                through = pass_gate(tx, self._parts, channel, each, fence, now, again=True)
                if through is not None and through.batch.messages:
                    passed.append(through)
        if passed:
            self._hand_over(name, channel, passed)
        return len(again)


def call(channel: Channel[Any], sent: Batch) -> Outcome:
    """Hand a batch to its channel; whatever is not clearly "not taken" is unknown."""
    try:
        return Outcome(sent, answer=channel.send(sent))
    except (NotTaken, OutcomeUnknown) as error:
        return Outcome(sent, error=error)
    except Exception as error:  # a fault in a plugin: nobody knows how far it got
        log.exception("channel_failed", extra={"connection": channel.host.connection})
        return Outcome(sent, error=OutcomeUnknown(_fault(error)))


def _fault(error: Exception) -> Problem:
    name = type(error).__name__
    return Problem(
        "plugin_failed",
        Label(f"通道插件出错（{name}）", f"The channel plugin failed ({name})"),
        Label("请查看日志并联系插件作者", "See the log and tell the plugin's author"),
    )


def _is_failure(outcome: Outcome) -> bool:
    return isinstance(outcome.error, OutcomeUnknown) or (
        isinstance(outcome.error, NotTaken) and outcome.error.transient
    )


def _column(statement: sa.Select[Any]) -> sa.ColumnElement[Any]:
    return next(iter(statement.selected_columns))
