"""State: transactions on SQLite or PostgreSQL, the same calls on both.

SQLite has one writer: `write()` begins IMMEDIATE, so that two writers queue instead of failing half-way.
It runs in WAL mode with `synchronous=FULL`: a commit that was answered survives a power cut too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from quanyu.kernel.errors import Unavailable
from quanyu.kernel.label import Label

_BUSY_SECONDS = 60
_SHRINK_SECONDS = 1.0
_LARGE_LOG = 256 << 20


class State:
    """The state store at a SQLAlchemy address. Thread-safe; one per process."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = sa.make_url(url)
        self.dialect: str = self.url.get_backend_name()
        if self.dialect == "sqlite":
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = sa.create_engine(
                self.url, pool_size=pool_size, max_overflow=20, connect_args={"timeout": _BUSY_SECONDS}
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = sa.create_engine(self.url, pool_size=pool_size, max_overflow=20, pool_pre_ping=True)
        self._writer = self.engine.execution_options(quanyu_write=True)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads; on SQLite it sees one snapshot."""
        with _reachable(), self.engine.begin() as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that writes; commits on leaving, rolls back on any exception."""
        with _reachable(), self._writer.begin() as tx:
            yield tx

    def shrink_log(self, above: int = _LARGE_LOG) -> bool:
        """Copy SQLite's write-ahead log into the database and empty it, once it has more than `above` bytes.

        SQLite does so itself only in a moment in which nobody reads, and where many lanes read in turns there is
        none: the log then grows as long as somebody writes. Waits a second for readers; False when it was not done.
        """
        database = self.url.database
        if self.dialect != "sqlite" or not database:
            return False
        log = Path(f"{database}-wal")
        if not log.exists() or log.stat().st_size <= above:
            return False
        with closing(sqlite3.connect(database, timeout=_SHRINK_SECONDS)) as connection:
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # sqlite3 would begin transactions by itself and too late; `_begin_sqlite` does it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_SECONDS * 1000}",
        "cache_size=-65536",
        "temp_store=MEMORY",
        "mmap_size=1073741824",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("quanyu_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def _reachable() -> Iterator[None]:
    """Say in words, and as transient, that the database cannot be reached or is full."""
    try:
        yield
    except sa.exc.OperationalError as error:
        text = str(error.orig).lower()
        if any(word in text for word in ("no such table", "no such column", "does not exist", "syntax error")):
            raise
        raise Unavailable(
            "state_unavailable",
            Label("状态库暂时不可用", "The state store cannot be reached"),
            detail=Label(
                f"请检查数据库是否在运行、磁盘是否已满：{error.orig}",
                f"Check that the database runs and that the disk is not full: {error.orig}",
            ),
            retry_after=2,
        ) from error
