"""Finding identifiers by their hash: on shelves in the database, and in memory for whoever looks up thousands.

One index over all hashes would be touched all over by every new identifier: a page per identifier is changed, logged
and copied. Identifiers are therefore indexed on shelves of half a million, in the order in which they came: new ones
change the pages of the last shelf alone. Whoever asks the database looks on every shelf; a large micro-batch asks
`Hashes`, and reads what it finds there by key.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from quanyu.identity import sequences
from quanyu.identity.resolution import I64
from quanyu.identity.tables import SHELF, identifier
from quanyu.storage.bulk import rows
from quanyu.storage.compiled import compiled
from quanyu.storage.state import State

U64 = npt.NDArray[np.uint64]

_READ_FOR_EACH = 10  # that is looked up: after a start no batch takes much longer than it would, and all is read soon
_FULL = 0.6


def with_hash(tx: sa.Connection, hashes: Sequence[str]) -> sa.ColumnElement[bool]:
    """The identifiers that have one of these hashes, as a condition that the index serves. It covers the namespace."""
    given = rows(tx, {"hash": sa.Text}, [(text,) for text in hashes])
    # As a set and not as a join: SQLite would walk through a whole shelf for each of the hashes.
    return sa.and_(
        identifier.c.shelf.in_(range(sequences.peek(tx, "identifier") // SHELF + 1)),
        identifier.c.hash.in_(sa.select(given.c.hash)),
    )


def ranks_of(hashes: Sequence[str]) -> U64:
    """The first 64 bits of each hash."""
    return np.frombuffer(bytes.fromhex("".join([text[:16] for text in hashes])), ">u8").astype(np.uint64)


class Hashes:
    """Which identifier has a hash, in memory: up to 55 bytes for each. Thread-safe.

    It knows what is committed, which is never renumbered; ids are given in the order of commits. What it finds is to be
    checked: hashes may begin alike. Whoever asks holds `sequences.lock_people`, so that nobody adds one meanwhile.
    """

    def __init__(self, state: State, *, for_each: float = _READ_FOR_EACH) -> None:
        self._state = state
        self._for_each = for_each
        self._lock = threading.Lock()
        self._count = 0
        self._last = 0  # the newest identifier that it has
        self._rank, self._number = np.zeros(1 << 16, np.uint64), np.zeros(1 << 16, np.int64)

    def catch_up(self, asked: int) -> bool:
        """Read what was committed since, for a batch that asks for so many.

        False when that is too much for such a batch, and something is still missing.
        """
        most = int(asked * self._for_each)
        with self._lock, self._state.read() as tx:
            ranks, numbers = _newer(tx, self._last, most)
            self._add(ranks, numbers)
            return numbers.size < most

    def find(self, tx: sa.Connection, ranks: U64) -> I64:
        """The identifier of each rank, 0 where there is none; also of those that `tx` itself has made."""
        with self._lock:
            found = _found(self._rank, self._number, ranks)
            own_ranks, own = _newer(tx, self._last, -1)
        if own.size:
            order = np.argsort(own_ranks, kind="stable")
            place = np.minimum(np.searchsorted(own_ranks, ranks, sorter=order), own.size - 1)
            there = own_ranks[order[place]] == ranks
            found[there] = own[order[place[there]]]
        return found

    def _add(self, ranks: U64, numbers: I64) -> None:
        if not numbers.size:
            return
        size = self._rank.size
        while self._count + numbers.size > size * _FULL:
            size *= 2
        if size > self._rank.size:
            held = self._number > 0
            old_ranks, old = self._rank[held], self._number[held]
            self._rank, self._number = np.zeros(size, np.uint64), np.zeros(size, np.int64)
            _put(self._rank, self._number, old_ranks, old)
        _put(self._rank, self._number, ranks, numbers)
        self._count += numbers.size
        self._last = int(numbers[-1])


def _newer(tx: sa.Connection, last: int, limit: int) -> tuple[U64, I64]:
    """Ranks and ids of at most `limit` (-1: all) identifiers after `last`, in order."""
    statement = (
        sa.select(identifier.c.identifier_id, identifier.c.hash)
        .where(identifier.c.identifier_id > last)
        .order_by(identifier.c.identifier_id)
    )
    found = tx.execute(statement if limit < 0 else statement.limit(limit)).all()
    return ranks_of([row[1] for row in found]), np.array([row[0] for row in found], np.int64)


@compiled
def _put(rank: U64, number: I64, ranks: U64, numbers: I64) -> None:
    last = rank.size - 1
    for i in range(ranks.size):
        place = np.int64(ranks[i] & np.uint64(last))
        while number[place] != 0:
            place = (place + 1) & last
        rank[place] = ranks[i]
        number[place] = numbers[i]


@compiled
def _found(rank: U64, number: I64, ranks: U64) -> I64:
    last = rank.size - 1
    found = np.zeros(ranks.size, np.int64)
    for i in range(ranks.size):
        place = np.int64(ranks[i] & np.uint64(last))
        while number[place] != 0:
            if rank[place] == ranks[i]:
                found[i] = number[place]
                break
            place = (place + 1) & last
    return found
