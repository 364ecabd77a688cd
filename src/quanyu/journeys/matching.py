"""Events meet journeys: who comes in, whose wait is over, who has reached the goal. One pass per micro-batch.

An event counts for a participation if it comes after what brought the person in, in the order of the log, and if
its time lies within the wait (or the goal's window). So neither the size of a batch nor a repeated event changes
anything. Reading and writing are sets; what is decided per pair of event and participation is decided in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from quanyu.journeys.contracts import Entrant
from quanyu.journeys.entry import enter
from quanyu.journeys.filters import EventBatch
from quanyu.journeys.movement import Sighting, Standing, wake_time
from quanyu.journeys.nodes import Filter, Wait
from quanyu.journeys.running import Plans, Running, Version
from quanyu.journeys.tables import goal_hit, participation, sighting, transition
from quanyu.kernel.clock import from_micros
from quanyu.storage.bulk import insert_ignore, rows

REPLY_WITHIN = timedelta(seconds=18)  # how long a reply token (a welcome code) can be used; WeCom's lives 20


@dataclass(frozen=True, slots=True)
class Seen:
    """One event that some journey cares for."""

    row: int
    event_id: str
    person_id: int
    anchor_id: int
    at: datetime
    amount: int


@dataclass(slots=True)
class _Interest:
    """What the published journeys look for in one batch, each filter evaluated once."""

    batch: EventBatch
    brand: list[int] | None
    known: dict[tuple[str, tuple[Filter, ...]], list[Seen]] = field(default_factory=dict)
    columns: dict[str, list[Any]] = field(default_factory=dict)

    def find(self, brand_id: int, event: str, where: tuple[Filter, ...]) -> list[Seen]:
        """The events of a brand that fulfil a node's filters and belong to somebody, in log order."""
        try:
            key = (event, where)
            hash(key)
        except TypeError:  # a filter whose value is a list
            return self._of_brand(self._read(event, where), brand_id)
        if key not in self.known:
            self.known[key] = self._read(event, where)
        return self._of_brand(self.known[key], brand_id)

    def _of_brand(self, found: list[Seen], brand_id: int) -> list[Seen]:
        if self.brand is None:
            return found
        return [each for each in found if self.brand[each.row] == brand_id]

    def _read(self, event: str, where: tuple[Filter, ...]) -> list[Seen]:
        names = ("event_id", "person_id", "anchor_id", "occurred_at", "amount")
        found = []
        for row in self.batch.matching(event, where):
            if not self.columns:
                self.columns = {name: self.batch.table[name].to_pylist() for name in names}
            event_id, person_id, anchor_id, at, amount = (self.columns[name][row] for name in names)
            if person_id:
                found.append(Seen(int(row), event_id, person_id, anchor_id, from_micros(at), amount or 0))
        return found


def on_events(tx: sa.Connection, plans: Plans, table: pa.Table, now: datetime) -> int:
    """Let people in, end waits and note goals for a batch of events; how many participations were touched."""
    published = [running for running in plans.published(tx) if running.matters(now)]
    if not published or not table.num_rows:
        return 0
    brand = table["brand_id"].to_pylist() if "brand_id" in table.column_names else None
    interest = _Interest(EventBatch(table), brand)
    entered_row: dict[int, int] = {}
    for running in published:
        entered_row |= _enter(tx, running, interest, now)
    versions = plans.of_journeys(tx, {running.journey_id for running in published})
    brand_of = {running.journey_id: running.brand_id for running in published}
    touched = _match(tx, versions, brand_of, interest, entered_row)
    return len(entered_row) + touched


def _enter(tx: sa.Connection, running: Running, interest: _Interest, now: datetime) -> dict[int, int]:
    trigger = running.current.plan.entry
    if trigger.on != "event" or trigger.event is None or not running.enters:
        return {}
    found = [
        each
        for each in interest.find(running.brand_id, trigger.event, trigger.where)
        if each.at >= running.published_at
    ]
    if not found:
        return {}
    entrants = [_entrant(running, interest, each, now) for each in found]
    row_of = {each.event_id: each.row for each in reversed(found)}
    return {made: row_of[cause] for made, cause in enter(tx, running, entrants, now)}


