"""Messages on their way to a phone: mass-message tasks that staff confirm, the cap per customer, and deliveries.

What the customer does afterwards is in `behaviour`, which is told through the agenda.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import sqlite3
from datetime import datetime, timedelta, timezone
from typing import Any

from quanyu_sandbox.cards import content_key, pieces, tokens_of
from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.world import World

PENDING, SENT, NOT_FRIEND, CAPPED = 0, 1, 2, 3
TASK_OPEN, TASK_SENT = 0, 2
_CHINA = timezone(timedelta(hours=8))


class Sending:
    """Makes tasks, confirms them, and puts messages on phones."""

    def __init__(self, world: World) -> None:
        self.world = world

    # ------------------------------------------------------------------ tasks
    def make_task(
        self,
        db: sqlite3.Connection,
        raw: bytes,
        text: str | None,
        attachments: list[dict[str, Any]],
        targets: list[tuple[str, str]],
        sender: str | None,
    ) -> str:
        """A mass message to (userid, external_userid) pairs; its msgid belongs to the body and its repetition.

        The same body given twice is two messages: WeCom knows no idempotency key here.
        """
        world, now = self.world, self.world.clock.now()
        body_hash = hashlib.sha256(raw).hexdigest()
        again = world.store.number("SELECT count(*) FROM mass WHERE body_hash = ?", body_hash)
        msgid = "msgSBX" + world.chance.digest("mass", world.settings.corp_id, body_hash, again)[:40]
        number = world.store.number("SELECT max(number) FROM mass") + 1
        looks = content_key(text, attachments)
        db.execute(
            "INSERT INTO mass (msgid, number, body_hash, content_key, text, attachments, sender, created_at)"
            " VALUES (?,?,?,?,?,?,?,?)",
            (msgid, number, body_hash, looks, text, json.dumps(attachments, ensure_ascii=False), sender, now),
        )
        tokens = tokens_of(attachments)
        first: dict[str, str] = {}
        for userid, external_userid in targets:
            luck = self._luck(db, external_userid, looks)
            first[userid] = min(first.get(userid, f"{external_userid}:{luck}"), f"{external_userid}:{luck}")
            db.execute(
                "INSERT OR IGNORE INTO delivery (msgid, userid, external_userid, luck, page, send_token, effect_id)"
                " VALUES (?,?,?,?,?,?,?)",
                (msgid, userid, external_userid, luck, tokens.page, tokens.send, tokens.effect_id),
            )
        for userid, luck in first.items():
            db.execute("INSERT INTO task (msgid, userid) VALUES (?,?)", (msgid, userid))
            self._expect_confirmation(db, msgid, userid, luck, now)
        world.bell.ring()
        return msgid

    def _luck(self, db: sqlite3.Connection, external_userid: str, looks: str) -> str:
        """What this customer's doings with this message are drawn from: the looks, and which repetition it is."""
        row = db.execute(
            "INSERT INTO repeat VALUES (?,?,1) ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times",
            (external_userid, looks),
        ).fetchone()
        return f"{looks}:{row['times']}"

    def _expect_confirmation(self, db: sqlite3.Connection, msgid: str, userid: str, luck: str, now: int) -> None:
        if not self.world.settings.confirm:
            return
        member = self.world.store.one("SELECT * FROM staff WHERE userid = ?", userid)
        assert member is not None
        if not self.world.chance.happens(member["confirm_rate"], "confirms", userid, luck):
            return
        mean = member["confirm_seconds"] if member["confirm_seconds"] is not None else None
        pause = self.world.pause(self.world.settings.confirm_seconds if mean is None else mean, "confirm", userid, luck)
        self.world.plan(db, now + pause, "confirm", msgid, userid)

    def confirm(self, db: sqlite3.Connection, msgid: str, userid: str, at: int) -> int:
        """A member taps 'send'; how many customers it reached. Nothing for a task that is done or cancelled."""
        mass = self.world.store.one("SELECT * FROM mass WHERE msgid = ? AND cancelled_at IS NULL", msgid)
        done = db.execute(
            "UPDATE task SET status = ?, sent_at = ? WHERE msgid = ? AND userid = ? AND status = ?",
            (TASK_SENT, at, msgid, userid, TASK_OPEN),
        ).rowcount
        if mass is None or not done:
            if mass is None and done:  # cancelled: the tap does nothing
                db.execute("UPDATE task SET status = 0, sent_at = NULL WHERE msgid = ? AND userid = ?", (msgid, userid))
            return 0
        attachments = json.loads(mass["attachments"])
        since, limit = self._cap(at)
        reached = 0
        rows = db.execute(
            "SELECT d.*, coalesce(f.friend, 0) AS friend FROM delivery d"
            " LEFT JOIN follow f ON f.userid = d.userid AND f.external_userid = d.external_userid"
            " WHERE d.msgid = ? AND d.userid = ? AND d.status = 0 ORDER BY d.id",
            (msgid, userid),
        ).fetchall()
        for row in rows:
            status = NOT_FRIEND if not row["friend"] else SENT
            if status == SENT:
                had = db.execute(
                    "SELECT count(*) FROM delivery WHERE external_userid = ? AND status = 1 AND kind = 'mass'"
                    " AND sent_at >= ?",
                    (row["external_userid"], since),
                ).fetchone()[0]
                status = CAPPED if had >= limit else SENT
            db.execute("UPDATE delivery SET status = ?, sent_at = ? WHERE id = ?", (status, at, row["id"]))
            if status == SENT:
                self._put(db, row["id"], row["userid"], row["external_userid"], at, mass["text"], attachments)
                reached += 1
        self.world.bell.ring()
        return reached

    def _cap(self, at: int) -> tuple[int, int]:
        """Since when a customer's mass messages count, and how many may be."""
        day = datetime.fromtimestamp(at / SECOND, _CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
        rule = self.world.settings.cap
        if rule == "day":
            start, limit = day, 1
        elif rule == "week":
            start, limit = day - timedelta(days=day.weekday()), 7
        else:
            start, limit = day.replace(day=1), calendar.monthrange(day.year, day.month)[1]
        return int(start.timestamp()) * SECOND, limit

    # ------------------------------------------------------------------ welcome
    def welcome(
        self,
        db: sqlite3.Connection,
        code: str,
        userid: str,
        external_userid: str,
        text: str | None,
        attachments: list[dict[str, Any]],
    ) -> None:
        """A welcome message: on the phone at once, nobody confirms it."""
        now, tokens = self.world.clock.now(), tokens_of(attachments)
        luck = self._luck(db, external_userid, content_key(text, attachments))
        delivery = db.execute(
            "INSERT INTO delivery (msgid, userid, external_userid, kind, status, sent_at, luck, page, send_token,"
            " effect_id) VALUES (?,?,?,'welcome',?,?,?,?,?,?)",
            (f"welcome:{code}", userid, external_userid, SENT, now, luck, tokens.page, tokens.send, tokens.effect_id),
        ).lastrowid
        assert delivery is not None
        self._put(db, delivery, userid, external_userid, now, text, attachments)
        self.world.bell.ring()

    def _put(
        self,
        db: sqlite3.Connection,
        delivery: int,
        userid: str,
        external_userid: str,
        at: int,
        text: str | None,
        attachments: list[dict[str, Any]],
    ) -> None:
        """On the phone. From here on the customer decides, and that is on the agenda."""
        db.executemany(
            "INSERT INTO message (external_userid, userid, at, author, kind, body, delivery)"
            " VALUES (?,?,?,'staff',?,?,?)",
            [
                (external_userid, userid, at, kind, json.dumps(body, ensure_ascii=False), delivery)
                for kind, body in pieces(text, attachments)
            ],
        )
        if self.world.customers_act:
            self.world.plan(db, at, "received", delivery)
