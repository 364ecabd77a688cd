"""WeCom's API as the documents describe it: always HTTP 200, failures as `errcode`, tokens in the query.

Sources: W:91039 (token), W:92135 and W:93338 (mass messages), W:92137 (welcome), W:92113-92118 (customers, tags),
W:92228 (contact ways). Every call goes into a ledger, so that a test can prove what was asked and how often.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from quanyu_sandbox.people import World

_TOKEN_SECONDS = 7200
_DISPATCHING = 0.3
Handler = Callable[["WeCom", dict[str, Any], dict[str, str]], dict[str, Any]]


class Refusal(Exception):
    """An `errcode` other than 0."""

    def __init__(self, errcode: int, errmsg: str) -> None:
        self.errcode = errcode
        super().__init__(errmsg)


class WeCom:
    """The corporation's API over a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = world.store
        self.settings = world.settings

    def routes(self) -> list[Route]:
        """All routes below `/cgi-bin`."""
        return [Route("/cgi-bin/{path:path}", self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        """One call: faults first, then the token, then the handler; written into the ledger either way."""
        path = request.path_params["path"]
        raw = await request.body()
        query = dict(request.query_params)
        fault = await asyncio.to_thread(self._fault, path)
        if fault and fault["kind"] == "delay":
            await asyncio.sleep(fault["seconds"])
        if fault and fault["kind"] == "http_500":
            return Response("internal error", 500)
        if fault and fault["kind"] == "busy":
            return self._answered(path, raw, -1, "system busy", [])
        body = await asyncio.to_thread(self._handle, path, raw, query)
        if fault and fault["kind"] == "drop":
            # Taken, but the caller never hears of it: what a cut connection looks like.
            raise ConnectionResetError("the sandbox drops this answer")
        return JSONResponse(body)

    def _handle(self, path: str, raw: bytes, query: dict[str, str]) -> dict[str, Any]:
        subjects: list[str] = []
        try:
            handler = _HANDLERS.get(path)
            if handler is None:
                raise Refusal(40066, f"invalid url, {path} is not in this sandbox")
            if path != "gettoken":
                self._check_token(query.get("access_token"))
            body = self._body(raw) if raw and path != "media/upload" else {"size": len(raw)}
            given = body.get("external_userid")
            subjects = given if isinstance(given, list) else [str(given)] if given else []
            answer = {"errcode": 0, "errmsg": "ok", **handler(self, body, query)}
        except Refusal as refusal:
            answer = {"errcode": refusal.errcode, "errmsg": str(refusal)}
        self._note(path, raw, answer["errcode"], subjects)
        return answer

    def _body(self, raw: bytes) -> dict[str, Any]:
        try:
            body = json.loads(raw)
        except ValueError:
            raise Refusal(47001, "data format error, Warning: wrong json format.") from None
        if not isinstance(body, dict):
            raise Refusal(40058, "invalid request parameter, an object is needed")
        return body

    def _answered(self, path: str, raw: bytes, errcode: int, errmsg: str, subjects: list[str]) -> Response:
        self._note(path, raw, errcode, subjects)
        return JSONResponse({"errcode": errcode, "errmsg": errmsg})

    def _note(self, path: str, raw: bytes, errcode: int, subjects: list[str]) -> None:
        with self.store.write() as db:
            db.execute(
                "INSERT INTO call (at, path, body_hash, errcode, subjects) VALUES (?,?,?,?,?)",
                (self.world.now(), path, hashlib.sha256(raw).hexdigest(), errcode, json.dumps(subjects)),
            )

    def _fault(self, path: str) -> sqlite3.Row | None:
        with self.store.write() as db:
            row: sqlite3.Row | None = db.execute(
                "SELECT * FROM fault WHERE remaining > 0 AND (path = ? OR path = '*') ORDER BY id LIMIT 1", (path,)
            ).fetchone()
            if row is not None:
                db.execute(
                    "UPDATE fault SET remaining = remaining - 1, happened = happened + 1 WHERE id = ?", (row["id"],)
                )
            return row

    def _check_token(self, token: str | None) -> None:
        if not token:
            raise Refusal(41001, "access_token missing")
        row = self.store.one("SELECT * FROM token WHERE token = ?", token)
        if row is None or row["revoked"]:
            raise Refusal(40014, "invalid access_token")
        if row["expires_at"] <= self.world.now():
            raise Refusal(42001, "access_token expired")

    # ------------------------------------------------------------------ token
    def gettoken(self, _: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """W:91039; repeated calls give the same token while it is valid."""
        if not query.get("corpid"):
            raise Refusal(41002, "corpid missing")
        if not query.get("corpsecret"):
            raise Refusal(41004, "corpsecret missing")
        if query["corpid"] != self.settings.corp_id:
            raise Refusal(40013, "invalid corpid")
        if query["corpsecret"] != self.settings.corp_secret:
            raise Refusal(40001, "invalid credential")
        now = self.world.now()
        with self.store.write() as db:
            row = db.execute("SELECT * FROM token WHERE revoked = 0 AND expires_at > ?", (now,)).fetchone()
            if row is None:
                token = secrets.token_urlsafe(48)
                db.execute("INSERT INTO token VALUES (?,?,0)", (token, now + _TOKEN_SECONDS))
                return {"access_token": token, "expires_in": _TOKEN_SECONDS}
            return {"access_token": row["token"], "expires_in": int(row["expires_at"] - now)}

    # ------------------------------------------------------------------ customers
    def get_follow_user_list(self, *_: Any) -> dict[str, Any]:
        """W:92571."""
        return {"follow_user": [row["userid"] for row in self.store.all("SELECT userid FROM staff ORDER BY 1")]}

    def list_customers(self, _: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """W:92113."""
        rows = self.store.all(
            "SELECT external_userid FROM customer WHERE staff = ? AND friend = 1 ORDER BY 1", query.get("userid", "")
        )
        if not rows:
            raise Refusal(84061, "not external contact")
        return {"external_userid": [row["external_userid"] for row in rows]}

    def get_customer(self, _: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """W:92114."""
        if not query.get("external_userid"):
            raise Refusal(41035, "missing external_userid")
        row = self.store.one("SELECT * FROM customer WHERE external_userid = ?", query["external_userid"])
        if row is None:
            raise Refusal(40096, "invalid external userid")
        if not row["friend"]:
            raise Refusal(84061, "not external contact")
        tags = [
            {"group_name": tag["group_name"], "tag_name": tag["name"], "tag_id": tag["id"], "type": 1}
            for key in json.loads(row["tags"])
            if (tag := self.store.one("SELECT * FROM tag WHERE id = ?", key)) is not None
        ]
        contact = {"external_userid": row["external_userid"], "name": row["name"], "type": 1, "gender": 0}
        if row["unionid"]:
            contact["unionid"] = row["unionid"]
        follow = {
            "userid": row["staff"], "remark": row["remark"] or row["name"], "description": "",
            "createtime": int(row["added_at"]), "tags": tags, "add_way": 1, "state": row["state"] or "",
            "remark_mobiles": [],
        }  # fmt: skip
        return {"external_contact": contact, "follow_user": [follow]}

    def batch_get(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:92994: at most 100 a page; `follow_info` is one object and `tag_id` a list."""
        limit = min(int(body.get("limit") or 50), 100)
        staff = body.get("userid_list") or []
        if not staff or len(staff) > 100:
            raise Refusal(40031, "invalid userid list")
        marks = ",".join("?" * len(staff))
        rows = self.store.all(
            f"SELECT * FROM customer WHERE staff IN ({marks}) AND friend = 1 AND external_userid > ?"  # noqa: S608
            " ORDER BY external_userid LIMIT ?",
            *staff, body.get("cursor") or "", limit + 1,
        )  # fmt: skip
        page = rows[:limit]
        return {
            "external_contact_list": [
                {
                    "external_contact": {
                        "external_userid": row["external_userid"], "name": row["name"], "type": 1,
                        **({"unionid": row["unionid"]} if row["unionid"] else {}),
                    },
                    "follow_info": {
                        "userid": row["staff"], "remark": row["remark"] or row["name"],
                        "createtime": int(row["added_at"]), "tag_id": json.loads(row["tags"]), "add_way": 1,
                        "state": row["state"] or "",
                    },
                }
                for row in page
            ],
            "next_cursor": page[-1]["external_userid"] if len(rows) > limit else "",
        }  # fmt: skip

    def mark_tag(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:92118."""
        if not body.get("add_tag") and not body.get("remove_tag"):
            raise Refusal(40063, "some parameters are empty")
        row = self.store.one(
            "SELECT * FROM customer WHERE external_userid = ? AND staff = ? AND friend = 1",
            body.get("external_userid"), body.get("userid"),
        )  # fmt: skip
        if row is None:
            raise Refusal(84061, "not external contact")
        tags = [key for key in json.loads(row["tags"]) if key not in (body.get("remove_tag") or [])]
        tags += [key for key in body.get("add_tag") or [] if key not in tags]
        for key in tags:
            if self.store.one("SELECT 1 FROM tag WHERE id = ?", key) is None:
                raise Refusal(40068, "invalid tagid")
        with self.store.write() as db:
            db.execute(
                "UPDATE customer SET tags = ? WHERE external_userid = ?", (json.dumps(tags), row["external_userid"])
            )
        return {}

    def remark(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:92115."""
        if len(str(body.get("remark", ""))) > 20:
            raise Refusal(40058, "invalid request parameter, remark too long")
        with self.store.write() as db:
            changed = db.execute(
                "UPDATE customer SET remark = ? WHERE external_userid = ? AND staff = ? AND friend = 1",
                (body.get("remark"), body.get("external_userid"), body.get("userid")),
            ).rowcount
        if not changed:
            raise Refusal(84061, "not external contact")
        return {}

    def get_tags(self, *_: Any) -> dict[str, Any]:
        """W:92117."""
        groups: dict[str, dict[str, Any]] = {}
        for row in self.store.all("SELECT * FROM tag ORDER BY group_id, id"):
            group = groups.setdefault(
                row["group_id"], {"group_id": row["group_id"], "group_name": row["group_name"], "tag": []}
            )
            group["tag"].append({"id": row["id"], "name": row["name"], "order": 0, "deleted": False})
        return {"tag_group": list(groups.values())}

    def add_tag(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:92117: the same group name appends, the same tag name collapses."""
        names = [str(tag.get("name", "")) for tag in body.get("tag") or []]
        if not names or not all(0 < len(name) <= 30 for name in names):
            raise Refusal(40072, "invalid tag name length")
        group = str(body.get("group_name") or "默认")
        group_id = "etg" + hashlib.sha256(group.encode()).hexdigest()[:20]
        with self.store.write() as db:
            for name in names:
                tag_id = "et" + hashlib.sha256(f"{group}/{name}".encode()).hexdigest()[:20]
                db.execute("INSERT OR IGNORE INTO tag VALUES (?,?,?,?)", (tag_id, name, group_id, group))
        found = [item for item in self.get_tags()["tag_group"] if item["group_id"] == group_id]
        return {"tag_group": found[0]}

    def add_contact_way(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:92228."""
        if body.get("type") not in (1, 2) or body.get("scene") not in (1, 2):
            raise Refusal(40058, "invalid request parameter, type and scene")
        if body["type"] == 1 and len(body.get("user") or []) != 1:
            raise Refusal(41037, "invalid user of contact way")
        config = secrets.token_hex(16)
        with self.store.write() as db:
            db.execute("INSERT INTO contact_way VALUES (?,?)", (config, json.dumps(body, ensure_ascii=False)))
        return {"config_id": config, **({"qr_code": f"/phone?way={config}"} if body["scene"] == 2 else {})}

    def get_contact_way(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:92228."""
        row = self.store.one("SELECT * FROM contact_way WHERE config_id = ?", body.get("config_id"))
        if row is None:
            raise Refusal(41044, "config_id not found")
        return {"contact_way": {"config_id": row["config_id"], **json.loads(row["body"])}}

    # ------------------------------------------------------------------ mass messages
    def add_msg_template(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:92135: makes a task that the member confirms; who cannot be sent to stands in `fail_list`."""
        text = (body.get("text") or {}).get("content")
        attachments = body.get("attachments") or []
        if not text and not attachments:
            raise Refusal(40063, "some parameters are empty")
        if text and len(str(text).encode()) > 4000:
            raise Refusal(45002, "content size out of limit")
        _check_attachments(attachments)
        customers, sender = body.get("external_userid") or [], body.get("sender")
        if not customers and not sender:
            raise Refusal(40058, "invalid request parameter, external_userid and sender both missing")
        if len(customers) > 10_000:
            raise Refusal(40058, "invalid request parameter, too many external_userid")
        if not customers:
            rows = self.store.all("SELECT external_userid FROM customer WHERE staff = ? AND friend = 1", sender)
            customers = [row["external_userid"] for row in rows]
        known = {
            row["external_userid"]: row
            for row in self.store.all(
                "SELECT c.* FROM customer c JOIN json_each(?) j ON j.value = c.external_userid", json.dumps(customers)
            )
        }
        good = [key for key in customers if key in known and known[key]["friend"]]
        if sender:
            good = [key for key in good if known[key]["staff"] == sender]
        if not good:
            raise Refusal(41048, "no sendable customer")
        now = self.world.now()
        digest = hashlib.sha256(json.dumps([text, attachments], sort_keys=True).encode()).hexdigest()
        with self.store.write() as db:
            # Numbered, not random: what people draw depends on it, and a seed must repeat.
            number = db.execute("SELECT count(*) FROM task").fetchone()[0]
            msgid = "msg" + hashlib.sha256(f"{self.settings.seed}:{number}".encode()).hexdigest()[:32]
            db.execute(
                "INSERT INTO task (msgid, sender, text, attachments, body_hash, created_at) VALUES (?,?,?,?,?,?)",
                (msgid, sender, text, json.dumps(attachments, ensure_ascii=False), digest, now),
            )
            db.executemany(
                "INSERT OR IGNORE INTO target (msgid, external_userid, userid) VALUES (?,?,?)",
                [(msgid, key, known[key]["staff"]) for key in good],
            )
            if self.settings.confirm:
                delay = 2 + self.world.dice("confirm", digest).random() * 20
                self.world.plan(db, now + delay / self.settings.speed, "confirm", msgid)
        chosen = set(good)
        return {"fail_list": [key for key in customers if key not in chosen], "msgid": msgid}

    def _task(self, body: dict[str, Any]) -> sqlite3.Row:
        row = self.store.one("SELECT * FROM task WHERE msgid = ?", body.get("msgid"))
        if row is None:
            raise Refusal(41047, "invalid msgid")
        if self.world.now() - row["created_at"] < _DISPATCHING / self.settings.speed:
            raise Refusal(41063, "the message is being dispatched, try again later")
        return row

    def get_groupmsg_list(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:93338 `get_groupmsg_list_v2`."""
        if not body.get("start_time") or not body.get("end_time"):
            raise Refusal(40058, "invalid request parameter, start_time and end_time")
        limit = min(int(body.get("limit") or 50), 100)
        rows = self.store.all(
            "SELECT rowid AS n, * FROM task WHERE created_at BETWEEN ? AND ? AND rowid > ? ORDER BY rowid LIMIT ?",
            float(body["start_time"]) - 1, float(body["end_time"]) + 1, int(body.get("cursor") or 0), limit + 1,
        )  # fmt: skip
        items = [
            {
                "msgid": row["msgid"], "create_time": int(row["created_at"]), "create_type": 0,
                "text": {"content": row["text"]}, "attachments": json.loads(row["attachments"]),
            }
            for row in rows[:limit]
        ]  # fmt: skip
        return {"group_msg_list": items, "next_cursor": str(rows[limit - 1]["n"]) if len(rows) > limit else ""}

    def get_groupmsg_task(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:93338."""
        task = self._task(body)
        rows = self.store.all(
            "SELECT userid, max(status) AS status, max(send_time) AS sent FROM target WHERE msgid = ?"
            " GROUP BY userid ORDER BY userid",
            task["msgid"],
        )
        items = [
            {"userid": row["userid"], "status": 2 if row["status"] else 0}
            | ({"send_time": int(row["sent"])} if row["sent"] else {})
            for row in rows
        ]
        return {"task_list": items, "next_cursor": ""}

    def get_send_result(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:93338: 0 not sent, 1 sent, 2 not a friend any more, 3 over the monthly cap."""
        task = self._task(body)
        limit = min(int(body.get("limit") or 500), 1000)
        rows = self.store.all(
            "SELECT * FROM target WHERE msgid = ? AND userid = ? AND external_userid > ? ORDER BY external_userid"
            " LIMIT ?",
            task["msgid"], body.get("userid"), body.get("cursor") or "", limit + 1,
        )  # fmt: skip
        page = rows[:limit]
        items = [
            {"external_userid": row["external_userid"], "userid": row["userid"], "status": row["status"]}
            | ({"send_time": int(row["send_time"])} if row["send_time"] else {})
            for row in page
        ]
        return {"send_list": items, "next_cursor": page[-1]["external_userid"] if len(rows) > limit else ""}

    def remind(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:97610."""
        self._task(body)
        return {}

    def cancel(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:97611: stops what was not sent yet."""
        task = self._task(body)
        with self.store.write() as db:
            db.execute("UPDATE task SET cancelled = 1 WHERE msgid = ?", (task["msgid"],))
        return {}

    def send_welcome(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:92137: within 20 s of the event, and once."""
        text = (body.get("text") or {}).get("content")
        attachments = body.get("attachments") or []
        _check_attachments(attachments)
        if not text and not attachments:
            raise Refusal(40063, "some parameters are empty")
        now = self.world.now()
        with self.store.write() as db:
            row = db.execute("SELECT * FROM welcome WHERE code = ?", (body.get("welcome_code"),)).fetchone()
            if row is None or row["expires_at"] < now:
                raise Refusal(41050, "invalid welcome code, or it has expired")
            if row["used"]:
                raise Refusal(41051, "the welcome message has been sent already")
            db.execute("UPDATE welcome SET used = 1 WHERE code = ?", (row["code"],))
            card = attachments[0] if attachments else None
            key = f"welcome:{row['code']}"
            self.world.deliver(db, row["external_userid"], row["userid"], now, text, card, key)
        return {}

    def upload(self, body: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        """W: media/upload, kept for three days; the content itself is of no interest here."""
        if query.get("type") not in ("image", "voice", "video", "file") or not body.get("size"):
            raise Refusal(40004, "invalid media type or empty media")
        return {"type": query["type"], "media_id": secrets.token_urlsafe(32), "created_at": str(int(self.world.now()))}

    def send_app_message(self, body: dict[str, Any], _: dict[str, str]) -> dict[str, Any]:
        """W:90236: to staff; unknown people are listed, all unknown is an error."""
        wanted = [item for item in str(body.get("touser", "")).split("|") if item]
        if not wanted:
            raise Refusal(82001, "touser, toparty and totag all empty")
        staff = {row["userid"] for row in self.store.all("SELECT userid FROM staff")}
        unknown = [] if wanted == ["@all"] else [item for item in wanted if item not in staff]
        if unknown and len(unknown) == len(wanted):
            raise Refusal(81013, "user & party & tag all invalid")
        return {"invaliduser": "|".join(unknown), "msgid": secrets.token_urlsafe(24)}


def _check_attachments(attachments: Any) -> None:
    if not isinstance(attachments, list) or len(attachments) > 9:
        raise Refusal(41064, "too many attachments")
    for item in attachments:
        kind = item.get("msgtype") if isinstance(item, dict) else None
        if kind not in ("image", "link", "miniprogram", "video", "file") or kind not in item:
            raise Refusal(40008, "invalid message type of attachment")
        if kind == "miniprogram":
            body = item["miniprogram"]
            if not body.get("appid") or not body.get("page") or not body.get("title"):
                raise Refusal(41088, "miniprogram attachment is not complete")
            if len(str(body["title"]).encode()) > 64:
                raise Refusal(45002, "miniprogram title size out of limit")
        if kind == "link" and not item["link"].get("url"):
            raise Refusal(41088, "link attachment is not complete")


_HANDLERS: dict[str, Handler] = {
    "gettoken": WeCom.gettoken,
    "externalcontact/get_follow_user_list": WeCom.get_follow_user_list,
    "externalcontact/list": WeCom.list_customers,
    "externalcontact/get": WeCom.get_customer,
    "externalcontact/batch/get_by_user": WeCom.batch_get,
    "externalcontact/remark": WeCom.remark,
    "externalcontact/mark_tag": WeCom.mark_tag,
    "externalcontact/get_corp_tag_list": WeCom.get_tags,
    "externalcontact/add_corp_tag": WeCom.add_tag,
    "externalcontact/add_contact_way": WeCom.add_contact_way,
    "externalcontact/get_contact_way": WeCom.get_contact_way,
    "externalcontact/add_msg_template": WeCom.add_msg_template,
    "externalcontact/get_groupmsg_list_v2": WeCom.get_groupmsg_list,
    "externalcontact/get_groupmsg_task": WeCom.get_groupmsg_task,
    "externalcontact/get_groupmsg_send_result": WeCom.get_send_result,
    "externalcontact/remind_groupmsg_send": WeCom.remind,
    "externalcontact/cancel_groupmsg_send": WeCom.cancel,
    "externalcontact/send_welcome_msg": WeCom.send_welcome,
    "message/send": WeCom.send_app_message,
    "media/upload": WeCom.upload,
}
