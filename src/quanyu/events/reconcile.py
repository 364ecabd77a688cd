"""The recount: whether the books fit what the stores hold, per source and hour of receipt.

The books say how many events are stored and quarantined; history, the handover on its way there and the quarantine
are counted anew and must say the same. An hour that does not is a row in `event_discrepancy`, which the console, the
status and the metrics show until a later recount finds the hour right. Nothing is mended here.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import sqlalchemy as sa

from quanyu.events import removals
from quanyu.events.books import per_hour
from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.events.rows import hour_of
from quanyu.events.tables import book, check_run, discrepancy, quarantine
from quanyu.events.tables import source as source_table
from quanyu.kernel.clock import Clock, micros
from quanyu.storage.bulk import rows as given_rows
from quanyu.storage.bulk import upsert
from quanyu.storage.handover import handover
from quanyu.storage.history import History
from quanyu.storage.state import State

EVENTS = "events"
RECENT = timedelta(hours=48)
EVERY = timedelta(minutes=5)
EVERYTHING = timedelta(hours=24)
_KIND = "books"
_ATTEMPTS = 50
_COLUMNS = ["source", "received_at"]

Cell = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Recount:
    """What a recount did: rows of history and items of quarantine counted, hours compared, hours that are wrong."""

    counted: int
    hours: int
    wrong: int
    full: bool


@dataclass(frozen=True, slots=True)
class BooksHealth:
    """How the last recount went; `checked_at` is None before the first."""

    checked_at: datetime | None
    full_at: datetime | None
    counted: int
    wrong: int


class Reconciliation:
    """Counts the stores against the books."""

    def __init__(self, state: State, history: History, clock: Clock, app: str) -> None:
        """`app` is the name under which micro-batches reach history."""
        self._state = state
        self._history = history
        self._clock = clock
        self._app = app

    # ------------------------------------------------------------------------------------------------- the job
    def step(self) -> bool:
        """Recount when it is time: the last days every few minutes, everything once a day or when asked for."""
        with self._state.read() as tx:
            last = tx.execute(sa.select(check_run).where(check_run.c.kind == _KIND)).one_or_none()
        now = self._clock.now()
        if last is None or last.full_at is None or now - last.full_at >= EVERYTHING:
            self.run(full=True)
        elif now - last.at >= EVERY:
            self.run(full=False)
        return False

    def ask(self, tx: sa.Connection) -> None:
        """Let the worker recount everything at its next turn."""
        tx.execute(sa.update(check_run).where(check_run.c.kind == _KIND).values(full_at=None))

    def run(self, *, full: bool = True) -> Recount:
        """Recount now: everything, or what was received in the last two days."""
        began, now = time.monotonic(), self._clock.now()
        since = None if full else hour_of(micros(now - RECENT))
        booked, held, waiting, files = self._stand(since)
        found = _count(files, since)
        for cell, count in waiting.items():
            found[cell] += count
        wrong = [
            (cell, booked.get(cell, _NOTHING), found.get(cell, 0), held.get(cell, 0))
            for cell in {*booked, *found, *held}
            if not _fits(booked.get(cell, _NOTHING), found.get(cell, 0), held.get(cell, 0))
        ]
        done = Recount(sum(found.values()) + sum(held.values()), len({*booked, *found, *held}), len(wrong), full)
        took = round((time.monotonic() - began) * 1000)
        with self._state.write() as tx:
            self._write(tx, wrong, since, now)
            run: dict[str, Any] = {"kind": _KIND, "at": now, "counted": done.counted, "found": len(wrong)}
            run |= {"took_ms": took, "full_at": now if full else None}
            upsert(
                tx, check_run, [run], ["kind"], ["at", "counted", "found", "took_ms", *(["full_at"] if full else [])]
            )
        return done

    # ------------------------------------------------------------------------------------------------- looking
    def health(self) -> BooksHealth:
        """How the last recount went and how many hours are wrong."""
        with self._state.read() as tx:
            last = tx.execute(sa.select(check_run).where(check_run.c.kind == _KIND)).one_or_none()
            wrong = tx.execute(sa.select(sa.func.count()).select_from(discrepancy)).scalar_one()
        if last is None:
            return BooksHealth(None, None, 0, int(wrong))
        return BooksHealth(last.at, last.full_at, last.counted, int(wrong))

    def wrong(self, brand_id: int, limit: int = 500) -> list[Any]:
        """The brand's hours that are wrong, newest first."""
        with self._state.read() as tx:
            return list(
                tx.execute(
                    sa.select(discrepancy)
                    .where(discrepancy.c.brand_id == brand_id)
                    .order_by(discrepancy.c.hour_at.desc(), discrepancy.c.source)
                    .limit(limit)
                )
            )

    # -------------------------------------------------------------------------------------------------- inside
    def _stand(
        self, since: int | None
    ) -> tuple[dict[Cell, dict[str, int]], dict[Cell, int], dict[Cell, int], Sequence[str]]:
        """Books, quarantine, handover and history's files as they were at one moment.

        State is read in one snapshot. History is another store: a batch moves there by an append and is then taken
        out of the handover, so when no commit fell between two looks at history, nothing was counted twice or never.
        """
        for _ in range(_ATTEMPTS):
            applied = self._history.applied(EVENTS, self._app)
            snapshot = self._history.snapshot(EVENTS)
            with self._state.read() as tx:
                if tx.dialect.name == "postgresql":
                    tx.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
                booked = _booked(tx, since)
                held = _held(tx, since)
                waiting = _waiting(tx, applied, since)
                for cell, count in removals.under_way(tx, self._history).items():
                    if cell in booked:
                        booked[cell]["removed"] += count
            if self._history.version(EVENTS) == snapshot.version:
                return booked, held, waiting, snapshot.files
        raise RuntimeError("history did not stand still for a moment")

    def _write(
        self,
        tx: sa.Connection,
        wrong: Iterable[tuple[Cell, Mapping[str, int], int, int]],
        since: int | None,
        now: datetime,
    ) -> None:
        brands = {
            row.source: row.brand_id for row in tx.execute(sa.select(source_table.c.source, source_table.c.brand_id))
        }
        values = [
            {
                "source": source,
                "hour_at": hour,
                "brand_id": brands.get(source, 0),
                **{name: booked[name] for name in _COUNTS},
                "found_stored": stored,
                "found_quarantined": held,
                "found_at": now,
                "seen_at": now,
            }
            for (source, hour), booked, stored, held in wrong
        ]
        given = given_rows(
            tx, {"source": sa.Text, "hour_at": sa.BigInteger}, [(row["source"], row["hour_at"]) for row in values]
        )
        still = sa.exists().where(
            given.c.source == discrepancy.c.source,
            given.c.hour_at == sa.type_coerce(discrepancy.c.hour_at, sa.BigInteger),
        )
        window = [] if since is None else [discrepancy.c.hour_at >= since]
        tx.execute(sa.delete(discrepancy).where(~still, *window))
        changing = [column.name for column in discrepancy.c if column.name not in ("source", "hour_at", "found_at")]
        upsert(tx, discrepancy, values, ["source", "hour_at"], changing)


