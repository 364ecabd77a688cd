"""Origins: whose the events of a source are, looked up once per frame and remembered."""

from __future__ import annotations

from quanyu.access.api import Brand, Brands
from quanyu.events.rows import Origin
from quanyu.events.sources import OWN, Sources


class Origins:
    """Sources with their brands."""

    def __init__(self, sources: Sources, brands: Brands) -> None:
        self._sources = sources
        self._brands = brands
        self._known: dict[int, Brand] = {}

    def of(self, source: str, received_at: int) -> Origin | None:
        """What all events share that a source sent at a time; None for a source that is not known."""
        found = self._sources.get(source)
        if found is None:
            return None
        brand = self.brand(found.brand_id)
        return Origin(source, brand.brand_id, brand.key, brand.currency, brand.time_zone, found.channel, received_at)

    def own(self, source: str) -> bool:
        """Whether the product itself, or a channel's callbacks, record there."""
        found = self._sources.get(source)
        return found is not None and found.kind in OWN

    def brand(self, brand_id: int) -> Brand:
        """A brand by its number. Raises NotFound."""
        found = self._known.get(brand_id)
        if found is None:
            found = self._known[brand_id] = self._brands.by_id(brand_id)
        return found
