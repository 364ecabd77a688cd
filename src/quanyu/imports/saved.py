"""What operators save and start, as rows: mappings with every version, uploaded files, jobs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.imports import errors, tables
from quanyu.imports.contracts import Job, KeptFile, SavedMapping
from quanyu.imports.mapping import Mapping, dump, parse
from quanyu.kernel.label import Label

OPEN = ("queued", "running")


# ------------------------------------------------------------------------------------------------------- mappings
def add_mapping(
    tx: sa.Connection, brand_id: int, mapping_id: str, name: str, source: str, mapping: Mapping, by: str, at: datetime
) -> int:
    """Save the next version of a mapping; its number."""
    newest = tx.execute(
        sa.select(sa.func.max(tables.mapping.c.version)).where(
            tables.mapping.c.mapping_id == mapping_id, tables.mapping.c.brand_id == brand_id
        )
    ).scalar_one_or_none()
    version = int(newest or 0) + 1
    tx.execute(
        sa.insert(tables.mapping).values(
            mapping_id=mapping_id,
            version=version,
            brand_id=brand_id,
            name=name,
            source=source,
            document=json.dumps(dump(mapping), ensure_ascii=False),
            active=True,
            made_by=by,
            made_at=at,
        )
    )
    return version


def mappings(tx: sa.Connection, brand_id: int, mapping_id: str | None = None) -> list[SavedMapping]:
    """The newest version of each of the brand's mappings by name; those that were put away are left out."""
    own = tables.mapping
    newest = sa.select(own.c.mapping_id, sa.func.max(own.c.version).label("version")).group_by(own.c.mapping_id)
    last = newest.where(own.c.brand_id == brand_id).subquery()
    statement = (
        sa.select(own)
        .join(last, sa.and_(own.c.mapping_id == last.c.mapping_id, own.c.version == last.c.version))
        .where(own.c.active)
        .order_by(own.c.name, own.c.mapping_id)
    )
    if mapping_id is not None:
        statement = statement.where(own.c.mapping_id == mapping_id)
    return [_mapping(row) for row in tx.execute(statement)]


def mapping_version(tx: sa.Connection, brand_id: int, mapping_id: str, version: int) -> SavedMapping:
    """One version of a mapping. Raises NotFound."""
    row = tx.execute(
        sa.select(tables.mapping).where(
            tables.mapping.c.brand_id == brand_id,
            tables.mapping.c.mapping_id == mapping_id,
            tables.mapping.c.version == version,
        )
    ).one_or_none()
    if row is None:
        raise errors.mapping_not_found(f"{mapping_id}@{version}")
    return _mapping(row)


def put_away(tx: sa.Connection, brand_id: int, mapping_id: str) -> bool:
    """Take a mapping off the list; its versions stay, because jobs name them."""
    changed = tx.execute(
        sa.update(tables.mapping)
        .where(tables.mapping.c.brand_id == brand_id, tables.mapping.c.mapping_id == mapping_id)
        .values(active=False)
    )
    return changed.rowcount > 0


def _mapping(row: Any) -> SavedMapping:
    return SavedMapping(
        row.mapping_id, row.version, row.name, row.source, parse(json.loads(row.document)), row.made_by, row.made_at
    )


# ---------------------------------------------------------------------------------------------------------- files
def add_file(tx: sa.Connection, brand_id: int, kept: KeptFile, by: str) -> None:
    """Remember an uploaded file."""
    tx.execute(
        sa.insert(tables.file).values(
            file_id=kept.file_id,
            brand_id=brand_id,
            name=kept.name,
            bytes=kept.bytes,
            stored_as=kept.stored_as,
            made_by=by,
            made_at=kept.made_at,
            until=kept.until,
        )
    )


def stored_names(tx: sa.Connection) -> set[str]:
    """What every remembered file is stored as."""
    return set(tx.execute(sa.select(tables.file.c.stored_as)).scalars())


def find_file(tx: sa.Connection, brand_id: int, file_id: str) -> KeptFile:
    """An uploaded file of the brand. Raises NotFound."""
    row = tx.execute(
        sa.select(tables.file).where(tables.file.c.brand_id == brand_id, tables.file.c.file_id == file_id)
    ).one_or_none()
    if row is None:
        raise errors.file_not_found(file_id)
    return KeptFile(row.file_id, row.name, row.bytes, row.stored_as, row.made_at, row.until)


