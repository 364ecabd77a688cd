"""What can go wrong with coupons, said so that a cashier knows what to do."""

from __future__ import annotations

from datetime import datetime

from quanyu.kernel.errors import Conflict, FieldError, Invalid, NotFound
from quanyu.kernel.label import Label


def coupon_definition_not_found(coupon_id: str) -> NotFound:
    """There is no such kind of coupon in the caller's brand."""
    return NotFound(
        "coupon_definition_not_found",
        Label("没有这种优惠券", "No such coupon"),
        detail=Label(f"编号 {coupon_id}", f"Id {coupon_id}"),
    )


def coupon_not_found() -> NotFound:
    """No coupon with this code within the caller's scope."""
    return NotFound(
        "coupon_not_found",
        Label("没有这张优惠券", "No such coupon"),
        detail=Label("请核对券码", "Check the code"),
    )


def coupon_already_redeemed(at: datetime | None) -> Conflict:
    """The coupon was redeemed before, with another key."""
    when = at.isoformat(timespec="minutes") if at else "?"
    return Conflict(
        "coupon_already_redeemed",
        Label("这张券已经核销过", "This coupon has been redeemed already"),
        detail=Label(f"核销时间 {when}", f"Redeemed at {when}"),
    )


def coupon_expired(at: datetime) -> Conflict:
    """The coupon's time is over, by the server's clock."""
    when = at.isoformat(timespec="minutes")
    return Conflict(
        "coupon_expired",
        Label("这张券已过期", "This coupon has expired"),
        detail=Label(f"有效期到 {when}", f"It was valid until {when}"),
    )


def coupon_void() -> Conflict:
    """The coupon was withdrawn."""
    return Conflict("coupon_void", Label("这张券已作废", "This coupon was withdrawn"))


def below_threshold(threshold: int, amount: int) -> Invalid:
    """The order is smaller than the coupon asks for; both in minor units."""
    text = Label(
        f"订单金额未达到使用门槛（需 {threshold}，实际 {amount}，单位为分）",
        f"The order is below the coupon's threshold (needs {threshold}, is {amount}, in minor units)",
    )
    return Invalid(
        "coupon_below_threshold",
        Label("未达到使用门槛", "Below the threshold"),
        detail=text,
        fields=(FieldError("amount", text),),
    )


def idempotency_key_reused() -> Conflict:
    """The key was used for another coupon or order."""
    return Conflict(
        "idempotency_key_reused",
        Label("这个幂等键已用于另一次核销", "This idempotency key was used for another redemption"),
        detail=Label("请为每次核销使用新的 Idempotency-Key", "Use a fresh Idempotency-Key for each redemption"),
    )


def idempotency_key_missing() -> Invalid:
    """A redemption needs an Idempotency-Key header."""
    text = Label("请在请求头中提供 Idempotency-Key", "Send an Idempotency-Key header")
    return Invalid(
        "idempotency_key_missing",
        Label("缺少幂等键", "The idempotency key is missing"),
        detail=text,
        fields=(FieldError("Idempotency-Key", text),),
    )
