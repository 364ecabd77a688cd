"""Reading places on their schedule: the files of a folder or a bucket, each once, and the rows of a database behind the
last that was read. How connections are made and changed is in `connections.py`.

What was recorded and how far a place was read are one state transaction: a kill in between reads the same again and
changes nothing, because every business key counts once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from quanyu.access.api import Brands
from quanyu.access.contracts import Scope
from quanyu.imports import errors, saved
from quanyu.imports.connections import Connections, next_time
from quanyu.imports.contracts import KeptFile
from quanyu.imports.mapping import Reading
from quanyu.imports.reading import Read
from quanyu.imports.running import begin, make, take
from quanyu.imports.tables import connection as table
from quanyu.imports.tables import seen
from quanyu.kernel.clock import micros
from quanyu.kernel.errors import QuanyuError, TooLarge
from quanyu.kernel.label import Label
from quanyu.sdk.place import FileFailed, FilePlace, PlaceFailed, RowPlace, Surroundings
from quanyu.storage.bulk import upsert
from quanyu.storage.lease import Lease

_FILES_AT_ONCE = 20
_ROWS_AT_ONCE = 20_000
_UNREAD = "unread "  # before the stamp of a file whose failure was told of


class Places:
    """Reads what is due. `host` is the door of imports, for its stores and its doors."""

    def __init__(
        self, host: Any, connections: Connections, brands: Brands, around: Callable[[Scope], Surroundings]
    ) -> None:
        self._host = host
        self._connections = connections
        self._state = host.state
        self._clock = host.clock
        self._brands = brands
        self._around = around

    def step(self, lease: Lease) -> bool:
        """Read the place that is due first; whether there was one."""
        if not lease.acquire():
            return False
        now = self._clock.now()
        with self._state.read() as tx:
            row = tx.execute(
                sa.select(table).where(table.c.active, table.c.next_at <= now).order_by(table.c.next_at).limit(1)
            ).one_or_none()
        if row is None:
            return False
        try:
            place = self._connections.kinds[row.kind].place(
                self._connections.config_of(row), self._around(self._connections.scope_of(row))
            )
            more = self._files(row, place, lease) if isinstance(place, FilePlace) else self._rows(row, place, lease)
        except PlaceFailed as failed:
            self._note(row, _sentence(failed))
        except QuanyuError as error:
            self._note(row, error.sentence())
        else:
            self._note(row, None, at_once=more)
        return True

    def _files(self, row: Any, place: FilePlace, lease: Lease) -> bool:
        """Queue a job for each file that is new or changed; whether there are more."""
        caller = self._connections.caller_of(row)
        mapping = self._host.get_mapping(caller.scope, row.mapping_id)
        with self._state.read() as tx:
            known = {
                one.path: one.stamp
                for one in tx.execute(sa.select(seen).where(seen.c.connection_id == row.connection_id))
            }
        taken = 0
        for file in place.files():
            if known.get(file.path) == file.stamp:
                continue
            if taken == _FILES_AT_ONCE:
                return True
            # What fails stands among the imports with its reason, and those behind it go on: what is too large is tried
            # again only when it changes, what cannot be read each time and told of once.
            failed: Label | None = None
            kept: KeptFile | None = None
            stamp = file.stamp
            try:
                if file.size > self._host.files.most_bytes:
                    raise errors.file_too_large(self._host.files.most_bytes)
                kept = self._host.keep_file(caller, file.path.rsplit("/", 1)[-1], place.read(file.path))
            except TooLarge as error:
                failed = error.sentence()
            except FileFailed as error:
                failed, stamp = _sentence(error), f"{_UNREAD}{file.stamp}"
                if known.get(file.path) == stamp:
                    continue
            job = self._host.new_job(
                caller,
                mapping,
                file.path,
                file_id=kept.file_id if kept else None,
                connection_id=row.connection_id,
            )
            with self._state.write() as tx:
                if not lease.confirm(tx) or not self._as_read(tx, row):
                    return False
                saved.add_job(tx, job)
                if failed is not None:
                    saved.end_job(tx, job.job_id, "failed", self._clock.now(), failed)
                upsert(
                    tx,
                    seen,
                    [
                        {
                            "connection_id": row.connection_id,
                            "path": file.path,
                            "stamp": stamp,
                            "job_id": job.job_id,
                            "at": self._clock.now(),
                        }
                    ],
                    ["connection_id", "path"],
                    ["stamp", "job_id", "at"],
                )
            taken += 1
        return False

    def _rows(self, row: Any, place: RowPlace, lease: Lease) -> bool:
        """Record the next rows with how far they reach in one transaction; whether there are more.

        All of one reading is one job, which goes on behind its last rows after a kill.
        """
        found = place.rows(row.watermark, _ROWS_AT_ONCE)
        caller = self._connections.caller_of(row)
        mapping = self._host.get_mapping(caller.scope, row.mapping_id)
        with self._state.read() as tx:
            run = saved.open_run(tx, row.connection_id)
        if run is None and not found.table.num_rows:
            return False
        job = run or self._host.new_job(
            caller, mapping, row.name, connection_id=row.connection_id, most_bad=_ROWS_AT_ONCE
        )
        made = make(
            mapping.mapping,
            Read(found.table, "parquet", Reading(), lines=np.arange(found.table.num_rows) + job.rows + 1),
            time_zone=caller.scope.time_zone,
            now=micros(job.made_at),
        )
        with self._state.write() as tx:
            if not lease.confirm(tx) or not self._as_read(tx, row) or saved.open_run(tx, row.connection_id) != run:
                return False  # somebody else's turn, or changed or stopped meanwhile
            if run is None:
                saved.add_job(tx, job)
            self._record(tx, job, mapping, made)
            if not found.more:
                saved.end_job(tx, job.job_id, "done", self._clock.now())
            tx.execute(sa.update(table).where(table.c.connection_id == row.connection_id).values(watermark=found.after))
        return found.more

    def _record(self, tx: sa.Connection, job: Any, mapping: Any, made: Any) -> None:
        host = self._host
        begin(tx, host.events, job, made)
        counts = take(tx, host.events, host.commerce, host.vault, self._brands, job, mapping, made.applied.table)
        saved.change_job(
            tx,
            job.job_id,
            done=job.done + made.applied.table.num_rows,
            fresh=job.fresh + counts.fresh,
            corrected=job.corrected + counts.corrected,
            unchanged=job.unchanged + counts.unchanged,
        )

    def _note(self, row: Any, problem: Label | None, *, at_once: bool = False) -> None:
        now = self._clock.now()
        if problem is None:
            zone = self._connections.scope_of(row).time_zone
            failures, after = 0, now if at_once else next_time(row.schedule, now, zone)
        else:
            failures = row.failures + 1
            after = now + timedelta(minutes=min(2 ** min(failures, 6), 60))
        with self._state.write() as tx:
            tx.execute(
                sa.update(table)
                .where(table.c.connection_id == row.connection_id, table.c.config == row.config)
                .values(
                    ran_at=now,
                    failures=failures,
                    next_at=after,
                    problem=json.dumps(problem.as_dict(), ensure_ascii=False) if problem else None,
                )
            )

    @staticmethod
    def _as_read(tx: sa.Connection, row: Any) -> bool:
        """Whether nobody changed the connection while its place was read: its settings are sealed anew each time."""
        same = sa.select(table.c.connection_id).where(
            table.c.connection_id == row.connection_id, table.c.config == row.config
        )
        return tx.execute(same).one_or_none() is not None


def _sentence(failed: PlaceFailed) -> Label:
    title, remedy = failed.problem.title, failed.problem.remedy
    return Label(f"{title.zh}。{remedy.zh}", f"{title.en}. {remedy.en}")
