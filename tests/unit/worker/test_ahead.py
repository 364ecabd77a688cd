"""Decoding in a process of its own changes nothing but the speed, and may die."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from quanyu.app.decoding import decode_ahead
from quanyu.app.product import Product, compose
from quanyu.app.working import pipeline
from quanyu.events.contracts import FrameHeader
from quanyu.events.protocols import segment
from quanyu.kernel.clock import micros
from quanyu.kernel.label import Label
from quanyu.kernel.settings import Settings
from quanyu.worker.ahead import Ahead

_SIZE = 100


@pytest.fixture
def product(tmp_path: Path, installed_url: str) -> Any:
    made = compose(Settings.load({}, {"data_dir": str(tmp_path), "database_url": installed_url}))
    brand = made.access.brands.create(key="acme", name=Label("艾", "A"), currency="CNY", time_zone="Asia/Shanghai")
    made.vault.prepare(0, ("log",))
    made.vault.prepare(brand.brand_id)
    with made.state.write() as tx:
        made.events.create_source(tx, brand.scope(), source="web", name=Label("网", "Web"), kind="sdk")
    yield made
    made.close()


def fill(product: Product, first: int, frames: int) -> None:
    """Frames of `_SIZE` calls with ids of their own; in each, one that goes to quarantine."""
    now = micros(product.clock.now())
    for number in range(first, first + frames):
        calls = [
            {"type": "track", "event": "Product Viewed", "messageId": f"{number}-{i}", "userId": f"u{i}"}
            for i in range(_SIZE - 1)
        ]
        calls.append({"type": "track", "event": "Nobody Did It", "messageId": f"{number}-bad"})
        body = json.dumps({"batch": calls}).encode()
        product.events.log.append_now([(FrameHeader(now, segment.PROTOCOL, "web", _SIZE, "batch"), body)])


def until_ready(ahead: Ahead) -> int:
    """Wait until the helper has said that it is ready; its process id."""
    assert ahead._process is not None
    assert ahead._connection is not None
    assert ahead._connection.poll(60)
    assert ahead._process.pid
    return ahead._process.pid


def books(product: Product) -> tuple[int, int, int]:
    view = product.events.list_sources(product.access.brands.get("acme").scope())[0]
    assert view.balanced
    return view.stored, view.duplicate, view.quarantined


def test_a_helper_that_decodes_ahead_and_is_killed_changes_no_number(product: Product) -> None:
    ahead = Ahead(product.events, decode_ahead, (product.settings,), max_events=2 * _SIZE, most_events=2 * _SIZE)
    batches = pipeline(product)
    batches._ahead = ahead
    fill(product, 0, 20)
    assert batches.step()
    pid = until_ready(ahead)
    for _ in range(4):
        assert batches.step()
    assert ahead.from_ahead == 3  # the first of the four tells it where to begin

    os.kill(pid, signal.SIGKILL)
    limit = time.monotonic() + 10
    while ahead._process is not None and ahead._process.is_alive() and time.monotonic() < limit:
        time.sleep(0.01)
    while batches.step():
        pass
    assert ahead._process is None
    assert books(product) == (20 * (_SIZE - 1), 0, 20)

    fill(product, 10, 15)  # ten of them come a second time
    while batches.step():
        pass
    assert books(product) == (25 * (_SIZE - 1), 10 * (_SIZE - 1), 35)


def test_the_helper_also_says_whom_a_batch_mentions(product: Product) -> None:
    fill(product, 0, 6)
    ahead = Ahead(product.events, decode_ahead, (product.settings,), max_events=2 * _SIZE, most_events=2 * _SIZE)
    first = ahead.take()
    until_ready(ahead)
    assert first is not None
    assert first.mentions is None
    second = ahead.take({**first.after, **first.batch.ended})
    assert second is not None
    third = ahead.take({**second.after, **second.batch.ended})
    ahead.close()
    assert third is not None
    assert ahead.from_ahead == 1
    found, own = third.mentions, product.identity.read(third.batch.table)
    assert found is not None
    assert found.seen
    assert (found.seen, found.refused) == (own.seen, own.refused)
    assert found.row.tolist() == own.row.tolist()
    assert found.which.tolist() == own.which.tolist()


def test_what_was_decoded_for_another_place_is_thrown_away(product: Product) -> None:
    fill(product, 0, 6)
    ahead = Ahead(product.events, decode_ahead, (product.settings,), max_events=2 * _SIZE, most_events=2 * _SIZE)
    first = ahead.take()
    until_ready(ahead)
    # The books have not moved: nothing was committed, so the same batch is due again, whatever was asked for.
    again, third = ahead.take(), ahead.take()
    ahead.close()
    assert first is not None
    assert again is not None
    assert third is not None
    assert first.batch.table.equals(again.batch.table)
    assert first.batch.table.equals(third.batch.table)
    assert ahead.from_ahead == 0


def test_one_writers_backlog_comes_in_larger_batches_until_somebody_else_has_an_event(product: Product) -> None:
    seconds = [0.0]
    ahead = Ahead(product.events, max_events=_SIZE, most_events=4 * _SIZE, now=lambda: seconds[0])
    batches = pipeline(product)
    batches._ahead = ahead
    sizes = []

    def step() -> None:
        before = batches.taken
        assert batches.step()
        sizes.append(batches.taken - before)

    fill(product, 0, 12)
    for _ in range(4):
        step()
    assert sizes == [_SIZE, 2 * _SIZE, 4 * _SIZE, 4 * _SIZE]

    other = compose(product.settings)  # as another server would
    fill(product, 100, 10)
    fill(other, 200, 1)
    other.close()
    for _ in range(4):
        step()
    assert sizes[4:] == [4 * _SIZE, _SIZE, _SIZE, _SIZE]  # the other may soon have one more
    seconds[0] += 300
    for _ in range(2):
        step()
    assert sizes[8:] == [_SIZE, 2 * _SIZE]


def test_the_next_batch_is_made_ready_while_one_is_committed(product: Product) -> None:
    batches = pipeline(product, large=_SIZE)
    batches._ahead = Ahead(product.events, max_events=2 * _SIZE, most_events=2 * _SIZE)
    fill(product, 0, 12)
    assert batches.step()
    ready = batches._coming
    assert ready is not None
    assert (found := ready.result()) is not None
    assert found.mentions is not None
    assert sum(found.batch.accepted.values()) == 2 * _SIZE
    assert batches.taken == 2 * _SIZE  # it is read, and not taken
    assert batches.step()
    assert batches.taken == 4 * _SIZE
    fill(product, 1, 5)  # all of them a second time
    while batches.step():
        pass
    assert books(product) == (12 * (_SIZE - 1), 5 * (_SIZE - 1), 17)


def test_what_could_not_be_made_ready_is_met_again(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = pipeline(product, large=_SIZE)
    ahead = batches._ahead = Ahead(product.events, max_events=2 * _SIZE, most_events=2 * _SIZE)
    fill(product, 0, 6)
    take, failed = ahead.take, []

    def fails_beside(after: Any = None) -> Any:
        if threading.current_thread() is not threading.main_thread():
            failed.append(after)
            raise OSError(5, "Input/output error")
        return take(after)

    monkeypatch.setattr(ahead, "take", fails_beside)
    while batches.step():
        pass
    assert len(failed) == 3
    assert books(product) == (6 * (_SIZE - 1), 0, 6)


def test_ids_that_could_not_be_kept_are_kept_by_the_next_step(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = pipeline(product, large=_SIZE)
    batches._ahead = Ahead(product.events, max_events=2 * _SIZE, most_events=2 * _SIZE)
    fill(product, 0, 6)
    index, failed = product.events.keys, []
    keep = index.keep

    def fails_once(marker: int) -> None:
        if not failed:
            failed.append(marker)
            raise OSError(28, "No space left on device")
        keep(marker)

    monkeypatch.setattr(index, "keep", fails_once)
    assert batches.step()
    assert not batches.deliver(), "history must not have what the index does not hold"
    fill(product, 0, 6)  # all of them a second time
    while batches.step():
        pass
    assert len(failed) == 1
    assert len(index) == 6 * (_SIZE - 1)
    assert books(product) == (6 * (_SIZE - 1), 6 * (_SIZE - 1), 12)
    while batches.deliver():
        pass
    assert product.history.size("events")[0] == 6 * (_SIZE - 1)


def test_a_batch_that_was_made_ready_does_not_keep_somebody_else_waiting(product: Product) -> None:
    batches = pipeline(product, large=_SIZE)
    batches._ahead = Ahead(product.events, max_events=_SIZE, most_events=8 * _SIZE)
    fill(product, 0, 40)
    for _ in range(4):
        assert batches.step()
    assert batches.taken == 15 * _SIZE
    other = compose(product.settings)  # as another server would
    fill(other, 200, 1)
    other.close()
    assert batches.step()
    assert batches.taken <= 17 * _SIZE  # a small one, with the other's frame in it
    assert len(product.events.cursors()) == 2
    while batches.step():
        pass
    assert books(product) == (41 * (_SIZE - 1), 0, 41)
