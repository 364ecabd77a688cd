"""What comes back as events: opened, read, redeemed, bought. Applied as sets, in any order, any number of times.

An event names its effect (`effect_id`) or, from a mini-program page, the send token of a batch (`send`): then the
effect is the one of that batch whose person the event's person is today.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from quanyu.kernel.clock import from_micros
from quanyu.messaging import states
from quanyu.messaging.contracts import People
from quanyu.messaging.followup import FollowUp
from quanyu.messaging.tables import effect
from quanyu.storage.bulk import rows

# What each event says of the message that it names.
MEANS: Mapping[str, str] = {
    "message_delivered": "delivered_at",
    "message_read": "read_at",
    "mini_program_opened": "read_at",
    "page_viewed": "read_at",
    "coupon_redeemed": "redeemed_at",
    "order_paid": "converted_at",
}


def apply(tx: sa.Connection, people: People, table: pa.Table, now: datetime) -> int:
    """Apply the receipts among a batch of events; how many events named a message."""
    columns = table.select(["name", "occurred_at", "person_id", "effect_id", "properties"])
    wanted = columns.filter(pc.is_in(columns["name"], value_set=pa.array(list(MEANS))))
    if not wanted.num_rows:
        return 0
    named: dict[str, list[tuple[str, datetime]]] = {}
    tokens: list[tuple[str, int, str, datetime]] = []
    for event in wanted.to_pylist():
        column, at = MEANS[event["name"]], from_micros(event["occurred_at"])
        if event["effect_id"]:
            named.setdefault(column, []).append((event["effect_id"], at))
        elif event["person_id"] and (token := _token(event["properties"])):
            tokens.append((token, event["person_id"], column, at))
    for effect_id, column, at in _by_token(tx, people, tokens):
        named.setdefault(column, []).append((effect_id, at))
    before = _already_read(tx, [effect_id for effect_id, _ in named.get("read_at", [])])
    for column, times in named.items():
        FollowUp.mark(tx, column, times)
    fresh = {effect_id: at for effect_id, at in named.get("read_at", []) if effect_id in before}
    states.log(
        tx, ((effect_id, "read", before[effect_id], None, at.isoformat()) for effect_id, at in fresh.items()), now
    )
    return sum(map(len, named.values()))


def _already_read(tx: sa.Connection, effect_ids: list[str]) -> dict[str, int]:
    """The attempts of those effects that have not been read before."""
    given = rows(tx, {"effect_id": sa.Text}, [(each,) for each in effect_ids])
    found = tx.execute(
        sa.select(effect.c.effect_id, effect.c.attempt).where(
            effect.c.effect_id.in_(sa.select(given.c.effect_id)), effect.c.read_at.is_(None)
        )
    )
    return {row.effect_id: row.attempt for row in found}


def _token(properties: str | None) -> str | None:
    if not properties or '"send"' not in properties:
        return None
    try:
        value = msgspec.json.decode(properties)
    except msgspec.DecodeError:
        return None
    token = value.get("send") if isinstance(value, dict) else None
    return token if isinstance(token, str) else None


def _by_token(
    tx: sa.Connection, people: People, tokens: list[tuple[str, int, str, datetime]]
) -> list[tuple[str, str, datetime]]:
    if not tokens:
        return []
    holders = people.holders()
    given = rows(
        tx, {"batch_id": sa.Text, "person_id": sa.BigInteger}, {(token, person) for token, person, _, _ in tokens}
    )
    found = tx.execute(
        sa.select(effect.c.effect_id, given.c.batch_id, given.c.person_id)
        .select_from(given)
        .join(effect, effect.c.batch_id == given.c.batch_id)
        .join(holders, sa.and_(holders.c.identifier_id == effect.c.anchor_id, holders.c.person_id == given.c.person_id))
    )
    theirs: dict[tuple[str, int], list[str]] = {}
    for row in found:
        theirs.setdefault((row.batch_id, row.person_id), []).append(row.effect_id)
    return [
        (effect_id, column, at) for token, person, column, at in tokens for effect_id in theirs.get((token, person), [])
    ]
