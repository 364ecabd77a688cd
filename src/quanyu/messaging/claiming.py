"""The claim: one transaction that takes the due effects of one connection and decides each of them.

It reads everything the decision needs as sets, decides in memory (`decision`), and writes the outcome as sets:
batches to send, cap units used, effects put off, suppressed or held out. Claims of one brand take turns on
PostgreSQL (an advisory lock; SQLite has one writer anyway): two claims that each see one unit left would
otherwise both use it. They are short, and a lane of its own per connection does the slow part, the sending.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.kernel.ids import Ids
from quanyu.messaging import states
from quanyu.messaging.contracts import Cards, Claimed, Consents, Coupons, LastLook, People, PersonCard, Stop
from quanyu.messaging.decision import Decision, Facts, Used, by_action, decide
from quanyu.messaging.tables import batch, cap_use, connection, content, effect
from quanyu.messaging.templates import Template, render
from quanyu.messaging.timing import day_number, local_day, quiet_until
from quanyu.sdk import Channel
from quanyu.storage.bulk import insert_ignore, rows
from quanyu.storage.vault import Vault

_CLAIMS = 0x51594D43  # the namespace of our advisory locks


@dataclass(slots=True)
class Parts:
    """What the claim and the gate work with."""

    people: People
    consents: Consents
    cards: Cards
    coupons: Coupons
    vault: Vault
    ids: Ids
    scope_of: Callable[[int], Scope]
    last_looks: list[LastLook]
    lease: timedelta


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What a claim did: batches to send, and how many effects it decided."""

    batches: tuple[str, ...]
    fence: int
    decided: int


