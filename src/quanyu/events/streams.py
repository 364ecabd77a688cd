"""Cut a long stream of events into frames while it comes: lines of JSON, or Arrow's IPC stream, either in gzip.

No more than one frame's worth is held: a line, or a message of Arrow, that is longer than the limit is refused. What
lines and columns mean is the decoder's business; here only enough is understood to find where one ends.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.events import errors
from quanyu.events.protocols import native

FRAME_BYTES = 4 << 20
FRAME_EVENTS = 10_000
MAX_BATCH_ROWS = 1_000_000
_GZIP = b"\x1f\x8b"
_CONTINUES = b"\xff\xff\xff\xff"
_END = _CONTINUES + b"\0\0\0\0"
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Part:
    """What becomes one frame: its protocol, payload, number of events, and the row at which it begins (from 1)."""

    protocol: str
    payload: bytes
    events: int
    first_row: int


class Cutter(Protocol):
    """Takes a stream in pieces of any size and gives its parts as soon as they are whole.

    `row` is the number of the row that comes next; a `heavy` one is better run in a thread.
    """

    row: int
    heavy: bool

    def feed(self, piece: bytes) -> Iterator[Part]:
        """The parts that `piece` completes. Raises BadRequest, Invalid, TooLarge."""
        ...

    def end(self) -> Iterator[Part]:
        """The rest. Raises BadRequest when the stream ends too early."""
        ...


class Inflater:
    """Unzips a stream piece by piece, no more than `limit` bytes at a time; what is no gzip passes as it is."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._begin = b""
        self._stream: Any = None
        self._plain = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What `piece` says. Raises BadRequest for a damaged stream."""
        if not self._plain and self._stream is None:
            self._begin += piece
            if len(self._begin) < len(_GZIP):
                return
            piece, self._begin = self._begin, b""
            self._plain = not piece.startswith(_GZIP)
            if not self._plain:
                self._stream = zlib.decompressobj(wbits=31)
        if self._plain:
            yield piece
            return
        while piece:
            if self._stream.eof:  # gzip allows several members in one stream
                piece = piece.lstrip(b"\0")
                if not piece:
                    return
                self._stream = zlib.decompressobj(wbits=31)
            try:
                out = self._stream.decompress(piece, self._limit)
            except zlib.error as error:
                raise errors.stream_broken("gzip", str(error)) from error
            piece = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if out:
                yield out

    def end(self) -> bytes:
        """What is left. Raises BadRequest for a stream that ends too early."""
        if self._stream is not None and not self._stream.eof:
            raise errors.stream_broken("gzip", "the stream ends too early")
        return self._begin


class Lines:
    """One JSON object a line, numbered from 1."""

    heavy = False

    def __init__(self, limit: int) -> None:
        self.row = 1
        self._limit = limit
        self._rest = bytearray()
        self._begun = False

    def feed(self, piece: bytes) -> Iterator[Part]:
        """The whole lines so far, in frames."""
        self._rest += piece
        if self._begun or self._begins():
            end = self._rest.rfind(b"\n")
            if end >= FRAME_BYTES or (end >= 0 and len(self._rest) > self._limit):
                yield from self._cut(bytes(self._rest[: end + 1]))
                del self._rest[: end + 1]
        if len(self._rest) > self._limit:
            raise errors.line_too_long(self.row, self._limit)

    def end(self) -> Iterator[Part]:
        """What is left; the last line needs no line break."""
        if self._rest and not self._begun:
            self._begins(at_end=True)
        yield from self._cut(bytes(self._rest))
        self._rest.clear()

    def _begins(self, *, at_end: bool = False) -> bool:
        if self._rest.startswith(b"\xef\xbb\xbf"):
            del self._rest[:3]
        text = self._rest.lstrip()
        if not at_end and len(text) < len("PAR1"):
            return False
        for magic, name in ((b"[", "JSON array"), (b"PAR1", "Parquet"), (b"ARRO", "Arrow file (Feather)")):
            if text.startswith(magic):
                raise errors.stream_of_another_kind(name)
        self._begun = True
        return True

    def _cut(self, text: bytes) -> Iterator[Part]:
        """Frames of bounded size."""
        lines = text.split(b"\n")
        if lines and not lines[-1]:
            lines.pop()
        begin = size = events = 0
        for place, line in enumerate(lines):
            size += len(line) + 1
            events += bool(line.strip())
            if events >= FRAME_EVENTS or size >= FRAME_BYTES or place == len(lines) - 1:
                if events:
                    payload = native.lines(b"\n".join(lines[begin : place + 1]))
                    yield Part(native.PROTOCOL, payload, events, self.row)
                self.row += place + 1 - begin
                begin, size, events = place + 1, 0, 0


class Arrow:
    """Arrow's IPC stream format, its rows numbered from 1 over all record batches."""

    heavy = True

    def __init__(self, limit: int) -> None:
        self.row = 1
        self._limit = limit
        self._rest = bytearray()
        self._schema = b""
        self._dictionaries = bytearray()
        self._ended = False

    def feed(self, piece: bytes) -> Iterator[Part]:
        """The record batches that are whole, as tables of our columns."""
        self._rest += piece
        while not self._ended:
            size = self._message()
            if size is None:
                return
            message = bytes(self._rest[:size])
            del self._rest[:size]
            if size > len(_END):
                yield from self._take(message)

    def end(self) -> Iterator[Part]:
        """Nothing; a stream without the mark of its end is taken when it ends between two messages."""
        if self._rest or not self._schema:
            raise errors.stream_broken("Arrow", f"the stream ends in the middle, after row {self.row - 1}")
        return iter(())

    def _message(self) -> int | None:
        """The length of the message that the rest begins with, None until all of it is there."""
        rest = self._rest
        if len(rest) < len(_END):
            return None
        if not rest.startswith(_CONTINUES):
            raise errors.stream_broken("Arrow", "no message where one should begin")
        (metadata,) = struct.unpack_from("<i", rest, 4)
        if metadata == 0:
            self._ended = True
            return len(_END)
        if not 0 < metadata <= self._limit:
            raise errors.message_too_long(self.row, self._limit)
        if len(rest) < 8 + metadata:
            return None
        size = 8 + metadata + self._length_of_body(bytes(rest[8 : 8 + metadata]))
        if size > self._limit:
            raise errors.message_too_long(self.row, self._limit)
        return size if len(rest) >= size else None

    @staticmethod
    def _length_of_body(metadata: bytes) -> int:
        length = _scalar(metadata, _root(metadata), 3, "<q")
        if length < 0:
            raise errors.stream_broken("Arrow", "a message of negative length")
        return length

    def _take(self, message: bytes) -> Iterator[Part]:
        metadata = message[8 : 8 + struct.unpack_from("<i", message, 4)[0]]
        root = _root(metadata)
        kind = _scalar(metadata, root, 1, "<B")
        if kind == _SCHEMA and not self._schema:
            self._schema = message
            native.offered(_renamed(self._read(b"")))  # wrong columns are said before the rows come
        elif kind in (_DICTIONARY, _BATCH) and self._schema:
            self._check_plain(metadata, root, kind)
            if kind == _DICTIONARY:
                self._dictionaries += message
                if len(self._dictionaries) > self._limit:
                    raise errors.message_too_long(self.row, self._limit)
            else:
                yield from self._tables(self._read(message))
        else:
            raise errors.stream_broken("Arrow", "a message that does not belong here")

    @staticmethod
    def _check_plain(metadata: bytes, root: int, kind: int) -> None:
        """Buffers compressed one by one could swell beyond any limit; gzip around the stream cannot."""
        batch = _table(metadata, root, 2)
        if kind == _DICTIONARY:
            batch = _table(metadata, batch, 1)
        if _field(metadata, batch, 3):
            raise errors.buffers_compressed()

    def _read(self, message: bytes) -> pa.Table:
        try:
            with pa.ipc.open_stream(
                pa.py_buffer(b"".join((self._schema, self._dictionaries, message, _END)))
            ) as stream:
                table = stream.read_all()
            table.validate(full=True)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise errors.stream_broken("Arrow", f"after row {self.row - 1}: {str(error)[:200]}") from error
        return table

    def _tables(self, table: pa.Table) -> Iterator[Part]:
        if table.num_rows > MAX_BATCH_ROWS or sum(map(_swollen, table.columns)) > self._limit * 2:
            raise errors.message_too_long(self.row, self._limit)
        for rows, payload in native.frames_of(_renamed(table)):
            yield Part(native.TABLE_PROTOCOL, payload, rows, self.row)
            self.row += rows


