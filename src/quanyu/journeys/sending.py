"""What a send node does: a coupon if it gives one, and an intent, in the transaction that moves the person.

A message that promises a coupon and the coupon stand or fall together: who gets no coupon gets no message, and the
effect says why. The holdout walks the same path with ghosts: the same checks at the claim, nothing sent, no coupon.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa

from quanyu.journeys.entry import arms_of
from quanyu.journeys.matching import REPLY_WITHIN
from quanyu.journeys.movement import Standing
from quanyu.journeys.nodes import Send
from quanyu.journeys.running import Version
from quanyu.kernel.ids import stable_id
from quanyu.messaging.contracts import Intent
from quanyu.promotions.contracts import Grant, Issued

VALID_FOR = timedelta(days=1)  # how long after its step a message is still worth sending


@dataclass(frozen=True, slots=True)
class Sending:
    """One person at one send node."""

    brand_id: int
    version: Version
    standing: Standing
    config: Send


class Intends(Protocol):
    """What sending asks of messaging."""

    def intend(self, tx: sa.Connection, brand_id: int, intents: Sequence[Intent]) -> int:
        """Wish messages inside the caller's transaction."""
        ...


class Gives(Protocol):
    """What sending asks of promotions."""

    def issue(self, tx: sa.Connection, brand_id: int, coupon_id: str, grants: Sequence[Grant]) -> Issued:
        """Give one coupon per grant inside the caller's transaction."""
        ...


def effect_id_of(participation_id: int, visit: int, node_id: str, connection: str) -> str:
    """The id that this send always has."""
    return stable_id(participation_id, visit, node_id, connection, prefix="ef")


@dataclass(frozen=True, slots=True)
class Sender:
    """Writes coupons and intents for people at send nodes."""

    messaging: Intends
    promotions: Gives

    def send(self, tx: sa.Connection, sendings: Sequence[Sending], now: datetime) -> None:
        """Give and intend for everybody, in order of journey time."""
        ordered = sorted(sendings, key=lambda each: (each.standing.arrived_at, each.standing.participation_id))
        by_brand: dict[int, list[Sending]] = defaultdict(list)
        for sending in ordered:
            by_brand[sending.brand_id].append(sending)
        for brand_id, group in by_brand.items():
            held = self._arms(tx, group)
            given = self._give(tx, brand_id, group, held)
            intents = [_intent(each, held[_key(each)], given, now) for each in group]
            self.messaging.intend(tx, brand_id, intents)

    def _arms(self, tx: sa.Connection, group: Sequence[Sending]) -> dict[tuple[str, int], bool]:
        by_journey: dict[str, set[int]] = defaultdict(set)
        for sending in group:
            by_journey[sending.version.journey_id].add(sending.standing.person_id)
        return {
            (journey_id, person): arm
            for journey_id, people in by_journey.items()
            for person, arm in arms_of(tx, journey_id, people).items()
        }

    def _give(
        self, tx: sa.Connection, brand_id: int, group: Sequence[Sending], held: dict[tuple[str, int], bool]
    ) -> Issued:
        grants: dict[str, list[Grant]] = defaultdict(list)
        for sending in group:
            if sending.config.coupon_id and not held[_key(sending)]:
                grants[sending.config.coupon_id].append(Grant(sending.standing.anchor_id, _effect_id(sending)))
        given = Issued()
        for coupon_id in sorted(grants):
            issued = self.promotions.issue(tx, brand_id, coupon_id, grants[coupon_id])
            given.codes.update(issued.codes)
            given.refused.update(issued.refused)
        return given


def _key(sending: Sending) -> tuple[str, int]:
    return sending.version.journey_id, sending.standing.person_id


def _effect_id(sending: Sending) -> str:
    standing = sending.standing
    return effect_id_of(standing.participation_id, standing.visit, standing.node_id, sending.config.connection)


def _intent(sending: Sending, held_out: bool, given: Issued, now: datetime) -> Intent:
    settings, standing, config = sending.version.settings, sending.standing, sending.config
    effect_id = _effect_id(sending)
    quiet = settings.quiet_hours
    reply_until = standing.entered_at + REPLY_WITHIN
    replies = standing.reply_token is not None and reply_until > now
    return Intent(
        effect_id=effect_id,
        anchor_id=standing.anchor_id,
        connection=config.connection,
        template_id=config.template_id,
        category=settings.category,
        purpose=settings.purpose,
        expires_at=standing.arrived_at + VALID_FOR,
        priority=settings.priority,
        daily_cap=settings.daily_cap,
        quiet=(quiet.start, quiet.end) if quiet else None,
        held_out=held_out,
        coupon_id=config.coupon_id or None,
        coupon_code=given.codes.get(effect_id),
        journey_id=sending.version.journey_id,
        version=sending.version.version,
        node_id=standing.node_id,
        participation_id=standing.participation_id,
        reply_token=standing.reply_token if replies else None,
        reply_until=reply_until if replies else None,
        suppressed=given.refused.get(effect_id),
    )