def claim(
    tx: sa.Connection,
    parts: Parts,
    channel: Channel[Any],
    name: str,
    templates: Callable[[sa.Connection, set[str]], Mapping[str, Template]],
    now: datetime,
    limit: int,
) -> ClaimResult:
    """Take up to `limit` due effects of the connection `name`, in order of priority and age, and decide them."""
    brand_id = tx.execute(sa.select(connection.c.brand_id).where(connection.c.connection == name)).scalar_one()
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_CLAIMS, sa.cast(brand_id, sa.Integer))))
    due = tx.execute(
        sa.select(effect)
        .where(effect.c.connection == name, effect.c.status.in_(("intended", "deferred")), effect.c.wake_at <= now)
        .order_by(effect.c.priority.desc(), effect.c.created_at, effect.c.effect_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    if not due:
        return ClaimResult((), 0, 0)
    scope = parts.scope_of(brand_id)
    work = _Work(tx, parts, channel, name, scope, now, due)
    known = templates(tx, {row.template_id for row in due})
    decisions = decide((work.facts(row, known) for row in due), work.used, now)
    by_id = {row.effect_id: row for row in due}
    _put_off(tx, parts, decisions, by_id, now)
    work.use_caps([by_id[each.effect_id] for each in decisions if each.action in ("send", "hold_out")])
    sending = [by_id[each.effect_id] for each in by_action(decisions, "send")]
    fence = tx.execute(
        sa.update(connection)
        .where(connection.c.connection == name)
        .values(fence=connection.c.fence + 1)
        .returning(connection.c.fence)
    ).scalar_one()
    return ClaimResult(tuple(work.form_batches(sending, known, fence)), fence, len(due))


def _put_off(
    tx: sa.Connection, parts: Parts, decisions: Sequence[Decision], by_id: Mapping[str, Any], now: datetime
) -> None:
    suppressed = by_action(decisions, "suppress")
    states.move(tx, "suppressed", [states.Change(each.effect_id, each.reason) for each in suppressed], now)
    parts.coupons.void_effects(tx, [each.effect_id for each in suppressed if by_id[each.effect_id].coupon_code])
    held = [states.Change(each.effect_id) for each in by_action(decisions, "hold_out")]
    states.move(tx, "held_out", held, now)
    deferred = [states.Change(each.effect_id, each.reason, each.until) for each in by_action(decisions, "defer")]
    states.move(tx, "deferred", deferred, now)


class _Work:
    """What one claim knows: every fact read once, for the whole set."""

    def __init__(
        self,
        tx: sa.Connection,
        parts: Parts,
        channel: Channel[Any],
        name: str,
        scope: Scope,
        now: datetime,
        due: Sequence[Any],
    ) -> None:
        self.tx, self.parts, self.channel, self.name, self.scope, self.now = tx, parts, channel, name, scope, now
        self.person_of = persons_of(tx, parts.people, {row.anchor_id for row in due})
        self.people = sorted(set(self.person_of.values()))
        self.stops = last_look(tx, parts, due)
        self.consented = {
            purpose: parts.consents.allowed(tx, self.people, purpose, channel.channel)
            for purpose in {row.purpose for row in due}
        }
        self.addresses = address_book(tx, parts, channel, scope.brand_id, self.people)
        self.today = local_day(now, scope.time_zone)
        self.used = self._read_caps()
        self.quiet: dict[str, datetime | None] = {}

    def facts(self, row: Any, templates: Mapping[str, Template]) -> Facts:
        """What the decision needs to know of one effect."""
        person = self.person_of.get(row.anchor_id)
        quota = self.channel.person_quota
        return Facts(
            effect_id=row.effect_id,
            person_id=person,
            ghost=row.ghost,
            expires_at=row.expires_at,
            consented=person in self.consented[row.purpose],
            addressable=person in self.addresses,
            template_known=row.template_id in templates,
            category=row.category,
            daily_cap=row.daily_cap,
            quota=quota.limit(self.today) if quota else None,
            quiet_until=self._quiet(row.quiet),
            stop=self.stops.get(row.effect_id),
            replies=self._replies(row),
        )

    def use_caps(self, taken: Sequence[Any]) -> None:
        """Write down the units that this claim has used."""
        if taken:
            insert_ignore(
                self.tx,
                cap_use,
                [
                    {
                        "effect_id": row.effect_id,
                        "anchor_id": row.anchor_id,
                        "connection": self.name,
                        "channel": self.channel.channel,
                        "category": row.category,
                        "day": day_number(self.today),
                        "ghost": row.ghost,
                    }
                    for row in taken
                ],
            )

    def form_batches(self, sending: Sequence[Any], templates: Mapping[str, Template], fence: int) -> list[str]:
        """Cut what is sent into batches of equal content and sender; the batch ids, most urgent first."""
        if not sending:
            return []
        cards = self.parts.cards.cards(self.tx, sorted({self.person_of[row.anchor_id] for row in sending}))
        coupons = self.parts.coupons.names(self.tx, {row.coupon_id for row in sending if row.coupon_id})
        bodies: dict[str, str] = {}
        groups: dict[tuple[str, str | None, str | None], list[Any]] = defaultdict(list)
        brand_id = self.scope.brand_id
        for row in sending:
            card = cards.get(self.person_of[row.anchor_id]) or PersonCard("")
            coupon = coupons.get(row.coupon_id) if row.coupon_id else None
            body = rendered(templates[row.template_id], card, coupon.zh if coupon else None)
            bodies.setdefault(body, "")
            alone = row.effect_id if self._replies(row) else None
            groups[(body, card.staff_id, alone)].append(row)
        hashes = self.parts.vault.index_many(brand_id, [("message_content", body) for body in bodies])
        bodies = dict(zip(bodies, hashes, strict=True))
        sealed = self.parts.vault.seal_many(brand_id, list(bodies))
        insert_ignore(
            self.tx,
            content,
            [
                {"content_id": content_id, "brand_id": brand_id, "sealed": data}
                for content_id, data in zip(bodies.values(), sealed, strict=True)
            ],
        )
        made: list[dict[str, Any]] = []
        placed: list[tuple[Any, str, str]] = []
        # Replies first: a welcome code lives for seconds.
        for (body, sender, _alone), members in sorted(groups.items(), key=lambda group: group[0][2] is None):
            for start in range(0, len(members), self.channel.max_batch):
                part = members[start : start + self.channel.max_batch]
                batch_id = self.parts.ids.new("snd")
                made.append(
                    {
                        "batch_id": batch_id,
                        "brand_id": brand_id,
                        "connection": self.name,
                        "content_id": bodies[body],
                        "sender": sender,
                        "status": "claimed",
                        "fence": fence,
                        "size": len(part),
                        "created_at": self.now,
                    }
                )
                placed += [(row, batch_id, bodies[body]) for row in part]
        self.tx.execute(sa.insert(batch), made)
        self._place(placed, fence)
        return [str(entry["batch_id"]) for entry in made]

    def _place(self, placed: Sequence[tuple[Any, str, str]], fence: int) -> None:
        addresses = [self.addresses[self.person_of[row.anchor_id]] for row, _, _ in placed]
        index = self.parts.vault.index_many(
            self.scope.brand_id, [(address_space(self.name), each) for each in addresses]
        )
        given = rows(
            self.tx,
            {"effect_id": sa.Text, "batch_id": sa.Text, "content_id": sa.Text, "address_hash": sa.Text},
            [
                (row.effect_id, batch_id, content_id, address)
                for (row, batch_id, content_id), address in zip(placed, index, strict=True)
            ],
        )
        self.tx.execute(
            sa.update(effect)
            .where(effect.c.effect_id == given.c.effect_id, effect.c.status.in_(states.FROM["claimed"]))
            .values(
                status="claimed",
                reason=None,
                batch_id=given.c.batch_id,
                content_id=given.c.content_id,
                address_hash=given.c.address_hash,
                fence=fence,
                claimed_at=self.now,
                lease_until=self.now + self.parts.lease,
            )
        )
        states.log(
            self.tx, ((row.effect_id, "claimed", row.attempt, None, batch_id) for row, batch_id, _ in placed), self.now
        )

    def _replies(self, row: Any) -> bool:
        return bool(
            row.reply_token and "reply" in self.channel.capabilities and row.reply_until and row.reply_until > self.now
        )

    def _quiet(self, hours: str | None) -> datetime | None:
        if hours is None:
            return None
        if hours not in self.quiet:
            start, end = hours.split("-")
            self.quiet[hours] = quiet_until(self.now, start, end, self.scope.time_zone)
        return self.quiet[hours]

    def _read_caps(self) -> Used:
        quota = self.channel.person_quota
        monthly = quota is not None and quota.period == "month"
        first = day_number(self.today.replace(day=1)) if monthly else day_number(self.today)
        holders = self.parts.people.holders()
        given = rows(self.tx, {"person_id": sa.BigInteger}, [(person,) for person in self.people])
        counted = self.tx.execute(
            sa.select(
                holders.c.person_id,
                cap_use.c.connection,
                cap_use.c.channel,
                cap_use.c.category,
                cap_use.c.day,
                cap_use.c.ghost,
                sa.func.count().label("used"),
            )
            .select_from(given)
            .join(holders, holders.c.person_id == given.c.person_id)
            .join(cap_use, cap_use.c.anchor_id == holders.c.identifier_id)
            .where(cap_use.c.day >= first)
            .group_by(
                holders.c.person_id,
                cap_use.c.connection,
                cap_use.c.channel,
                cap_use.c.category,
                cap_use.c.day,
                cap_use.c.ghost,
            )
        )
        used = Used(Counter(), Counter(), Counter(), Counter())
        today = day_number(self.today)
        for row in counted:
            if row.channel == self.channel.channel and row.day == today:
                (used.day_ghosts if row.ghost else used.day)[(row.person_id, row.category)] += row.used
            if row.connection == self.name:
                (used.period_ghosts if row.ghost else used.period)[row.person_id] += row.used
        return used


def persons_of(tx: sa.Connection, people: People, anchors: set[int]) -> dict[int, int]:
    """The person who holds each identifier today; those whom nobody holds (erased) are missing."""
    holders = people.holders()
    given = rows(tx, {"anchor_id": sa.BigInteger}, [(anchor,) for anchor in anchors])
    found = tx.execute(
        sa.select(given.c.anchor_id, holders.c.person_id).join_from(
            given, holders, holders.c.identifier_id == given.c.anchor_id
        )
    )
    return {row.anchor_id: row.person_id for row in found if row.person_id}


def last_look(tx: sa.Connection, parts: Parts, effects: Sequence[Any]) -> dict[str, Stop]:
    """What those who wished these effects say now."""
    asked = [Claimed(row.effect_id, row.anchor_id, row.journey_id, row.participation_id) for row in effects]
    stops: dict[str, Stop] = {}
    for look in parts.last_looks:
        stops.update(look(tx, asked))
    return stops


def address_book(
    tx: sa.Connection, parts: Parts, channel: Channel[Any], brand_id: int, people: Sequence[int]
) -> dict[int, str]:
    """The address of each person on this channel, in the provider's form; of several the oldest that it can reach."""
    book = {}
    for person, values in parts.people.addresses(tx, brand_id, people, channel.namespace).items():
        usable = next((address for value in values if (address := channel.address(value)) is not None), None)
        if usable is not None:
            book[person] = usable
    return book


def address_space(name: str) -> str:
    """The index namespace of a connection's addresses."""
    return f"address:{name}"


def rendered(template: Template, card: PersonCard, coupon: str | None) -> str:
    """The content of a message as canonical JSON; equal texts give equal content."""
    values = {"name": card.name, "store": card.store, "coupon.name": coupon}
    body: dict[str, Any] = {"text": render(template.text, values)}
    if template.card is not None:
        title = render(template.card.title, values)
        body["card"] = {"title": title, "page": template.card.page, "image": template.card.image}
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
