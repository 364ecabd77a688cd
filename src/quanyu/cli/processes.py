"""The long-running processes: the server, the worker, and both in one."""

from __future__ import annotations

import logging
import signal
import tempfile
import threading
from typing import Any

import uvicorn

from quanyu.app import Product, compose, openapi, protocol, start_worker, web
from quanyu.kernel import log
from quanyu.kernel.settings import Settings
from quanyu.storage import migrate


def serve(settings: Settings, *, with_worker: bool) -> None:
    """Serve until a signal ends it."""
    log.configure(settings.log_level)
    product = compose(settings)
    migrate.upgrade(product.state)
    worker = start_worker(product) if with_worker else None
    threading.Thread(target=_warm, args=(product,), name="warm", daemon=True).start()
    app = web(product)
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
    migrate.upgrade(product.state)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    worker = start_worker(product)
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
