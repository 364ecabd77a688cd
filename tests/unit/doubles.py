"""Small real implementations of what lies below a context, for tests that want that context alone."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from quanyu.access.contracts import PERMISSIONS, Caller, Scope
from quanyu.events.contracts import NativeEvent, NativeIdentifier
from quanyu.storage.bulk import insert_ignore, rows, upsert

double_metadata = sa.MetaData()
holder = sa.Table(
    "double_holder",
    double_metadata,
    sa.Column("identifier_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("person_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("brand_id", sa.BigInteger, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("staff_id", sa.Text),
)

BRAND = Scope(1, "b", "CNY", "Asia/Shanghai")
OWNER = Caller("user", "u_1", "Owner", BRAND, frozenset(PERMISSIONS), role="owner")


def guide(staff_id: str) -> Caller:
    """A guide who sees only their own customers."""
    scope = Scope(1, "b", "CNY", "Asia/Shanghai", None, staff_id)
    return Caller("user", f"u_{staff_id}", staff_id, scope, frozenset({"people.read", "coupons.redeem"}), role="guide")


class People:
    """Who holds which identifier, as a table that a test fills."""

    def __init__(self, state) -> None:
        self.state = state
        double_metadata.create_all(state.engine)

    def add(self, pairs: Iterable[tuple[int, int]], *, namespace="external_userid", staff=None, brand_id=1) -> None:
        values = [
            {
                "identifier_id": identifier,
                "person_id": person,
                "brand_id": brand_id,
                "namespace": namespace,
                "value": f"ww1:wm{identifier}" if namespace == "external_userid" else f"{namespace}{identifier}",
                "staff_id": staff,
            }
            for identifier, person in pairs
        ]
        with self.state.write() as tx:
            insert_ignore(tx, holder, values)

    def move(self, identifier: int, person: int) -> None:
        with self.state.write() as tx:
            tx.execute(sa.update(holder).where(holder.c.identifier_id == identifier).values(person_id=person))

    def forget(self, person: int) -> None:
        with self.state.write() as tx:
            tx.execute(sa.delete(holder).where(holder.c.person_id == person))

    def holders(self):
        return sa.select(holder.c.identifier_id, holder.c.person_id).subquery("holders")

    def visible_people(self, scope: Scope):
        statement = sa.select(holder.c.person_id).where(holder.c.brand_id == scope.brand_id)
        return statement.where(holder.c.staff_id == scope.staff_id) if scope.staff_id else statement

    def person_with(self, tx, brand_id, namespace, value):
        return tx.execute(
            sa.select(holder.c.person_id).where(
                holder.c.brand_id == brand_id, holder.c.namespace == namespace, holder.c.value == value
            )
        ).scalar_one_or_none()

    def anchors_of(self, tx, numbers):
        given = rows(tx, {"p": sa.BigInteger}, [(p,) for p in numbers])
        found = tx.execute(
            sa.select(holder.c.person_id, sa.func.min(holder.c.identifier_id).label("anchor"))
            .where(holder.c.person_id.in_(sa.select(given.c.p)))
            .group_by(holder.c.person_id)
        )
        return {row.person_id: row.anchor for row in found}

    def enter_gate(self, tx, brand_id):
        enter_gate(tx, brand_id)

    def clear_identifiers(self, tx, identifier_ids):
        given = rows(tx, {"i": sa.BigInteger}, [(i,) for i in identifier_ids])
        found = tx.execute(sa.select(holder).where(holder.c.identifier_id.in_(sa.select(given.c.i))))
        return {row.identifier_id: NativeIdentifier(row.namespace, row.value) for row in found}

    def addresses(self, tx, brand_id, person_ids, namespace):
        given = rows(tx, {"p": sa.BigInteger}, [(p,) for p in person_ids])
        found = tx.execute(
            sa.select(holder)
            .where(holder.c.namespace == namespace, holder.c.person_id.in_(sa.select(given.c.p)))
            .order_by(holder.c.identifier_id)
        )
        out: dict[int, list[str]] = {}
        for row in found:
            out.setdefault(row.person_id, []).append(row.value)
        return out


class Recorder:
    """Keeps what would go into the log, once per event id."""

    def __init__(self) -> None:
        self.events: dict[str, NativeEvent] = {}
        self.calls = 0

    def __call__(self, brand_id: int, events: list[NativeEvent]) -> None:
        self.calls += 1
        for event in events:
            self.events.setdefault(event.event_id, event)

    def named(self, name: str) -> list[NativeEvent]:
        return [event for event in self.events.values() if event.name == name]


consent = sa.Table(
    "double_consent",
    double_metadata,
    sa.Column("identifier_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("status", sa.Text, nullable=False),
)
_GATE = 0x514E02


def enter_gate(tx, brand_id: int) -> None:
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_GATE, brand_id)))


def close_gate(tx, brand_id: int) -> None:
    if tx.dialect.name == "postgresql":
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_GATE, brand_id)))


class Consents:
    """Consent per identifier; a person's is the most restrictive of them, as in the product."""

    def __init__(self, state) -> None:
        self.state = state
        double_metadata.create_all(state.engine)

    def grant(self, identifiers: Iterable[int], purpose="marketing", channel="test") -> None:
        self._set(identifiers, purpose, channel, "granted")

    def withdraw(self, identifiers: Iterable[int], purpose="marketing", channel="test") -> None:
        self._set(identifiers, purpose, channel, "denied")

    def _set(self, identifiers, purpose, channel, status) -> None:
        values = [
            {"identifier_id": each, "purpose": purpose, "channel": channel, "status": status} for each in identifiers
        ]
        with self.state.write() as tx:
            upsert(tx, consent, values, ["identifier_id", "purpose", "channel"], ["status"])
            if status == "denied":
                close_gate(tx, 1)

    def allowed(self, tx, person_ids, purpose, channel):
        given = rows(tx, {"p": sa.BigInteger}, [(p,) for p in person_ids])
        found = tx.execute(
            sa.select(
                holder.c.person_id,
                sa.func.max(sa.case((consent.c.status == "denied", 1), else_=0)).label("denied"),
                sa.func.max(sa.case((consent.c.status == "granted", 1), else_=0)).label("granted"),
            )
            .join(consent, consent.c.identifier_id == holder.c.identifier_id)
            .where(
                holder.c.person_id.in_(sa.select(given.c.p)),
                consent.c.purpose == purpose,
                consent.c.channel.in_((channel, "any")),
            )
            .group_by(holder.c.person_id)
        )
        return {row.person_id for row in found if row.granted and not row.denied}


class Cards:
    """Names of people, as a test gives them."""

    def __init__(self) -> None:
        self.known: dict[int, object] = {}

    def cards(self, tx, person_ids):
        from quanyu.messaging.contracts import PersonCard

        return {person: self.known.get(person, PersonCard(f"p_{person}")) for person in person_ids}
