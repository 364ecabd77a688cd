"""The door of identity: resolve events to people, look people up, decide about links, and the one rule of scope."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from quanyu.access.api import Audit
from quanyu.access.contracts import Caller, Scope
from quanyu.events.contracts import NativeIdentifier
from quanyu.identity import decisions, everything, homes, people, sequences
from quanyu.identity.batch import Mentions, read
from quanyu.identity.blocking import Blocking
from quanyu.identity.contracts import (
    Decided,
    Explanation,
    Home,
    IdentifierView,
    PersonRef,
    PolicyPreview,
    Resolved,
)
from quanyu.identity.deciding import Deciding
from quanyu.identity.errors import (
    identifier_not_found,
    person_not_found,
    value_refused,
)
from quanyu.identity.hashes import Hashes, with_hash
from quanyu.identity.policies import Policy, PolicyBook
from quanyu.identity.resolution import ACCEPT, DENY, UNDECIDED
from quanyu.identity.resolving import resolve
from quanyu.identity.tables import identifier
from quanyu.identity.values import Normal, Refused, form_of
from quanyu.identity.workbench import Workbench
from quanyu.kernel.clock import Clock, micros
from quanyu.kernel.ids import Ids
from quanyu.storage.bulk import rows
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

__all__ = ["Identity", "Mentions"]


class Identity:
    """OneID over one state store. `region` is the country of phones that come without a calling code."""

    def __init__(
        self,
        state: State,
        vault: Vault,
        clock: Clock,
        ids: Ids,
        audit: Audit,
        *,
        book: PolicyBook | None = None,
        region: str = "CN",
    ) -> None:
        self.state = state
        self.book = book or PolicyBook()
        self._vault = vault
        self._clock = clock
        self._ids = ids
        self._audit = audit
        self._region = region
        self._hashes = Hashes(state)
        self._deciding = Deciding(state, clock, ids, audit, self.book)
        self.blocking = Blocking(state, vault, clock, ids, audit, self.book, region)

    # ------------------------------------------------------------------------------------------ events to people
    def read(self, batch: pa.Table) -> Mentions:
        """Whom a micro-batch (columns as `BATCH_SCHEMA`) mentions: what `resolve` can know before its transaction."""
        return read(batch, self.book, self._vault, lambda _: self._region)

    def resolve(self, tx: sa.Connection, batch: pa.Table, mentions: Mentions | None = None) -> Resolved:
        """The person of every event of a micro-batch (columns as `BATCH_SCHEMA`), in row order.

        Writes new identifiers, links and people, and settles the clusters that the batch touches. What events
        unbind (`traits.unbind`) is cut loose first. `mentions` is what `read` found in this batch.
        """
        now = micros(self._clock.now())
        unbound = self._unbind(tx, batch, now)
        return resolve(
            tx,
            batch,
            self.read(batch) if mentions is None else mentions,
            book=self.book,
            vault=self._vault,
            ids=self._ids,
            now=now,
            unbound=unbound,
            hashes=self._hashes,
        )

    def _unbind(self, tx: sa.Connection, batch: pa.Table, now: int) -> dict[tuple[int, str], int]:
        """Cut loose what is known already; (brand, hash) -> when, also of what the batch brings for the first time."""
        everything: dict[tuple[int, str], int] = {}
        traits = batch.column("traits")
        if traits.null_count == batch.num_rows:
            return everything
        naming = batch.filter(pc.fill_null(pc.match_substring(traits, '"unbind"'), False))
        cut: dict[int, dict[tuple[str, str], int]] = {}
        for row in naming.select(["brand_id", "occurred_at", "traits"]).to_pylist():
            for named in json.loads(row["traits"]).get("unbind") or ():
                form = self._form(str(named.get("namespace")), str(named.get("value")))
                if isinstance(form, Normal):
                    own = cut.setdefault(row["brand_id"], {})
                    key = (named["namespace"], form.value)
                    own[key] = max(own.get(key, 0), row["occurred_at"])
        for brand_id, values in cut.items():
            sequences.lock_people(tx, brand_id)
            hashes = self._vault.index_many(brand_id, values)
            everything |= {(brand_id, made): at for made, at in zip(hashes, values.values(), strict=True)}
            found = tx.execute(
                sa.select(identifier.c.identifier_id, identifier.c.hash).where(
                    with_hash(tx, hashes), identifier.c.brand_id == brand_id
                )
            ).all()
            if not found:
                continue
            given = rows(
                tx,
                {"identifier_id": sa.BigInteger, "at": sa.BigInteger},
                [(number, everything[brand_id, made]) for number, made in found],
            )
            tx.execute(
                sa.update(identifier)
                .where(
                    identifier.c.identifier_id == given.c.identifier_id,
                    sa.func.coalesce(sa.type_coerce(identifier.c.unbound_at, sa.BigInteger), -1) < given.c.at,
                )
                .values(unbound_at=given.c.at)
            )
            decisions.settle_around(self._bench(tx, brand_id, now), [row[0] for row in found])
        return everything

    def set_homes(self, tx: sa.Connection, given: Sequence[Home], person_of: Mapping[int, int]) -> None:
        """Keep where identifiers say their person belongs. `person_of`: whose each is now (0: nobody's)."""
        if given:
            homes.record(tx, given, person_of)

    def moved(self) -> pa.Table:
        """Identifiers whose events in history name a person they no longer belong to.

        Columns `moved_anchor`, `moved_person` (0: nobody any more): what the engine overrides.
        """
        with self.state.read() as tx:
            found = tx.execute(
                sa.select(identifier.c.identifier_id, identifier.c.person_id).where(identifier.c.moved)
            ).all()
        return pa.table(
            {
                "moved_anchor": pa.array([row[0] for row in found], pa.int64()),
                "moved_person": pa.array([row[1] for row in found], pa.int64()),
            }
        )

    def moved_token(self) -> str:
        """A token that changes whenever `moved` may."""
        with self.state.read() as tx:
            return str(sequences.peek(tx, "moves"))

    # ------------------------------------------------------------------------------------------ looking people up
    def visible_people(self, scope: Scope) -> sa.Select[int]:
        """The ids of the people that `scope` may see, as a statement: THE scope rule of the product."""
        return people.visible_people(scope)

    def sees(self, scope: Scope, person_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        """The scope rule as a condition on a column of another statement; looks people up one by one, by key."""
        return people.sees(scope, person_id)

    def person_of(self, public_id: str, scope: Scope, tx: sa.Connection | None = None) -> PersonRef:
        """The person with this public id (or whom they were merged into). Raises NotFound outside the scope."""
        if tx is not None:
            return people.person_of(tx, public_id, scope)
        with self.state.read() as own:
            return people.person_of(own, public_id, scope)

    def people_by_id(self, tx: sa.Connection, numbers: Iterable[int], scope: Scope) -> list[PersonRef]:
        """The visible ones among these people, in the given order."""
        return people.people_by_id(tx, numbers, scope)

    def find(self, tx: sa.Connection, query: str, scope: Scope) -> list[int]:
        """Visible people with exactly this phone, member number, email, other identifier or public id."""
        return people.find(tx, query, scope, self.book, self._vault, self._region)

    def holders(self) -> sa.Subquery:
        """Every identifier and the person who holds it today (0: nobody): `identifier_id`, `person_id`, `brand_id`."""
        columns = identifier.c
        return sa.select(columns.identifier_id, columns.person_id, columns.brand_id).subquery("holders")

    def person_with(self, tx: sa.Connection, brand_id: int, namespace: str, value: str) -> int | None:
        """The person who holds an identifier given in clear, or None. Raises Invalid for what is no identifier."""
        found = self.find_value(tx, brand_id, namespace, value)
        return None if found is None else found[1] or None

    def claim(self, tx: sa.Connection, caller: Caller, namespace: str, value: str) -> int:
        """The id of an identifier given in clear by a caller, made if it is new.

        Raises Invalid for a value that is no identifier, NotFound when its person is outside the caller's scope
        (or would be: a new person has no store and no guide yet).
        """
        scope = caller.scope
        found = self.find_value(tx, scope.brand_id, namespace, value)
        if not scope.whole_brand:
            seen = found is not None and bool(people.people_by_id(tx, [found[1]], scope))
            if not seen:
                raise person_not_found(namespace)
        if found is not None:
            return found[0]
        return self.record_identifier(tx, scope.brand_id, namespace, value, caller.kind)

    def find_value(self, tx: sa.Connection, brand_id: int, namespace: str, value: str) -> tuple[int, int] | None:
        """(identifier_id, person_id) of a value, or None. Raises Invalid for a value that is no identifier."""
        form = self._form(namespace, value)
        if isinstance(form, Refused):
            raise value_refused(namespace, form.reason)
        made = self._vault.index(brand_id, namespace, form.value)
        row = tx.execute(
            sa.select(identifier.c.identifier_id, identifier.c.person_id).where(
                with_hash(tx, [made]), identifier.c.brand_id == brand_id
            )
        ).first()
        return None if row is None else (int(row[0]), int(row[1]))

    def identifiers_of(self, tx: sa.Connection, numbers: Sequence[int]) -> list[IdentifierView]:
        """Every identifier that these people hold, masked, strongest first within each person."""
        return people.identifiers_of(tx, numbers, self.book) if numbers else []

    def anchors_of(self, tx: sa.Connection, numbers: Sequence[int]) -> dict[int, int]:
        """Of each person the identifier that stands for them: where contexts above note what is said of them."""
        return decisions.strongest(tx, self.book, numbers) if numbers else {}

    def explain(self, someone: PersonRef, tx: sa.Connection | None = None) -> Explanation:
        """Why a person is one person: identifiers, and every link that touches them with its reason."""
        if tx is not None:
            return people.explain(tx, someone, self.book)
        with self.state.read() as own:
            return people.explain(own, someone, self.book)

    def addresses(
        self, tx: sa.Connection, brand_id: int, person_ids: Iterable[int], namespace: str
    ) -> dict[int, list[str]]:
        """The clear values of a namespace that each of these people holds, oldest first: for dispatch only."""
        found: dict[int, list[str]] = {}
        for number, _, value in self.open_values(tx, brand_id, [int(one) for one in person_ids], [namespace]):
            found.setdefault(number, []).append(value)
        return found

    def clear_identifiers(self, tx: sa.Connection, identifier_ids: Iterable[int]) -> dict[int, NativeIdentifier]:
        """Identifiers in clear, for events that go into the (encrypted) log."""
        wanted = [(int(number),) for number in identifier_ids]
        if not wanted:
            return {}
        given = rows(tx, {"identifier_id": sa.BigInteger}, wanted)
        found = tx.execute(
            sa.select(
                identifier.c.identifier_id, identifier.c.brand_id, identifier.c.namespace, identifier.c.sealed
            ).join_from(given, identifier, identifier.c.identifier_id == given.c.identifier_id)
        ).all()
        return {
            row.identifier_id: NativeIdentifier(row.namespace, self._vault.open_text(row.brand_id, row.sealed))
            for row in found
        }

    def open_values(
        self, tx: sa.Connection, brand_id: int, numbers: Sequence[int], namespaces: Sequence[str]
    ) -> list[tuple[int, str, str]]:
        """(person_id, namespace, value in clear) of what these people hold in `namespaces`: for dispatch only.

        Callers audit it themselves: it is how a channel gets its addressee, never what a screen shows.
        """
        if not numbers:
            return []
        given = rows(tx, {"person_id": sa.BigInteger}, [(int(number),) for number in numbers])
        found = tx.execute(
            sa.select(identifier.c.person_id, identifier.c.brand_id, identifier.c.namespace, identifier.c.sealed)
            .join_from(given, identifier, identifier.c.person_id == given.c.person_id)
            .where(identifier.c.namespace.in_(list(namespaces)), identifier.c.brand_id == brand_id)
            .order_by(identifier.c.person_id, identifier.c.identifier_id)
        ).all()
        return [(row.person_id, row.namespace, self._vault.open_text(row.brand_id, row.sealed)) for row in found]

    def reveal(self, tx: sa.Connection, caller: Caller, someone: PersonRef, identifier_id: int, reason: str) -> str:
        """One identifier of a person in clear, written into the audit ledger. Raises Denied, NotFound."""
        caller.require("people.reveal")
        row = tx.execute(
            sa.select(identifier.c.namespace, identifier.c.sealed).where(
                identifier.c.identifier_id == identifier_id, identifier.c.person_id == someone.person_id
            )
        ).first()
        if row is None:
            raise identifier_not_found(identifier_id)
        self._audit.record(
            caller,
            "person_revealed",
            someone.public_id,
            {"identifier_id": identifier_id, "namespace": row.namespace, "reason": reason},
            tx=tx,
        )
        return self._vault.open_text(someone.brand_id, row.sealed)

    # ------------------------------------------------------------------------------------------------- decisions
    def deny(self, caller: Caller, link_id: int, reason: str, *, preview: bool = False) -> Decided:
        """Say that a link is wrong: its person splits as if the link had never been. Raises NotFound, Conflict."""
        return self._deciding.decide(caller, link_id, DENY, reason, preview)

    def restore(self, caller: Caller, link_id: int, reason: str = "", *, preview: bool = False) -> Decided:
        """Take a denial or an acceptance back: the policies decide again. Raises NotFound, Conflict."""
        return self._deciding.decide(caller, link_id, UNDECIDED, reason, preview)

    def accept(self, caller: Caller, link_id: int, reason: str, *, preview: bool = False) -> Decided:
        """Say that a refused link is right whatever the limits say. Raises NotFound, Conflict."""
        return self._deciding.decide(caller, link_id, ACCEPT, reason, preview)

    def merge(self, caller: Caller, public_ids: Sequence[str], reason: str, *, preview: bool = False) -> Decided:
        """Say that these people are one. The link that is made can be denied, which undoes exactly this.

        Raises NotFound for a person outside the scope, Invalid for fewer than two.
        """
        return self._deciding.merge(caller, public_ids, reason, preview=preview)

    # -------------------------------------------------------------------------------------------------- policies
    def policies(self) -> tuple[Policy, ...]:
        """The policies in force, strongest first."""
        return self.book.policies

    def policy(self, namespace: str) -> Policy:
        """The policy of a namespace. Raises Invalid when there is none."""
        found = self.book.get(namespace)
        if found is None:
            raise value_refused(namespace, "unknown_namespace")
        return found

    def preview_policies(self, scope: Scope, changes: Sequence[Policy]) -> PolicyPreview:
        """What exchanging these policies would do to the brand's people: counts and examples; nothing is written.

        With no changes it is the check that resolving batch by batch led to the same people as everything at once.
        """
        with self.state.read() as tx:
            whole = everything.load(tx, scope.brand_id)
            found = everything.compare(whole, everything.decide(whole, self.book.replaced(changes)))
            return PolicyPreview(
                found.people_before,
                found.people_after,
                found.merged,
                found.split,
                found.demoted,
                decisions.public_ids(tx, found.merged_examples),
                decisions.public_ids(tx, found.split_examples),
            )

    # --------------------------------------------------------------------------------------------- locks, helpers
    @staticmethod
    def enter_gate(tx: sa.Connection, brand_id: int) -> None:
        """Hold people and consent still until the transaction ends. First in a gate's transaction, before it reads."""
        sequences.enter_gate(tx, brand_id)

    @staticmethod
    def close_gate(tx: sa.Connection, brand_id: int) -> None:
        """Wait for readers in the gate and keep it closed until commit: before a change of consent is committed."""
        sequences.close_gate(tx, brand_id)

    def record_identifier(self, tx: sa.Connection, brand_id: int, namespace: str, value: str, source: str) -> int:
        """The id of an identifier that is known by itself, without an event; made if it is new.

        Raises Invalid for a value that is no identifier.
        """
        form = self._form(namespace, value)
        if isinstance(form, Refused):
            raise value_refused(namespace, form.reason)
        now = micros(self._clock.now())
        one = {
            "brand_id": pa.array([brand_id], pa.int64()),
            "occurred_at": pa.array([now], pa.int64()),
            "source": pa.array([source]),
            "event_id": pa.array([""]),
            "name": pa.array([""]),
            "raw_identifiers": pa.array(
                [[{"namespace": namespace, "value": value}]],
                pa.list_(pa.struct([("namespace", pa.string()), ("value", pa.string())])),
            ),
        }
        batch = pa.table(one)
        resolved = resolve(
            tx,
            batch,
            self.read(batch),
            book=self.book,
            vault=self._vault,
            ids=self._ids,
            now=now,
            hashes=self._hashes,
        )
        return int(resolved.carried.identifier_id[0])

    def _form(self, namespace: str, value: str) -> Normal | Refused:
        return form_of(self.book, namespace, value, self._region)

    def _bench(self, tx: sa.Connection, brand_id: int, now: int) -> Workbench:
        return Workbench(tx, brand_id, self.book, self._ids, now)
