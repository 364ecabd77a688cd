"""After the send: ask about what is unknown, poll what became of what was accepted, look new contacts up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from quanyu.kernel.clock import Clock
from quanyu.messaging import states
from quanyu.messaging.claiming import Parts, address_space
from quanyu.messaging.contracts import Timing
from quanyu.messaging.gate import build
from quanyu.messaging.settling import Settler, members
from quanyu.messaging.tables import batch, contact_lookup, effect, effect_log
from quanyu.messaging.timing import Uniform, pause
from quanyu.sdk import Answer, Channel, Contact, Delivery, InboundEvent, Message
from quanyu.sdk.errors import ChannelError
from quanyu.storage.bulk import rows
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

EACH = 20  # batches and contacts looked at in one run of a lane

TakeEvents = Callable[[int, Sequence[InboundEvent]], None]


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Asks, polls and looks up for one connection at a time."""

    state: State
    clock: Clock
    vault: Vault
    parts: Parts
    settler: Settler
    timing: Timing
    uniform: Uniform
    take_events: TakeEvents

    def run(self, name: str, channel: Channel[Any]) -> int:
        """Everything of this kind that is due for a connection; how much was looked at."""
        return self._ask(name, channel) + self._poll(name, channel) + self._look_up(name, channel)

    def _due(self, name: str, status: str) -> list[Any]:
        now = self.clock.now()
        with self.state.read() as tx:
            return list(
                tx.execute(
                    sa.select(batch)
                    .where(batch.c.connection == name, batch.c.status == status, batch.c.next_at <= now)
                    .order_by(batch.c.next_at, batch.c.batch_id)
                    .limit(EACH)
                )
            )

    def _ask(self, name: str, channel: Channel[Any]) -> int:
        due = self._due(name, "unknown")
        for row in due:
            with self.state.read() as tx:
                unknown = members(tx, row.batch_id, "unknown")
                # Addresses are not needed to recognise a batch by its token and content.
                messages = tuple(Message(each.effect_id, "") for each in unknown)
                sent = build(tx, self.parts, row, messages)
            if not unknown:
                self._close(row.batch_id)
            elif channel.idempotent and row.tries < self.timing.asks:
                continue  # it is simply sent again
            elif "find" not in channel.capabilities:
                self._give_up(row, unknown, "cannot_tell")
            else:
                try:
                    answer = channel.find(sent, row.submitted_at)
                except ChannelError:
                    self._later(row, unknown)
                    continue
                if isinstance(answer, Answer):
                    with self.state.write() as tx:
                        self.settler.answered(
                            tx, sent, answer, channel.kind, "results" in channel.capabilities, self.clock.now()
                        )
                elif answer == "cannot_tell":
                    self._give_up(row, unknown, "cannot_tell")
                elif row.tries + 1 < 3:
                    self._later(row, unknown)  # lists may lag behind: ask a few times before believing "not here"
                else:
                    self._give_up(row, unknown, "provider_has_not")
        return len(due)

    def _later(self, row: Any, unknown: Sequence[Any]) -> None:
        if row.tries + 1 >= self.timing.asks:
            self._give_up(row, unknown, "cannot_tell")
            return
        wait = pause(row.tries + 1, self.timing.first_ask, self.timing.longest_ask, self.uniform)
        self._again(row.batch_id, self.clock.now() + wait)

    def _give_up(self, row: Any, unknown: Sequence[Any], reason: str) -> None:
        """Stop asking. Marketing stays unknown for a person to decide; what the provider certainly does not have
        is sent again when it is a service message.
        """
        now = self.clock.now()
        with self.state.write() as tx:
            again = [each for each in unknown if reason == "provider_has_not" and each.category == "service"]
            changes = [states.Change(each.effect_id, "resend", now) for each in again]
            fresh = {"expires_at": now + states.RESEND_WITHIN}
            moved = states.move(tx, "intended", changes, now, values=fresh)
            states.release_caps(tx, moved)
            held = [each.effect_id for each in unknown if each.effect_id not in set(moved)]
            given = rows(tx, {"effect_id": sa.Text}, [(each,) for each in held])
            tx.execute(
                sa.update(effect)
                .where(effect.c.effect_id.in_(sa.select(given.c.effect_id)), effect.c.status == "unknown")
                .values(reason=reason)
            )
            tx.execute(sa.update(batch).where(batch.c.batch_id == row.batch_id).values(next_at=None))

    def _poll(self, name: str, channel: Channel[Any]) -> int:
        due = self._due(name, "answered")
        for row in due:
            try:
                deliveries = channel.results(row.reference)
            except ChannelError:
                self._poll_later(row)
                continue
            with self.state.write() as tx:
                self.deliver(tx, name, channel.kind, row, deliveries)
                waiting = tx.execute(
                    sa.select(sa.func.count()).where(
                        effect.c.batch_id == row.batch_id,
                        effect.c.status == "accepted",
                        effect.c.delivered_at.is_(None),
                    )
                ).scalar_one()
            if waiting:
                self._poll_later(row)
            else:
                self._close(row.batch_id)
        return len(due)

    def deliver(self, tx: sa.Connection, name: str, kind: str, row: Any, deliveries: Sequence[Delivery]) -> None:
        """Write what became of the messages of a batch."""
        settled = [each for each in deliveries if each.status != "pending"]
        if not settled:
            return
        now = self.clock.now()
        index = self.vault.index_many(row.brand_id, [(address_space(name), each.address) for each in settled])
        by_hash = dict(zip(index, settled, strict=True))
        members_of = tx.execute(
            sa.select(effect.c.effect_id, effect.c.address_hash, effect.c.delivered_at, effect.c.attempt).where(
                effect.c.batch_id == row.batch_id, effect.c.status == "accepted"
            )
        ).all()
        news = [(each, by_hash[each.address_hash]) for each in members_of if each.address_hash in by_hash]
        arrived = [
            (each, told.at or now) for each, told in news if told.status == "delivered" and not each.delivered_at
        ]
        self.mark(tx, "delivered_at", [(each.effect_id, at) for each, at in arrived])
        _log_at(tx, [(each.effect_id, at, each.attempt) for each, at in arrived])
        failed = {
            each.effect_id: told.problem for each, told in news if told.status == "failed" and told.problem is not None
        }
        self.settler.refused_late(tx, failed, kind, now)

    @staticmethod
    def mark(tx: sa.Connection, column: str, times: Sequence[tuple[str, datetime]]) -> None:
        """Set a time of effects to the earliest that was ever told."""
        if not times:
            return
        earliest: dict[str, datetime] = {}
        for effect_id, at in times:
            earliest[effect_id] = min(at, earliest.get(effect_id, at))
        given = rows(tx, {"effect_id": sa.Text, "at": sa.BigInteger}, list(earliest.items()))
        target = effect.c[column]
        told = sa.type_coerce(given.c.at, target.type)
        tx.execute(
            sa.update(effect)
            .where(effect.c.effect_id == given.c.effect_id, sa.or_(target.is_(None), target > told))
            .values({column: told})
        )

    def _poll_later(self, row: Any) -> None:
        now = self.clock.now()
        if now - row.answered_at > timedelta(days=self.timing.poll_days):
            self._close(row.batch_id)
            return
        wait = pause(row.tries + 1, self.timing.first_poll, self.timing.longest_poll, self.uniform)
        self._again(row.batch_id, now + wait)

    def _look_up(self, name: str, channel: Channel[Any]) -> int:
        now = self.clock.now()
        with self.state.read() as tx:
            due = tx.execute(
                sa.select(contact_lookup)
                .where(contact_lookup.c.connection == name, contact_lookup.c.due_at <= now)
                .order_by(contact_lookup.c.due_at, contact_lookup.c.lookup_id)
                .limit(EACH)
            ).all()
        for row in due:
            contact = Contact(self.vault.open_text(row.brand_id, row.reference))
            try:
                events = channel.details(contact)
            except ChannelError:
                self._look_up_later(row)
                continue
            if events:
                self.take_events(row.brand_id, events)
            self._forget(row.lookup_id)
        return len(due)

    def _look_up_later(self, row: Any) -> None:
        if row.tries + 1 >= self.timing.asks:
            self._forget(row.lookup_id)
            return
        wait = pause(row.tries + 1, self.timing.first_retry, self.timing.longest_ask, self.uniform)
        with self.state.write() as tx:
            tx.execute(
                sa.update(contact_lookup)
                .where(contact_lookup.c.lookup_id == row.lookup_id)
                .values(tries=contact_lookup.c.tries + 1, due_at=self.clock.now() + wait)
            )

    def _forget(self, lookup_id: int) -> None:
        with self.state.write() as tx:
            tx.execute(sa.delete(contact_lookup).where(contact_lookup.c.lookup_id == lookup_id))

    def _again(self, batch_id: str, at: datetime) -> None:
        with self.state.write() as tx:
            tx.execute(sa.update(batch).where(batch.c.batch_id == batch_id).values(next_at=at, tries=batch.c.tries + 1))

    def _close(self, batch_id: str) -> None:
        with self.state.write() as tx:
            tx.execute(sa.update(batch).where(batch.c.batch_id == batch_id).values(next_at=None))


def _log_at(tx: sa.Connection, arrived: Sequence[tuple[str, datetime, int]]) -> None:
    if arrived:
        tx.execute(
            sa.insert(effect_log),
            [
                {"effect_id": effect_id, "at": at, "status": "delivered", "attempt": attempt, "told": False}
                for effect_id, at, attempt in arrived
            ],
        )
