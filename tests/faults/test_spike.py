"""A spike of thirteen times the usual for a while: refused honestly or accepted for good, and others hardly notice."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.harness import Installation, eventually

USUAL, TIMES, SECONDS = 600, 13, 20  # events a second, how many times that, for how long
SIZE = 50


class Flood:
    """Sends at a given rate, never slower; what is refused is counted and not sent again."""

    def __init__(self, place: Installation, key: str) -> None:
        self._place, self._key = place, key
        self._lock = threading.Lock()
        self._next = 0
        self.accepted = 0
        self.answers: Counter[int] = Counter()
        self.lies: list[str] = []

    def send(self, rate: float, seconds: float, threads: int = 4) -> None:
        began, first = time.monotonic(), self._next

        def work() -> None:
            with httpx.Client(base_url=self._place.base, auth=(self._key, ""), timeout=30) as http:
                while True:
                    with self._lock:
                        number, self._next = self._next, self._next + 1
                    due = began + (number - first) * SIZE / rate
                    if due > began + seconds:
                        return
                    time.sleep(max(0.0, due - time.monotonic()))
                    self._one(http, number)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    def _one(self, http: httpx.Client, number: int) -> None:
        calls: list[dict[str, Any]] = [
            {"type": "track", "messageId": f"f{number}-{n}", "userId": f"v{n}", "event": "Product Viewed"}
            for n in range(SIZE)
        ]
        answer = http.post("/v1/batch", content=json.dumps({"batch": calls}))
        with self._lock:
            self.answers[answer.status_code] += 1
            if answer.status_code == 200:
                self.accepted += SIZE
            elif answer.status_code not in (429, 503) or "retry-after" not in answer.headers:
                self.lies.append(f"{answer.status_code} {answer.text[:200]}")


@pytest.mark.slow
def test_a_spike_is_taken_or_refused_honestly_and_a_till_goes_on(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    place.init()
    try:
        place.start("server", "worker")
        owner = place.api()
        keys = {
            source: owner.post("/sources", {"source": source, "name": {"zh": source, "en": source}, "kind": "sdk"})[
                "write_key"
            ]
            for source in ("flood", "till")
        }
        flood = Flood(place, keys["flood"])
        flood.send(USUAL, 3, threads=1)
        stop, receipts = threading.Event(), []

        def till() -> None:
            while not stop.wait(0.2):
                call = {"type": "track", "messageId": f"t{len(receipts)}", "userId": "t", "event": "Seen"}
                receipts.append(httpx.post(f"{place.base}/v1/track", json=call, auth=(keys["till"], ""), timeout=30))

        tills = threading.Thread(target=till)
        tills.start()
        flood.send(USUAL * TIMES, SECONDS)
        stop.set()
        tills.join()

        def books(source: str) -> dict[str, Any]:
            return next(one for one in owner.get("/sources")["items"] if one["source"] == source)

        assert flood.lies == []
        assert {one.status_code for one in receipts} == {200}, "the till was refused though it did not flood"
        assert flood.accepted > USUAL * 3
        done = eventually(
            "what was accepted is stored",
            lambda: one if (one := books("flood"))["pending"] == 0 and one["accepted"] >= flood.accepted else None,
            within=120,
            every=0.5,
        )
        assert done is not None
        assert (done["accepted"], done["stored"], done["balanced"]) == (flood.accepted, flood.accepted, True)
        assert eventually("the till's too", lambda: books("till")["stored"] == len(receipts), within=30)
    finally:
        place.stop()
