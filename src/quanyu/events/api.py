"""The door of events: sources, the collector, recording, decoding, the books. The quarantine has one of its own.

One object per process. The log is opened for writing only by a process that writes to it.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from quanyu.access.api import Brands
from quanyu.access.contracts import Scope
from quanyu.events import books, damage, errors, openapi, quarantine, recorded, replacing
from quanyu.events.checks import reason_label
from quanyu.events.collector import Collector
from quanyu.events.contracts import (
    START,
    Backlog,
    Batch,
    Damage,
    Frame,
    FrameHeader,
    NativeEvent,
    Position,
    RefusedRow,
    Source,
)
from quanyu.events.decode import Decoder
from quanyu.events.disk import Disk
from quanyu.events.keys import KeyIndex, Looked, keys_of
from quanyu.events.log import LogWriter
from quanyu.events.ordering import by_first_seen
from quanyu.events.origins import Origins
from quanyu.events.personal import mask
from quanyu.events.plan import dump as dump_plan
from quanyu.events.plan import load as load_plan
from quanyu.events.plan_diff import Change as PlanChange
from quanyu.events.plan_diff import diff as diff_plans
from quanyu.events.plan_learning import Learning
from quanyu.events.plans import Plans, note_violations
from quanyu.events.protocols import native, refused_rows, sensors
from quanyu.events.quarantine import Held
from quanyu.events.quarantine_door import Quarantine
from quanyu.events.raws import refuse
from quanyu.events.reader import LogReader
from quanyu.events.replays import Replays
from quanyu.events.sources import Sources, WriteKeys
from quanyu.events.trials import Trials
from quanyu.events.views import BookHour, Replayed, SourceView
from quanyu.events.writers import EventLog, Writers
from quanyu.kernel.clock import Clock, micros
from quanyu.kernel.errors import Unavailable
from quanyu.kernel.ids import Ids
from quanyu.kernel.label import Label
from quanyu.storage.engine import Dimension
from quanyu.storage.history import History
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

__all__ = [
    "Events",
    "Held",
    "Looked",
    "PlanChange",
    "RefusedRow",
    "Replayed",
    "SourceView",
    "diff_plans",
    "dump_plan",
    "load_plan",
    "mask",
    "reason_label",
]

INTERNAL_NAME = Label("全域平台", "Quanyu itself")


class Events:
    """Everything that happened, from the wire to the batch."""

    def __init__(
        self,
        state: State,
        vault: Vault,
        clock: Clock,
        ids: Ids,
        brands: Brands,
        folder: Path,
        *,
        max_body_bytes: int = 10_000_000,
        max_backlog_bytes: int = 1 << 62,
        disk: Disk | None = None,
    ) -> None:
        """`folder` holds the log (`log/`) and the index of stored ids (`keys/`)."""
        self._state = state
        self._vault = vault
        self._clock = clock
        self._folder = folder
        self._disk = disk
        self._max_body_bytes = max_body_bytes
        self._max_backlog_bytes = max_backlog_bytes
        self._log: Writers | None = None
        self._reader: LogReader | None = None
        self._stepped_over: tuple[Damage, ...] = ()
        self._alone = False  # whether no frame was read with them
        self._backlog_reader: LogReader | None = None
        self._books_end: dict[str, Position] | None = None
        self._keys: KeyIndex | None = None
        self._lock = threading.RLock()
        # Where replaced events lie in history: the composition root gives the engine's answer.
        self.find_stored: replacing.Find = lambda _: replacing.NOWHERE
        self.sources = Sources(state, clock, ids)
        self._origins = Origins(self.sources, brands)
        self._decoder = Decoder(self._origins.of, vault.index_many)
        self.plans = Plans(
            state,
            clock,
            vault.index_many,
            lambda frames, rows: refuse(frames, self._origins.of, rows),
            self._origins.own,
        )
        self.learning = Learning(state, clock)
        trials = Trials(self.decode, self._stored_keys)
        self.replays = Replays(state, vault, clock, ids, trials, self._stored_keys, lambda: self.log)
        self.quarantine = Quarantine(state, vault, clock, trials, lambda: self.log)

    # -------------------------------------------------------------------------------------------------- the log
    @property
    def log(self) -> EventLog:
        """This process's side of the log, opened when it is first asked for."""
        with self._lock:
            if self._log is None:
                cipher = self._vault.cipher(0, "log")
                self._log = Writers(
                    lambda prefix: LogWriter(self._folder / "log", cipher, prefix=prefix, disk=self._disk),
                    taken=lambda writer: self._seen_cursors().get(writer, START),
                    max_backlog_bytes=self._max_backlog_bytes,
                )
            return self._log

    def close(self) -> None:
        """Write what waits and give the log's folder back."""
        with self._lock:
            if self._log is not None:
                self._log.close()
                self._log = None

    def collector(self) -> Collector:
        """The routes that SDKs call. Call it once per event loop."""
        return Collector(
            lambda: self.log, WriteKeys(self._state), self._clock, self._judge, max_body_bytes=self._max_body_bytes
        )

    @staticmethod
    def openapi_paths() -> Mapping[str, Any]:
        """The collector's addresses as OpenAPI path items."""
        return openapi.paths()

    # ------------------------------------------------------------------------------------------------ recording
    def record(
        self, tx: sa.Connection, brand_id: int, events: Sequence[NativeEvent], *, source: str | None = None
    ) -> None:
        """Say, inside the caller's transaction, what happened; it becomes history if the transaction commits.

        `source` is an existing source of the brand; left out, it is the product itself.
        """
        if events:
            if source is None:
                source = self._internal(tx, brand_id)
            recorded.write(tx, self._vault, source, brand_id, events, micros(self._clock.now()))

    def record_now(self, source: str, events: Sequence[NativeEvent]) -> None:
        """Say what happened outside of any transaction; durable on return. Raises LogUnavailable."""
        if events:
            self._known(source)
            header = FrameHeader(micros(self._clock.now()), native.PROTOCOL, source, len(events))
            self.log.append_now([(header, native.encode(events))])

    def record_table(self, source: str, table: pa.Table) -> int:
        """Say what happened in bulk: a connector's table, durable on return; the number of rows.

        Columns as `native.OFFERED` (`event_id`, `name`, `occurred_at` are needed); a row that fails a check goes
        to quarantine. Raises Invalid for a table whose columns are not as asked, LogUnavailable.
        """
        self._known(source)
        now = micros(self._clock.now())
        self.log.append_now(
            [
                (FrameHeader(now, native.TABLE_PROTOCOL, source, rows), payload)
                for rows, payload in native.frames_of(table)
            ]
        )
        return int(table.num_rows)

    def record_tables(self, source: str, tables: Iterable[pa.Table]) -> Iterator[int]:
        """Say what happened in bulk, as `record_table`, one table after another; how many rows became durable.

        A million rows are read before the first do: they are recorded in the order that is cheapest to take in.
        """
        for table in by_first_seen(tables):
            yield self.record_table(source, table)

    def record_frames(
        self,
        tx: sa.Connection,
        source: str,
        brand_id: int,
        *,
        table: pa.Table | None = None,
        refused: Sequence[RefusedRow] = (),
        call: str = "",
    ) -> None:
        """Say in bulk, inside the caller's transaction, what happened; it becomes history if that commits.

        `table` has columns as `native.OFFERED`. `refused` are rows that are no events: they go to quarantine one by
        one, sealed, with their reason; `call` tells them from others of the source. Raises Invalid for wrong columns.
        """
        now = micros(self._clock.now())
        frames = native.frames_of(table) if table is not None else iter(())
        for count, payload in frames:
            header = FrameHeader(now, native.TABLE_PROTOCOL, source, count, call)
            recorded.write_payload(tx, self._vault, header, brand_id, payload)
        if refused:
            header = FrameHeader(now, refused_rows.PROTOCOL, source, len(refused), call)
            recorded.write_payload(tx, self._vault, header, brand_id, refused_rows.encode(refused))

    def recorded_waiting(self) -> int:
        """How many events transactions recorded that the log does not have yet."""
        with self._state.read() as tx:
            return recorded.waiting(tx)

    def pump(self, limit: int = 1000) -> int:
        """Move what transactions recorded into the log; the number of events. For the worker, before it reads.

        Damage that the last reading met with no frame to come with goes into the books here.
        """
        if self._alone and self._stepped_over:
            batch = self.decode(())
            with self._state.write() as tx:
                self.commit_books(tx, batch)
        return recorded.pump(self._state, self._vault, self.log, limit)

    # ------------------------------------------------------------------------------------------- the micro-batch
    def cursors(self) -> dict[str, Position]:
        """Where the books end in each writer's log."""
        with self._state.read() as tx:
            return books.cursors(tx)

    def read(self, max_events: int = 20_000, after: Mapping[str, Position] | None = None) -> list[Frame]:
        """The next frames after the books, or after the given places. For one thread: the worker's."""
        if self._reader is None:
            self._reader = LogReader(self._folder / "log", self._vault.cipher(0, "log"))
        found = self._reader.read(self.cursors() if after is None else after, max_events=max_events)
        self._stepped_over, self._alone = tuple(self._reader.stepped_over.values()), not found
        return found

    def others_wait(self, after: Mapping[str, Position], writers: Container[str]) -> bool:
        """Whether a writer that is not one of `writers` has a frame after the given places. For the worker's thread."""
        return self._reader is not None and self._reader.others_wait(after, writers)

    def decode(self, frames: Sequence[Frame]) -> Batch:
        """Rows with their keys, refused events and counts of `frames`, which `read` gave last. Writes nothing."""
        if any(frame.header.replays for frame in frames):
            with self._state.read() as tx:
                frames = quarantine.once(tx, frames)
        batch = self.plans.judge(self._decoder.decode(frames), frames)
        table = batch.table
        keys = keys_of(table.column("source").to_pylist(), table.column("event_id").to_pylist())
        damaged, self._stepped_over = self._stepped_over, ()
        ended = {**batch.ended}
        for one in damaged:  # all that lies between the last frame and them was stepped over, too
            ended[one.writer] = max(one.end, ended.get(one.writer, START))
        return replace(batch, keys=keys, damaged=damaged, ended=ended)

    @property
    def keys(self) -> KeyIndex:
        """The index of stored ids, as it is on disk now. One process at a time may add to it."""
        if self._keys is None:
            self._keys = KeyIndex(self._folder / "keys", self._disk)
        else:
            self._keys.refresh()
        return self._keys

    def look_up(self, batch: Batch) -> Looked | None:
        """Which events of a batch are stored as far as is known now, for `deduplicate`. For a thread of its own."""
        return self._keys.look(batch.keys) if self._keys else None

    def deduplicate(self, batch: Batch, looked: Looked | None = None) -> Batch:
        """The batch without events that were stored before, or that it holds twice; they are counted.

        `looked` is what `look_up` said of it earlier.
        """
        for brand_id in {item.brand_id for item in batch.rejected}:
            self._vault.cipher(brand_id, "seal")  # made now if missing: inside a write transaction it could not be
        fresh = self.keys.fresh(batch.keys, looked)
        if fresh.all():
            return batch
        return replace(
            batch,
            table=batch.table.filter(pa.array(fresh)),
            keys=batch.keys[fresh],
            duplicates=books.duplicates_of(batch.table, fresh),
        )

    def commit_books(self, tx: sa.Connection, batch: Batch) -> bool:
        """Cursor, books and quarantine of a deduplicated batch.

        False when that was done before, or when it repeats a replay that was settled since it was decoded: decode it
        again. Raises BooksOutOfStep when the batch begins before the books' end without lying behind it.
        """
        if batch.replays and quarantine.settled_among(tx, [item[0] for item in batch.replays]):
            return False
        now = micros(self._clock.now())
        if not books.move(tx, batch, now):
            return False
        quarantine.hold(tx, self._vault, batch.rejected)
        books.write(tx, batch, now)
        note_violations(tx, batch.violations)
        if batch.damaged:
            damage.note(tx, batch.damaged, now)
        return True

    def note_replaced(self, tx: sa.Connection, table: pa.Table, batch: int) -> pa.Table:
        """Remember which events a batch that was handed over as number `batch` replaces; it gains `replaced`."""
        return replacing.note(tx, table, batch, self.find_stored)

    def replacements(self, history: History) -> Dimension:
        """The events that others replace, for the engine and the streams: as far as `history` shows who does."""
        return replacing.dimension(self._state, lambda: history.applied("events", "ingest"))

    @staticmethod
    def replaced_anchors(tx: sa.Connection, batch: pa.Table) -> Any:
        """The deciding identifiers of the events that a batch replaces."""
        return replacing.replaced_anchors(tx, batch)

    @staticmethod
    def without_replaced(tx: sa.Connection, table: pa.Table) -> pa.Table:
        """The rows (`source`, `event_id`, …) that nobody replaces, as far as this transaction knows."""
        return replacing.without_replaced(tx, table)

    def keep_keys(self, batch: Batch, marker: int) -> None:
        """Remember the ids of a batch that history has. Doing it twice changes nothing."""
        self.keys.add(batch.keys, marker)

    def keep_rows(self, table: pa.Table, marker: int) -> None:
        """`keep_keys` of rows that were committed, when their batch is no longer at hand."""
        self.keys.add(keys_of(table.column("source").to_pylist(), table.column("event_id").to_pylist()), marker)

    def restore_keys(self, history: History, marker: int) -> int:
        """Make the index of stored ids again from history; the number of ids."""

        def parts() -> Iterable[Any]:
            for file in history.snapshot("events").files:
                part = pq.read_table(file, columns=["source", "event_id"], partitioning=None)
                yield keys_of(part.column("source").to_pylist(), part.column("event_id").to_pylist())

        self.keys.rebuild(parts(), marker)
        return len(self.keys)

    def forget_log(self, before: Mapping[str, Position] | None = None) -> int:
        """Delete segments that history has: those before `before`, by default before the books' end."""
        reader = LogReader(self._folder / "log", self._vault.cipher(0, "log"))
        if before is None:
            with self._state.read() as tx:
                before = books.cursors(tx)
        self._state.sync()
        return reader.delete(before)

    # -------------------------------------------------------------------------------------------------- looking
    def backlog(self) -> Backlog:
        """What waits in the log. While the state store is away: since the books' end as it was last seen."""
        with self._lock:
            if self._backlog_reader is None:
                self._backlog_reader = LogReader(self._folder / "log", self._vault.cipher(0, "log"))
            return self._backlog_reader.backlog(self._seen_cursors())

    def _seen_cursors(self) -> dict[str, Position]:
        """Where the books end; while the state store is away, where they were last seen to end."""
        try:
            found = self._books_end = self.cursors()
        except Unavailable:
            if self._books_end is None:
                raise
            found = self._books_end
        return found

    def unbalanced(self) -> list[Any]:
        """Hours whose books do not add up; always none."""
        with self._state.read() as tx:
            return books.unbalanced(tx)

    def list_sources(self, scope: Scope) -> list[SourceView]:
        """The brand's sources with their books; `pending` waits in the log."""
        listed = self.sources.list(scope.brand_id)
        pending = self.backlog().by_source
        with self._state.read() as tx:
            totals = books.totals(tx, [source.source for source, _ in listed])
            wrong = books.discrepant(tx, scope.brand_id)
            damaged = damage.events_of(tx, [source.source for source, _ in listed])
        return [
            SourceView.of(
                source,
                last,
                totals.get(source.source, {}),
                pending.get(source.source, 0),
                proven=source.source not in wrong,
                damaged=damaged.get(source.source, 0),
            )
            for source, last in listed
        ]

    def create_source(
        self, tx: sa.Connection, scope: Scope, *, source: str, name: Label, kind: str, channel: str | None = None
    ) -> tuple[Source, str | None]:
        """A new source of the brand and, for one that sends over HTTP, its write key, shown this once."""
        return self.sources.create(tx, source=source, brand_id=scope.brand_id, name=name, kind=kind, channel=channel)

    def read_books(self, scope: Scope, source: str, begin: datetime, end: datetime) -> list[BookHour]:
        """The source's books by hour, newest first. Raises NotFound."""
        self._visible(scope, source)
        with self._state.read() as tx:
            booked = {row.hour_at: row for row in books.hours(tx, source, micros(begin), micros(end))}
            damaged = damage.per_hour(tx, source, micros(begin), micros(end))
        hours = sorted({*booked, *damaged}, reverse=True)
        return [BookHour.of(hour, booked.get(hour), damaged.get(hour, 0)) for hour in hours]

    def damaged_frames(self) -> int:
        """How many frames of the log could not be read, ever; always none."""
        with self._state.read() as tx:
            return damage.frames(tx)

    # --------------------------------------------------------------------------------------------------- inside
    def _judge(self, source: Source, payload: bytes, received_at: int) -> list[tuple[str, str, str]]:
        header = FrameHeader(received_at, sensors.PROTOCOL, source.source, 0)
        batch = self._decoder.decode([Frame("debug", Position(0, 0), Position(0, 0), header, payload)])
        return [(item.reason, item.where, item.detail) for item in batch.rejected]

    def _stored_keys(self) -> KeyIndex:
        """The index of stored ids as it is on disk, for any thread."""
        return KeyIndex(self._folder / "keys", self._disk)

    def _internal(self, tx: sa.Connection, brand_id: int) -> str:
        source = f"{self._origins.brand(brand_id).key}.quanyu"
        self.sources.ensure(tx, source=source, brand_id=brand_id, name=INTERNAL_NAME, kind="internal")
        return source

    def _known(self, source: str) -> Source:
        found = self.sources.get(source)
        if found is None:
            raise errors.source_not_found(source)
        return found

    def _visible(self, scope: Scope, source: str) -> Source:
        found = self.sources.get(source)
        if found is None or found.brand_id != scope.brand_id:
            raise errors.source_not_found(source)
        return found
