"""Routes of promotions: kinds of coupon, a person's coupons, redemption."""

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from quanyu.access.api import Guard
from quanyu.access.contracts import Caller
from quanyu.kernel.label import same
from quanyu.promotions.api import Promotions
from quanyu.promotions.contracts import Coupon, CouponDefinition
from quanyu.promotions.errors import idempotency_key_missing
from quanyu.promotions.redemption import Redemption


class CouponDefinitionOut(BaseModel):
    """A kind of coupon; amounts in minor units of `currency`, `issued` and `redeemed` among the people in scope."""

    coupon_id: str
    name: str
    kind: Literal["amount_off", "percent_off"]
    value: int
    threshold: int
    currency: str
    total: int | None
    issued: int
    redeemed: int
    per_person: int | None
    valid_days: int


class CouponDefinitionIn(BaseModel):
    """A new kind of coupon. `value`: minor units off, or per cent off (1 to 100)."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    kind: Literal["amount_off", "percent_off"]
    value: int = Field(ge=1, le=100_000_000_000)
    threshold: int = Field(default=0, ge=0, le=100_000_000_000)
    total: int | None = Field(default=None, ge=1, le=1_000_000_000)
    per_person: int | None = Field(default=1, ge=1, le=10_000)
    valid_days: int = Field(default=30, ge=1, le=3650)

    @model_validator(mode="after")
    def _percent(self) -> Self:
        if self.kind == "percent_off" and self.value > 100:
            raise ValueError("折扣不能超过 100% / a percentage is at most 100")
        return self


class CouponDefinitionPage(BaseModel):
    """Every kind of coupon of the brand."""

    items: list[CouponDefinitionOut]
    next_cursor: str | None = None
    total: int | None = None


class CouponOut(BaseModel):
    """One coupon of one person."""

    code: str
    coupon_id: str
    name: str
    kind: Literal["amount_off", "percent_off"]
    value: int
    threshold: int
    currency: str
    status: Literal["issued", "redeemed", "expired", "void"]
    issued_at: datetime
    expires_at: datetime
    redeemed_at: datetime | None
    order_id: str | None
    discount: int | None
    effect_id: str | None


class CouponPage(BaseModel):
    """A person's coupons, newest first."""

    items: list[CouponOut]
    next_cursor: str | None = None
    total: int | None = None


class RedemptionIn(BaseModel):
    """The order that a coupon is redeemed with; `amount` in minor units before the discount."""

    model_config = ConfigDict(extra="forbid")
    order_id: str = Field(min_length=1, max_length=200)
    amount: int = Field(ge=0, le=100_000_000_000)
    channel: str = Field(default="store", max_length=64)
    store_id: str | None = Field(default=None, max_length=200)


def router(promotions: Promotions, guard: Guard) -> APIRouter:
    """The routes of promotions."""
    routes = APIRouter(tags=["promotions"])

    @routes.get("/coupons/definitions", summary="List the kinds of coupon")
    def list_coupon_definitions(
        caller: Annotated[Caller, Depends(guard.permit("catalog.read"))],
    ) -> CouponDefinitionPage:
        found = promotions.definitions(caller.scope)
        return CouponDefinitionPage(items=[_definition_out(item, caller) for item in found], total=len(found))

    @routes.post("/coupons/definitions", summary="Create a kind of coupon", status_code=201)
    def create_coupon_definition(
        body: CouponDefinitionIn, caller: Annotated[Caller, Depends(guard.permit("journeys.write"))]
    ) -> CouponDefinitionOut:
        made = promotions.define(
            caller,
            name=same(body.name),
            kind=body.kind,
            value=body.value,
            threshold=body.threshold,
            total=body.total,
            per_person=body.per_person,
            valid_days=body.valid_days,
        )
        return _definition_out(made, caller)

    @routes.get("/coupons", summary="List the coupons of the person who holds an identifier")
    def list_coupons(
        namespace: Annotated[str, Query(max_length=64)],
        value: Annotated[str, Query(max_length=500)],
        caller: Annotated[Caller, Depends(guard.permit("coupons.redeem"))],
        send: Annotated[str | None, Query(max_length=200, description="Send token of a card's page")] = None,
    ) -> CouponPage:
        found = promotions.coupons_of(caller, namespace, value, send=send)
        return CouponPage(items=[_coupon_out(item, caller) for item in found], total=len(found))

    @routes.post("/coupons/{code}/redeem", summary="Redeem a coupon with an order")
    def redeem_coupon(
        code: str,
        body: RedemptionIn,
        caller: Annotated[Caller, Depends(guard.permit("coupons.redeem"))],
        idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    ) -> CouponOut:
        if not idempotency_key:
            raise idempotency_key_missing()
        given = Redemption(code.strip().lower(), body.order_id, body.amount, body.channel, body.store_id)
        return _coupon_out(promotions.redeem(caller, given, idempotency_key), caller)

    return routes


def _definition_out(item: CouponDefinition, caller: Caller) -> CouponDefinitionOut:
    return CouponDefinitionOut(
        coupon_id=item.coupon_id,
        name=item.name.text(caller.language),
        kind=item.kind,
        value=item.value,
        threshold=item.threshold,
        currency=item.currency,
        total=item.total,
        issued=item.issued,
        redeemed=item.redeemed,
        per_person=item.per_person,
        valid_days=item.valid_days,
    )


def _coupon_out(item: Coupon, caller: Caller) -> CouponOut:
    kind = item.definition
    return CouponOut(
        code=item.code,
        coupon_id=kind.coupon_id,
        name=kind.name.text(caller.language),
        kind=kind.kind,
        value=kind.value,
        threshold=kind.threshold,
        currency=kind.currency,
        status=item.status,
        issued_at=item.issued_at,
        expires_at=item.expires_at,
        redeemed_at=item.redeemed_at,
        order_id=item.order_id,
        discount=item.discount,
        effect_id=item.effect_id,
    )
