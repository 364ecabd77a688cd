"""Two servers and two workers on one folder and one PostgreSQL, all killed, and every event sent to both servers.

Whoever writes has a log of its own, and of the workers one is at work at a time: what one server took and the other
took again is stored once, whichever worker died in between.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.faults.database import database
from tests.faults.load import SIZE, Clients, account, source_key
from tests.system.harness import Installation, eventually

EVENTS = 40_000
BATCHES = EVENTS // SIZE
KILLS = {("server", 0): 3, ("server", 1): 3, ("worker", 0): 3, ("worker", 1): 3}


@pytest.mark.slow
@pytest.mark.postgres
def test_what_both_servers_took_is_stored_once_whichever_worker_dies(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with database() as server:
        places = [Installation(folder, server.url) for _ in range(2)]
        places[0].init()
        clients: list[Clients] = []
        try:
            for place in places:
                place.start("server", "worker")
            key = source_key(places[0])
            clients += [
                Clients(tmp_path / f"clients-{number}", place.port, key, BATCHES, 2)
                for number, place in enumerate(places)
            ]
            assert _kill_everything(places, clients) == KILLS
            for one in clients:
                one.allow(1)
            for one in clients:
                one.wait(120)
                assert one.lies() == ""
                assert one.accepted() == BATCHES
            books = account(places[0].api(), folder, EVENTS)
            assert books["duplicate"] >= EVENTS, "every event was accepted by both"
            with sa.create_engine(server.url.replace("postgresql:", "postgresql+psycopg:")).connect() as state:
                fence = state.exec_driver_sql("SELECT fence FROM lease WHERE name = 'micro_batch'").scalar_one()
            assert fence >= 2, "the work changed hands"
            assert len(list((folder / "log").glob("w*"))) >= 2, "each server has a log of its own"
        finally:
            for one in clients:
                one.close()
            for place in places:
                place.stop()


def _kill_everything(places: list[Installation], clients: list[Clients]) -> Counter[tuple[str, int]]:
    """Every kill while both servers accept: each waits until both did since the last."""
    seeded = random.Random(59)
    order = [victim for victim, times in KILLS.items() for _ in range(times)]
    seeded.shuffle(order)
    kills: Counter[tuple[str, int]] = Counter()
    for number, (name, which) in enumerate(order):
        before = [one.accepted() for one in clients]
        for one in clients:
            one.allow((number + 1 + seeded.random() * 0.5) / (len(order) + 2))
        for one, at in zip(clients, before, strict=True):
            eventually("events are accepted", lambda one=one, at=at: one.accepted() > at, within=90, every=0.005)
        places[which].kill(name)
        places[which].start(name)
        kills[name, which] += 1
    return kills
