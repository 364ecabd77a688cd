"""The sandbox as one ASGI application: WeCom's API, the controls of the world, and the phone in the browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import time
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from quanyu_sandbox.outgoing import Outgoing, send_token
from quanyu_sandbox.people import World
from quanyu_sandbox.settings import SandboxSettings
from quanyu_sandbox.store import Store
from quanyu_sandbox.wecom import WeCom

log = logging.getLogger(__name__)
_PAGES = Path(__file__).parent / "pages"
_PAUSE = 0.1


def create_app(
    settings: SandboxSettings, *, now: Callable[[], float] = time, client: httpx.Client | None = None
) -> Starlette:
    """The application over the world in `settings.data`. `now` and `client` are injected by tests."""
    world = World(Store(settings.data), settings, now)
    outgoing = Outgoing(world, client)
    controls = Controls(world, outgoing)

    async def live() -> None:
        while True:
            try:
                await asyncio.to_thread(world.tick)
                await asyncio.to_thread(outgoing.flush)
            except (sqlite3.Error, httpx.HTTPError, ValueError):
                log.exception("the world stumbled and goes on")
            await asyncio.sleep(_PAUSE)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(live())
        yield
        task.cancel()

    app = Starlette(routes=[*WeCom(world).routes(), *controls.routes()], lifespan=lifespan)
    app.state.world = world
    app.state.outgoing = outgoing
    return app


class Controls:
    """What a person or a test does to the world: move customers in, tap, block, inject faults, look."""

    def __init__(self, world: World, outgoing: Outgoing) -> None:
        self.world = world
        self.store = world.store
        self.outgoing = outgoing

    def routes(self) -> list[Route]:
        """All routes of the controls and pages."""
        return [
            Route("/", self.page("index.html")),
            Route("/phone", self.page("phone.html")),
            Route("/phone.js", self.page("phone.js")),
            Route("/phone.css", self.page("phone.css")),
            Route("/sandbox/stats", self.stats),
            Route("/sandbox/customers", self.customers, methods=["GET"]),
            Route("/sandbox/customers", self.move_in, methods=["POST"]),
            Route("/sandbox/chat", self.chat),
            Route("/sandbox/act", self.act, methods=["POST"]),
            Route("/sandbox/coupons", self.coupons),
            Route("/sandbox/tasks", self.tasks),
            Route("/sandbox/tick", self.tick, methods=["POST"]),
            Route("/sandbox/faults", self.faults, methods=["GET", "POST"]),
            Route("/sandbox/calls", self.calls),
            Route("/sandbox/messages", self.messages),
            Route("/sandbox/webhook", self.webhook, methods=["GET", "POST"]),
        ]

    def page(self, name: str) -> Callable[[Request], Any]:
        """A page of the sandbox."""

        async def answer(_: Request) -> Response:
            return FileResponse(_PAGES / name, headers={"Cache-Control": "no-cache"})

        return answer

    def stats(self, _: Request) -> Response:
        """Counts of everything."""
        count = {
            name: self.store.all(f"SELECT count(*) AS n FROM {table} WHERE {where}")[0]["n"]  # noqa: S608 - ours
            for name, table, where in (
                ("customers", "customer", "1"),
                ("friends", "customer", "friend = 1"),
                ("tasks", "task", "1"),
                ("messages", "message", "1"),
                ("read", "message", "read_at IS NOT NULL"),
                ("tapped", "message", "tapped_at IS NOT NULL"),
                ("redeemed", "message", "redeemed_at IS NOT NULL"),
                ("waiting", "outgoing", "done = 0"),
                ("calls", "call", "1"),
            )
        }
        return JSONResponse({**count, "corp_id": self.world.settings.corp_id, "speed": self.world.settings.speed})

    async def move_in(self, request: Request) -> Response:
        """POST a list of customers."""
        rows = await request.json()
        added = await asyncio.to_thread(self.world.add_customers, rows)
        return JSONResponse({"added": added})

    def customers(self, request: Request) -> Response:
        """Customers by name or id, those with news first."""
        text = f"%{request.query_params.get('q', '')}%"
        rows = self.store.all(
            "SELECT c.*, count(m.id) AS messages, sum(m.id IS NOT NULL AND m.read_at IS NULL) AS unread,"
            " max(m.at) AS last_at FROM customer c LEFT JOIN message m USING (external_userid)"
            " WHERE c.name LIKE ? OR c.external_userid LIKE ? GROUP BY c.external_userid"
            " ORDER BY last_at DESC NULLS LAST, c.name LIMIT 60",
            text, text,
        )  # fmt: skip
        keys = ("external_userid", "name", "staff", "store_id", "friend", "messages", "unread", "last_at")
        return JSONResponse({"items": [{key: row[key] for key in keys} for row in rows]})

    def chat(self, request: Request) -> Response:
        """One customer's chat."""
        customer = self.store.one(
            "SELECT * FROM customer WHERE external_userid = ?", request.query_params.get("external_userid")
        )
        if customer is None:
            return JSONResponse({"error": "no such customer"}, 404)
        if request.query_params.get("read") == "1":
            self.world.read_chat(customer["external_userid"])
        rows = self.store.all(
            "SELECT * FROM message WHERE external_userid = ? ORDER BY id DESC LIMIT 100", customer["external_userid"]
        )
        messages = [
            {
                "id": row["id"], "at": row["at"], "userid": row["userid"], "text": row["text"],
                "card": json.loads(row["card"]) if row["card"] else None, "send": send_token(row),
                "read_at": row["read_at"], "tapped_at": row["tapped_at"], "redeemed_at": row["redeemed_at"],
            }
            for row in reversed(rows)
        ]  # fmt: skip
        keys = ("external_userid", "name", "staff", "store_id", "friend")
        return JSONResponse({"customer": {key: customer[key] for key in keys}, "messages": messages})

    async def act(self, request: Request) -> Response:
        """What a thumb does: `tap`, `redeem`, `block`, `add`, or a member of staff's `confirm`."""
        body = await request.json()
        return await asyncio.to_thread(self._act, body)

    def _act(self, body: dict[str, Any]) -> Response:
        action, subject = body.get("action"), str(body.get("subject", ""))
        if action == "tap":
            self.world.tap(subject)
        elif action == "redeem":
            return self._redeem(subject)
        elif action == "block":
            self.world.block(subject)
        elif action == "add":
            self.world.add_staff(subject, str(body.get("state", "")))
        elif action == "confirm":
            self.world.confirm(subject)
        else:
            return JSONResponse({"error": "unknown action"}, 400)
        self.outgoing.flush()
        return JSONResponse({"ok": True})

    def _redeem(self, subject: str) -> Response:
        message = self.store.one("SELECT * FROM message WHERE id = ?", subject)
        if message is None:
            return JSONResponse({"error": "no such message"}, 404)
        customer = self.store.one("SELECT * FROM customer WHERE external_userid = ?", message["external_userid"])
        assert customer is not None
        try:
            done = self.outgoing.redeem(message, customer, self.world.now())
        except httpx.HTTPError as error:
            return JSONResponse({"error": f"the brand did not answer: {type(error).__name__}"}, 502)
        with self.store.write() as db:
            db.execute("UPDATE message SET redeemed_at = ? WHERE id = ?", (self.world.now(), subject))
        return JSONResponse(done)

    def coupons(self, request: Request) -> Response:
        """The coupons of a message, as the brand's API tells them."""
        customer = self.store.one(
            "SELECT * FROM customer WHERE external_userid = ?", request.query_params.get("external_userid")
        )
        if customer is None:
            return JSONResponse({"error": "no such customer"}, 404)
        try:
            items = self.outgoing.coupons(customer, request.query_params.get("send", ""))
        except httpx.HTTPError as error:
            return JSONResponse({"error": f"the brand did not answer: {type(error).__name__}", "items": []}, 502)
        return JSONResponse({"items": items})

    def tasks(self, _: Request) -> Response:
        """Mass-message tasks, newest first."""
        rows = self.store.all(
            "SELECT t.*, count(g.external_userid) AS targets, sum(g.status = 1) AS sent, sum(g.status = 0) AS open"
            " FROM task t LEFT JOIN target g USING (msgid) GROUP BY t.msgid ORDER BY t.created_at DESC LIMIT 50"
        )
        keys = ("msgid", "sender", "text", "created_at", "cancelled", "targets", "sent", "open")
        return JSONResponse({"items": [{key: row[key] for key in keys} for row in rows]})

    async def tick(self, request: Request) -> Response:
        """Do what is due until `?to=` (seconds since 1970; now if left out)."""
        to = request.query_params.get("to")
        done = await asyncio.to_thread(self.world.tick, float(to) if to else None)
        await asyncio.to_thread(self.outgoing.flush)
        return JSONResponse({"done": done})

    async def faults(self, request: Request) -> Response:
        """POST {path, kind: drop|http_500|busy|delay|expire_tokens, times, seconds}; GET what happened."""
        if request.method == "POST":
            body = await request.json()
            with self.store.write() as db:
                if body["kind"] == "expire_tokens":
                    db.execute("UPDATE token SET revoked = 1")
                else:
                    db.execute(
                        "INSERT INTO fault (path, kind, remaining, seconds) VALUES (?,?,?,?)",
                        (body.get("path", "*"), body["kind"], int(body.get("times", 1)), float(body.get("seconds", 0))),
                    )
        return JSONResponse({"items": [dict(row) for row in self.store.all("SELECT * FROM fault ORDER BY id")]})

    def calls(self, request: Request) -> Response:
        """The ledger of API calls: `?path=` and `?after=`."""
        rows = self.store.all(
            "SELECT * FROM call WHERE id > ? AND (? = '' OR path = ?) ORDER BY id LIMIT 20000",
            int(request.query_params.get("after", 0)),
            *[request.query_params.get("path", "")] * 2,
        )
        return JSONResponse({"items": [{**dict(row), "subjects": json.loads(row["subjects"])} for row in rows]})

    def messages(self, request: Request) -> Response:
        """Every message that reached a phone, for counting: `?after=`."""
        rows = self.store.all(
            "SELECT * FROM message WHERE id > ? ORDER BY id LIMIT 20000", int(request.query_params.get("after", 0))
        )
        return JSONResponse({"items": [{**dict(row), "send": send_token(row)} for row in rows]})

    async def webhook(self, request: Request) -> Response:
        """A receiver of webhooks that keeps what it got."""
        if request.method == "POST":
            body, headers = (await request.body()).decode(), json.dumps(dict(request.headers))
            with self.store.write() as db:
                db.execute("INSERT INTO webhook (at, headers, body) VALUES (?,?,?)", (self.world.now(), headers, body))
            return JSONResponse({"ok": True})
        rows = self.store.all("SELECT * FROM webhook ORDER BY id")
        return JSONResponse({"items": [{**dict(row), "headers": json.loads(row["headers"])} for row in rows]})
