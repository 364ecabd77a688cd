"""People who were merged or split: their participations follow the identifier that brought them in.

The slots are laid out anew for everybody concerned. Where two participations now belong to one person, the earlier
keeps the plain slot and the later a marked one: nobody enters a third time, and undoing the merge finds both where
they were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from quanyu.journeys.contracts import People
from quanyu.journeys.entry import slots
from quanyu.journeys.running import Plans
from quanyu.journeys.tables import participation
from quanyu.storage.bulk import rows


def follow(tx: sa.Connection, people: People, plans: Plans, person_ids: Iterable[int]) -> int:
    """Bring participations up to date for people who gained or lost identifiers; how many were concerned."""
    moved = {int(person) for person in person_ids}
    if not moved:
        return 0
    concerned = _concerned(tx, people, moved)
    if not concerned:
        return 0
    versions = plans.versions(tx, {(row.journey_id, row.version) for row in concerned})
    groups: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for row in concerned:
        groups[(row.journey_id, row.holder or 0)].append(row)
    laid: list[tuple[int, int, str, str | None]] = []
    for (_, person), group in groups.items():
        taken: set[str] = set()
        for row in sorted(group, key=lambda each: (each.entered_at, each.participation_id)):
            rule = versions[(row.journey_id, row.version)].settings.reentry.rule
            entry, active = slots(rule, person, row.entry_key, row.state == "active")
            mark = f"#{row.participation_id}"
            # Somebody whom nobody holds any more (erased) blocks nobody.
            entry = entry + mark if entry in taken or not person else entry
            active = active + mark if active is not None and (f"active:{active}" in taken or not person) else active
            taken |= {entry, f"active:{active}"}
            laid.append((row.participation_id, person, entry, active))
    _lay_out(tx, laid)
    return len(laid)


def _concerned(tx: sa.Connection, people: People, moved: set[int]) -> list[Any]:
    """Participations that belong, or will belong, to one of these people, with today's holder."""
    holders = people.holders()
    given = rows(tx, {"person_id": sa.BigInteger}, [(person,) for person in moved])
    theirs = sa.select(holders.c.identifier_id).join_from(given, holders, holders.c.person_id == given.c.person_id)
    now = people.holders().alias("now_held")
    return list(
        tx.execute(
            sa.select(participation, now.c.person_id.label("holder"))
            .select_from(participation.join(now, now.c.identifier_id == participation.c.anchor_id, isouter=True))
            .where(
                sa.or_(
                    participation.c.person_id.in_(sa.select(given.c.person_id)),
                    participation.c.anchor_id.in_(theirs),
                )
            )
            .with_for_update(of=participation)
        )
    )


def _lay_out(tx: sa.Connection, laid: Sequence[tuple[int, int, str, str | None]]) -> None:
    given = rows(
        tx,
        {
            "participation_id": sa.BigInteger,
            "person_id": sa.BigInteger,
            "entry_slot": sa.Text,
            "active_slot": sa.Text,
        },
        laid,
    )
    concerned = participation.c.participation_id == given.c.participation_id
    # Two steps: while slots change hands they must not collide with each other.
    aside = sa.literal("moving:") + sa.cast(participation.c.participation_id, sa.Text)
    tx.execute(sa.update(participation).where(concerned).values(entry_slot=aside, active_slot=None))
    tx.execute(
        sa.update(participation)
        .where(concerned)
        .values(person_id=given.c.person_id, entry_slot=given.c.entry_slot, active_slot=given.c.active_slot)
    )
