"""200,000 events while everything is killed: 50 times a client, 20 times the server, 10 times the database.

Nothing acknowledged is lost, nothing is stored twice, and the books account for every event that came again.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.database import Database, database
from tests.faults.load import SIZE, Clients, account, source_key
from tests.system.harness import Installation, eventually

EVENTS, CLIENTS = 200_000, 3
BATCHES = EVENTS // SIZE
KILLS = {"client": 50, "server": 20, "database": 10, "worker": 4}


@pytest.mark.slow
@pytest.mark.postgres
def test_nothing_is_lost_doubled_or_unexplained(tmp_path: Path) -> None:
    with database() as server:
        place = Installation(tmp_path / "data", server.url)
        (tmp_path / "data").mkdir()
        place.init()
        place.start("server", "worker")
        clients = Clients(tmp_path / "clients", place.port, source_key(place), BATCHES, CLIENTS)
        try:
            kills = _kill_everything(place, server, clients)
            clients.allow(1)
            clients.wait(120)
            assert kills == KILLS
            assert clients.lies() == ""
            assert clients.accepted() == BATCHES
            books = account(place.api(), place.folder, EVENTS)
            assert books["duplicate"] > 0, "no client had to send anything again"
        finally:
            clients.close()
            place.stop()


def _kill_everything(place: Installation, server: Database, clients: Clients) -> Counter[str]:
    """Every kill while events come: each waits until something was accepted since the last."""
    seeded = random.Random(41)
    order = [victim for victim, times in KILLS.items() for _ in range(times)]
    seeded.shuffle(order)
    kills: Counter[str] = Counter()
    for number, victim in enumerate(order):
        before = clients.accepted()
        # Never everything, so that the last kill still falls into the load.
        clients.allow((number + 1 + seeded.random() * 0.5) / (len(order) + 2))
        eventually("events are accepted", lambda at=before: clients.accepted() > at, within=90, every=0.005)
        kills[victim] += 1
        if victim == "client":
            clients.kill(seeded.randrange(CLIENTS))
        elif victim == "database":
            server.stop()
            server.start()
        else:
            place.kill(victim)
            place.start(victim)
    return kills
