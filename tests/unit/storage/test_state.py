"""What the state store does by itself: its write-ahead log does not grow for ever."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import Barrier, Thread, current_thread

import pytest
import sqlalchemy as sa

from quanyu.kernel.errors import Unavailable
from quanyu.storage import state as state_module
from quanyu.storage.state import State

_ROW = "x" * 100_000


def _written(state: State, table: sa.Table, rows: int) -> None:
    for _ in range(rows):
        with state.write() as tx:
            tx.execute(sa.insert(table).values(text=_ROW))


def test_a_log_that_readers_kept_from_ending_is_emptied(tmp_path: Path) -> None:
    state = State(f"sqlite:///{tmp_path / 'state.sqlite'}")
    table = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))
    table.metadata.create_all(state.engine)
    log = tmp_path / "state.sqlite-wal"
    # Two readers that take turns, so that there is always one: as the worker's lanes do.
    first = state.read()
    first.__enter__().execute(sa.select(table.c.id)).all()
    _written(state, table, 100)
    second = state.read()
    second.__enter__().execute(sa.select(table.c.id)).all()
    first.__exit__(None, None, None)
    _written(state, table, 100)
    size = log.stat().st_size
    assert size > 200 * len(_ROW)
    assert state.shrink_log(size) is False  # not large
    assert state.shrink_log(1 << 20) is False  # somebody reads
    second.__exit__(None, None, None)
    assert state.shrink_log(1 << 20) is True
    assert log.stat().st_size == 0
    _written(state, table, 1)
    with state.read() as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 201
    state.dispose()


def test_only_sqlite_has_such_a_log(state: State) -> None:
    with state.write() as tx:
        tx.execute(sa.text("CREATE TABLE anything (id INTEGER)"))
    assert state.shrink_log(0) is (state.dialect == "sqlite")


@pytest.mark.parametrize("logs", [0, 2])
def test_the_log_of_large_transactions_is_copied_beside_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logs: int
) -> None:
    monkeypatch.setattr(state_module, "_LONG_LOG", logs * 2_500)
    state = State(f"sqlite:///{tmp_path / 'state.sqlite'}")
    table = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))
    table.metadata.create_all(state.engine)
    log = tmp_path / "state.sqlite-wal"
    sizes = []
    for _ in range(9):
        with state.write(large=True) as tx:
            tx.execute(sa.delete(table))
            tx.execute(sa.insert(table), [{"text": _ROW}] * 100)  # 2,500 pages, and they are 4 kB and a head each
        sizes.append(log.stat().st_size)
    # Whoever found the log long began with a copied one, and wrote at its beginning: it holds a few, not nine.
    assert sizes[0] > 100 * len(_ROW)
    assert sizes[-1] < (logs + 2.5) * sizes[0]
    state.dispose()
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        assert connection.execute("SELECT count(*), sum(length(text)) FROM t").fetchone() == (100, 100 * len(_ROW))


def test_small_transactions_while_the_log_is_copied_do_not_make_it_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State(f"sqlite:///{tmp_path / 'state.sqlite'}")
    table = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))
    table.metadata.create_all(state.engine)
    copy = state_module._copy_log
    monkeypatch.setattr(state_module, "_LONG_LOG", 2_500)

    def copy_with_company(database: str) -> int:
        if current_thread().name != "state-log":
            return copy(database)
        with state.read() as reader:
            reader.execute(sa.select(table.c.id)).all()
            _written(state, table, 1)
            return copy(database)

    monkeypatch.setattr(state_module, "_copy_log", copy_with_company)
    sizes = []
    for _ in range(9):
        with state.write(large=True) as tx:
            tx.execute(sa.delete(table))
            tx.execute(sa.insert(table), [{"text": _ROW}] * 100)
        sizes.append((tmp_path / "state.sqlite-wal").stat().st_size)
    assert sizes[-1] < 3.5 * sizes[0]
    state.dispose()


def test_a_large_transaction_that_fails_leaves_nothing(state: State) -> None:
    with state.write() as tx:
        tx.execute(sa.text("CREATE TABLE anything (id INTEGER)"))
    with pytest.raises(RuntimeError), state.write(large=True) as tx:
        tx.execute(sa.text("INSERT INTO anything VALUES (1)"))
        raise RuntimeError
    with state.write(large=True) as tx:
        tx.execute(sa.text("INSERT INTO anything VALUES (2)"))
    with state.read() as tx:
        assert tx.execute(sa.text("SELECT id FROM anything")).scalars().all() == [2]


def test_writers_wait_for_their_turn(state: State) -> None:
    with state.write() as tx:
        tx.execute(sa.text("CREATE TABLE counter (value INTEGER)"))
        tx.execute(sa.text("INSERT INTO counter VALUES (0)"))
    together = Barrier(8)

    def count() -> None:
        together.wait()
        for _ in range(25):
            with state.write() as tx:
                tx.execute(sa.text("UPDATE counter SET value = value + 1"))

    threads = [Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with state.read() as tx:
        assert tx.execute(sa.text("SELECT value FROM counter")).scalar() == 200


def test_whoever_waits_too_long_is_told_to_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "_BUSY_SECONDS", 0.1)
    state = State(f"sqlite:///{tmp_path / 'state.sqlite'}")
    with state.write(), pytest.raises(Unavailable) as refused, state.write():
        pass
    assert refused.value.code == "state_busy"
    assert refused.value.retry_after == 2
    state.dispose()