def expired_files(tx: sa.Connection, now: datetime) -> list[tuple[str, str]]:
    """(file_id, stored_as) of files whose time is over and that no open job needs."""
    needed = sa.select(tables.job.c.file_id).where(
        tables.job.c.status.in_(OPEN), tables.job.c.file_id == tables.file.c.file_id
    )
    found = tx.execute(
        sa.select(tables.file.c.file_id, tables.file.c.stored_as).where(tables.file.c.until <= now, ~needed.exists())
    )
    return [(row[0], row[1]) for row in found]


def forget_files(tx: sa.Connection, file_ids: Sequence[str]) -> None:
    """Remove files' rows."""
    tx.execute(sa.delete(tables.file).where(tables.file.c.file_id.in_(list(file_ids))))


# ----------------------------------------------------------------------------------------------------------- jobs
_JOB = [column.name for column in tables.job.c]


def add_job(tx: sa.Connection, job: Job) -> None:
    """Queue a job."""
    values = {name: getattr(job, name) for name in _JOB}
    tx.execute(sa.insert(tables.job).values(values | {"problem": None}))


def change_job(tx: sa.Connection, job_id: str, **values: Any) -> None:
    """Set columns of a job."""
    tx.execute(sa.update(tables.job).where(tables.job.c.job_id == job_id).values(values))


def end_job(tx: sa.Connection, job_id: str, status: str, at: datetime, problem: Label | None = None) -> bool:
    """End a job that is open; whether it was.

    Its file is not needed any more when every row of it was taken, or when it can be fetched again from where it lies.
    """
    ended = tx.execute(
        sa.update(tables.job)
        .where(tables.job.c.job_id == job_id, tables.job.c.status.in_(OPEN))
        .values(
            status=status,
            ended_at=at,
            problem=json.dumps(problem.as_dict(), ensure_ascii=False) if problem else None,
        )
        .returning(tables.job.c.file_id, tables.job.c.connection_id, tables.job.c.bad)
    ).one_or_none()
    if ended is not None and ((status == "done" and not ended.bad) or ended.connection_id is not None):
        tx.execute(sa.update(tables.file).where(tables.file.c.file_id == ended.file_id).values(until=at))
    return ended is not None


def find_job(tx: sa.Connection, brand_id: int, job_id: str) -> Job:
    """A job of the brand. Raises NotFound."""
    row = tx.execute(
        sa.select(tables.job).where(tables.job.c.brand_id == brand_id, tables.job.c.job_id == job_id)
    ).one_or_none()
    if row is None:
        raise errors.job_not_found(job_id)
    return _job(row)


def next_job(tx: sa.Connection) -> Job | None:
    """The open job that came first; one that runs already before those that wait."""
    row = tx.execute(
        sa.select(tables.job)
        .where(tables.job.c.status.in_(OPEN), tables.job.c.file_id.is_not(None))
        .order_by((tables.job.c.status == "queued"), tables.job.c.made_at, tables.job.c.job_id)
        .limit(1)
    ).one_or_none()
    return None if row is None else _job(row)


def open_run(tx: sa.Connection, connection_id: str) -> Job | None:
    """The reading of a database that goes on."""
    row = tx.execute(
        sa.select(tables.job).where(
            tables.job.c.connection_id == connection_id,
            tables.job.c.file_id.is_(None),
            tables.job.c.status.in_(OPEN),
        )
    ).first()
    return None if row is None else _job(row)


def jobs_of_file(tx: sa.Connection, job: Job) -> list[str]:
    """Earlier jobs of the same file."""
    if job.file_id is None:
        return []
    found = tx.execute(
        sa.select(tables.job.c.job_id).where(
            tables.job.c.brand_id == job.brand_id,
            tables.job.c.file_id == job.file_id,
            tables.job.c.job_id != job.job_id,
        )
    )
    return list(found.scalars())


def jobs(
    tx: sa.Connection, brand_id: int, before: tuple[int, str] | None, limit: int, connection_id: str | None = None
) -> list[Job]:
    """The brand's jobs, newest first, a page of them."""
    at = sa.type_coerce(tables.job.c.made_at, sa.BigInteger)
    statement = sa.select(tables.job).where(tables.job.c.brand_id == brand_id)
    if connection_id is not None:
        statement = statement.where(tables.job.c.connection_id == connection_id)
    if before is not None:
        statement = statement.where(sa.tuple_(at, tables.job.c.job_id) < sa.tuple_(*map(sa.literal, before)))
    return [_job(row) for row in tx.execute(statement.order_by(at.desc(), tables.job.c.job_id.desc()).limit(limit))]


def _job(row: Any) -> Job:
    values = {name: getattr(row, name) for name in _JOB}
    values["problem"] = Label(**json.loads(row.problem)) if row.problem else None
    return Job(**values)
