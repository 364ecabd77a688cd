"""Sets in and out of SQL: thousands of rows as one parameter, inserts and upserts in bulk.

`rows` is the way to join a set that Python holds; never a loop of statements, never a long IN list.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from quanyu.kernel.clock import micros
from quanyu.storage.schema import Instant


def rows(
    tx: sa.Connection,
    columns: Mapping[str, sa.types.TypeEngine[Any] | type[sa.types.TypeEngine[Any]]],
    values: Iterable[Sequence[Any]],
    name: str = "given",
) -> sa.Subquery:
    """The tuples of `values` as a table named `name` with the typed `columns`, ready to be joined.

    PostgreSQL gets one array per column (`unnest`), SQLite one JSON text (`json_each`). Binary columns
    work on PostgreSQL only; pass hexadecimal text instead.
    """
    types = {key: _instance(type_) for key, type_ in columns.items()}
    if tx.dialect.name == "postgresql":
        data = [tuple(_plain(value) for value in row) for row in values]
        arrays = [
            sa.cast(
                sa.bindparam(None, [row[i] for row in data], type_=postgresql.ARRAY(_storage(type_))),
                postgresql.ARRAY(_storage(type_)),
            )
            for i, type_ in enumerate(types.values())
        ]
        source = (
            sa.func.unnest(*arrays)
            .table_valued(*(sa.column(key, _storage(type_)) for key, type_ in types.items()), name=f"{name}_in")
            .render_derived()
        )
        return (
            sa.select(*(sa.type_coerce(source.c[key], type_).label(key) for key, type_ in types.items()))
            .select_from(source)
            .subquery(name)
        )
    if len(types) == 1:
        # A flat array: no row has to be parsed again by the database.
        ((key, type_),) = types.items()
        flat = json.dumps([row[0] for row in values], ensure_ascii=False, separators=(",", ":"), default=_plain)
        one = sa.func.json_each(sa.bindparam(None, flat, type_=sa.Text)).table_valued(
            sa.column("value", sa.Text), name=f"{name}_in"
        )
        return sa.select(sa.type_coerce(one.c.value, type_).label(key)).select_from(one).subquery(name)
    payload = json.dumps(list(values), ensure_ascii=False, separators=(",", ":"), default=_plain)
    each = sa.func.json_each(sa.bindparam(None, payload, type_=sa.Text)).table_valued(
        sa.column("value", sa.Text), name=f"{name}_in"
    )
    return (
        sa.select(
            *(
                sa.type_coerce(sa.func.json_extract(each.c.value, f"$[{i}]"), type_).label(key)
                for i, (key, type_) in enumerate(types.items())
            )
        )
        .select_from(each)
        .subquery(name)
    )


def insert_ignore(tx: sa.Connection, table: sa.Table, values: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose keys are not taken yet; the number of rows that went in."""
    if not values:
        return 0
    statement = _insert(tx, table).on_conflict_do_nothing()
    if tx.dialect.name == "postgresql":  # psycopg does not count the rows of an executemany
        key = next(iter(table.primary_key.columns), next(iter(table.columns)))
        return len(tx.execute(statement.returning(key), list(values)).all())
    return tx.execute(statement, list(values)).rowcount


def insert_many(tx: sa.Connection, table: sa.Table, columns: Sequence[str], values: Sequence[Sequence[Any]]) -> None:
    """Insert many rows past SQLAlchemy's per-row work: PostgreSQL copies them, SQLite binds the tuples as they are.

    Values are what the driver stores: instants as integer microseconds, JSON as text. A taken key is an error.
    """
    if not values:
        return
    quote = tx.dialect.identifier_preparer.quote
    names = ", ".join(quote(table.c[column].name) for column in columns)
    target = f"{quote(table.name)} ({names})"
    if tx.dialect.name == "postgresql":
        with tx.connection.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:  # type: ignore[attr-defined]
            for row in values:
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(columns))
    tx.exec_driver_sql(f"INSERT INTO {target} VALUES ({marks})", [tuple(row) for row in values])  # noqa: S608


def merge_many(
    tx: sa.Connection,
    table: sa.Table,
    columns: Sequence[str],
    values: Sequence[Sequence[Any]],
    keys: Sequence[str],
    merged: Callable[[Any], Mapping[str, Any]],
) -> None:
    """Insert many rows as `insert_many` does; where the `keys` are taken, set what `merged` makes of the new row.

    `columns` are in the table's order. `merged` gets the new row's and gives expressions without parameters.
    """
    if not values:
        return
    if tx.dialect.name == "postgresql":
        given = rows(tx, {column: _storage(table.c[column].type) for column in columns}, values)
        statement = _insert(tx, table).from_select(list(columns), sa.select(*given.c))
    else:
        statement = _insert(tx, table).values({column: sa.bindparam(column) for column in columns})
    statement = statement.on_conflict_do_update(index_elements=list(keys), set_=merged(statement.excluded))
    if tx.dialect.name == "postgresql":
        tx.execute(statement)
    else:
        compiled = statement.compile(dialect=tx.dialect)
        assert tuple(compiled.positiontup) == tuple(columns)
        tx.exec_driver_sql(str(compiled), [tuple(row) for row in values])


def upsert(
    tx: sa.Connection,
    table: sa.Table,
    values: Sequence[Mapping[str, Any]],
    keys: Sequence[str],
    update: Sequence[str],
    where: sa.ColumnElement[bool] | None = None,
) -> None:
    """Insert rows, or set the `update` columns of those whose `keys` exist (only `where` it holds).

    A key must not occur twice in `values`: which of the two should win is the caller's to decide.
    """
    if not values:
        return
    statement = _insert(tx, table)
    statement = statement.on_conflict_do_update(
        index_elements=list(keys),
        set_={column: statement.excluded[column] for column in update},
        where=where,
    )
    tx.execute(statement, list(values))


def _insert(tx: sa.Connection, table: sa.Table) -> Any:
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def _instance(type_: Any) -> sa.types.TypeEngine[Any]:
    made: sa.types.TypeEngine[Any] = type_() if isinstance(type_, type) else type_
    return made


def _storage(type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    return sa.BigInteger() if isinstance(type_, Instant) else type_


def _plain(value: Any) -> Any:
    return micros(value) if isinstance(value, datetime) else value
