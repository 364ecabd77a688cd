"""What the Complete Journey data lacks, made from a fixed seed: phones, WeChat ids, consent, mini-program visits.

Everything here goes into sources that are marked as made, and the console says so wherever it shows. The visits
lean on the real baskets (who looks at what, before buying it), so that a funnel has a shape; no figure of a real
source is touched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from quanyu.plugins.connectors.complete_journey.connector import CompleteJourney
from quanyu.sdk import Label
from quanyu.sdk.connector import IDENTIFIERS, Feed, Source

APP_ID = "wx0000demo0000mini"
CORP_ID = "wwdemo0000corp0000"
GUIDES = 24

MEMBERS = Source(
    "demo_members", Label("会员绑定（演示生成）", "Member bindings (made for the demo)"), "file", made=True
)
VISITS = Source(
    "demo_visits", Label("小程序浏览（演示生成）", "Mini-program visits (made for the demo)"), "file", made=True
)

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢"
    "姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙史陶黎贺毛郝顾龚邵万覃武钱戴严莫孔向常"
    "汤"
)
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红梅琳晨阳宇欣怡佳雪婷浩然子涵梓萱诗雨思远嘉懿一"
    "诺若曦俊熙天佑语桐雅文博弈辰安然沐宸"
)
_LEVELS_ZH, _LEVELS_EN = ("普通", "银卡", "金卡"), ("Basic", "Silver", "Gold")
_MOBILE = ("138", "139", "150", "151", "158", "159", "177", "186", "187", "188", "199")


@dataclass(frozen=True, slots=True)
class Customer:
    """A made customer as the sandbox plays one; the ids are those that the made events carry."""

    household_id: int
    name: str
    phone: str | None
    unionid: str | None
    openid: str | None
    external_userid: str | None
    staff_id: str
    store_id: str


def _token(seed: int, kind: str, number: int, length: int = 22) -> str:
    return hashlib.blake2b(f"{seed}:{kind}:{number}".encode(), digest_size=20).hexdigest()[:length]


def guide_of(store_id: str) -> str:
    """The guide who looks after a store."""
    return f"guide{int(store_id) % GUIDES + 1:02d}"


class MadeTouchpoints:
    """Makes members' identities, consent and visits for the households of a Complete Journey load."""

    def __init__(self, journey: CompleteJourney, *, seed: int = 20260101, language: str = "zh") -> None:
        """`language`: what the made values are written in; names of people stay Chinese."""
        self._journey = journey
        self._seed = seed
        self._levels = _LEVELS_EN if language == "en" else _LEVELS_ZH
        self._customers: list[Customer] | None = None

    def customers(self) -> list[Customer]:
        """Every household as a customer; the same list for the same seed."""
        if self._customers is None:
            self._customers = self._made_customers()
        return self._customers

    def _made_customers(self) -> list[Customer]:
        random = np.random.default_rng([self._seed, 1])
        homes = self._journey.home_stores()
        numbers = random.permutation(90_000_000)[: homes.num_rows] + 10_000_000
        draws = random.random((homes.num_rows, 3))
        made = []
        for i, (household, store) in enumerate(
            zip(homes["household_id"].to_pylist(), homes["store_id"].to_pylist(), strict=True)
        ):
            wechat, friend = draws[i, 1] < 0.7, draws[i, 1] < 0.5
            made.append(
                Customer(
                    household_id=household,
                    name=_name(random),
                    phone=f"{_MOBILE[household % len(_MOBILE)]}{numbers[i]:08d}" if draws[i, 0] < 0.95 else None,
                    unionid=f"oU{_token(self._seed, 'union', household, 26)}" if wechat else None,
                    openid=f"oM{_token(self._seed, 'open', household, 26)}" if wechat else None,
                    external_userid=f"wm{_token(self._seed, 'external', household, 30)}" if friend else None,
                    staff_id=guide_of(str(store)),
                    store_id=str(store),
                )
            )
        return made

    def newcomers(self, count: int) -> list[Customer]:
        """Members with WeChat who are no guide's friend yet, each with the id that they get as one."""
        strangers = [customer for customer in self.customers() if customer.unionid and not customer.external_userid]
        return [
            replace(one, external_userid=f"wm{_token(self._seed, 'external', one.household_id, 30)}")
            for one in strangers[:count]
        ]

    def feeds(self) -> Iterator[Feed]:
        """Member bindings (identities, consent), then visits."""
        customers = self.customers()
        orders = self._journey.orders()
        bindings = self._bindings(customers, orders)
        yield Feed(
            "events",
            Label("会员绑定（演示生成）", "Member bindings (made)"),
            bindings.num_rows,
            iter([bindings]),
            MEMBERS,
        )
        visits = self._visits(customers, orders)
        chunks = (visits.slice(start, 20_000) for start in range(0, visits.num_rows, 20_000))
        yield Feed(
            "events", Label("小程序浏览（演示生成）", "Mini-program visits (made)"), visits.num_rows, chunks, VISITS
        )

    def _bindings(self, customers: list[Customer], orders: pa.Table) -> pa.Table:
        """One `identified` per household at its first order: identifiers seen together, traits, consent."""
        first = (
            pa.table(
                {
                    "member": [pairs[0]["value"] for pairs in orders["raw_identifiers"].to_pylist()],
                    "at": orders["occurred_at"],
                }
            )
            .group_by("member")
            .aggregate([("at", "min")])
        )
        starts = dict(zip(first["member"].to_pylist(), first["at_min"].to_pylist(), strict=True))
        random = np.random.default_rng([self._seed, 2])
        rows = []
        for customer in customers:
            draw = random.random(4)
            rows.append(
                {
                    "event_id": f"binding:{customer.household_id}",
                    "name": "identified",
                    "occurred_at": starts[str(customer.household_id)],
                    "channel": "mini_program" if customer.unionid else "store",
                    "staff_id": customer.staff_id,
                    "raw_identifiers": _identifiers(customer),
                    "traits": json.dumps(
                        {
                            "set": {
                                "name": customer.name,
                                "home_store": customer.store_id,
                                "owner_staff": customer.staff_id,
                                "member_level": self._levels[int(draw[3] ** 2 * 3)],
                            }
                        },
                        ensure_ascii=False,
                    ),
                    "consent": json.dumps(_consent(customer, draw)),
                }
            )
        return pa.Table.from_pylist(rows, schema=_BINDINGS)

    def _visits(self, customers: list[Customer], orders: pa.Table) -> pa.Table:
        """Visits before about a quarter of the orders of WeChat members, and some that led to nothing."""
        random = np.random.default_rng([self._seed, 3])
        openids = {str(item.household_id): item for item in customers if item.openid}
        members = [pairs[0]["value"] for pairs in orders["raw_identifiers"].to_pylist()]
        times = orders["occurred_at"].to_pylist()
        chosen = random.random(orders.num_rows) < 0.28
        last = max(times)
        rows: list[dict[str, object]] = []
        baskets = orders["items"]
        for i in np.flatnonzero(chosen):
            customer = openids.get(members[i])
            if customer is None:
                continue
            led_nowhere = random.random() < 0.3
            offset = random.exponential(14 * 86400) if led_nowhere else -random.exponential(18 * 3600) - 600
            start = min(int(times[i] + offset * 1_000_000), last)
            skus = [item["sku"] for item in baskets[int(i)].as_py()]
            rows += self._session(customer, start, skus, random, f"{members[i]}:{i}", led_nowhere)
        return pa.Table.from_pylist(rows, schema=_VISITS_SCHEMA)

    def _session(
        self, customer: Customer, start: int, skus: list[str], random: np.random.Generator, key: str, cold: bool
    ) -> list[dict[str, object]]:
        identifiers = [
            {"namespace": "openid", "value": f"{APP_ID}:{customer.openid}"},
            {"namespace": "unionid", "value": str(customer.unionid)},
        ]
        base = {"channel": "mini_program", "session_id": f"v:{key}", "raw_identifiers": identifiers}
        touchpoint = ("search", "service_notice", "moments_ad", "store_qr", "share")[int(random.integers(5))]
        out = [
            {
                **base,
                "event_id": f"visit:{key}",
                "name": "mini_program_opened",
                "occurred_at": start,
                "touchpoint": touchpoint,
            }
        ]
        at = start
        for step in range(int(random.integers(1, 4))):
            at += int(random.integers(5, 90)) * 1_000_000
            sku = skus[int(random.integers(len(skus)))]
            items = [{"sku": sku, "quantity": None, "unit_price": None, "amount": 0}]
            out.append(
                {
                    **base,
                    "event_id": f"view:{key}:{step}",
                    "name": "product_viewed",
                    "occurred_at": at,
                    "touchpoint": "product_page",
                    "items": items,
                }
            )
            if random.random() < (0.15 if cold else 0.45):
                at += int(random.integers(3, 40)) * 1_000_000
                out.append(
                    {
                        **base,
                        "event_id": f"cart:{key}:{step}",
                        "name": "product_added_to_cart",
                        "occurred_at": at,
                        "touchpoint": "product_page",
                        "items": items,
                    }
                )
        return out


