"""Routes of commerce: the catalogue, for forms and filters."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from quanyu.access.api import Audit, Guard
from quanyu.access.contracts import Caller
from quanyu.commerce.api import Commerce
from quanyu.commerce.contracts import LOW, StockState
from quanyu.kernel.label import Label
from quanyu.storage.state import State


class CatalogLabel(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


class StoreOut(BaseModel):
    """A store."""

    store_id: str
    name: CatalogLabel
    region: str | None


class StoreList(BaseModel):
    """Stores; always one page."""

    items: list[StoreOut]
    next_cursor: str | None = None
    total: int | None


class CategoryOut(BaseModel):
    """A category with its department and how many products it holds."""

    category_key: str
    name: CatalogLabel
    department: CatalogLabel
    products: int


class CategoryList(BaseModel):
    """Categories; always one page."""

    items: list[CategoryOut]
    next_cursor: str | None = None
    total: int | None


class ProductOut(BaseModel):
    """A product."""

    sku: str
    name: CatalogLabel
    category: CatalogLabel
    category_key: str
    department: CatalogLabel


class ProductList(BaseModel):
    """One page of products; `next_cursor` is the sku to go on after."""

    items: list[ProductOut]
    next_cursor: str | None
    total: int | None = None


class GoodsOut(BaseModel):
    """A product with its current stock in the caller's stores, null where nothing was reported.

    `reported_at` is the oldest of the reports that `quantity` adds up. `out_stores` have none left, `low_stores` few.
    A product that only stock knows has no name.
    """

    sku: str
    name: CatalogLabel | None
    category_key: str | None
    category: CatalogLabel | None
    quantity: float | None
    stores: int
    out_stores: int
    low_stores: int
    reported_at: datetime | None


class GoodsList(BaseModel):
    """One page of products with stock; `next_cursor` is the sku to go on after."""

    items: list[GoodsOut]
    next_cursor: str | None
    total: int | None = None


class ShelfOut(BaseModel):
    """What one store has of a product; `store_id` is null where a report names no store."""

    store_id: str | None
    name: CatalogLabel | None
    quantity: float
    reported_at: datetime
    source: str


class ShelfList(BaseModel):
    """Stores; always one page."""

    items: list[ShelfOut]
    next_cursor: str | None = None
    total: int | None


def _label(given: Label | None) -> CatalogLabel | None:
    return None if given is None else CatalogLabel(**given.as_dict())


def router(door: Commerce, guard: Guard, state: State, audit: Audit) -> APIRouter:
    """The routes of commerce."""
    routes = APIRouter(tags=["commerce"])

    @routes.get("/stores", summary="List the stores within the caller's scope")
    def list_stores(caller: Annotated[Caller, Depends(guard.permit("catalog.read"))]) -> StoreList:
        found = door.list_stores(caller.scope)
        items = [StoreOut(store_id=s.store_id, name=CatalogLabel(**s.name.as_dict()), region=s.region) for s in found]
        return StoreList(items=items, total=len(items))

    @routes.get("/categories", summary="List the categories of products")
    def list_categories(caller: Annotated[Caller, Depends(guard.permit("catalog.read"))]) -> CategoryList:
        items = [
            CategoryOut(
                category_key=c.category_key,
                name=CatalogLabel(**c.name.as_dict()),
                department=CatalogLabel(**c.department.as_dict()),
                products=c.products,
            )
            for c in door.list_categories(caller.scope)
        ]
        return CategoryList(items=items, total=len(items))

    @routes.get("/products", summary="Find products by sku or name, or of one category")
    def list_products(
        caller: Annotated[Caller, Depends(guard.permit("catalog.read"))],
        q: Annotated[str, Query(max_length=200)] = "",
        category: Annotated[str | None, Query(max_length=200)] = None,
        cursor: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> ProductList:
        found = door.list_products(caller.scope, q=q, category_key=category, after=cursor, limit=limit + 1)
        items = [
            ProductOut(
                sku=p.sku,
                name=CatalogLabel(**p.name.as_dict()),
                category=CatalogLabel(**p.category.as_dict()),
                category_key=p.category_key,
                department=CatalogLabel(**p.department.as_dict()),
            )
            for p in found[:limit]
        ]
        return ProductList(items=items, next_cursor=items[-1].sku if len(found) > limit else None)

    @routes.get("/stock", summary="Products with their current stock in the caller's stores")
    def list_stock(
        caller: Annotated[Caller, Depends(guard.permit("catalog.read"))],
        q: Annotated[str, Query(max_length=200)] = "",
        category: Annotated[str | None, Query(max_length=200)] = None,
        state: Annotated[
            StockState | None,
            Query(description="`short`: some store has none or few, `out`: some store has none"),
        ] = None,
        low: Annotated[float, Query(ge=0, le=1e9, description="Few is this much or less")] = LOW,
        cursor: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> GoodsList:
        found = door.list_goods(
            caller.scope, q=q, category_key=category, state=state, low=low, after=cursor, limit=limit + 1
        )
        items = [
            GoodsOut(
                sku=one.sku,
                name=_label(one.name),
                category_key=one.category_key,
                category=_label(one.category),
                quantity=one.quantity,
                stores=one.stores,
                out_stores=one.out_stores,
                low_stores=one.low_stores,
                reported_at=one.reported_at,
            )
            for one in found[:limit]
        ]
        return GoodsList(items=items, next_cursor=items[-1].sku if len(found) > limit else None)

    @routes.get("/stock/stores", summary="The current stock of one product by store")
    def list_stock_of_product(
        caller: Annotated[Caller, Depends(guard.permit("catalog.read"))],
        sku: Annotated[str, Query(min_length=1, max_length=200)],
    ) -> ShelfList:
        items = [
            ShelfOut(
                store_id=one.store_id,
                name=_label(one.name),
                quantity=one.quantity,
                reported_at=one.reported_at,
                source=one.source,
            )
            for one in door.list_shelves(caller.scope, sku)
        ]
        return ShelfList(items=items, total=len(items))

    @routes.post("/stock/recount", status_code=202, summary="Ask the worker to count stock anew from history")
    def ask_stock_recount(caller: Annotated[Caller, Depends(guard.permit("sources.write"))]) -> None:
        with state.write() as tx:
            door.ask_stock_recount(tx, caller.scope)
            audit.record(caller, "stock_recount_asked", "stock", {}, tx=tx)

    return routes
