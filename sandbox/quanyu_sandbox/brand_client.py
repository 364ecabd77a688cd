"""Everything the sandbox says to the brand's public interfaces, as the brand's own mini program would say it.

Events go to the collector in the Segment HTTP API; coupons are asked for and redeemed over the brand's API. The
shapes live here and nowhere else. Every id is made from what happened, so a repeated call says the same again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import httpx

from quanyu_sandbox.basket import Basket
from quanyu_sandbox.clock import iso
from quanyu_sandbox.settings import SandboxSettings


class BrandRefused(Exception):
    """The brand answered, and the answer is no: trying the same again will not help."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text
        super().__init__(f"{status}: {text}")


class BrandUnreachable(Exception):
    """No answer, or one that asks to try again later."""


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon as the brand tells it; `value` and `threshold` in minor units (value of `percent_off`: per cent)."""

    code: str
    status: str
    threshold: int
    currency: str
    effect_id: str | None
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The brand's answer to a redemption; `discount` in minor units."""

    coupon: dict[str, Any]
    discount: int


class BrandClient:
    """Calls to one brand. Raises BrandRefused or BrandUnreachable."""

    def __init__(self, settings: SandboxSettings, http: httpx.AsyncClient) -> None:
        self._settings = settings
        self._http = http

    # ------------------------------------------------------------------ collector
    def event(
        self, name: str, message_id: str, at: int, customer: sqlite3.Row, properties: dict[str, Any]
    ) -> dict[str, Any]:
        """One Segment `track` call; who it is about stands in `context.externalIds`, there is no userId."""
        corp, app = self._settings.corp_id, customer["app_id"] or self._settings.app_id
        ids = [{"type": "external_userid", "id": f"{corp}:{customer['external_userid']}", "collection": "users"}]
        if customer["unionid"]:
            ids.append({"type": "unionid", "id": customer["unionid"], "collection": "users"})
        if customer["openid"]:
            ids.append({"type": "openid", "id": f"{app}:{customer['openid']}", "collection": "users"})
        return {
            "type": "track",
            "event": name,
            "messageId": message_id,
            "timestamp": iso(at),
            "properties": {key: value for key, value in properties.items() if value is not None},
            "context": {
                "externalIds": [{**one, "encoding": "none"} for one in ids],
                "app": {"namespace": app},
                "library": {"name": "quanyu-sandbox", "version": "1"},
            },
        }

    @staticmethod
    def touch(sent: sqlite3.Row, *, channel: str = "mini_program") -> dict[str, Any]:
        """The properties that tie an event to the send whose card was tapped."""
        return {
            "channel": channel,
            "touchpoint": sent["page"].split("?")[0] if sent["page"] else None,
            "send": sent["send_token"],
            "send_token": sent["send_token"],
            "effect_id": sent["effect_id"],
        }

    @staticmethod
    def order(
        order_id: str, basket: Basket, *, discount: int, currency: str | None, store_id: str | None
    ) -> dict[str, Any]:
        """The properties of `order_paid`. Segment writes money in major units; ours are minor, so they are divided."""
        return {
            "order_id": order_id,
            "revenue": (basket.amount - discount) / 100,
            "discount": discount / 100 if discount else None,
            "currency": currency,
            "store_id": store_id,
            "products": [
                {"sku": line.sku, "name": line.name, "quantity": line.quantity, "price": line.unit_price / 100}
                for line in basket.lines
            ],
        }

    async def collect(self, events: list[dict[str, Any]], now: int) -> None:
        """Send events (at most 100) in one batch."""
        await self._ask(
            "POST",
            f"{self._settings.collector_url.rstrip('/')}/v1/batch",
            json={"batch": events, "sentAt": iso(now)},
            auth=(self._settings.write_key, ""),
        )

    # ------------------------------------------------------------------ coupons
    async def coupons(self, customer: sqlite3.Row, send: str) -> list[Coupon]:
        """The coupons that a customer holds from one send."""
        answer = await self._ask(
            "GET",
            f"{self._settings.api_url.rstrip('/')}/api/v1/coupons",
            params={
                "namespace": "external_userid",
                "value": f"{self._settings.corp_id}:{customer['external_userid']}",
                "send": send,
            },
            headers=self._bearer(),
        )
        try:
            return [
                Coupon(
                    str(item["code"]),
                    str(item.get("status", "issued")),
                    int(item.get("threshold") or 0),
                    str(item.get("currency") or ""),
                    item.get("effect_id"),
                    item,
                )
                for item in answer.json()["items"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise BrandRefused(answer.status_code, f"the list of coupons cannot be read: {error!r}") from error

    async def redeem(self, code: str, order_id: str, amount: int, store_id: str | None) -> Redeemed:
        """Redeem a coupon with an order of `amount` minor units; the order id is the idempotency key."""
        body = {"order_id": order_id, "amount": amount, "channel": "mini_program"}
        if store_id:
            body["store_id"] = store_id
        answer = await self._ask(
            "POST",
            f"{self._settings.api_url.rstrip('/')}/api/v1/coupons/{code}/redeem",
            json=body,
            headers={**self._bearer(), "Idempotency-Key": order_id},
        )
        coupon = answer.json()
        return Redeemed(coupon, int(coupon.get("discount") or 0))

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._settings.api_key}", "Accept-Language": "zh"}

    async def _ask(self, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, url, **options)
        except httpx.HTTPError as error:
            raise BrandUnreachable(f"{type(error).__name__} at {url}") from error
        if answer.status_code in (401, 403, 408, 425, 429) or answer.status_code >= 500:
            # 401 and 403 may be a key that is not made yet: an event is never given up for that.
            raise BrandUnreachable(f"HTTP {answer.status_code} at {url}")
        if answer.status_code >= 300:
            raise BrandRefused(answer.status_code, answer.text[:500])
        return answer
