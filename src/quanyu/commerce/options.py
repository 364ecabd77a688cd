"""Stores, products and categories as options of audience forms."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from quanyu.access.contracts import Scope
from quanyu.audiences.api import Option, contains
from quanyu.commerce import catalog
from quanyu.kernel.label import Label
from quanyu.storage.state import State


class ProductOptions:
    """Products, found by sku or name."""

    def __init__(self, state: State) -> None:
        self._state = state

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:  # noqa: ARG002
        """Products whose sku or name contains `q`."""
        with self._state.read() as tx:
            found = catalog.list_products(tx, scope, q=q, limit=limit)
        return [Option(p.sku, p.name) for p in found]

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:
        """The names of those skus that exist."""
        with self._state.read() as tx:
            return {sku: p.name for sku, p in catalog.products_by_sku(tx, scope, keys).items()}


class CategoryOptions:
    """Categories with how many products they hold."""

    def __init__(self, state: State) -> None:
        self._state = state

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:  # noqa: ARG002
        """Categories whose key, name or department contains `q`, the largest first."""
        with self._state.read() as tx:
            found = catalog.list_categories(tx, scope)
        hits = [c for c in found if contains(q, c.category_key, c.name) or contains(q, "", c.department)]
        hits.sort(key=lambda c: (-c.products, c.category_key))
        return [Option(c.category_key, c.name, c.products) for c in hits[:limit]]

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:
        """The names of those categories that exist."""
        with self._state.read() as tx:
            known = catalog.category_names(tx, scope.brand)
        return {key: known[key] for key in keys if key in known}


class StoreOptions:
    """Stores within the caller's scope."""

    def __init__(self, state: State) -> None:
        self._state = state

    def search(self, scope: Scope, q: str, about: Mapping[str, str], limit: int) -> list[Option]:  # noqa: ARG002
        """Stores whose id or name contains `q`."""
        with self._state.read() as tx:
            found = catalog.list_stores(tx, scope)
        return [Option(s.store_id, s.name) for s in found if contains(q, s.store_id, s.name)][:limit]

    def names(self, scope: Scope, keys: Collection[str]) -> Mapping[str, Label]:
        """The names of those stores that exist."""
        with self._state.read() as tx:
            return {s.store_id: s.name for s in catalog.list_stores(tx, scope) if s.store_id in keys}
