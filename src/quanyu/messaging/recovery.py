"""What a killed worker leaves behind, found by its lease: nothing was sent, or nobody knows."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from quanyu.messaging import states
from quanyu.messaging.claiming import Parts
from quanyu.messaging.settling import Settler
from quanyu.messaging.tables import batch, connection, effect


def recover(tx: sa.Connection, parts: Parts, settler: Settler, now: datetime, limit: int) -> int:
    """Free what was claimed and never submitted; call unknown what was submitted and never answered; suppress what
    expired while its connection was off. How many effects changed.
    """
    lost = tx.execute(
        sa.select(effect.c.effect_id, effect.c.status, effect.c.batch_id)
        .where(effect.c.status.in_(("claimed", "submitted")), effect.c.lease_until <= now)
        .order_by(effect.c.lease_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    freed = [states.Change(row.effect_id, "worker_lost") for row in lost if row.status == "claimed"]
    moved = states.move(tx, "intended", freed, now)
    states.release_caps(tx, moved)
    empty = sorted({row.batch_id for row in lost if row.status == "claimed"})
    if empty:
        tx.execute(
            sa.update(batch).where(batch.c.batch_id.in_(empty), batch.c.status == "claimed").values(status="closed")
        )
    unanswered: dict[str, list[str]] = {}
    for row in lost:
        if row.status == "submitted":
            unanswered.setdefault(row.batch_id, []).append(row.effect_id)
    for batch_id, ids in sorted(unanswered.items()):
        settler.unknown(tx, batch_id, ids, "worker_lost", now)
    expired = tx.execute(
        sa.select(effect.c.effect_id)
        .join(connection, connection.c.connection == effect.c.connection, isouter=True)
        .where(
            effect.c.status.in_(("intended", "deferred")),
            effect.c.wake_at <= now,
            effect.c.expires_at <= now,
            sa.or_(connection.c.connection.is_(None), sa.not_(connection.c.enabled)),
        )
        .limit(limit)
    ).scalars()
    dropped = states.move(tx, "suppressed", [states.Change(each, "expired") for each in expired], now)
    parts.coupons.void_effects(tx, dropped)
    return len(lost) + len(dropped)
