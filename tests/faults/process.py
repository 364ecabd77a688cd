"""The process that dies: a server that forks one child per run, started with `failpoints.c` preloaded.

It reads one order per line (JSON) and answers each with one line. `run` takes an installation through everything
that an event meets: collector, log, micro-batch, state, history, compaction, retention, vacuum, deletion of the log.
`check` starts the same installation again after the kill, lets it work off what it has, then sends again whatever got
no answer, as a client does, and says what the stores hold.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numba
import pyarrow.parquet as pq
import sqlalchemy as sa
from argon2 import PasswordHasher

from quanyu.app import compose, working
from quanyu.app.product import Product
from quanyu.events.contracts import NativeEvent, NativeIdentifier
from quanyu.events.log import LogWriter, segments
from quanyu.events.retiring import Retiring
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.ids import SeededIds
from quanyu.kernel.label import same
from quanyu.kernel.settings import Settings
from quanyu.storage import handover
from quanyu.storage.schema import metadata
from quanyu.storage.upkeep import Upkeep
from quanyu.worker.pipeline import APP, EVENTS, LARGE, Pipeline

START = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
KEY = "wk_sweep"
COMMIT, ACKNOWLEDGE = 6, 7
DAYS = ("2026-03-02T03:00:00Z", "2026-03-01T03:00:00Z")


def track(message_id: str, user: str, day: int, **more: Any) -> dict[str, Any]:
    return {"type": "track", "messageId": message_id, "userId": user, "event": "Seen", "timestamp": DAYS[day], **more}


ORDER = {"event": "Order Completed", "properties": {"order_id": "o1", "total": 12.5, "products": [{"sku": "s"}]}}
# What the client sends, request by request: repetitions within and across requests, poison, late days, an order.
REQUESTS: list[list[dict[str, Any]]] = [
    [
        track("a1", "u1", 0),
        track("a2", "u2", 1),
        track("a2", "u2", 1),
        track("bad", "u1", 0, timestamp="never"),
        track("old", "u2", 0, event="Ad Shown", timestamp="2026-02-01T03:00:00Z"),
    ],
    [track("a1", "u1", 0), track("a3", "u3", 0, **ORDER)],
    [{"type": "identify", "messageId": "a4", "userId": "u1", "anonymousId": "x", "traits": {"phone": "13900000001"}}],
    [track("a5", "u1", 1), track("a6", "u4", 0)],
    [track("a7", "u1", 0), track("a3", "u3", 0, **ORDER)],
    [track("a8", "u5", 1)],
]
RECORDED = "a9"
RETIRED = "old"  # an "Ad Shown", of which history keeps a week


class Run:
    """One life of an installation, with a client beside it whose memory outlives it."""

    def __init__(self, order: dict[str, Any], points: ctypes.CDLL, later: timedelta) -> None:
        self.memory = Path(order["memory"])  # what the client knows to be accepted
        self.points = points
        self.large = 1 if order.get("large") else LARGE
        settings = Settings.load({}, {"data_dir": order["folder"], "database_url": order.get("url", "")})
        self.product = compose(settings, clock=ManualClock(START + later), ids=SeededIds(5 + later.seconds))
        self.product.vault.prepare(0, ("log",))
        self._watch_commits(self.product)

    def _watch_commits(self, product: Product) -> None:
        real = product.state.write

        @contextmanager
        def write(**how: Any) -> Iterator[sa.Connection]:
            with real(**how) as tx:
                yield tx
                self.points.fp_pass(COMMIT)
            self.points.fp_pass(COMMIT)

        product.state.write = write  # type: ignore[method-assign]

    def open_log(self) -> None:
        """Tiny segments, so that there are some to delete."""
        events = self.product.events
        folder = self.product.settings.data_path / "log"
        events._log = LogWriter(folder, self.product.vault.cipher(0, "log"), segment_bytes=900, reserve_bytes=0)

    @property
    def accepted(self) -> set[str]:
        return set(self.memory.read_text().split()) if self.memory.exists() else set()

    def _answered(self, request: str) -> None:
        """The answer is on its way: it may die before the client has it, or right after."""
        self.points.fp_pass(ACKNOWLEDGE)
        with self.memory.open("a") as file:
            file.write(request + "\n")
        self.points.fp_pass(ACKNOWLEDGE)

    def send(self, number: int) -> None:
        if str(number) in self.accepted:
            return
        (route,) = self.product.events.collector().routes()
        body = json.dumps({"batch": REQUESTS[number], "writeKey": KEY}).encode()
        scope = {"type": "http", "method": "POST", "path": "/v1/batch", "headers": [], "query_string": b""}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] == 200, message
                self._answered(str(number))

        asyncio.run(route.handle(scope, receive, send))  # type: ignore[arg-type]

    def record(self) -> None:
        """What the product itself records inside a transaction; the commit is its acknowledgement."""
        if "recorded" in self.accepted:
            return
        event = NativeEvent(
            event_id=RECORDED,
            name="coupon_redeemed",
            occurred_at=START,
            identifiers=(NativeIdentifier("user_id", "u1"),),
        )
        with self.product.state.write() as tx:
            self.product.events.record(tx, 1, [event], source="web")
        self._answered("recorded")

    def work(self, batches: Pipeline) -> None:
        """Micro-batches until the log is empty, and into history."""
        while batches.step():
            pass
        while batches.deliver():
            pass

    def everything(self) -> None:
        """The whole life of events, in the order that the lanes of a worker allow."""
        self.open_log()
        batches = working.pipeline(self.product, large=self.large)
        self.send(0)
        self.work(batches)
        self.send(1)
        self.send(2)
        batches.step()
        self.record()
        self.send(3)
        self.work(batches)
        self.keep_house()
        self.send(4)
        self.send(5)
        self.work(batches)
        self.keep_house()
        self.product.close()

    def keep_house(self) -> None:
        """Compaction, retention, and what is removed afterwards."""
        upkeep = Upkeep(self.product.history, EVENTS, self.product.clock)
        while upkeep.step(crowd=2):
            pass
        brands = self.product.access.brands
        retiring = Retiring(self.product.state, self.product.history, self.product.clock, brands.by_id)
        while retiring.step():
            pass
        self.product.history.checkpoint(EVENTS)
        self.product.history.vacuum(EVENTS, 0)

    def stored(self) -> list[str]:
        files = self.product.history.snapshot(EVENTS).files
        return sorted(one for file in files for one in pq.ParquetFile(file).read(["event_id"])["event_id"].to_pylist())

    def recover(self) -> dict[str, Any]:
        """What is there after the kill: before the client speaks again, and after it did."""
        promised = self.accepted
        self.open_log()
        batches = working.pipeline(self.product, large=self.large)
        self.work(batches)
        before = self.stored()
        again = [number for number in range(len(REQUESTS)) if str(number) not in promised]
        for number in again:
            self.send(number)
        self.record()
        self.work(batches)
        self.keep_house()
        (view,) = self.product.events.list_sources(self.product.access.brands.by_id(1).scope())
        with self.product.state.read() as tx:
            waiting = tx.execute(sa.select(sa.func.count()).select_from(handover.handover)).scalar_one()
        found = {
            "promised": sorted(promised),
            "before": before,
            "after": self.stored(),
            "again": len(again),
            "books": {key: getattr(view, key) for key in ("accepted", "stored", "duplicate", "quarantined", "pending")},
            "unbalanced": len(self.product.events.unbalanced()),
            "wrong": self.product.reconciliation.run().wrong,
            "waiting": waiting,
            "ids": len(self.product.events.keys),
            "applied": self.product.history.applied(EVENTS, APP),
            "segments": sum(len(segments(one)) for one in (self.product.settings.data_path / "log").iterdir()),
        }
        self.product.close()
        return found


def make(order: dict[str, Any]) -> dict[str, Any]:
    """A fresh installation with one brand and one source."""
    settings = Settings.load({}, {"data_dir": order["folder"], "database_url": order.get("url", "")})
    clock = ManualClock(START - timedelta(days=30))
    product = compose(settings, clock=clock, ids=SeededIds(4))
    metadata.create_all(product.state.engine)
    product.vault.prepare(0, ("log",))
    brand = product.access.brands.create(key="main", name=same("Main"), currency="CNY", time_zone="UTC")
    product.vault.prepare(brand.brand_id)
    with product.state.write() as tx:
        product.events.sources.create(
            tx, source="web", brand_id=brand.brand_id, name=same("Web"), kind="sdk", write_key=KEY
        )
        product.retention.set(tx, brand.scope(), "Ad Shown", "days", 7, "test")
    product.close()
    return {}


def life(order: dict[str, Any], points: ctypes.CDLL) -> dict[str, Any]:
    """What a child does; returns only if nothing killed it."""
    if order["do"] == "make":
        return make(order)
    run = Run(order, points, timedelta(hours=order.get("hours", 0)))
    if "kind" in order:
        points.fp_arm(order["folder"].encode(), order["kind"], ctypes.c_long(order["at"]), order["power"])
    if order["do"] == "check":
        return run.recover()
    run.everything()
    return {"counts": [points.fp_count(kind) for kind in range(8)]}


def warm() -> None:
    """What every child would spend its first seconds on."""
    numba.njit(lambda number: number + 1)(1)
    hashed = PasswordHasher().hash("nobody")
    PasswordHasher.hash = lambda *_, **__: hashed  # type: ignore[method-assign]


def serve() -> None:
    warm()
    points = ctypes.CDLL(os.environ["LD_PRELOAD"])
    points.fp_count.restype = ctypes.c_long
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                answer = life(order, points)
            except BaseException:  # noqa: BLE001 - a child says why it failed, whatever it was
                answer = {"error": traceback.format_exc()}
            with os.fdopen(writing, "w") as out:
                json.dump(answer, out)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as back:
            said = back.read()
        _, status = os.waitpid(child, 0)
        answer = json.loads(said) if said else {"killed": os.WIFSIGNALED(status), "status": status}
        print(json.dumps(answer), flush=True)
    os._exit(0)  # nothing is left to tidy up, and some libraries take their time with it


if __name__ == "__main__":
    serve()
