"""The errands of the brand's mini program: which calls, in which order, when a customer reads, taps, or buys.

Each errand may be run again from its start: the calls in it carry the same ids, and what they left behind here
(`redeemed_at`, `order_id`) is written together with the news that follows from it.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from quanyu_sandbox.basket import Catalogue
from quanyu_sandbox.brand_client import BrandClient, BrandRefused
from quanyu_sandbox.world import World


class Errands:
    """Runs rows of the outgoing list; each returns (state, what came of it) or raises BrandUnreachable."""

    def __init__(self, world: World, brand: BrandClient) -> None:
        self.world = world
        self.brand = brand
        self.catalogue = Catalogue(world)

    def message_id(self, name: str, *key: object) -> str:
        """The id of an event, the same for the same happening."""
        digest = self.world.chance.digest("event", self.world.settings.corp_id, name, *key)
        return f"sbx-{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"

    def order_id(self, *key: object) -> str:
        """The id of an order, the same for the same purchase."""
        return "MP" + self.world.chance.digest("order", self.world.settings.corp_id, *key)[:16].upper()

    def _sent(self, delivery: int) -> tuple[sqlite3.Row, sqlite3.Row]:
        sent = self.world.store.one("SELECT * FROM delivery WHERE id = ?", delivery)
        assert sent is not None
        return sent, self._customer(sent["external_userid"])

    def _customer(self, external_userid: str) -> sqlite3.Row:
        row = self.world.store.one("SELECT * FROM customer WHERE external_userid = ?", external_userid)
        assert row is not None
        return row

    # ------------------------------------------------------------------ events
    async def collect(self, rows: list[sqlite3.Row]) -> tuple[str, str]:
        """Send a batch of events."""
        try:
            await self.brand.collect([self.composed(row) for row in rows], self.world.clock.now())
        except BrandRefused as refused:
            return "refused", str(refused)
        return "done", f"batch of {len(rows)}"

    def composed(self, row: sqlite3.Row) -> dict[str, Any]:
        """The Segment call of a queued event."""
        payload, at = json.loads(row["payload"]), int(row["at"])
        name = payload["event"]
        if "customer" in payload:
            customer, day = self._customer(payload["customer"]), payload["day"]
            basket = self.catalogue.basket(customer["external_userid"], "day", day)
            key: tuple[object, ...] = (customer["external_userid"], day, customer["moved_in_at"])
            if name == "product_added_to_cart":
                line = basket.lines[0]
                seen = {"channel": "mini_program", "sku": line.sku, "name": line.name, "price": line.unit_price / 100}
                return self.brand.event(name, self.message_id(name, *key), at, customer, seen)
            bought = self.brand.order(
                self.order_id(*key), basket, discount=0, currency=None, store_id=customer["store_id"]
            )
            return self.brand.event(
                name, self.message_id(name, *key), at, customer, {"channel": "mini_program", **bought}
            )
        sent, customer = self._sent(payload["delivery"])
        key = (sent["msgid"], sent["userid"], sent["external_userid"])
        if name == "message_read":
            properties = self.brand.touch(sent, channel="wecom") | {"staff_id": sent["userid"]}
        elif name == "order_paid":
            basket = self.catalogue.basket(sent["external_userid"], sent["luck"], at_least=payload.get("threshold", 0))
            properties = self.brand.touch(sent) | self.brand.order(
                sent["order_id"],
                basket,
                discount=payload.get("discount", 0),
                currency=payload.get("currency"),
                store_id=customer["store_id"],
            )
            properties |= {"coupon_code": payload.get("code")}
        else:
            properties = self.brand.touch(sent) | {"coupon_code": payload.get("code")}
        if payload.get("effect_id"):
            properties["effect_id"] = payload["effect_id"]
        return self.brand.event(name, self.message_id(name, *key, payload.get("time", 1)), at, customer, properties)

    # ------------------------------------------------------------------ coupons
    async def view(self, rows: list[sqlite3.Row]) -> tuple[str, str]:
        """The page asks for the coupons of its send, and says that they were looked at."""
        (row,) = rows
        payload = json.loads(row["payload"])
        sent, customer = self._sent(payload["delivery"])
        if not self.world.settings.api_url:
            return "done", "no api is set"
        try:
            found = await self.brand.coupons(customer, sent["send_token"])
        except BrandRefused as refused:
            return "refused", str(refused)
        if found:
            payload |= {"code": found[0].code, "effect_id": found[0].effect_id}
            with self.world.store.write() as db:
                self.world.tell(db, "event", f"viewed:{row['key']}", payload, int(row["at"]))
        return "done", f"{len(found)} coupons"

    async def redeem(self, rows: list[sqlite3.Row]) -> tuple[str, str]:
        """The customer buys: the coupon is redeemed with the order, then the order is told.

        A message without a coupon is just a purchase. A coupon that the brand refuses means no order.
        """
        (row,) = rows
        sent, customer = self._sent(json.loads(row["payload"])["delivery"])
        key = (sent["msgid"], sent["userid"], sent["external_userid"])
        order_id, event = self.order_id(*key), {"event": "order_paid", "delivery": sent["id"]}
        outcome = "bought"
        try:
            if sent["send_token"] and self.world.settings.api_url:
                found = await self.brand.coupons(customer, sent["send_token"])
                # After a repetition the coupon may be redeemed already, by this very order: asking again is safe.
                usable = [each for each in found if each.status == "issued"] or [
                    each for each in found if each.document.get("order_id") == order_id
                ]
                if found and not usable:
                    return self._refused(sent, f"409: the coupon is {found[0].status}")
                if usable:
                    coupon = usable[0]
                    basket = self.catalogue.basket(sent["external_userid"], sent["luck"], at_least=coupon.threshold)
                    done = await self.brand.redeem(coupon.code, order_id, basket.amount, customer["store_id"])
                    outcome = "redeemed"
                    event |= {
                        "code": coupon.code, "effect_id": coupon.effect_id, "threshold": coupon.threshold,
                        "discount": done.discount, "currency": coupon.currency or None,
                    }  # fmt: skip
        except BrandRefused as refused:
            return self._refused(sent, str(refused))
        with self.world.store.write() as db:
            at = int(row["at"])
            db.execute(
                "UPDATE delivery SET redeemed_at = ?, order_id = ?, outcome = ? WHERE id = ?",
                (at if outcome == "redeemed" else None, order_id, outcome, sent["id"]),
            )
            self.world.tell(db, "event", f"paid:{sent['id']}", event, at)
        return "done", outcome

    def _refused(self, sent: sqlite3.Row, why: str) -> tuple[str, str]:
        with self.world.store.write() as db:
            db.execute("UPDATE delivery SET outcome = ? WHERE id = ?", (f"refused {why}"[:300], sent["id"]))
        return "refused", why
