"""The gate: the short transaction immediately before a provider is called. Nothing reaches a person around it.

It reads consent once more and writes `submitted`, so that a withdrawal which commits before `submitted` always
wins; one that commits after it finds the send already in flight, and is told so (`in_flight`).

Why that is true. Let W be the commit of a withdrawal and S the commit of this transaction; if W comes before S,
this transaction must have seen it.

* SQLite: the gate begins IMMEDIATE, so it holds the one write lock from its first statement to S. A withdrawal
  is a write transaction too: it committed before the gate began, and the gate's snapshot has it, or it commits
  after S.
* PostgreSQL, READ COMMITTED: locking the rows of `consent_state` would not do, because a withdrawal may be a row
  that does not exist yet ("any channel: denied", or another identifier of the same person), and neither would
  SERIALIZABLE, which promises some serial order and not the order of the commits. So both take the same advisory
  lock of the brand: the gate shared (`People.enter_gate`, before it reads or locks anything, so that no circle of
  waiting can form), whoever takes a permission away exclusive, held to the end of its transaction. The two never
  overlap. If W is before S, the withdrawal's whole hold lies before the gate's; the gate's reading statement
  begins after its hold, takes a new snapshot, and sees W. Gates of different workers share the lock and do not
  wait for each other.

Merges that bring a denial along, and erasure, take permissions away as well and take the same lock.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.messaging import states
from quanyu.messaging.claiming import Parts, address_book, address_space, last_look, persons_of
from quanyu.messaging.tables import batch, content, effect
from quanyu.messaging.templates import page_with_token
from quanyu.sdk import Batch, Card, Channel, Message


@dataclass(frozen=True, slots=True)
class Passed:
    """What passed the gate: the batch as the channel gets it. `messages` is empty when nobody passed."""

    batch: Batch
    fence: int


def pass_gate(
    tx: sa.Connection,
    parts: Parts,
    channel: Channel[Any],
    batch_id: str,
    fence: int,
    now: datetime,
    *,
    again: bool = False,
) -> Passed | None:
    """Mark the batch submitted for everybody who may still be reached; None when another worker has taken over.

    The caller has entered the gate in `tx` first of all: no withdrawal can commit until this transaction has.
    `again`: the batch was submitted before and nobody knows the outcome, so who may not be reached now is not
    suppressed (the first attempt may have arrived) but stays unknown.
    """
    row = tx.execute(
        sa.select(batch)
        .where(batch.c.batch_id == batch_id, batch.c.status == "claimed", batch.c.fence == fence)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return None
    members = tx.execute(
        sa.select(effect)
        .where(effect.c.batch_id == batch_id, effect.c.status == "claimed", effect.c.fence == fence)
        .order_by(effect.c.effect_id)
        .with_for_update()
    ).all()
    stopped, going = _look_again(tx, parts, channel, members)
    keep_out = leave_unknown if again else turn_away
    keep_out(tx, parts, stopped, now)
    book = _addresses(tx, parts, channel, row.brand_id, going)
    lost = [each.effect_id for each in going if each.effect_id not in book]
    keep_out(tx, parts, [states.Change(effect_id, "no_address") for effect_id in lost], now)
    sent = states.move(
        tx,
        "submitted",
        [states.Change(each.effect_id, detail=batch_id) for each in going if each.effect_id in book],
        now,
        values={"lease_until": now + parts.lease},
        where=[effect.c.fence == fence],
    )
    passed = set(sent)
    tx.execute(
        sa.update(batch)
        .where(batch.c.batch_id == batch_id)
        .values(status="submitted" if passed else "closed", submitted_at=now if passed else None, size=len(passed))
    )
    messages = tuple(
        Message(each.effect_id, book[each.effect_id], each.reply_token if _replies(each, channel, now) else None)
        for each in going
        if each.effect_id in passed
    )
    return Passed(build(tx, parts, row, messages), fence)


def build(tx: sa.Connection, parts: Parts, row: Any, messages: tuple[Message, ...]) -> Batch:
    """The batch as a channel gets it, its content opened and the send token in its card's page."""
    sealed = tx.execute(sa.select(content.c.sealed).where(content.c.content_id == row.content_id)).scalar_one()
    body = json.loads(parts.vault.open(row.brand_id, sealed))
    card = body.get("card")
    return Batch(
        token=row.batch_id,
        text=body["text"],
        card=Card(card["title"], page_with_token(card["page"], row.batch_id), card["image"]) if card else None,
        sender=row.sender,
        messages=messages,
    )


