"""Building batches, and reading the people that came out of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from quanyu.access.api import Access
from quanyu.access.contracts import PERMISSIONS, Caller, Scope
from quanyu.events.contracts import BATCH_SCHEMA
from quanyu.identity.api import Identity
from quanyu.identity.tables import identifier
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import Ids
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

Id = tuple[str, str]


@dataclass(frozen=True)
class Event:
    """An event of a test: when, with which identifiers, and whatever else matters to it."""

    at: int
    identifiers: tuple[Id, ...]
    name: str = "page_viewed"
    source: str = "web"
    event_id: str = ""
    traits: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


def batch(events: Sequence[Event], brand_id: int = 1) -> pa.Table:
    """The events as the micro-batch carries them."""
    rows = []
    for event in events:
        row: dict[str, Any] = dict.fromkeys(BATCH_SCHEMA.names)
        row |= {
            "event_id": event.event_id or f"e{event.at}",
            "source": event.source,
            "name": event.name,
            "occurred_at": event.at,
            "received_at": event.at,
            "day": "2026-03-02",
            "brand": f"b{brand_id}",
            "brand_id": brand_id,
            "person_id": 0,
            "anchor_id": 0,
            "identifiers": [],
            "raw_identifiers": [{"namespace": ns, "value": value} for ns, value in event.identifiers],
            "traits": json.dumps(event.traits, ensure_ascii=False) if event.traits else None,
            "properties": "{}",
        }
        row |= event.more
        rows.append(row)
    return pa.Table.from_pylist(rows, BATCH_SCHEMA)


def door(state: State, vault: Vault, clock: ManualClock, ids: Ids) -> Identity:
    """Identity over the test's stores."""
    return Identity(state, vault, clock, ids, Access(state, clock, ids).audit)


def caller(brand_id: int = 1, **scope: Any) -> Caller:
    """Somebody who may do everything within a scope."""
    return Caller(
        "user",
        "u1",
        "Li Lei",
        Scope(brand_id, f"b{brand_id}", **scope),
        frozenset(PERMISSIONS),
        role="owner",
    )


def load(identity: Identity, events: Iterable[Event], brand_id: int = 1, size: int = 1000) -> None:
    """Resolve events in batches of `size`, each in its own transaction."""
    events = list(events)
    for start in range(0, len(events), size):
        with identity.state.write() as tx:
            identity.resolve(tx, batch(events[start : start + size], brand_id))


def people(state: State, brand_id: int = 1) -> dict[int, set[str]]:
    """person_id -> masked-free names (`namespace=hash`) of the identifiers held; nobody is 0."""
    found: dict[int, set[str]] = {}
    with state.read() as tx:
        for row in tx.execute(
            sa.select(identifier.c.person_id, identifier.c.namespace, identifier.c.hash).where(
                identifier.c.brand_id == brand_id
            )
        ):
            found.setdefault(row.person_id, set()).add(f"{row.namespace}={row.hash}")
    return found


def partition(state: State, vault: Vault, values: Iterable[Id], brand_id: int = 1) -> set[frozenset[Id]]:
    """Who belongs together, in clear; each identifier of nobody stands alone."""
    clear = {f"{ns}={vault.index(brand_id, ns, value)}": (ns, value) for ns, value in values}
    groups = set()
    for number, members in people(state, brand_id).items():
        known = [clear[name] for name in members]
        groups |= {frozenset([one]) for one in known} if number == 0 else {frozenset(known)}
    return groups
