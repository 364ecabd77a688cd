"""What a visitor or a test does to the world: move people in, act for them, move time, inject faults, set limits.

Nothing here exists at Tencent. Everything takes and gives JSON; what cannot be done is answered with
`{"error": sentence}` and a status that fits.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quanyu_sandbox.basket import Catalogue
from quanyu_sandbox.behaviour import Behaviour
from quanyu_sandbox.callbacks import Callbacks, Receiver
from quanyu_sandbox.clock import SECOND, iso, micros
from quanyu_sandbox.courier import Courier
from quanyu_sandbox.faults import Faults
from quanyu_sandbox.fingers import Fingers
from quanyu_sandbox.people import Impossible, People
from quanyu_sandbox.tags import Tags
from quanyu_sandbox.verification import verify
from quanyu_sandbox.wecom.rates import Rates
from quanyu_sandbox.world import World

_CHUNK = 200


def guarded(work: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    """Answers with what `work` returns as JSON, and with a sentence when it is impossible.

    A page of another site may not steer the sandbox through its visitor's browser: a foreign Origin is refused.
    """

    async def answer(request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin is not None and request.method != "GET" and origin != str(request.base_url).rstrip("/"):
            return JSONResponse({"error": f"requests from {origin} are not taken"}, 403)
        try:
            return JSONResponse(await work(request))
        except Impossible as error:
            return JSONResponse({"error": str(error)}, error.status)

    return answer


async def document(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Raises Impossible."""
    found = await anything(request)
    if not isinstance(found, dict):
        raise Impossible("a JSON object is wanted")
    return found


async def anything(request: Request) -> Any:
    """The body as JSON. Raises Impossible."""
    try:
        return json.loads(await request.body() or b"{}")
    except ValueError as error:
        raise Impossible(f"the body is no JSON: {error}", 400) from error


