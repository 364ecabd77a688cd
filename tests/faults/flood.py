"""A client that floods: new batches at a fixed rate whatever the answers, and refused ones again when it was told to.

Every tenth batch is an impatient client's: refused once, it is never sent again. What was accepted and what was given
up is remembered, so that a test can ask the stores for exactly that.
"""

from __future__ import annotations

import heapq
import json
import threading
import time
from collections import Counter

import httpx

SIZE = 100
_IMPATIENT = 10


def ids(prefix: str, batch: int) -> list[str]:
    """The ids of a batch's events."""
    return [f"{prefix}{batch}-{n}" for n in range(SIZE)]


class Flood:
    """`rate` events a second for `seconds`, then what is left of the refused ones."""

    def __init__(self, base: str, key: str, prefix: str, rate: float, seconds: float, threads: int = 4) -> None:
        self._http = httpx.Client(base_url=base, auth=(key, ""), timeout=30)
        self._prefix = prefix
        self._rate, self._new = rate, round(rate * seconds / SIZE)
        self._lock = threading.Lock()
        self._in_flight = 0
        self._due: list[tuple[float, int]] = []
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        self._began = 0.0
        self._tried: set[int] = set()
        self.offered_for = 0.0  # seconds until every batch had been tried once
        self.accepted: set[int] = set()
        self.given_up: set[int] = set()
        self.answers: Counter[int] = Counter()
        self.lies: list[str] = []

    def start(self) -> None:
        self._began = time.monotonic()
        self._due = [(self._began + number * SIZE / self._rate, number) for number in range(self._new)]
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> None:
        """Until every batch was accepted or given up."""
        limit = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, limit - time.monotonic()))
            assert not thread.is_alive(), f"{len(self._due)} batches are left after {seconds} s: {self.answers}"
        self._http.close()

    @property
    def offered(self) -> int:
        """How many events it wanted to send."""
        return self._new * SIZE

    def events(self, batches: set[int]) -> set[str]:
        """The ids of these batches' events."""
        return {one for batch in batches for one in ids(self._prefix, batch)}

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            due, number = taken
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                self._send(number)
            except httpx.HTTPError as error:
                with self._lock:
                    self.lies.append(f"no answer: {error!r}")
                    self.given_up.add(number)
            with self._lock:
                self._in_flight -= 1
                self._tried.add(number)
                if len(self._tried) == self._new and not self.offered_for:
                    self.offered_for = time.monotonic() - self._began

    def _take(self) -> tuple[float, int] | None:
        while True:
            with self._lock:
                if self._due:
                    self._in_flight += 1
                    return heapq.heappop(self._due)
                if not self._in_flight:
                    return None
            time.sleep(0.05)

    def _send(self, number: int) -> None:
        calls = [
            {"type": "track", "messageId": one, "userId": f"v{at}", "event": "Product Viewed"}
            for at, one in enumerate(ids(self._prefix, number))
        ]
        answer = self._http.post("/v1/batch", content=json.dumps({"batch": calls}))
        with self._lock:
            self.answers[answer.status_code] += 1
            if answer.status_code == 200:
                self.accepted.add(number)
            elif answer.status_code not in (429, 503) or not answer.headers.get("retry-after", "").isdigit():
                self.lies.append(f"{answer.status_code} {answer.text[:200]}")
                self.given_up.add(number)
            elif number % _IMPATIENT == 0:
                self.given_up.add(number)
            else:
                again = time.monotonic() + int(answer.headers["retry-after"])
                heapq.heappush(self._due, (again, number))