def _entrant(running: Running, interest: _Interest, seen: Seen, now: datetime) -> Entrant:
    key = None
    if running.current.settings.reentry.rule == "per_key":
        key = interest.batch.table["order_id"][seen.row].as_py()
    token = interest.batch.property_of(seen.row, "reply_token") if seen.at + REPLY_WITHIN > now else None
    return Entrant(
        seen.person_id, seen.anchor_id, seen.event_id, seen.at, key, token if isinstance(token, str) else None
    )


def _match(
    tx: sa.Connection,
    versions: Sequence[Version],
    brand_of: Mapping[str, int],
    interest: _Interest,
    entered_row: Mapping[int, int],
) -> int:
    waits: dict[tuple[str, int], list[tuple[str, dict[int, list[Seen]]]]] = {}
    goals: dict[tuple[str, int], dict[int, list[Seen]]] = {}
    people: set[int] = set()
    for version in versions:
        key, brand_id = (version.journey_id, version.version), brand_of[version.journey_id]
        for node in version.plan.of_kind("wait"):
            config = node.config
            if isinstance(config, Wait) and config.mode == "event" and config.event:
                found = _by_person(interest.find(brand_id, config.event, config.where))
                if found:
                    waits.setdefault(key, []).append((node.node_id, found))
                    people |= found.keys()
        goal = version.plan.goal
        if goal is not None and (hits := _by_person(interest.find(brand_id, goal.event, goal.where))):
            goals[key] = hits
            people |= hits.keys()
    if not people:
        return 0
    candidates = _candidates(tx, {version.journey_id for version in versions}, people)
    by_key = {(version.journey_id, version.version): version for version in versions}
    changes = _Changes()
    awaited = [row for row in candidates if row.state == "active" and (row.journey_id, row.version) in waits]
    left = _left_nodes(tx, [row.participation_id for row in awaited])
    for row in candidates:
        key, entered = (row.journey_id, row.version), entered_row.get(row.participation_id, -1)
        for seen in goals.get(key, {}).get(row.person_id, ()):
            if seen.row > entered and row.entered_at <= seen.at <= row.goal_until:
                changes.goal(row, seen)
        if row.state == "active":
            for node_id, found in waits.get(key, ()):
                for seen in found.get(row.person_id, ()):
                    if seen.row > entered:
                        changes.wait(row, node_id, seen, left)
    changes.write(tx, by_key)
    return len(changes.touched)


def _by_person(found: Iterable[Seen]) -> dict[int, list[Seen]]:
    grouped: dict[int, list[Seen]] = defaultdict(list)
    for seen in found:
        grouped[seen.person_id].append(seen)
    return dict(grouped)


def _candidates(tx: sa.Connection, journeys: set[str], people: set[int]) -> list[Any]:
    given = rows(tx, {"person_id": sa.BigInteger}, [(person,) for person in people])
    return list(
        tx.execute(
            sa.select(participation)
            .where(
                participation.c.person_id.in_(sa.select(given.c.person_id)),
                participation.c.journey_id.in_(journeys),
            )
            .order_by(participation.c.participation_id)
            .with_for_update()
        )
    )


Left = Mapping[tuple[int, str], tuple[str, datetime, datetime]]
"""The nodes that participations have left: by which port, since when they had been there, and until when."""


def _left_nodes(tx: sa.Connection, participations: list[int]) -> Left:
    if not participations:
        return {}
    given = rows(tx, {"participation_id": sa.BigInteger}, [(each,) for each in participations])
    found = tx.execute(
        sa.select(
            transition.c.participation_id,
            transition.c.from_node,
            transition.c.port,
            transition.c.to_node,
            transition.c.at,
        )
        .join_from(given, transition, transition.c.participation_id == given.c.participation_id)
        .order_by(transition.c.visit)
    )
    arrived: dict[tuple[int, str | None], datetime] = {}
    left: dict[tuple[int, str], tuple[str, datetime, datetime]] = {}
    for row in found:
        arrived[(row.participation_id, row.to_node)] = row.at
        if row.from_node is not None:
            since = arrived[(row.participation_id, row.from_node)]
            left[(row.participation_id, row.from_node)] = (row.port, since, row.at)
    return left


