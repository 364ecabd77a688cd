"""A kill at every n-th write, sync, rename, removal, commit and acknowledgement, for all n, on both databases.

Each run begins with the same fresh installation, dies at its point, is started again (every fifth dies a second time
while it recovers), and must then hold every acknowledged event exactly once, with books that balance. A write dies
half done; at every other point the power goes too: what was never synced is lost. What is written to the state counts
on SQLite only: PostgreSQL is a server of its own, which outlives the process that dies; its own death is in
`test_everything_dies.py`.
"""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.faults.conftest import Mortals
from tests.faults.process import RECORDED, REQUESTS, RETIRED

KINDS = ("write", "sync", "rename", "unlink", "state_write", "state_sync", "commit", "acknowledge")
# Where a batch that counts as large goes other ways: it commits unsynced, and its keys are kept beside the next one.
LARGE_TOO = ("sync", "rename", "state_sync", "commit")
IDS_OF = {str(n): {call["messageId"] for call in calls} - {"bad", RETIRED} for n, calls in enumerate(REQUESTS)}
IDS_OF["recorded"] = {RECORDED}
GOOD = sorted(set().union(*IDS_OF.values()))
STORED = len(GOOD) + 1  # and the one that is due to leave history again


def whole(found: dict[str, Any]) -> None:
    """Nothing acknowledged is lost, nothing is there twice, and the books say so."""
    promised = {one for request in found["promised"] for one in IDS_OF[request]}
    assert promised <= set(found["before"]), "acknowledged and lost"
    assert len(found["before"]) == len(set(found["before"])), "stored twice after the restart"
    assert found["after"] == GOOD
    books = found["books"]
    assert books["accepted"] == books["stored"] + books["duplicate"] + books["quarantined"]
    assert (books["stored"], books["pending"], found["unbalanced"], found["waiting"]) == (STORED, 0, 0, 0)
    assert found["wrong"] == 0, "a recount of the stores says something else than the books"
    assert books["quarantined"] >= 1
    assert found["ids"] == STORED
    assert found["segments"] == 1, "the log is deleted up to its newest segment"


class Sweep:
    """All points of one database, shared among two processes."""

    def __init__(self, folder: Path, template: Path, *, kinds: Sequence[str] = KINDS, large: bool = False) -> None:
        self.folder, self.template = folder, template
        self.kinds, self.large = kinds, large
        self.killed: Counter[str] = Counter()
        self.redelivered = 0
        self._lock = threading.Lock()

    def one(self, mortals: Mortals, kind: str, at: int, url: str = "") -> None:
        place = self.folder / f"{kind}-{at}"
        shutil.copytree(self.template, place / "data")
        order = self._order(place, url)
        power = int(kind not in ("write", "state_write") or at % 4 == 0)
        died = mortals.ask("run", kind=KINDS.index(kind), at=at, power=power, **order)
        # Threads (of delta-rs, of the log's copy) make a run a little longer or shorter: a last point may not come up.
        assert "killed" in died or died["counts"][KINDS.index(kind)] < at, f"{kind} {at} came up and killed nothing"
        again = {}
        if at % 5 == 0:  # and once more, while it gets over the first time
            second = KINDS[at // 5 % len(KINDS)]
            again = mortals.ask("check", hours=1, kind=KINDS.index(second), at=1 + at % 7, power=1, **order)
        found = mortals.ask("check", hours=2, **order)
        try:
            whole(found)
        except AssertionError as error:
            raise AssertionError(f"killed at {kind} {at} (power {power}): {error}\n{found}") from error
        with self._lock:
            self.killed[kind] += "killed" in died
            self.killed["again"] += "killed" in again
            self.redelivered += found["books"]["accepted"] - sum(map(len, REQUESTS)) - 1
        shutil.rmtree(place)

    def all(self, servers: list[Mortals], url: Callable[[int], str] = lambda _: "") -> dict[str, int]:
        """Die at every point that a run without a kill passes; how many there are of each kind.

        `url` gives a fresh database for the server of that number.
        """
        counts = self._counts(servers[0], url(0))
        points = [(kind, at) for kind in self.kinds for at in range(1, counts[kind] + 1)]

        def share(number: int) -> None:
            for kind, at in points[number :: len(servers)]:
                self.one(servers[number], kind, at, url(number))

        with ThreadPoolExecutor(len(servers)) as pool:
            list(pool.map(share, range(len(servers))))
        for kind in self.kinds:
            assert self.killed[kind] > counts[kind] * 3 // 4 or not counts[kind], (kind, counts, self.killed)
        assert self.killed["again"] > 10
        assert self.redelivered > 0, "no client had to send anything again"
        return counts

    def _order(self, place: Path, url: str) -> dict[str, Any]:
        memory = str(place / "memory")
        return {"folder": str(place / "data"), "memory": memory, "url": url, "large": self.large}

    def _counts(self, mortals: Mortals, url: str) -> dict[str, int]:
        place = self.folder / "whole"
        shutil.copytree(self.template, place / "data")
        order = self._order(place, url)
        counts = mortals.ask("run", kind=-1, at=0, power=0, **order)["counts"]
        whole(mortals.ask("check", hours=1, **order))
        return dict(zip(KINDS, counts, strict=True))


@pytest.mark.slow
def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(memory: Path, mortals: Callable[[], Mortals]) -> None:
    servers = [mortals(), mortals()]
    template = memory / "template"
    servers[0].ask("make", folder=str(template))
    counts = Sweep(memory, template).all(servers)
    assert all(counts[kind] for kind in KINDS), counts


@pytest.mark.slow
def test_large_batches_lose_nothing_either(memory: Path, mortals: Callable[[], Mortals]) -> None:
    servers = [mortals(), mortals()]
    template = memory / "template"
    servers[0].ask("make", folder=str(template))
    counts = Sweep(memory, template, kinds=LARGE_TOO, large=True).all(servers)
    assert all(counts[kind] for kind in LARGE_TOO), counts


@pytest.mark.slow
@pytest.mark.postgres
def test_on_postgresql_too(memory: Path, mortals: Callable[[], Mortals], postgres_url: str) -> None:
    """Every point but writes and syncs of the state, which no process of the product makes here."""
    servers = [mortals(), mortals()]
    template = memory / "template"
    servers[0].ask("make", folder=str(template), url=postgres_url)
    admin = sa.create_engine(sa.make_url(postgres_url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    original = sa.make_url(postgres_url).database
    copying = threading.Lock()  # one copy of a database at a time

    def fresh(number: int) -> str:
        name = f"{original}_run{number}"
        with copying, admin.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE "{original}"')
        return sa.make_url(postgres_url).set(database=name).render_as_string(hide_password=False)

    try:
        counts = Sweep(memory, template).all(servers, fresh)
        assert [kind for kind in KINDS if not counts[kind]] == ["state_write", "state_sync"], counts
    finally:
        with admin.connect() as connection:
            for number in range(len(servers)):
                connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{original}_run{number}" WITH (FORCE)')
        admin.dispose()
