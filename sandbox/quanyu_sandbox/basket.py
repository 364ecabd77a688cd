"""What a virtual customer buys: a basket from the catalogue, drawn from the seed and never from a stream.

The catalogue can be replaced by the brand's own products; this one lets the sandbox stand alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quanyu_sandbox.people import Impossible
from quanyu_sandbox.world import World

_SHELF = (
    ("SBX-1001", "山茶花修护面霜", 16_800), ("SBX-1002", "玫瑰纯露", 8_900), ("SBX-1003", "防晒乳 SPF50", 12_900),
    ("SBX-1004", "氨基酸洁面", 6_900), ("SBX-2001", "云南小粒咖啡豆", 7_800), ("SBX-2002", "明前龙井", 19_800),
    ("SBX-2003", "坚果礼盒", 12_800), ("SBX-2004", "手工曲奇", 4_900), ("SBX-3001", "羊毛围巾", 25_900),
    ("SBX-3002", "纯棉 T 恤", 9_900), ("SBX-3003", "帆布托特包", 13_900), ("SBX-3004", "香薰蜡烛", 10_800),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a basket; `unit_price` in minor units."""

    sku: str
    name: str
    quantity: int
    unit_price: int


@dataclass(frozen=True, slots=True)
class Basket:
    """What is bought; `amount` in minor units."""

    lines: tuple[Line, ...]

    @property
    def amount(self) -> int:
        """The sum before any discount."""
        return sum(line.quantity * line.unit_price for line in self.lines)


class Catalogue:
    """The products that customers choose from."""

    def __init__(self, world: World) -> None:
        self.world = world

    def stock(self, rows: list[dict[str, Any]]) -> int:
        """Replace the catalogue by `{sku, name?, unit_price}` rows, prices in minor units. Raises Impossible."""
        good = [
            (str(row.get("sku") or ""), str(row.get("name") or row.get("sku")), row.get("unit_price")) for row in rows
        ]
        for place, (sku, _, price) in enumerate(good):
            if not sku or not isinstance(price, int) or price <= 0:
                raise Impossible(f"products[{place}]: sku and a unit_price above 0 in minor units are needed")
        with self.world.store.write() as db:
            db.execute("DELETE FROM product")
            db.executemany("INSERT OR REPLACE INTO product VALUES (?,?,?)", good)
        return len(good)

    def basket(self, *luck: object, at_least: int = 0) -> Basket:
        """One to three products; the last one as often as it takes to reach `at_least` minor units."""
        shelf = [tuple(row) for row in self.world.store.all("SELECT * FROM product ORDER BY sku")] or list(_SHELF)
        count = min(1 + self.world.chance.pick(3, "lines", *luck), len(shelf))
        chosen: dict[str, Line] = {}
        for place in range(count):
            sku, name, price = shelf[self.world.chance.pick(len(shelf), "line", place, *luck)]
            before = chosen.pop(sku, None)
            chosen[sku] = Line(sku, name, (before.quantity if before else 0) + 1, price)
        lines = list(chosen.values())
        missing = at_least - sum(line.quantity * line.unit_price for line in lines)
        if missing > 0:
            last = lines[-1]
            more = -(-missing // last.unit_price)
            lines[-1] = Line(last.sku, last.name, last.quantity + more, last.unit_price)
        return Basket(tuple(lines))
