"""The frozen values that cross the door of commerce, and the shapes of its imports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pyarrow as pa

from quanyu.kernel.label import Label

PRODUCT_SCHEMA: pa.Schema = pa.schema(
    [
        pa.field("sku", pa.string(), nullable=False),
        pa.field("name_zh", pa.string(), nullable=False),
        pa.field("name_en", pa.string(), nullable=False),
        pa.field("category_key", pa.string(), nullable=False),
        pa.field("category_zh", pa.string(), nullable=False),
        pa.field("category_en", pa.string(), nullable=False),
        pa.field("department_key", pa.string(), nullable=False),
        pa.field("department_zh", pa.string(), nullable=False),
        pa.field("department_en", pa.string(), nullable=False),
    ]
)
"""One row per product; a category's names are repeated on its products."""

STORE_SCHEMA: pa.Schema = pa.schema(
    [
        pa.field("store_id", pa.string(), nullable=False),
        pa.field("name_zh", pa.string(), nullable=False),
        pa.field("name_en", pa.string(), nullable=False),
        pa.field("region", pa.string()),
    ]
)

PRODUCTS_DIMENSION: pa.Schema = pa.schema(
    [
        pa.field("brand", pa.string()),
        pa.field("sku", pa.string()),
        pa.field("category_key", pa.string()),
        pa.field("department_key", pa.string()),
    ]
)
STORES_DIMENSION: pa.Schema = pa.schema(
    [pa.field("brand", pa.string()), pa.field("store_id", pa.string()), pa.field("region", pa.string())]
)

UNKNOWN_CATEGORY = Label("未归类", "Not in the catalogue")
UNKNOWN_STORE = Label("未知门店", "Unknown store")


@dataclass(frozen=True, slots=True)
class Store:
    """A shop of the brand."""

    store_id: str
    name: Label
    region: str | None


@dataclass(frozen=True, slots=True)
class Category:
    """A category of products, in its department."""

    category_key: str
    name: Label
    department_key: str
    department: Label
    products: int


@dataclass(frozen=True, slots=True)
class Product:
    """A product (SKU)."""

    sku: str
    name: Label
    category_key: str
    category: Label
    department: Label


# Products that were reported at all, that some store has none or few of, none of, and that nobody reported.
StockState = Literal["reported", "short", "out", "unreported"]
LOW = 5.0  # how much is few, where nobody says so


@dataclass(frozen=True, slots=True)
class Goods:
    """A product with its stock in `stores` stores; None where nothing was reported.

    A product that only stock knows has no name and no category. `reported_at` is the oldest report of those stores.
    """

    sku: str
    name: Label | None
    category_key: str | None
    category: Label | None
    quantity: float | None
    stores: int
    out_stores: int  # those that have none left
    low_stores: int  # those that have some, but few
    reported_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """What one store, or a report that names none, has of a product: how much, as of when, reported by whom."""

    store_id: str | None
    name: Label | None
    quantity: float
    reported_at: datetime
    source: str
