"""Loading a connector's data: through the log and the micro-batch, as everything else comes in."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from quanyu.access.contracts import Scope
from quanyu.app import Product, compose, pipeline
from quanyu.app.connectors import complete_journey
from quanyu.kernel.errors import Invalid, NotFound, Unavailable
from quanyu.kernel.label import Label
from quanyu.kernel.settings import Settings
from quanyu.sdk.connector import Feed
from quanyu.storage import migrate


def load_connector(
    settings: Settings, name: str, *, brand: str | None, folder: Path | None, shift_weeks: int, out: Console
) -> None:
    """Load the data of connector `name` into a brand. Raises Invalid, NotFound or Unavailable in words."""
    if name not in ("complete-journey", "complete_journey"):
        raise Invalid(
            "connector_unknown",
            Label(f"没有连接器 {name}", f"There is no connector {name}"),
            detail=Label("可用：complete-journey", "Available: complete-journey"),
        )
    connector = complete_journey(folder, shift_weeks)
    product = compose(settings)
    try:
        migrate.upgrade(product.state)
        brands = product.access.brands.list()
        if not brands:
            raise NotFound(
                "not_initialised",
                Label("还没有品牌", "There is no brand yet"),
                detail=Label("请先运行 quanyu init", "Run quanyu init first"),
            )
        scope = (product.access.brands.get(brand) if brand else brands[0]).scope()
        stored = take_in(product, scope, connector.feeds(), out)
        out.print(f"新入库 {stored:,} 条事件 · {stored:,} events stored")
    finally:
        product.close()


def take_in(product: Product, scope: Scope, feeds: Iterable[Feed], out: Console) -> int:
    """Take in feeds and process them to the end, with progress; how many events were new."""
    product.vault.prepare(0, ("log",))
    product.vault.prepare(scope.brand_id)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=out
    )
    events = 0
    with bar:
        for feed in feeds:
            task = bar.add_task(f"{feed.title.zh} · {feed.title.en}", total=feed.rows)
            events += _read(product, scope, feed, functools.partial(bar.advance, task))
        task = bar.add_task("识别与入库 · Resolving and storing", total=events)
        batches = pipeline(product)
        _wait_for_turn(batches.acquire)
        stored = batches.drain(lambda rows: bar.advance(task, rows))
        bar.update(task, completed=events)
    return stored


def _read(product: Product, scope: Scope, feed: Feed, advance: Callable[[float], None]) -> int:
    events = 0
    if feed.source:
        with product.state.write() as tx:
            product.events.sources.ensure(
                tx,
                source=feed.source.key,
                brand_id=scope.brand_id,
                name=feed.source.name,
                kind=feed.source.kind,
                made=feed.source.made,
            )
    for table in feed.chunks:
        if feed.kind == "events":
            assert feed.source is not None
            events += product.events.record_table(feed.source.key, table)
        else:
            take = product.commerce.upsert_products if feed.kind == "products" else product.commerce.upsert_stores
            with product.state.write() as tx:
                take(tx, scope, table)
        advance(table.num_rows)
    return events


def _wait_for_turn(acquire: Callable[[], bool]) -> None:
    """A worker that runs already does the work as well; then there is only to wait for it."""
    limit = time.monotonic() + 20
    while not acquire():
        if time.monotonic() > limit:
            raise Unavailable(
                "worker_busy",
                Label("后台进程正在处理", "A worker is processing already"),
                detail=Label("数据已写入日志，将由后台入库", "The data is in the log; that worker stores it"),
            )
        time.sleep(0.5)