class _Changes:
    """What the events of a batch change, collected and then written as sets."""

    def __init__(self) -> None:
        self.hits: list[dict[str, Any]] = []
        self.sightings: list[dict[str, Any]] = []
        self.goal_at: dict[int, datetime] = {}
        self.seen: dict[int, Sighting] = {}
        self.touched: dict[int, Any] = {}

    def goal(self, row: Any, seen: Seen) -> None:
        """An event that counts towards the goal."""
        self.hits.append(
            {
                "participation_id": row.participation_id,
                "event_id": seen.event_id,
                "occurred_at": seen.at,
                "amount": seen.amount,
            }
        )
        known = self.goal_at.get(row.participation_id, row.goal_at)
        if known is None or seen.at < known:
            self.goal_at[row.participation_id] = seen.at
            self.touched[row.participation_id] = row

    def wait(self, row: Any, node_id: str, seen: Seen, left: Left) -> None:
        """An event that a wait of this participation looks for."""
        if row.node_id == node_id:
            self._here(row, seen)
            return
        gone = left.get((row.participation_id, node_id))
        # Too late: the wait ended by its timeout although the event lies within it.
        late = gone is not None and gone[0] == "timeout" and gone[1] <= seen.at <= gone[2]
        if gone is None or late:
            self.sightings.append(
                {
                    "participation_id": row.participation_id,
                    "node_id": node_id,
                    "event_id": seen.event_id,
                    "occurred_at": seen.at,
                    "late": late,
                }
            )

    def _here(self, row: Any, seen: Seen) -> None:
        if not row.arrived_at <= seen.at <= row.timer_at:
            return
        stored = (row.event_at, row.event_id) if row.event_at is not None else None
        known = self.seen.get(row.participation_id, stored)
        if known is None or (seen.at, seen.event_id) < known:
            self.seen[row.participation_id] = (seen.at, seen.event_id)
            self.touched[row.participation_id] = row

    def write(self, tx: sa.Connection, versions: Mapping[tuple[str, int], Version]) -> None:
        """Write everything: hits and sightings once per event, positions in one statement."""
        insert_ignore(tx, goal_hit, self.hits)
        insert_ignore(tx, sighting, self.sightings)
        if not self.touched:
            return
        values = []
        for number, row in self.touched.items():
            stored = (row.event_at, row.event_id) if row.event_at is not None else None
            seen, goal_at = self.seen.get(number, stored), self.goal_at.get(number, row.goal_at)
            wake_at = row.wake_at
            if row.state == "active":
                version = versions[(row.journey_id, row.version)]
                standing = standing_of(row, seen, goal_at)
                wake_at = min(row.wake_at, wake_time(standing, version.plan, version.settings))
            values.append((number, goal_at, seen[0] if seen else None, seen[1] if seen else None, wake_at))
        given = rows(
            tx,
            {
                "participation_id": sa.BigInteger,
                "goal_at": sa.BigInteger,
                "event_at": sa.BigInteger,
                "event_id": sa.Text,
                "wake_at": sa.BigInteger,
            },
            values,
        )
        instant = participation.c.goal_at.type
        tx.execute(
            sa.update(participation)
            .where(participation.c.participation_id == given.c.participation_id)
            .values(
                goal_at=sa.type_coerce(given.c.goal_at, instant),
                event_at=sa.type_coerce(given.c.event_at, instant),
                event_id=given.c.event_id,
                wake_at=sa.type_coerce(given.c.wake_at, instant),
            )
        )


def standing_of(row: Any, seen: Sighting | None, goal_at: datetime | None) -> Standing:
    """A stored participation as the rules see it."""
    return Standing(
        row.participation_id,
        row.person_id,
        row.anchor_id,
        row.node_id,
        row.visit,
        row.arrived_at,
        row.timer_at,
        seen,
        row.entered_at,
        goal_at,
        row.reply_token,
    )
