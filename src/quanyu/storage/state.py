"""State: transactions on SQLite or PostgreSQL, the same calls on both.

SQLite has one writer: `write()` begins IMMEDIATE, so that two writers queue instead of failing half-way. A process
writes through one connection, whose pages stay in memory as long as nobody else writes.
It runs in WAL mode with `synchronous=FULL`: a commit that was answered survives a power cut too. Large ones do so after
`sync`, which may happen beside whatever comes next.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from quanyu.kernel.errors import Unavailable
from quanyu.kernel.label import Label

_BUSY_SECONDS = 60
_SHRINK_SECONDS = 1.0
_LARGE_LOG = 1 << 30  # a large transaction writes some hundred megabytes, and over old ones faster than anew
_PAGES_OF_LOG = 1000  # after which a commit copies the log into the database
_LONG_LOG = 120_000  # pages, after which a large transaction waits until the log can begin anew


class State:
    """The state store at a SQLAlchemy address. Thread-safe; one per process."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = sa.make_url(url)
        self.dialect: str = self.url.get_backend_name()
        if self.dialect == "sqlite":
            if self.url.database:
                Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            self.engine = self._sqlite(pool_size, 20)
            self._writing = self._sqlite(1, 0)
            event.listen(self._writing, "connect", _remember_pages)
        else:
            self.engine = sa.create_engine(self.url, pool_size=pool_size, max_overflow=20, pool_pre_ping=True)
            self._writing = self.engine
        self._writer = self._writing.execution_options(quanyu_write=True)
        self._large_writer = self._writing.execution_options(quanyu_write=True, quanyu_large=True)
        self._copying: Thread | None = None
        self._log_pages = 0  # as the last copying of the log found it

    def _sqlite(self, connections: int, more: int) -> sa.Engine:
        engine = sa.create_engine(
            self.url,
            pool_size=connections,
            max_overflow=more,
            pool_timeout=_BUSY_SECONDS,
            connect_args={"timeout": _BUSY_SECONDS},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads; on SQLite it sees one snapshot."""
        with _reachable(), self.engine.begin() as tx:
            yield tx

    @contextmanager
    def write(self, *, large: bool = False) -> Iterator[sa.Connection]:
        """A transaction that writes; commits on leaving, rolls back on any exception.

        After a `large` one (tens of thousands of rows) SQLite's log is copied into the database by a thread of its own
        beside whatever comes next. A large one waits for it once the log has become long, so that the log begins anew:
        every reader looks through it, and what is written over old pages of it is written faster. Large ones are for
        one thread. On SQLite they survive a power cut after `sync`, or after the next small one.
        """
        database = self.url.database if large and self.dialect == "sqlite" else None
        if database and self._log_pages > _LONG_LOG:
            self._await_copy()
            self._copy_log(database)  # what small transactions added meanwhile
        with _reachable(), (self._large_writer if large else self._writer).begin() as tx:
            yield tx
        if database:
            self._await_copy()
            self._copying = Thread(target=self._copy_log, args=(database,), name="state-log")
            self._copying.start()

    def sync(self) -> None:
        """Let every commit up to here survive a power cut: before anything is told or deleted that relies on it."""
        log = Path(f"{self.url.database}-wal")
        if self.dialect == "sqlite" and log.exists():  # else it was copied into the database, which was synced
            with log.open("rb") as file:
                os.fsync(file.fileno())

    def _copy_log(self, database: str) -> None:
        self._log_pages = _copy_log(database)

    def _await_copy(self) -> None:
        if self._copying is not None:
            self._copying.join()
            self._copying = None

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
        self._await_copy()
        self._writing.dispose()
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
        "secure_delete=FAST",  # some builds would write zeros over every page that was given back
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _remember_pages(connection: Any, _record: Any) -> None:
    # As many as large transactions touch again and again: what does not fit is read, written and read again.
    connection.execute("PRAGMA cache_size=-1572864")


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("quanyu_write", False):
        connection.exec_driver_sql("BEGIN")
        return
    large = options.get("quanyu_large", False)
    connection.exec_driver_sql(f"PRAGMA wal_autocheckpoint={0 if large else _PAGES_OF_LOG}")
    connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if large else 'FULL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _copy_log(database: str) -> int:
    """Copy what of the write-ahead log no reader needs into the database, waiting for nobody; how many pages it has."""
    pages = 0
    with suppress(sqlite3.Error), closing(sqlite3.connect(database)) as connection:  # the next commit copies it too
        # Once more for what small transactions added meanwhile: only a log that is copied whole is synced, and ends.
        for _ in range(2):
            _, found, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            pages = max(pages, found)  # -1 where somebody else is copying it
    return pages


@contextmanager
def _reachable() -> Iterator[None]:
    """Say in words, and as transient, that the database cannot be reached or is full."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise Unavailable(
            "state_busy",
            Label("状态库正忙", "The state store is busy"),
            detail=Label(
                f"{_BUSY_SECONDS} 秒内没有轮到，请稍后再试",
                f"It was not this request's turn within {_BUSY_SECONDS} seconds. Try again later",
            ),
            retry_after=2,
        ) from error
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
