"""The properties that have a column of their own, read from a properties object without building the rest of it."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec

from quanyu.events.checks import Refused
from quanyu.events.contracts import CHANNELS
from quanyu.events.names import (
    ITEM_PRICE,
    ITEM_QUANTITY,
    ITEM_SKU,
    ITEM_TOTAL,
    ORDER_EVENTS,
    PRODUCT_EVENTS,
    PROPERTY_NAMES,
)
from quanyu.events.rows import Draft, Item
from quanyu.events.values import money, number, text

_MAX_ITEMS = 2000
# How a property is written -> what it may be, each with its rank among the ways to write that.
_ROLES: dict[str, list[tuple[str, int]]] = {}
for _ours, _names in PROPERTY_NAMES.items():
    for _rank, _name in enumerate(_names):
        _ROLES.setdefault(_name, []).append((_ours, _rank))
# A TypedDict decodes to the members that are there and skips the rest unread.
_decoder = msgspec.json.Decoder(TypedDict("_Known", dict.fromkeys(_ROLES, Any), total=False))  # type: ignore[operator]
_SHORT = frozenset({"order_id", "store_id", "staff_id", "effect_id", "session_id", "touchpoint"})
# The names that occur together, as they stand in an event -> which of them says what: it is always the same few.
_readings: dict[tuple[str, ...], list[tuple[str, str]]] = {}
_REMEMBER = 10_000


def _reading(names: tuple[str, ...]) -> list[tuple[str, str]]:
    best: dict[str, tuple[int, str]] = {}
    for name in names:
        for ours, rank in _ROLES[name]:
            if rank < best.get(ours, (99, ""))[0]:
                best[ours] = (rank, name)
    return [(ours, name) for ours, (_, name) in best.items()]


class Known:
    """The known properties of one event."""

    __slots__ = ("_values",)

    def __init__(self, raw: bytes) -> None:
        """Raises Refused when `raw` is neither empty, nor null, nor an object."""
        self._values: dict[str, Any] = {}
        if not raw or raw == b"null":
            return
        try:
            found = _decoder.decode(raw)
        except msgspec.ValidationError as error:
            raise Refused("bad_properties", "properties", str(error)) from None
        names = tuple([name for name, value in found.items() if value is not None])
        read = _readings.get(names)
        if read is None:
            read = _readings[names] = _reading(names)
            if len(_readings) > _REMEMBER:
                _readings.clear()
        self._values = {ours: found[name] for ours, name in read}

    def get(self, name: str) -> Any:
        """The value under the best of the ways to write `name`, or None."""
        return self._values.get(name)

    def short(self) -> frozenset[str]:
        """The names of those values that go into a column of the same name as they are."""
        return _SHORT & self._values.keys()


def fill(draft: Draft, known: Known, currency: str) -> None:
    """Set the columns of `draft` that its properties speak of. Raises Refused, naming the property."""
    for column in known.short():
        setattr(draft, column, text(known.get(column), f"properties.{column}"))
    channel = known.get("channel")
    if isinstance(channel, str) and channel in CHANNELS:
        draft.channel = channel
    name = draft.name
    if name in ORDER_EVENTS:
        draft.currency = _currency(known, currency)
        draft.items = _items(known, draft.currency)
        amount = money(known.get("refund" if name == "order_refunded" else "total"), draft.currency, "properties.total")
        if amount is None and draft.items:
            amounts = [item[3] for item in draft.items if item[3] is not None]
            amount = sum(amounts) if amounts else None
        draft.amount = amount
    elif name in PRODUCT_EVENTS:
        draft.currency = _currency(known, currency)
        draft.items = _items(known, draft.currency) or _one_item(known, draft.currency)
    elif known.get("revenue") is not None:
        draft.currency = _currency(known, currency)
        draft.amount = money(known.get("revenue"), draft.currency, "properties.revenue")
    if name in ("consent_granted", "consent_withdrawn"):
        draft.consent = _consent(known, name)


def _currency(known: Known, fallback: str) -> str:
    value = known.get("currency")
    if value is None or value == "":
        return fallback
    if not isinstance(value, str) or len(value) != 3 or not value.isascii() or not value.isalpha():
        raise Refused("bad_currency", "properties.currency", "three letters of ISO 4217")
    return value.upper()


def _items(known: Known, currency: str) -> list[Item] | None:
    products = known.get("products")
    if products is None:
        return None
    if not isinstance(products, list) or len(products) > _MAX_ITEMS:
        raise Refused("bad_items", "properties.products", f"a list of at most {_MAX_ITEMS} products")
    return [_item(product, currency, f"properties.products[{index}]") for index, product in enumerate(products)]


def _item(product: Any, currency: str, where: str) -> Item:
    if isinstance(product, str):  # 神策 lists hold texts only
        return product[:256], None, None, None
    if not isinstance(product, dict):
        raise Refused("bad_items", where, "an object is wanted")
    sku = text(_first(product, ITEM_SKU), where, 256)
    if sku is None:
        raise Refused("bad_items", where, "sku or product_id is missing")
    quantity = number(_first(product, ITEM_QUANTITY), f"{where}.quantity")
    price = money(_first(product, ITEM_PRICE), currency, f"{where}.price")
    amount = money(_first(product, ITEM_TOTAL), currency, f"{where}.total")
    return sku, quantity, price, amount if amount is not None else _line(price, quantity)


def _one_item(known: Known, currency: str) -> list[Item] | None:
    sku = text(known.get("sku"), "properties.sku", 256)
    if sku is None:
        return None
    quantity = number(known.get("quantity"), "properties.quantity")
    price = money(known.get("price"), currency, "properties.price")
    return [(sku, quantity, price, _line(price, quantity))]


def _line(price: int | None, quantity: float | None) -> int | None:
    return None if price is None else round(price * (1 if quantity is None else quantity))


def _first(values: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        found = values.get(name)
        if found is not None:
            return found
    return None


def _consent(known: Known, name: str) -> str:
    said = {
        "purpose": known.get("purpose") or "marketing",
        "channel": known.get("channel") or "any",
        "status": "granted" if name == "consent_granted" else "withdrawn",
        "notice_version": known.get("notice_version"),
        "evidence": known.get("evidence"),
    }
    if not isinstance(said["purpose"], str) or not isinstance(said["channel"], str):
        raise Refused("bad_consent", "properties.purpose", "purpose and channel are texts")
    return msgspec.json.encode([said]).decode()
