"""A spike of thirteen times the usual for a minute, while the worker hangs for a part of it and a channel all the time.

Whoever floods is refused, honestly, once as much of it waits as may; nobody else notices. What was accepted is stored
once, what was refused and not sent again is not stored, and how much waits can be seen all the time.
"""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import Any

import deltalake
import httpx
import pytest

from tests.faults.flood import Flood
from tests.system.harness import Installation, eventually
from tests.system.shop import prepare

USUAL, TIMES, SECONDS = 500, 13, 60  # events a second, how many times that, for how long
HANGS = (15.0, 12.0)  # seconds into the spike at which the worker hangs, and for how long
BOUND = 150_000  # bytes that may wait: less than two seconds of the spike
CUSTOMERS = 10


class Till:
    """Another source: a receipt five times a second, each of which starts a journey or adds to one."""

    def __init__(self, place: Installation, key: str) -> None:
        self._place, self._key = place, key
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.answers: list[int] = []
        self.slowest = 0.0
        self._thread.start()

    def _work(self) -> None:
        with httpx.Client(base_url=self._place.base, auth=(self._key, ""), timeout=30) as http:
            while not self._stop.wait(0.2):
                number = len(self.answers)
                call = {"type": "track", "messageId": f"t{number}", "userId": f"c{number % CUSTOMERS}"}
                began = time.monotonic()
                answer = http.post("/v1/track", json={**call, "event": "Product Added"})
                self.answers.append(answer.status_code)
                self.slowest = max(self.slowest, time.monotonic() - began)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


class Watch:
    """What an operator sees, twice a second."""

    def __init__(self, place: Installation) -> None:
        self._owner = place.api()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.seen: list[dict[str, Any]] = []
        self._thread.start()

    def _work(self) -> None:
        while not self._stop.wait(0.5):
            books = {one["source"]: one for one in self._owner.get("/sources")["items"]}
            self.seen.append(
                {
                    "at": time.monotonic(),
                    "sends": self.sends(),
                    "stored": books["load"]["stored"],
                    "pending": books["flood"]["pending"],
                    **self._owner.get("/status")["worker"],
                }
            )

    def sends(self) -> dict[str, int]:
        return {one["status"]: one["count"] for one in self._owner.get("/sends/summary")["by_status"] if one["count"]}

    def between(self, begin: float, end: float) -> list[dict[str, Any]]:
        return [one for one in self.seen if begin <= one["at"] <= end]

    def close(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@pytest.mark.slow
def test_a_spike_is_taken_or_refused_honestly_and_nobody_else_notices(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.environment["QUANYU_MAX_BACKLOG_BYTES"] = str(BOUND)
    place.init()
    try:
        place.start("server", "worker")
        owner, till_key, _ = prepare(place, CUSTOMERS)
        source = {"source": "flood", "name": {"zh": "洪峰", "en": "Flood"}, "kind": "sdk"}
        key = owner.post("/sources", source)["write_key"]

        usual = Flood(place.base, key, "u", USUAL, 4)
        usual.start()
        usual.wait(30)
        assert usual.answers == {200: 4 * USUAL // 100}, "at the usual rate nothing is refused"

        place.processes["sandbox"].send_signal(signal.SIGSTOP)  # a channel that takes calls and never answers
        till, watch = Till(place, till_key), Watch(place)
        spike = Flood(place.base, key, "f", USUAL * TIMES, SECONDS)
        spike.start()
        hung = _hang(place, *HANGS)
        spike.wait(SECONDS + 120)
        ended = time.monotonic()
        till.close()
        watch.close()

        assert spike.lies == []
        assert SECONDS - 1 < spike.offered_for < SECONDS * 1.25, "the rate was held"
        refused = spike.answers[429] + spike.answers[503]
        assert spike.answers[429] > USUAL * TIMES * HANGS[1] / 100 / 2, "most that came while the worker hung"
        assert set(spike.answers) <= {200, 429, 503}
        assert spike.given_up, "some were refused and never sent again"
        assert len(spike.accepted) + len(spike.given_up) == spike.offered // 100
        assert refused > len(spike.given_up)

        assert set(till.answers) == {200}, "the till was refused though it did not flood"
        assert till.slowest < 5
        _visible_while_it_hung(watch.between(hung + 4, hung + HANGS[1]))
        # Before and after that, receipts are stored as they come, behind no flood and no dead channel.
        for begin, end in ((0.0, hung), (hung + HANGS[1] + 8, ended)):
            seen = [one["stored"] for one in watch.between(begin, end)]
            assert len(set(seen)) > len(seen) / 4 > 1, seen
        assert all("accepted" not in one["sends"] for one in watch.seen)
        assert sum(watch.sends().values()) == CUSTOMERS, "every journey went up to the channel that hangs"

        _everything_once(place, owner, usual, spike, len(till.answers))
    finally:
        for name in ("sandbox", "worker"):
            if name in place.processes:
                place.processes[name].send_signal(signal.SIGCONT)
        place.stop()


def _hang(place: Installation, after: float, seconds: float) -> float:
    """Let the worker hang for a while; when it began to."""
    time.sleep(after)
    began = time.monotonic()
    place.processes["worker"].send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    place.processes["worker"].send_signal(signal.SIGCONT)
    return began


def _visible_while_it_hung(seen: list[dict[str, Any]]) -> None:
    assert len(seen) > 5
    for one in seen:
        # A quarter of a second passes between two looks at how much waits, and what is under way is taken.
        assert BOUND / 2 < one["backlog_bytes"] < BOUND * 3
        assert one["backlog_events"] > one["pending"] > 1000
        assert one["lag_seconds"] > 2
    assert seen[-1]["lag_seconds"] > seen[0]["lag_seconds"]
    assert seen[-1]["stored"] == seen[0]["stored"], "the worker hung"


def _everything_once(place: Installation, owner: Any, usual: Flood, spike: Flood, receipts: int) -> None:
    """What was answered 200 is stored once, and nothing else of the flood; the backlog is gone."""
    wanted = usual.events(usual.accepted) | spike.events(spike.accepted)

    def settled() -> dict[str, Any] | None:
        worker = owner.get("/status")["worker"]
        books = {one["source"]: one for one in owner.get("/sources")["items"]}
        over = worker["backlog_events"] == 0 and books["load"]["stored"] >= receipts
        return books if over and books["flood"]["stored"] >= len(wanted) else None

    books = eventually("what was accepted is stored", settled, within=120, every=0.5) or {}
    flood = books["flood"]
    assert (flood["accepted"], flood["stored"], flood["balanced"]) == (len(wanted), len(wanted), True)
    assert (flood["duplicate"], flood["quarantined"], flood["pending"]) == (0, 0, 0)
    assert books["load"]["stored"] == receipts
    worker = owner.get("/status")["worker"]
    assert (worker["backlog_events"], worker["backlog_bytes"], worker["lag_seconds"]) == (0, 0, 0)

    def history() -> list[str]:
        rows = deltalake.DeltaTable(str(place.folder / "history" / "events")).to_pyarrow_table(
            columns=["event_id"], filters=[("source", "=", "flood")]
        )
        return rows.column("event_id").to_pylist()

    stored = eventually(
        "history has them", lambda: found if len(found := history()) >= len(wanted) else None, within=60
    )
    assert len(stored or []) == len(wanted)
    assert set(stored or []) == wanted
