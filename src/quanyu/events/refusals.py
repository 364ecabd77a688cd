"""Refused rows of imports in quarantine, by the import (`call`) that refused them: to list, download, and put away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa

from quanyu.events.contracts import RefusedRow
from quanyu.events.protocols import refused_rows
from quanyu.events.tables import quarantine
from quanyu.storage.vault import SealBroken, Vault


def of_call(
    tx: sa.Connection, vault: Vault, brand_id: int, call: str, limit: int | None = None
) -> Iterator[RefusedRow]:
    """The refused rows of an import in the order of the file, opened."""
    statement = (
        sa.select(quarantine.c.raw)
        .where(quarantine.c.brand_id == brand_id, quarantine.c.call == call)
        .where(quarantine.c.protocol == refused_rows.PROTOCOL)
    )
    found = []
    for raw in tx.execute(statement).scalars():
        try:
            row = refused_rows.read(vault.open(brand_id, raw))
        except SealBroken:
            continue  # the brand's key was destroyed
        if row is not None:
            found.append(row)
    yield from sorted(found, key=lambda row: row.row)[:limit]


def put_away(tx: sa.Connection, brand_id: int, calls: Sequence[str], note: str, by: str, at: datetime) -> int:
    """Give up what is still held of these imports, because the file was imported again; how many rows."""
    changed = tx.execute(
        sa.update(quarantine)
        .where(
            quarantine.c.brand_id == brand_id,
            quarantine.c.call.in_(list(calls)),
            quarantine.c.protocol == refused_rows.PROTOCOL,
            quarantine.c.status == "held",
        )
        .values(status="discarded", resolved_at=at, resolved_by=by, note=note)
    )
    return changed.rowcount
