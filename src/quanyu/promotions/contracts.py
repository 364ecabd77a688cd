"""The frozen values that cross the door of promotions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.events.contracts import NativeEvent, NativeIdentifier
from quanyu.kernel.label import Label

CouponKind = Literal["amount_off", "percent_off"]
CouponStatus = Literal["issued", "redeemed", "expired", "void"]


@dataclass(frozen=True, slots=True)
class CouponDefinition:
    """A kind of coupon. `value` is minor units (`amount_off`) or per cent (`percent_off`); `threshold` is the
    smallest order, in minor units; `total` and `per_person` limit how many are given (None: no limit).
    """

    coupon_id: str
    name: Label
    kind: CouponKind
    value: int
    threshold: int
    currency: str
    total: int | None
    per_person: int | None
    valid_days: int
    issued: int = 0
    redeemed: int = 0
    active: bool = True


@dataclass(frozen=True, slots=True)
class Coupon:
    """One coupon of one person."""

    code: str
    definition: CouponDefinition
    status: CouponStatus
    issued_at: datetime
    expires_at: datetime
    effect_id: str | None
    redeemed_at: datetime | None = None
    order_id: str | None = None
    discount: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """A wish to give one coupon: to the holder of an identifier, because of one effect."""

    anchor_id: int
    effect_id: str


Refusal = Literal["coupon_sold_out", "coupon_limit_reached", "coupon_inactive"]

REFUSAL_LABELS: Mapping[str, Label] = {
    "coupon_sold_out": Label("优惠券已发完", "The coupons have run out"),
    "coupon_limit_reached": Label("该客户已领满此券", "The person already has as many of this coupon as allowed"),
    "coupon_inactive": Label("优惠券已停用", "The coupon is switched off"),
}


@dataclass(frozen=True, slots=True)
class Issued:
    """What came of grants: codes by effect, and why the others got none."""

    codes: dict[str, str] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)


class People(Protocol):
    """What promotions asks of identity."""

    def holders(self) -> sa.Subquery:
        """Every identifier and the person who holds it today: columns `identifier_id`, `person_id`."""
        ...

    def visible_people(self, scope: Scope) -> sa.Select[Any]:
        """The `person_id` of everybody whom the scope may see."""
        ...

    def person_with(self, tx: sa.Connection, brand_id: int, namespace: str, value: str) -> int | None:
        """The person who holds an identifier given in clear."""
        ...

    def clear_identifiers(self, tx: sa.Connection, identifier_ids: list[int]) -> dict[int, NativeIdentifier]:
        """Identifiers in clear, for events that go into the (encrypted) log."""
        ...


RecordEvents = Callable[[int, list[NativeEvent]], None]
"""Puts the product's own events of a brand on the road of all events; durable when it returns."""

SendEffects = Callable[[sa.Connection, int, str], sa.Select[Any]]
"""The `effect_id`s of the batch that a send token (in a card's page) names."""
