"""What leaves history lawfully, and how the books come to know of it, whatever is killed in between.

What will go is written down first; one commit of history takes it out and carries the number under which it was
written; then the books are told. Whoever finds an old note that the books were not told of looks for its number in
history: it happened, or it is barred from ever happening.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from quanyu.events.tables import book, removal, removed
from quanyu.storage.bulk import rows as given_rows
from quanyu.storage.delta_log import CommitConflict
from quanyu.storage.history import History
from quanyu.storage.state import State

EVENTS = "events"
Cells = Mapping[tuple[str, int], int]

_HAPPENED = 1


class Kind(NamedTuple):
    """Events of one name of a brand that leave on `day`, the brand's own (not the day on which they happened)."""

    brand_id: int
    name: str
    day: str
    events: int


def app(removal_id: int) -> str:
    """The application under which history applies a removal."""
    return f"removal:{removal_id}"


def begin(state: State, day: str, cells: Cells, kinds: Sequence[Kind], now: datetime) -> int:
    """Write down what will leave, by (source, hour of receipt in microseconds) and by kind; the removal's number."""
    written = json.dumps([(source, hour, count) for (source, hour), count in cells.items()])
    values = {"day": day, "cells": written, "kinds": json.dumps(kinds, ensure_ascii=False), "at": now, "done": False}
    with state.write() as tx:
        inserted = tx.execute(sa.insert(removal).values(values))
    assert inserted.inserted_primary_key is not None
    return int(inserted.inserted_primary_key[0])


def finish(state: State, removal_id: int) -> None:
    """Tell the books, once, that it happened."""
    with state.write() as tx:
        done = tx.execute(
            sa.update(removal)
            .where(removal.c.removal_id == removal_id, removal.c.done.is_(False))
            .values(done=True)
            .returning(removal.c.cells, removal.c.kinds, removal.c.at)
        ).one_or_none()
        if done is not None:
            note_removed(tx, _cells(done.cells))
            _note_kinds(tx, [Kind(*one) for one in json.loads(done.kinds)], done.at)


def forget(state: State, removal_id: int) -> None:
    """It did not happen and never will."""
    with state.write() as tx:
        tx.execute(sa.delete(removal).where(removal.c.removal_id == removal_id))


def settle(state: State, history: History, before: datetime) -> None:
    """Finish or forget what was begun before `before` and left by whoever was killed."""
    with state.read() as tx:
        left = tx.execute(sa.select(removal.c.removal_id).where(removal.c.done.is_(False), removal.c.at < before))
        numbers = list(left.scalars())
    for number in numbers:
        if history.applied(EVENTS, app(number)) < 0:
            try:
                history.bar(EVENTS, app(number))
            except CommitConflict:
                continue  # it happened just now, or somebody else barred it: seen next time
        if history.applied(EVENTS, app(number)) == _HAPPENED:
            finish(state, number)
        else:
            forget(state, number)


def under_way(tx: sa.Connection, history: History) -> dict[tuple[str, int], int]:
    """What left history already though the books were not told yet, by (source, hour): for the recount."""
    found: dict[tuple[str, int], int] = {}
    for row in tx.execute(sa.select(removal.c.removal_id, removal.c.cells).where(removal.c.done.is_(False))):
        if history.applied(EVENTS, app(row.removal_id)) == _HAPPENED:
            for cell, count in _cells(row.cells).items():
                found[cell] = found.get(cell, 0) + count
    return found


def note_removed(tx: sa.Connection, removed: Cells) -> None:
    """Say that events were lawfully taken out of history, by (source, hour of receipt in microseconds)."""
    given = given_rows(
        tx,
        {"source": sa.Text, "hour_at": sa.BigInteger, "gone": sa.BigInteger},
        [(source, hour, count) for (source, hour), count in removed.items()],
    )
    mine = sa.and_(given.c.source == book.c.source, given.c.hour_at == sa.type_coerce(book.c.hour_at, sa.BigInteger))
    tx.execute(
        sa.update(book)
        .where(sa.exists().where(mine))
        .values(removed=book.c.removed + sa.select(given.c.gone).where(mine).scalar_subquery())
    )


def _note_kinds(tx: sa.Connection, kinds: Sequence[Kind], at: datetime) -> None:
    if kinds:
        insert: Any = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(removed)
        more = insert.on_conflict_do_update(
            index_elements=[column.name for column in removed.primary_key.columns],
            set_={"events": removed.c.events + insert.excluded.events, "last_at": insert.excluded.last_at},
        )
        tx.execute(more, [{**kind._asdict(), "last_at": at} for kind in kinds])


def _cells(written: str) -> dict[tuple[str, int], int]:
    return {(source, hour): count for source, hour, count in json.loads(written)}
