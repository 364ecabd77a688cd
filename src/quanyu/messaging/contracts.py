"""The frozen values that cross the door of messaging, and what it asks of others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.events.contracts import NativeEvent, NativeIdentifier
from quanyu.kernel.label import Label

Status = Literal[
    "intended", "claimed", "submitted", "accepted", "rejected", "unknown", "suppressed", "deferred", "held_out"
]
Category = Literal["marketing", "service"]
Resolution = Literal["accepted", "rejected", "resend"]

STATUS_LABELS: Mapping[str, Label] = {
    "intended": Label("待发送", "Intended"),
    "claimed": Label("已领取", "Claimed"),
    "submitted": Label("已提交", "Submitted"),
    "accepted": Label("已受理", "Accepted"),
    "rejected": Label("被拒绝", "Rejected"),
    "unknown": Label("结果未知", "Unknown"),
    "suppressed": Label("已拦截", "Suppressed"),
    "deferred": Label("已推迟", "Deferred"),
    "held_out": Label("对照组", "Held out"),
}


@dataclass(frozen=True, slots=True)
class Intent:
    """A wish to send one message: everything that the claim needs to decide.

    `effect_id` is stable, so wishing twice is one wish. `quiet` is a pair of brand-local wall-clock times. With
    `suppressed` the effect is written down as suppressed for that reason and never claimed.
    """

    effect_id: str
    anchor_id: int
    connection: str
    template_id: str
    category: Category
    purpose: str
    expires_at: datetime
    priority: int = 50
    daily_cap: int | None = None
    quiet: tuple[str, str] | None = None
    held_out: bool = False
    coupon_id: str | None = None
    coupon_code: str | None = None
    journey_id: str | None = None
    version: int | None = None
    node_id: str | None = None
    participation_id: int | None = None
    reply_token: str | None = field(default=None, repr=False)
    reply_until: datetime | None = None
    suppressed: str | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """An effect at its last look: whose it is, and where it came from."""

    effect_id: str
    anchor_id: int
    journey_id: str | None
    participation_id: int | None


@dataclass(frozen=True, slots=True)
class Stop:
    """Why an effect must not go now: for good, or (`until`) for the time being."""

    reason: str
    until: datetime | None = None


LastLook = Callable[[sa.Connection, Sequence[Claimed]], Mapping[str, Stop]]
"""Asked of whoever wished an effect, in the transaction that claims it: is it still wanted?"""


@dataclass(frozen=True, slots=True)
class PersonCard:
    """What a message or a list may say of a person."""

    public_id: str
    name: str | None = None
    store: str | None = None
    staff_id: str | None = None


class People(Protocol):
    """What messaging asks of identity."""

    def holders(self) -> sa.Subquery:
        """Every identifier and the person who holds it today: columns `identifier_id`, `person_id`."""
        ...

    def visible_people(self, scope: Scope) -> sa.Select[Any]:
        """The `person_id` of everybody whom the scope may see."""
        ...

    def person_of(self, public_id: str, scope: Scope, tx: sa.Connection | None = None) -> Any:
        """The person (with `person_id`) whom a public id names. Raises NotFound outside the scope."""
        ...

    def addresses(
        self, tx: sa.Connection, brand_id: int, person_ids: Iterable[int], namespace: str
    ) -> dict[int, list[str]]:
        """The clear values of a namespace that each person holds, oldest first."""
        ...

    def clear_identifiers(self, tx: sa.Connection, identifier_ids: list[int]) -> dict[int, NativeIdentifier]:
        """Identifiers in clear, for events that go into the (encrypted) log."""
        ...

    def enter_gate(self, tx: sa.Connection, brand_id: int) -> None:
        """Keep every change that could take a permission away from committing until `tx` ends (see `gate`)."""
        ...


class Consents(Protocol):
    """What messaging asks of consent."""

    def allowed(self, tx: sa.Connection, person_ids: Iterable[int], purpose: str, channel: str) -> set[int]:
        """Who of these may be contacted now: granted, and denied by nothing."""
        ...


class Cards(Protocol):
    """What messaging asks of profiles."""

    def cards(self, tx: sa.Connection, person_ids: Iterable[int]) -> dict[int, PersonCard]:
        """What a message or a list may say of people."""
        ...


class Coupons(Protocol):
    """What messaging asks of promotions."""

    def void_effects(self, tx: sa.Connection, effect_ids: Iterable[str]) -> int:
        """Take back the coupons of effects that never reached anybody."""
        ...

    def names(self, tx: sa.Connection, coupon_ids: Iterable[str]) -> dict[str, Label]:
        """The names of kinds of coupon."""
        ...

    def statuses(self, tx: sa.Connection, codes: Iterable[str]) -> Mapping[str, str]:
        """Where coupons stand, by code: issued, redeemed, expired or void."""
        ...


RecordEvents = Callable[[int, list[NativeEvent]], None]
"""Puts the product's own events of a brand on the road of all events; durable when it returns."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The durations of messaging, in one place so that tests can shorten them."""

    lease: timedelta = timedelta(minutes=2)
    first_ask: timedelta = timedelta(seconds=30)
    longest_ask: timedelta = timedelta(hours=6)
    asks: int = 12
    first_poll: timedelta = timedelta(seconds=5)
    longest_poll: timedelta = timedelta(hours=1)
    poll_days: int = 7
    first_retry: timedelta = timedelta(seconds=5)
    longest_retry: timedelta = timedelta(minutes=15)
    break_after: int = 3
