"""What customers and staff do by themselves, from the seed, and what each doing sets off.

Each decision is drawn from the seed, the customer and what the message looks like, so the same world gives the same
outcomes whatever the size of a tick and whoever was served first. The agenda holds one next step per message; a step
is done, its follow-up planned and its news queued in one transaction, so that a kill between two steps loses nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.people import People
from quanyu_sandbox.sending import Sending
from quanyu_sandbox.world import World

_DAY = 86_400 * SECOND
_MINUTE = 60 * SECOND
_NEW_FRIENDS = 5  # of so many who come in the first minute, one more is new


class Behaviour:
    """Runs the agenda, and lets a finger on the phone page do the same things by hand."""

    def __init__(self, world: World, people: People, sending: Sending) -> None:
        self.world = world
        self.people = people
        self.sending = sending
        self._steps: dict[str, Callable[..., None]] = {
            "confirm": self._confirm,
            "received": self._received,
            "read": self._read,
            "open": self._open,
            "redeem": self._redeem,
            "block": self._block,
            "shop": self._shop,
            "browse": self._browse,
            "meet": self._meet,
            "buy": self._buy,
        }

    # ------------------------------------------------------------------ time
    def next_due(self) -> int | None:
        """When the next thing on the agenda is due, or None."""
        row = self.world.store.one("SELECT due_at FROM agenda ORDER BY due_at LIMIT 1")
        return None if row is None else int(row["due_at"])

    def run(self, until: int, limit: int = 1_000_000) -> int:
        """Do what is due until then, in order of time; how many steps were done. A virtual clock moves along."""
        store, clock, done = self.world.store, self.world.clock, 0
        while done < limit:
            with store.write() as db:
                row = store.one("SELECT * FROM agenda WHERE due_at <= ? ORDER BY due_at, key LIMIT 1", until)
                if row is None:
                    break
                clock.move(row["due_at"])
                if clock.virtual:
                    store.remember("now", str(clock.now()))
                db.execute("DELETE FROM agenda WHERE key = ?", (row["key"],))
                at = row["due_at"] if clock.virtual else clock.now()
                self._steps[row["kind"]](db, at, *json.loads(row["subject"]))
            done += 1
        if done < limit:
            clock.move(until)
            if clock.virtual:
                store.remember("now", str(clock.now()))
        if done:
            self.world.bell.ring()
        return done

    # ------------------------------------------------------------------ steps of staff
    def _confirm(self, db: sqlite3.Connection, at: int, msgid: str, userid: str) -> None:
        self.sending.confirm(db, msgid, userid, at)

    # ------------------------------------------------------------------ steps of a customer
    def _of(self, delivery: int) -> tuple[sqlite3.Row, sqlite3.Row]:
        sent = self.world.store.one("SELECT * FROM delivery WHERE id = ?", delivery)
        assert sent is not None
        return sent, self.people.customer(sent["external_userid"])

    def _wait(self, step: str, mean: float | None, sent: sqlite3.Row) -> int:
        default: float = getattr(self.world.settings, f"{step}_seconds")
        return self.world.pause(default if mean is None else mean, step, sent["external_userid"], sent["luck"])

    def _happens(self, rate: float, what: str, sent: sqlite3.Row) -> bool:
        return self.world.chance.happens(rate, what, sent["external_userid"], sent["luck"])

    def _received(self, db: sqlite3.Connection, at: int, delivery: int) -> None:
        """The message lies on the phone: this customer reads it, or deletes the member, or does neither."""
        sent, customer = self._of(delivery)
        if not customer["automatic"]:
            return
        wait = self._wait("read", customer["read_seconds"], sent)
        if self._happens(customer["block_rate"], "blocks", sent):
            self.world.plan(db, at + wait, "block", delivery)
        elif self._happens(customer["read_rate"], "reads", sent):
            self.world.plan(db, at + wait, "read", delivery)

    def _read(self, db: sqlite3.Connection, at: int, delivery: int) -> None:
        sent, customer = self._of(delivery)
        self.mark_read(db, sent, at)
        if sent["page"] and customer["automatic"] and self._happens(customer["open_rate"], "opens", sent):
            self.world.plan(db, at + self._wait("open", customer["open_seconds"], sent), "open", delivery)

    def _open(self, db: sqlite3.Connection, at: int, delivery: int) -> None:
        sent, customer = self._of(delivery)
        self.mark_opened(db, sent, at)
        if customer["automatic"] and self._happens(customer["redeem_rate"], "redeems", sent):
            self.world.plan(db, at + self._wait("redeem", customer["redeem_seconds"], sent), "redeem", delivery)

    def _redeem(self, db: sqlite3.Connection, at: int, delivery: int) -> None:
        sent, _ = self._of(delivery)
        self.ask_redemption(db, sent, at)

    def _block(self, db: sqlite3.Connection, at: int, delivery: int) -> None:  # noqa: ARG002 - one transaction
        sent, _ = self._of(delivery)
        self.people.block(sent["external_userid"], sent["userid"], at)

    # ------------------------------------------------------------------ also done by hand, on the phone page
    def mark_read(self, db: sqlite3.Connection, sent: sqlite3.Row, at: int) -> None:
        """The message was looked at; told to the brand once."""
        db.execute("UPDATE message SET seen_at = ? WHERE delivery = ? AND seen_at IS NULL", (at, sent["id"]))
        first = db.execute(
            "UPDATE delivery SET read_at = ? WHERE id = ? AND read_at IS NULL", (at, sent["id"])
        ).rowcount
        if first:
            self.world.tell(db, "event", f"read:{sent['id']}", {"event": "message_read", "delivery": sent["id"]}, at)

    def mark_opened(self, db: sqlite3.Connection, sent: sqlite3.Row, at: int) -> None:
        """The card was tapped: the brand's mini program opens, says so, and asks for the coupons of this send."""
        self.mark_read(db, sent, at)
        opens = db.execute(
            "UPDATE delivery SET opened_at = coalesce(opened_at, ?), opens = opens + 1 WHERE id = ? RETURNING opens",
            (at, sent["id"]),
        ).fetchone()["opens"]
        payload = {"event": "mini_program_opened", "delivery": sent["id"], "time": opens}
        self.world.tell(db, "event", f"open:{sent['id']}:{opens}", payload, at)
        if sent["send_token"]:
            payload = {"event": "coupon_viewed", "delivery": sent["id"], "time": opens}
            self.world.tell(db, "view", f"view:{sent['id']}:{opens}", payload, at)

    def ask_redemption(self, db: sqlite3.Connection, sent: sqlite3.Row, at: int) -> str:
        """The customer buys with the coupon of this message, once; the key of the errand that does it."""
        db.execute("UPDATE delivery SET asked_at = coalesce(asked_at, ?) WHERE id = ?", (at, sent["id"]))
        key = f"redeem:{sent['id']}"
        self.world.tell(db, "redeem", key, {"delivery": sent["id"]}, at)
        return key

    # ------------------------------------------------------------------ buying without being asked
    def open_shops(self) -> None:
        """Let customers browse and buy on their own from now on, once a day of theirs, at their `purchase_rate`.

        Whoever never met a guide adds one instead of browsing. Nothing opens before somebody lives here.
        """
        store = self.world.store
        if not self.world.customers_act or not store.number("SELECT count(*) FROM customer"):
            return
        with store.write() as db:
            if not store.number("SELECT count(*) FROM agenda WHERE kind = 'shop'"):
                now, day = self.world.clock.now(), store.number("SELECT value FROM meta WHERE name = 'day'")
                self.world.plan(db, now, "shop", day + 1)
                if not day:
                    self._crowd(db, now)

    def _visitors(self, db: sqlite3.Connection) -> list[sqlite3.Row]:
        """Who comes by themselves, with whether they are `new`: never the friend of a guide."""
        found: list[sqlite3.Row] = db.execute(
            "SELECT external_userid, purchase_rate, NOT EXISTS (SELECT 1 FROM follow f WHERE"
            " f.external_userid = c.external_userid) AS new FROM customer c"
            " WHERE purchase_rate > 0 AND automatic = 1 ORDER BY external_userid"
        ).fetchall()
        return found

    def _crowd(self, db: sqlite3.Connection, now: int) -> None:
        """The first minute: more come early in it than late, and one in four buys within the minute after."""
        draw, wanted = self.world.chance.draw, self.world.settings.opening
        rows = sorted(self._visitors(db), key=lambda row: draw("early", row["external_userid"]))
        for kind, new, count in (("browse", 0, wanted), ("meet", 1, wanted // _NEW_FRIENDS)):
            for row in [row for row in rows if row["new"] == new][:count]:
                customer = row["external_userid"]
                due = now + int(draw("comes", customer) ** 2 * _MINUTE)
                self.world.plan(db, due, kind, customer, 0)
                if self.world.chance.happens(1 / 4, "buys early", customer):
                    self.world.plan(db, due + int(draw("decides", customer) * _MINUTE), "buy", customer, 0)

    def _shop(self, db: sqlite3.Connection, at: int, day: int) -> None:
        length = _DAY if self.world.clock.virtual else int(_DAY / self.world.settings.speed)
        self.world.store.remember("day", str(day))
        for row in self._visitors(db):
            customer = row["external_userid"]
            due = at + int(self.world.chance.draw("hour", customer, day) * length)
            # Of those who put something into the cart, one in three buys it without being asked.
            if self.world.chance.happens(min(1.0, 3 * row["purchase_rate"]), "browses", customer, day):
                self.world.plan(db, due, "meet" if row["new"] else "browse", customer, day)
                if self.world.chance.happens(1 / 3, "shops", customer, day):
                    later = int(self.world.chance.draw("makes up their mind", customer, day) * length / 4)
                    self.world.plan(db, due + later, "buy", customer, day)
        self.world.plan(db, at + length, "shop", day + 1)

    def _browse(self, db: sqlite3.Connection, at: int, customer: str, day: int) -> None:
        payload = {"event": "product_added_to_cart", "customer": customer, "day": day}
        self.world.tell(db, "event", f"browse:{customer}:{day}", payload, at)

    def _meet(self, db: sqlite3.Connection, at: int, customer: str, day: int) -> None:  # noqa: ARG002 - one transaction
        """Add the guide they know of, unless a finger did it first."""
        if not self.world.store.number("SELECT count(*) FROM follow WHERE external_userid = ?", customer):
            self.people.add(customer)

    def _buy(self, db: sqlite3.Connection, at: int, customer: str, day: int) -> None:
        payload = {"event": "order_paid", "customer": customer, "day": day}
        self.world.tell(db, "event", f"buy:{customer}:{day}", payload, at)
