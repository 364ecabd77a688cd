"""What can be seen of the world: people, chats, tasks, counts, the ledger. Changes nothing."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from quanyu_sandbox.brand_client import BrandRefused, BrandUnreachable
from quanyu_sandbox.clock import iso
from quanyu_sandbox.control import guarded
from quanyu_sandbox.courier import Courier
from quanyu_sandbox.faults import Faults
from quanyu_sandbox.fingers import Fingers
from quanyu_sandbox.ledger import Ledger
from quanyu_sandbox.people import Impossible, People
from quanyu_sandbox.world import World

_COUNTS = {
    "customers": "customer", "staff": "staff", "friends": "follow WHERE friend = 1", "mass": "mass", "tasks": "task",
    "tasks_open": "task t JOIN mass m USING (msgid) WHERE t.status = 0 AND m.cancelled_at IS NULL",
    "messages": "message WHERE author = 'staff'", "deliveries": "delivery WHERE status = 1",
    "failed_no_friend": "delivery WHERE status = 2", "failed_capped": "delivery WHERE status = 3",
    "read": "delivery WHERE read_at IS NOT NULL", "opened": "delivery WHERE opened_at IS NOT NULL",
    "redeemed": "delivery WHERE redeemed_at IS NOT NULL", "blocked": "follow WHERE friend = 0",
    "agenda": "agenda", "outgoing": "outgoing WHERE state = 'pending'",
    "outgoing_failed": "outgoing WHERE state IN ('failed', 'refused')", "calls": "call", "webhooks": "webhook",
    "contact_ways": "contact_way", "faults_left": "fault WHERE remaining > 0",
}  # fmt: skip


class Looking:
    """The routes that only look."""

    def __init__(
        self, world: World, people: People, courier: Courier, faults: Faults, ledger: Ledger, fingers: Fingers
    ) -> None:
        self.world = world
        self.store = world.store
        self.people = people
        self.courier = courier
        self.faults = faults
        self.ledger = ledger
        self.fingers = fingers

    def routes(self) -> list[Route]:
        """All routes of the looking."""
        return [
            Route("/sandbox/stats", guarded(self.stats)),
            Route("/sandbox/customers", guarded(self.customers), methods=["GET"]),
            Route("/sandbox/customers/{external_userid}", guarded(self.customer), methods=["GET"]),
            Route("/sandbox/staff", guarded(self.staff), methods=["GET"]),
            Route("/sandbox/chat", guarded(self.chat)),
            Route("/sandbox/coupons", guarded(self.coupons)),
            Route("/sandbox/tasks", guarded(self.tasks)),
            Route("/sandbox/messages", guarded(self.messages)),
            Route("/sandbox/staff-messages", guarded(self.staff_messages)),
            Route("/sandbox/outgoing", guarded(self.outgoing)),
            Route("/sandbox/calls", guarded(self.calls)),
            Route("/sandbox/faults", guarded(self.injected), methods=["GET"]),
            Route("/sandbox/contact-ways", guarded(self.contact_ways)),
        ]

    async def stats(self, _: Request) -> Any:
        """Counts of everything, and how the world is set."""
        world, settings = self.world, self.world.settings
        count = {name: self.store.number(f"SELECT count(*) FROM {table}") for name, table in _COUNTS.items()}  # noqa: S608
        return {
            **count, "now": iso(world.clock.now()), "clock": "virtual" if world.clock.virtual else "machine",
            "auto": world.customers_act, "speed": settings.speed, "seed": settings.seed, "corp_id": settings.corp_id,
            "corp_name": settings.corp_name,
            "app_id": settings.app_id,
        }  # fmt: skip

    async def customers(self, request: Request) -> Any:
        """`?q=` name, id or phone; those with news first. `total` counts all that match."""
        text = request.query_params.get("q", "").strip()
        like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        where = "c.name LIKE ?1 ESCAPE '\\' OR c.external_userid LIKE ?1 ESCAPE '\\' OR c.phone = ?2"
        limit = min(max(_number(request, "limit", 50), 1), 1000)
        news = (
            "SELECT c.*, (SELECT max(at) FROM message m WHERE m.external_userid = c.external_userid) AS last_at,"
            " (SELECT count(*) FROM message m WHERE m.external_userid = c.external_userid AND m.seen_at IS NULL)"
            " AS unread, (SELECT count(*) FROM follow f WHERE f.external_userid = c.external_userid AND f.friend = 1)"
            " AS friends, (SELECT name FROM staff s WHERE s.userid = c.staff) AS staff_name FROM customer c WHERE "
        )
        order = " ORDER BY last_at IS NULL, last_at DESC, c.name, c.external_userid LIMIT ?3"
        rows = self.store.all(news + where + order, like, text, limit)
        total = self.store.number(f"SELECT count(*) FROM customer c WHERE {where}", like, text)  # noqa: S608
        return {
            "items": [
                {
                    "external_userid": row["external_userid"], "name": row["name"], "staff": row["staff"],
                    "staff_name": row["staff_name"],
                    "store_id": row["store_id"], "friend": bool(row["friends"]), "unread": row["unread"],
                    "last_at": iso(row["last_at"]) if row["last_at"] else None,
                }
                for row in rows
            ],
            "total": total,
        }  # fmt: skip

    async def customer(self, request: Request) -> Any:
        """One customer and the chats on their phone."""
        row = self.people.customer(request.path_params["external_userid"])
        chats = self.store.all(
            "SELECT s.userid, s.name, f.friend, f.added_at, f.state,"
            " (SELECT count(*) FROM message m WHERE m.external_userid = ?1 AND m.userid = s.userid"
            "  AND m.seen_at IS NULL) AS unread,"
            " (SELECT max(id) FROM message m WHERE m.external_userid = ?1 AND m.userid = s.userid) AS last"
            " FROM staff s LEFT JOIN follow f ON f.userid = s.userid AND f.external_userid = ?1"
            " WHERE f.userid IS NOT NULL OR s.userid = ?2 OR s.userid IN"
            " (SELECT userid FROM message WHERE external_userid = ?1) ORDER BY last DESC, s.userid",
            row["external_userid"], row["staff"],
        )  # fmt: skip
        return {
            **{key: row[key] for key in row.keys() if key != "moved_in_at"},  # noqa: SIM118 - a Row iterates values
            "automatic": bool(row["automatic"]),
            "chats": [
                {
                    "userid": chat["userid"], "name": chat["name"], "friend": bool(chat["friend"]),
                    "state": chat["state"], "unread": chat["unread"], "last": self._last(chat["last"]),
                }
                for chat in chats
            ],
        }  # fmt: skip

    def _last(self, message_id: int | None) -> dict[str, Any] | None:
        row = self.store.one("SELECT * FROM message WHERE id = ?", message_id) if message_id else None
        return None if row is None else {"at": iso(row["at"]), "kind": row["kind"], "body": json.loads(row["body"])}

    async def staff(self, _: Request) -> Any:
        """Members with their customers, open tasks and app messages."""
        rows = self.store.all(
            "SELECT s.*, (SELECT count(*) FROM follow f WHERE f.userid = s.userid AND f.friend = 1) AS customers,"
            " (SELECT count(*) FROM task t JOIN mass m USING (msgid) WHERE t.userid = s.userid AND t.status = 0"
            "  AND m.cancelled_at IS NULL) AS tasks_open,"
            " (SELECT count(*) FROM staff_message m WHERE m.userid = s.userid AND m.dropped IS NULL) AS app_messages"
            " FROM staff s ORDER BY tasks_open DESC, customers DESC, s.userid LIMIT 500"
        )
        return {"items": [dict(row) for row in rows]}

    async def chat(self, request: Request) -> Any:
        """`?external_userid=&userid=`: the newest 200 bubbles of a chat, in order."""
        customer = self.people.customer(request.query_params.get("external_userid", ""))
        userid = request.query_params.get("userid")
        rows = self.store.all(
            "SELECT m.*, d.msgid, d.kind AS sent_as, d.page, d.send_token, d.read_at, d.opened_at, d.redeemed_at,"
            " d.order_id, d.outcome FROM message m LEFT JOIN delivery d ON d.id = m.delivery"
            " WHERE m.external_userid = ? AND (?2 IS NULL OR m.userid = ?2) ORDER BY m.id DESC LIMIT 200",
            customer["external_userid"], userid,
        )  # fmt: skip
        return {
            "external_userid": customer["external_userid"], "name": customer["name"],
            "messages": [self._bubble(row) for row in reversed(rows)],
        }  # fmt: skip

    def _bubble(self, row: sqlite3.Row) -> dict[str, Any]:
        instants = {key: iso(row[key]) if row[key] else None for key in ("read_at", "opened_at", "redeemed_at")}
        return {
            "message_id": row["id"], "at": iso(row["at"]), "external_userid": row["external_userid"],
            "userid": row["userid"], "author": row["author"], "kind": row["kind"], "body": json.loads(row["body"]),
            "msgid": row["msgid"], "sent_as": row["sent_as"], "page": row["page"], "send_token": row["send_token"],
            "seen": row["seen_at"] is not None, **instants, "order_id": row["order_id"], "outcome": row["outcome"],
        }  # fmt: skip

    async def messages(self, request: Request) -> Any:
        """Every bubble that reached a phone from staff, for counting: `?after=&limit=&external_userid=&send_token=`."""
        query = request.query_params
        rows = self.store.all(
            "SELECT m.*, d.msgid, d.kind AS sent_as, d.page, d.send_token, d.read_at, d.opened_at, d.redeemed_at,"
            " d.order_id, d.outcome FROM message m JOIN delivery d ON d.id = m.delivery WHERE m.id > ?1"
            " AND (?2 IS NULL OR m.external_userid = ?2) AND (?3 IS NULL OR d.send_token = ?3) ORDER BY m.id LIMIT ?4",
            _number(request, "after", 0), query.get("external_userid"), query.get("send_token"),
            min(_number(request, "limit", 20_000), 20_000),
        )  # fmt: skip
        return {"items": [self._bubble(row) for row in rows]}

    async def coupons(self, request: Request) -> Any:
        """`?message_id=` or `?external_userid=&send=`: the coupons of a send, asked of the brand's API now."""
        query = request.query_params
        if "message_id" in query:
            sent = self.fingers.delivery(query["message_id"])
            external, send = sent["external_userid"], sent["send_token"]
        else:
            external, send = query.get("external_userid", ""), query.get("send")
        if not send:
            return {"items": []}
        if not self.world.settings.api_url:
            raise Impossible("no api is set: start the sandbox with --api-url and --api-key", 409)
        customer = self.people.customer(external)
        try:
            found = await self.courier.brand.coupons(customer, send)
        except BrandRefused as refused:
            raise Impossible(f"the brand refused: {refused}", 409) from refused
        except BrandUnreachable as error:
            raise Impossible(f"the brand does not answer: {error}", 503) from error
        return {"items": [coupon.document for coupon in found]}

    async def tasks(self, request: Request) -> Any:
        """Mass-message tasks per member, open ones first; `?open=1` for those alone."""
        rows = self.store.all(
            "SELECT t.*, m.text, m.attachments, m.created_at, m.cancelled_at, s.name,"
            " (SELECT count(*) FROM delivery d WHERE d.msgid = t.msgid AND d.userid = t.userid) AS targets,"
            " (SELECT count(*) FROM delivery d WHERE d.msgid = t.msgid AND d.userid = t.userid"
            "  AND d.status = 1) AS sent"
            " FROM task t JOIN mass m USING (msgid) LEFT JOIN staff s USING (userid)"
            " WHERE ?1 = '' OR (t.status = 0 AND m.cancelled_at IS NULL)"
            " ORDER BY (t.status = 0 AND m.cancelled_at IS NULL) DESC, m.number DESC, t.userid LIMIT ?2",
            request.query_params.get("open", ""), min(_number(request, "limit", 50), 1000),
        )  # fmt: skip
        return {
            "items": [
                {
                    "msgid": row["msgid"], "userid": row["userid"], "name": row["name"], "text": row["text"],
                    "cards": [
                        (item.get(item["msgtype"]) or {}).get("title") for item in json.loads(row["attachments"])
                    ],
                    "created_at": iso(row["created_at"]), "cancelled": row["cancelled_at"] is not None,
                    "status": row["status"], "targets": row["targets"], "sent": row["sent"],
                }
                for row in rows
            ]
        }  # fmt: skip

    async def staff_messages(self, request: Request) -> Any:
        """App messages to a member, with why one was dropped: `?userid=`."""
        rows = self.store.all(
            "SELECT * FROM staff_message WHERE ?1 = '' OR userid = ?1 ORDER BY id DESC LIMIT 500",
            request.query_params.get("userid", ""),
        )
        return {"items": [{**dict(row), "at": iso(row["at"]), "body": json.loads(row["body"])} for row in rows]}

    async def outgoing(self, request: Request) -> Any:
        """What went to the brand: `?state=&lane=&limit=`, newest first."""
        query = request.query_params
        rows = self.store.all(
            "SELECT * FROM outgoing WHERE (?1 = '' OR state = ?1) AND (?2 = '' OR lane = ?2) ORDER BY id DESC LIMIT ?3",
            query.get("state", ""), query.get("lane", ""), min(_number(request, "limit", 100), 20_000),
        )  # fmt: skip
        return {"items": [{**dict(row), "at": iso(row["at"]), "payload": json.loads(row["payload"])} for row in rows]}

    async def calls(self, request: Request) -> Any:
        """The ledger: `?path=&after=&limit=&bodies=1`."""
        query = request.query_params
        return {
            "items": self.ledger.calls(
                query.get("path", "").removeprefix("/cgi-bin/"),
                _number(request, "after", 0),
                min(_number(request, "limit", 20_000), 20_000),
                bodies=query.get("bodies") == "1",
            )
        }

    async def injected(self, _: Request) -> Any:
        """The faults."""
        return {"items": self.faults.listed()}

    async def contact_ways(self, _: Request) -> Any:
        """The channel codes."""
        rows = self.store.all("SELECT * FROM contact_way ORDER BY created_at DESC LIMIT 200")
        return {"items": [{"config_id": row["config_id"], **json.loads(row["body"])} for row in rows]}


def _number(request: Request, name: str, default: int) -> int:
    try:
        return int(request.query_params.get(name, default))
    except ValueError:
        raise Impossible(f"{name} is a number", 400) from None
