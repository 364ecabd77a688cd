"""The picture of a mini-program card that has none of its own: 520 × 416 as WeCom advises, a plain warm ground."""

from __future__ import annotations

import struct
import zlib
from functools import cache

_WIDTH, _HEIGHT = 520, 416


@cache
def card_picture() -> bytes:
    """A PNG."""
    rows = b"".join(
        b"\0" + bytes((247 - y * 18 // _HEIGHT, 140 - y * 68 // _HEIGHT, 90 - y * 13 // _HEIGHT)) * _WIDTH
        for y in range(_HEIGHT)
    )
    header = struct.pack("!IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data)) for kind, data in chunks
    )
