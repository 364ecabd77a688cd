"""A worker that ends in good order leaves its turn to the next one."""

from __future__ import annotations

import threading
from pathlib import Path

from quanyu.app import compose, start_worker
from quanyu.app.working import pipeline
from quanyu.kernel.settings import Settings
from quanyu.worker.lanes import Lane, Worker


def test_a_stopped_worker_gives_its_turn_to_the_next_at_once(tmp_path: Path, installed_url: str) -> None:
    product = compose(Settings.load({}, {"data_dir": str(tmp_path), "database_url": installed_url}))
    worker = start_worker(product)
    other = pipeline(product)
    while other.acquire():  # until the worker's own turn has begun
        other.release()
    worker.stop(60)
    assert other.acquire()
    product.close()


def test_a_lane_ends_once_after_its_last_run_even_when_that_fails() -> None:
    told: list[str] = []
    ran = threading.Event()

    def run() -> bool:
        told.append("run")
        ran.set()
        raise ValueError

    worker = Worker([Lane("a", run, 0.01, lambda: told.append("end"))])
    worker.start()
    assert ran.wait(10)
    worker.stop()
    assert told.count("end") == 1
    assert told[-1] == "end"
