"""Disks that fill up and databases that go away, for real: refused honestly, healthy again soon, nothing lost."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.faults.database import database
from tests.faults.load import SIZE, Clients, account, source_key
from tests.system.harness import Installation, eventually

BATCHES = 150


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str, int], Path]]:
    """Mounts file systems of a given size in megabytes."""
    with ExitStack() as stack:

        def mount(name: str, megabytes: int) -> Path:
            place = tmp_path / name
            place.mkdir()
            size = f"size={megabytes}m"
            done = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", size, "tmpfs", place], capture_output=True, check=False
            )
            if done.returncode:
                pytest.skip(f"may not mount a small file system here: {done.stderr.decode()}")
            stack.callback(subprocess.run, ["umount", "-l", place], check=True)
            return place

        yield mount


def fill(disk: Path) -> Path:
    """A file that takes what room there is, to the last byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        chunk = bytes(1 << 20)
        while chunk:
            try:
                file.write(chunk)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                chunk = chunk[: len(chunk) // 2]
    free = os.statvfs(disk)
    assert free.f_bavail * free.f_frsize < 1 << 16
    return ballast


def ask(place: Installation, key: str, message_id: str) -> httpx.Response:
    call = {"type": "track", "messageId": message_id, "userId": "v1", "event": "Product Viewed"}
    return httpx.post(f"{place.base}/v1/track", json=call, auth=(key, ""), timeout=20)


def backlog(place: Installation) -> tuple[float, float]:
    """Events and age in seconds, as the metrics say."""
    text = httpx.get(f"{place.base}/metrics", timeout=20).raise_for_status().text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("quanyu_backlog"))
    return float(values["quanyu_backlog_events"]), float(values["quanyu_backlog_age_seconds"])


@pytest.mark.slow
def test_a_full_disk_is_refused_honestly_and_forgotten_within_a_minute(
    tmp_path: Path, small_disk: Callable[[str, int], Path]
) -> None:
    disk = small_disk("disk", 240)
    place = Installation(disk)
    place.init()
    try:
        place.start("server", "worker")
        key = source_key(place)
        clients = Clients(tmp_path / "clients", place.port, key, BATCHES)
        try:
            clients.allow(0.4)
            eventually("events are accepted", lambda: clients.accepted() > BATCHES // 5, within=60, every=0.005)
            ballast = fill(disk)
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
            ballast.unlink()
            emptied = time.monotonic()
            eventually("events are accepted again", lambda: ask(place, key, "e0").status_code == 200, within=60)
            clients.wait(60)
            account(place.api(), disk, BATCHES * SIZE, within=max(1, emptied + 60 - time.monotonic()))
            assert clients.lies() == ""
        finally:
            clients.close()
    finally:
        place.stop()


@pytest.mark.slow
def test_a_full_state_store_stops_no_client_and_is_caught_up_with(
    tmp_path: Path, small_disk: Callable[[str, int], Path]
) -> None:
    disk = small_disk("state", 60)
    place = Installation(tmp_path / "data", f"sqlite:///{disk / 'state.sqlite'}")
    (tmp_path / "data").mkdir()
    place.init()
    try:
        place.start("server", "worker")
        key = source_key(place)
        assert ask(place, key, "e0").status_code == 200
        ballast = fill(disk)
        _everything_is_accepted_meanwhile(tmp_path, place, key)
        ballast.unlink()
        account(place.api(), place.folder, BATCHES * SIZE, within=60)
    finally:
        place.stop()


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
