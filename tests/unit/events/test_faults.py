"""Through HTTP while the disk or the process fails: nothing acknowledged is lost, nothing is counted twice."""

import base64
import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from quanyu.events.collector import Collector
from quanyu.events.disk import Disk
from quanyu.events.sources import WriteKeys
from quanyu.kernel.clock import SystemClock
from quanyu.storage.history import History
from tests.unit.events.conftest import KEY, Server, World

BASIC = {"Authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}


class Faulty(Disk):
    failing = False
    faults = 0
    heal_after = 1 << 30

    def sync(self, handle: int) -> None:
        if self.failing:
            self.faults += 1
            self.failing = self.faults < self.heal_after
            raise OSError(errno.EIO, "Input/output error")
        super().sync(handle)


@pytest.fixture
def faulty(world: World) -> Iterator[tuple[Faulty, httpx.Client]]:
    disk = Faulty()
    world.events._disk = disk
    collector = Collector(
        lambda: world.events.log, WriteKeys(world.state), SystemClock(), world.events._judge, patience=(0.05, 0.1)
    )
    with Server(collector) as server, httpx.Client(base_url=server.url) as client:
        yield disk, client


def call(message_id: str) -> dict[str, object]:
    return {"type": "track", "event": "E", "userId": "u", "messageId": message_id}


def test_a_failed_sync_is_503_with_retry_after_and_the_retry_is_stored_once(
    world: World, faulty: tuple[Faulty, httpx.Client]
) -> None:
    disk, client = faulty
    assert client.post("/v1/track", json=call("a"), headers=BASIC).status_code == 200
    disk.failing = True
    answer = client.post("/v1/track", json=call("b"), headers=BASIC)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == "log_unavailable"
    assert client.post("/v1/track", content=b"{", headers=BASIC).status_code == 503, "a 400 promises to be kept too"
    disk.failing = False
    assert client.post("/v1/track", json=call("b"), headers=BASIC).status_code == 200
    assert disk.faults >= 2
    world.drain()
    assert world.books()["stored"] == 2


def test_a_short_trouble_is_waited_out_for_sensors_sdks(world: World, faulty: tuple[Faulty, httpx.Client]) -> None:
    disk, client = faulty
    now = int(time.time() * 1000)
    message = {"type": "track", "event": "E", "distinct_id": "d", "time": now, "properties": {}}
    data = base64.b64encode(json.dumps(message).encode()).decode()
    disk.failing, disk.heal_after = True, 2
    assert client.post(f"/sa?token={KEY}", data={"data": data}).status_code == 200
    assert disk.faults == 2
    disk.failing, disk.heal_after = True, 1 << 30
    assert client.post(f"/sa?token={KEY}", data={"data": data}).status_code == 503
    disk.failing = False
    assert world.drain().table.num_rows == 1


def test_keys_that_are_known_work_on_while_the_state_store_is_away(
    world: World, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quanyu.kernel.errors import Unavailable

    monkeypatch.setattr("quanyu.events.sources._REMEMBER_SECONDS", 0.0)
    assert http.post("/v1/track", json=call("a"), headers=BASIC).status_code == 200

    def away(_self: WriteKeys, _key: str) -> None:
        raise Unavailable

    monkeypatch.setattr(WriteKeys, "_look_up", away)
    assert http.post("/v1/track", json=call("b"), headers=BASIC).status_code == 200
    other = {"Authorization": "Basic " + base64.b64encode(b"wk_other:").decode()}
    assert http.post("/v1/track", json=call("c"), headers=other).status_code == 503
    assert world.drain().table.num_rows == 2


def test_a_state_store_that_hangs_delays_no_known_key_for_long_and_nobody_else(
    world: World, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quanyu.events.sources._REMEMBER_SECONDS", 0.0)
    assert http.post("/v1/track", json=call("a"), headers=BASIC).status_code == 200
    monkeypatch.setattr("quanyu.events.sources._PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr("quanyu.events.sources._LONGEST_PATIENCE_SECONDS", 0.4)
    answers, real, asked = threading.Event(), WriteKeys._look_up, []

    def hanging(self: WriteKeys, key: str) -> object:
        asked.append(key)
        answers.wait(30)
        return real(self, key)

    monkeypatch.setattr(WriteKeys, "_look_up", hanging)
    try:
        assert http.post("/v1/track", json=call("b"), headers=BASIC).status_code == 200, "remembered for no time at all"
        assert http.post("/v1/track", json=call("c"), headers=BASIC, timeout=2).status_code == 200
        for number in range(6):  # more strangers than threads
            other = {"Authorization": "Basic " + base64.b64encode(f"wk_{number}:".encode()).decode()}
            answer = http.post("/v1/track", json=call("d"), headers=other, timeout=2)
            assert (answer.status_code, answer.json()["code"]) == (503, "state_unavailable")
            assert answer.headers["retry-after"] == "5"
        large = {"batch": [{**call("e"), "properties": {"pad": "x" * 300_000}}]}
        assert http.post("/v1/batch", json=large, headers=BASIC, timeout=2).status_code == 200
        assert asked.count(KEY) == 1, "one look is under way, however many come"
    finally:
        answers.set()
    assert http.post("/v1/track", json=call("f"), headers=BASIC).status_code == 200
    assert world.drain().table.num_rows == 5


SERVER = """
import sys
from pathlib import Path
from functools import partial
import uvicorn
from starlette.routing import Router
from quanyu.http.quick import QuickProtocol
from quanyu.storage.state import State
root = Path(sys.argv[1])
state = State(f"sqlite:///{root / 'state.sqlite'}")
from quanyu.access.api import Brands
from quanyu.events.api import Events
from quanyu.kernel.clock import SystemClock
from quanyu.kernel.ids import SystemIds
from quanyu.storage.vault import Vault
clock = SystemClock()
events = Events(state, Vault(state, bytes(range(32)), clock), clock, SystemIds(), Brands(state, clock), root / "events")
collector = events.collector()
protocol = partial(QuickProtocol, collector.quick)
uvicorn.run(Router(routes=collector.routes()), http=protocol, port=int(sys.argv[2]), log_level="error")
"""


@pytest.mark.slow
def test_killing_the_server_again_and_again_loses_nothing_acknowledged(world: World, tmp_path: Path) -> None:
    """kill -9 at random moments of a load; every acknowledged id is stored exactly once."""
    port, kills = _free_port(), 8
    random_ = random.Random(11)
    acknowledged: set[str] = set()
    stop = threading.Event()

    def load(worker: int) -> None:
        n = 0
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            while not stop.is_set():
                ids = [f"{worker}-{n}-{i}" for i in range(20)]
                body = {"batch": [call(one) for one in ids]}
                while not stop.is_set():  # as an SDK does: again, with the same ids
                    try:
                        if client.post("/v1/batch", json=body, headers=BASIC).status_code == 200:
                            acknowledged.update(ids)
                            break
                    except httpx.HTTPError:
                        time.sleep(0.02)
                n += 1

    threads = [threading.Thread(target=load, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    killed = 0
    try:
        for _ in range(kills):
            process = subprocess.Popen(
                [sys.executable, "-c", SERVER, str(tmp_path), str(port)], cwd=Path(__file__).resolve().parents[3]
            )
            before = len(acknowledged)
            deadline = time.monotonic() + 30
            while len(acknowledged) == before and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(random_.random() * 0.5)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert killed == kills
    assert len(acknowledged) > 500
    stored: list[str] = []
    while not (batch := world.drain()).empty:
        stored += batch.table.column("event_id").to_pylist()
    assert len(stored) == len(set(stored))
    assert acknowledged - set(stored) == set()
    books = world.books()
    assert books["stored"] == len(stored)
    assert books["pending"] == 0


def test_the_index_of_ids_is_made_again_from_history(world: World, tmp_path: Path) -> None:
    from quanyu.events.contracts import EVENT_SCHEMA

    history = History(tmp_path / "history")
    history.declare("events", EVENT_SCHEMA)
    from tests.unit.events.test_native import orders

    world.events.record_table("pos", orders(100))
    batch = world.drain()
    history.append("events", batch.table.select(EVENT_SCHEMA.names), app="worker", version=0)
    for path in (world.folder / "keys").iterdir():
        path.unlink()
    world.events._keys = None
    assert not world.events.keys.complete
    assert world.events.restore_keys(history, 0) == 100
    world.events.record_table("pos", orders(101))
    assert world.drain().table.column("event_id").to_pylist() == ["o-100"]


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