def cutter_for(begin: bytes, limit: int) -> Cutter:
    """The cutter for a stream that begins with these bytes (at least four, unless it is shorter)."""
    return Arrow(limit) if begin.startswith(_CONTINUES) else Lines(limit)


def _renamed(table: pa.Table) -> pa.Table:
    """`identifiers` is what the column is called outside."""
    return table.rename_columns(["raw_identifiers" if name == "identifiers" else name for name in table.column_names])


def _swollen(array: Any) -> int:
    """How many bytes the column takes as plain text and lists; views and dictionaries may repeat what they hold once.

    Raises Invalid for a type that no column has.
    """
    if isinstance(array, pa.ChunkedArray):
        return sum(map(_swollen, array.chunks))
    kind = array.type
    if pa.types.is_dictionary(kind) and (
        pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type)
    ):
        lengths = pc.binary_length(array.dictionary).take(array.indices)
        return int(pc.sum(lengths).as_py() or 0)
    if pa.types.is_string_view(kind):
        views = np.frombuffer(array.buffers()[1], np.int32)[4 * array.offset :: 4]
        return int(views[: len(array)].astype(np.int64).sum())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return len(array) * 4 + _swollen(array.flatten())
    if pa.types.is_struct(kind):
        return sum(map(_swollen, array.flatten()))
    if (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_primitive(kind)
        or pa.types.is_null(kind)
    ):
        return int(array.nbytes)
    raise errors.type_unknown(str(kind))


# --------------------------------------------------------------------------------------------- flatbuffers, by hand
# Only what is needed to find the end of a message: https://arrow.apache.org/docs/format/Columnar.html
def _root(data: bytes) -> int:
    return _unpack(data, 0, "<I")


def _field(data: bytes, table: int, number: int) -> int:
    """Where a table's field lies, 0 when it is left out."""
    layout = table - _unpack(data, table, "<i")
    if _unpack(data, layout, "<H") <= 4 + 2 * number:
        return 0
    offset = _unpack(data, layout + 4 + 2 * number, "<H")
    return table + offset if offset else 0


def _scalar(data: bytes, table: int, number: int, form: str) -> int:
    place = _field(data, table, number)
    return _unpack(data, place, form) if place else 0


def _table(data: bytes, table: int, number: int) -> int:
    place = _field(data, table, number)
    if not place:
        raise errors.stream_broken("Arrow", "a message without its header")
    return place + _unpack(data, place, "<I")


def _unpack(data: bytes, place: int, form: str) -> int:
    if place < 0:
        raise errors.stream_broken("Arrow", "a message that points outside of itself")
    try:
        (value,) = struct.unpack_from(form, data, place)
    except struct.error as error:
        raise errors.stream_broken("Arrow", "a message that points outside of itself") from error
    return int(value)
