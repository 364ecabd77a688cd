"""What leaves the sandbox: encrypted callbacks, and what the brand's mini program does when a customer taps.

Everything goes through the brand's public interfaces (the Segment HTTP API, the coupon API) with ids that stay the
same over retries, at least once. A callback is tried three times, as WeCom does.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from quanyu_sandbox.crypto import encrypt, signature
from quanyu_sandbox.people import World

_CALLBACK_TRIES = 3
_TRIES = 40


class Outgoing:
    """Sends what is queued."""

    def __init__(self, world: World, client: httpx.Client | None = None) -> None:
        self.world = world
        self.store = world.store
        self.settings = world.settings
        self._http = client or httpx.Client(timeout=5.0, follow_redirects=False)

    def flush(self, limit: int = 200) -> int:
        """Send what is due; how many things went out."""
        now = self.world.now()
        sent = 0
        for row in self.store.all(
            "SELECT * FROM outgoing WHERE done = 0 AND next_at <= ? ORDER BY id LIMIT ?", now, limit
        ):
            try:
                answer: str | None = self._send(row)
            except (httpx.HTTPError, ConnectionError) as error:
                answer = None
                why: str | None = type(error).__name__
            else:
                why = answer
            tries = _CALLBACK_TRIES if row["kind"] == "callback" else _TRIES
            with self.store.write() as db:
                done = answer is not None or row["attempts"] + 1 >= tries
                db.execute(
                    "UPDATE outgoing SET done = ?, attempts = attempts + 1, next_at = ?, answer = ? WHERE id = ?",
                    (int(done), now + min(0.5 * 2 ** row["attempts"], 10), why, row["id"]),
                )
            sent += answer is not None
        return sent

    def _send(self, row: sqlite3.Row) -> str:
        payload = json.loads(row["payload"])
        if row["kind"] == "callback":
            return self.callback(payload, str(row["id"]))
        message = self.store.one("SELECT * FROM message WHERE id = ?", payload["message"])
        customer = self.store.one("SELECT * FROM customer WHERE external_userid = ?", payload["customer"])
        assert message is not None
        assert customer is not None
        if row["kind"] == "opened":
            return self._opened(message, customer, payload["at"])
        return self._redeem(message, customer, payload["at"])

    # ------------------------------------------------------------------ callbacks
    def callback(self, fields: dict[str, str], serial: str) -> str:
        """POST one event, encrypted (W:90930). Raises httpx.HTTPError when it was not taken."""
        if not self.settings.callback_url:
            return "no callback url"
        xml = "<xml>" + "".join(f"<{key}><![CDATA[{value}]]></{key}>" for key, value in fields.items()) + "</xml>"
        head = hashlib.sha256(f"{self.settings.seed}:{serial}".encode()).digest()[:16]
        sealed = encrypt(self.settings.aes_key, xml, self.settings.corp_id, head)
        timestamp, nonce = str(int(self.world.now())), secrets.token_hex(5)
        query = {
            "msg_signature": signature(self.settings.token, timestamp, nonce, sealed),
            "timestamp": timestamp,
            "nonce": nonce,
        }
        body = (
            f"<xml><ToUserName><![CDATA[{self.settings.corp_id}]]></ToUserName>"
            f"<AgentID><![CDATA[{self.settings.agent_id}]]></AgentID><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
        )
        answer = self._http.post(self.settings.callback_url, params=query, content=body.encode())
        answer.raise_for_status()
        return answer.text[:200]

    # ------------------------------------------------------------------ the mini program
    def _opened(self, message: sqlite3.Row, customer: sqlite3.Row, at: float) -> str:
        send = send_token(message)
        common = {"send_token": send} if send else {}
        events = [
            self._event("message_read", message, customer, at, common),
            self._event("mini_program_opened", message, customer, at, common),
        ]
        if send and self.coupons(customer, send):
            events.append(self._event("coupon_viewed", message, customer, at + 1, common))
        return self._track(events)

    def _redeem(self, message: sqlite3.Row, customer: sqlite3.Row, at: float) -> str:
        return json.dumps(self.redeem(message, customer, at))

    def coupons(self, customer: sqlite3.Row, send: str) -> list[dict[str, Any]]:
        """The coupons that this customer holds from this message, from the brand's API."""
        answer = self._http.get(
            f"{self.settings.api_url}/api/v1/coupons",
            params={
                "namespace": "external_userid",
                "value": f"{self.settings.corp_id}:{customer['external_userid']}",
                "send": send,
            },
            headers={"Authorization": f"Bearer {self.settings.api_key}"},
        )
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def redeem(self, message: sqlite3.Row, customer: sqlite3.Row, at: float) -> dict[str, Any]:
        """Pay an order with the coupon of a message; repeated, it is the same order."""
        send = send_token(message)
        issued = [item for item in self.coupons(customer, send) if item["status"] == "issued"] if send else []
        order = f"mp{self.settings.seed}-{message['id']}"
        dice = self.world.dice("basket", message["external_userid"], message["msgid"])
        amount = 2000 + int(dice.random() * 8000)
        coupon = None
        if issued:
            answer = self._http.post(
                f"{self.settings.api_url}/api/v1/coupons/{issued[0]['code']}/redeem",
                json={
                    "order_id": order, "amount": amount, "store_id": customer["store_id"], "channel": "mini_program",
                },
                headers={"Authorization": f"Bearer {self.settings.api_key}", "Idempotency-Key": order},
            )  # fmt: skip
            if answer.status_code >= 500:
                answer.raise_for_status()
            coupon = answer.json()
        properties = {
            "order_id": order, "revenue": amount / 100, "currency": issued[0]["currency"] if issued else "CNY",
            "store_id": customer["store_id"], **({"send_token": send} if send else {}),
            **({"coupon_code": issued[0]["code"]} if issued else {}),
        }  # fmt: skip
        self._track([self._event("Order Completed", message, customer, at + 2, properties)])
        return {"order_id": order, "amount": amount, "coupon": coupon}

    def _event(
        self, name: str, message: sqlite3.Row, customer: sqlite3.Row, at: float, properties: dict[str, Any]
    ) -> dict[str, Any]:
        external = [
            {"type": "external_userid", "id": f"{self.settings.corp_id}:{customer['external_userid']}"},
        ]
        if customer["unionid"]:
            external.append({"type": "unionid", "id": customer["unionid"]})
        if customer["openid"]:
            external.append({"type": "openid", "id": f"{self.settings.app_id}:{customer['openid']}"})
        return {
            "type": "track",
            "event": name,
            "messageId": f"sbx-{self.settings.seed}-{message['id']}-{name}",
            "timestamp": datetime.fromtimestamp(at, UTC).isoformat(),
            "anonymousId": f"device-{customer['external_userid']}",
            "properties": properties,
            "context": {"externalIds": external, "channel": "mini_program"},
        }

    def _track(self, events: list[dict[str, Any]]) -> str:
        if not self.settings.collector_url:
            return "no collector"
        answer = self._http.post(
            f"{self.settings.collector_url}/v1/batch",
            json={"batch": events, "sentAt": datetime.fromtimestamp(self.world.now(), UTC).isoformat()},
            auth=(self.settings.write_key, ""),
        )
        answer.raise_for_status()
        return answer.text[:200]


def send_token(message: sqlite3.Row) -> str | None:
    """The `send=` of a message's card."""
    if not message["card"]:
        return None
    card = json.loads(message["card"])
    page = card.get("miniprogram", {}).get("page") or card.get("link", {}).get("url") or ""
    found = parse_qs(urlsplit(page).query).get("send")
    return found[0] if found else None
