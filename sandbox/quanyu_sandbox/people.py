"""Customers, members of staff, and who follows whom: adding, blocking, talking, and edits that staff make in WeCom.

What a customer does with a message is in `behaviour`; what the brand's server may ask is in `wecom`.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from quanyu_sandbox.callbacks import Callbacks
from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.world import World

_RATES = ("read_rate", "open_rate", "redeem_rate", "block_rate", "purchase_rate")
_PAUSES = ("read_seconds", "open_seconds", "redeem_seconds")
_TEXTS = ("name", "unionid", "openid", "app_id", "phone", "store_id")
_KEYS = frozenset(
    {"external_userid", "staff", "staff_name", "friend", "type", "gender", "automatic", "delay", "state", *_RATES,
     *_PAUSES, *_TEXTS}
)  # fmt: skip


class Impossible(Exception):
    """Something that cannot be done here; the text says what is wrong and how to mend it."""

    def __init__(self, message: str, status: int = 422) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Added:
    """A new relation. `welcome_code` is None where WeCom gives none."""

    userid: str
    external_userid: str
    welcome_code: str | None


class People:
    """Who lives in the sandbox."""

    def __init__(self, world: World, callbacks: Callbacks) -> None:
        self.world = world
        self.callbacks = callbacks

    # ------------------------------------------------------------------ moving in
    def add_staff(self, rows: list[dict[str, Any]]) -> int:
        """Hire members `{userid, name?, confirm_rate?, confirm_seconds?, own_welcome?}`; who is here is updated."""
        with self.world.store.write() as db:
            for row in rows:
                if not row.get("userid"):
                    raise Impossible("a member of staff needs a userid")
                db.execute(
                    "INSERT INTO staff VALUES (?,?,?,?,?) ON CONFLICT (userid) DO UPDATE SET name = excluded.name,"
                    " confirm_rate = excluded.confirm_rate, confirm_seconds = excluded.confirm_seconds,"
                    " own_welcome = excluded.own_welcome",
                    (row["userid"], row.get("name") or row["userid"], row.get("confirm_rate", 1.0),
                     row.get("confirm_seconds"), int(row.get("own_welcome", False))),
                )  # fmt: skip
        self.world.bell.ring()
        return len(rows)

    def add_customers(self, rows: list[dict[str, Any]]) -> int:
        """Move customers in, each already the friend of `staff` (a userid or a list of them) unless `friend` is false.

        Who lives here already stays as they are. Raises Impossible for what cannot be read, and then adds nobody.
        """
        now = self.world.clock.now()
        added = 0
        with self.world.store.write() as db:
            for place, row in enumerate(rows):
                unknown = set(row) - _KEYS
                if unknown or not row.get("external_userid") or not row.get("name"):
                    what = f"unknown {sorted(unknown)}" if unknown else "external_userid and name are needed"
                    raise Impossible(f"customers[{place}]: {what}; known are {sorted(_KEYS)}")
                added += self._move_in(db, row, now)
        self.world.bell.ring()
        return added

    def _move_in(self, db: sqlite3.Connection, row: dict[str, Any], now: int) -> int:
        given = row.get("staff") or []
        staff = [str(each) for each in ([given] if isinstance(given, str) else given)]
        values: dict[str, Any] = {key: row[key] for key in (*_TEXTS, *_RATES, *_PAUSES) if row.get(key) is not None}
        if "delay" in row:  # one mean for both slow steps
            values.setdefault("read_seconds", row["delay"])
            values.setdefault("redeem_seconds", row["delay"])
        if str(values.get("openid") or "").count("@") == 1:  # openid@appid
            values["openid"], values["app_id"] = str(values["openid"]).split("@")
        values |= {
            "external_userid": row["external_userid"],
            "type": int(row.get("type", 1)),
            "gender": int(row.get("gender", 0)),
            "automatic": int(row.get("automatic", True)),
            "staff": staff[0] if staff else None,
            "moved_in_at": now,
        }
        names = ", ".join(values)  # names come from the constants above, never from a request
        marks = ",".join("?" * len(values))
        new = db.execute(
            f"INSERT OR IGNORE INTO customer ({names}) VALUES ({marks})",  # noqa: S608
            tuple(values.values()),
        ).rowcount
        for userid in staff:
            db.execute(
                "INSERT OR IGNORE INTO staff (userid, name) VALUES (?,?)",
                (userid, row.get("staff_name") if len(staff) == 1 and row.get("staff_name") else userid),
            )
            if new and row.get("friend", True):
                db.execute(
                    "INSERT INTO follow (userid, external_userid, added_at, state) VALUES"
                    " ((SELECT userid FROM staff WHERE userid = ?),?,?,?)",
                    (userid, row["external_userid"], now, row.get("state") or ""),
                )
        return int(new)

    def update(self, external_userid: str, changes: dict[str, Any]) -> None:
        """Change how a customer behaves. Raises Impossible."""
        allowed = {*_RATES, *_PAUSES, "automatic", "name", "store_id"}
        if not changes or set(changes) - allowed:
            raise Impossible(f"what can be changed is {sorted(allowed)}")
        self.customer(external_userid)
        parts = ", ".join(f"{name} = ?" for name in changes)  # names were checked just above
        with self.world.store.write() as db:
            db.execute(
                f"UPDATE customer SET {parts} WHERE external_userid = ?",  # noqa: S608
                (*changes.values(), external_userid),
            )

    def customer(self, external_userid: str) -> sqlite3.Row:
        """A customer. Raises Impossible."""
        row = self.world.store.one("SELECT * FROM customer WHERE external_userid = ?", external_userid)
        if row is None:
            raise Impossible(f"no customer {external_userid!r} lives here", 404)
        return row

    def guide_of(self, external_userid: str, userid: str | None) -> str:
        """The member meant: the one named, else the friend added last, else the one they moved in with."""
        if userid:
            known = self.world.store.one("SELECT userid FROM staff WHERE userid = ?", userid)
            return userid if known is None else str(known["userid"])
        row = self.world.store.one(
            "SELECT userid FROM follow WHERE external_userid = ? ORDER BY friend DESC, added_at DESC LIMIT 1",
            external_userid,
        )
        found = row["userid"] if row is not None else self.customer(external_userid)["staff"]
        if not found:
            raise Impossible(f"{external_userid} knows no member of staff: name one in userid")
        return str(found)

    # ------------------------------------------------------------------ relations
    def add(
        self, external_userid: str, userid: str | None = None, *, state: str = "", config_id: str | None = None
    ) -> Added:
        """The customer scans a member's code, or a contact way's. Raises Impossible.

        WeCom gives a welcome code unless the member has a welcome of the admin console's, the contact is a WeCom
        user (`type` 2), or the two have talked since they became friends.
        """
        customer = self.customer(external_userid)
        store, now = self.world.store, self.world.clock.now()
        if config_id is not None:
            way = store.one("SELECT body FROM contact_way WHERE config_id = ?", config_id)
            if way is None:
                raise Impossible("this code shows an error page: it was deleted or never made", 404)
            body = json.loads(way["body"])
            users = body.get("user") or []
            userid = users[self.world.chance.pick(len(users), "way", config_id, external_userid)]
            state = str(body.get("state") or "")
        guide = self.guide_of(external_userid, userid)
        with store.write() as db:
            db.execute("INSERT OR IGNORE INTO staff (userid, name) VALUES (?,?)", (guide, guide))
            before = store.one("SELECT * FROM follow WHERE userid = ? AND external_userid = ?", guide, external_userid)
            if before is not None and before["friend"]:
                raise Impossible(f"{external_userid} and {guide} are friends already", 409)
            db.execute(
                "INSERT INTO follow (userid, external_userid, added_at, state) VALUES (?,?,?,?)"
                " ON CONFLICT (userid, external_userid) DO UPDATE SET friend = 1, added_at = excluded.added_at,"
                " state = excluded.state, chatted_at = 0",
                (guide, external_userid, now, state),
            )
            member = store.one("SELECT own_welcome FROM staff WHERE userid = ?", guide)
            code: str | None = None
            if customer["type"] == 1 and not (member and member["own_welcome"]):
                count = store.number("SELECT count(*) FROM welcome")
                code = "WC" + self.world.chance.digest("welcome", guide, external_userid, count)[:40]
                expires = now + int(self.world.settings.welcome_seconds * SECOND)
                db.execute("INSERT INTO welcome VALUES (?,?,?,?,NULL)", (code, external_userid, guide, expires))
            db.execute(
                "INSERT INTO message (external_userid, userid, at, author, kind, body, seen_at)"
                " VALUES (?,?,?,'system','added','{}',?)",
                (external_userid, guide, now, now),
            )
            self.callbacks.contact_changed(
                db, "add_external_contact", guide, external_userid, now, State=state, WelcomeCode=code or ""
            )
        self.world.bell.ring()
        return Added(guide, external_userid, code)

    def block(self, external_userid: str, userid: str | None = None, at: int | None = None) -> bool:
        """The customer deletes the member: no more messages arrive. False when they were no friends."""
        guide = self.guide_of(external_userid, userid)
        return self._part(external_userid, guide, at, "del_follow_user", keep=True)

    def drop(self, external_userid: str, userid: str | None = None) -> bool:
        """The member deletes the customer: the relation is gone on both sides."""
        guide = self.guide_of(external_userid, userid)
        return self._part(external_userid, guide, None, "del_external_contact", keep=False)

    def _part(self, external_userid: str, guide: str, at: int | None, change: str, *, keep: bool) -> bool:
        moment = self.world.clock.now() if at is None else at
        with self.world.store.write() as db:
            # A customer who deletes a member still stands in the member's list, as in WeCom; sends then fail (2).
            statement = (
                "UPDATE follow SET friend = 0 WHERE userid = ? AND external_userid = ? AND friend = 1"
                if keep
                else "DELETE FROM follow WHERE userid = ? AND external_userid = ?"
            )
            if not db.execute(statement, (guide, external_userid)).rowcount:
                return False
            db.execute(
                "INSERT INTO message (external_userid, userid, at, author, kind, body, seen_at)"
                " VALUES (?,?,?,'system','blocked','{}',?)",
                (external_userid, guide, moment, moment),
            )
            self.callbacks.contact_changed(db, change, guide, external_userid, moment)
        self.world.bell.ring()
        return True

    # ------------------------------------------------------------------ talking and edits
    def say(self, external_userid: str, text: str, userid: str | None = None) -> None:
        """The customer writes to a member: from now on the chat has started (no welcome message any more)."""
        guide, now = self.guide_of(external_userid, userid), self.world.clock.now()
        if not text.strip():
            raise Impossible("an empty message cannot be sent")
        with self.world.store.write() as db:
            started = db.execute(
                "UPDATE follow SET chatted_at = ? WHERE userid = ? AND external_userid = ? AND friend = 1",
                (now, guide, external_userid),
            ).rowcount
            if not started:
                raise Impossible(f"{external_userid} is no friend of {guide}: add them first", 409)
            db.execute(
                "INSERT INTO message (external_userid, userid, at, author, kind, body, seen_at)"
                " VALUES (?,?,?,'customer','text',?,?)",
                (external_userid, guide, now, json.dumps({"content": text[:2000]}, ensure_ascii=False), now),
            )
        self.world.bell.ring()

    def edit(self, external_userid: str, userid: str | None, changes: dict[str, Any]) -> None:
        """A member edits a customer's remark or description in WeCom: `edit_external_contact` is told."""
        guide, now = self.guide_of(external_userid, userid), self.world.clock.now()
        given = {name: str(changes[name]) for name in ("remark", "description") if changes.get(name) is not None}
        if not given:
            raise Impossible("what can be edited is remark and description")
        with self.world.store.write() as db:
            for name, value in given.items():
                done = db.execute(
                    f"UPDATE follow SET {name} = ? WHERE userid = ? AND external_userid = ?",  # noqa: S608
                    (value, guide, external_userid),
                ).rowcount
                if not done:
                    raise Impossible(f"{external_userid} is no customer of {guide}", 409)
            self.callbacks.contact_changed(db, "edit_external_contact", guide, external_userid, now)
        self.world.bell.ring()
