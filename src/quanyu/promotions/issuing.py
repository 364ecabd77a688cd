"""Giving coupons and taking them back, inside the caller's transaction.

The definition's row is locked first, so counting what each person has and moving the counter see the same
truth. The counter moves by one conditional statement, and a CHECK in the table stands behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from quanyu.kernel.ids import Ids
from quanyu.promotions.contracts import Grant, Issued, People, Refusal
from quanyu.promotions.errors import coupon_definition_not_found
from quanyu.promotions.tables import coupon, coupon_definition, coupon_ledger
from quanyu.storage.bulk import rows

CODE_LENGTH = 16  # base32 characters: 80 random bits


def issue(
    tx: sa.Connection, people: People, ids: Ids, brand_id: int, coupon_id: str, grants: Sequence[Grant], at: datetime
) -> Issued:
    """Give one coupon per grant, in order, as many as the limits allow; a grant seen before keeps its code.

    Raises NotFound when the brand has no such coupon.
    """
    definition = tx.execute(
        sa.select(coupon_definition)
        .where(coupon_definition.c.coupon_id == coupon_id, coupon_definition.c.brand_id == brand_id)
        .with_for_update()
    ).one_or_none()
    if definition is None:
        raise coupon_definition_not_found(coupon_id)
    wanted = list({grant.effect_id: grant for grant in grants}.values())
    result = Issued(codes=_known(tx, [grant.effect_id for grant in wanted]))
    fresh = [grant for grant in wanted if grant.effect_id not in result.codes]
    if not fresh:
        return result
    if not definition.active:
        result.refused.update(dict.fromkeys((grant.effect_id for grant in fresh), "coupon_inactive"))
        return result
    fitting = _within_person_limit(tx, people, definition, fresh, result.refused)
    left = len(fitting) if definition.total is None else max(0, definition.total - definition.issued)
    for grant in fitting[left:]:
        result.refused[grant.effect_id] = "coupon_sold_out"
    given = fitting[:left]
    if not given:
        return result
    moved = tx.execute(
        sa.update(coupon_definition)
        .where(
            coupon_definition.c.coupon_id == coupon_id,
            sa.or_(
                coupon_definition.c.total.is_(None),
                coupon_definition.c.issued + len(given) <= coupon_definition.c.total,
            ),
        )
        .values(issued=coupon_definition.c.issued + len(given))
    ).rowcount
    assert moved == 1, "the definition is locked, so what fitted a moment ago still fits"
    expires_at = at + timedelta(days=definition.valid_days)
    made = [(grant, ids.code(CODE_LENGTH)) for grant in given]
    tx.execute(
        sa.insert(coupon),
        [
            {
                "code": code,
                "coupon_id": coupon_id,
                "brand_id": brand_id,
                "anchor_id": grant.anchor_id,
                "effect_id": grant.effect_id,
                "status": "issued",
                "issued_at": at,
                "expires_at": expires_at,
            }
            for grant, code in made
        ],
    )
    tx.execute(
        sa.insert(coupon_ledger),
        [
            {
                "brand_id": brand_id,
                "kind": "issue",
                "cause": grant.effect_id,
                "coupon_id": coupon_id,
                "code": code,
                "at": at,
            }
            for grant, code in made
        ],
    )
    result.codes.update({grant.effect_id: code for grant, code in made})
    return result


def void_effects(tx: sa.Connection, effect_ids: Iterable[str], at: datetime) -> int:
    """Take back the coupons of effects that never reached anybody; redeemed ones stay. How many were taken back."""
    wanted = sorted(set(effect_ids))
    if not wanted:
        return 0
    given = rows(tx, {"effect_id": sa.Text}, [(effect_id,) for effect_id in wanted])
    taken = tx.execute(
        sa.update(coupon)
        .where(coupon.c.status == "issued", coupon.c.effect_id.in_(sa.select(given.c.effect_id)))
        .values(status="void")
        .returning(coupon.c.code, coupon.c.coupon_id, coupon.c.brand_id)
    ).all()
    if not taken:
        return 0
    # In order of the key, so that two of these never wait for each other in a circle.
    for coupon_id, count in sorted(Counter(row.coupon_id for row in taken).items()):
        tx.execute(
            sa.update(coupon_definition)
            .where(coupon_definition.c.coupon_id == coupon_id)
            .values(issued=coupon_definition.c.issued - count)
        )
    tx.execute(
        sa.insert(coupon_ledger),
        [
            {
                "brand_id": row.brand_id,
                "kind": "void",
                "cause": row.code,
                "coupon_id": row.coupon_id,
                "code": row.code,
                "at": at,
                "told": True,
            }
            for row in taken
        ],
    )
    return len(taken)


def _known(tx: sa.Connection, effect_ids: list[str]) -> dict[str, str]:
    given = rows(tx, {"effect_id": sa.Text}, [(effect_id,) for effect_id in effect_ids])
    found = tx.execute(
        sa.select(coupon.c.effect_id, coupon.c.code).join_from(given, coupon, coupon.c.effect_id == given.c.effect_id)
    )
    return {row.effect_id: row.code for row in found}


def _within_person_limit(
    tx: sa.Connection,
    people: People,
    definition: sa.Row[tuple[object, ...]],
    grants: list[Grant],
    refused: dict[str, Refusal],
) -> list[Grant]:
    if definition.per_person is None:
        return grants
    holders = people.holders()
    given = rows(tx, {"anchor_id": sa.BigInteger}, {(grant.anchor_id,) for grant in grants})
    person_of: dict[int, int] = {
        row.anchor_id: row.person_id
        for row in tx.execute(
            sa.select(given.c.anchor_id, holders.c.person_id).join_from(
                given, holders, holders.c.identifier_id == given.c.anchor_id
            )
        )
    }
    persons = rows(tx, {"person_id": sa.BigInteger}, {(person,) for person in person_of.values()}, "persons")
    theirs = people.holders().alias("theirs")
    counted = (
        sa.select(theirs.c.person_id, sa.func.count().label("has"))
        .select_from(persons)
        .join(theirs, theirs.c.person_id == persons.c.person_id)
        .join(coupon, coupon.c.anchor_id == theirs.c.identifier_id)
        .where(coupon.c.coupon_id == definition.coupon_id, coupon.c.status != "void")
        .group_by(theirs.c.person_id)
    )
    has = Counter({row.person_id: row.has for row in tx.execute(counted)})
    fitting = []
    for grant in grants:
        person = person_of.get(grant.anchor_id)
        if person is None or has[person] >= definition.per_person:
            refused[grant.effect_id] = "coupon_limit_reached"
        else:
            has[person] += 1
            fitting.append(grant)
    return fitting
