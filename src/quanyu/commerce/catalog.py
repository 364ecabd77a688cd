"""Importing, finding and naming stores, products and categories."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa
import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.commerce.contracts import (
    PRODUCT_SCHEMA,
    PRODUCTS_DIMENSION,
    STORE_SCHEMA,
    STORES_DIMENSION,
    Category,
    Product,
    Store,
)
from quanyu.commerce.tables import catalog_revision, category, product, store
from quanyu.kernel.errors import Invalid
from quanyu.kernel.label import Label
from quanyu.storage.bulk import rows, upsert

Kind = Literal["products", "stores"]


def upsert_products(tx: sa.Connection, brand: str, data: pa.Table, at: datetime) -> int:
    """Add or update products and their categories; rows as in `PRODUCT_SCHEMA`, the last of equal skus wins.

    Raises Invalid when columns are missing or hold nulls.
    """
    table = _shaped(data, PRODUCT_SCHEMA)
    given = table.to_pylist()
    categories = {
        row["category_key"]: {
            "brand": brand,
            "category_key": row["category_key"],
            "name_zh": row["category_zh"],
            "name_en": row["category_en"],
            "department_key": row["department_key"],
            "department_zh": row["department_zh"],
            "department_en": row["department_en"],
        }
        for row in given
    }
    products = {
        row["sku"]: {
            "brand": brand,
            "sku": row["sku"],
            "name_zh": row["name_zh"],
            "name_en": row["name_en"],
            "category_key": row["category_key"],
        }
        for row in given
    }
    names = ["name_zh", "name_en"]
    departments = ["department_key", "department_zh", "department_en"]
    upsert(tx, category, list(categories.values()), ["brand", "category_key"], names + departments)
    upsert(tx, product, list(products.values()), ["brand", "sku"], [*names, "category_key"])
    _changed(tx, "products", at)
    return len(products)


def upsert_stores(tx: sa.Connection, brand: str, data: pa.Table, at: datetime) -> int:
    """Add or update stores; rows as in `STORE_SCHEMA`. Raises Invalid when columns are missing or hold nulls."""
    given = _shaped(data, STORE_SCHEMA).to_pylist()
    stores = {row["store_id"]: {"brand": brand, **row} for row in given}
    upsert(tx, store, list(stores.values()), ["brand", "store_id"], ["name_zh", "name_en", "region"])
    _changed(tx, "stores", at)
    return len(stores)


def _shaped(data: pa.Table, schema: pa.Schema) -> pa.Table:
    missing = [field.name for field in schema if field.name not in data.column_names]
    if not missing:
        data = data.select(schema.names).cast(pa.schema([field.with_nullable(True) for field in schema]))
        missing = [field.name for field in schema if not field.nullable and data.column(field.name).null_count]
    if missing:
        raise Invalid(
            "catalog_columns_missing",
            Label("商品或门店数据缺少列", "The catalogue's data lacks columns"),
            detail=Label(f"缺少或有空值：{'、'.join(missing)}", f"Missing, or holding nulls: {', '.join(missing)}"),
        )
    return data


def _changed(tx: sa.Connection, kind: Kind, at: datetime) -> None:
    known = tx.execute(
        sa.update(catalog_revision)
        .where(catalog_revision.c.kind == kind)
        .values(revision=catalog_revision.c.revision + 1, changed_at=at)
    )
    if not known.rowcount:
        upsert(tx, catalog_revision, [{"kind": kind, "revision": 1, "changed_at": at}], ["kind"], ["changed_at"])


def revision(tx: sa.Connection, kind: Kind) -> int:
    """How often rows of the kind have changed."""
    found = tx.execute(sa.select(catalog_revision.c.revision).where(catalog_revision.c.kind == kind))
    return found.scalar_one_or_none() or 0


def products_dimension(tx: sa.Connection) -> pa.Table:
    """Every brand's products with category and department, for the engine."""
    statement = sa.select(product.c.brand, product.c.sku, product.c.category_key, category.c.department_key).join_from(
        product, category
    )
    return _arrow(tx, statement, PRODUCTS_DIMENSION)


