"""Values that identify nobody in one brand: a store's own phone, a demonstrator's account; named, listed, taken back.

Values that identify nobody in any brand are not kept here: they are in `policies`.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from quanyu.access.api import Audit
from quanyu.access.contracts import Caller, Scope
from quanyu.identity import decisions, sequences
from quanyu.identity.contracts import BlockedValue
from quanyu.identity.errors import blocked_value_not_found, value_refused
from quanyu.identity.hashes import with_hash
from quanyu.identity.policies import PolicyBook
from quanyu.identity.resolution import ACTIVE, BLOCKED, CROWDED
from quanyu.identity.tables import blocked_value, identifier
from quanyu.identity.values import Refused, form_of, mask
from quanyu.identity.workbench import Workbench, load
from quanyu.kernel.clock import Clock, micros
from quanyu.kernel.ids import Ids
from quanyu.storage.bulk import upsert
from quanyu.storage.state import State
from quanyu.storage.vault import Vault


class Blocking:
    """Keeps a brand's list of values that identify nobody."""

    def __init__(
        self, state: State, vault: Vault, clock: Clock, ids: Ids, audit: Audit, book: PolicyBook, region: str
    ) -> None:
        self.state = state
        self.book = book
        self._vault = vault
        self._clock = clock
        self._ids = ids
        self._audit = audit
        self._region = region

    def block(self, caller: Caller, values: Sequence[tuple[str, str]], reason: str) -> int:
        """Values (namespace, value) that identify nobody from now on. How many were new.

        Whoever they glued together falls apart at once. Raises Invalid for a value that is no identifier.
        """
        scope, at = caller.scope, self._clock.now()
        forms: dict[tuple[str, str], None] = {}
        for namespace, value in values:
            form = form_of(self.book, namespace, value, self._region)
            if isinstance(form, Refused):
                raise value_refused(namespace, form.reason)
            forms[namespace, form.value] = None
        hashes = self._vault.index_many(scope.brand_id, forms)
        with self.state.write() as tx:
            sequences.lock_people(tx, scope.brand_id)
            known = set(
                tx.execute(sa.select(blocked_value.c.hash).where(blocked_value.c.brand_id == scope.brand_id)).scalars()
            )
            made = [
                {
                    "brand_id": scope.brand_id,
                    "hash": text,
                    "namespace": namespace,
                    "masked": mask(namespace, value),
                    "reason": reason,
                    "blocked_by": caller.name,
                    "at": at,
                }
                for text, (namespace, value) in zip(hashes, forms, strict=True)
                if text not in known
            ]
            upsert(tx, blocked_value, made, ["brand_id", "hash"], ["reason"])
            numbers = (
                tx.execute(
                    sa.update(identifier)
                    .where(
                        with_hash(tx, [text for text in hashes if text not in known]),
                        identifier.c.brand_id == scope.brand_id,
                    )
                    .values(state=BLOCKED)
                    .returning(identifier.c.identifier_id)
                )
                .scalars()
                .all()
            )
            if numbers:
                bench = Workbench(tx, scope.brand_id, self.book, self._ids, micros(at))
                decisions.settle_around(bench, [int(n) for n in numbers])
            self._audit.record(caller, "identifiers_blocked", scope.brand, {"reason": reason}, count=len(made), tx=tx)
        return len(made)

    def unblock(self, caller: Caller, value_id: str, reason: str) -> None:
        """Let a value identify people again: they are as if it had never been blocked. Raises NotFound."""
        scope, at = caller.scope, self._clock.now()
        with self.state.write() as tx:
            sequences.lock_people(tx, scope.brand_id)
            gone = tx.execute(
                sa.delete(blocked_value)
                .where(blocked_value.c.brand_id == scope.brand_id, blocked_value.c.hash == value_id)
                .returning(blocked_value.c.namespace, blocked_value.c.masked)
            ).one_or_none()
            if gone is None:
                raise blocked_value_not_found(value_id)
            found = sa.and_(identifier.c.brand_id == scope.brand_id, with_hash(tx, [value_id]))
            number = tx.execute(sa.select(identifier.c.identifier_id).where(found)).scalar_one_or_none()
            if number is not None:
                # Looked for while it is still blocked: those who were seen with it are in clusters of their own.
                clusters = decisions.clusters_around(tx, [int(number)])
                # With that many links it would be shared by too many whatever the policy says.
                state = CROWDED if clusters is None else ACTIVE
                tx.execute(sa.update(identifier).where(found).values(state=state))
                if clusters is not None:
                    bench = Workbench(tx, scope.brand_id, self.book, self._ids, micros(at))
                    bench.settle(*load(tx, clusters))
            detail = {"namespace": gone.namespace, "value": gone.masked, "reason": reason}
            self._audit.record(caller, "identifier_unblocked", scope.brand, detail, count=1, tx=tx)

    def list_values(self, scope: Scope, before: tuple[int, str] | None, limit: int) -> tuple[list[BlockedValue], int]:
        """The brand's blocked values, masked, newest first, and how many there are. `before`: where a page ended."""
        mine = blocked_value.c.brand_id == scope.brand_id
        at = sa.type_coerce(blocked_value.c.at, sa.BigInteger)
        query = sa.select(blocked_value).where(mine).order_by(at.desc(), blocked_value.c.hash).limit(limit)
        if before is not None:
            moment, value_id = before
            query = query.where(sa.or_(at < moment, sa.and_(at == moment, blocked_value.c.hash > value_id)))
        with self.state.read() as tx:
            total = tx.execute(sa.select(sa.func.count()).select_from(blocked_value).where(mine)).scalar_one()
            found = tx.execute(query).all()
        return [
            BlockedValue(row.hash, row.namespace, row.masked, row.reason, row.blocked_by, row.at) for row in found
        ], int(total)