_COUNTS = ("accepted", "stored", "duplicate", "quarantined", "removed")
_NOTHING: Mapping[str, int] = dict.fromkeys(_COUNTS, 0)


def _fits(booked: Mapping[str, int], stored: int, held: int) -> bool:
    balanced = booked["accepted"] == booked["stored"] + booked["duplicate"] + booked["quarantined"]
    return balanced and stored == booked["stored"] - booked["removed"] and held == booked["quarantined"]


def _booked(tx: sa.Connection, since: int | None) -> dict[Cell, dict[str, int]]:
    hour = sa.type_coerce(book.c.hour_at, sa.BigInteger).label("hour")
    query = sa.select(book.c.source, hour, *(book.c[name] for name in _COUNTS))
    if since is not None:
        query = query.where(book.c.hour_at >= since)
    return {(row.source, row.hour): dict(row._mapping) for row in tx.execute(query)}  # noqa: SLF001 - its public name


def _held(tx: sa.Connection, since: int | None) -> dict[Cell, int]:
    at = sa.type_coerce(quarantine.c.received_at, sa.BigInteger)
    hour = (at - at % 3_600_000_000).label("hour")
    query = sa.select(quarantine.c.source, hour, sa.func.sum(quarantine.c.count).label("events"))
    query = query.where(quarantine.c.settled.is_(False)).group_by(quarantine.c.source, hour)
    if since is not None:
        query = query.where(quarantine.c.received_at >= since)
    return {(row.source, int(row.hour)): int(row.events) for row in tx.execute(query)}


def _waiting(tx: sa.Connection, applied: int, since: int | None) -> dict[Cell, int]:
    counts: dict[Cell, int] = defaultdict(int)
    query = sa.select(handover.c.data).where(handover.c.table_name == EVENTS, handover.c.batch_id > applied)
    for (data,) in tx.execute(query):
        for cell, count in per_hour(pa.ipc.open_stream(data).read_all().select(_COLUMNS)).items():
            if since is None or cell[1] >= since:
                counts[cell] += count
    return counts


def _count(files: Sequence[str], since: int | None) -> dict[Cell, int]:
    """How many rows the files hold by (source, hour)."""
    counts: dict[Cell, int] = defaultdict(int)
    if not files:
        return counts
    schema = pa.schema([EVENT_SCHEMA.field(name) for name in _COLUMNS])
    wanted = None if since is None else ds.field("received_at") >= since
    scanner = ds.dataset(list(files), schema=schema, format="parquet").scanner(columns=_COLUMNS, filter=wanted)
    for batch in scanner.to_batches():
        for cell, count in per_hour(pa.Table.from_batches([batch])).items():
            counts[cell] += count
    return counts
