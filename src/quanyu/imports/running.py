"""Running a job: read, map, record piece by piece; what is done is done, whatever happens in between.

One process at a time holds the lease. A piece of events, the ledger and how far the job is are one transaction, so a
killed job goes on behind its last piece. The file is read and mapped again after a kill: both give the same every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from quanyu.access.api import Brands
from quanyu.commerce.api import Commerce
from quanyu.events.api import Events, RefusedRow
from quanyu.imports import errors, saved
from quanyu.imports.applying import Applied, BadRow, apply
from quanyu.imports.contracts import Job, SavedMapping
from quanyu.imports.mapping import Mapping
from quanyu.imports.reading import Read, read
from quanyu.imports.recording import Counts, catalogue, record
from quanyu.imports.sealing import SealedFiles
from quanyu.kernel.clock import Clock, micros
from quanyu.kernel.errors import QuanyuError
from quanyu.storage.lease import Lease
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

PIECE = 10_000
_MOST_WAITING = 100_000
_ABANDONED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Made:
    """What a mapping made of a table: its events, and every refused row with all that it holds."""

    applied: Applied
    refused: list[RefusedRow]


def make(mapping: Mapping, found: Read, *, time_zone: str, now: int) -> Made:
    """Map a file. Raises Invalid when it lacks columns that the mapping cannot do without."""
    applied = apply(mapping, found.table, time_zone=time_zone, now=now)
    refused = [_refused(found, bad) for bad in applied.bad]
    refused += [RefusedRow(line - 2, "row_ragged", "", "", {"line": text}) for line, text in found.ragged]
    return Made(applied, sorted(refused, key=lambda row: row.row))


def _refused(found: Read, bad: BadRow) -> RefusedRow:
    raw = {name: found.table.column(name)[bad.row].as_py() for name in found.table.column_names}
    # As if the header were the first line and every row one line: shown, it is the line of the file.
    return RefusedRow(found.line(bad.row) - 2, bad.reason, bad.column, bad.value, raw)


class Runner:
    """Runs the queued jobs of every brand, one after the other."""

    def __init__(
        self,
        state: State,
        vault: Vault,
        clock: Clock,
        brands: Brands,
        events: Events,
        commerce: Commerce,
        files: SealedFiles,
        lease: Lease,
        *,
        piece: int = PIECE,
    ) -> None:
        self._state = state
        self._vault = vault
        self._clock = clock
        self._brands = brands
        self._events = events
        self._commerce = commerce
        self._files = files
        self._lease = lease
        self._piece = piece
        self._at_hand: tuple[str, SavedMapping, Made] | None = None
        self._swept = False

    def step(self) -> bool:
        """One piece of the first open job; whether there was anything to do."""
        if not self._lease.acquire() or self._events.recorded_waiting() > _MOST_WAITING:
            return False  # what was recorded has to become history first: a file must not fill the disk twice
        with self._state.read() as tx:
            job = saved.next_job(tx)
        if job is None or self._at_hand is None or self._at_hand[0] != job.job_id:
            self._at_hand = None
            self._forget_files()  # an import has ended: its file goes before the next begins
        if job is None:
            return False
        try:
            saved_mapping, made = self._load(job)
            with self._state.write() as tx:
                if not self._lease.confirm(tx):
                    return False
                self._piece_of(tx, saved.find_job(tx, job.brand_id, job.job_id), saved_mapping, made)
        except QuanyuError as error:
            if error.transient:
                raise
            self._fail(job, error)
        return True

    def _load(self, job: Job) -> tuple[SavedMapping, Made]:
        if self._at_hand is None or self._at_hand[0] != job.job_id:
            assert job.file_id is not None
            with self._state.read() as tx:
                file = saved.find_file(tx, job.brand_id, job.file_id)
                mapping = saved.mapping_version(tx, job.brand_id, job.mapping_id, job.mapping_version)
            data = self._files.open(self._vault.cipher(job.brand_id, "seal"), file.stored_as)
            found = read(data, file.name, mapping.mapping.read)
            brand = self._brands.by_id(job.brand_id)
            # People without a time are described as of when the job was started: the same after a kill.
            made = make(mapping.mapping, found, time_zone=brand.time_zone, now=micros(job.made_at))
            self._at_hand = (job.job_id, mapping, made)
        return self._at_hand[1], self._at_hand[2]

    def _piece_of(self, tx: sa.Connection, job: Job, mapping: SavedMapping, made: Made) -> None:
        applied, now = made.applied, self._clock.now()
        if job.status not in saved.OPEN:
            return  # cancelled meanwhile
        if job.status == "queued":
            begin(tx, self._events, job, made)
            return
        if job.done < job.events:
            part = applied.table.slice(job.done, self._piece)
            counts = take(tx, self._events, self._commerce, self._vault, self._brands, job, mapping, part)
            done = job.done + part.num_rows
            saved.change_job(
                tx,
                job.job_id,
                done=done,
                fresh=job.fresh + counts.fresh,
                corrected=job.corrected + counts.corrected,
                unchanged=job.unchanged + counts.unchanged,
            )
        else:
            done = job.done
        if done >= job.events:
            saved.end_job(tx, job.job_id, "done", now)

    def _fail(self, job: Job, error: QuanyuError) -> None:
        with self._state.write() as tx:
            saved.end_job(tx, job.job_id, "failed", self._clock.now(), error.sentence())
        self._at_hand = None

    def _forget_files(self) -> None:
        now = self._clock.now()
        with self._state.read() as tx:
            expired = saved.expired_files(tx, now)
            known = None if self._swept else saved.stored_names(tx)
        if known is not None:
            self._files.sweep(known, now - _ABANDONED)
            self._swept = True
        for _, stored_as in expired:
            self._files.forget(stored_as)
        if expired:
            with self._state.write() as tx:
                saved.forget_files(tx, [file_id for file_id, _ in expired])


def begin(tx: sa.Connection, events: Events, job: Job, made: Made) -> None:
    """Add to the job's counts and send the refused rows to quarantine. Raises Invalid when there are too many."""
    applied = made.applied
    if len(made.refused) > job.most_bad:
        raise errors.too_many_bad_rows(len(made.refused), applied.rows, job.most_bad)
    earlier = saved.jobs_of_file(tx, job)
    if earlier:
        note = f"由导入 {job.job_id} 重新处理 · taken up again by import {job.job_id}"
        events.quarantine.put_away_refused(tx, job.brand_id, earlier, note, job.made_by)
    if made.refused:
        events.record_frames(tx, job.source, job.brand_id, refused=made.refused, call=job.job_id)
    saved.change_job(
        tx,
        job.job_id,
        status="running",
        rows=job.rows + applied.rows + sum(row.reason == "row_ragged" for row in made.refused),
        events=job.events + applied.table.num_rows,
        bad=job.bad + len(made.refused),
        skipped=job.skipped + applied.skipped,
        repeated=job.repeated + applied.repeated,
        masked=job.masked + applied.masked,
    )


def take(
    tx: sa.Connection,
    events: Events,
    commerce: Commerce,
    vault: Vault,
    brands: Brands,
    job: Job,
    mapping: SavedMapping,
    part: pa.Table,
) -> Counts:
    """Take in a part of a mapped table: events into the log, products and stores into the catalogue."""
    target: Any = mapping.mapping.target
    if target in ("events", "people"):
        return record(tx, events, vault, job.brand_id, job.source, mapping.mapping, part, job.job_id)
    scope = brands.by_id(job.brand_id).scope()
    upsert = commerce.upsert_products if target == "products" else commerce.upsert_stores
    upsert(tx, scope, catalogue(part, target))
    return Counts(fresh=part.num_rows)
