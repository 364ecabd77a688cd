"""Bytes of a segment that are no whole frames: what can still be told of them. Nothing here touches a file.

A frame may have rotted anywhere, also in its length: the next whole one is then found by how a header begins. What
ends inside a frame is torn: the process died or the power went while it was written, and nobody was answered. What
has its full length and a wrong checksum was probably acknowledged, though a power failure, too, may leave a file with
its length and without its bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import msgspec

from quanyu.events.contracts import FrameHeader
from quanyu.events.frames import MAGIC, PREFIX_BYTES, body_at, good_length, length_at

# How a header begins that was written between 1990 and 2100, and how far into its frame.
_SIGN = msgspec.msgpack.encode(FrameHeader(1 << 50, "", "", 0))[:3]
_SIGN_AT = PREFIX_BYTES + 2


def next_whole(data: bytes, at: int) -> int | None:
    """Where the first whole frame from `at` on begins: by the lengths that frames say, or else by their headers."""
    walk = at
    while (length := length_at(data, walk)) is not None:
        if body_at(data, walk) is not None:
            return walk
        walk += length
    sign = data.find(_SIGN, at + _SIGN_AT)
    while sign >= 0:
        if body_at(data, sign - _SIGN_AT) is not None:
            return sign - _SIGN_AT
        sign = data.find(_SIGN, sign + 1)
    return None


def pieces(data: bytes, *, followed: bool) -> Iterator[tuple[int, int, bool]]:
    """The frames that `data` once was, as far as their lengths say: begin, bytes, and whether it is torn.

    Only the last can be torn, and not if `data` is `followed` by a whole frame.
    """
    at = 0
    while at < len(data):
        length = length_at(data, at)
        if length is None or at + length > len(data):
            yield at, len(data) - at, not (followed or _only_length_rotted(data[at:]))
            return
        yield at, length, False
        at += length


def ends(data: bytes) -> tuple[int, int]:
    """Where a segment's last whole frame ends, and where what is not torn does."""
    if len(data) < len(MAGIC):
        return 0, 0
    whole = good_length(MAGIC + data[len(MAGIC) :])  # the magic may have rotted, too
    while (begin := next_whole(data, whole)) is not None:
        whole = begin - len(MAGIC) + good_length(MAGIC + data[begin:])
    return whole, whole + sum(length for _, length, torn in pieces(data[whole:], followed=False) if not torn)


def _only_length_rotted(data: bytes) -> bool:
    """Whether `data` is a frame but for the length it says."""
    if len(data) <= PREFIX_BYTES:
        return False
    checksum: int = struct.unpack_from("<I", data, PREFIX_BYTES - 4)[0]
    return zlib.crc32(data[PREFIX_BYTES:]) == checksum
