"""What the state store does by itself: its write-ahead log does not grow for ever."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

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
