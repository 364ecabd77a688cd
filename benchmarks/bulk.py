"""Events in bulk: from Parquet through validation, the log, deduplication, identity, history and compaction.

Each size is an installation of its own, with a tenth as many people as events; what an event costs must hardly grow
with the size (`growth_…`: the cost beside that at a tenth of the size). The events lie over 180 days and come in visits
of five; in every third visit people show a second identifier and are joined. The worker runs with all of its lanes
while the file is read. `peak_gb` is the memory of all processes. `scattered_per_s` is the smallest size once more with
every event somebody else's: the worst that can come.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.result import Result, Say
from quanyu.access.contracts import Scope
from quanyu.app import Product, compose, start_worker
from quanyu.kernel.label import Label
from quanyu.kernel.settings import Settings
from quanyu.storage import handover, migrate
from quanyu.storage.upkeep import Upkeep
from quanyu.worker.pipeline import EVENTS

_SIZES = {"small": (50_000, 500_000), "full": (1_000_000, 10_000_000, 100_000_000)}
_VISIT = 5
_ROUND = 100_000  # events that are recorded at once
_AHEAD = 800_000  # events that may wait for the worker
_MADE = """
    SELECT 'e' || i AS event_id,
           (['product_viewed', 'page_viewed', 'product_added_to_cart', 'order_paid'])[1 + (hash(i) % 4)::INTEGER]
               AS name,
           1772323200000000 + (i * 180 * 86400 // {events}) * 1000000 AS occurred_at,
           CASE WHEN hash(i // {visit}, 3) % 3 = 0
                THEN [{{'namespace': 'anonymous_id', 'value': 'd' || (hash(i // {visit}, 1) % {people})}},
                      {{'namespace': 'member_no', 'value': 'm' || (hash(i // {visit}, 1) % {people}) // 2}}]
                ELSE [{{'namespace': 'anonymous_id', 'value': 'd' || (hash(i // {visit}, 1) % {people})}}] END
               AS raw_identifiers,
           CASE WHEN hash(i) % 4 = 3 THEN (hash(i, 5) % 50000)::BIGINT END AS amount,
           's' || (hash(i // {visit}, 6) % 400) AS store_id,
           '{{"sku":"k' || (hash(i, 7) % 5000) || '"}}' AS properties
      FROM range({events}) t(i)
"""


def run(scale: str, folder: Path, say: Say) -> Result:
    """One process per size, so that each has a memory of its own."""
    found: dict[int, dict[str, Any]] = {}
    for events in _SIZES[scale]:
        found[events] = _apart(events, _VISIT, folder)
        say(f"{events:,} events: {found[events]['per_s']:,.0f}/s, {found[events]['peak_gb']:.1f} GB")
    scattered = _apart(_SIZES[scale][0], 1, folder)
    say(f"scattered: {scattered['per_s']:,.0f}/s")
    sizes = list(found)
    figures = {"scattered_per_s": scattered["per_s"]}
    for events in sizes:
        figures[f"events_per_s_{events}"] = found[events]["per_s"]
        figures[f"peak_gb_{events}"] = found[events]["peak_gb"]
    return Result(
        figures=figures,
        ratios={f"growth_{large}": found[small]["per_s"] / found[large]["per_s"] for small, large in pairwise(sizes)},
        packages=("pyarrow", "deltalake", "duckdb", "sqlalchemy"),
        notes=("growth: cost of an event beside that at the size before; 1 means that it does not grow",),
        details={str(events): part for events, part in found.items()},
    )


def _apart(events: int, visit: int, folder: Path) -> dict[str, Any]:
    place = folder / f"{events}-{visit}"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bulk", str(events), str(visit), str(place)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    shutil.rmtree(place)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _main(events: int, visit: int, folder: Path) -> None:
    folder.mkdir(parents=True)
    file = folder / "events.parquet"
    duckdb.sql(_MADE.format(events=events, people=events // 10, visit=visit)).write_parquet(
        str(file), row_group_size=100_000
    )
    product = compose(Settings.load({}, {"data_dir": str(folder / "data")}))
    migrate.upgrade(product.state)
    brand = product.access.brands.create(key="b", name=Label("测", "B"), currency="CNY", time_zone="Asia/Shanghai")
    product.vault.prepare(0, ("log",))
    product.vault.prepare(brand.brand_id)
    with product.state.write() as tx:
        product.events.create_source(tx, brand.scope(), source="bulk", name=Label("测", "Bulk"), kind="file")
    worker = start_worker(product)  # with all of its lanes, as it always runs
    peak = _Peak()
    few = pa.Table.from_batches([next(pq.ParquetFile(file).iter_batches(1000))])
    product.events.record_table("bulk", few)  # warm the kernels
    _settle(product, brand.scope(), 1000)
    started = time.perf_counter()
    parts = pq.ParquetFile(file).iter_batches(_ROUND)
    for _ in product.events.record_tables("bulk", (pa.Table.from_batches([part]) for part in parts)):
        while product.events.backlog().events > _AHEAD:
            time.sleep(0.2)
    _settle(product, brand.scope(), events + 1000)
    worker.stop()
    while product.profiles.apply_due(timedelta(0)):
        pass
    upkeep = Upkeep(product.history, EVENTS, product.clock)
    while upkeep.step():
        pass
    took = time.perf_counter() - started
    view = product.events.list_sources(brand.scope())[0]
    if (view.stored, view.duplicate, view.quarantined) != (events, 1000, 0):
        raise RuntimeError(f"the books are wrong: {view}")
    if (rows := product.history.size(EVENTS)[0]) != events:
        raise RuntimeError(f"history has {rows} rows")
    print(json.dumps({"per_s": events / took, "seconds": took, "peak_gb": peak.end()}))
    product.close()


def _settle(product: Product, scope: Scope, events: int) -> None:
    """Until the books have so many events and history has what they counted."""
    while True:
        view = product.events.list_sources(scope)[0]
        if view.accepted >= events and not view.pending and not any(handover.waiting(product.state)):
            return
        time.sleep(0.05)


class _Peak:
    """The most memory that this process and its children had, looked at four times a second."""

    def __init__(self) -> None:
        self._most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._ended.wait(0.25):
            now = 0
            for one in (process, *process.children(recursive=True)):
                try:
                    now += one.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self._most = max(self._most, now)

    def end(self) -> float:
        """In gigabytes."""
        self._ended.set()
        self._thread.join()
        return self._most / 2**30


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
