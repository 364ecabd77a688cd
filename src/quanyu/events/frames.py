"""The bytes of the log: how a frame is written, found again and told from a torn one.

A segment begins with `MAGIC`. A frame is `length u32 | crc32 u32 | header length u16 | header | sealed`, little
endian; `length` counts everything after the checksum, which covers the same bytes. `header` is MessagePack in
clear and holds nothing personal; `sealed` is `nonce(12) | AES-GCM(zstd-1(payload))` with the header as
associated data, so that neither can be exchanged. Nothing here touches a file.
"""

from __future__ import annotations

import secrets
import struct
import zlib
from collections.abc import Iterator, Sequence

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quanyu.events.contracts import FrameHeader

MAGIC = b"QYLOG\x01\r\n"
_PREFIX = struct.Struct("<II")
_HEADER_LENGTH = struct.Struct("<H")
PREFIX_BYTES = _PREFIX.size
MAX_FRAME_BYTES = 128 << 20
MAX_PAYLOAD_BYTES = 256 << 20
_NONCE_BYTES = 12


class FrameDamaged(Exception):
    """A whole frame that cannot be opened: another key, or bytes that were changed."""


class FrameCodec:
    """Writes and opens frames with one cipher. Not thread-safe: one per thread."""

    def __init__(self, cipher: AESGCM) -> None:
        self._cipher = cipher
        self._compressor = zstandard.ZstdCompressor(level=1)
        self._decompressor = zstandard.ZstdDecompressor()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(FrameHeader)

    def encode(self, header: FrameHeader, payload: bytes) -> bytes:
        """The bytes of one frame."""
        return self.encode_many([(header, payload)])[0]

    def encode_many(self, items: Sequence[tuple[FrameHeader, bytes]]) -> list[bytes]:
        """The bytes of many frames, compressed in one call.

        Every call that lets go of the interpreter's lock must queue for it again behind the event loop's thread:
        one call for the whole group instead of one per frame is worth half of the throughput.
        """
        packed = self._compressor.multi_compress_to_buffer([payload or b"\0" for _, payload in items])
        frames = []
        for at, (header, payload) in enumerate(items):
            head = self._encoder.encode(header)
            nonce = secrets.token_bytes(_NONCE_BYTES)
            sealed = self._cipher.encrypt(nonce, packed[at].tobytes() if payload else b"", head)
            body = b"".join((_HEADER_LENGTH.pack(len(head)), head, nonce, sealed))
            frames.append(_PREFIX.pack(len(body), zlib.crc32(body)) + body)
        return frames

    def header(self, body: bytes | memoryview) -> FrameHeader:
        """The clear header of a frame's body."""
        (length,) = _HEADER_LENGTH.unpack_from(body)
        return self._decoder.decode(body[2 : 2 + length])

    def open(self, body: bytes) -> tuple[FrameHeader, bytes]:
        """Header and payload of a frame's body. Raises FrameDamaged."""
        try:
            (length,) = _HEADER_LENGTH.unpack_from(body)
            start = 2 + length
            head = body[2:start]
            header = self._decoder.decode(head)
            packed = self._cipher.decrypt(body[start : start + _NONCE_BYTES], body[start + _NONCE_BYTES :], head)
            return header, self._decompressor.decompress(packed, max_output_size=MAX_PAYLOAD_BYTES) if packed else b""
        except (InvalidTag, ValueError, struct.error, msgspec.MsgspecError, zstandard.ZstdError) as error:
            raise FrameDamaged(str(error) or type(error).__name__) from error


def body_at(data: bytes | memoryview, at: int) -> memoryview | None:
    """The body of the frame that begins at `at`, or None when it is torn or was never there."""
    if at + PREFIX_BYTES > len(data):
        return None
    length, checksum = _PREFIX.unpack_from(data, at)
    begin = at + PREFIX_BYTES
    if not 2 < length <= MAX_FRAME_BYTES or begin + length > len(data):
        return None
    body = memoryview(data)[begin : begin + length]
    return body if zlib.crc32(body) == checksum else None


def length_at(data: bytes | memoryview, at: int) -> int | None:
    """How long the frame at `at` says it is, prefix included; None without a plausible prefix."""
    if at + PREFIX_BYTES > len(data):
        return None
    length, _ = _PREFIX.unpack_from(data, at)
    return PREFIX_BYTES + int(length) if 2 < length <= MAX_FRAME_BYTES else None


def bodies(data: bytes | memoryview, at: int) -> Iterator[tuple[int, int, memoryview]]:
    """Every whole frame from `at` on: (begin, end, body); stops at the first that is not whole."""
    while (body := body_at(data, at)) is not None:
        end = at + PREFIX_BYTES + len(body)
        yield at, end, body
        at = end


def good_length(data: bytes | memoryview) -> int:
    """Up to where a segment is worth keeping: 0 without the magic, else up to the end of the last good frame.

    A frame that rotted is walked across by the length it says: good ones behind it were acknowledged too.
    """
    if bytes(data[: len(MAGIC)]) != MAGIC:
        return 0
    at = end = len(MAGIC)
    while (length := length_at(data, at)) is not None:
        if body_at(data, at) is not None:
            end = at + length
        at += length
    return end
