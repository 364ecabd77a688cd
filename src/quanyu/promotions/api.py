"""The door of promotions: coupon kinds, giving, redeeming, and telling the history about both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.access.api import Audit
from quanyu.access.contracts import Caller, Scope
from quanyu.events.contracts import NativeEvent
from quanyu.kernel.clock import Clock
from quanyu.kernel.ids import Ids, stable_id
from quanyu.kernel.label import Label
from quanyu.promotions import issuing, redemption
from quanyu.promotions.contracts import (
    Coupon,
    CouponDefinition,
    CouponKind,
    CouponStatus,
    Grant,
    Issued,
    People,
    RecordEvents,
    SendEffects,
)
from quanyu.promotions.errors import coupon_definition_not_found, coupon_not_found
from quanyu.promotions.redemption import Redemption
from quanyu.promotions.tables import coupon, coupon_definition, coupon_ledger
from quanyu.storage.bulk import rows
from quanyu.storage.state import State

# What `coupon` does not have itself, so that a joined row names every column once.
_DEFINITION = [column for column in coupon_definition.c if column.name not in coupon.c]


class Promotions:
    """Coupons of every brand of this installation."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        ids: Ids,
        people: People,
        record_events: RecordEvents,
        audit: Audit | None = None,
    ) -> None:
        self._state = state
        self._clock = clock
        self._ids = ids
        self._people = people
        self._record_events = record_events
        self._send_effects: SendEffects | None = None
        self._audit = audit

    def use_sends(self, send_effects: SendEffects) -> None:
        """Learn from messaging (which lies above) which effects a send token names."""
        self._send_effects = send_effects

    def define(
        self,
        caller: Caller,
        *,
        name: Label,
        kind: CouponKind,
        value: int,
        threshold: int = 0,
        total: int | None = None,
        per_person: int | None = 1,
        valid_days: int = 30,
        coupon_id: str | None = None,
    ) -> CouponDefinition:
        """Make a kind of coupon in the caller's brand and currency. A given `coupon_id` that exists is returned."""
        made = coupon_id or self._ids.new("cpn")
        with self._state.write() as tx:
            exists = tx.execute(
                sa.select(coupon_definition.c.coupon_id).where(coupon_definition.c.coupon_id == made)
            ).first()
            if exists is None:
                tx.execute(
                    sa.insert(coupon_definition).values(
                        coupon_id=made,
                        brand_id=caller.scope.brand_id,
                        name_zh=name.zh,
                        name_en=name.en,
                        kind=kind,
                        value=value,
                        threshold=threshold,
                        currency=caller.scope.currency,
                        total=total,
                        per_person=per_person,
                        valid_days=valid_days,
                        made_at=self._clock.now(),
                    )
                )
                if self._audit is not None:
                    self._audit.record(caller, "coupon_defined", made, {"kind": kind, "value": value}, tx=tx)
        return self.definition(caller.scope, made)

    def definitions(self, scope: Scope) -> list[CouponDefinition]:
        """The brand's kinds of coupon, newest first; issued and redeemed are counted among the people in scope."""
        with self._state.read() as tx:
            found = tx.execute(
                sa.select(coupon_definition)
                .where(coupon_definition.c.brand_id == scope.brand_id)
                .order_by(coupon_definition.c.made_at.desc(), coupon_definition.c.coupon_id)
            )
            kinds = [_definition(row) for row in found]
            if scope.whole_brand:
                return kinds
            counts = self._counts(tx, scope)
            return [
                replace(kind, issued=issued, redeemed=redeemed)
                for kind in kinds
                for issued, redeemed in [counts.get(kind.coupon_id, (0, 0))]
            ]

    def _counts(self, tx: sa.Connection, scope: Scope) -> dict[str, tuple[int, int]]:
        """(issued, redeemed) of each kind of coupon, among the people whom the scope sees."""
        holders = self._people.holders()
        redeemed = sa.func.sum(sa.case((coupon.c.status == "redeemed", 1), else_=0))
        found = tx.execute(
            sa.select(coupon.c.coupon_id, sa.func.count(), redeemed)
            .join(holders, holders.c.identifier_id == coupon.c.anchor_id)
            .where(
                coupon.c.brand_id == scope.brand_id,
                coupon.c.status != "void",
                holders.c.person_id.in_(self._people.visible_people(scope)),
            )
            .group_by(coupon.c.coupon_id)
        )
        return {row[0]: (int(row[1]), int(row[2])) for row in found}

    def definition(self, scope: Scope, coupon_id: str) -> CouponDefinition:
        """One kind of coupon. Raises NotFound."""
        with self._state.read() as tx:
            return self._definition(tx, scope, coupon_id)

    def names(self, tx: sa.Connection, coupon_ids: Iterable[str]) -> dict[str, Label]:
        """The names of kinds of coupon, by id."""
        given = rows(tx, {"coupon_id": sa.Text}, [(coupon_id,) for coupon_id in set(coupon_ids)])
        found = tx.execute(
            sa.select(coupon_definition.c.coupon_id, coupon_definition.c.name_zh, coupon_definition.c.name_en).where(
                coupon_definition.c.coupon_id.in_(sa.select(given.c.coupon_id))
            )
        )
        return {row.coupon_id: Label(row.name_zh, row.name_en) for row in found}

    def statuses(self, tx: sa.Connection, codes: Iterable[str]) -> dict[str, CouponStatus]:
        """Where coupons stand, by code."""
        given = rows(tx, {"code": sa.Text}, [(code,) for code in set(codes)])
        found = tx.execute(
            sa.select(coupon.c.code, coupon.c.status, coupon.c.expires_at).join_from(
                given, coupon, coupon.c.code == given.c.code
            )
        )
        now = self._clock.now()
        return {row.code: _status(row, now) for row in found}

    def issue(self, tx: sa.Connection, brand_id: int, coupon_id: str, grants: Sequence[Grant]) -> Issued:
        """Give one coupon per grant inside the caller's transaction, as many as the limits allow, in order."""
        return issuing.issue(tx, self._people, self._ids, brand_id, coupon_id, grants, self._clock.now())

    def void_effects(self, tx: sa.Connection, effect_ids: Iterable[str]) -> int:
        """Take back unredeemed coupons of effects that never reached anybody; how many were taken back."""
        return issuing.void_effects(tx, effect_ids, self._clock.now())

    def coupons_of(
        self, caller: Caller, namespace: str, value: str, *, send: str | None = None, limit: int = 100
    ) -> list[Coupon]:
        """The coupons of the person who holds an identifier, newest first; nothing for somebody out of scope."""
        brand_id = caller.scope.brand_id
        with self._state.read() as tx:
            person = self._people.person_with(tx, brand_id, namespace, value)
            if person is None:
                return []
            holders = self._people.holders()
            statement = (
                sa.select(coupon, *_DEFINITION)
                .join(coupon_definition, coupon_definition.c.coupon_id == coupon.c.coupon_id)
                .join(holders, holders.c.identifier_id == coupon.c.anchor_id)
                .where(
                    holders.c.person_id == person,
                    coupon.c.brand_id == brand_id,
                    holders.c.person_id.in_(self._people.visible_people(caller.scope)),
                )
                .order_by(coupon.c.issued_at.desc(), coupon.c.code)
                .limit(limit)
            )
            if send is not None:
                if self._send_effects is None:
                    return []
                statement = statement.where(coupon.c.effect_id.in_(self._send_effects(tx, brand_id, send)))
            return [self._coupon(row) for row in tx.execute(statement)]

    def redeem(self, caller: Caller, given: Redemption, key: str) -> Coupon:
        """Redeem a coupon under an idempotency key; the same call again gives the same answer.

        Raises NotFound (also out of scope), Conflict (redeemed, expired, void, key reused) or Invalid (threshold).
        """
        with self._state.write() as tx:
            found = self._by_code(tx, caller.scope, given.code)
            fresh = redemption.redeem(tx, caller, found.definition, given, key, self._clock.now())
            if fresh and self._audit is not None:
                # Not the code: until it is redeemed it is worth money, and the ledger of coupons has it.
                detail = {"coupon_id": found.definition.coupon_id, "order_id": given.order_id}
                self._audit.record(caller, "coupon_redeemed", found.definition.coupon_id, detail, tx=tx)
            return self._by_code(tx, caller.scope, given.code)

    def publish_events(self, limit: int = 5000) -> int:
        """Tell the history what the ledger has and it does not know yet; how many entries were told.

        The events' ids come from the entries, so telling twice (after a crash in between) is stored once.
        """
        with self._state.read() as tx:
            entries = tx.execute(
                sa.select(coupon_ledger, coupon.c.anchor_id, coupon.c.effect_id, coupon_definition.c.currency)
                .join(coupon, coupon.c.code == coupon_ledger.c.code)
                .join(coupon_definition, coupon_definition.c.coupon_id == coupon_ledger.c.coupon_id)
                .where(coupon_ledger.c.told.is_(False))
                .order_by(coupon_ledger.c.entry_id)
                .limit(limit)
            ).all()
            if not entries:
                return 0
            clear = self._people.clear_identifiers(tx, sorted({row.anchor_id for row in entries}))
        by_brand: dict[int, list[NativeEvent]] = {}
        for row in entries:
            known = clear.get(row.anchor_id)
            issued = row.kind == "issue"
            by_brand.setdefault(row.brand_id, []).append(
                NativeEvent(
                    event_id=stable_id("coupon", row.kind, row.cause, prefix="ev"),
                    name="coupon_issued" if issued else "coupon_redeemed",
                    occurred_at=row.at,
                    identifiers=(known,) if known else (),
                    channel=row.channel,
                    store_id=row.store_id,
                    effect_id=row.effect_id,
                    order_id=row.order_id,
                    amount=None if issued else row.discount,
                    currency=row.currency,
                    properties={"coupon_id": row.coupon_id, **({} if issued else {"order_amount": row.amount})},
                )
            )
        for brand_id, events in by_brand.items():
            self._record_events(brand_id, events)
        with self._state.write() as tx:
            told = rows(tx, {"entry_id": sa.BigInteger}, [(row.entry_id,) for row in entries])
            tx.execute(
                sa.update(coupon_ledger)
                .where(coupon_ledger.c.entry_id.in_(sa.select(told.c.entry_id)))
                .values(told=True)
            )
        return len(entries)

    def _definition(self, tx: sa.Connection, scope: Scope, coupon_id: str) -> CouponDefinition:
        row = tx.execute(
            sa.select(coupon_definition).where(
                coupon_definition.c.coupon_id == coupon_id, coupon_definition.c.brand_id == scope.brand_id
            )
        ).one_or_none()
        if row is None:
            raise coupon_definition_not_found(coupon_id)
        return _definition(row)

    def _by_code(self, tx: sa.Connection, scope: Scope, code: str) -> Coupon:
        holders = self._people.holders()
        row = tx.execute(
            sa.select(coupon, *_DEFINITION)
            .join(coupon_definition, coupon_definition.c.coupon_id == coupon.c.coupon_id)
            .join(holders, holders.c.identifier_id == coupon.c.anchor_id)
            .where(
                coupon.c.code == code,
                coupon.c.brand_id == scope.brand_id,
                holders.c.person_id.in_(self._people.visible_people(scope)),
            )
        ).one_or_none()
        if row is None:
            raise coupon_not_found()
        return self._coupon(row)

    def _coupon(self, row: Any) -> Coupon:
        return _coupon(row, self._clock.now())


def _definition(row: Any) -> CouponDefinition:
    return CouponDefinition(
        row.coupon_id,
        Label(row.name_zh, row.name_en),
        row.kind,
        row.value,
        row.threshold,
        row.currency,
        row.total,
        row.per_person,
        row.valid_days,
        row.issued,
        row.redeemed,
        row.active,
    )


def _status(row: Any, now: datetime) -> CouponStatus:
    return "expired" if row.status == "issued" and row.expires_at <= now else row.status


def _coupon(row: Any, now: datetime) -> Coupon:
    return Coupon(
        row.code,
        _definition(row),
        _status(row, now),
        row.issued_at,
        row.expires_at,
        row.effect_id,
        row.redeemed_at,
        row.order_id,
        row.discount,
    )
