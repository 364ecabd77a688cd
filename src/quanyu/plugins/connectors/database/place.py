"""Rows of a query, by any SQLAlchemy dialect that reaches its database over the network."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

import pyarrow as pa
import sqlalchemy as sa
from pydantic import Field, field_validator

from quanyu.plugins.connectors.database.failures import failed, no_driver
from quanyu.sdk import Config, Label, Problem, Secret, WrongValue
from quanyu.sdk.place import PlaceFailed, RowPlace, RowsRead

# What an address may say beside host, port, account and database where private addresses are refused.
_HARMLESS = {
    "application_name",
    "channel_binding",
    "charset",
    "client_encoding",
    "encrypt",
    "options",
    "service_name",
    "sid",
    "ssl",
    "ssl_ca",
    "ssl_verify_cert",
    "ssl_verify_identity",
    "sslmode",
    "sslrootcert",
}
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306, "mssql": 1433, "oracle": 1521}


class DatabaseConfig(Config):
    """Which database, which rows, and by which key they grow."""

    url: Secret = Field(title="连接地址（SQLAlchemy） · Address (SQLAlchemy)")
    query: str = Field(min_length=8, max_length=20_000, title="查询语句 · Query")
    key: str = Field(pattern=r"^[^\"'`;\\]{1,100}$", title="递增列 · Increasing column")

    @field_validator("query")
    @classmethod
    def _one_query(cls, given: str) -> str:
        plain = given.strip().rstrip(";").strip()
        if ";" in plain or plain.split(None, 1)[0].lower() not in ("select", "with"):
            raise WrongValue(
                "只能是一条 SELECT（或 WITH … SELECT），不含分号",
                "Give one SELECT (or WITH … SELECT), without a semicolon",
            )
        return plain


class Database(RowPlace):
    """Reads rows in order of a key, never writes: the transaction is read-only where the database has such a thing."""

    def rows(self, after: str | None, limit: int) -> RowsRead:
        """Rows whose key is at least `after`: those of the last key come again, because it may have grown since."""
        config = self._config
        url, pinned = self._address()
        try:
            engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args=_patience(url) | pinned)
        except (ImportError, sa.exc.NoSuchModuleError) as error:
            raise no_driver(url) from error
        asked = sa.text(config.query.replace(":", r"\:")).columns(sa.column(config.key)).subquery("q")
        key = asked.c[config.key]
        statement: sa.Select[Any] = sa.select(sa.literal_column("q.*")).select_from(asked).order_by(key).limit(limit)
        given = _value(after, config.key)
        if given is not None:
            statement = statement.where(key >= given)
        try:
            with engine.connect() as connection:
                if url.get_backend_name() == "postgresql":
                    connection.execute(sa.text("SET TRANSACTION READ ONLY"))
                result = connection.execute(statement)
                # Not `keys()`, which calls a single column by what was asked for: `q.*`.
                names = [str(column[0]) for column in result.cursor.description]
                found = result.fetchall()
                connection.rollback()
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise failed(url, error) from error
        finally:
            engine.dispose()
        if config.key not in names:
            raise _wrong(f"查询结果里没有列 {config.key}", f"the query gives no column {config.key}")
        place = names.index(config.key)
        full = len(found) == limit
        last = found[-1][place] if found else None
        if full and found[0][place] == last:
            raise _wrong(
                f"超过 {limit} 行的 {config.key} 相同，无法分批", f"more than {limit} rows share one {config.key}"
            )
        if full:  # the rows of the last key may go on: they are read whole next time
            found = [row for row in found if row[place] != last]
        table = pa.table(
            {name: pa.array([_text(row[i]) for row in found], pa.string()) for i, name in enumerate(names)}
        )
        return RowsRead(table, after if last is None else _mark(last, config.key), full)

    @property
    def _config(self) -> DatabaseConfig:
        return cast(DatabaseConfig, self.config)

    def _address(self) -> tuple[sa.URL, dict[str, str]]:
        """Where to connect, and by which arguments: to the very address that was checked."""
        try:
            url = sa.make_url(self._config.url.get_secret_value())
        except sa.exc.ArgumentError:
            raise _wrong("连接地址无法识别", "the address cannot be read") from None
        if "@" in (url.host or ""):  # the end of the password, and then no text may name the host
            raise _wrong("密码里的 @ 要写成 %40", "write an @ of the password as %40")
        backend = url.get_backend_name()
        if backend == "postgresql" and url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        if not url.host:
            if "host" not in url.query or not self.around.allow_private:
                # A file (SQLite, DuckDB) or a socket of this machine is nothing that a connection may point to.
                raise _wrong("连接地址里没有主机", "the address names no host")
            return url, {}
        address = self.around.check_host(url.host, url.port or _PORTS.get(backend, 0))
        if address is None:
            return url, {}
        unknown = sorted(set(url.query) - _HARMLESS)
        if unknown:  # `host`, `service`, … would lead elsewhere
            names = ", ".join(unknown)
            raise _wrong(f"连接地址里不能有参数 {names}", f"the address may not have the parameters {names}")
        if url.drivername == "postgresql+psycopg":
            return url, {"hostaddr": address}  # TLS still verifies the name
        return url.set(host=address), {}


def _patience(url: sa.URL) -> dict[str, Any]:
    return {"connect_timeout": 10} if url.get_backend_name() in ("postgresql", "mysql", "mariadb") else {}


def _mark(value: Any, column: str) -> str:
    """A key as it is kept between readings, with the column that it is of."""
    kinds = ((bool, "text"), (int, "int"), (Decimal, "decimal"), (datetime, "time"), (date, "date"))
    kind = next((name for type_, name in kinds if isinstance(value, type_)), "text")
    plain = value.isoformat() if kind in ("time", "date") else str(value)
    return json.dumps([kind, plain, column])


def _value(mark: str | None, column: str) -> Any:
    """The key of a mark; None when there is none, or it is of a column that is not the key any more."""
    if mark is None:
        return None
    kind, plain, *of = json.loads(mark)
    if of not in ([], [column]):
        return None
    readers: dict[str, Any] = {
        "int": int,
        "decimal": Decimal,
        "time": datetime.fromisoformat,
        "date": date.fromisoformat,
    }
    return readers.get(kind, str)(plain)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if value.tzinfo else value.isoformat(sep=" ")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _wrong(zh: str, en: str) -> PlaceFailed:
    return PlaceFailed(
        Problem(
            "database_query_wrong",
            Label(f"数据库连接的配置不对：{zh}", f"The connection is not set up right: {en}"),
            Label("请修改连接的配置", "Change the connection's configuration"),
        )
    )
