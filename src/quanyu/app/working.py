"""The worker's lanes: what runs, how often, over one product."""

from __future__ import annotations

import os
import socket
from datetime import timedelta

import pyarrow as pa
import sqlalchemy as sa

from quanyu.app.decoding import decode_ahead
from quanyu.app.product import Product
from quanyu.commerce.stocking import Stocking
from quanyu.events.retiring import Retiring
from quanyu.identity.contracts import Resolved
from quanyu.storage.bulk import upsert
from quanyu.storage.lease import Lease
from quanyu.storage.memory import LargePages
from quanyu.storage.schema import worker_beat
from quanyu.storage.upkeep import Upkeep
from quanyu.worker.ahead import Ahead, spare_the_collector
from quanyu.worker.lanes import Lane, Worker
from quanyu.worker.pipeline import EVENTS, LARGE, Pipeline

_LEASE = timedelta(seconds=15)


def pipeline(product: Product, *, helped: bool = False, turn: Lease | None = None, large: int = LARGE) -> Pipeline:
    """The micro-batch of a product, with every context that lives on events taking part.

    `helped` lets a process of its own decode ahead once there is a backlog; it ends with this process. `turn` is what
    others use to keep micro-batches waiting. From `large` events on a batch's commit takes long enough to make the next
    one ready beside it.
    """

    def receipts(tx: sa.Connection, batch: pa.Table, resolved: Resolved) -> object:  # noqa: ARG001
        return product.messaging.receipts(tx, batch)

    # A second core decodes while this one resolves; on a single core there is nothing to win.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ahead = Ahead(product.events, decode_ahead, (product.settings,)) if helped and cores > 1 else None
    return Pipeline(
        product.state,
        product.history,
        product.clock,
        product.events,
        product.identity,
        [product.consent.apply, product.profiles.apply, stocking(product), receipts, product.journeys.on_events],
        turn or micro_batch_turn(product),
        ahead=ahead,
        begin=product.profiles.forget,
        large=large,
    )


def micro_batch_turn(product: Product) -> Lease:
    """The right to run micro-batches, for this process."""
    return Lease(product.state, product.clock, "micro_batch", _holder(product), _LEASE)


def stocking(product: Product) -> Stocking:
    """What keeps the stock of a product's brands."""
    brands, counting = product.access.brands, product.events.without_replaced
    return Stocking(
        product.state, product.engine, product.clock, counting, lambda: [brand.key for brand in brands.list()]
    )


def _holder(product: Product) -> str:
    """Who holds a lease or a job: this process, told from an earlier one with the same number."""
    return f"{socket.gethostname()}:{os.getpid()}:{product.ids.code(8)}"


def lanes(product: Product) -> list[Lane]:
    """Every lane of a worker process."""
    turn = micro_batch_turn(product)
    batches, stock = pipeline(product, helped=True, turn=turn), stocking(product)
    product.vault.prepare(0, ("log",))

    retiring = Retiring(product.state, product.history, product.clock, product.access.brands.by_id)
    importer = _holder(product)
    importing = product.imports.runner(importer)

    def beat() -> bool:
        name = f"{socket.gethostname()}:{os.getpid()}"
        with product.state.write() as tx:
            upsert(tx, worker_beat, [{"worker": name, "at": product.clock.now()}], ["worker"], ["at"])
            tx.execute(sa.delete(worker_beat).where(worker_beat.c.at < product.clock.now() - timedelta(days=1)))
        return False

    def audiences() -> bool:
        return bool(product.audiences.follow_people()) | bool(product.audiences.refresh_due())

    def tell() -> bool:
        return bool(product.messaging.publish_events()) | bool(product.promotions.publish_events())

    return [
        Lane("batches", batches.step, 0.02, batches.release),
        Lane("history", batches.deliver, float(product.settings.history_flush_seconds)),
        Lane("books", product.reconciliation.step, 10.0),
        Lane("stock", lambda: stock.recount(turn.confirm), 5.0),
        Lane("quality", product.quality.step, 10.0),
        Lane("replays", product.events.replays.step, 0.1),
        Lane("journeys", lambda: bool(product.journeys.advance()), 0.05),
        Lane("journey_news", lambda: bool(product.journeys.follow_news()), 0.25),
        Lane("dispatch", lambda: bool(product.messaging.dispatch(patience=1.0)), 0.05),
        Lane("recovery", lambda: bool(product.messaging.recover()), 2.0),
        Lane("tell", tell, 0.25),
        Lane("audiences", audiences, 5.0),
        Lane("totals", product.profiles.apply_due, 5.0),
        Lane("upkeep", Upkeep(product.history, EVENTS, product.clock).step, 5.0),
        Lane("retention", retiring.step, 60.0),
        Lane("imports", importing.step, 0.5),
        Lane("import_places", lambda: product.imports.follow_places(importer), 1.0),
        Lane("beat", beat, 5.0),
        Lane("state_log", product.state.shrink_log, 10.0),
        Lane("memory", LargePages().step, 10.0),
    ]


def start_worker(product: Product) -> Worker:
    """Start every lane; stop it with `Worker.stop`."""
    spare_the_collector()
    worker = Worker(lanes(product))
    worker.start()
    return worker
