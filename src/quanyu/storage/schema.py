"""The one metadata on which every context declares its tables, and the column types they share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from quanyu.kernel.clock import from_micros, micros

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An instant: an aware UTC datetime in code, integer microseconds since 1970 in the database.

    A plain int is accepted as already being microseconds, so that bulk code need not build datetimes.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> int | None:  # noqa: ARG002
        """Instant to microseconds."""
        if value is None or isinstance(value, int):
            return value
        return micros(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Microseconds to instant."""
        return None if value is None else from_micros(int(value))


_FUNCTION = (
    "CREATE OR REPLACE FUNCTION quanyu_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
)


def append_only_statements(table: str, dialect: str) -> list[str]:
    """The DDL that makes the database itself refuse updates and deletes of a ledger table."""
    if dialect == "postgresql":
        return [
            _FUNCTION,
            (
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION quanyu_append_only()"
            ),
        ]
    return [
        f"CREATE TRIGGER {table}_no_{operation.lower()} BEFORE {operation} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for operation in ("UPDATE", "DELETE")
    ]


def append_only(table: sa.Table) -> None:
    """Declare `table` a ledger: rows can be added, never changed or removed."""

    def create(target: sa.Table, connection: sa.Connection, **_: Any) -> None:
        for statement in append_only_statements(target.name, connection.dialect.name):
            connection.execute(sa.text(statement))

    sa.event.listen(table, "after_create", create)
    table.info["append_only"] = True


# SQLite gives row ids only to INTEGER primary keys, PostgreSQL wants BIGINT.
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("seq", BigId, primary_key=True, autoincrement=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Index("ix_outbox_topic_seq", "topic", "seq"),
    sqlite_autoincrement=True,
)

outbox_cursor = sa.Table(
    "outbox_cursor",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)

data_key = sa.Table(
    "data_key",
    metadata,
    sa.Column("brand_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("kid", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
)

worker_beat = sa.Table(
    "worker_beat",
    metadata,
    sa.Column("worker", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
)
