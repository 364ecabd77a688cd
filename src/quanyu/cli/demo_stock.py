"""The demonstration's stock: an export of an ERP, mapped by the ready mapping, of the goods that sell best.

The file is made from the data's products and stores; how it comes in is in `demo_files.py`. A few shops have run
out of something, some have little left, and one has not reported for a week.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from quanyu.access.contracts import Caller
from quanyu.app import Product
from quanyu.app.connectors import CompleteJourney
from quanyu.cli.demo_files import MadeFile, import_made
from quanyu.kernel.label import Label

SOURCE = "demo_stock_file"
_MADE = MadeFile(
    source=SOURCE,
    name=Label("ERP 库存（演示生成）", "ERP stock (made for the demo)"),
    file=Label("ERP库存.csv", "ERP stock.csv"),
    mapping="erp_stock",
)
_HEADER = ("仓库编码", "商品编码", "商品名称", "可用库存", "占用库存", "更新时间")
_PRODUCTS, _STORES = 40, 8
_WAREHOUSE = "DC01"


def import_stock(product: Product, caller: Caller, connector: CompleteJourney, now: datetime) -> None:
    """Import the file to its end, once; the log holds it afterwards."""

    def content() -> bytes:
        goods = [(str(one["sku"]), str(one["name"])) for one in connector.best_sellers(_PRODUCTS, caller.language)]
        return stock_file(goods, connector.busiest_stores(_STORES), now.astimezone(ZoneInfo(caller.scope.time_zone)))

    import_made(product, caller, _MADE, content)


def stock_file(goods: list[tuple[str, str]], stores: list[str], now: datetime) -> bytes:
    """The export: every product (sku, name) in each store and the warehouse, counted the evening before `now`."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_HEADER)
    for place, store in enumerate([*stores, _WAREHOUSE]):
        silent = 7 if place == len(stores) - 1 else 0
        counted = now.replace(hour=22, minute=5 * place) - timedelta(days=1 + silent)
        for rank, (sku, name) in enumerate(goods):
            chance = (rank * 37 + place * 61 + (rank + place) * place * 13) % 100
            left = _left(chance, rank) if store != _WAREHOUSE else _left(chance, rank) * 20
            writer.writerow([store, sku, name, left, chance % 4 if left > 10 else 0, f"{counted:%Y-%m-%d %H:%M}:00"])
    return text.getvalue().encode("utf-8-sig")


def _left(chance: int, rank: int) -> int:
    """How much is left: often plenty, more of what sells better, sometimes little, seldom nothing."""
    if chance < 4:
        return 0
    if chance < 12:
        return 1 + chance % 5
    return 8 + chance * (60 - rank) // 40
