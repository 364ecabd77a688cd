"""Tables of commerce: the catalogue of each brand. `brand` is the brand's key, as in history."""

from __future__ import annotations

import sqlalchemy as sa

from quanyu.storage.schema import Instant, metadata

category = sa.Table(
    "category",
    metadata,
    sa.Column("brand", sa.Text, primary_key=True),
    sa.Column("category_key", sa.Text, primary_key=True),
    sa.Column("name_zh", sa.Text, nullable=False),
    sa.Column("name_en", sa.Text, nullable=False),
    sa.Column("department_key", sa.Text, nullable=False),
    sa.Column("department_zh", sa.Text, nullable=False),
    sa.Column("department_en", sa.Text, nullable=False),
    sa.Index("ix_category_department", "brand", "department_key"),
)

product = sa.Table(
    "product",
    metadata,
    sa.Column("brand", sa.Text, primary_key=True),
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("name_zh", sa.Text, nullable=False),
    sa.Column("name_en", sa.Text, nullable=False),
    sa.Column("category_key", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["brand", "category_key"], ["category.brand", "category.category_key"]),
    sa.Index("ix_product_category", "brand", "category_key", "sku"),
)

store = sa.Table(
    "store",
    metadata,
    sa.Column("brand", sa.Text, primary_key=True),
    sa.Column("store_id", sa.Text, primary_key=True),
    sa.Column("name_zh", sa.Text, nullable=False),
    sa.Column("name_en", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=True),
)

# Counts up whenever rows of a kind change, so that what was derived from them knows that it is old.
catalog_revision = sa.Table(
    "catalog_revision",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.CheckConstraint("kind IN ('products', 'stores')", name="kind"),
)

# What was reported last of each product in each store or warehouse; `store_id` is empty where a report names none.
stock = sa.Table(
    "stock",
    metadata,
    sa.Column("brand", sa.Text, primary_key=True),
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("store_id", sa.Text, primary_key=True),
    sa.Column("quantity", sa.Double, nullable=False),
    sa.Column("reported_at", Instant, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),  # the report
    sa.Index("ix_stock_report", "source", "event_id"),
)

# When the stock of a brand was last counted anew from history; null where somebody asked for it since.
stock_count = sa.Table(
    "stock_count",
    metadata,
    sa.Column("brand", sa.Text, primary_key=True),
    sa.Column("counted_at", Instant, nullable=True),
)
