"""The demonstration's broken sender: screens in stores whose release 2.1 spoils some of what they send.

For four days all is well, and the plan is learnt from it; in the last three the release comes. Their requests go to the
product's own collector as HTTP, each on the day on which it is sent: the clock is put back for that. What is wrong is
what such clients get wrong in the field; everything can be mended and replayed. The source is marked as made, and its
customers are members of the demonstration.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from starlette.routing import Router

from quanyu.access.contracts import Scope
from quanyu.app import Product
from quanyu.cli.demo_facts import Language
from quanyu.cli.demo_plan import KIOSK, SCREENS
from quanyu.kernel.label import Label

NAME = Label("门店自助屏（演示生成）", "Store kiosks (made for the demo)")
_KIOSKS = 4
_VISITORS = 6  # of one kiosk on one day
# How many kiosks have release 2.1, by day, oldest first.
_RELEASED = (0, 0, 0, 0, 1, 2, 4)
BEFORE, AFTER = range(4), range(4, 7)  # the release
_KEYWORDS = (Label("咖啡", "coffee"), Label("牛奶", "milk"), Label("猫粮", "cat food"), Label("纸巾", "tissues"))


class PutBackClock:
    """The machine's clock, put back by `back`."""

    def __init__(self) -> None:
        self.back = timedelta()

    def now(self) -> datetime:
        """The instant that lies `back` before the present, aware, in UTC."""
        return datetime.now(UTC) - self.back


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a kiosk sends it, `back` before now."""

    back: timedelta
    body: bytes
    headers: dict[str, str]


def connect(product: Product, scope: Scope, write_key: str) -> None:
    """Make the source, once."""
    with product.state.write() as tx:
        if product.events.sources.get(KIOSK) is None:
            product.events.sources.create(
                tx,
                source=KIOSK,
                brand_id=scope.brand_id,
                name=NAME,
                kind="sdk",
                channel="store",
                made=True,
                write_key=write_key,
            )


def send_days(product: Product, clock: PutBackClock, write_key: str, requests: list[Request]) -> None:
    """Send the requests, each at its own time; the log holds them afterwards."""
    try:
        asyncio.run(_send(product, clock, write_key, requests))
    finally:
        clock.back = timedelta()


async def _send(product: Product, clock: PutBackClock, write_key: str, requests: list[Request]) -> None:
    key = base64.b64encode(f"{write_key}:".encode()).decode()
    collector = httpx.ASGITransport(app=Router(routes=product.events.collector().routes()))
    async with httpx.AsyncClient(transport=collector, base_url="http://collector") as client:
        for one in requests:
            clock.back = one.back
            headers = {"Authorization": f"Basic {key}", "Content-Type": "application/json", **one.headers}
            answer = await client.post("/v1/batch", content=one.body, headers=headers)
            # 400 says that the body cannot be read; it is in quarantine all the same.
            if answer.status_code not in (200, 400):
                answer.raise_for_status()


def requests_of(days: range, now: datetime, time_zone: str, members: list[str], language: Language) -> list[Request]:
    """Everything the kiosks send on these days of the week that ends now, typed in `language`; the same every time."""
    found, zone = [], ZoneInfo(time_zone)
    for day in days:
        back = timedelta(days=len(_RELEASED) - 1 - day, hours=1)
        for kiosk in range(_KIOSKS):
            at = (now - back).astimezone(zone) - timedelta(minutes=10 * kiosk)
            calls: list[dict[str, Any]] = []
            for visitor in range(_VISITORS):
                number = (day * _KIOSKS + kiosk) * _VISITORS + visitor
                member = members[number * 7 % len(members)]
                calls += _visit(number, at - timedelta(minutes=5 * visitor), member, language)
                if kiosk < _RELEASED[day]:
                    _spoil(calls[-2:], number)
            found.append(Request(back, _body(calls), {}))
        if _RELEASED[day]:
            found.append(_unreadable(day, back, found[-1].body))
    return found


def _visit(number: int, at: datetime, member: str, language: Language) -> list[dict[str, Any]]:
    """One member's visit: a search, and an order to be paid at the till."""
    screen = SCREENS[number % len(SCREENS)]
    search = {"keyword": _KEYWORDS[number % 4].text(language), "results": 3 + number % 20, "screen": screen}
    order = {
        "order_id": f"K{number:06d}",
        "revenue": round(4.5 + number * 37 % 900 / 10, 2),
        "currency": "USD",
        "pay_with": ("wechat", "card", "alipay", "cash")[number % 4],
        "screen": screen,
    }
    return [
        {
            "type": "track",
            "event": event,
            "messageId": f"kiosk:{number}:{event}",
            "timestamp": (at + timedelta(minutes=minutes)).isoformat(timespec="seconds"),
            "properties": properties,
            "context": {
                "externalIds": [{"type": "member_no", "id": member, "collection": "users", "encoding": "none"}],
                "library": {"name": "store-kiosk", "version": "2.0"},
            },
        }
        for minutes, event, properties in ((0, "products_searched", search), (2, "order_submitted", order))
    ]


def _spoil(calls: list[dict[str, Any]], number: int) -> None:
    """What release 2.1 does to a visit."""
    search, order = calls
    for call in calls:
        call["context"]["library"]["version"] = "2.1"
    search["properties"]["results"] = f"{search['properties']['results']} 件"
    search["properties"]["fps"] = 24 + number % 7
    wrong = number % 6
    if wrong in (0, 1, 2):
        order["properties"]["revenue"] = f"${order['properties']['revenue']:,.2f}"
    elif wrong == 3:
        order["properties"]["pay_with"] = "weixin"
    elif wrong == 4:
        moment = datetime.fromisoformat(order["timestamp"])
        order["timestamp"] = f"{moment:%Y}年{moment.month}月{moment.day}日 {moment:%H:%M}"
    else:
        del order["context"]["externalIds"]
        del search["properties"]["screen"]


def _unreadable(day: int, back: timedelta, body: bytes) -> Request:
    """A request that nobody can read: cut off on its way, cut before it was zipped, or written in GBK."""
    kind = day % 3
    if kind == 0:
        return Request(back, gzip.compress(body, mtime=0)[:-40], {"Content-Encoding": "gzip"})
    if kind == 1:
        return Request(back, body[: len(body) // 3].rsplit(b",", 1)[0], {})
    note = {"batch": [{"type": "track", "event": "products_searched", "properties": {"keyword": "洗衣液"}}]}
    return Request(back, json.dumps(note, ensure_ascii=False).encode("gbk"), {})


def _body(calls: list[dict[str, Any]]) -> bytes:
    return json.dumps({"batch": calls}, ensure_ascii=False).encode()
