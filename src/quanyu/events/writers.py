"""The log as one process writes it: an ordinary writer and, beside it, one for whoever floods.

The micro-batch reads in order, so an event waits for all that lies before it in the same writer's log. Tables that a
connector brings, and sources that send far more than their part, therefore have a writer of their own: reading takes
turns among writers, and a till's receipt is not behind a million rows of somebody's import. How much may wait in that
log is bounded: past it whoever floods is refused, long before their flood has filled the disk for everybody.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from quanyu.events import errors
from quanyu.events.contracts import START, FrameHeader, Position
from quanyu.events.log import LogWriter, Waiting, segment_path, segments
from quanyu.events.protocols import native
from quanyu.kernel.errors import QuanyuError

log = logging.getLogger(__name__)

ORDINARY, BULK = "w", "b"

_WINDOW_SECONDS = 5.0
_HEAVY_EVENTS = 20_000  # of one source within a window
_LOOK_SECONDS = 0.25


class EventLog(Protocol):
    """Whatever makes frames durable."""

    async def append(self, header: FrameHeader, payload: bytes) -> Position:
        """Where the frame begins, once it is on the disk.

        Raises LogUnavailable, which is BacklogFull for whoever floods; then nothing was promised.
        """
        ...

    def submit(self, waiting: list[Waiting]) -> None:
        """`append` of many for code that does not wait. What is refused is told so, each by itself."""
        ...

    def append_now(self, frames: list[tuple[FrameHeader, bytes]]) -> list[Position]:
        """`append` for code that is not asynchronous: blocks until all frames are on the disk."""
        ...


class Writers:
    """An `EventLog` of two writers. Thread-safe. `open_` makes a writer whose folder's name begins as asked.

    `taken` says how far the named writer's log was worked off; no more than `max_backlog_bytes` may wait behind that
    in the log of whoever floods.
    """

    def __init__(
        self,
        open_: Callable[[str], LogWriter],
        monotonic: Callable[[], float] = time.monotonic,
        *,
        taken: Callable[[str], Position] = lambda _: START,
        max_backlog_bytes: int = 1 << 62,
    ) -> None:
        self._open = open_
        self._taken = taken
        self._max_backlog_bytes = max_backlog_bytes
        self._looked = -_LOOK_SECONDS
        self._look: asyncio.Task[None] | None = None
        self._full = False
        self._monotonic = monotonic
        self._writers = {ORDINARY: self._opened(ORDINARY)}
        self._lock = threading.Lock()
        self._window = monotonic()
        self._events: dict[str, int] = {}
        self._heavy: frozenset[str] = frozenset()

    async def append(self, header: FrameHeader, payload: bytes) -> Position:
        """See `EventLog`."""
        writer = self._writer(header)
        if writer is not self._writers[ORDINARY]:
            self._refuse_when_full(writer)
        return await writer.append(header, payload)

    def submit(self, waiting: list[Waiting]) -> None:
        """See `EventLog`."""
        groups: dict[LogWriter, list[Waiting]] = {}
        for item in waiting:
            try:
                groups.setdefault(self._writer(item.header), []).append(item)
            except QuanyuError as error:
                item.tell(error)
        for writer, group in groups.items():
            try:
                if writer is not self._writers[ORDINARY]:
                    self._refuse_when_full(writer)
                writer.submit(group)
            except QuanyuError as error:
                for item in group:
                    item.tell(error)

    def append_now(self, frames: list[tuple[FrameHeader, bytes]]) -> list[Position]:
        """See `EventLog`. All frames go to the writer of the first."""
        return self._writer(frames[0][0]).append_now(frames) if frames else []

    def close(self) -> None:
        """Write what waits and give the folders back."""
        with self._lock:
            for writer in self._writers.values():
                writer.close()

    def _refuse_when_full(self, writer: LogWriter) -> None:
        """Go by what was last seen, a part of a second ago: no request waits for a look, which a store may delay."""
        now = self._monotonic()
        if now - self._looked >= _LOOK_SECONDS and (self._look is None or self._look.done()):
            self._looked = now
            self._look = asyncio.create_task(asyncio.to_thread(self._look_at, writer))
        if self._full:
            raise errors.backlog_full(self._max_backlog_bytes)

    def _look_at(self, writer: LogWriter) -> None:
        try:
            self._full = waiting_bytes(writer.folder, self._taken(writer.name)) > self._max_backlog_bytes
        except (QuanyuError, OSError) as error:
            log.warning("backlog_not_seen", extra={"why": str(error)})

    def _writer(self, header: FrameHeader) -> LogWriter:
        kind = BULK if self._floods(header) else ORDINARY
        writer = self._writers.get(kind)
        if writer is None:
            with self._lock:
                writer = self._writers.get(kind)
                if writer is None:
                    writer = self._writers[kind] = self._opened(kind)
        return writer

    def _opened(self, kind: str) -> LogWriter:
        """A writer, for which a full disk may have no room."""
        try:
            return self._open(kind)
        except OSError as error:
            raise errors.log_broken(error.strerror or str(error)) from error

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


def waiting_bytes(folder: Path, after: Position) -> int:
    """How many bytes a writer's log holds behind a place."""
    size = 0
    for number in segments(folder):
        if number >= after.segment:
            try:
                size += segment_path(folder, number).stat().st_size
            except FileNotFoundError:  # worked off and deleted just now
                continue
            size -= after.offset if number == after.segment else 0
    return max(0, size)
