"""Brands: the outermost scope. Each has its own keys, currency and time zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import Scope
from quanyu.access.errors import brand_not_found
from quanyu.access.tables import brand
from quanyu.kernel.clock import Clock
from quanyu.kernel.label import Label
from quanyu.storage.state import State


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand of this installation."""

    brand_id: int
    key: str
    name: Label
    currency: str
    time_zone: str

    def scope(self, stores: frozenset[str] | None = None, staff_id: str | None = None) -> Scope:
        """The scope of this brand, whole or narrowed to stores or a guide."""
        return Scope(self.brand_id, self.key, self.currency, self.time_zone, stores, staff_id)


class Brands:
    """Finds and makes brands; remembers them, since they hardly change."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._known: dict[str, Brand] = {}

    def create(self, *, key: str, name: Label, currency: str, time_zone: str) -> Brand:
        """Make the brand `key`, or return it as it is."""
        with self._state.write() as tx:
            exists = tx.execute(sa.select(brand.c.brand_id).where(brand.c.key == key)).first()
            if exists is None:
                tx.execute(
                    sa.insert(brand).values(
                        key=key,
                        name_zh=name.zh,
                        name_en=name.en,
                        currency=currency,
                        time_zone=time_zone,
                        made_at=self._clock.now(),
                    )
                )
        self._known.clear()
        return self.get(key)

    def get(self, key: str) -> Brand:
        """The brand `key`. Raises NotFound."""
        found = self._known.get(key)
        if found is None:
            self.list()
            found = self._known.get(key)
        if found is None:
            raise brand_not_found(key)
        return found

    def by_id(self, brand_id: int) -> Brand:
        """The brand with this number. Raises NotFound."""
        for found in [*self._known.values(), *self.list()]:
            if found.brand_id == brand_id:
                return found
        raise brand_not_found(str(brand_id))

    def list(self) -> list[Brand]:
        """All brands in the order in which they were made."""
        with self._state.read() as tx:
            found = [_brand(row) for row in tx.execute(sa.select(brand).order_by(brand.c.brand_id))]
        self._known = {item.key: item for item in found}
        return found


def _brand(row: Any) -> Brand:
    return Brand(row.brand_id, row.key, Label(row.name_zh, row.name_en), row.currency, row.time_zone)
