"""The frozen shapes that cross the door of events: the record, what surrounds it, sources and frames.

`EVENT_SCHEMA` is what history keeps. `BATCH_SCHEMA` is the same while it travels through a micro-batch: it adds
what must never reach history (raw identifiers, traits in clear) and the number of the brand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from quanyu.kernel.label import Label

ITEM = pa.struct(
    [
        pa.field("sku", pa.string()),
        pa.field("quantity", pa.float64()),
        pa.field("unit_price", pa.int64()),
        pa.field("amount", pa.int64()),
    ]
)
IDENTIFIER = pa.struct([pa.field("namespace", pa.string()), pa.field("value", pa.string())])

EVENT_SCHEMA: pa.Schema = pa.schema(
    [
        pa.field("event_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("name", pa.string()),
        pa.field("occurred_at", pa.int64()),
        pa.field("received_at", pa.int64()),
        pa.field("day", pa.string()),
        pa.field("brand", pa.string()),
        pa.field("person_id", pa.int64()),
        pa.field("anchor_id", pa.int64()),
        pa.field("identifiers", pa.list_(pa.string())),
        pa.field("channel", pa.string()),
        pa.field("touchpoint", pa.string()),
        pa.field("store_id", pa.string()),
        pa.field("staff_id", pa.string()),
        pa.field("effect_id", pa.string()),
        pa.field("session_id", pa.string()),
        pa.field("order_id", pa.string()),
        pa.field("items", pa.list_(ITEM)),
        pa.field("amount", pa.int64()),
        pa.field("currency", pa.string()),
        pa.field("properties", pa.string()),
        pa.field("consent", pa.string()),
    ]
)

# Only while a micro-batch is in memory. `traits` is a JSON object of operations, in clear:
# {"set": {…}, "set_once": {…}, "increment": {…}, "append": {…}, "unset": […], "delete": true,
#  "unbind": [{"namespace": …, "value": …}], "tags": [{"group": …, "name": …}]}
# `replaces` is the id of an event of the same source that this one corrects (`replacing`).
BATCH_SCHEMA: pa.Schema = pa.schema(
    [
        *EVENT_SCHEMA,
        pa.field("brand_id", pa.int64()),
        pa.field("raw_identifiers", pa.list_(IDENTIFIER)),
        pa.field("traits", pa.string()),
        pa.field("replaces", pa.string()),
    ]
)

CHANNELS: dict[str, Label] = {
    "store": Label("门店", "Store"),
    "mini_program": Label("小程序", "Mini program"),
    "web": Label("网站", "Web"),
    "app": Label("App", "App"),
    "wecom": Label("企业微信", "WeCom"),
    "official_account": Label("公众号", "Official account"),
    "sms": Label("短信", "SMS"),
    "ads": Label("广告", "Ads"),
    "tmall": Label("天猫", "Tmall"),
    "jd": Label("京东", "JD"),
    "douyin": Label("抖音", "Douyin"),
    "other": Label("其他", "Other"),
}

# The kinds of identifier that events may carry; their policies belong to identity.
NAMESPACES: frozenset[str] = frozenset(
    {
        "member_no",
        "phone",
        "unionid",
        "openid",
        "external_userid",
        "user_id",
        "anonymous_id",
        "email",
        "card",
        "platform_buyer",
        "household",
    }
)

EVENT_LABELS: dict[str, Label] = {
    "order_paid": Label("支付订单", "Order paid"),
    "order_refunded": Label("订单退款", "Order refunded"),
    "order_submitted": Label("提交订单", "Order submitted"),
    "product_viewed": Label("浏览商品", "Product viewed"),
    "product_list_viewed": Label("浏览商品列表", "Product list viewed"),
    "products_searched": Label("搜索商品", "Products searched"),
    "product_added_to_cart": Label("加入购物车", "Product added to cart"),
    "product_removed_from_cart": Label("移出购物车", "Product removed from cart"),
    "cart_viewed": Label("查看购物车", "Cart viewed"),
    "checkout_started": Label("开始结算", "Checkout started"),
    "page_viewed": Label("浏览页面", "Page viewed"),
    "element_clicked": Label("点击元素", "Element clicked"),
    "app_opened": Label("打开 App", "App opened"),
    "mini_program_opened": Label("打开小程序", "Mini program opened"),
    "coupon_issued": Label("发放优惠券", "Coupon issued"),
    "coupon_viewed": Label("查看优惠券", "Coupon viewed"),
    "coupon_redeemed": Label("核销优惠券", "Coupon redeemed"),
    "campaign_mailed": Label("营销邮寄", "Campaign mailed"),
    "message_submitted": Label("消息已提交", "Message submitted"),
    "message_accepted": Label("消息已受理", "Message accepted"),
    "message_rejected": Label("消息被拒", "Message rejected"),
    "message_unknown": Label("消息结果未知", "Message outcome unknown"),
    "message_suppressed": Label("消息被拦截", "Message suppressed"),
    "message_held_out": Label("对照组未发送", "Message held out"),
    "message_delivered": Label("消息已送达", "Message delivered"),
    "message_read": Label("消息已读", "Message read"),
    "contact_added": Label("添加好友", "Contact added"),
    "contact_blocked": Label("删除或拉黑", "Contact blocked"),
    "contact_removed": Label("员工删除客户", "Contact removed"),
    "consent_granted": Label("同意授权", "Consent granted"),
    "consent_withdrawn": Label("撤回授权", "Consent withdrawn"),
    "identified": Label("识别客户", "Identified"),
    "identifier_unbound": Label("解绑标识", "Identifier unbound"),
    "profile_updated": Label("更新资料", "Profile updated"),
    "group_joined": Label("加入群组", "Group joined"),
    "item_updated": Label("更新物品资料", "Item updated"),
    "item_removed": Label("删除物品资料", "Item removed"),
}


def event_label(name: str) -> Label:
    """How people read an event's name; a name that nobody labelled reads as it is."""
    return EVENT_LABELS.get(name) or Label(name, name)


