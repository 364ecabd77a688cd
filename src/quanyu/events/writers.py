"""The log as one process writes it: an ordinary writer and, beside it, one for whoever floods.

The micro-batch reads in order, so an event waits for all that lies before it in the same writer's log. Tables that a
connector brings, and sources that send far more than their part, therefore have a writer of their own: reading takes
turns among writers, and a till's receipt is not behind a million rows of somebody's import.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from quanyu.events.contracts import FrameHeader, Position
from quanyu.events.log import LogWriter
from quanyu.events.protocols import native

ORDINARY, BULK = "w", "b"

_WINDOW_SECONDS = 5.0
_HEAVY_EVENTS = 20_000  # of one source within a window


class EventLog(Protocol):
    """Whatever makes frames durable."""

    async def append(self, header: FrameHeader, payload: bytes) -> Position:
        """Where the frame begins, once it is on the disk. Raises LogUnavailable; then nothing was promised."""
        ...

    def append_now(self, frames: list[tuple[FrameHeader, bytes]]) -> list[Position]:
        """`append` for code that is not asynchronous: blocks until all frames are on the disk."""
        ...


class Writers:
    """An `EventLog` of two writers. Thread-safe. `open_` makes a writer whose folder's name begins as asked."""

    def __init__(self, open_: Callable[[str], LogWriter], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._open = open_
        self._monotonic = monotonic
        self._writers = {ORDINARY: open_(ORDINARY)}
        self._lock = threading.Lock()
        self._window = monotonic()
        self._events: dict[str, int] = {}
        self._heavy: frozenset[str] = frozenset()

    async def append(self, header: FrameHeader, payload: bytes) -> Position:
        """See `EventLog`."""
        return await self._writer(header).append(header, payload)

    def append_now(self, frames: list[tuple[FrameHeader, bytes]]) -> list[Position]:
        """See `EventLog`. All frames go to the writer of the first."""
        return self._writer(frames[0][0]).append_now(frames) if frames else []

    def close(self) -> None:
        """Write what waits and give the folders back."""
        with self._lock:
            for writer in self._writers.values():
                writer.close()

    def _writer(self, header: FrameHeader) -> LogWriter:
        kind = BULK if self._floods(header) else ORDINARY
        writer = self._writers.get(kind)
        if writer is None:
            with self._lock:
                writer = self._writers.get(kind)
                if writer is None:
                    writer = self._writers[kind] = self._open(kind)
        return writer

    def _floods(self, header: FrameHeader) -> bool:
        """Whether the frame is one of many: a table, or of a source over its part in this window or the last."""
        if header.protocol == native.TABLE_PROTOCOL:
            return True
        now = self._monotonic()
        if now - self._window > _WINDOW_SECONDS:
            recent = now - self._window < 2 * _WINDOW_SECONDS
            self._heavy = frozenset(one for one, count in self._events.items() if recent and count > _HEAVY_EVENTS)
            self._events, self._window = {}, now
        count = self._events[header.source] = self._events.get(header.source, 0) + header.events
        return count > _HEAVY_EVENTS or header.source in self._heavy
