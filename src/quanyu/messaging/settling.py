"""After the call: what the provider said becomes state, and what it did not say is asked for.

Every outcome is written under the fencing token of the claim, so a worker that was thought lost and comes back
late cannot overwrite what was found out meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.messaging import states
from quanyu.messaging.claiming import Parts
from quanyu.messaging.contracts import Timing
from quanyu.messaging.tables import batch, connection, effect, provider_problem
from quanyu.messaging.timing import Breaker, Uniform, pause
from quanyu.sdk import Answer, Batch, NotTaken, Problem
from quanyu.storage.bulk import upsert


@dataclass(frozen=True, slots=True)
class Settler:
    """Writes outcomes."""

    parts: Parts
    timing: Timing
    uniform: Uniform

    def answered(self, tx: sa.Connection, sent: Batch, answer: Answer, kind: str, results: bool, now: datetime) -> None:
        """The provider took the batch; those whom it refused are rejected."""
        ids = [message.effect_id for message in sent.messages]
        accepted = [states.Change(each, detail=answer.reference) for each in ids if each not in answer.rejected]
        states.move(tx, "accepted", accepted, now, values={"lease_until": None})
        self._reject(tx, {each: answer.rejected[each] for each in ids if each in answer.rejected}, kind, now)
        tx.execute(
            sa.update(batch)
            .where(batch.c.batch_id == sent.token, batch.c.status.in_(("submitted", "unknown")))
            .values(
                status="answered",
                answered_at=now,
                reference=answer.reference,
                tries=0,
                next_at=now + self.timing.first_poll if results and answer.reference and accepted else None,
            )
        )

    def not_taken(self, tx: sa.Connection, sent: Batch, error: NotTaken, kind: str, now: datetime) -> None:
        """The provider took nothing: try again later if that may help, else everything is rejected."""
        ids = [message.effect_id for message in sent.messages]
        self._note(tx, [error.problem], kind)
        if not error.transient:
            self._reject(tx, dict.fromkeys(ids, error.problem), kind, now)
        else:
            attempts = tx.execute(
                sa.select(sa.func.max(effect.c.attempt)).where(effect.c.batch_id == sent.token)
            ).scalar_one()
            wait = pause((attempts or 0) + 1, self.timing.first_retry, self.timing.longest_retry, self.uniform)
            wake_at = now + wait
            if error.retry_after is not None:
                wake_at = max(wake_at, datetime.fromtimestamp(now.timestamp() + error.retry_after, now.tzinfo))
            detail = reason_of(kind, error.problem)
            moved = states.move(
                tx, "deferred", [states.Change(each, "provider_busy", wake_at, detail) for each in ids], now
            )
            states.release_caps(tx, moved)
        tx.execute(sa.update(batch).where(batch.c.batch_id == sent.token).values(status="closed", answered_at=now))

    def unknown(self, tx: sa.Connection, batch_id: str, ids: Sequence[str], reason: str, now: datetime) -> None:
        """Nobody knows: say so, and ask soon."""
        states.move(tx, "unknown", [states.Change(each, reason) for each in ids], now, values={"lease_until": None})
        tx.execute(
            sa.update(batch)
            .where(batch.c.batch_id == batch_id)
            .values(status="unknown", tries=0, next_at=now + self.timing.first_ask)
        )

    def breaker(self, tx: sa.Connection, name: str, change: Callable[[Breaker], Breaker], problem: str | None) -> None:
        """Remember a success or a failure of a connection."""
        row = tx.execute(
            sa.select(connection.c.failures, connection.c.open_until)
            .where(connection.c.connection == name)
            .with_for_update()
        ).one_or_none()
        if row is None:
            return
        after = change(Breaker(row.failures, row.open_until))
        if after != Breaker(row.failures, row.open_until):
            tx.execute(
                sa.update(connection)
                .where(connection.c.connection == name)
                .values(failures=after.failures, open_until=after.open_until, problem=problem)
            )

    def opened(self, before: Breaker, now: datetime) -> Breaker:
        """The breaker after a call that was not taken."""
        return before.failed(
            now,
            threshold=self.timing.break_after,
            first=self.timing.first_retry,
            longest=self.timing.longest_retry,
            uniform=self.uniform,
        )

    def _reject(self, tx: sa.Connection, rejected: dict[str, Problem], kind: str, now: datetime) -> None:
        self._note(tx, list(rejected.values()), kind)
        changes = [states.Change(each, reason_of(kind, problem)) for each, problem in rejected.items()]
        moved = states.move(tx, "rejected", changes, now, values={"lease_until": None})
        states.release_caps(tx, moved)
        self.parts.coupons.void_effects(tx, moved)

    def refused_late(self, tx: sa.Connection, rejected: dict[str, Problem], kind: str, now: datetime) -> None:
        """Messages that the provider had accepted and then did not deliver."""
        self._reject(tx, rejected, kind, now)

    def _note(self, tx: sa.Connection, problems: Sequence[Problem], kind: str) -> None:
        note_problems(tx, problems, kind)


def note_problems(tx: sa.Connection, problems: Sequence[Problem], kind: str) -> None:
    """Keep the texts of a provider's problems, so that lists can show them later."""
    distinct = {reason_of(kind, problem): problem for problem in problems}
    upsert(
        tx,
        provider_problem,
        [
            {
                "reason": reason,
                "title_zh": problem.title.zh,
                "title_en": problem.title.en,
                "remedy_zh": problem.remedy.zh,
                "remedy_en": problem.remedy.en,
            }
            for reason, problem in sorted(distinct.items())
        ],
        ["reason"],
        ["title_zh", "title_en", "remedy_zh", "remedy_en"],
    )


def reason_of(kind: str, problem: Problem) -> str:
    """The countable reason of a provider's problem: `wecom:84061`."""
    return f"{kind}:{problem.code}"


def members(tx: sa.Connection, batch_id: str, *status: str) -> list[Any]:
    """The effects of a batch in given states, in order."""
    return list(
        tx.execute(
            sa.select(effect)
            .where(effect.c.batch_id == batch_id, effect.c.status.in_(status))
            .order_by(effect.c.effect_id)
        )
    )
