"""The durable log, its writing side: many requests, one `fdatasync`, and only then an answer.

Each writer has a folder of its own (`w00`, `w01`, … the first that is free), held by a lock and filled
with numbered segments. One thread compresses and seals everything that waits; another writes what is sealed,
syncs once, and only then tells the waiting requests. What cannot be written or synced is refused to every request of
the group, and the next group goes to a fresh segment: after a failed sync the kernel may have dropped the pages,
so the old file is never trusted again beyond its last good frame. Reading is in `reader.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quanyu.events import errors
from quanyu.events.contracts import FrameHeader, Position
from quanyu.events.disk import Disk, lock
from quanyu.events.frames import MAGIC, FrameCodec
from quanyu.events.rot import ends

log = logging.getLogger(__name__)

SUFFIX = ".log"
_GROUP_BYTES = 16 << 20
_FREE_CHECK_SECONDS = 1.0


# Hears where the frame begins, once it is on the disk, or why it is not: then nothing was promised.
Tell = Callable[[Position | Exception], None]


@dataclass(slots=True)
class Waiting:
    """A frame on its way to the disk."""

    header: FrameHeader
    payload: bytes
    tell: Tell
    loop: asyncio.AbstractEventLoop | None = None  # in which to tell it; without one, in the writing thread


@dataclass(slots=True)
class LogFigures:
    """What the writer did since it was opened."""

    frames: int = 0
    groups: int = 0
    bytes: int = 0
    failures: int = 0
    sync_seconds: float = 0.0
    seal_seconds: float = field(default=0.0)


def segment_path(folder: Path, number: int) -> Path:
    """The file of a segment."""
    return folder / f"{number:010d}{SUFFIX}"


def segments(folder: Path) -> list[int]:
    """The numbers of a writer's segments, ascending."""
    return sorted(int(path.stem) for path in folder.glob(f"*{SUFFIX}"))


