"""The door of consent: take down what people say, and answer who may be contacted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, get_args

import pyarrow as pa
import sqlalchemy as sa

from quanyu.access.api import Audit
from quanyu.access.contracts import Caller, Scope
from quanyu.consent import ledger, standing, statements
from quanyu.consent.contracts import (
    ANY,
    CHANNELS,
    CONSENT_CHANGED,
    PURPOSES,
    Applied,
    Entry,
    Noted,
    PersonConsent,
    Said,
    Status,
    Tally,
    Verification,
)
from quanyu.consent.errors import person_without_identifier, word_unknown
from quanyu.consent.tables import consent_lift, consent_state
from quanyu.identity.api import Identity
from quanyu.identity.contracts import PersonRef, Resolved
from quanyu.kernel.clock import Clock
from quanyu.storage.bulk import rows
from quanyu.storage.outbox import publish
from quanyu.storage.state import State

__all__ = ["Consent"]

_NEWS = 10_000
# Purposes and channels that a person's page shows even when nothing was ever said.
_SHOWN = tuple(("marketing", channel) for channel in CHANNELS if channel not in (ANY, "webhook"))


InFlight = Callable[[sa.Connection, int, str, str], Sequence[tuple[str, datetime]]]
"""The sends to an identifier's owner for a purpose through a channel that are with a provider, unanswered."""


