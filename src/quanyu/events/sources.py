"""Sources: who may send, to which brand, with which write key.

A write key is 256 random bits shown once and stored as a hash. The collector asks for keys thousands of times a
second, so answers are remembered for a few seconds: that long a revoked key may live on. If the state store is
away, or does not answer, keys that are known go on working.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa

from quanyu.events import errors
from quanyu.events.contracts import Source
from quanyu.events.tables import source as source_table
from quanyu.kernel.clock import Clock
from quanyu.kernel.errors import Unavailable
from quanyu.kernel.ids import Ids
from quanyu.kernel.label import Label
from quanyu.storage.bulk import insert_ignore
from quanyu.storage.state import State

KINDS: dict[str, tuple[str, ...]] = {
    "sdk": ("segment", "sensors"),
    "file": ("arrow",),
    "callback": ("native",),
    "internal": ("native",),
}
# The kinds in which the product itself, or a channel's callbacks, record: no plan and no usual volume applies to them.
OWN = frozenset({"internal", "callback"})
_REMEMBER_SECONDS = 5.0
_REMEMBER_KEYS = 10_000
_PATIENCE_SECONDS = 1.0  # with the store, where an old answer would do
_LONGEST_PATIENCE_SECONDS = 10.0
_MAX_KEY_LENGTH = 200


def key_hash(write_key: str) -> str:
    """The form in which a write key is stored."""
    return hashlib.sha256(write_key.encode()).hexdigest()


class Sources:
    """Makes and finds sources."""

    def __init__(self, state: State, clock: Clock, ids: Ids) -> None:
        self._state = state
        self._clock = clock
        self._ids = ids
        self._known: dict[str, Source] = {}

    def create(
        self,
        tx: sa.Connection,
        *,
        source: str,
        brand_id: int,
        name: Label,
        kind: str,
        channel: str | None = None,
        made: bool = False,
        write_key: str | None = None,
    ) -> tuple[Source, str | None]:
        """A new source, with its write key if it is one that sends over HTTP. Raises Conflict when taken.

        `write_key` gives the key instead of drawing one: for a demonstration and tests only.
        """
        key = (write_key or f"wk_{self._ids.token()}") if kind == "sdk" else None
        values = {
            "source": source,
            "brand_id": brand_id,
            "name_zh": name.zh,
            "name_en": name.en,
            "kind": kind,
            "channel": channel,
            "key_hash": key_hash(key) if key else None,
            "key_hint": f"{key[:5]}…{key[-4:]}" if key else None,
            "made": made,
            "active": True,
            "made_at": self._clock.now(),
        }
        if insert_ignore(tx, source_table, [values]) != 1:
            raise errors.source_taken(source)
        row = tx.execute(sa.select(source_table).where(source_table.c.source == source)).one()
        return _source(row), key

    def ensure(
        self,
        tx: sa.Connection,
        *,
        source: str,
        brand_id: int,
        name: Label,
        kind: str,
        channel: str | None = None,
        made: bool = False,
    ) -> Source:
        """The source, made if it is missing (without a write key). Raises Conflict when another brand has it."""
        found = self._known.get(source)
        if found is None:
            row = tx.execute(sa.select(source_table).where(source_table.c.source == source)).one_or_none()
            if row is None:
                found, _ = self.create(
                    tx, source=source, brand_id=brand_id, name=name, kind=kind, channel=channel, made=made
                )
                return found  # not remembered: the transaction may still be rolled back
            found = self._known[source] = _source(row)
        if found.brand_id != brand_id:
            raise errors.source_taken(source)
        return found

    def get(self, source: str) -> Source | None:
        """The source, or None. Remembered for good: what a source is never changes, only whether it is active."""
        found = self._known.get(source)
        if found is None:
            with self._state.read() as tx:
                row = tx.execute(sa.select(source_table).where(source_table.c.source == source)).one_or_none()
            if row is not None:
                found = self._known[source] = _source(row)
        return found

    def list(self, brand_id: int) -> list[tuple[Source, Any]]:
        """The brand's sources by name, each with the time of its last event."""
        with self._state.read() as tx:
            rows = tx.execute(
                sa.select(source_table).where(source_table.c.brand_id == brand_id).order_by(source_table.c.source)
            ).all()
        return [(_source(row), row.last_event_at) for row in rows]


def basic_user(authorization: bytes | None) -> str | None:
    """The user name of HTTP Basic: where Segment's SDKs put the write key."""
    if authorization is None or authorization[:6].lower() != b"basic ":
        return None
    try:
        text = base64.b64decode(authorization[6:].strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return text.partition(":")[0] or None


class WriteKeys:
    """Finds the active source of a write key, fast. For one event loop."""

    def __init__(self, state: State, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, Source | None]] = {}
        self._asked: dict[str, asyncio.Future[Source | None]] = {}
        # Threads of its own: a store that hangs must not keep those that read large bodies.
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="write-keys")

    def remembered(self, write_key: str | None) -> Source | None:
        """The source that the key belongs to, if that was asked lately."""
        known = self._known.get(write_key or "")
        return known[1] if known is not None and known[0] > self._monotonic() else None

    async def find(self, write_key: str | None) -> Source | None:
        """The source that the key belongs to, or None. Raises Unavailable when nobody can say."""
        if not write_key or len(write_key) > _MAX_KEY_LENGTH:
            return None
        known = self._known.get(write_key)
        if known is not None and known[0] > self._monotonic():
            return known[1]
        old = known[1] if known is not None else None
        try:
            found = await self._ask(write_key, _LONGEST_PATIENCE_SECONDS if old is None else _PATIENCE_SECONDS)
        except Unavailable:
            if old is None:
                raise
            found = old
        if len(self._known) >= _REMEMBER_KEYS:  # made-up keys must not fill the memory
            self._known.clear()
        self._known[write_key] = (self._monotonic() + _REMEMBER_SECONDS, found)
        return found

    async def _ask(self, write_key: str, patience: float) -> Source | None:
        """What the store says; whoever comes meanwhile waits for the same answer. Raises Unavailable."""
        asked = self._asked.get(write_key)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._asked[write_key] = loop.run_in_executor(self._threads, self._look_up, write_key)
            asked.add_done_callback(
                lambda done: (self._asked.pop(write_key, None), done.cancelled() or done.exception())
            )
        done, _ = await asyncio.wait([asked], timeout=patience)
        if not done:
            raise errors.sources_unavailable()
        return asked.result()

    def _look_up(self, write_key: str) -> Source | None:
        with self._state.read() as tx:
            row = tx.execute(
                sa.select(source_table).where(
                    source_table.c.key_hash == key_hash(write_key), source_table.c.active.is_(True)
                )
            ).one_or_none()
        return None if row is None else _source(row)


def _source(row: Any) -> Source:
    return Source(
        row.source,
        row.brand_id,
        Label(row.name_zh, row.name_en),
        row.kind,
        row.channel,
        bool(row.made),
        bool(row.active),
        row.key_hint,
    )
