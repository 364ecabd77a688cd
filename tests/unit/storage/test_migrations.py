"""The revisions make exactly the tables that the contexts declare, on both databases, once."""

import pytest
import sqlalchemy as sa

import quanyu.app  # noqa: F401 - imports every context, and so every table
from quanyu.storage import migrate
from quanyu.storage.schema import metadata
from quanyu.storage.state import State


@pytest.fixture
def empty(state_url: str):
    store = State(state_url)
    yield store
    store.dispose()


def test_an_empty_store_comes_to_todays_tables_once(empty: State):
    assert migrate.current(empty) is None
    assert migrate.upgrade(empty)
    assert migrate.current(empty) == migrate.head()
    assert not migrate.upgrade(empty)
    assert migrate.drift(empty) == []


def test_ledgers_refuse_changes_after_a_migration(empty: State):
    migrate.upgrade(empty)
    ledgers = [table for table in metadata.sorted_tables if table.info.get("append_only")]
    assert {table.name for table in ledgers} >= {"audit_entry", "consent_entry"}
    with empty.read() as tx:
        if empty.dialect == "sqlite":
            found = tx.execute(
                sa.text("SELECT tbl_name, count(*) FROM sqlite_master WHERE type = 'trigger' GROUP BY 1")
            )
            expected = 2
        else:
            found = tx.execute(
                sa.text(
                    "SELECT c.relname, count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
                    " WHERE NOT tgisinternal GROUP BY 1"
                )
            )
            expected = 1
        counts = dict(found.all())
    assert all(counts.get(table.name, 0) >= expected for table in ledgers), counts