class Control:
    """The routes that change the world."""

    def __init__(
        self,
        world: World,
        people: People,
        behaviour: Behaviour,
        callbacks: Callbacks,
        courier: Courier,
        faults: Faults,
        rates: Rates,
        fingers: Fingers,
    ) -> None:
        self.world = world
        self.people = people
        self.behaviour = behaviour
        self.callbacks = callbacks
        self.courier = courier
        self.faults = faults
        self.rates = rates
        self.fingers = fingers

    def routes(self) -> list[Route]:
        """All routes of the controls."""
        return [
            Route("/sandbox/customers", guarded(self.move_in), methods=["POST"]),
            Route("/sandbox/customers/{external_userid}", guarded(self.change), methods=["PATCH"]),
            Route("/sandbox/staff", guarded(self.hire), methods=["POST"]),
            Route("/sandbox/catalogue", guarded(self.stock), methods=["POST"]),
            Route("/sandbox/act", guarded(self.act), methods=["POST"]),
            Route("/sandbox/tick", guarded(self.tick), methods=["POST"]),
            Route("/sandbox/tags", guarded(self.tags), methods=["POST"]),
            Route("/sandbox/faults", guarded(self.inject), methods=["POST"]),
            Route("/sandbox/faults", guarded(self.mend), methods=["DELETE"]),
            Route("/sandbox/limits", guarded(self.limit), methods=["POST"]),
            Route("/sandbox/callback", guarded(self.callback), methods=["POST"]),
        ]

    # ------------------------------------------------------------------ people
    async def move_in(self, request: Request) -> Any:
        """POST a list of customers, or `{customers: [...]}`."""
        given = await anything(request)
        rows = given.get("customers") if isinstance(given, dict) else given
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Impossible("a list of customers is wanted, or an object with one in `customers`")
        added = self.people.add_customers(rows)
        self.behaviour.open_shops()
        return {"added": added}

    async def change(self, request: Request) -> Any:
        """PATCH how a customer behaves."""
        self.people.update(request.path_params["external_userid"], await document(request))
        return {"ok": True}

    async def hire(self, request: Request) -> Any:
        """POST a list of members."""
        rows = await anything(request)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Impossible("a list of members is wanted")
        return {"hired": self.people.add_staff(rows)}

    async def stock(self, request: Request) -> Any:
        """POST `{products: [{sku, name?, unit_price}]}`."""
        rows = (await document(request)).get("products")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Impossible("products: a list is wanted")
        return {"products": Catalogue(self.world).stock(rows)}

    async def act(self, request: Request) -> Any:
        """POST `{action, ...}`: one thing that a customer or a member does now."""
        return await self.fingers.act(await document(request))

    async def tags(self, request: Request) -> Any:
        """POST `{group, name}` or `{delete: tag_id}`: the admin console edits tags, and WeCom tells it."""
        body, keeper, now = await document(request), Tags(self.world), self.world.clock.now()
        with self.world.store.write() as db:
            if body.get("delete"):
                key = str(body["delete"])
                gone = db.execute("DELETE FROM tag WHERE tag_id = ?", (key,)).rowcount
                if not gone:
                    raise Impossible(f"no tag {key!r}", 404)
                db.execute("DELETE FROM follow_tag WHERE tag_id = ?", (key,))
                self.callbacks.tag_changed(db, "delete", "tag", key, now)
                answer: dict[str, Any] = {"deleted": key}
            else:
                group, name = str(body.get("group") or ""), str(body.get("name") or "")
                if not group or not name:
                    raise Impossible("group and name are needed, or delete with a tag's id")
                group_id, new_group = keeper.group(db, group)
                tag_id, new_tag = keeper.add(db, group_id, name)
                if new_group:
                    self.callbacks.tag_changed(db, "create", "tag_group", group_id, now)
                if new_tag:
                    self.callbacks.tag_changed(db, "create", "tag", tag_id, now)
                answer = {"group_id": group_id, "tag_id": tag_id}
        self.world.bell.ring()
        return answer

    # ------------------------------------------------------------------ time
    async def tick(self, request: Request) -> Any:
        """POST `?to=` (seconds since 1970 or ISO) or `?seconds=` from now; `?settle=` real seconds to carry the news.

        A virtual clock moves there; with the machine's clock, what is due until then is done now.
        """
        query = request.query_params
        now = self.world.clock.now()
        try:
            to = micros(query["to"]) if "to" in query else now + int(float(query.get("seconds", 0)) * SECOND)
            patience = float(query.get("settle", 10))
        except ValueError as error:
            raise Impossible(f"the time cannot be read: {error}", 400) from error
        if to < now and self.world.clock.virtual:
            raise Impossible(f"time does not run backwards: it is {iso(now)}", 409)
        steps = 0
        while True:
            done = self.behaviour.run(to, _CHUNK)
            steps += done
            if done < _CHUNK:
                break
        settled = await self.courier.settle(patience) if patience > 0 else not self.courier.pending()
        return {
            "done": steps, "now": iso(self.world.clock.now()), "settled": settled, "outgoing": self.courier.pending(),
            "next_due": iso(due) if (due := self.behaviour.next_due()) is not None else None,
        }  # fmt: skip

    # ------------------------------------------------------------------ trouble
    async def inject(self, request: Request) -> Any:
        """POST a fault."""
        try:
            self.faults.inject(await document(request))
        except (TypeError, ValueError) as error:
            raise Impossible(f"times, skip, seconds and errcode are numbers: {error}") from error
        return {"items": self.faults.listed()}

    async def mend(self, _: Request) -> Any:
        """DELETE what faults are left."""
        self.faults.clear()
        return {"items": self.faults.listed()}

    async def limit(self, request: Request) -> Any:
        """POST `{path: "*", per_minute, per_hour}`; 0 is no limit."""
        body = await document(request)
        try:
            path = str(body.get("path", "*")).removeprefix("/cgi-bin/")
            self.rates.limit(path, int(body.get("per_minute", 0)), int(body.get("per_hour", 0)))
        except (TypeError, ValueError) as error:
            raise Impossible(f"per_minute and per_hour are numbers: {error}") from error
        return {"ok": True}

    async def callback(self, request: Request) -> Any:
        """POST `{url, token, aes_key}`: saved if the address answers the check within a second, as in the console."""
        body = await document(request)
        before = self.callbacks.receiver()
        wanted = Receiver(
            str(body.get("url") or before.url),
            str(body.get("token") or before.token),
            str(body.get("aes_key") or before.aes_key),
        )
        await verify(self.callbacks, self.courier.http, wanted)
        self.callbacks.save(wanted)
        return {"ok": True}
