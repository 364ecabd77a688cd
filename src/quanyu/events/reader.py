"""The durable log, its reading side: from a place in each writer's segments on, live files included.

A reader never writes and never waits: it gives the whole frames that are there. The end of the newest segment may
be a frame that is being written; the end of an older one is final. Deleting is asked for by whoever knows that
history has the events.
"""

from __future__ import annotations

import logging
import os
import struct
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quanyu.events import errors
from quanyu.events.contracts import START, Backlog, Damage, Frame, FrameHeader, Position
from quanyu.events.frames import MAGIC, PREFIX_BYTES, FrameCodec, FrameDamaged, bodies, length_at
from quanyu.events.log import segment_path, segments
from quanyu.events.rot import next_whole, pieces

log = logging.getLogger(__name__)

_READ_BYTES = 8 << 20
_HEADER_BYTES = 1024


class LogReader:
    """Reads all writers' logs below `root`. Not thread-safe: one per thread."""

    def __init__(self, root: Path, cipher: AESGCM) -> None:
        self._root = root
        self._codec = FrameCodec(cipher)
        self._counts: dict[tuple[str, int], _Headers] = {}
        self.damaged = 0
        self.stepped_over: dict[tuple[str, Position], Damage] = {}  # by the last `read`
        self._reported: set[tuple[str, Position]] = set()

    def writers(self) -> list[str]:
        """The names of all writers that ever were."""
        if not self._root.is_dir():
            return []
        return sorted(path.name for path in self._root.iterdir() if path.is_dir())

    def read(
        self, after: Mapping[str, Position], *, max_events: int = 20_000, max_bytes: int = 64 << 20
    ) -> list[Frame]:
        """Frames from the given places on (a writer not named: from its beginning), writers taking turns.

        Each writer has an equal part of `max_events` and of `max_bytes` of payload, and what others leave of theirs;
        at least one frame of each that has one: none waits for what another has piled up. Raises LogUnreadable when a
        frame was sealed with another key.
        """
        self.stepped_over = {}
        frames: list[Frame] = []
        events = size = 0
        places = {writer: after.get(writer, START) for writer in self.writers()}
        while places:
            share, room = max(1, (max_events - events) // len(places)), max(1, (max_bytes - size) // len(places))
            for writer, place in list(places.items()):
                found = self._frames(writer, place, share, room)
                count, length = sum(frame.header.events for frame in found), sum(len(frame.payload) for frame in found)
                frames += found
                events += count
                size += length
                if count < share and length < room:
                    del places[writer]  # it has no more
                else:
                    places[writer] = found[-1].end
            if events >= max_events or size >= max_bytes:
                break
        return frames

    def others_wait(self, after: Mapping[str, Position], writers: Container[str]) -> bool:
        """Whether a writer that is not one of `writers` has a frame after the given places."""
        noted, self.stepped_over = self.stepped_over, {}
        try:
            others = [writer for writer in self.writers() if writer not in writers]
            return any(self._frames(writer, after.get(writer, START), 1, 1) for writer in others)
        finally:
            self.stepped_over = noted

    def _frames(self, writer: str, at: Position, max_events: int, max_bytes: int) -> list[Frame]:
        frames: list[Frame] = []
        events = size = 0
        folder = self._root / writer
        # Listed before reading: what has a later segment in this list is final to its end.
        numbers = [number for number in segments(folder) if number >= at.segment]
        for number in numbers:
            path = segment_path(folder, number)
            offset = max(at.offset if number == at.segment else 0, len(MAGIC))
            final = number != numbers[-1]
            want = _READ_BYTES
            while True:
                data = _slice(path, offset, want)
                used = 0
                for begin, end, body in bodies(data, 0):
                    if frames and (events >= max_events or size >= max_bytes):
                        return frames
                    place = Position(number, offset + begin)
                    used = end
                    try:
                        header, payload = self._codec.open(bytes(body))
                    except FrameDamaged as error:
                        # Whole by its checksum, yet it does not open: another key. Going on would lose what was
                        # acknowledged, so the reader stands still until the key is back.
                        raise errors.log_unreadable(writer, number, place.offset) from error
                    frames.append(Frame(writer, place, Position(number, offset + end), header, payload))
                    events += header.events
                    size += len(payload)
                offset += used
                if used:
                    want = _READ_BYTES
                    continue
                length = length_at(data, 0)
                if length is not None and length > len(data) == want:  # a frame larger than one read
                    want = length
                    continue
                # Bytes that rotted, with a good frame behind them, are stepped over and reported. Without one they
                # are being written, or else, in a segment that is followed by another, they are the rest of one
                # that was cut off: its writer leaves none when it goes on.
                rest = _rest(path, offset) if data else b""
                behind = next_whole(rest, 0)
                if behind is None:
                    if final and rest:
                        self._report(writer, Position(number, offset), rest, followed=False)
                    break
                if behind:  # else it was written just now
                    self._report(writer, Position(number, offset), rest[:behind], followed=True)
                offset += behind
        return frames

    def backlog(self, after: Mapping[str, Position]) -> Backlog:
        """What lies behind the given places. Reads headers only, and each of them once."""
        events = size = 0
        oldest: int | None = None
        by_source: dict[str, int] = defaultdict(int)
        alive: set[tuple[str, int]] = set()
        for writer in self.writers():
            at = after.get(writer, START)
            for number in segments(self._root / writer):
                if number < at.segment:
                    continue
                alive.add((writer, number))
                count = self._counts.setdefault((writer, number), _Headers())
                count.scan(segment_path(self._root / writer, number), self._codec)
                begin = max(at.offset if number == at.segment else 0, len(MAGIC))
                first = bisect_left(count.begins, begin)
                size += max(0, count.end - begin)
                for place in range(first, len(count.begins)):
                    events += count.events[place]
                    by_source[count.sources[place]] += count.events[place]
                if first < len(count.begins):
                    received = count.received[first]
                    oldest = received if oldest is None else min(oldest, received)
        self._counts = {key: value for key, value in self._counts.items() if key in alive}
        return Backlog(events, size, oldest, dict(by_source))

    def delete(self, before: Mapping[str, Position]) -> int:
        """Delete every segment that ends before the given places; how many went. Call it once history has them.

        A writer's newest segment stays, so that numbers are never used again.
        """
        gone = 0
        for writer, at in before.items():
            folder = self._root / writer
            if not folder.is_dir():
                continue
            for number in segments(folder)[:-1]:
                if number < at.segment:
                    segment_path(folder, number).unlink(missing_ok=True)
                    gone += 1
        return gone

    def _report(self, writer: str, at: Position, data: bytes, *, followed: bool) -> None:
        """Note the damaged frames that `data` was, `followed` by a whole one or by the file's end."""
        why = "torn"
        for begin, length, torn in pieces(data, followed=followed):
            place = Position(at.segment, at.offset + begin)
            header = _header(data[begin : begin + _HEADER_BYTES], self._codec)
            self.stepped_over[writer, place] = Damage(writer, place, length, torn, header)
            if not torn:
                why = "checksum"
        if (writer, at) in self._reported:
            return
        self._reported.add((writer, at))
        self.damaged += 1
        log.error(
            "event_log_frame_damaged",
            extra={"writer": writer, "segment": at.segment, "offset": at.offset, "why": why},
        )


@dataclass(slots=True)
class _Headers:
    """The headers of one segment, as far as it was read."""

    end: int = len(MAGIC)
    begins: list[int] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)

    def scan(self, path: Path, codec: FrameCodec) -> None:
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            length = os.fstat(handle).st_size
            while True:
                data = os.pread(handle, _HEADER_BYTES, self.end)
                frame = length_at(data, 0)
                if frame is None or self.end + frame > length:
                    return
                header = _header(data, codec)
                if header is None:
                    return
                self.begins.append(self.end)
                self.events.append(header.events)
                self.received.append(header.received_at)
                self.sources.append(header.source)
                self.end += frame
        finally:
            os.close(handle)


def _slice(path: Path, offset: int, size: int) -> bytes:
    """Up to `size` bytes of the file from `offset` on; nothing when the file is gone or shorter."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        parts: list[bytes] = []
        while size > 0:
            part = os.pread(handle, size, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return b"".join(parts)
    finally:
        os.close(handle)


def _rest(path: Path, offset: int) -> bytes:
    """The file from `offset` to its end; nothing when it is gone."""
    try:
        return _slice(path, offset, path.stat().st_size - offset)
    except FileNotFoundError:
        return b""


def _header(data: bytes, codec: FrameCodec) -> FrameHeader | None:
    """What the header of the frame says that `data` begins with; nothing checks it here."""
    try:
        return codec.header(data[PREFIX_BYTES:])
    except (ValueError, struct.error, msgspec.MsgspecError):
        return None
