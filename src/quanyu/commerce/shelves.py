"""Reading the current stock (`stocking` keeps it): by product, and of one product by store, within the scope."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.commerce.catalog import matches
from quanyu.commerce.contracts import Goods, Shelf
from quanyu.commerce.tables import category, product, stock, store
from quanyu.kernel.label import Label
from quanyu.storage.bulk import rows


def list_goods(
    tx: sa.Connection, scope: Scope, *, q: str = "", category_key: str | None = None, after: str = "", limit: int = 50
) -> list[Goods]:
    """Products of the catalogue, and those that only stock knows, by sku after `after`, with the stock in the scope."""
    inside = _inside(tx, scope)
    skus = sa.union(
        sa.select(product.c.sku).where(product.c.brand == scope.brand, product.c.sku > after),
        sa.select(stock.c.sku).where(inside, stock.c.sku > after),
    ).subquery("skus")
    held = (
        sa.select(
            stock.c.sku,
            sa.func.sum(stock.c.quantity).label("quantity"),
            sa.func.count().label("stores"),
            sa.func.min(stock.c.reported_at).label("reported_at"),
        )
        .where(inside, stock.c.sku > after)
        .group_by(stock.c.sku)
        .subquery("held")
    )
    mine = sa.and_(product.c.brand == scope.brand, product.c.sku == skus.c.sku)
    kind = sa.and_(category.c.brand == product.c.brand, category.c.category_key == product.c.category_key)
    statement = sa.select(
        skus.c.sku,
        product.c.name_zh,
        product.c.name_en,
        product.c.category_key,
        category.c.name_zh.label("category_zh"),
        category.c.name_en.label("category_en"),
        held.c.quantity,
        held.c.stores,
        held.c.reported_at,
    ).select_from(skus.outerjoin(product, mine).outerjoin(category, kind).outerjoin(held, held.c.sku == skus.c.sku))
    if category_key:
        statement = statement.where(product.c.category_key == category_key)
    if q:
        statement = statement.where(matches(skus.c.sku, q))
    return [_goods(row) for row in tx.execute(statement.order_by(skus.c.sku).limit(limit))]


def list_shelves(tx: sa.Connection, scope: Scope, sku: str) -> list[Shelf]:
    """The stock of one product by store, the stores within the scope."""
    statement = (
        sa.select(stock, store.c.name_zh, store.c.name_en)
        .outerjoin(store, sa.and_(store.c.brand == stock.c.brand, store.c.store_id == stock.c.store_id))
        .where(_inside(tx, scope), stock.c.sku == sku)
        .order_by(stock.c.store_id)
    )
    return [
        Shelf(
            r.store_id or None,
            None if r.name_zh is None else Label(r.name_zh, r.name_en),
            r.quantity,
            r.reported_at,
            r.source,
        )
        for r in tx.execute(statement)
    ]


def _inside(tx: sa.Connection, scope: Scope) -> sa.ColumnElement[bool]:
    """Stock within the scope. Who is confined sees named stores only, and a guide without stores sees none."""
    mine = stock.c.brand == scope.brand
    if scope.whole_brand:
        return mine
    given = rows(tx, {"store_id": sa.Text}, [(key,) for key in sorted(scope.store_ids or ())])
    return sa.and_(mine, stock.c.store_id.in_(sa.select(given.c.store_id)))


def _goods(r: Any) -> Goods:
    known = r.category_key is not None
    return Goods(
        r.sku,
        Label(r.name_zh, r.name_en) if known else None,
        r.category_key,
        Label(r.category_zh, r.category_en) if known else None,
        r.quantity,
        r.stores or 0,
        r.reported_at,
    )
