"""The benchmark's data in the product's own stores, behind the product's own doors."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.audience_data import AT, CONSENT, LEVELS, Data, event_table
from benchmarks.result import Say
from quanyu.access.api import Audit
from quanyu.access.contracts import Scope
from quanyu.analytics.api import Visited
from quanyu.audiences.api import Audiences, profile_options
from quanyu.commerce.api import Bought
from quanyu.consent.api import Consent
from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.identity.api import Identity
from quanyu.kernel.clock import ManualClock, micros
from quanyu.kernel.ids import SeededIds
from quanyu.profiles.api import Profiles
from quanyu.storage.engine import DuckDBEngine
from quanyu.storage.history import History
from quanyu.storage.schema import metadata
from quanyu.storage.state import State
from quanyu.storage.streams import EventStreams
from quanyu.storage.vault import Vault

BRAND = Scope(1, "bench", currency="CNY", time_zone="UTC")
PREDICATES = (Visited, Bought)  # importing them registers them


def build(data: Data, folder: Path, say: Say) -> Audiences:
    """Write people and events into new stores below `folder`; the door over them."""
    state = State(f"sqlite:///{folder / 'state.sqlite'}")
    _fill_state(state, data)
    say("state written")
    history = History(folder / "history")
    history.declare("events", EVENT_SCHEMA)
    for day in data.days():
        history.append("events", event_table(day, BRAND.brand), app="bench", version=day.number + 1)
    say("history written")
    return open_doors(state, history)


def open_doors(state: State, history: History) -> Audiences:
    """The product's doors over the stores, put together as the product does."""
    clock, ids = ManualClock(AT), SeededIds(1)
    audit = Audit(state, clock)
    vault = Vault(state, bytes(32), clock)
    identity = Identity(state, vault, clock, ids, audit)
    profiles = Profiles(state, identity, vault, clock, ids, audit)
    return Audiences(
        state,
        DuckDBEngine(history, EVENT_SCHEMA),
        clock,
        ids,
        audit,
        people=identity,
        profiles=profiles,
        consents=Consent(state, identity, clock, audit),
        brand_scope=lambda _: BRAND,
        options=profile_options(profiles),
        streams=EventStreams(history),
    )


def _fill_state(state: State, data: Data) -> None:
    """One identifier per person, its traits and consent. Indexes are made after the rows: loading is not measured."""
    metadata.create_all(state.engine)
    at, n = micros(AT), data.people
    attributes = data.attributes()
    level = np.array(LEVELS)[attributes["level"]].tolist()
    same = itertools.repeat
    with state.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        raw.execute("PRAGMA synchronous=OFF")
        tables = ("identifier", "person", "trait", "consent_state")
        found = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
        indexes = [(name, sql) for name, sql in found if any(f" ON {t} " in sql for t in tables)]
        for name, _ in indexes:
            raw.execute(f"DROP INDEX {name}")
        raw.execute("BEGIN")
        _insert(raw, "identifier", identifier_rows(n, at))
        _insert(
            raw,
            "person",
            (
                {
                    "person_id": i,
                    "brand_id": 1,
                    "public_id": f"p_{i}",
                    "root_identifier_id": i,
                    "born_at": at,
                    "active": 1,
                    "home_store": None,
                    "owner_staff": None,
                }
                for i in range(1, n + 1)
            ),
        )
        _insert(
            raw,
            "trait",
            (
                {
                    "identifier_id": i,
                    "name": "level",
                    "brand_id": 1,
                    "op": "set",
                    "value": value,
                    "number": None,
                    "at": at,
                    "source": "bench",
                }
                for i, value in zip(range(1, n + 1), level, strict=True)
            ),
        )
        for channel in ("sms", "wecom"):
            stands = attributes[channel]
            people = (np.nonzero(stands)[0] + 1).tolist()
            status = [CONSENT[s] for s in stands[stands > 0].tolist()]
            _insert(
                raw,
                "consent_state",
                (
                    {
                        "identifier_id": i,
                        "purpose": "marketing",
                        "channel": ch,
                        "brand_id": 1,
                        "status": said,
                        "at": at,
                        "seq": i,
                    }
                    for i, said, ch in zip(people, status, same(channel), strict=False)
                ),
            )
        for _, sql in indexes:
            raw.execute(sql)
        raw.execute("COMMIT")
        raw.execute("ANALYZE")
        raw.execute("PRAGMA synchronous=FULL")


def identifier_rows(n: int, at: int) -> Iterator[dict[str, Any]]:
    """An identifier per person, with the same number."""
    for i in range(1, n + 1):
        yield {
            "identifier_id": i,
            "brand_id": 1,
            "namespace": "member_no",
            "issuer": "",
            "hash": f"{i:032x}",
            "sealed": b"",
            "masked": "",
            "person_id": i,
            "cluster_id": i,
            "state": 0,
            "sharing": 1,
            "born_at": at,
            "source": "bench",
            "anchored": 1,
            "moved": 0,
        }


def _insert(raw: Any, table: str, rows: Iterator[dict[str, Any]]) -> None:
    first = next(rows)
    known = {c.name for c in metadata.tables[table].c}
    missing = {c.name for c in metadata.tables[table].c if not c.nullable} - set(first)
    assert set(first) <= known, set(first) - known
    assert not missing, missing
    columns = ", ".join(f'"{name}"' for name in first)
    marks = ", ".join("?" for _ in first)
    values = (tuple(row.values()) for row in itertools.chain([first], rows))
    raw.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)
