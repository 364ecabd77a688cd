"""A receiver of webhooks that keeps what it got, headers and raw body, so that a test can check signatures."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quanyu_sandbox.faults import Faults
from quanyu_sandbox.world import World


class WebhookReceiver:
    """POST anything to `/sandbox/webhook[/…]`, GET what came. Faults with the path `webhook` strike here."""

    def __init__(self, world: World, faults: Faults, wall: Callable[[], int]) -> None:
        self.world = world
        self.faults = faults
        self._wall = wall

    def routes(self) -> list[Route]:
        """The routes of the receiver."""
        return [
            Route("/sandbox/webhook", self.listed, methods=["GET"]),
            Route("/sandbox/webhook", self.receive, methods=["POST", "PUT"]),
            Route("/sandbox/webhook/{rest:path}", self.receive, methods=["POST", "PUT"]),
        ]

    async def receive(self, request: Request) -> Response:
        """Keep a call, then answer as the faults say."""
        body = (await request.body()).decode("utf-8", "replace")
        headers = json.dumps(dict(request.headers), ensure_ascii=False)
        with self.world.store.write() as db:
            db.execute(
                "INSERT INTO webhook (wall_at, method, path, headers, body) VALUES (?,?,?,?,?)",
                (self._wall(), request.method, request.url.path, headers, body),
            )
        fault = self.faults.strike("webhook")
        if fault is not None and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault is not None and fault.kind.startswith("http_500"):
            return JSONResponse({"error": "injected"}, 500)
        return JSONResponse({"ok": True})

    async def listed(self, request: Request) -> Response:
        """`?after=`: what was received, in order."""
        after = request.query_params.get("after", "0")
        rows = self.world.store.all(
            "SELECT * FROM webhook WHERE id > ? ORDER BY id LIMIT 20000", int(after) if after.isdigit() else 0
        )
        return JSONResponse({"items": [{**dict(row), "headers": json.loads(row["headers"])} for row in rows]})
