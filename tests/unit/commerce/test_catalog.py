"""The catalogue: imports, search, scope, and the dimensions that the engine joins."""

from __future__ import annotations

import pyarrow as pa
import pytest

from quanyu.access.contracts import Scope
from quanyu.commerce.api import Commerce
from quanyu.commerce.contracts import PRODUCT_SCHEMA, STORE_SCHEMA
from quanyu.kernel.clock import ManualClock
from quanyu.kernel.errors import Invalid
from quanyu.kernel.label import Label
from quanyu.storage.state import State

ACME, OTHER = Scope(1, "acme"), Scope(2, "other")


def products(*rows: tuple[str, str, str]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "sku": sku,
                "name_zh": name,
                "name_en": f"{name} en",
                "category_key": category,
                "category_zh": f"品类{category}",
                "category_en": f"Category {category}",
                "department_key": "d",
                "department_zh": "部门",
                "department_en": "Department",
            }
            for sku, name, category in rows
        ],
        schema=PRODUCT_SCHEMA,
    )


@pytest.fixture
def commerce(state: State, clock: ManualClock) -> Commerce:
    door = Commerce(state, clock)
    with state.write() as tx:
        door.upsert_products(
            tx, ACME, products(("a1", "绿茶", "tea"), ("a2", "红茶", "tea"), ("b_1", "50%牛奶", "milk"))
        )
        door.upsert_products(tx, OTHER, products(("a1", "别家茶", "tea")))
        stores = [{"store_id": s, "name_zh": f"店{s}", "name_en": f"Shop {s}", "region": None} for s in ("s1", "s2")]
        door.upsert_stores(tx, ACME, pa.Table.from_pylist(stores, schema=STORE_SCHEMA))
    return door


def test_importing_again_changes_nothing_and_corrects_what_differs(commerce: Commerce, state: State) -> None:
    with state.write() as tx:
        given = products(("a1", "绿茶", "tea"), ("a2", "旧名", "tea"), ("a2", "正山小种", "tea"))
        assert commerce.upsert_products(tx, ACME, given) == 2
    assert [(p.sku, p.name.zh) for p in commerce.list_products(ACME)] == [
        ("a1", "绿茶"),
        ("a2", "正山小种"),
        ("b_1", "50%牛奶"),
    ]


def test_products_are_found_by_sku_name_and_category(commerce: Commerce) -> None:
    find = lambda **how: [p.sku for p in commerce.list_products(ACME, **how)]  # noqa: E731
    assert find(q="茶") == ["a1", "a2"]
    assert find(q="a2") == ["a2"]
    assert find(q="牛奶 EN") == ["b_1"]
    assert find(q="%") == ["b_1"]  # a percent sign is a letter here
    assert find(q="_") == []  # and so is this: skus begin with q, names contain it
    assert find(category_key="tea") == ["a1", "a2"]
    assert find(after="a1", limit=1) == ["a2"]
    assert commerce.products(ACME, ["a1", "zz"])["a1"].category == Label("品类tea", "Category tea")
    assert [p.name.zh for p in commerce.list_products(OTHER)] == ["别家茶"]


def test_categories_count_their_products(commerce: Commerce) -> None:
    found = {c.category_key: (c.products, c.department.en) for c in commerce.list_categories(ACME)}
    assert found == {"tea": (2, "Department"), "milk": (1, "Department")}


def test_stores_are_those_of_the_scope(commerce: Commerce) -> None:
    assert [s.store_id for s in commerce.list_stores(ACME)] == ["s1", "s2"]
    assert [s.store_id for s in commerce.list_stores(Scope(1, "acme", store_ids=frozenset({"s2", "s9"})))] == ["s2"]
    assert commerce.list_stores(Scope(1, "acme", store_ids=frozenset())) == []
    assert commerce.list_stores(OTHER) == []
    assert commerce.options()["stores"].names(Scope(1, "acme", store_ids=frozenset({"s2"})), ["s1", "s2"]) == {
        "s2": Label("店s2", "Shop s2")
    }


def test_dimensions_tell_when_they_are_old(commerce: Commerce, state: State) -> None:
    dimension = commerce.dimensions()["products"]
    before = dimension.token()
    rows = dimension.read().sort_by([("brand", "ascending"), ("sku", "ascending")]).to_pylist()
    assert [(r["brand"], r["sku"], r["category_key"]) for r in rows] == [
        ("acme", "a1", "tea"),
        ("acme", "a2", "tea"),
        ("acme", "b_1", "milk"),
        ("other", "a1", "tea"),
    ]
    assert dimension.token() == before
    with state.write() as tx:
        commerce.upsert_products(tx, ACME, products(("c1", "新品", "milk")))
    assert dimension.token() != before
    assert commerce.dimensions()["stores"].read().num_rows == 2


def test_a_table_without_what_is_needed_is_refused(commerce: Commerce, state: State) -> None:
    with state.write() as tx:
        with pytest.raises(Invalid, match="category_key"):
            commerce.upsert_products(tx, ACME, products(("a", "b", "c")).drop_columns(["category_key"]))
        with pytest.raises(Invalid, match="name_zh"):
            commerce.upsert_stores(
                tx, ACME, pa.table({"store_id": ["s"], "name_zh": [None], "name_en": ["x"], "region": [""]})
            )


def test_options_find_categories_by_department_too(commerce: Commerce) -> None:
    search = commerce.options()["categories"].search
    assert [(o.value, o.count) for o in search(ACME, "部门", {}, 10)] == [("tea", 2), ("milk", 1)]
    assert [o.value for o in search(ACME, "品类MILK", {}, 10)] == ["milk"]
