"""Where people stand: from statements per identifier to one answer per person, purpose and channel.

Default deny. Of what one identifier's owner said about one channel the newest counts (at equal times the denial).
Over the identifiers of a person the most restrictive wins: any denial in force denies. A denial for *any channel*
covers every channel. A denial is lifted only by the person themselves, later, for that channel (or for all
channels, if the denial was for all): through the same identifier, or through another one that was theirs when they
said so. A merge lifts nothing.

The same rule twice: as SQL over sets, and as a plain function that shows one person and checks the SQL.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from quanyu.consent.contracts import ANY, Standing
from quanyu.consent.tables import consent_lift, consent_state


@dataclass(frozen=True, slots=True)
class Stated:
    """The newest statement for an identifier, purpose and channel; `at` in microseconds."""

    identifier_id: int
    purpose: str
    channel: str
    status: str
    at: int
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Lift:
    """A denial taken back through an identifier; `at` in microseconds."""

    identifier_id: int
    purpose: str
    channel: str
    by_identifier_id: int
    by_channel: str
    at: int


def stands(
    states: Iterable[Stated], lifts: Iterable[Lift], held: Iterable[int], purpose: str, channel: str
) -> tuple[Standing, Stated | None]:
    """Where the person who holds the identifiers `held` stands, and the statement that decides it."""
    own = set(held)
    about = [
        one for one in states if one.identifier_id in own and one.purpose == purpose and one.channel in (channel, ANY)
    ]
    given = [one for one in lifts if one.by_identifier_id in own and one.by_channel in (channel, ANY)]

    def in_force(denial: Stated) -> bool:
        return not any(
            (lift.identifier_id, lift.purpose, lift.channel) == (denial.identifier_id, purpose, denial.channel)
            and lift.at > denial.at
            for lift in given
        )

    denials = [one for one in about if one.status == "denied" and in_force(one)]
    if denials:
        return "denied", max(denials, key=lambda one: (one.at, one.seq))
    grants = [one for one in about if one.status == "granted"]
    if grants:
        return "granted", max(grants, key=lambda one: (one.at, one.seq))
    return "unknown", None


def granted(holders: sa.Subquery, brand_id: int, purpose: str, channel: str) -> sa.Select[Any]:
    """`person_id` of people of a brand who may be reached: a grant, and no denial in force."""
    state = consent_state
    return (
        sa.select(holders.c.person_id)
        .distinct()
        .join_from(state, holders, holders.c.identifier_id == state.c.identifier_id)
        .where(
            state.c.brand_id == brand_id,
            state.c.purpose == purpose,
            state.c.channel.in_(_covering(channel)),
            state.c.status == "granted",
            holders.c.person_id > 0,
            ~_denied(holders, holders.c.person_id, purpose, channel),
        )
    )


def denied(holders: sa.Subquery, brand_id: int, purpose: str, channel: str) -> sa.Select[Any]:
    """`person_id` of people of a brand with a denial in force."""
    state = consent_state
    return (
        sa.select(holders.c.person_id)
        .distinct()
        .join_from(state, holders, holders.c.identifier_id == state.c.identifier_id)
        .where(
            state.c.brand_id == brand_id,
            state.c.purpose == purpose,
            state.c.channel.in_(_covering(channel)),
            state.c.status == "denied",
            holders.c.person_id > 0,
            ~_lifted(holders, state, holders.c.person_id, channel),
        )
    )


def allowed(holders: sa.Subquery, person_id: Any, purpose: str, channel: str) -> sa.ColumnElement[bool]:
    """Whether the person of column `person_id` may be reached: a condition for the statement that holds it."""
    own, state = holders.alias(), consent_state.alias()
    grant = (
        sa.select(sa.literal(1))
        .join_from(own, state, state.c.identifier_id == own.c.identifier_id)
        .where(
            own.c.person_id == person_id,
            state.c.purpose == purpose,
            state.c.channel.in_(_covering(channel)),
            state.c.status == "granted",
        )
        .exists()
    )
    return sa.and_(grant, ~_denied(holders, person_id, purpose, channel))


def _covering(channel: str) -> list[str]:
    return sorted({channel, ANY})


def _denied(holders: sa.Subquery, person_id: Any, purpose: str, channel: str) -> sa.ColumnElement[bool]:
    own, state = holders.alias(), consent_state.alias()
    return (
        sa.select(sa.literal(1))
        .join_from(own, state, state.c.identifier_id == own.c.identifier_id)
        .where(
            own.c.person_id == person_id,
            state.c.purpose == purpose,
            state.c.channel.in_(_covering(channel)),
            state.c.status == "denied",
            ~_lifted(holders, state, own.c.person_id, channel),
        )
        .exists()
    )


def _lifted(holders: sa.Subquery, state: Any, person_id: Any, channel: str) -> sa.ColumnElement[bool]:
    """Whether the denial in the row of `state` was taken back by the same person, for this channel."""
    lift, by = consent_lift.alias(), holders.alias()
    return (
        sa.select(sa.literal(1))
        .join_from(lift, by, by.c.identifier_id == lift.c.by_identifier_id)
        .where(
            lift.c.identifier_id == state.c.identifier_id,
            lift.c.purpose == state.c.purpose,
            lift.c.channel == state.c.channel,
            lift.c.by_channel.in_(_covering(channel)),
            lift.c.at > state.c.at,
            by.c.person_id == person_id,
        )
        .exists()
    )
