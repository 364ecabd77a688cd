"""What journeys say when one of their messages is about to go: is it still wanted?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from quanyu.journeys.running import Plans
from quanyu.journeys.tables import journey, participation
from quanyu.messaging.contracts import Claimed, Stop
from quanyu.storage.bulk import rows

HOLD = timedelta(hours=1)  # resuming wakes what is held at once; this is only how often it is looked at meanwhile

# Leaving by one of these means that what was still to be said is no longer wanted.
_STOPS: Mapping[str, str] = {"goal": "goal_reached", "ended": "journey_ended"}


def look(tx: sa.Connection, plans: Plans, effects: Sequence[Claimed], now: datetime) -> dict[str, Stop]:
    """The effects of journeys that must not go now, and why."""
    ours = [(each.effect_id, each.participation_id) for each in effects if each.participation_id is not None]
    if not ours:
        return {}
    given = rows(tx, {"effect_id": sa.Text, "participation_id": sa.BigInteger}, ours)
    found = tx.execute(
        sa.select(
            given.c.effect_id,
            participation.c.journey_id,
            participation.c.version,
            participation.c.goal_at,
            participation.c.exit_reason,
            journey.c.status,
            journey.c.pause_mode,
        )
        .select_from(given)
        .join(participation, participation.c.participation_id == given.c.participation_id)
        .join(journey, journey.c.journey_id == participation.c.journey_id)
    ).all()
    versions = plans.versions(tx, {(row.journey_id, row.version) for row in found})
    stops: dict[str, Stop] = {}
    for row in found:
        settings = versions[(row.journey_id, row.version)].settings
        if row.status == "ended":
            stops[row.effect_id] = Stop("journey_ended")
        elif row.exit_reason in _STOPS:
            stops[row.effect_id] = Stop(_STOPS[row.exit_reason])
        elif settings.exit_on_goal and row.goal_at is not None:
            stops[row.effect_id] = Stop("goal_reached")
        elif row.status == "paused" and row.pause_mode in ("hold_sends", "freeze"):
            stops[row.effect_id] = Stop("journey_paused", now + HOLD)
    return stops
