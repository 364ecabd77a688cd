"""Events in bulk: from Parquet through validation, the log, deduplication, identity, history and compaction.

Each size is an installation of its own, with a tenth as many people as events; what an event costs must hardly grow
with the size (`growth_…`: the cost beside that at a tenth of the size). The events lie over 180 days; every third
carries a second identifier, so that people are joined. `peak_gb` is the memory of both processes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.result import Result, Say
from quanyu.app import compose
from quanyu.app.working import EVENTS, pipeline
from quanyu.kernel.label import Label
from quanyu.kernel.settings import Settings
from quanyu.storage import migrate
from quanyu.storage.upkeep import Upkeep
from quanyu.worker.ahead import spare_the_collector

_SIZES = {"small": (50_000, 500_000), "full": (1_000_000, 10_000_000, 100_000_000)}
_ROUND = 200_000  # events that are recorded before the worker's turn
_MADE = """
    SELECT 'e' || i AS event_id,
           (['product_viewed', 'page_viewed', 'product_added_to_cart', 'order_paid'])[1 + (hash(i) % 4)::INTEGER]
               AS name,
           1772323200000000 + (i * 180 * 86400 // {events}) * 1000000 AS occurred_at,
           CASE WHEN hash(i, 3) % 3 = 0
                THEN [{{'namespace': 'anonymous_id', 'value': 'd' || (hash(i, 1) % {people})}},
                      {{'namespace': 'member_no', 'value': 'm' || (hash(i, 1) % {people}) // 2}}]
                ELSE [{{'namespace': 'anonymous_id', 'value': 'd' || (hash(i, 1) % {people})}}] END
               AS raw_identifiers,
           CASE WHEN hash(i) % 4 = 3 THEN (hash(i, 5) % 50000)::BIGINT END AS amount,
           's' || (hash(i, 6) % 400) AS store_id,
           '{{"sku":"k' || (hash(i, 7) % 5000) || '"}}' AS properties
      FROM range({events}) t(i)
"""


def run(scale: str, folder: Path, say: Say) -> Result:
    """One process per size, so that each has a memory of its own."""
    found: dict[int, dict[str, Any]] = {}
    for events in _SIZES[scale]:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.bulk", str(events), str(folder / str(events))],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found[events] = json.loads(done.stdout.splitlines()[-1])
        say(f"{events:,} events: {found[events]['per_s']:,.0f}/s, {found[events]['peak_gb']:.1f} GB")
    sizes = list(found)
    figures = {}
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


def _main(events: int, folder: Path) -> None:
    folder.mkdir(parents=True)
    file = folder / "events.parquet"
    duckdb.sql(_MADE.format(events=events, people=events // 10)).write_parquet(str(file), row_group_size=100_000)
    product = compose(Settings.load({}, {"data_dir": str(folder / "data")}))
    migrate.upgrade(product.state)
    brand = product.access.brands.create(key="b", name=Label("测", "B"), currency="CNY", time_zone="Asia/Shanghai")
    product.vault.prepare(0, ("log",))
    product.vault.prepare(brand.brand_id)
    with product.state.write() as tx:
        product.events.create_source(tx, brand.scope(), source="bulk", name=Label("测", "Bulk"), kind="file")
    batches = pipeline(product, helped=True)
    batches.acquire()
    spare_the_collector()
    peak = _Peak()
    _work(product, batches, pa.Table.from_batches([next(pq.ParquetFile(file).iter_batches(1000))]))  # warm the kernels
    started = time.perf_counter()
    upkeep = Upkeep(product.history, EVENTS, product.clock)
    for rounds, part in enumerate(pq.ParquetFile(file).iter_batches(_ROUND)):
        _work(product, batches, pa.Table.from_batches([part]))
        if rounds % 5 == 4:
            upkeep.step()
    while upkeep.step():
        pass
    took = time.perf_counter() - started
    view = product.events.list_sources(brand.scope())[0]
    if (view.stored, view.duplicate, view.quarantined) != (events, 1000, 0):
        raise RuntimeError(f"the books are wrong: {view}")
    print(json.dumps({"per_s": events / took, "seconds": took, "peak_gb": peak.end()}))
    product.close()


def _work(product: Any, batches: Any, table: pa.Table) -> None:
    product.events.record_table("bulk", table)
    while batches.step():
        pass
    batches.deliver()


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
    _main(int(sys.argv[1]), Path(sys.argv[2]))
