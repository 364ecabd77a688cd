"""Reading the current stock (`stocking` keeps it): by product, and of one product by store, within the scope."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.commerce.catalog import matches
from quanyu.commerce.contracts import LOW, Goods, Shelf, StockState
from quanyu.commerce.tables import category, product, stock, store
from quanyu.kernel.label import Label
from quanyu.storage.bulk import rows


def list_goods(
    tx: sa.Connection,
    scope: Scope,
    *,
    q: str = "",
    category_key: str | None = None,
    state: StockState | None = None,
    low: float = LOW,
    after: str = "",
    limit: int = 50,
) -> list[Goods]:
    """Products by sku after `after` with the stock in the scope: of the catalogue, and those that only stock knows.

    `state` leaves only some of them; a store is low on a product with more than nothing and `low` or less.
    """
    inside = _inside(tx, scope)
    out, few = _times(stock.c.quantity <= 0), _times(sa.and_(stock.c.quantity > 0, stock.c.quantity <= low))
    having = {"out": out > 0, "short": sa.or_(out > 0, few > 0)}.get(state or "")
    listed = sa.select(product.c.sku).where(product.c.brand == scope.brand, product.c.sku > after)
    held = sa.select(stock.c.sku).where(inside, stock.c.sku > after).group_by(stock.c.sku)
    if having is not None:
        held = held.having(having)
    if q:
        listed = listed.where(matches(product.c.sku, q))
        named = sa.select(product.c.sku).where(product.c.brand == scope.brand, matches(product.c.sku, q))
        held = held.where(sa.or_(stock.c.sku.startswith(q, autoescape=True), stock.c.sku.in_(named)))
    if category_key:
        listed = listed.where(product.c.category_key == category_key)
        kept = sa.select(product.c.sku).where(product.c.brand == scope.brand, product.c.category_key == category_key)
        held = held.where(stock.c.sku.in_(kept))
    if state == "unreported":
        skus: Any = listed.where(~sa.exists().where(inside, stock.c.sku == product.c.sku))
    elif state:
        skus = held
    else:
        skus = listed.union(held)
    page = skus.order_by("sku").limit(limit).subquery("page")
    sums = (
        sa.select(
            stock.c.sku,
            sa.func.sum(stock.c.quantity).label("quantity"),
            sa.func.count().label("stores"),
            out.label("out_stores"),
            few.label("low_stores"),
            sa.func.min(stock.c.reported_at).label("reported_at"),
        )
        .where(inside, stock.c.sku.in_(sa.select(page.c.sku)))
        .group_by(stock.c.sku)
        .subquery("sums")
    )
    mine = sa.and_(product.c.brand == scope.brand, product.c.sku == page.c.sku)
    kind = sa.and_(category.c.brand == product.c.brand, category.c.category_key == product.c.category_key)
    statement = sa.select(
        page.c.sku,
        product.c.name_zh,
        product.c.name_en,
        product.c.category_key,
        category.c.name_zh.label("category_zh"),
        category.c.name_en.label("category_en"),
        sums.c.quantity,
        sums.c.stores,
        sums.c.out_stores,
        sums.c.low_stores,
        sums.c.reported_at,
    ).select_from(page.outerjoin(product, mine).outerjoin(category, kind).outerjoin(sums, sums.c.sku == page.c.sku))
    return [_goods(row) for row in tx.execute(statement.order_by(page.c.sku))]


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


def _times(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    """In how many rows of a group the condition holds."""
    return sa.func.sum(sa.case((condition, 1), else_=0))


def _goods(r: Any) -> Goods:
    known = r.category_key is not None
    return Goods(
        r.sku,
        Label(r.name_zh, r.name_en) if known else None,
        r.category_key,
        Label(r.category_zh, r.category_en) if known else None,
        r.quantity,
        r.stores or 0,
        r.out_stores or 0,
        r.low_stores or 0,
        r.reported_at,
    )
