"""The audit ledger: who saw, changed or exported what. Append-only and hash-chained.

Each entry's hash covers its content and the hash before it, so a changed, removed or inserted row breaks the
chain at that place. The database itself refuses updates and deletes (triggers in `tables`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import Caller, Scope
from quanyu.access.tables import audit_entry
from quanyu.kernel.clock import Clock, micros
from quanyu.storage.state import State

_FIRST = "0" * 64
_LOCK = 0x51594155  # one advisory lock for the chain's end
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the ledger; `number` counts within the brand, from 1."""

    number: int
    at: datetime
    actor_kind: str
    actor_id: str
    actor_name: str
    action: str
    subject: str
    detail: dict[str, Any]
    count: int
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the chain is whole, how many entries of the brand it has, and the first of them that does not fit.

    `broken_at` is None too when the chain broke at another brand's entry.
    """

    intact: bool
    entries: int
    broken_at: int | None


class Audit:
    """Writes and checks the ledger."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def record(
        self,
        caller: Caller,
        action: str,
        subject: str,
        detail: dict[str, Any] | None = None,
        *,
        count: int = 1,
        tx: sa.Connection | None = None,
    ) -> None:
        """Add an entry, in `tx` when given (then it stands or falls with what it describes).

        `detail` must hold no direct identifier in clear: name fields, not values.
        """
        if tx is None:
            with self._state.write() as own:
                self._append(own, caller, action, subject, detail or {}, count)
        else:
            self._append(tx, caller, action, subject, detail or {}, count)

    def _append(
        self, tx: sa.Connection, caller: Caller, action: str, subject: str, detail: dict[str, Any], count: int
    ) -> None:
        if tx.dialect.name == "postgresql":
            tx.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        last = tx.execute(
            sa.select(audit_entry.c.hash).order_by(audit_entry.c.seq.desc()).limit(1)
        ).scalar_one_or_none()
        own = audit_entry.c.brand_id == caller.scope.brand_id
        before = tx.execute(sa.select(sa.func.max(audit_entry.c.number)).where(own)).scalar_one()
        row = {
            "number": (before or 0) + 1,
            "brand_id": caller.scope.brand_id,
            "at": self._clock.now(),
            "actor_kind": caller.kind,
            "actor_id": caller.id,
            "actor_name": caller.name,
            "action": action,
            "subject": subject,
            "detail": json.dumps(detail, ensure_ascii=False, sort_keys=True, default=str),
            "count": count,
            "request_id": caller.request_id,
            "prev_hash": last or _FIRST,
        }
        row["hash"] = _digest(row)
        tx.execute(sa.insert(audit_entry).values(row))

    def entries(
        self,
        scope: Scope,
        *,
        actor: str | None = None,
        action: str | None = None,
        subject: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[AuditEntry]:
        """The newest entries of the scope's brand, before the number `before`."""
        table = audit_entry.c
        statement = sa.select(audit_entry).where(table.brand_id == scope.brand_id)
        if actor:
            statement = statement.where(sa.or_(table.actor_id == actor, table.actor_name == actor))
        if action:
            statement = statement.where(table.action == action)
        if subject:
            statement = statement.where(table.subject == subject)
        if before:
            statement = statement.where(table.number < before)
        with self._state.read() as tx:
            found = tx.execute(statement.order_by(table.number.desc()).limit(limit)).all()
        return [
            AuditEntry(
                row.number,
                row.at,
                row.actor_kind,
                row.actor_id,
                row.actor_name,
                row.action,
                row.subject,
                json.loads(row.detail),
                row._mapping["count"],  # noqa: SLF001 - `count` is a method of rows
                row.request_id,
            )
            for row in found
        ]

    def verify(self, scope: Scope) -> Verification:
        """Walk the whole chain and say whether it is intact, to somebody who may know of the scope's brand only."""
        previous, entries = _FIRST, 0
        in_order = sa.select(audit_entry).order_by(audit_entry.c.seq).execution_options(yield_per=_AT_ONCE)
        with self._state.read() as tx:
            for row in tx.execute(in_order).mappings():
                own = row["brand_id"] == scope.brand_id
                entries += own
                # The number is no part of the hash: that it counts on is what vouches for it.
                counts = not own or row["number"] == entries
                if row["prev_hash"] != previous or row["hash"] != _digest(dict(row)) or not counts:
                    return Verification(False, entries, row["number"] if own else None)
                previous = row["hash"]
        return Verification(True, entries, None)


def _digest(row: dict[str, Any]) -> str:
    parts = [
        row["prev_hash"],
        str(row["brand_id"]),
        str(micros(row["at"])),
        row["actor_kind"],
        row["actor_id"],
        row["actor_name"],
        row["action"],
        row["subject"],
        row["detail"],
        str(row["count"]),
        row["request_id"] or "",
    ]
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()
