"""The process that decodes ahead of the worker: it opens the same installation and only reads."""

from __future__ import annotations

from multiprocessing.connection import Connection

from quanyu.app.product import compose
from quanyu.events.api import Events
from quanyu.identity.api import Identity
from quanyu.kernel import log
from quanyu.kernel.settings import Settings
from quanyu.worker.ahead import answer


def decode_ahead(settings: Settings, connection: Connection) -> None:
    """The main function of that process."""
    log.configure(settings.log_level)

    def opened() -> tuple[Events, Identity]:
        product = compose(settings)
        return product.events, product.identity

    answer(opened, connection)
