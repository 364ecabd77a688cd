"""Who comes in: one row per participation, and the re-entry rule kept by two unique indexes.

`entry_slot` is unique per journey: `person:once` for a journey that is entered once, `person:<cause>` otherwise.
`active_slot` is the person while they are inside, for every rule but `per_key`. Whoever is second, in whatever
process, does not get in. The arm is drawn at the first exposure and kept by the person afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from quanyu.journeys.contracts import Entrant
from quanyu.journeys.holdout import is_held_out
from quanyu.journeys.running import Running
from quanyu.journeys.tables import participation, transition
from quanyu.storage.bulk import rows

ENTER = "enter"


def slots(rule: str, person_id: int, key: str, active: bool) -> tuple[str, str | None]:
    """The entry slot and the active slot of a participation."""
    return f"{person_id}:{key}", str(person_id) if active and rule != "per_key" else None


def entry_key(rule: str, entrant: Entrant) -> str:
    """What may be entered once only, under a rule."""
    if rule == "once":
        return "once"
    return entrant.key if rule == "per_key" and entrant.key else entrant.cause


def enter(tx: sa.Connection, running: Running, entrants: Sequence[Entrant], now: datetime) -> list[tuple[int, str]]:
    """Let `entrants` in, in the given order, as far as the re-entry rule allows: (participation_id, cause) of the new.

    A person comes in at the journey's time of what brought them, but never later than now.
    """
    settings, plan = running.current.settings, running.current.plan
    rule = settings.reentry.rule
    people = {entrant.person_id for entrant in entrants}
    arms = arms_of(tx, running.journey_id, people)
    allowed = entrants
    if rule == "cooldown":
        allowed = _after_cooldown(tx, running, entrants, now)
    values: list[dict[str, Any]] = []
    for entrant in allowed:
        key = entry_key(rule, entrant)
        entry_slot, active_slot = slots(rule, entrant.person_id, key, active=True)
        at = min(entrant.at, now)
        held = arms.get(entrant.person_id)
        if held is None:
            held = is_held_out(running.salt, entrant.person_id, settings.holdout_percent)
        values.append(
            {
                "brand_id": running.brand_id,
                "journey_id": running.journey_id,
                "version": running.current.version,
                "anchor_id": entrant.anchor_id,
                "person_id": entrant.person_id,
                "entry_key": key,
                "entry_slot": entry_slot,
                "active_slot": active_slot,
                "cause": entrant.cause,
                "held_out": held,
                "state": "active",
                "node_id": plan.trigger.node_id,
                "visit": 0,
                "arrived_at": at,
                "wake_at": at,
                "entered_at": at,
                "goal_until": at + plan.goal.window if plan.goal else None,
                "reply_token": entrant.reply_token,
            }
        )
    if not values:
        return []
    insert = postgresql.insert if tx.dialect.name == "postgresql" else sqlite.insert
    statement = insert(participation).on_conflict_do_nothing()
    made = tx.execute(
        statement.returning(participation.c.participation_id, participation.c.cause, participation.c.entered_at),
        values,
    ).all()
    if made:
        tx.execute(
            sa.insert(transition),
            [
                {
                    "participation_id": row.participation_id,
                    "visit": 0,
                    "journey_id": running.journey_id,
                    "version": running.current.version,
                    "from_node": None,
                    "port": ENTER,
                    "to_node": plan.trigger.node_id,
                    "at": row.entered_at,
                    "done_at": now,
                }
                for row in made
            ],
        )
    return [(row.participation_id, row.cause) for row in made]


def arms_of(tx: sa.Connection, journey_id: str, people: Iterable[int]) -> dict[int, bool]:
    """The arm of each person who has one: that of their earliest participation, so a merge keeps the earliest."""
    given = rows(tx, {"person_id": sa.BigInteger}, [(person,) for person in set(people)])
    found = tx.execute(
        sa.select(participation.c.person_id, participation.c.held_out)
        .select_from(given)
        .join(participation, participation.c.person_id == given.c.person_id)
        .where(participation.c.journey_id == journey_id)
        .order_by(participation.c.entered_at, participation.c.participation_id)
    )
    arms: dict[int, bool] = {}
    for row in found:
        arms.setdefault(row.person_id, row.held_out)
    return arms


def _after_cooldown(tx: sa.Connection, running: Running, entrants: Sequence[Entrant], now: datetime) -> list[Entrant]:
    pause = timedelta(days=running.current.settings.reentry.cooldown_days or 0)
    given = rows(tx, {"person_id": sa.BigInteger}, {(entrant.person_id,) for entrant in entrants})
    last: dict[int, datetime] = {
        row.person_id: row.last
        for row in tx.execute(
            sa.select(
                participation.c.person_id,
                sa.type_coerce(sa.func.max(participation.c.entered_at), participation.c.entered_at.type).label("last"),
            )
            .select_from(given)
            .join(participation, participation.c.person_id == given.c.person_id)
            .where(participation.c.journey_id == running.journey_id)
            .group_by(participation.c.person_id)
        )
    }
    # Among entrants of one batch the unique index on the active slot lets in the first only.
    return [
        entrant
        for entrant in entrants
        if entrant.person_id not in last or min(entrant.at, now) >= last[entrant.person_id] + pause
    ]
