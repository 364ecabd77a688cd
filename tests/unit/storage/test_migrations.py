"""The revisions make exactly the tables that the contexts declare, on both databases, once."""

import pytest
import sqlalchemy as sa
from alembic import command

import quanyu.app  # noqa: F401 - imports every context, and so every table
from quanyu.kernel.clock import from_micros
from quanyu.storage import migrate
from quanyu.storage.schema import metadata
from quanyu.storage.state import State


@pytest.fixture
def empty(state_url: str):
    store = State(state_url)
    yield store
    store.dispose()


def upgrade_to(tx: sa.Connection, revision: str) -> None:
    config = migrate._config()
    config.attributes["connection"] = tx
    command.upgrade(config, revision)


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
    with empty.write() as tx:
        upgrade_to(tx, "0001")
        words = ("actor_kind", "actor_id", "actor_name", "action", "subject", "detail", "prev_hash", "hash")
        columns = ["brand_id", "at", "count", *words]
        for brand in (1, 2, 1, 1):
            values = ", ".join([str(brand), "0", "1", *("'x'" for _ in words)])
            tx.execute(sa.text(f"INSERT INTO audit_entry ({', '.join(columns)}) VALUES ({values})"))
    assert migrate.upgrade(empty)
    with empty.read() as tx:
        found = tx.execute(sa.text("SELECT brand_id, number FROM audit_entry ORDER BY seq")).all()
    assert [tuple(row) for row in found] == [(1, 1), (2, 1), (1, 2), (1, 3)]


def test_whoever_waits_for_a_migration_reads_that_it_runs(empty: State, caplog: pytest.LogCaptureFixture):
    with empty.write() as tx:
        upgrade_to(tx, "0010")
    assert migrate.upgrade(empty)
    assert not migrate.upgrade(empty)
    assert caplog.messages.count("upgrading_state") == 1


def test_identifiers_outlive_losing_a_column_and_are_found_by_their_hash(empty: State):
    identifier, moved = metadata.tables["identifier"], {1: False, 2: True, 3: True, 1_100_000: False}
    rows = [
        {
            "identifier_id": number,
            "brand_id": 1 + number % 2,
            "namespace": "phone",
            "issuer": "",
            "hash": f"{number // 2:032}",  # 2 and 3: one value in two brands
            "sealed": bytes([number % 251]),
            "masked": f"*{number}",
            "person_id": 10 + number,
            "cluster_id": number,
            "root_of": None,
            "state": 1,
            "sharing": 0,
            "born_at": from_micros(1_790_000_000_000_000 + number),
            "source": "web",
            "unbound_at": None,
            "anchored": True,
            "moved": moved[number],
        }
        for number in moved
    ]
    with empty.write() as tx:
        upgrade_to(tx, "0008")
        old = sa.table("identifier", *(sa.column(one.name, one.type) for one in identifier.c), sa.column("seen_at"))
        tx.execute(sa.insert(old), [{**row, "seen_at": 1_790_000_000_000_000} for row in rows])
    assert migrate.upgrade(empty)
    assert migrate.drift(empty) == []
    with empty.read() as tx:
        assert [row._asdict() for row in tx.execute(sa.select(identifier).order_by("identifier_id"))] == [
            {**row, "cluster_id": row["person_id"], "shelf": row["identifier_id"] // 524_288} for row in rows
        ]
        if empty.dialect == "sqlite":
            kept = tx.execute(sa.text("SELECT sql FROM sqlite_master WHERE name = 'ix_identifier_moved'")).scalar_one()
        else:
            kept = tx.execute(
                sa.text("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_identifier_moved'")
            ).scalar_one()
        assert kept.replace("(moved)", "moved").replace("moved = 1", "moved").endswith("WHERE moved"), kept
    for wrong in ({"hash": rows[1]["hash"], "brand_id": rows[1]["brand_id"]}, {"hash": "short"}):
        with pytest.raises(sa.exc.IntegrityError), empty.write() as tx:
            tx.execute(sa.insert(identifier), [{**rows[0], "identifier_id": 4, "namespace": "email", **wrong}])


def test_clusters_are_named_for_their_smallest_person_and_back(empty: State):
    # identifier -> person, cluster: two people who share a cluster, one alone in it, two who identify nobody
    before = {1: (7, 1), 2: (7, 1), 3: (4, 1), 5: (9, 5), 6: (9, 5), 8: (0, 8), 9: (0, 9)}
    after = {1: 4, 2: 4, 3: 4, 5: 9, 6: 9, 8: -8, 9: -9}
    words = ("namespace", "issuer", "masked", "source")
    numbers = ("brand_id", "state", "sharing", "born_at")

    def found(tx: sa.Connection) -> dict[int, int]:
        return {row[0]: row[1] for row in tx.execute(sa.text("SELECT identifier_id, cluster_id FROM identifier"))}

    with empty.write() as tx:
        upgrade_to(tx, "0012")
        yes, blob = ("1", "x'00'") if empty.dialect == "sqlite" else ("true", "''::bytea")
        for number, (person, cluster) in before.items():
            columns = ["identifier_id", "person_id", "cluster_id", "hash", "sealed", "anchored", "moved"]
            values = [str(number), str(person), str(cluster), f"'{number:032}'", blob, yes, yes]
            names = ", ".join([*columns, *words, *numbers])
            given = ", ".join([*values, *("'x'" for _ in words), *("1" for _ in numbers)])
            tx.execute(sa.text(f"INSERT INTO identifier ({names}) VALUES ({given})"))
    assert migrate.upgrade(empty)
    assert migrate.drift(empty) == []
    with empty.read() as tx:
        assert found(tx) == after
    with empty.write() as tx:
        config = migrate._config()
        config.attributes["connection"] = tx
        command.downgrade(config, "0012")
        assert found(tx) == {number: cluster for number, (_, cluster) in before.items()}
    assert migrate.upgrade(empty)
    with empty.read() as tx:
        assert found(tx) == after