def stores_dimension(tx: sa.Connection) -> pa.Table:
    """Every brand's stores, for the engine."""
    return _arrow(tx, sa.select(store.c.brand, store.c.store_id, store.c.region), STORES_DIMENSION)


def _arrow(tx: sa.Connection, statement: sa.Select[Any], schema: pa.Schema) -> pa.Table:
    found = tx.execute(statement).all()
    columns = list(zip(*found, strict=True)) or [()] * len(schema)
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def list_stores(tx: sa.Connection, scope: Scope) -> list[Store]:
    """The stores within the scope."""
    statement = sa.select(store).where(store.c.brand == scope.brand).order_by(store.c.store_id)
    if scope.store_ids is not None:
        given = rows(tx, {"store_id": sa.Text}, [(key,) for key in sorted(scope.store_ids)])
        statement = statement.where(store.c.store_id.in_(sa.select(given.c.store_id)))
    return [Store(r.store_id, Label(r.name_zh, r.name_en), r.region) for r in tx.execute(statement)]


def list_categories(tx: sa.Connection, scope: Scope) -> list[Category]:
    """The categories that have products, by department."""
    counts = (
        sa.select(product.c.category_key, sa.func.count().label("n"))
        .where(product.c.brand == scope.brand)
        .group_by(product.c.category_key)
        .subquery()
    )
    statement = (
        sa.select(category, counts.c.n)
        .join(counts, counts.c.category_key == category.c.category_key)
        .where(category.c.brand == scope.brand)
        .order_by(category.c.department_key, category.c.category_key)
    )
    return [
        Category(
            r.category_key,
            Label(r.name_zh, r.name_en),
            r.department_key,
            Label(r.department_zh, r.department_en),
            r.n,
        )
        for r in tx.execute(statement)
    ]


def matches(sku: sa.ColumnElement[str], q: str) -> sa.ColumnElement[bool]:
    """Whether a product is meant by `q`: its sku (the given column) begins with it, or its name contains it."""
    return sa.or_(
        sku.startswith(q, autoescape=True),
        product.c.name_zh.icontains(q, autoescape=True),
        product.c.name_en.icontains(q, autoescape=True),
    )


def list_products(
    tx: sa.Connection, scope: Scope, *, q: str = "", category_key: str | None = None, after: str = "", limit: int = 50
) -> list[Product]:
    """Products by sku after `after`, those whose sku or name contains `q`, of one category if given."""
    statement = _products().where(product.c.brand == scope.brand, product.c.sku > after)
    if category_key:
        statement = statement.where(product.c.category_key == category_key)
    if q:
        statement = statement.where(matches(product.c.sku, q))
    return [_product(r) for r in tx.execute(statement.order_by(product.c.sku).limit(limit))]


def products_by_sku(tx: sa.Connection, scope: Scope, skus: Collection[str]) -> dict[str, Product]:
    """Those of the skus that the catalogue has."""
    given = rows(tx, {"sku": sa.Text}, [(sku,) for sku in sorted(set(skus))])
    # `IN`, not a join: SQLite then looks the skus up in the key instead of walking the catalogue.
    statement = _products().where(product.c.brand == scope.brand, product.c.sku.in_(sa.select(given.c.sku)))
    return {r.sku: _product(r) for r in tx.execute(statement)}


def _products() -> sa.Select[Any]:
    return sa.select(
        product.c.sku,
        product.c.name_zh,
        product.c.name_en,
        product.c.category_key,
        category.c.name_zh.label("category_zh"),
        category.c.name_en.label("category_en"),
        category.c.department_zh,
        category.c.department_en,
    ).join_from(product, category)


def _product(r: Any) -> Product:
    return Product(
        r.sku,
        Label(r.name_zh, r.name_en),
        r.category_key,
        Label(r.category_zh, r.category_en),
        Label(r.department_zh, r.department_en),
    )


def category_names(tx: sa.Connection, brand: str) -> Mapping[str, Label]:
    """Every category's name by key."""
    found = tx.execute(
        sa.select(category.c.category_key, category.c.name_zh, category.c.name_en).where(category.c.brand == brand)
    )
    return {r.category_key: Label(r.name_zh, r.name_en) for r in found}
