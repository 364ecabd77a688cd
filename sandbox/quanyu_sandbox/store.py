"""The sandbox's world in one SQLite file, so that it survives being killed like everything else.

One connection, one thread at a time: the whole sandbox runs on one event loop, and what a caller sees happen is
committed before the caller is answered.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quanyu_sandbox.schema import TABLES


class Store:
    """The world's file: one transaction at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "sandbox.sqlite", timeout=30, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing; only a power cut could lose the last moments of a play-world.
        self._db.execute("PRAGMA synchronous=NORMAL")
        with self.write() as db:
            for statement in TABLES.split(";"):
                db.execute(statement)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction; a nested one joins it."""
        with self._lock:
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """The rows of a query."""
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
            return row

    def number(self, sql: str, *values: Any) -> int:
        """The first value of a query as an integer; 0 for NULL."""
        row = self.one(sql, *values)
        return int(row[0] or 0) if row is not None else 0

    def meta(self, name: str) -> str | None:
        """A remembered value."""
        row = self.one("SELECT value FROM meta WHERE name = ?", name)
        return None if row is None else str(row["value"])

    def remember(self, name: str, value: str) -> None:
        """Keep a value under a name."""
        with self.write() as db:
            db.execute(
                "INSERT INTO meta VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
            )

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