class Consent:
    """Consent over one state store.

    `in_flight` is learnt from messaging, which lies above: it says what a withdrawal comes too late for.
    """

    def __init__(self, state: State, identity: Identity, clock: Clock, audit: Audit) -> None:
        self.state = state
        self._identity = identity
        self._clock = clock
        self._audit = audit
        self.in_flight: InFlight = lambda _tx, _identifier_id, _purpose, _channel: ()

    # --------------------------------------------------------------------------------------------- taking down
    def apply(self, tx: sa.Connection, batch: pa.Table, resolved: Resolved) -> Applied:
        """Take down what the events of a micro-batch say of consent, for the people they were resolved to.

        Statements of events that belong to nobody, and grants without a known purpose and channel, are counted
        as unplaced and change nothing.
        """
        said, unplaced = statements.read(batch, resolved.anchor_id)
        entries = 0
        for brand_id, own in said.items():
            entries += len(self.record(tx, brand_id, own))
        return Applied(entries, unplaced)

    def record(self, tx: sa.Connection, brand_id: int, said: Sequence[Said]) -> list[Entry]:
        """Write statements into the brand's ledger and bring the state up to them, all in `tx`.

        The gate of the brand closes until `tx` commits, so a withdrawal stops every later submission.
        """
        if not said:
            return []
        self._identity.close_gate(tx, brand_id)
        now = self._clock.now()
        entries = ledger.append(tx, brand_id, said, now)
        ledger.follow(tx, brand_id, entries, self._identity.holders())
        self._tell(tx, brand_id, {entry.identifier_id for entry in entries}, now)
        return entries

    def _tell(self, tx: sa.Connection, brand_id: int, identifiers: Iterable[int], now: datetime) -> None:
        holders = self._identity.holders()
        given = rows(tx, {"identifier_id": sa.BigInteger}, [(number,) for number in sorted(identifiers)])
        statement = sa.select(holders.c.person_id).distinct().where(holders.c.person_id > 0)
        people = sorted(
            tx.execute(statement.join_from(given, holders, holders.c.identifier_id == given.c.identifier_id)).scalars()
        )
        for start in range(0, len(people), _NEWS):
            payload = {"brand_id": brand_id, "person_ids": people[start : start + _NEWS]}
            publish(tx, CONSENT_CHANGED, payload, now)

    def note(
        self,
        caller: Caller,
        identifier_id: int,
        *,
        purpose: str,
        channel: str,
        status: str,
        notice_version: str | None = None,
        evidence: str | None = None,
        tx: sa.Connection,
    ) -> Noted:
        """Take down what somebody reports of an identifier's owner, now. Raises Invalid for unknown words."""
        caller.require("consent.write")
        check_words(purpose, channel)
        said = Said(
            identifier_id,
            purpose,
            channel,
            meaning(status),
            self._clock.now(),
            notice_version,
            source=caller.kind,
            actor=caller.name,
            evidence=evidence,
        )
        (entry,) = self.record(tx, caller.scope.brand_id, [said])
        detail = {"purpose": purpose, "channel": channel, "status": said.status, "identifier_id": identifier_id}
        self._audit.record(caller, "consent_recorded", entry.consent_id, detail, tx=tx)
        if said.status == "granted":
            return Noted(entry)
        # The gate is closed until `tx` commits: nothing can be added to what is in flight now.
        return Noted(entry, tuple(self.in_flight(tx, identifier_id, purpose, channel)))

    def note_person(self, caller: Caller, public_id: str, **words: Any) -> Noted:
        """`note` for a person whom the caller sees: it goes to the identifier that stands for them."""
        with self.state.write() as tx:
            someone = self._identity.person_of(public_id, caller.scope, tx)
            anchor = self._identity.anchors_of(tx, [someone.person_id]).get(someone.person_id)
            if anchor is None:
                raise person_without_identifier(public_id)
            return self.note(caller, anchor, tx=tx, **words)

    def note_value(self, caller: Caller, namespace: str, value: str, **words: Any) -> Noted:
        """`note` for an identifier given in clear, known or not. Raises NotFound when it is outside the scope."""
        with self.state.write() as tx:
            number = self._identity.claim(tx, caller, namespace, value)
            return self.note(caller, number, tx=tx, **words)

    # ------------------------------------------------------------------------------------------------ answering
    def allowed_people(self, scope: Scope, purpose: str, channel: str) -> sa.Select[Any]:
        """The `person_id` of people of the scope's brand who may be contacted for `purpose` through `channel`.

        Not narrowed to what the scope's stores or guide see: intersect it with `visible_people`.
        """
        return standing.granted(self._identity.holders(), scope.brand_id, purpose, channel)

    def denied_people(self, scope: Scope, purpose: str, channel: str) -> sa.Select[Any]:
        """The `person_id` of people of the scope's brand with a denial in force."""
        return standing.denied(self._identity.holders(), scope.brand_id, purpose, channel)

    def allows(self, person_id: Any, purpose: str, channel: str) -> sa.ColumnElement[bool]:
        """Whether the person of the column `person_id` may be contacted: a condition inside another statement."""
        return standing.allowed(self._identity.holders(), person_id, purpose, channel)

    def allowed(self, tx: sa.Connection, person_ids: Iterable[int], purpose: str, channel: str) -> set[int]:
        """Who of these people may be contacted at this instant of `tx`: granted, and denied by nothing."""
        wanted = sorted({int(number) for number in person_ids})
        if not wanted:
            return set()
        given = rows(tx, {"person_id": sa.BigInteger}, [(number,) for number in wanted], "asked")
        statement = sa.select(given.c.person_id).where(self.allows(given.c.person_id, purpose, channel))
        return {int(number) for number in tx.execute(statement).scalars()}

    def of_person(self, tx: sa.Connection, someone: PersonRef) -> list[PersonConsent]:
        """Where a person stands, for every purpose and channel they spoke about and the marketing channels."""
        holders = self._identity.holders()
        held = sa.select(holders.c.identifier_id).where(holders.c.person_id == someone.person_id)
        mine = list(tx.execute(held).scalars())
        columns = consent_state.c
        states = [
            standing.Stated(*row)
            for row in tx.execute(
                sa.select(
                    columns.identifier_id,
                    columns.purpose,
                    columns.channel,
                    columns.status,
                    sa.type_coerce(columns.at, sa.BigInteger),
                    columns.seq,
                ).where(columns.identifier_id.in_(held))
            )
        ]
        lifts = [
            standing.Lift(*row)
            for row in tx.execute(
                sa.select(
                    consent_lift.c.identifier_id,
                    consent_lift.c.purpose,
                    consent_lift.c.channel,
                    consent_lift.c.by_identifier_id,
                    consent_lift.c.by_channel,
                    sa.type_coerce(consent_lift.c.at, sa.BigInteger),
                ).where(consent_lift.c.identifier_id.in_(held))
            )
        ]
        spoken = {(one.purpose, one.channel) for one in states}
        order = {word: i for i, word in enumerate([*PURPOSES, *CHANNELS])}
        pairs = sorted(spoken | set(_SHOWN), key=lambda pair: (order[pair[0]], order[pair[1]]))
        found = {pair: standing.stands(states, lifts, mine, *pair) for pair in pairs}
        lines = ledger.lines(tx, someone.brand_id, sorted({one.seq for _, one in found.values() if one}))
        return [
            PersonConsent(*pair, status, lines.get(one.seq) if one else None) for pair, (status, one) in found.items()
        ]

    def summary(self, scope: Scope) -> list[Tally]:
        """How many visible people stand where, for every purpose and channel that somebody spoke about."""
        columns = consent_state.c
        tallies = []
        with self.state.read() as tx:
            visible = self._identity.visible_people(scope)
            total = tx.execute(sa.select(sa.func.count()).select_from(visible.subquery())).scalar_one()
            spoken = tx.execute(
                sa.select(columns.purpose, columns.channel).where(columns.brand_id == scope.brand_id).distinct()
            ).all()
            shown = {tuple(row) for row in spoken} | set(_SHOWN)
            for purpose, channel in sorted(shown, key=lambda pair: (list(PURPOSES).index(pair[0]), pair[1])):
                granted, denied = (
                    self._count(tx, people, scope)
                    for people in (
                        self.allowed_people(scope, purpose, channel),
                        self.denied_people(scope, purpose, channel),
                    )
                )
                tallies.append(Tally(purpose, channel, granted, denied, total - granted - denied))
        return tallies

    def _count(self, tx: sa.Connection, people: sa.Select[Any], scope: Scope) -> int:
        found = people.subquery()
        statement = sa.select(sa.func.count()).select_from(found)
        if not scope.whole_brand:
            statement = statement.where(self._identity.sees(scope, found.c.person_id))
        return int(tx.execute(statement).scalar_one())

    # --------------------------------------------------------------------------------------------------- ledger
    def entries(
        self, scope: Scope, public_id: str | None = None, *, before: int | None = None, limit: int = 50
    ) -> list[Entry]:
        """The newest lines of the ledger, of one person or of everybody in the scope. Raises NotFound."""
        holders = self._identity.holders()
        with self.state.read() as tx:
            statement = None
            if public_id is not None:
                someone = self._identity.person_of(public_id, scope, tx)
                statement = sa.select(holders.c.identifier_id).where(holders.c.person_id == someone.person_id)
            elif not scope.whole_brand:
                visible = self._identity.visible_people(scope)
                statement = sa.select(holders.c.identifier_id).where(holders.c.person_id.in_(visible))
            return ledger.read(tx, statement, scope.brand_id, before, limit)

    def verify(self, scope: Scope) -> Verification:
        """Whether the brand's chain is intact."""
        with self.state.read() as tx:
            return ledger.verify(tx, scope.brand_id)


def check_words(purpose: str, channel: str) -> None:
    """Raise Invalid unless both words exist."""
    if purpose not in PURPOSES:
        raise word_unknown("purpose", purpose, PURPOSES)
    if channel not in CHANNELS:
        raise word_unknown("channel", channel, CHANNELS)


def meaning(status: str) -> Status:
    """The status that a word means: `withdrawn` is a denial. Raises Invalid."""
    if status == "withdrawn":
        return "denied"
    for known in get_args(Status):
        if status == known:
            return "granted" if known == "granted" else "denied"
    raise word_unknown("status", status, ("granted", "withdrawn"))
