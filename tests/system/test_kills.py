"""`kill -9` of the server and the worker, again and again, while 200,000 events come in and a journey sends.

The client does what a good client does: it repeats, with the same ids, what was not acknowledged.
"""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import httpx
import pyarrow.compute as pc
import pytest

from tests.system.harness import Api, Installation, eventually
from tests.system.shop import MASS, prepare

EVENTS, BATCH = 200_000, 500
CUSTOMERS = 400
KILLS = 22
LEASE_SECONDS = 120


class Load:
    """Sends every batch until it is acknowledged; no faster than the kills go, so that they fall into it."""

    def __init__(self, base: str, key: str) -> None:
        self._base, self._key = base, key
        self._batches = [json.dumps({"batch": _calls(start)}).encode() for start in range(0, EVENTS, BATCH)]
        self._next, self._lock = 0, threading.Lock()
        self.share = 0.0
        self.acknowledged = 0
        self.retries = 0
        self.errors: list[str] = []

    @property
    def over(self) -> bool:
        return self.acknowledged == len(self._batches)

    def taken_at(self, share: float) -> Callable[[], bool]:
        """Whether this share of the batches has been begun: a moment with requests under way."""
        return lambda: self._next > share * len(self._batches)

    def run(self) -> None:
        http = httpx.Client(base_url=self._base, auth=(self._key, ""), timeout=20)
        while (body := self._take()) is not None:
            while True:
                try:
                    answer = http.post("/v1/batch", content=body)
                except httpx.HTTPError:
                    answer = None
                if answer is not None and answer.status_code == 200:
                    break
                if answer is not None and answer.status_code != 503:
                    self.errors.append(f"{answer.status_code} {answer.text}")
                    return
                self.retries += 1
                time.sleep(0.1)
            with self._lock:
                self.acknowledged += 1

    def _take(self) -> bytes | None:
        while True:
            with self._lock:
                if self._next == len(self._batches):
                    return None
                if self._next < self.share * len(self._batches):
                    self._next += 1
                    return self._batches[self._next - 1]
            time.sleep(0.02)


def _calls(start: int) -> list[dict[str, Any]]:
    """Views by 5,000 visitors, and now and then a customer who fills a cart."""
    calls = []
    for number in range(start, start + BATCH):
        call = {"type": "track", "messageId": f"e{number}", "userId": f"v{number % 5000}", "event": "Product Viewed"}
        if number % (EVENTS // CUSTOMERS) == 0:
            call |= {"userId": f"c{number * CUSTOMERS // EVENTS}", "event": "Product Added"}
        calls.append(call)
    return calls


@pytest.mark.slow
def test_nothing_is_lost_or_done_twice(tmp_path: Path) -> None:
    place, seeded = Installation(tmp_path), random.Random(23)
    place.init()
    try:
        place.start("server", "worker")
        owner, key, journey = prepare(place, CUSTOMERS)
        load = Load(place.base, key)
        senders = [threading.Thread(target=load.run, daemon=True) for _ in range(3)]
        for sender in senders:
            sender.start()
        kills: Counter[str] = Counter()
        last_of_a_worker = 0.0
        # Each as often as the other, in an order and at moments that the seed decides.
        order = seeded.sample(["server", "worker"] * (KILLS // 2), KILLS)
        for number, victim in enumerate(order):
            load.share = (number + 1) / (KILLS + 1)
            moment = load.taken_at(number / (KILLS + 1) + seeded.random() * 0.8 / (KILLS + 1))
            eventually("the load goes on", moment, within=120, every=0.002)
            assert not load.over
            place.kill(victim)
            last_of_a_worker = time.time() if victim == "worker" else last_of_a_worker
            kills[victim] += 1
            place.start(victim)
        load.share = 1.0
        for sender in senders:
            sender.join(120)
        assert load.errors == []
        assert load.over
        assert sum(kills.values()) >= 20
        assert min(kills["server"], kills["worker"]) > 5
        assert load.retries > 0, "no kill met a request"
        _let_leases_end(tmp_path, last_of_a_worker)
        _events_are_whole(owner, tmp_path)
        _sends_are_single(owner, place, journey)
    finally:
        place.stop()


def _let_leases_end(folder: Path, dead_since: float) -> None:
    """What dead workers had claimed is looked at again after two minutes; here they are over at once.

    Only for leases taken before the last worker was killed: nobody who lives holds one of these.
    """
    state = sqlite3.connect(folder / "state.sqlite", timeout=30)
    with state:
        state.execute(
            "UPDATE effect SET lease_until = 1 WHERE status IN ('claimed', 'submitted') AND lease_until < ?",
            [int((dead_since + LEASE_SECONDS) * 1e6)],
        )
    state.close()


def _events_are_whole(owner: Api, folder: Path) -> None:
    def closed() -> dict[str, Any] | None:
        (books,) = [one for one in owner.get("/sources")["items"] if one["source"] == "load"]
        return books if books["accepted"] >= EVENTS and books["pending"] == 0 else None

    books = eventually("the log is worked off", closed, within=120, every=0.5) or {}
    assert books["balanced"]
    assert (books["stored"], books["quarantined"]) == (EVENTS, 0)
    assert books["accepted"] == EVENTS + books["duplicate"]

    def history() -> list[str]:
        table = deltalake.DeltaTable(str(folder / "history" / "events")).to_pyarrow_table(
            columns=["source", "event_id"]
        )
        return table.filter(pc.equal(table["source"], "load"))["event_id"].to_pylist()

    eventually("history has them", lambda: len(history()) >= EVENTS, within=120, every=1)
    stored = history()
    assert len(stored) == EVENTS
    assert len(set(stored)) == EVENTS


def _sends_are_single(owner: Api, place: Installation, journey: str) -> None:
    def settled() -> dict[str, int] | None:
        found = {one["status"]: one["count"] for one in owner.get("/sends/summary", journey_id=journey)["by_status"]}
        open_ones = sum(found.get(status, 0) for status in ("intended", "claimed", "submitted", "deferred"))
        return found if sum(found.values()) == CUSTOMERS and not open_ones else None

    found = eventually("every send has an end", settled, within=90, every=0.5) or {}
    calls = httpx.get(
        f"{place.sandbox}/sandbox/calls", params={"path": MASS, "limit": 5000, "bodies": 1}, timeout=30
    ).json()
    written = Counter(
        one
        for call in calls["items"]
        if call["executed"] and call["errcode"] == 0
        for one in json.loads(call["body"])["external_userid"]
    )
    assert written
    assert max(written.values()) == 1, f"written to twice: {written.most_common(3)}"
    # Whoever was not written to is `unknown` (the worker died before the answer): a person decides, nothing repeats.
    assert {status for status, count in found.items() if count} <= {"accepted", "unknown"}, found
    assert found["accepted"] <= len(written) <= CUSTOMERS
    assert found["accepted"] > CUSTOMERS // 2
