"""Kill whoever imports, again and again, wherever it stands: every order once, the books balance."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quanyu.kernel.clock import SystemClock
from tests.system.harness import eventually
from tests.unit.imports.conftest import make
from tests.unit.imports.test_importing import HEADER, ORDERS

pytestmark = pytest.mark.slow

ORDERS_IN_FILE, KILLS = 3_000, 6

# Imports and stores in small pieces, saying where it stands, until it is killed or done.
WORKER = """
import sys
from quanyu.app import compose, pipeline
from quanyu.kernel.settings import Settings
product = compose(Settings.load({}, {"data_dir": sys.argv[1], "database_url": sys.argv[2]}))
product.vault.prepare(0, ("log",))
runner, batches = product.imports.runner("worker"), pipeline(product)
runner._piece = 100
print("ready", flush=True)
while runner.step() | batches.step() | batches.deliver():
    print("piece", flush=True)
print("done", flush=True)
"""


def test_imports_survive_being_killed(state_url: str, tmp_path: Path) -> None:
    url = "" if state_url.startswith("sqlite") else state_url
    world = make(tmp_path / "data", url, SystemClock())  # type: ignore[arg-type]
    imports = world.product.imports
    mapping = imports.save_mapping(world.caller, "orders", ORDERS)
    rows = "".join(f"A{n},2026-02-01 10:00:00,M{n % 50},,S1,1,{n}.00,D1\n" for n in range(ORDERS_IN_FILE))
    broken = "".join(f"B{n},never,M1,,S1,1,1.00,D1\n" for n in range(40))
    file = imports.keep_file(world.caller, "orders.csv", (HEADER + rows + broken).encode())
    job = imports.start(world.caller, file.file_id, mapping.mapping_id)
    world.product.events.close()
    stood = [_killed_after(pieces, tmp_path / "data", url) for pieces in (1, 2, 4, 3, 6, 5)[:KILLS]]
    assert stood == [True] * KILLS, "the import was over before it was killed"
    assert imports.get_job(world.scope, job.job_id).status == "running"
    assert not _killed_after(10**6, tmp_path / "data", url)
    eventually("the lease of whoever was killed ends", world.batches.acquire)
    world.batches.drain()
    done = imports.get_job(world.scope, job.job_id)
    assert (done.status, done.done, done.fresh, done.bad) == ("done", ORDERS_IN_FILE, ORDERS_IN_FILE, 40)
    amounts = {event["order_id"]: event["amount"] for event in world.events()}
    assert amounts == {f"A{n}": n * 100 for n in range(ORDERS_IN_FILE)}
    accepted, stored, duplicate, quarantined = world.books(mapping.source)
    assert (stored, quarantined) == (ORDERS_IN_FILE, 40)
    assert accepted == stored + duplicate + quarantined
    world.product.close()


def _killed_after(pieces: int, folder: Path, url: str) -> bool:
    """Run a worker and kill it after so many pieces; False when it was done before."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), url], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert worker.stdout is not None
    try:
        for line in worker.stdout:
            if line == "done\n":
                return False
            pieces -= line == "piece\n"
            if not pieces:
                return True
        raise AssertionError("the worker died by itself")
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait(30)
        worker.stdout.close()
