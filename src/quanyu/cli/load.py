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

_PATIENCE = 60.0  # seconds in which a worker must take something from the log
_LOOK = 0.5


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


def take_in(product: Product, scope: Scope, feeds: Iterable[Feed], out: Console, *, patience: float = _PATIENCE) -> int:
    """Take in feeds and process them to the end, with progress; how many events were new.

    A worker that runs already does the processing; then this waits until it has. Raises Unavailable when that worker
    takes nothing from the log for `patience` seconds.
    """
    product.vault.prepare(0, ("log",))
    product.vault.prepare(scope.brand_id)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=out
    )
    events, before, sources = 0, _stored(product, scope), set()
    with bar:
        for feed in feeds:
            task = bar.add_task(f"{feed.title.zh} · {feed.title.en}", total=feed.rows)
            events += _read(product, scope, feed, functools.partial(bar.advance, task))
            if feed.source:
                sources.add(feed.source.key)
        task = bar.add_task("识别与入库 · Resolving and storing", total=events)
        process(product, sources, functools.partial(bar.advance, task), out, patience)
        bar.update(task, completed=events)
    after = _stored(product, scope)
    return sum(after[source] - before.get(source, 0) for source in sources)


def _stored(product: Product, scope: Scope) -> dict[str, int]:
    return {view.source.source: view.stored for view in product.events.list_sources(scope)}


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
    if feed.kind == "events":
        assert feed.source is not None
        for rows in product.events.record_tables(feed.source.key, feed.chunks):
            events += rows
            advance(rows)
        return events
    for table in feed.chunks:
        take = product.commerce.upsert_products if feed.kind == "products" else product.commerce.upsert_stores
        with product.state.write() as tx:
            take(tx, scope, table)
        advance(table.num_rows)
    return events


def process(
    product: Product,
    sources: set[str],
    advance: Callable[[float], None],
    out: Console,
    patience: float = _PATIENCE,
) -> None:
    """Empty the log, or wait until the worker whose turn it is has stored what `sources` sent."""
    batches, waiting, moved_at = pipeline(product), None, time.monotonic()
    while not batches.acquire():
        pending = product.events.backlog().by_source
        left = sum(pending.get(source, 0) for source in sources)
        if waiting is None:
            out.print("由运行中的后台进程入库，等待完成 · A worker is running and stores them; waiting")
        elif left < waiting:
            advance(waiting - left)
        if left != waiting:
            waiting, moved_at = left, time.monotonic()
        if not left:
            return
        if time.monotonic() - moved_at > patience:
            raise Unavailable(
                "worker_stuck",
                Label("后台进程没有在入库", "The worker stores nothing"),
                detail=Label(
                    f"{left:,} 条事件已在日志里，{patience:.0f} 秒没有进展；请看它的日志，或重启 quanyu worker",
                    f"{left:,} events are safe in the log, none was taken for {patience:.0f} s; see the worker's log, "
                    "or restart quanyu worker",
                ),
            )
        time.sleep(_LOOK)
    try:
        batches.drain(advance)
    finally:
        batches.release()
