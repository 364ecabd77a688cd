"""The revisions make exactly the tables that the contexts declare, on both databases, once."""

import pytest
import sqlalchemy as sa
from alembic import command

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


def test_audit_entries_of_the_first_tables_are_numbered_within_their_brand(empty: State):
    config = migrate._config()
    with empty.write() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, "0001")
        words = ("actor_kind", "actor_id", "actor_name", "action", "subject", "detail", "prev_hash", "hash")
        columns = ["brand_id", "at", "count", *words]
        for brand in (1, 2, 1, 1):
            values = ", ".join([str(brand), "0", "1", *("'x'" for _ in words)])
            tx.execute(sa.text(f"INSERT INTO audit_entry ({', '.join(columns)}) VALUES ({values})"))
    assert migrate.upgrade(empty)
    with empty.read() as tx:
        found = tx.execute(sa.text("SELECT brand_id, number FROM audit_entry ORDER BY seq")).all()
    assert [tuple(row) for row in found] == [(1, 1), (2, 1), (1, 2), (1, 3)]
