"""The composition root: settings become stores, stores become contexts, contexts become a server and a worker.

Nothing but wiring lives here. Whoever wants to know what talks to what reads `compose`.
"""

from __future__ import annotations

from quanyu.app.product import Product, compose
from quanyu.app.serving import openapi, protocol, web
from quanyu.app.working import lanes, pipeline, start_worker

__all__ = ["Product", "compose", "lanes", "openapi", "pipeline", "protocol", "start_worker", "web"]
