"""Disks that fill up and databases that go away, for real: refused honestly, healthy again soon, nothing lost."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.faults.database import database
from tests.faults.disks import SmallDisk, small_disk, with_a_quota
from tests.faults.load import SIZE, Clients, account, source_key
from tests.system.harness import Installation, eventually

BATCHES = 150


def ask(place: Installation, key: str, message_id: str) -> httpx.Response:
    call = {"type": "track", "messageId": message_id, "userId": "v1", "event": "Product Viewed"}
    return httpx.post(f"{place.base}/v1/track", json=call, auth=(key, ""), timeout=20)


def backlog(place: Installation) -> tuple[float, float]:
    """Events and age in seconds, as the metrics say."""
    text = httpx.get(f"{place.base}/metrics", timeout=20).raise_for_status().text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("quanyu_backlog"))
    return float(values["quanyu_backlog_events"]), float(values["quanyu_backlog_age_seconds"])


def on(disk: SmallDisk, folder: Path, database_url: str | None = None) -> Installation:
    """An installation whose processes see the disk; `folder` is its data folder as the test sees it."""
    place = Installation(folder, database_url)
    place.prefix = disk.prefix
    place.environment |= disk.environment
    return place


@pytest.mark.slow
def test_a_full_disk_is_refused_honestly_and_forgotten_within_a_minute(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 240 << 20) as disk:
        place = on(disk, disk.seen)
        place.environment["QUANYU_DATA_DIR"] = str(disk.path)
        place.init()
        try:
            place.start("server", "worker")
            _refused_while_it_is_full(tmp_path, place, disk)
        finally:
            place.stop()


def _refused_while_it_is_full(folder: Path, place: Installation, disk: SmallDisk) -> None:
    key = source_key(place)
    clients = Clients(folder / "clients", place.port, key, BATCHES)
    try:
        clients.allow(0.4)
        eventually("events are accepted", lambda: clients.accepted() > BATCHES // 5, within=60, every=0.005)
        disk.fill()
        clients.allow(1)  # however fast the machine is, most is still to be sent
        eventually("it is noticed", lambda: ask(place, key, "e0").status_code == 503, within=5, every=0.05)
        before = clients.accepted()
        assert before < BATCHES
        for _ in range(30):
            answer = ask(place, key, "e0")
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            time.sleep(0.1)
        assert clients.accepted() == before, "accepted on a full disk"
        disk.empty()
        emptied = time.monotonic()
        eventually("events are accepted again", lambda: ask(place, key, "e0").status_code == 200, within=60)
        clients.wait(60)
        account(place.api(), place.folder, BATCHES * SIZE, within=max(1, emptied + 60 - time.monotonic()))
        assert clients.lies() == ""
    finally:
        clients.close()


@pytest.mark.slow
def test_a_full_state_store_stops_no_client_and_is_caught_up_with(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with small_disk(tmp_path / "state", 60 << 20) as disk:
        place = on(disk, tmp_path / "data", f"sqlite:///{disk.path / 'state.sqlite'}")
        place.init()
        try:
            place.start("server", "worker")
            key = source_key(place)
            assert ask(place, key, "e0").status_code == 200
            disk.fill()
            _everything_is_accepted_meanwhile(tmp_path, place, key)
            disk.empty()
            account(place.api(), place.folder, BATCHES * SIZE, within=60)
        finally:
            place.stop()


# Writes in every way that the product's parts do, and says what the system answered.
WRITES = """
import json, os, sys
import numpy as np
folder, said = sys.argv[1], {}
def to(name, do):
    try:
        said[name] = do()
    except OSError as error:
        said[name] = error.errno or -1  # numpy gives no number
said["free"] = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
def opened(name):
    return os.open(os.path.join(folder, name), os.O_RDWR | os.O_CREAT)
old = opened("old")
to("write", lambda: os.write(old, bytes(8192)))
to("pwrite", lambda: os.pwrite(old, bytes(8192), 8192))
to("writev", lambda: os.writev(old, [b"", bytes(8192)]))
to("ftruncate", lambda: os.ftruncate(old, 1 << 20))
to("fallocate", lambda: os.posix_fallocate(old, 0, 1 << 20))
to("fwrite", lambda: np.zeros(4096).tofile(os.path.join(folder, "old")))
to("within", lambda: os.pwrite(old, bytes(100), 0))
to("make", lambda: os.close(opened("new")))
to("mkdir", lambda: os.mkdir(os.path.join(folder, "sub")))
print(json.dumps(said))
"""


def test_a_library_keeps_a_folder_small_where_nothing_may_be_mounted(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with with_a_quota(tmp_path / "disk", 1 << 20) as disk:

        def writes() -> dict[str, int | None]:
            command = [sys.executable, "-c", WRITES, str(disk.path)]
            environment = {**os.environ, **disk.environment}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
            found: dict[str, int | None] = json.loads(done.stdout)
            return found

        (disk.seen / "old").write_bytes(bytes(4096))
        disk.fill()
        full = dict.fromkeys(("pwrite", "writev", "ftruncate", "fallocate", "make", "mkdir"), errno.ENOSPC)
        # What lies within the file's own block is no matter of room; a write that crosses it is cut short.
        assert writes() == {**full, "free": 0, "write": 4096, "fwrite": -1, "within": 100}
        disk.empty()
        none = dict.fromkeys(("ftruncate", "fallocate", "fwrite", "make", "mkdir"))
        found = writes()
        assert found == {**none, "free": (1 << 20) - 4096, "write": 8192, "pwrite": 8192, "writev": 8192, "within": 100}


@pytest.mark.slow
@pytest.mark.postgres
def test_a_database_that_is_away_stops_no_client_and_is_caught_up_with(tmp_path: Path) -> None:
    with database() as server:
        place = Installation(tmp_path / "data", server.url)
        (tmp_path / "data").mkdir()
        place.init()
        try:
            place.start("server", "worker")
            key = source_key(place)
            assert ask(place, key, "e0").status_code == 200
            eventually("the worker runs", lambda: backlog(place)[0] == 0, within=60)
            server.stop()
            _everything_is_accepted_meanwhile(tmp_path, place, key)
            server.start()
            account(place.api(), place.folder, BATCHES * SIZE, within=60)
        finally:
            place.stop()


def _everything_is_accepted_meanwhile(folder: Path, place: Installation, key: str) -> None:
    """The log is its own: clients with a known key see nothing of it, and the backlog is there for all to see."""
    clients = Clients(folder / "clients", place.port, key, BATCHES)
    try:
        clients.allow(1)
        clients.wait(60)
        assert clients.lies() == ""
    finally:
        clients.close()
    events, age = backlog(place)
    assert events >= (BATCHES - 10) * SIZE, "the micro-batch stopped"
    time.sleep(1)
    assert backlog(place)[1] > age > 0


@pytest.mark.slow
@pytest.mark.postgres
def test_what_starts_before_its_database_waits_for_it(tmp_path: Path) -> None:
    with database() as server:
        place = Installation(tmp_path / "data", server.url)
        (tmp_path / "data").mkdir()
        place.init()
        server.stop()
        try:
            for name in ("server", "worker"):
                place.spawn(name)
                eventually(f"the {name} waits", lambda at=name: "waiting_for_state" in place.log(at), within=60)
            server.start()
            place.await_ready()
            assert ask(place, source_key(place), "e0").status_code == 200
            eventually("the worker runs", lambda: backlog(place)[0] == 0, within=60)
            assert {name: process.poll() for name, process in place.processes.items()} == {
                "server": None,
                "worker": None,
            }
        finally:
            place.stop()
