"""The long-running processes: the server, the worker, and both in one."""

from __future__ import annotations

import logging
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import uvicorn

from quanyu.app import Product, compose, openapi, protocol, start_worker, web
from quanyu.kernel import log
from quanyu.kernel.errors import Unavailable
from quanyu.kernel.settings import Settings
from quanyu.storage import migrate

_PATIENCE = 60.0  # seconds for a state store that starts when we do: a machine that boots, a database that recovers
_BETWEEN = 0.5

T = TypeVar("T")


def once_reachable(
    begin: Callable[[], T],
    *,
    patience: float = _PATIENCE,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> T:
    """What `begin` gives, tried again for `patience` seconds while the state store cannot be reached.

    Raises what `begin` raised: Unavailable after that time, anything else at once.
    """
    end, told = now() + patience, False
    while True:
        try:
            return begin()
        except Unavailable as error:
            if now() >= end:
                raise
            if not told:
                logging.getLogger(__name__).warning("waiting_for_state", extra={"code": error.code, "why": str(error)})
                told = True
        pause(_BETWEEN)


def serve(settings: Settings, *, with_worker: bool) -> None:
    """Serve until a signal ends it."""
    log.configure(settings.log_level)
    product = compose(settings)
    once_reachable(lambda: migrate.upgrade(product.state))
    app = once_reachable(lambda: web(product))
    worker = once_reachable(lambda: start_worker(product)) if with_worker else None
    threading.Thread(target=_warm, args=(product,), name="warm", daemon=True).start()
    config = uvicorn.Config(
        app,
        http=protocol(app),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=10,
    )
    try:
        uvicorn.Server(config).run()
    finally:
        if worker:
            worker.stop()
        product.close()


def _warm(product: Product) -> None:
    """Read history into the caches before anybody asks, so that the first overview is as quick as the next."""
    try:
        for brand in product.access.brands.list():
            product.analytics.overview(brand.scope())
    except Exception:
        logging.getLogger(__name__).exception("caches_not_warmed")  # nothing is lost: the first question fills them


def work(settings: Settings) -> None:
    """Work until a signal ends it."""
    log.configure(settings.log_level)
    product = compose(settings)
    once_reachable(lambda: migrate.upgrade(product.state))
    worker = once_reachable(lambda: start_worker(product))
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    done.wait()
    worker.stop()
    product.close()


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document, without touching any data of the installation."""
    with tempfile.TemporaryDirectory() as folder:
        product = compose(Settings.load({}, {"data_dir": folder}))
        try:
            return openapi(product)
        finally:
            product.close()