def _name(random: np.random.Generator) -> str:
    given = "".join(_GIVEN[int(i)] for i in random.integers(len(_GIVEN), size=int(random.integers(1, 3))))
    return _SURNAMES[int(random.integers(len(_SURNAMES)))] + given


def _identifiers(customer: Customer) -> list[dict[str, str]]:
    pairs = [("member_no", str(customer.household_id))]
    if customer.phone:
        pairs.append(("phone", customer.phone))
    if customer.unionid:
        pairs.append(("unionid", customer.unionid))
        pairs.append(("openid", f"{APP_ID}:{customer.openid}"))
    if customer.external_userid:
        pairs.append(("external_userid", f"{CORP_ID}:{customer.external_userid}"))
    return [{"namespace": namespace, "value": value} for namespace, value in pairs]


def _consent(customer: Customer, draw: np.ndarray) -> list[dict[str, str]]:
    """Nine in ten WeCom friends agreed to marketing there, two in three of those with a phone to SMS."""
    given = [("service", "any", "granted"), ("profiling", "any", "granted" if draw[2] < 0.93 else "denied")]
    if customer.external_userid:
        given.append(("marketing", "wecom", "granted" if draw[0] < 0.9 else "denied"))
    if customer.unionid:
        given.append(("marketing", "mini_program", "granted" if draw[0] < 0.8 else "denied"))
    if customer.phone and draw[1] < 0.75:
        given.append(("marketing", "sms", "granted" if draw[1] < 0.65 else "denied"))
    return [
        {"purpose": purpose, "channel": channel, "status": status, "notice_version": "demo-1"}
        for purpose, channel, status in given
    ]


_BASE = [
    ("event_id", pa.string()),
    ("name", pa.string()),
    ("occurred_at", pa.int64()),
    ("channel", pa.string()),
]
_BINDINGS = pa.schema(
    [
        *_BASE,
        ("staff_id", pa.string()),
        ("raw_identifiers", IDENTIFIERS),
        ("traits", pa.string()),
        ("consent", pa.string()),
    ]
)
_VISITS_SCHEMA = pa.schema(
    [
        *_BASE,
        ("touchpoint", pa.string()),
        ("session_id", pa.string()),
        (
            "items",
            pa.list_(
                pa.struct(
                    [
                        ("sku", pa.string()),
                        ("quantity", pa.float64()),
                        ("unit_price", pa.int64()),
                        ("amount", pa.int64()),
                    ]
                )
            ),
        ),
        ("raw_identifiers", IDENTIFIERS),
    ]
)