class Position(NamedTuple):
    """A place in one writer's log: the segment's number and a byte offset in it."""

    segment: int
    offset: int


START = Position(0, 0)


class FrameHeader(msgspec.Struct, array_like=True, frozen=True):
    """What a frame says in clear: nothing personal. `received_at` is microseconds UTC.

    `events` is how many events were acknowledged with it. `reason` is set when the body could not be read:
    such a frame goes to quarantine whole. `replays` names the quarantined item that it repeats. `first_row` is the
    number, from 1, of its first row in the stream that it was cut from.
    """

    received_at: int
    protocol: str
    source: str
    events: int
    call: str = ""
    reason: str = ""
    detail: str = ""
    replays: str = ""
    sent_at: str = ""
    first_row: int = 0


@dataclass(frozen=True, slots=True)
class Damage:
    """A frame of which bytes rotted, or the torn rest of one, and what its header still says, which nothing proves."""

    writer: str
    begin: Position
    bytes: int
    torn: bool
    header: FrameHeader | None

    @property
    def end(self) -> Position:
        """Where it ends."""
        return Position(self.begin.segment, self.begin.offset + self.bytes)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as read back: where it stands, where the next one begins, and its opened payload."""

    writer: str
    begin: Position
    end: Position
    header: FrameHeader
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Source:
    """A system that sends events of one brand. `made` marks what a demonstration generated."""

    source: str
    brand_id: int
    name: Label
    kind: str
    channel: str | None = None
    made: bool = False
    active: bool = True
    key_hint: str | None = None


class NativeItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of an order: prices in minor units."""

    sku: str
    quantity: float | None = None
    unit_price: int | None = None
    amount: int | None = None


class NativeIdentifier(msgspec.Struct, frozen=True):
    """An identifier in clear, on its way to be hashed and sealed."""

    namespace: str
    value: str


class NativeEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An event that the product itself, or a connector, records. `occurred_at` is an instant or microseconds UTC.

    `replaces` names the event of the same source that this one corrects: nobody counts that one any more.

    `event_id` is the idempotency key: recording it twice for one source stores it once. `traits` are operations
    as in `BATCH_SCHEMA`; `consent` is a list of {purpose, channel, status, notice_version, evidence}.
    """

    event_id: str
    name: str
    occurred_at: datetime | int
    identifiers: tuple[NativeIdentifier, ...] = ()
    channel: str | None = None
    touchpoint: str | None = None
    store_id: str | None = None
    staff_id: str | None = None
    effect_id: str | None = None
    session_id: str | None = None
    order_id: str | None = None
    items: tuple[NativeItem, ...] = ()
    amount: int | None = None
    currency: str | None = None
    properties: Mapping[str, Any] = msgspec.field(default_factory=dict)
    traits: Mapping[str, Any] = msgspec.field(default_factory=dict)
    consent: tuple[Mapping[str, Any], ...] = ()
    replaces: str | None = None


class RefusedRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of a file or table (numbered from 0) that is no event: why, in which column, and all that it holds."""

    row: int
    reason: str
    column: str
    value: str
    raw: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that failed a check, with its raw bytes: it goes to quarantine, never away."""

    quarantine_id: str
    brand_id: int
    source: str
    received_at: int
    protocol: str
    call: str
    reason: str
    detail: str
    where: str
    sent_at: str
    raw: bytes = field(repr=False)
    count: int = 1


@dataclass(frozen=True, slots=True)
class Batch:
    """What decoding frames gave: rows, what was refused, and what the frames said they hold.

    `table` has `BATCH_SCHEMA` in order of time; `accepted` counts acknowledged events by (source, hour in
    microseconds UTC); `replays` lists (quarantine id, source, hour, events) of repeated items; `began` and `ended`
    say which stretch of which writer's log this is. `deduplicate` sets `duplicates` and the rows' `keys`.
    """

    table: pa.Table
    rejected: tuple[Rejected, ...]
    accepted: Mapping[tuple[str, int], int]
    replays: tuple[tuple[str, str, int, int], ...]
    began: Mapping[str, Position]
    ended: Mapping[str, Position]
    duplicates: Mapping[tuple[str, int], int] = field(default_factory=dict)
    keys: Any = None
    # What broke the tracking plan: (brand, source, event, property, reason, rule, hour) -> (count, masked example).
    violations: Mapping[tuple[int, str, str, str, str, str, int], tuple[int, str]] = field(default_factory=dict)
    # What was stepped over while this stretch was read.
    damaged: tuple[Damage, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there was nothing to read."""
        return not self.ended


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the log: events (also by source), bytes, and when the oldest was received (microseconds)."""

    events: int = 0
    bytes: int = 0
    oldest_at: int | None = None
    by_source: Mapping[str, int] = field(default_factory=dict)
