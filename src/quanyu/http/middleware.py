"""Around every request: an id, a log line, a count, and the headers that protect a browser."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quanyu.kernel.log import request_id as current_request

log = logging.getLogger("quanyu.access_log")

REQUESTS = Counter("quanyu_http_requests_total", "Requests by route, method and status", ["route", "method", "status"])
SECONDS = Histogram(
    "quanyu_http_request_seconds",
    "Time to answer, by route",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (
        b"content-security-policy",
        (
            b"default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
            b"connect-src 'self'; frame-ancestors 'self'; object-src 'none'; base-uri 'self'"
        ),
    ),
]


class Observe:
    """ASGI middleware of all routes but the collector's, which counts for itself."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        # A caller's id is kept when it is harmless, so that traces join up.
        number = (
            given if 8 <= len(given) <= 64 and given.replace("-", "").replace("_", "").isalnum() else self._new_id()
        )
        scope.setdefault("state", {})["request_id"] = number
        token = current_request.set(number)
        started = time.perf_counter()
        status = 500

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.setdefault("headers", [])
                headers.append((b"x-request-id", number.encode()))
                headers.extend(_SECURITY)
            await send(message)

        try:
            await self._app(scope, receive, observed)
        finally:
            took = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", None) or "static"
            REQUESTS.labels(route, scope["method"], str(status)).inc()
            SECONDS.labels(route).observe(took)
            if route not in ("/healthz", "/readyz", "/metrics", "static"):
                log.info(
                    "request",
                    extra={"method": scope["method"], "route": route, "status": status, "ms": round(took * 1000, 1)},
                )
            current_request.reset(token)
