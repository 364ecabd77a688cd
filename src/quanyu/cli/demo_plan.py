"""The demonstration's tracking plan: what its traffic was seen to hold, published, then confirmed and put in force.

The first version is what learning proposes; the second says what things mean, who answers for them and which values
they may have.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from quanyu.access.contracts import Caller
from quanyu.app import Product
from quanyu.events.api import load_plan
from quanyu.kernel.label import Label

_LEARNT = Label("从流量学习的初稿，只观察不拦截", "Learnt from traffic; it only watches")
_CONFIRMED = Label(
    "补齐含义、单位、取值与负责人，开始执行",
    "Meanings, units, values and owners; in force from now on",
)
_SHOP = Label("门店数字化", "Store systems")
_MEMBERS = Label("会员运营", "Membership")
_MARKETING = Label("市场", "Marketing")
_PIECES = Label("件", "pieces")
_POS, KIOSK = "pos", "store_kiosk"
SCREENS = ("home", "aisle", "checkout")

Document = dict[str, Any]


def _discount(description: Label) -> Document:
    unit = Label("美分", "US cents")
    return {"type": "integer", "description": description, "unit": unit, "minimum": 0, "sources": [_POS]}


_CAMPAIGN = {"description": Label("活动编号", "Number of the campaign")}
_SCREEN = {
    "type": "text",
    "description": Label("哪一块屏", "Which screen"),
    "allowed": list(SCREENS),
    "required": True,
    "sources": [KIOSK],
}
# What people add to what was learnt. A property's owner is its event's.
_ADDED: dict[str, Document] = {
    "order_paid": {
        "description": Label("顾客付款成功，一单一条", "A customer paid; one for each order"),
        "owner": _SHOP,
        "properties": {
            "lines": {
                "description": Label("商品行数", "Lines of the receipt"),
                "unit": Label("行", "lines"),
                "minimum": 1,
                "sources": [_POS],
            },
            "week": {"description": Label("数据集的周次", "Week of the data set"), "minimum": 1, "sources": [_POS]},
            "retail_discount": _discount(Label("会员价让利", "Discount of the loyalty price")),
            "coupon_discount": _discount(Label("厂家券让利", "Discount of manufacturers' coupons")),
            "coupon_match_discount": _discount(Label("门店配券让利", "Discount matched by the store")),
        },
    },
    "coupon_redeemed": {
        "description": Label("优惠券被核销", "A coupon was used"),
        "owner": _MARKETING,
        "properties": {
            "campaign_id": _CAMPAIGN,
            "coupon_upc": {"description": Label("券的条码", "The coupon's bar code")},
            "time_known": {"description": Label("是否知道核销时刻", "Whether the time of day is known")},
        },
    },
    "campaign_mailed": {
        "description": Label("给会员寄出活动邮件", "A campaign was mailed to a member"),
        "owner": _MARKETING,
        "properties": {
            "campaign_id": _CAMPAIGN,
            "campaign_type": {
                "description": Label("活动类型", "Type of the campaign"),
                "allowed": ["Type A", "Type B", "Type C"],
            },
            "ends_on": {
                "description": Label("活动最后一天", "The campaign's last day"),
                "unit": Label("日期", "date"),
            },
        },
    },
    "stock_reported": {
        "description": Label("一个商品在一个门店或仓库的库存", "Stock of a product in a store or warehouse"),
        "owner": _SHOP,
        "properties": {
            "available": {"description": Label("可以卖的数量", "How much can be sold"), "unit": _PIECES},
            "locked": {"description": Label("已被订单占用的数量", "How much orders have taken"), "unit": _PIECES},
        },
    },
    "identified": {"description": Label("会员绑定或更新资料", "A member signed up or was updated"), "owner": _MEMBERS},
    "mini_program_opened": {
        "description": Label("打开会员小程序", "The mini program was opened"),
        "owner": _MEMBERS,
    },
    "product_viewed": {"description": Label("看了一件商品", "A product was looked at"), "owner": _MEMBERS},
    "product_added_to_cart": {
        "description": Label("把商品放进购物车", "A product was put into the cart"),
        "owner": _MEMBERS,
    },
    "products_searched": {
        "description": Label("在自助屏上找商品", "Somebody searched on a kiosk"),
        "owner": _SHOP,
        "undeclared": "keep",
        "properties": {
            "keyword": {
                "type": "text",
                "description": Label("搜了什么", "What was searched for"),
                "required": True,
            },
            "results": {
                "type": "integer",
                "description": Label("找到几件", "How many were found"),
                "unit": Label("件", "products"),
                "minimum": 0,
            },
            "screen": _SCREEN,
        },
    },
    "order_submitted": {
        "description": Label("在自助屏下单，去收银台付款", "An order was made on a kiosk, to be paid at the till"),
        "owner": _SHOP,
        "sources": [KIOSK],
        "properties": {
            "order_id": {"type": "text", "description": Label("订单号", "Number of the order"), "required": True},
            "revenue": {
                "type": "number",
                "description": Label("应付金额", "Amount to pay"),
                "unit": Label("美元", "US dollars"),
                "minimum": 0,
            },
            "pay_with": {
                "type": "text",
                "description": Label("打算怎么付", "How it will be paid"),
                "allowed": ["wechat", "alipay", "card", "cash"],
                "rule": "quarantine",
            },
            "screen": _SCREEN,
        },
    },
}


def publish_plan(product: Product, caller: Caller) -> None:
    """Look at the traffic and publish both versions."""
    brand = product.access.brands.by_id(caller.scope.brand_id)
    product.quality.check(brand)
    learnt = _learnt(product, brand.brand_id)
    confirmed = _confirmed(learnt, caller.language)
    with product.state.write() as tx:
        for document, note in ((learnt, _LEARNT), (confirmed, _CONFIRMED)):
            plan, text = load_plan(json.dumps(document)), note.text(caller.language)
            version = product.events.plans.publish(tx, caller, plan, text, after=None)
            product.access.audit.record(caller, "plan_published", f"plan/{version}", {"note": text}, tx=tx)


def _learnt(product: Product, brand_id: int) -> Document:
    """Everything that learning proposes, taken as it is."""
    events: dict[str, Document] = {}
    for one in product.events.learning.proposals(brand_id, load_plan("")):
        properties = events.setdefault(one.name, {"properties": {}})["properties"]
        if one.property:
            properties[one.property] = msgspec.to_builtins(one.suggestion)
    return {"events": events}


def _confirmed(learnt: Document, language: str) -> Document:
    """The learnt plan with everything that people add, in force."""
    events = dict(learnt["events"])
    for name, added in _ADDED.items():
        properties = dict(events.get(name, {}).get("properties", {}))
        for key, one in added.get("properties", {}).items():
            properties[key] = {
                **properties.get(key, {}),
                **_texts(one, language),
                "owner": added["owner"].text(language),
            }
        events[name] = {**_texts(added, language), "properties": properties}
    return {"enforce": True, "events": events}


def _texts(part: Document, language: str) -> Document:
    return {key: one.text(language) if isinstance(one, Label) else one for key, one in part.items()}
