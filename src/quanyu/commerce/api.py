"""The door of commerce: the catalogue of a brand and its names."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pyarrow as pa
import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.audiences.api import OptionSource
from quanyu.commerce import catalog, shelves
from quanyu.commerce.bought import Bought
from quanyu.commerce.contracts import LOW, Category, Goods, Product, Shelf, StockState, Store
from quanyu.commerce.options import CategoryOptions, ProductOptions, StoreOptions
from quanyu.commerce.tables import stock_count
from quanyu.kernel.clock import Clock
from quanyu.kernel.label import Label
from quanyu.storage.bulk import upsert
from quanyu.storage.engine import Dimension
from quanyu.storage.state import State

__all__ = ["Bought", "Commerce"]


class Commerce:
    """Stores, products and categories of every brand."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def upsert_products(self, tx: sa.Connection, scope: Scope, data: pa.Table) -> int:
        """Add or update products with their categories (`contracts.PRODUCT_SCHEMA`); how many distinct skus.

        Raises Invalid when columns are missing or hold nulls.
        """
        return catalog.upsert_products(tx, scope.brand, data, self._clock.now())

    def upsert_stores(self, tx: sa.Connection, scope: Scope, data: pa.Table) -> int:
        """Add or update stores (`contracts.STORE_SCHEMA`); how many. Raises Invalid as for products."""
        return catalog.upsert_stores(tx, scope.brand, data, self._clock.now())

    def dimensions(self) -> Mapping[str, Dimension]:
        """What to register with the engine: `products` and `stores`."""
        return {
            "products": Dimension(self._products, lambda: self._token("products")),
            "stores": Dimension(self._stores, lambda: self._token("stores")),
        }

    def options(self) -> Mapping[str, OptionSource]:
        """What to offer to audience forms: products, categories, stores."""
        return {
            "products": ProductOptions(self._state),
            "categories": CategoryOptions(self._state),
            "stores": StoreOptions(self._state),
        }

    def list_stores(self, scope: Scope) -> list[Store]:
        """The stores within the scope."""
        with self._state.read() as tx:
            return catalog.list_stores(tx, scope)

    def list_categories(self, scope: Scope) -> list[Category]:
        """The brand's categories that have products."""
        with self._state.read() as tx:
            return catalog.list_categories(tx, scope)

    def list_products(
        self, scope: Scope, *, q: str = "", category_key: str | None = None, after: str = "", limit: int = 50
    ) -> list[Product]:
        """Products by sku, after `after`; `q` finds skus and names."""
        with self._state.read() as tx:
            return catalog.list_products(tx, scope, q=q.strip(), category_key=category_key, after=after, limit=limit)

    def list_goods(
        self,
        scope: Scope,
        *,
        q: str = "",
        category_key: str | None = None,
        state: StockState | None = None,
        low: float = LOW,
        after: str = "",
        limit: int = 50,
    ) -> list[Goods]:
        """Products by sku with their current stock in the scope's stores, those that only stock knows among them.

        `state` leaves only some of them; a store is low on a product with more than nothing and `low` or less.
        """
        with self._state.read() as tx:
            return shelves.list_goods(
                tx, scope, q=q.strip(), category_key=category_key, state=state, low=low, after=after, limit=limit
            )

    def list_shelves(self, scope: Scope, sku: str) -> list[Shelf]:
        """The current stock of one product by store, those of the scope."""
        with self._state.read() as tx:
            return shelves.list_shelves(tx, scope, sku)

    def ask_stock_recount(self, tx: sa.Connection, scope: Scope) -> None:
        """Let the worker count the brand's stock anew from history at its next turn."""
        upsert(tx, stock_count, [{"brand": scope.brand, "counted_at": None}], ["brand"], ["counted_at"])

    def products(self, scope: Scope, skus: Collection[str]) -> Mapping[str, Product]:
        """Those of the skus that the catalogue has."""
        with self._state.read() as tx:
            return catalog.products_by_sku(tx, scope, skus)

    def store_names(self, scope: Scope) -> Mapping[str, Label]:
        """The names of the stores within the scope."""
        return {store.store_id: store.name for store in self.list_stores(scope)}

    def _products(self) -> pa.Table:
        with self._state.read() as tx:
            return catalog.products_dimension(tx)

    def _stores(self) -> pa.Table:
        with self._state.read() as tx:
            return catalog.stores_dimension(tx)

    def _token(self, kind: catalog.Kind) -> str:
        with self._state.read() as tx:
            return str(catalog.revision(tx, kind))
