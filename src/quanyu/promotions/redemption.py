"""Redeeming a coupon (核销): exactly once, and the same answer to the same key however often it is asked.

The ledger row is written first, so the database settles who holds the key; then one conditional statement
moves the coupon, and only from `issued`, only before it expires by the server's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from quanyu.access.contracts import Caller
from quanyu.promotions.contracts import CouponDefinition
from quanyu.promotions.errors import (
    below_threshold,
    coupon_already_redeemed,
    coupon_expired,
    coupon_not_found,
    coupon_void,
    idempotency_key_reused,
)
from quanyu.promotions.tables import coupon, coupon_definition, coupon_ledger
from quanyu.storage.bulk import insert_ignore


@dataclass(frozen=True, slots=True)
class Redemption:
    """What is redeemed: the order it belongs to, its amount in minor units, and where."""

    code: str
    order_id: str
    amount: int
    channel: str
    store_id: str | None = None


def discount_of(definition: CouponDefinition, amount: int) -> int:
    """What the coupon takes off an order of `amount` minor units: never more than the order, rounded down."""
    off = definition.value if definition.kind == "amount_off" else amount * definition.value // 100
    return min(off, amount)


def redeem(
    tx: sa.Connection,
    caller: Caller,
    definition_of: CouponDefinition,
    given: Redemption,
    key: str,
    at: datetime,
) -> bool:
    """Redeem `given` under the idempotency `key`, or do nothing if exactly this was done before: whether it was new.

    Raises NotFound, Conflict (redeemed, expired, void, key reused) or Invalid (below the threshold).
    """
    brand_id = caller.scope.brand_id
    discount = discount_of(definition_of, given.amount)
    entry = {
        "brand_id": brand_id,
        "kind": "redeem",
        "cause": key,
        "coupon_id": definition_of.coupon_id,
        "code": given.code,
        "at": at,
        "order_id": given.order_id,
        "amount": given.amount,
        "discount": discount,
        "store_id": given.store_id,
        "channel": given.channel,
        "actor": caller.id,
    }
    if not insert_ignore(tx, coupon_ledger, [entry]):
        before = tx.execute(
            sa.select(coupon_ledger.c.code, coupon_ledger.c.order_id).where(
                coupon_ledger.c.brand_id == brand_id,
                coupon_ledger.c.kind == "redeem",
                coupon_ledger.c.cause == key,
            )
        ).one()
        if (before.code, before.order_id) != (given.code, given.order_id):
            raise idempotency_key_reused()
        return False
    moved = tx.execute(
        sa.update(coupon)
        .where(coupon.c.code == given.code, coupon.c.status == "issued", coupon.c.expires_at > at)
        .values(status="redeemed", redeemed_at=at, order_id=given.order_id, discount=discount)
    ).rowcount
    if not moved:
        _explain(tx, given.code, at)
    if given.amount < definition_of.threshold:
        raise below_threshold(definition_of.threshold, given.amount)
    tx.execute(
        sa.update(coupon_definition)
        .where(coupon_definition.c.coupon_id == definition_of.coupon_id)
        .values(redeemed=coupon_definition.c.redeemed + 1)
    )
    return True


def _explain(tx: sa.Connection, code: str, at: datetime) -> None:
    row = tx.execute(sa.select(coupon).where(coupon.c.code == code)).one_or_none()
    if row is None:
        raise coupon_not_found()
    if row.status == "redeemed":
        raise coupon_already_redeemed(row.redeemed_at)
    if row.status == "void":
        raise coupon_void()
    assert row.expires_at <= at
    raise coupon_expired(row.expires_at)