class LogWriter:
    """Appends frames durably. Thread-safe. `close` it to give the folder back."""

    def __init__(
        self,
        root: Path,
        cipher: AESGCM,
        *,
        prefix: str = "w",
        segment_bytes: int = 64 << 20,
        queue_bytes: int = 64 << 20,
        reserve_bytes: int = 128 << 20,
        disk: Disk | None = None,
    ) -> None:
        self._disk = disk or Disk()
        self._codec = FrameCodec(cipher)
        self._segment_bytes = segment_bytes
        self._queue_bytes = queue_bytes
        self._reserve_bytes = reserve_bytes
        self.figures = LogFigures()
        root.mkdir(parents=True, exist_ok=True)
        self.name, self._lock_handle = _claim(root, prefix)
        self.folder = root / self.name
        self._number = 0
        self._handle: int | None = None
        self._size = 0
        self._mend_tail()
        self._free_checked = 0.0
        self._free: int | None = None
        self._waiting: deque[Waiting] = deque()
        self._waiting_bytes = 0
        self._wake = threading.Condition()
        self._closing = False
        self._sealed: deque[tuple[list[Waiting], list[bytes]]] = deque()
        self._sealing_done = False
        self._threads = [
            threading.Thread(target=work, name=f"event-log-{self.name}-{work.__name__}", daemon=True)
            for work in (self._seal_all, self._write_all)
        ]
        for thread in self._threads:
            thread.start()

    async def append(self, header: FrameHeader, payload: bytes) -> Position:
        """Where the frame begins, once it is on the disk. Raises LogUnavailable; then nothing was promised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Position] = loop.create_future()
        self._enqueue([Waiting(header, payload, partial(_settle, future), loop)])
        return await future

    def submit(self, waiting: list[Waiting]) -> None:
        """`append` of many for code that does not wait. Raises LogUnavailable at once, for all of them."""
        self._enqueue(waiting)

    def append_now(self, frames: list[tuple[FrameHeader, bytes]]) -> list[Position]:
        """`append` for code that is not asynchronous: blocks until all frames are on the disk."""
        futures: list[Future[Position]] = [Future() for _ in frames]
        for (header, payload), future in zip(frames, futures, strict=True):
            # one at a time, so that a big load is held back instead of refused
            self._enqueue([Waiting(header, payload, partial(_settle, future))], patient=True)
        return [future.result() for future in futures]

    def close(self) -> None:
        """Write what waits, stop the threads and give the folder back."""
        with self._wake:
            if self._closing:
                return
            self._closing = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()
        if self._handle is not None:
            self._disk.close(self._handle)
            self._handle = None
        os.close(self._lock_handle)

    def _enqueue(self, waiting: list[Waiting], *, patient: bool = False) -> None:
        size = sum(len(item.payload) for item in waiting)
        with self._wake:
            while (
                patient and self._waiting_bytes and self._waiting_bytes + size > self._queue_bytes and not self._closing
            ):
                self._wake.wait(1.0)
            if self._closing:
                raise errors.log_closed()
            if self._waiting_bytes and self._waiting_bytes + size > self._queue_bytes:
                raise errors.log_busy()
            self._waiting.extend(waiting)
            self._waiting_bytes += size
            self._wake.notify_all()

    def _seal_all(self) -> None:
        """Thread: compress and seal what waits, while the other thread waits for the disk."""
        while True:
            with self._wake:
                while not self._waiting and not self._closing:
                    self._wake.wait()
                if not self._waiting:
                    self._sealing_done = True
                    self._wake.notify_all()
                    return
                group: list[Waiting] = []
                size = 0
                while self._waiting and (not group or size + len(self._waiting[0].payload) <= _GROUP_BYTES):
                    size += len(self._waiting[0].payload)
                    group.append(self._waiting.popleft())
            started = time.perf_counter()
            try:
                frames = self._codec.encode_many([(item.header, item.payload) for item in group])
            except Exception as error:  # the thread must outlive anything
                log.exception("event_log_sealing_failed")
                self._finish(group, errors.log_broken(type(error).__name__))
                continue
            self.figures.seal_seconds += time.perf_counter() - started
            with self._wake:
                self._sealed.append((group, frames))
                self._wake.notify_all()

    def _write_all(self) -> None:
        """Thread: write and sync everything that is sealed, then tell those who wait for it."""
        while True:
            with self._wake:
                while not self._sealed and not self._sealing_done:
                    self._wake.wait()
                if not self._sealed:
                    return
                group: list[Waiting] = []
                frames: list[bytes] = []
                size = 0
                while self._sealed and size <= _GROUP_BYTES:
                    items, sealed = self._sealed.popleft()
                    group += items
                    frames += sealed
                    size += sum(map(len, sealed))
            try:
                places = self._write(frames)
            except errors.LogUnavailable as error:
                self._finish(group, error)
            except OSError as error:
                self._abandon(error)
                self._finish(group, errors.log_broken(error.strerror or str(error)))
            except Exception as error:  # the thread must outlive anything
                log.exception("event_log_writer_failed")
                self._abandon(error)
                self._finish(group, errors.log_broken(type(error).__name__))
            else:
                self._finish(group, places)

    def _finish(self, group: list[Waiting], outcome: list[Position] | Exception) -> None:
        with self._wake:
            self._waiting_bytes -= sum(len(item.payload) for item in group)
            self._wake.notify_all()
        _tell_group(group, outcome)

    def _write(self, frames: list[bytes]) -> list[Position]:
        self._check_free()
        if self._handle is None or self._size >= self._segment_bytes:
            self._begin_segment()
        assert self._handle is not None
        places = []
        at = self._size
        for frame in frames:
            places.append(Position(self._number, at))
            at += len(frame)
        self._disk.write(self._handle, b"".join(frames))
        started = time.perf_counter()
        self._disk.sync(self._handle)
        figures = self.figures
        figures.sync_seconds += time.perf_counter() - started
        figures.frames += len(frames)
        figures.groups += 1
        figures.bytes += at - self._size
        self._size = at
        return places

    def _begin_segment(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            self._disk.close(handle)
        self._number += 1
        self._handle = self._disk.create(segment_path(self.folder, self._number))
        self._size = 0
        self._disk.write(self._handle, MAGIC)
        self._size = len(MAGIC)

    def _abandon(self, error: BaseException) -> None:
        """Leave the segment at its last synced byte; the next group begins another one."""
        self.figures.failures += 1
        log.error("event_log_write_failed", extra={"writer": self.name, "segment": self._number, "why": str(error)})
        self._free = None
        handle, self._handle = self._handle, None
        path = segment_path(self.folder, self._number)
        try:
            if handle is not None:
                self._disk.close(handle)
            # Cutting the tail is neatness, not safety: nobody was told that it is there, and its repetition is
            # recognised by the events' ids.
            if path.exists():
                self._disk.truncate(path, self._size)
        except OSError as problem:
            log.warning("event_log_tail_left", extra={"writer": self.name, "why": str(problem)})

    def _check_free(self) -> None:
        now = time.monotonic()
        if self._free is None or now - self._free_checked > _FREE_CHECK_SECONDS or self._free < self._reserve_bytes:
            self._free = self._disk.free(self.folder)
            self._free_checked = now
        if self._free < self._reserve_bytes:
            raise errors.log_full(self._free, self._reserve_bytes)

    def _mend_tail(self) -> None:
        """Cut the torn end off the newest segment. New frames go to the next one.

        Frames that are all there and have rotted stay: with a segment behind them the reader reports them.
        """
        found = segments(self.folder)
        if not found:
            return
        self._number = found[-1]
        path = segment_path(self.folder, self._number)
        data = path.read_bytes()
        whole, end = ends(data)
        place = {"writer": self.name, "segment": self._number}
        if end < len(data):
            log.warning("event_log_tail_cut", extra={**place, "bytes": len(data) - end})
            self._disk.truncate(path, end)
        if whole < end:
            log.error("event_log_tail_rotten", extra={**place, "offset": whole, "bytes": end - whole})
            self._begin_segment()


def _claim(root: Path, prefix: str) -> tuple[str, int]:
    """The first writer's folder that no living process holds."""
    for number in range(1000):
        name = f"{prefix}{number:02d}"
        folder = root / name
        folder.mkdir(exist_ok=True)
        handle = lock(folder / "lock")
        if handle is not None:
            return name, handle
    raise errors.log_broken("no free writer folder")


def _tell_group(group: list[Waiting], outcome: list[Position] | Exception) -> None:
    """Tell everyone who waits; one call into each event loop, however many wait there."""
    results: list[Position | Exception] = list(outcome) if isinstance(outcome, list) else [outcome] * len(group)
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Tell, Position | Exception]]] = {}
    for item, result in zip(group, results, strict=True):
        if item.loop is not None:
            by_loop.setdefault(item.loop, []).append((item.tell, result))
        else:
            item.tell(result)
    for loop, pairs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_tell_all, pairs)
        except RuntimeError:  # the loop has ended; what was written stays
            log.warning("event_log_loop_gone", extra={"requests": len(pairs)})


def _tell_all(pairs: list[tuple[Tell, Position | Exception]]) -> None:
    for tell, result in pairs:
        tell(result)


def _settle(future: asyncio.Future[Position] | Future[Position], result: Position | Exception) -> None:
    if future.done():  # the client went away
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
