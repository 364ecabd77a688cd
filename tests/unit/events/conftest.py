"""Events on both state stores, with one brand, one SDK source, and the collector on a real port."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.routing import Router

from quanyu.access.api import Brand, Brands
from quanyu.events.api import Events
from quanyu.events.collector import Collector
from quanyu.events.contracts import Batch
from quanyu.http.quick import QuickProtocol
from quanyu.kernel.clock import Clock, SystemClock
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import Label
from quanyu.storage.state import State
from quanyu.storage.vault import Vault
from tests import stores

KEY = "wk_test"


@dataclass
class World:
    """Events of one brand, and everything that was put together for them."""

    events: Events
    state: State
    vault: Vault
    brand: Brand
    folder: Path

    def drain(self, *, commit: bool = True) -> Batch:
        """Read, decode, deduplicate and commit what waits; as the worker does."""
        batch = self.events.deduplicate(self.events.decode(self.events.read(1_000_000)))
        if commit and not batch.empty:
            with self.state.write() as tx:
                assert self.events.commit_books(tx, batch)
            self.events.keep_keys(batch, self.events.keys.marker + 1)
        return batch

    def books(self) -> dict[str, int]:
        """The totals of the SDK source."""
        view = next(view for view in self.events.list_sources(self.brand.scope()) if view.source.source == "web")
        assert view.balanced
        assert view.accepted == view.stored + view.duplicate + view.quarantined + view.pending
        return {name: getattr(view, name) for name in ("accepted", "stored", "duplicate", "quarantined", "pending")}

    def reasons(self) -> list[str]:
        """Why items are in quarantine, sorted."""
        held, _ = self.events.quarantine.list(self.brand.scope(), limit=200)
        return sorted(item.reason for item in held)


def make_world(state: State, folder: Path, clock: Clock | None = None) -> World:
    clock = clock or SystemClock()
    vault = Vault(state, bytes(range(32)), clock)
    vault.prepare(0, ("log",))
    brands = Brands(state, clock)
    brand = brands.create(key="acme", name=Label("艾克米", "Acme"), currency="CNY", time_zone="Asia/Shanghai")
    vault.prepare(brand.brand_id)
    events = Events(state, vault, clock, SeededIds(3), brands, folder)
    with state.write() as tx:
        for source, kind in (("web", "sdk"), ("other", "sdk"), ("pos", "file")):
            events.sources.create(
                tx,
                source=source,
                brand_id=brand.brand_id,
                name=Label(source, source),
                kind=kind,
                write_key={"web": KEY, "other": "wk_other"}.get(source),
            )
    return World(events, state, vault, brand, folder)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Events on SQLite."""
    state = State(stores.sqlite(tmp_path / "state.sqlite"))
    made = make_world(state, tmp_path / "events")
    yield made
    made.events.close()
    state.dispose()


@pytest.fixture
def both_worlds(state: State, tmp_path: Path) -> Iterator[World]:
    """Events on SQLite and on PostgreSQL."""
    made = make_world(state, tmp_path / "events")
    yield made
    made.events.close()


class Server:
    """A real uvicorn in a thread, on a port of its own, as the product runs it."""

    def __init__(self, collector: Collector) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            Router(routes=collector.routes()),
            http=partial(QuickProtocol, collector.quick),  # type: ignore[arg-type]
            log_level="warning",
            access_log=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def __enter__(self) -> "Server":
        self._thread.start()
        ready = threading.Event()
        for _ in range(500):
            if self._server.started:
                return self
            ready.wait(0.01)
        raise RuntimeError("uvicorn did not start")

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


@pytest.fixture
def serve() -> Callable[[World], Server]:
    """Makes a server of a world's collector."""
    return lambda world: Server(world.events.collector())


@pytest.fixture
def http(world: World, serve: Callable[[World], Server]) -> Iterator[httpx.Client]:
    """A client of the world's collector on a real port."""
    with serve(world) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        yield client
