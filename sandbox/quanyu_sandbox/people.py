"""The virtual customers and staff: what they do next, decided by the seed and not by the order of calls.

Each decision is drawn from the seed, the customer and the message, so the same world gives the same outcomes
whatever the size of a tick. What is due stands in the `plan` table; doing it twice is ruled out by a unique key.
"""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from quanyu_sandbox.settings import SandboxSettings
from quanyu_sandbox.store import Store

NOT_FRIEND, SENT, CAPPED = 2, 1, 3
WELCOME_WINDOW = 20.0


class World:
    """Everything that people do. `now` is injected so that tests own the time."""

    def __init__(self, store: Store, settings: SandboxSettings, now: Callable[[], float] = time.time) -> None:
        self.store = store
        self.settings = settings
        self.now = now

    # ---------------------------------------------------------------- people
    def add_customers(self, rows: list[dict[str, Any]]) -> int:
        """Move customers in; those who live here already stay as they are."""
        with self.store.write() as db:
            before = db.total_changes
            for row in rows:
                db.execute(
                    "INSERT OR IGNORE INTO customer (external_userid, name, unionid, openid, phone, staff, store_id,"
                    " friend, added_at, read_rate, redeem_rate, block_rate, delay) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    (
                        row["external_userid"], row["name"], row.get("unionid"), row.get("openid"), row.get("phone"),
                        row["staff"], row.get("store_id"), int(row.get("friend", True)), self.now(),
                        row.get("read_rate", 0.7), row.get("redeem_rate", 0.35), row.get("block_rate", 0.01),
                        row.get("delay", 120.0),
                    ),
                )  # fmt: skip
                db.execute(
                    "INSERT OR IGNORE INTO staff VALUES (?,?)", (row["staff"], row.get("staff_name", row["staff"]))
                )
            return db.total_changes - before

    def dice(self, *key: object) -> random.Random:
        """The random source of one decision."""
        text = ":".join(map(str, (self.settings.seed, *key)))
        return random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311 - a play-world, repeatable

    # ---------------------------------------------------------------- time
    def tick(self, to: float | None = None, limit: int = 10_000) -> int:
        """Do what is due until `to` (now if left out), in order of time; how many things were done."""
        until = self.now() if to is None else to
        done = 0
        while done < limit:
            with self.store.write() as db:
                row = db.execute(
                    "SELECT * FROM plan WHERE done = 0 AND at <= ? ORDER BY at, id LIMIT 1", (until,)
                ).fetchone()
                if row is None:
                    return done
                db.execute("UPDATE plan SET done = 1 WHERE id = ?", (row["id"],))
                getattr(self, f"_do_{row['kind']}")(db, row["subject"], row["at"])
            done += 1
        return done

    def plan(self, db: sqlite3.Connection, at: float, kind: str, subject: str) -> None:
        """Note that `kind` will happen to `subject`; a second time for the same is no news."""
        db.execute("INSERT OR IGNORE INTO plan (at, kind, subject) VALUES (?,?,?)", (at, kind, subject))

    def _later(self, dice: random.Random, mean: float) -> float:
        return dice.expovariate(1 / max(mean, 0.001)) / self.settings.speed

    # ---------------------------------------------------------------- mass messages
    def confirm(self, msgid: str) -> None:
        """The member of staff taps 'send' in WeCom now."""
        with self.store.write() as db:
            self._do_confirm(db, msgid, self.now())

    def _do_confirm(self, db: sqlite3.Connection, msgid: str, at: float) -> None:
        task = db.execute("SELECT * FROM task WHERE msgid = ?", (msgid,)).fetchone()
        if task is None or task["cancelled"]:
            return
        month = datetime.fromtimestamp(at, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        days = ((month.replace(month=month.month % 12 + 1, year=month.year + month.month // 12)) - month).days
        sent = dict(
            db.execute(
                "SELECT external_userid, count(*) FROM target WHERE status = 1 AND send_time >= ? GROUP BY 1",
                (month.timestamp(),),
            ).fetchall()
        )
        for row in db.execute(
            "SELECT t.*, c.friend FROM target t JOIN customer c USING (external_userid) WHERE msgid = ? AND status = 0",
            (msgid,),
        ).fetchall():
            customer = row["external_userid"]
            status = NOT_FRIEND if not row["friend"] else CAPPED if sent.get(customer, 0) >= days else SENT
            db.execute(
                "UPDATE target SET status = ?, send_time = ? WHERE msgid = ? AND external_userid = ?",
                (status, at, msgid, customer),
            )
            if status == SENT:
                card = next((item for item in json.loads(task["attachments"])), None)
                self.deliver(db, customer, row["userid"], at, task["text"], card, msgid)

    def deliver(
        self, db: sqlite3.Connection, customer: str, staff: str, at: float, text: str | None, card: Any, msgid: str
    ) -> None:
        """Put a message on a customer's phone and draw what they will do with it."""
        cursor = db.execute(
            "INSERT INTO message (external_userid, userid, at, text, card, msgid) VALUES (?,?,?,?,?,?)",
            (customer, staff, at, text, json.dumps(card, ensure_ascii=False) if card else None, msgid),
        )
        if not self.settings.auto:
            return
        person = db.execute("SELECT * FROM customer WHERE external_userid = ?", (customer,)).fetchone()
        dice = self.dice("message", customer, msgid)
        reads, blocks = dice.random() < person["read_rate"], dice.random() < person["block_rate"]
        delay = self._later(dice, person["delay"])
        if reads:
            self.plan(db, at + delay, "read", str(cursor.lastrowid))
        elif blocks:
            self.plan(db, at + delay, "block", customer)

    # ---------------------------------------------------------------- what a customer does
    def _do_read(self, db: sqlite3.Connection, subject: str, at: float) -> None:
        message = db.execute("SELECT * FROM message WHERE id = ?", (subject,)).fetchone()
        db.execute("UPDATE message SET read_at = coalesce(read_at, ?) WHERE id = ?", (at, subject))
        if message["card"]:
            dice = self.dice("tap", message["external_userid"], message["msgid"])
            self.plan(db, at + self._later(dice, 20), "tap", subject)

    def read_chat(self, customer: str) -> None:
        """The customer looks at the chat: everything in it is read."""
        with self.store.write() as db:
            db.execute(
                "UPDATE message SET read_at = ? WHERE external_userid = ? AND read_at IS NULL", (self.now(), customer)
            )

    def tap(self, message_id: str) -> None:
        """The customer taps the card of a message."""
        with self.store.write() as db:
            self._do_tap(db, message_id, self.now())

    def _do_tap(self, db: sqlite3.Connection, subject: str, at: float) -> None:
        message = db.execute("SELECT * FROM message WHERE id = ?", (subject,)).fetchone()
        first = message["tapped_at"] is None
        db.execute(
            "UPDATE message SET tapped_at = coalesce(tapped_at, ?), read_at = coalesce(read_at, ?) WHERE id = ?",
            (at, at, subject),
        )
        if first:
            self.tell_brand(db, message, "opened", at)
        if first and self.settings.auto:
            person = db.execute(
                "SELECT * FROM customer WHERE external_userid = ?", (message["external_userid"],)
            ).fetchone()
            dice = self.dice("redeem", message["external_userid"], message["msgid"])
            if dice.random() < person["redeem_rate"]:
                self.plan(db, at + self._later(dice, person["delay"]), "redeem", subject)

    def _do_redeem(self, db: sqlite3.Connection, subject: str, at: float) -> None:
        message = db.execute("SELECT * FROM message WHERE id = ?", (subject,)).fetchone()
        if message["redeemed_at"] is None:
            db.execute("UPDATE message SET redeemed_at = ? WHERE id = ?", (at, subject))
            self.tell_brand(db, message, "redeem", at)

    def tell_brand(self, db: sqlite3.Connection, message: sqlite3.Row, kind: str, at: float) -> None:
        """Queue what the brand's mini program does when this happens on the phone."""
        payload = {"message": message["id"], "customer": message["external_userid"], "at": at}
        db.execute(
            "INSERT INTO outgoing (kind, payload, next_at) VALUES (?,?,?)", (kind, json.dumps(payload), self.now())
        )

    # ---------------------------------------------------------------- friends
    def block(self, customer: str) -> None:
        """The customer deletes the member of staff."""
        with self.store.write() as db:
            self._do_block(db, customer, self.now())

    def _do_block(self, db: sqlite3.Connection, customer: str, at: float) -> None:
        person = db.execute("SELECT * FROM customer WHERE external_userid = ?", (customer,)).fetchone()
        if person is None or not person["friend"]:
            return
        db.execute("UPDATE customer SET friend = 0 WHERE external_userid = ?", (customer,))
        self._callback(db, "del_follow_user", person, at)

    def add_staff(self, customer: str, state: str = "") -> str:
        """The customer scans a member of staff's code; the welcome code that WeCom gives with the event."""
        with self.store.write() as db:
            at = self.now()
            person = db.execute("SELECT * FROM customer WHERE external_userid = ?", (customer,)).fetchone()
            if person is None:
                raise KeyError(customer)
            db.execute(
                "UPDATE customer SET friend = 1, added_at = ?, state = ? WHERE external_userid = ?",
                (at, state, customer),
            )
            code = hashlib.sha256(f"{self.settings.seed}:{customer}:{at}".encode()).hexdigest()[:40]
            db.execute("INSERT INTO welcome VALUES (?,?,?,?,0)", (code, customer, person["staff"], at + WELCOME_WINDOW))
            self._callback(db, "add_external_contact", person, at, State=state, WelcomeCode=code)
            return code

    def _callback(self, db: sqlite3.Connection, change: str, person: sqlite3.Row, at: float, **more: str) -> None:
        payload = {
            "ToUserName": self.settings.corp_id, "FromUserName": "sys", "CreateTime": str(int(at)), "MsgType": "event",
            "Event": "change_external_contact", "ChangeType": change, "UserID": person["staff"],
            "ExternalUserID": person["external_userid"], **{key: value for key, value in more.items() if value},
        }  # fmt: skip
        db.execute(
            "INSERT INTO outgoing (kind, payload, next_at) VALUES ('callback', ?, ?)",
            (json.dumps(payload, ensure_ascii=False), self.now()),
        )
