"""A whole installation on both state stores, with one brand, to import into."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.fs
import pytest
from moto.server import ThreadedMotoServer

from quanyu.access.contracts import PERMISSIONS, Caller, Scope
from quanyu.app import Product, compose, pipeline
from quanyu.imports.contracts import Job
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import same
from quanyu.kernel.settings import Settings
from quanyu.storage import migrate
from quanyu.worker.pipeline import Pipeline


@dataclass
class World:
    """An installation, and its worker in slow motion."""

    product: Product
    batches: Pipeline
    caller: Caller
    clock: ManualClock

    @property
    def scope(self) -> Scope:
        return self.caller.scope

    def settle(self) -> None:
        """Let the worker do all that waits."""
        runner = self.product.imports.runner("worker")
        while runner.step():
            pass
        self.batches.drain()

    def bring(self, data: bytes | str, mapping: Any, *, name: str = "orders.csv", most_bad: int = 1000) -> Job:
        """Import bytes by a mapping (a saved one's id, or a document) and let the worker finish."""
        imports = self.product.imports
        if not isinstance(mapping, str) or not mapping.startswith("map_"):
            mapping = imports.save_mapping(self.caller, name, mapping).mapping_id
        file = imports.keep_file(self.caller, name, data.encode() if isinstance(data, str) else data)
        job = imports.start(self.caller, file.file_id, mapping, most_bad=most_bad)
        self.settle()
        return imports.get_job(self.scope, job.job_id)

    def events(self) -> list[dict[str, Any]]:
        """What counts, by time and id."""
        table = self.product.engine.run(self.product.engine.events())
        return sorted(table.to_pylist(), key=lambda row: (row["occurred_at"], row["event_id"]))

    def books(self, source: str) -> tuple[int, int, int, int]:
        """accepted, stored, duplicate, quarantined of a source; they must balance."""
        view = next(one for one in self.product.events.list_sources(self.scope) if one.source.source == source)
        assert view.accepted == view.stored + view.duplicate + view.quarantined
        assert not self.product.events.unbalanced()
        return view.accepted, view.stored, view.duplicate, view.quarantined


def make(folder: Path, database_url: str, clock: ManualClock) -> World:
    """An installation with the brand `acme`."""
    settings = Settings.load({}, {"data_dir": str(folder), "database_url": database_url, "allow_private_urls": True})
    product = compose(settings, clock=clock, ids=SeededIds(5))
    migrate.upgrade(product.state)
    product.vault.prepare(0, ("log",))
    brand = product.access.brands.create(key="acme", name=same("Acme"), currency="CNY", time_zone="Asia/Shanghai")
    product.vault.prepare(brand.brand_id)
    caller = Caller("user", "u1", "Operator", brand.scope(), frozenset(PERMISSIONS), role="owner")
    return World(product, pipeline(product), caller, clock)


@pytest.fixture
def world(installed_url: str, tmp_path: Path, clock: ManualClock) -> Iterator[World]:
    made = make(tmp_path / "data", installed_url, clock)
    yield made
    made.product.close()


@pytest.fixture(scope="module")
def storage_server() -> Iterator[str]:
    """A real S3 server on a port of this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def bucket(endpoint: str, name: str) -> pyarrow.fs.S3FileSystem:
    """A new bucket, through a client that is not ours."""
    storage = pyarrow.fs.S3FileSystem(
        access_key="key", secret_key="secret", endpoint_override=endpoint.removeprefix("http://"), scheme="http",
        region="us-east-1", allow_bucket_creation=True,
    )  # fmt: skip
    storage.create_dir(name)
    return storage


async def chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    """Bytes as a request brings them."""
    for at in range(0, len(data), size):
        yield data[at : at + size]
