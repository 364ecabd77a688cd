"""Loading stores everything, says how much, and says so too when another worker does the work."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from rich.console import Console

from quanyu.access.contracts import Scope
from quanyu.app.product import Product, compose
from quanyu.app.working import pipeline
from quanyu.cli.load import take_in
from quanyu.kernel.clock import micros
from quanyu.kernel.errors import Unavailable
from quanyu.kernel.label import Label
from quanyu.kernel.settings import Settings
from quanyu.sdk.connector import IDENTIFIERS, Feed, Source

ORDERS = 500
SOURCE = Source("till", Label("收银", "Till"), "file")


@pytest.fixture
def product(tmp_path: Path, installed_url: str) -> Iterator[Product]:
    made = compose(Settings.load({}, {"data_dir": str(tmp_path), "database_url": installed_url}))
    made.access.brands.create(key="acme", name=Label("艾", "A"), currency="CNY", time_zone="Asia/Shanghai")
    yield made
    made.close()


def scope_of(product: Product) -> Scope:
    return product.access.brands.get("acme").scope()


def feed(product: Product) -> Feed:
    at = micros(product.clock.now()) - 86_400_000_000
    table = pa.table(
        {
            "event_id": [f"o{n}" for n in range(ORDERS)],
            "name": ["order_paid"] * ORDERS,
            "occurred_at": pa.array([at + n for n in range(ORDERS)], pa.int64()),
            "channel": ["store"] * ORDERS,
            "order_id": [f"o{n}" for n in range(ORDERS)],
            "amount": pa.array([100] * ORDERS, pa.int64()),
            "currency": ["CNY"] * ORDERS,
            "raw_identifiers": pa.array(
                [[{"namespace": "member_no", "value": f"m{n % 50}"}] for n in range(ORDERS)], IDENTIFIERS
            ),
        }
    )
    return Feed("events", Label("订单", "Orders"), ORDERS, iter([table]), SOURCE)


def test_loading_twice_stores_once(product: Product) -> None:
    scope, out = scope_of(product), io.StringIO()
    assert take_in(product, scope, [feed(product)], Console(file=out)) == ORDERS
    assert take_in(product, scope, [feed(product)], Console(file=out)) == 0
    assert product.history.size("events")[0] == ORDERS
    assert "A worker is running" not in out.getvalue()


def test_with_a_worker_running_loading_waits_for_it_and_counts_what_it_stored(product: Product) -> None:
    other, ended, out = pipeline(product), threading.Event(), io.StringIO()
    assert other.acquire()

    def work() -> None:
        while not ended.wait(0.05):
            other.step()
            other.deliver()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        stored = take_in(product, scope_of(product), [feed(product)], Console(file=out), patience=60)
    finally:
        ended.set()
        worker.join()
    assert stored == ORDERS
    assert "A worker is running" in out.getvalue()


def test_a_worker_that_takes_nothing_is_reported(product: Product) -> None:
    assert pipeline(product).acquire()  # and then does nothing
    with pytest.raises(Unavailable, match="worker_stuck") as stuck:
        take_in(product, scope_of(product), [feed(product)], Console(file=io.StringIO()), patience=0.2)
    assert stuck.value.detail
    assert f"{ORDERS} events are safe in the log" in stuck.value.detail.en
    assert product.events.backlog().events == ORDERS


def test_draining_out_of_turn_is_refused(product: Product) -> None:
    assert pipeline(product).acquire()
    with pytest.raises(Unavailable, match="worker_busy"):
        pipeline(product).drain()
