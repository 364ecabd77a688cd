"""What a finger does on a phone or in a member's WeCom: tap, buy, block, add, write, confirm."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from quanyu_sandbox.behaviour import Behaviour
from quanyu_sandbox.courier import Courier
from quanyu_sandbox.people import Impossible, People
from quanyu_sandbox.sending import Sending
from quanyu_sandbox.world import World


class Fingers:
    """One action at a time; each raises Impossible with a reason."""

    def __init__(self, world: World, people: People, sending: Sending, behaviour: Behaviour, courier: Courier) -> None:
        self.world = world
        self.people = people
        self.sending = sending
        self.behaviour = behaviour
        self.courier = courier

    async def act(self, body: dict[str, Any]) -> dict[str, Any]:
        """`{action, external_userid?, userid?, message_id?, msgid?, state?, config_id?, text?}`.

        Actions: read, tap, redeem, block, add, say (a customer); confirm, drop, edit (a member). `subject` may stand
        for the one thing that an action is about.
        """
        action = str(body.get("action"))
        subject = body.get("subject")
        if action == "confirm":
            return self._confirm(str(body.get("msgid") or subject or ""), body.get("userid"))
        if action in ("tap", "redeem"):
            sent = self.delivery(body.get("message_id") or subject)
            return self._tap(sent) if action == "tap" else await self._redeem(sent)
        customer, userid = str(body.get("external_userid") or subject or ""), body.get("userid")
        self.people.customer(customer)
        match action:
            case "read":
                return {"read": self._read(customer, userid)}
            case "block":
                return {"ok": self.people.block(customer, userid)}
            case "drop":
                return {"ok": self.people.drop(customer, userid)}
            case "add":
                added = self.people.add(
                    customer, userid, state=str(body.get("state") or ""), config_id=body.get("config_id")
                )
                return {"ok": True, "userid": added.userid, "welcome_code": added.welcome_code}
            case "say":
                self.people.say(customer, str(body.get("text") or ""), userid)
                return {"ok": True}
            case "edit":
                self.people.edit(customer, userid, body)
                return {"ok": True}
        raise Impossible(f"action is {action!r}: give read, tap, redeem, block, add, say, confirm, drop or edit", 400)

    def delivery(self, message_id: object) -> sqlite3.Row:
        """The delivery that a bubble belongs to. Raises Impossible."""
        row = self.world.store.one(
            "SELECT d.* FROM message m JOIN delivery d ON d.id = m.delivery WHERE m.id = ?", message_id
        )
        if row is None:
            raise Impossible(f"no message {message_id!r} from a member", 404)
        return row

    def _confirm(self, msgid: str, userid: str | None) -> dict[str, Any]:
        rows = self.world.store.all(
            "SELECT userid FROM task WHERE msgid = ? AND (?2 IS NULL OR userid = ?2) ORDER BY userid", msgid, userid
        )
        if not rows:
            raise Impossible(f"no task {msgid!r}", 404)
        reached = 0
        with self.world.store.write() as db:
            for row in rows:
                reached += self.sending.confirm(db, msgid, row["userid"], self.world.clock.now())
        return {"ok": True, "reached": reached}

    def _read(self, customer: str, userid: str | None) -> int:
        now = self.world.clock.now()
        with self.world.store.write() as db:
            rows = db.execute(
                "SELECT DISTINCT d.* FROM message m JOIN delivery d ON d.id = m.delivery"
                " WHERE m.external_userid = ? AND (?2 IS NULL OR m.userid = ?2) AND m.seen_at IS NULL ORDER BY d.id",
                (customer, userid),
            ).fetchall()
            for row in rows:
                self.behaviour.mark_read(db, row, now)
        if rows:
            self.world.bell.ring()
        return len(rows)

    def _tap(self, sent: sqlite3.Row) -> dict[str, Any]:
        if not sent["page"]:
            raise Impossible("this message has no card")
        with self.world.store.write() as db:
            self.behaviour.mark_opened(db, sent, self.world.clock.now())
        self.world.bell.ring()
        return {"ok": True, "page": sent["page"], "send_token": sent["send_token"]}

    async def _redeem(self, sent: sqlite3.Row) -> dict[str, Any]:
        with self.world.store.write() as db:
            key = self.behaviour.ask_redemption(db, sent, self.world.clock.now())
        row = await self.courier.now(key)
        if row["state"] == "refused":
            # A refusal is final for this try; the next tap is a new one.
            with self.world.store.write() as db:
                db.execute("DELETE FROM outgoing WHERE id = ?", (row["id"],))
            raise Impossible(_reason(str(row["answer"])), 409)
        if row["state"] == "pending":
            raise Impossible("the brand does not answer; it is tried again by itself", 503)
        after = self.world.store.one("SELECT * FROM delivery WHERE id = ?", sent["id"])
        assert after is not None
        return {"ok": True, "outcome": after["outcome"], "order_id": after["order_id"]}


def _reason(answer: str) -> str:
    """The brand's own sentence, when its refusal is a problem document."""
    _, _, text = answer.partition(": ")
    try:
        problem = json.loads(text)
    except ValueError:
        return answer
    return str(problem.get("detail") or problem.get("title") or answer) if isinstance(problem, dict) else answer
