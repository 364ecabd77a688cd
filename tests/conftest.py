"""Fixtures that every test may use: both state stores, a manual clock, seeded ids, a vault.

`state` runs a test twice, on SQLite and on a real PostgreSQL server that is started once per test process.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import SeededIds
from quanyu.storage.state import State
from quanyu.storage.vault import Vault
from tests import stores
from tests.stores import Fill, Postgres, own_postgres

settings.register_profile(
    "quanyu", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
settings.load_profile("quanyu")

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, then those with many tests, so that at the end no core waits for a long test."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in slow, -tests[item.path]))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL server, started for this test process."""
    given = os.environ.get("QUANYU_TEST_POSTGRES_URL")
    if given:
        server = Postgres(given)
        yield server
        server.close()
        return
    with own_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The address of an empty database of its own on the PostgreSQL server."""
    with postgres.database() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def backend(request: pytest.FixtureRequest) -> str:
    """Each of the two databases that state may lie in."""
    return str(request.param)


@contextmanager
def _filled(request: pytest.FixtureRequest, backend: str, path: Path, fill: Fill) -> Iterator[str]:
    if backend == "sqlite":
        yield stores.sqlite(path, fill)
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database(fill) as url:
        yield url


@pytest.fixture
def state_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty state store, once per database."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'state.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def installed_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a state store with the tables of an installation, once per database."""
    with _filled(request, backend, tmp_path / "installed.sqlite", stores.installed) as url:
        yield url


@pytest.fixture
def state(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    """A state store with every table that the imported contexts declare."""
    with _filled(request, backend, tmp_path / "state.sqlite", stores.declared) as url:
        store = State(url)
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
