"""What every part of the sandbox holds on to: the store, the time, the luck, and two to-do lists.

The agenda is what people will do (when it is due in the world's time); the outgoing list is what must be told to the
brand over HTTP (as soon as possible, in real time). Both are rows, written in the transaction that causes them.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any

from quanyu_sandbox.chance import Chance
from quanyu_sandbox.clock import SECOND, Clock
from quanyu_sandbox.settings import SandboxSettings
from quanyu_sandbox.store import Store


class Bell:
    """Wakes whoever waits for news: the engine, the courier, and the pages that are open."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()

    def listen(self) -> asyncio.Event:
        """An event that is set at every ring; clear it before looking."""
        event = asyncio.Event()
        self._listeners.add(event)
        return event

    def leave(self, event: asyncio.Event) -> None:
        """Stop being woken."""
        self._listeners.discard(event)

    def ring(self) -> None:
        """Something has changed."""
        for event in self._listeners:
            event.set()


class World:
    """The shared ground of the sandbox."""

    def __init__(self, store: Store, settings: SandboxSettings, clock: Clock) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock
        self.chance = Chance(settings.seed)
        self.bell = Bell()

    @property
    def customers_act(self) -> bool:
        """Whether customers do things by themselves."""
        return self.settings.auto or self.clock.virtual

    def pause(self, mean: float, *key: object) -> int:
        """Microseconds that a person takes, from the seed; shortened by the speed when time is real."""
        seconds = self.chance.delay(mean, *key)
        return int(seconds * SECOND / (1.0 if self.clock.virtual else self.settings.speed))

    def plan(self, db: sqlite3.Connection, due_at: int, kind: str, *subject: object) -> None:
        """Put something on the agenda; the same thing stands there once."""
        key = ":".join(map(str, (kind, *subject)))
        db.execute(
            "INSERT OR IGNORE INTO agenda (key, due_at, kind, subject) VALUES (?,?,?,?)",
            (key, due_at, kind, json.dumps(subject)),
        )

    def tell(self, db: sqlite3.Connection, lane: str, key: str, payload: dict[str, Any], at: int) -> None:
        """Queue something for the brand: `callback`, `event`, `view` or `redeem`; the same key is told once."""
        db.execute(
            "INSERT OR IGNORE INTO outgoing (key, lane, payload, at) VALUES (?,?,?,?)",
            (key, lane, json.dumps(payload, ensure_ascii=False), at),
        )
