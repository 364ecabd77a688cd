"""The states of an effect and the only way from one to another.

    intended ─┬─> claimed ──> submitted ─┬─> accepted ──> rejected (the provider changed its mind)
    deferred ─┘      │            │      ├─> rejected
        ^            │            │      └─> unknown ───> accepted | rejected | intended (sent again)
        └────────────┴────────────┘
                 (not now; not taken)         suppressed, held_out: never left the house

Every change is one guarded statement for a whole set and one log row per effect. `submitted` is written before
the provider is called; going back from it (`deferred`) happens only when the provider certainly took nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from quanyu.messaging.contracts import Status
from quanyu.messaging.tables import cap_use, effect, effect_log
from quanyu.storage.bulk import rows

FROM: Mapping[Status, tuple[Status, ...]] = {
    "intended": ("claimed", "unknown", "rejected"),
    "claimed": ("intended", "deferred", "unknown"),
    "suppressed": ("intended", "deferred", "claimed"),
    "deferred": ("intended", "deferred", "claimed", "submitted"),
    "held_out": ("intended", "deferred"),
    "submitted": ("claimed",),
    "accepted": ("submitted", "unknown"),
    "rejected": ("submitted", "unknown", "accepted"),
    "unknown": ("submitted", "claimed"),  # claimed: to be sent again under the same token, and no longer allowed
}
RESEND_WITHIN = timedelta(days=1)  # how long a message is worth sending once somebody has decided to send it again

FINAL: frozenset[Status] = frozenset({"suppressed", "held_out", "rejected"})

# Changes that history hears of. The others (intended, claimed, deferred) are how the work is organised.
EVENT_NAMES: Mapping[str, str] = {
    "submitted": "message_submitted",
    "accepted": "message_accepted",
    "rejected": "message_rejected",
    "unknown": "message_unknown",
    "suppressed": "message_suppressed",
    "held_out": "message_held_out",
    "delivered": "message_delivered",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One effect's change: why, and (deferred) when to look again."""

    effect_id: str
    reason: str | None = None
    wake_at: datetime | None = None
    detail: str | None = None


def move(
    tx: sa.Connection,
    to: Status,
    changes: Sequence[Change],
    now: datetime,
    *,
    values: Mapping[str, Any] | None = None,
    where: Sequence[sa.ColumnElement[bool]] = (),
) -> list[str]:
    """Move those of `changes` that may go to `to`; the effect ids that went.

    `values` are set on all of them. Whoever is in another state (another worker was first) stays as it is.
    """
    if not changes:
        return []
    given = rows(
        tx,
        {"effect_id": sa.Text, "reason": sa.Text, "wake_at": sa.BigInteger},
        [(change.effect_id, change.reason, change.wake_at) for change in changes],
    )
    wake_at = sa.func.coalesce(sa.type_coerce(given.c.wake_at, effect.c.wake_at.type), effect.c.wake_at)
    statement = (
        sa.update(effect)
        .where(effect.c.effect_id == given.c.effect_id, effect.c.status.in_(FROM[to]), *where)
        .values(status=to, reason=given.c.reason, wake_at=wake_at, **_stamps(to, now), **(values or {}))
        .returning(effect.c.effect_id, effect.c.attempt)
    )
    moved = {row.effect_id: row.attempt for row in tx.execute(statement)}
    log(
        tx,
        (
            (change.effect_id, to, moved[change.effect_id], change.reason, change.detail)
            for change in changes
            if change.effect_id in moved
        ),
        now,
    )
    return list(moved)


def log(tx: sa.Connection, entries: Iterable[tuple[str, str, int, str | None, str | None]], now: datetime) -> None:
    """Write (effect, status, attempt, reason, detail) into the effects' history."""
    given = [
        {
            "effect_id": effect_id,
            "at": now,
            "status": status,
            "attempt": attempt,
            "reason": reason,
            "detail": detail,
            "told": status not in EVENT_NAMES,
        }
        for effect_id, status, attempt, reason, detail in entries
    ]
    if given:
        tx.execute(sa.insert(effect_log), given)


def release_caps(tx: sa.Connection, effect_ids: Sequence[str]) -> None:
    """Give back the cap units of effects that did not reach anybody."""
    if effect_ids:
        given = rows(tx, {"effect_id": sa.Text}, [(effect_id,) for effect_id in effect_ids])
        tx.execute(sa.delete(cap_use).where(cap_use.c.effect_id.in_(sa.select(given.c.effect_id))))


def _stamps(to: Status, now: datetime) -> dict[str, Any]:
    if to == "submitted":
        return {"submitted_at": now}
    if to in ("accepted", "rejected", "unknown", "suppressed", "held_out"):
        return {"settled_at": now} | ({"claimed_at": now} if to == "held_out" else {})
    if to in ("intended", "deferred"):
        # A new life: nothing of the last attempt is left on the row, its log keeps it.
        cleared = ("claimed_at", "lease_until", "batch_id", "fence", "submitted_at", "settled_at")
        return dict.fromkeys(cleared, None) | {"attempt": effect.c.attempt + 1}
    return {}


def logged(tx: sa.Connection, effect_ids: Sequence[str]) -> set[str]:
    """Which of these effects have a history already."""
    given = rows(tx, {"effect_id": sa.Text}, [(each,) for each in effect_ids])
    found = tx.execute(
        sa.select(effect_log.c.effect_id).where(effect_log.c.effect_id.in_(sa.select(given.c.effect_id))).distinct()
    )
    return set(found.scalars())
