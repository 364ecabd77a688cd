"""Between arrays of person ids, SQL and bitmaps, quickly: millions of ids must not pass one by one.

Large sets go through one dense mask and are written in Roaring's portable format directly
(https://github.com/RoaringBitmap/RoaringFormatSpec); building the same set id by id takes ten times as long.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from pyroaring import BitMap

_SMALL = 50_000
_CONTAINER = 65_536
_ARRAY_MOST = 4_096  # the format's border between a list of 16-bit numbers and 8 KB of bits
_COOKIE = 12_346


def from_ids(ids: npt.NDArray[Any]) -> BitMap:
    """The set of unsigned 32-bit ids, in any order, repeats allowed; 0 (nobody) is left out."""
    if ids.size < _SMALL:
        found = BitMap(ids.astype(np.uint32, copy=False))
        found.discard(0)
        return found
    top = int(ids.max())
    if top > 64 * ids.size:  # a mask would be mostly holes
        found = BitMap(np.sort(ids.astype(np.uint32, copy=False)))
        found.discard(0)
        return found
    mask = np.zeros(top + 1, dtype=np.bool_)
    mask[ids] = True
    return from_mask(mask)


def from_mask(mask: npt.NDArray[np.bool_]) -> BitMap:
    """The positions at which the mask is set; position 0 (nobody) is left out."""
    mask[:1] = False
    count = -(-mask.size // _CONTAINER)
    padded = mask
    if mask.size != count * _CONTAINER:
        padded = np.zeros(count * _CONTAINER, dtype=np.bool_)
        padded[: mask.size] = mask
    by_container = padded.reshape(count, _CONTAINER)
    sizes = by_container.sum(axis=1, dtype=np.int64)
    kept = np.nonzero(sizes)[0]
    if kept.size == 0:
        return BitMap()
    bodies = []
    for number in kept:
        bits = by_container[number]
        if sizes[number] > _ARRAY_MOST:
            bodies.append(np.packbits(bits, bitorder="little").tobytes())
        else:
            bodies.append(np.nonzero(bits)[0].astype("<u2").tobytes())
    heads = np.empty((kept.size, 2), dtype="<u2")
    heads[:, 0], heads[:, 1] = kept, sizes[kept] - 1
    first = 8 + 8 * kept.size
    offsets = first + np.concatenate(([0], np.cumsum([len(body) for body in bodies[:-1]], dtype=np.int64)))
    start = np.array([_COOKIE, kept.size], dtype="<u4").tobytes()
    return BitMap.deserialize(start + heads.tobytes() + offsets.astype("<u4").tobytes() + b"".join(bodies))


def to_ids(members: BitMap) -> npt.NDArray[np.uint32]:
    """The members in ascending order."""
    return np.frombuffer(members.to_array(), dtype=np.uint32)


def of_select(tx: sa.Connection, statement: sa.Select[Any]) -> BitMap:
    """The set of `person_id` that a statement selects.

    The database writes the ids as one text and numpy reads it: for millions of rows a third of the time of fetching.
    """
    found = statement.subquery("found")
    column = next(iter(found.c))
    joined = sa.func.aggregate_strings(sa.cast(column, sa.Text), ",")
    text = tx.execute(sa.select(joined)).scalar_one()
    if not text:
        return BitMap()
    return from_ids(np.fromstring(text, dtype=np.int64, sep=","))
