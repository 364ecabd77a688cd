"""The small brand that the browser walks through: twelve customers, their events, their friends in the sandbox.

Everything goes in as a brand's systems would send it: the Segment HTTP API, the product's HTTP API, the sandbox.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.system.harness import AES_KEY, CALLBACK_TOKEN, CORP_ID, CORP_SECRET, Api, Installation, eventually

APP_ID = "wx00000000000mini"
PEOPLE = 12
CARTS = 5
SECOND_COPIES = 3


class Customer:
    """One customer, as the brand's systems know them; `shown` is how the console shows their phone."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"林小{'甲乙丙丁戊己庚辛壬癸子丑'[number - 1]}"
        self.user_id = f"member-{number}"
        self.anonymous_id = f"browser-{number}"
        self.phone = f"1380013{number:04d}"
        self.shown = f"{self.phone[:3]}****{self.phone[-4:]}"
        self.unionid = f"oU{number:026d}"
        self.openid = f"oM{number:026d}"
        self.external_userid = f"wm{number:030d}"

    def identify(self) -> dict[str, Any]:
        """The Segment call that says who this is: everything that links their identifiers."""
        ids = {
            "external_userid": f"{CORP_ID}:{self.external_userid}",
            "unionid": self.unionid,
            "openid": f"{APP_ID}:{self.openid}",
        }
        return {
            "type": "identify",
            "messageId": f"identify-{self.number}",
            "userId": self.user_id,
            "anonymousId": self.anonymous_id,
            "traits": {"phone": self.phone, "name": self.name, "city": "上海"},
            "context": {"externalIds": [{"type": kind, "id": value} for kind, value in ids.items()]},
        }

    def track(self, event: str, days_ago: float, **properties: Any) -> dict[str, Any]:
        """A Segment call for something they did; its message id follows from what it is."""
        at = datetime.now(UTC) - timedelta(days=days_ago)
        return {
            "type": "track",
            "messageId": f"{event}-{self.number}-{days_ago}",
            "event": event,
            "userId": self.user_id,
            "timestamp": at.isoformat(),
            "properties": properties,
        }


class Brand:
    """A running installation with the brand in it; `key` is the write key of its mini program."""

    def __init__(self, folder: Path) -> None:
        self.installation = Installation(folder)
        self.customers = [Customer(number) for number in range(1, PEOPLE + 1)]
        self.key = ""

    @property
    def base(self) -> str:
        return self.installation.base

    @property
    def sandbox(self) -> str:
        return self.installation.sandbox

    def open(self) -> None:
        """Start everything, connect the sandbox and send what the customers did until now."""
        self.installation.init()
        self.installation.start("server", "worker")
        self.owner = self.installation.api()
        self._connect(self.owner)
        self._past(self.owner)

    def close(self) -> None:
        self.installation.stop()

    def send(self, *calls: dict[str, Any]) -> None:
        """Send Segment calls in one batch."""
        answer = httpx.post(f"{self.base}/v1/batch", json={"batch": list(calls)}, auth=(self.key, ""), timeout=60)
        answer.raise_for_status()

    def put_into_cart(self) -> None:
        """Everybody puts something into the cart, now."""
        self.send(*(one.track("Product Added", 0, product_id="sku-2", price=129.0) for one in self.customers))

    def cards(self) -> list[dict[str, Any]]:
        """The mini-program cards on the phones."""
        answer = httpx.get(f"{self.sandbox}/sandbox/messages", timeout=60).json()
        return [item for item in answer["items"] if item["kind"] == "miniprogram"]

    def by_external_userid(self, external_userid: str) -> Customer:
        return next(one for one in self.customers if one.external_userid == external_userid)

    def _connect(self, owner: Api) -> None:
        source = {"source": "mini", "name": {"zh": "小程序", "en": "Mini program"}, "kind": "sdk"}
        self.key = owner.post("/sources", source)["write_key"]
        till = owner.post(
            "/api-clients", {"name": "till", "permissions": ["coupons.redeem", "catalog.read"], "brands": ["main"]}
        )
        secrets = {
            "CORP_ID": CORP_ID,
            "CORP_SECRET": CORP_SECRET,
            "APP_ID": APP_ID,
            "TOKEN": CALLBACK_TOKEN,
            "AES_KEY": AES_KEY,
        }
        addresses = {
            "CALLBACK_URL": f"{self.base}/callbacks/wecom",
            "COLLECTOR_URL": self.base,
            "WRITE_KEY": self.key,
            "API_URL": self.base,
            "API_KEY": till["key"],
            "SPEED": "200",
        }
        self.installation.extra = {
            "sandbox": {f"QUANYU_SANDBOX_{name}": value for name, value in {**secrets, **addresses}.items()}
        }
        self.installation.start("sandbox")
        friends = [
            {"external_userid": one.external_userid, "name": one.name, "staff": "guide01", "unionid": one.unionid,
             "openid": one.openid, "phone": one.phone}
            for one in self.customers
        ]  # fmt: skip
        httpx.post(f"{self.sandbox}/sandbox/customers", json=friends, timeout=60).raise_for_status()
        config = {name.lower(): value for name, value in secrets.items()} | {"base_url": self.sandbox}
        owner.post("/connections", {"kind": "wecom", "connection": "wecom", "name": "企业微信", "config": config})
        checked = owner.post("/connections/wecom/check", {})
        assert checked["ok"], checked

    def _past(self, owner: Api) -> None:
        """Who the customers are, an order of each, carts of some; a few sent twice, one that cannot be right."""
        first = [one.identify() for one in self.customers]
        orders = [
            one.track("Order Completed", 3, order_id=f"A-{one.number}", revenue=100.0 + one.number, currency="CNY")
            for one in self.customers
        ]
        carts = [one.track("Product Added", 2, product_id="sku-1", price=99.0) for one in self.customers[:CARTS]]
        impossible = {**self.customers[0].track("Product Viewed", 1), "timestamp": "2100-01-01T00:00:00Z"}
        self.send(*first, *orders, *carts, impossible)
        self.send(*orders[:SECOND_COPIES])
        for one in self.customers:
            owner.post(
                "/consent",
                {"identifier": {"namespace": "external_userid", "value": f"{CORP_ID}:{one.external_userid}"},
                 "purpose": "marketing", "channel": "wecom", "status": "granted", "notice_version": "v1",
                 "evidence": "test"},
            )  # fmt: skip

        def settled() -> bool:
            source = next(item for item in owner.get("/sources")["items"] if item["source"] == "mini")
            people = owner.post("/people/search", {"limit": 1})["total"]
            return bool(source["pending"] == 0 and source["balanced"] and people == PEOPLE)

        eventually("what was sent is in the books and resolved", settled, within=180)
