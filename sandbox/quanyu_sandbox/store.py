"""The sandbox's world in one SQLite file, so that it survives being killed like everything else."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS staff (userid TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS customer (
  external_userid TEXT PRIMARY KEY, name TEXT NOT NULL, unionid TEXT, openid TEXT, phone TEXT,
  staff TEXT NOT NULL, store_id TEXT, friend INTEGER NOT NULL DEFAULT 1, added_at REAL NOT NULL, state TEXT,
  remark TEXT, tags TEXT NOT NULL DEFAULT '[]',
  read_rate REAL NOT NULL, redeem_rate REAL NOT NULL, block_rate REAL NOT NULL, delay REAL NOT NULL);
CREATE INDEX IF NOT EXISTS customer_staff ON customer (staff);
CREATE TABLE IF NOT EXISTS task (
  msgid TEXT PRIMARY KEY, sender TEXT, text TEXT, attachments TEXT NOT NULL, body_hash TEXT NOT NULL,
  created_at REAL NOT NULL, cancelled INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS target (
  msgid TEXT NOT NULL, external_userid TEXT NOT NULL, userid TEXT NOT NULL,
  status INTEGER NOT NULL DEFAULT 0, send_time REAL, PRIMARY KEY (msgid, external_userid));
CREATE INDEX IF NOT EXISTS target_customer ON target (external_userid, send_time);
CREATE TABLE IF NOT EXISTS message (
  id INTEGER PRIMARY KEY AUTOINCREMENT, external_userid TEXT NOT NULL, userid TEXT NOT NULL, at REAL NOT NULL,
  text TEXT, card TEXT, msgid TEXT, read_at REAL, tapped_at REAL, redeemed_at REAL);
CREATE INDEX IF NOT EXISTS message_customer ON message (external_userid, id);
CREATE TABLE IF NOT EXISTS plan (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
  done INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS plan_once ON plan (kind, subject);
CREATE INDEX IF NOT EXISTS plan_due ON plan (done, at, id);
CREATE TABLE IF NOT EXISTS outgoing (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, payload TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, done INTEGER NOT NULL DEFAULT 0, answer TEXT);
CREATE INDEX IF NOT EXISTS outgoing_due ON outgoing (done, next_at);
CREATE TABLE IF NOT EXISTS welcome (
  code TEXT PRIMARY KEY, external_userid TEXT NOT NULL, userid TEXT NOT NULL, expires_at REAL NOT NULL,
  used INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS token (token TEXT PRIMARY KEY, expires_at REAL NOT NULL, revoked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS tag (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, group_id TEXT NOT NULL, group_name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS contact_way (config_id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fault (
  id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, kind TEXT NOT NULL, remaining INTEGER NOT NULL,
  happened INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS call (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, path TEXT NOT NULL, body_hash TEXT NOT NULL,
  errcode INTEGER NOT NULL, subjects TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS webhook (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, headers TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS clock (name TEXT PRIMARY KEY, at REAL NOT NULL);
"""


class Store:
    """Connections to the world's file: one per thread, writes one at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "sandbox.sqlite"
        self._local = threading.local()
        self._lock = threading.RLock()
        with self.write() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "db", None)
        if found is None:
            found = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode=WAL")
            found.execute("PRAGMA synchronous=FULL")
            self._local.db = found
        return found

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction; nested calls of one thread join it."""
        db = self._connection()
        with self._lock:
            if db.in_transaction:
                yield db
                return
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """The rows of a query."""
        return self._connection().execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row of a query."""
        row: sqlite3.Row | None = self._connection().execute(sql, values).fetchone()
        return row
