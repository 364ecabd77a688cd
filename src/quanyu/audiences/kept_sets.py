"""Sets that state answers, kept in memory and brought up to date from the news of what changed.

With ten million people a set takes many seconds to read, and something changes every second. So a kept set is
corrected for the people whom the news names, and read anew only when the news names too many.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.audiences import bitmaps
from quanyu.storage.bulk import rows
from quanyu.storage.schema import outbox

_KEPT = 256
_PATCHED = 20_000
# Transactions commit in another order than they took their numbers: what lies this far back is looked at again.
_SETTLING = 1_000
_NEW_PEOPLE_SETTLING = 5_000


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the news was when a set was read: the newest number, and which numbers near it had been committed."""

    newest: int
    settled: frozenset[int]

    def __str__(self) -> str:
        return f"{self.newest}.{len(self.settled)}"


@dataclass(frozen=True, slots=True)
class _Kept:
    mark: Mark
    members: BitMap


class KeptSets:
    """Sets by key. Thread-safe."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self,
        tx: sa.Connection,
        key: Hashable,
        brand_id: int,
        topics: tuple[str, ...],
        statement: sa.Select[Any],
        *,
        grows: bool = False,
    ) -> BitMap:
        """The set of `person_id` that `statement` selects, for the state that `tx` sees.

        Every change of it must be told under `topics` with `person_ids`; `grows` says that new people, who are not
        told of, join it by themselves. The set must not be changed by the caller.
        """
        mark = newest(tx, topics)
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
        if known is None:
            members = bitmaps.of_select(tx, statement)
        elif known.mark == mark and not grows:
            return known.members
        else:
            members = self._corrected(tx, known, mark, brand_id, topics, statement, grows)
        with self._lock:
            self._kept[key] = _Kept(mark, members)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return members

    def _corrected(
        self,
        tx: sa.Connection,
        known: _Kept,
        mark: Mark,
        brand_id: int,
        topics: tuple[str, ...],
        statement: sa.Select[Any],
        grows: bool,
    ) -> BitMap:
        members = known.members
        if known.mark != mark:
            changed = people_told(tx, topics, known.mark, brand_id)
            if changed is None or len(changed) > _PATCHED:
                return bitmaps.of_select(tx, statement)
            if changed:
                members = (members - changed) | bitmaps.of_select(tx, among(tx, statement, changed))
        if grows:
            column = next(iter(statement.selected_columns))
            after = (members.max() if members else 0) - _NEW_PEOPLE_SETTLING
            joined = bitmaps.of_select(tx, statement.where(column > after))
            if not joined <= members:
                members = members | joined
        return members


def newest(tx: sa.Connection, topics: tuple[str, ...]) -> Mark:
    """How far the news of the topics is."""
    by_topic = [
        sa.select(sa.func.max(outbox.c.seq)).where(outbox.c.topic == topic).scalar_subquery() for topic in topics
    ]
    last = max((seq or 0 for seq in tx.execute(sa.select(*by_topic)).one()), default=0)
    near = sa.select(outbox.c.seq).where(outbox.c.topic.in_(topics), outbox.c.seq > last - _SETTLING)
    return Mark(last, frozenset(tx.execute(near).scalars()))


def people_told(tx: sa.Connection, topics: tuple[str, ...], since: Mark, brand_id: int) -> BitMap | None:
    """The people whom the news since then names, or None when some of it does not say whom."""
    told = sa.select(outbox.c.seq, outbox.c.payload).where(
        outbox.c.topic.in_(topics), outbox.c.seq > since.newest - _SETTLING
    )
    people = BitMap()
    for seq, text in tx.execute(told):
        if seq in since.settled:
            continue
        payload = json.loads(text)
        if payload.get("brand_id", brand_id) != brand_id:
            continue
        if "person_ids" not in payload:
            return None
        people |= BitMap(int(number) for number in payload["person_ids"] if number)
    return people


def among(tx: sa.Connection, statement: sa.Select[Any], people: BitMap) -> sa.Select[Any]:
    """A statement narrowed to a few people."""
    wanted = rows(tx, {"person_id": sa.BigInteger}, [(int(i),) for i in people], name="wanted")
    column = next(iter(statement.selected_columns))
    return statement.where(column.in_(sa.select(wanted.c.person_id)))
