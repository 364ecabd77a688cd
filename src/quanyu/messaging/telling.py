"""What messaging tells history: every change that reached the outside, as an event on the road of all events."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from quanyu.events.contracts import NativeEvent
from quanyu.kernel.ids import stable_id
from quanyu.messaging.contracts import People, RecordEvents
from quanyu.messaging.states import EVENT_NAMES
from quanyu.messaging.tables import effect, effect_log
from quanyu.storage.bulk import rows
from quanyu.storage.state import State


def tell(
    state: State, people: People, record_events: RecordEvents, channel_of: Callable[[str], str | None], limit: int
) -> int:
    """Record what history has not heard yet, then note that it has; how many changes were told.

    The id of each event follows from the change, so telling again after a crash in between is stored once.
    """
    with state.read() as tx:
        changes = tx.execute(
            sa.select(
                effect_log.c.log_id,
                effect_log.c.effect_id,
                effect_log.c.at,
                effect_log.c.status,
                effect_log.c.attempt,
                effect_log.c.reason,
                effect.c.brand_id,
                effect.c.anchor_id,
                effect.c.connection,
                effect.c.journey_id,
                effect.c.version,
                effect.c.node_id,
                effect.c.template_id,
                effect.c.coupon_id,
            )
            .join(effect, effect.c.effect_id == effect_log.c.effect_id)
            .where(effect_log.c.told.is_(False))
            .order_by(effect_log.c.log_id)
            .limit(limit)
        ).all()
        if not changes:
            return 0
        clear = people.clear_identifiers(tx, sorted({row.anchor_id for row in changes}))
    by_brand: dict[int, list[NativeEvent]] = {}
    for row in changes:
        known = clear.get(row.anchor_id)
        properties = {
            "connection": row.connection,
            "journey_id": row.journey_id,
            "version": row.version,
            "node_id": row.node_id,
            "template_id": row.template_id,
            "coupon_id": row.coupon_id,
            "reason": row.reason,
        }
        by_brand.setdefault(row.brand_id, []).append(
            NativeEvent(
                event_id=stable_id("effect", row.effect_id, row.status, row.attempt, prefix="ev"),
                name=EVENT_NAMES[row.status],
                occurred_at=row.at,
                identifiers=(known,) if known else (),
                channel=channel_of(row.connection),
                effect_id=row.effect_id,
                properties={key: value for key, value in properties.items() if value is not None},
            )
        )
    for brand_id, events in by_brand.items():
        record_events(brand_id, events)
    with state.write() as tx:
        told = rows(tx, {"log_id": sa.BigInteger}, [(row.log_id,) for row in changes])
        tx.execute(sa.update(effect_log).where(effect_log.c.log_id.in_(sa.select(told.c.log_id))).values(told=True))
    return len(changes)
