"""Lanes: one thread each, so that one slow or dead part never stalls another.

A lane's `run` does a bounded piece of work and says whether there may be more. A transient failure is tried again
after a growing pause, a terminal one too (the work may have moved on), and both are counted and logged. Nothing is
remembered in a lane: whatever it does is safe to repeat after a kill.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client import Counter

from quanyu.kernel.errors import QuanyuError

log = logging.getLogger(__name__)

RUNS = Counter("quanyu_lane_runs_total", "Runs of a worker lane that did something", ["lane"])
FAILURES = Counter("quanyu_lane_failures_total", "Failed runs of a worker lane", ["lane", "kind"])

_LONGEST_PAUSE = 30.0
_QUIET = 0.25


@dataclass(frozen=True, slots=True)
class Lane:
    """One kind of work. `idle` is the pause in seconds when there was nothing to do; it grows while that lasts.

    `end` is called when the worker stops in good order.
    """

    name: str
    run: Callable[[], bool]
    idle: float
    end: Callable[[], None] = lambda: None


class Worker:
    """Runs lanes until it is stopped."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes
        self._stop = threading.Event()
        self._wake = {lane.name: threading.Event() for lane in lanes}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start every lane in a thread of its own."""
        for lane in self._lanes:
            thread = threading.Thread(target=self._loop, args=(lane,), name=f"lane-{lane.name}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def wake(self, *names: str) -> None:
        """Tell lanes that there is something to do, so that they need not wait for their pause to end."""
        for name in names:
            self._wake[name].set()

    def stop(self, timeout: float = 10.0) -> None:
        """Let every lane finish what it does now, then end."""
        self._stop.set()
        self.wake(*self._wake)
        for thread in self._threads:
            thread.join(timeout)

    def _loop(self, lane: Lane) -> None:
        self._repeat(lane)
        try:
            lane.end()
        except Exception:  # it is only a courtesy to whoever comes next
            log.exception("lane_end_failed", extra={"lane": lane.name})

    def _repeat(self, lane: Lane) -> None:
        wake, pause = self._wake[lane.name], lane.idle
        while not self._stop.is_set():
            wake.clear()
            try:
                more = lane.run()
            except QuanyuError as error:
                FAILURES.labels(lane.name, "transient" if error.transient else "terminal").inc()
                log.warning("lane_failed", extra={"lane": lane.name, "code": error.code, "why": str(error)})
                pause = self._after_failure(wake, pause, error.retry_after)
                continue
            except Exception:
                # A lane must outlive a mistake in one piece of work; the count and the log make it seen.
                FAILURES.labels(lane.name, "crash").inc()
                log.exception("lane_crashed", extra={"lane": lane.name})
                pause = self._after_failure(wake, pause, None)
                continue
            if more:
                RUNS.labels(lane.name).inc()
                pause = lane.idle
            else:
                wake.wait(pause)
                # A quiet installation should cost next to nothing, and still wake within a fraction of a second.
                pause = max(lane.idle, min(pause * 1.2, _QUIET))

    def _after_failure(self, wake: threading.Event, pause: float, asked: float | None) -> float:
        longer = min(max(pause, 0.1) * 2, _LONGEST_PAUSE)
        wake.wait(max(longer, asked or 0))
        return longer