def turn_away(tx: sa.Connection, parts: Parts, changes: Sequence[states.Change], now: datetime) -> None:
    """Suppress (or, with a time, defer) effects that were claimed: their cap units and coupons go back."""
    final = [change for change in changes if change.wake_at is None]
    later = [change for change in changes if change.wake_at is not None]
    moved = states.move(tx, "suppressed", final, now)
    parts.coupons.void_effects(tx, moved)
    states.release_caps(tx, moved + states.move(tx, "deferred", later, now))


def leave_unknown(tx: sa.Connection, parts: Parts, changes: Sequence[states.Change], now: datetime) -> None:  # noqa: ARG001
    """What was to be sent again and may not be: nobody will ever know."""
    unknown = [states.Change(change.effect_id, "cannot_tell", detail=change.reason) for change in changes]
    states.move(tx, "unknown", unknown, now, values={"lease_until": None})


def in_flight(tx: sa.Connection, parts: Parts, identifier_id: int, purpose: str) -> Sequence[Any]:
    """The effects that were handed to a provider and not answered, for the owner of an identifier: too late to stop."""
    holders = parts.people.holders()
    theirs = parts.people.holders().alias("theirs")
    return tx.execute(
        sa.select(effect.c.effect_id, effect.c.connection, effect.c.submitted_at)
        .join(theirs, theirs.c.identifier_id == effect.c.anchor_id)
        .join(holders, holders.c.person_id == theirs.c.person_id)
        .where(
            holders.c.identifier_id == identifier_id,
            holders.c.person_id > 0,
            effect.c.purpose == purpose,
            effect.c.status.in_(("submitted", "unknown")),
        )
        .order_by(effect.c.submitted_at, effect.c.effect_id)
    ).all()


def _look_again(
    tx: sa.Connection, parts: Parts, channel: Channel[Any], members: Sequence[Any]
) -> tuple[list[states.Change], list[Any]]:
    person_of = persons_of(tx, parts.people, {row.anchor_id for row in members})
    people = sorted(set(person_of.values()))
    allowed = {
        purpose: parts.consents.allowed(tx, people, purpose, channel.channel)
        for purpose in {row.purpose for row in members}
    }
    stops = last_look(tx, parts, members)
    stopped, going = [], []
    for row in members:
        person, stop = person_of.get(row.anchor_id), stops.get(row.effect_id)
        if person is None:
            stopped.append(states.Change(row.effect_id, "erased"))
        elif person not in allowed[row.purpose]:
            stopped.append(states.Change(row.effect_id, "consent_missing"))
        elif stop is not None:
            stopped.append(states.Change(row.effect_id, stop.reason, stop.until))
        else:
            going.append(row)
    return stopped, going


def _addresses(
    tx: sa.Connection, parts: Parts, channel: Channel[Any], brand_id: int, members: Sequence[Any]
) -> dict[str, str]:
    """The addresses that were claimed, in clear; an effect whose address is gone or another now is missing."""
    person_of = persons_of(tx, parts.people, {row.anchor_id for row in members})
    book = address_book(tx, parts, channel, brand_id, sorted(set(person_of.values())))
    known = [(row, book[person_of[row.anchor_id]]) for row in members if person_of.get(row.anchor_id) in book]
    space = address_space(channel.host.connection)
    index = parts.vault.index_many(brand_id, [(space, address) for _, address in known])
    return {
        row.effect_id: address
        for (row, address), digest in zip(known, index, strict=True)
        if digest == row.address_hash
    }


def _replies(row: Any, channel: Channel[Any], now: datetime) -> bool:
    return bool(row.reply_token and "reply" in channel.capabilities and row.reply_until and row.reply_until > now)
