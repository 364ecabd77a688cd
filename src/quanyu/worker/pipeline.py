"""The micro-batch: from the log to both stores, each event once, however often the worker dies.

One state transaction moves the log's cursor, keeps the books and the quarantine, resolves people, and lets every
context that lives on events (consent, profiles, receipts, journeys) take its part as a set. The rows for history
are part of that transaction too (`storage.handover`) and reach the Delta table within a second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

import pyarrow as pa
import sqlalchemy as sa
from prometheus_client import Counter, Histogram

from quanyu.events.api import Events
from quanyu.events.contracts import EVENT_SCHEMA, Position
from quanyu.identity.api import Identity, Mentions
from quanyu.identity.contracts import Resolved
from quanyu.kernel.clock import Clock
from quanyu.kernel.errors import Unavailable
from quanyu.kernel.label import Label
from quanyu.storage import handover
from quanyu.storage.history import History
from quanyu.storage.lease import Lease
from quanyu.storage.state import State
from quanyu.worker.ahead import Ahead, Coming

log = logging.getLogger(__name__)

APP = "ingest"
EVENTS = "events"
LARGE = 20_000  # events, from which on a batch changes so much that copying the state's log is worth a thread

PROCESSED = Counter("quanyu_events_processed_total", "Events through the micro-batch, by outcome", ["outcome"])
BATCH_SECONDS = Histogram("quanyu_batch_seconds", "Time of a micro-batch, decoded to commit")


class TakesPart(Protocol):
    """A context that lives on events."""

    def __call__(self, tx: sa.Connection, batch: pa.Table, resolved: Resolved) -> object:
        """Take its part of a resolved batch, inside the batch's transaction.

        `batch` has `BATCH_SCHEMA`, people filled in, and `replaced`: true for an event that another one corrects.
        """
        ...


class Pipeline:
    """Runs micro-batches. One at a time over all processes: the lease says whose turn it is."""

    def __init__(
        self,
        state: State,
        history: History,
        clock: Clock,
        events: Events,
        identity: Identity,
        parts: Sequence[TakesPart],
        lease: Lease,
        *,
        ahead: Ahead | None = None,
        begin: Callable[[], None] = lambda: None,
        afterwards: Callable[[], None] = lambda: None,
        large: int = LARGE,
    ) -> None:
        self._state = state
        self._history = history
        self._clock = clock
        self._events = events
        self._identity = identity
        self._parts = parts
        self._lease = lease
        self._ahead = ahead or Ahead(events)
        self._begin = begin
        self._afterwards = afterwards
        self._large = large
        self._beside = ThreadPoolExecutor(1, "batch-coming")
        self._coming: Future[Coming | None] | None = None
        self._keeping: Future[None] | None = None  # of the last large batch's keys
        self._ready_for: int | None = None  # the fence of the turn at whose beginning it looked what others had done
        self.taken = 0  # events that this process took from the log
        self._forgotten = -1  # how many of them the log was rid of

    def acquire(self) -> bool:
        """Whether it is this pipeline's turn, or has become it."""
        return self._lease.acquire()

    def release(self) -> None:
        """Give the turn back, so that the next worker need not wait for the lease to end."""
        self._prepared()
        self._kept()
        self._ready_for = None
        self._lease.release()

    def step(self) -> bool:
        """One micro-batch; whether there was anything to do."""
        if not self._lease.acquire():
            self._ready_for = None
            return False
        if self._ready_for != self._lease.fence:  # also after a sleep in which another had its turn
            self._recover()
        coming = self._prepared()
        self._events.pump()
        after = self._events.cursors()
        if coming is not None and self._events.others_wait(after, coming.batch.ended):
            coming = None
            self._ahead.hurry()
        if coming is None or coming.after != after:
            coming = self._ahead.take(after)
            if coming is None:
                self._kept()
                return False
        with BATCH_SECONDS.time():
            batch = self._events.deduplicate(coming.batch, coming.looked)
            mentions = coming.mentions
            if mentions is None or batch.table.num_rows != coming.batch.table.num_rows:
                mentions = self._identity.read(batch.table)
            large = batch.table.num_rows >= self._large
            with self._state.write(large=large) as tx:
                if not self._lease.confirm(tx) or not self._events.commit_books(tx, batch):
                    self._ready_for = None  # somebody else took over: look again before going on
                    return True
                number = self._take_in(tx, batch.table, mentions)
                if large:  # committing it takes a while, in which the next one can be made ready
                    self._coming = self._beside.submit(self._prepare, {**coming.after, **batch.ended})
            self._kept()
            if number is not None and large:  # it waits for disks, and the next one need not
                self._events.keys.note(batch.keys)
                self._keeping = self._beside.submit(self._keep, number)
            elif number is not None:
                self._events.keep_keys(batch, number)
        self.taken += sum(batch.accepted.values())
        PROCESSED.labels("stored").inc(batch.table.num_rows)
        PROCESSED.labels("duplicate").inc(sum(batch.duplicates.values()))
        PROCESSED.labels("quarantined").inc(sum(item.count for item in batch.rejected))
        self._afterwards()
        return True

    def _prepare(self, after: Mapping[str, Position]) -> Coming | None:
        coming = self._ahead.take(after)
        if coming is None:
            return None
        mentions = coming.mentions or self._identity.read(coming.batch.table)
        return replace(coming, mentions=mentions, looked=self._events.look_up(coming.batch))

    def _prepared(self) -> Coming | None:
        """What was made ready beside the last commit; None when that failed: it is then met again, and counted."""
        coming, self._coming = self._coming, None
        if coming is None:
            return None
        if (error := coming.exception()) is not None:
            log.warning("next_batch_not_ready", extra={"why": type(error).__name__})
            return None
        return coming.result()

    def _keep(self, number: int) -> None:
        self._state.sync()  # the index must hold no ids of events that a power cut could take back
        self._events.keys.keep(number)

    def _kept(self) -> None:
        """Wait until the keys of the last large batch are on disk; if that failed, the next step looks again."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None and (error := keeping.exception()) is not None:
            log.warning("keys_not_kept", extra={"why": type(error).__name__})
            self._ready_for = None

    def _take_in(self, tx: sa.Connection, table: pa.Table, mentions: Mentions) -> int | None:
        if not table.num_rows:
            return None
        resolved = self._identity.resolve(tx, table, mentions)
        table = _with_people(table, resolved)
        number = handover.put(tx, EVENTS, table.select(EVENT_SCHEMA.names).cast(EVENT_SCHEMA), self._clock.now())
        table = self._events.note_replaced(tx, table, number)
        for part in self._parts:
            part(tx, table, resolved)
        return number

    def deliver(self) -> bool:
        """Hand committed rows to history; whether there were any. For the process that holds the lease."""
        if self._ready_for is None:
            return False
        # Not beyond what the index of ids holds: a kill in between must find those rows still here.
        delivered = handover.deliver(self._state, self._history, APP, EVENTS, upto=self._events.keys.marker)
        if self.taken != self._forgotten:  # also when all that was taken were repetitions
            self._events.forget_log()
            self._forgotten = self.taken
        return delivered > 0

    def drain(self, progress: Callable[[int], None] = lambda _: None) -> int:
        """Work until the log is empty and history has everything; the number of events stored.

        Raises Unavailable when it is another worker's turn: the log is then that worker's to empty.
        """
        stored, before = 0, self.taken
        while self.step():
            progress(self.taken - before)
            before = self.taken
        if not self._lease.acquire():
            raise Unavailable(
                "worker_busy",
                Label("另一个后台进程正在入库", "Another worker is storing events"),
                detail=Label("数据已写入日志，由它入库", "What was sent is in the log; that worker stores it"),
            )
        while done := handover.deliver(self._state, self._history, APP, EVENTS):
            stored += done
        return stored

    def _recover(self) -> None:
        """After a start or a change of hands: the index of stored ids must hold what was committed.

        Whoever remembers what it read must `begin` anew: another process may have written since.
        """
        self._kept()
        index = self._events.keys
        if not index.complete:
            log.info("rebuilding_key_index")
            self._events.restore_keys(self._history, self._history.applied(EVENTS, APP))
        for number, rows in handover.waiting(self._state, index.marker):
            self._events.keep_rows(rows, number)
        self._begin()
        self._ready_for = self._lease.fence


def _with_people(table: pa.Table, resolved: Resolved) -> pa.Table:
    columns = {
        "person_id": pa.array(resolved.person_id, pa.int64()),
        "anchor_id": pa.array(resolved.anchor_id, pa.int64()),
        "identifiers": resolved.identifiers,
    }
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), values)
    return table
