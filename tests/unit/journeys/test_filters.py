import pyarrow as pa
import pytest

from quanyu.journeys.filters import EventBatch
from quanyu.journeys.nodes import Filter


@pytest.fixture
def batch() -> EventBatch:
    return EventBatch(
        pa.table(
            {
                "name": ["order_paid", "order_paid", "page_viewed", "order_paid", None],
                "amount": pa.array([9950, None, 5, 100, 7], pa.int64()),
                "channel": ["store", "web", "web", None, "web"],
                "items": pa.array(
                    [[{"sku": "A"}, {"sku": "B"}], [], None, [{"sku": "C"}], None],
                    pa.list_(pa.struct([("sku", pa.string())])),
                ),
                "properties": ['{"method":"wechat","vip":true,"n":"12"}', "{}", '{"method":"x"}', "not json", None],
            }
        )
    )


@pytest.mark.parametrize(
    ("prop", "operator", "value", "rows"),
    [
        ("amount", "gte", 100, [0, 3]),
        ("amount", "gt", "100", [0]),
        ("amount", "unknown", None, [1]),
        ("channel", "eq", "web", [1]),
        ("channel", "ne", "web", [0]),
        ("channel", "in", ["web", "store"], [0, 1]),
        ("method", "eq", "wechat", [0]),
        ("properties.method", "contains", "chat", [0]),
        ("method", "known", None, [0]),
        ("vip", "eq", True, [0]),
        ("vip", "eq", "true", [0]),
        ("n", "lt", 13, [0]),
        ("n", "lt", "x", []),
        ("sku", "eq", "B", [0]),
        ("sku", "in", ["C", "Z"], [3]),
        ("sku", "unknown", None, [1]),
    ],
)
def test_a_filter_selects_its_rows(batch: EventBatch, prop: str, operator: str, value: object, rows: list[int]) -> None:
    assert batch.matching("order_paid", [Filter(property=prop, operator=operator, value=value)]).tolist() == rows


def test_all_filters_must_hold_and_names_select_first(batch: EventBatch) -> None:
    both = [Filter(property="amount", operator="gte", value=100), Filter(property="sku", operator="eq", value="C")]
    assert batch.matching("order_paid", both).tolist() == [3]
    assert batch.matching("page_viewed", []).tolist() == [2]
    assert batch.matching("nothing", both).tolist() == []
    assert batch.property_of(0, "method") == "wechat"
    assert batch.property_of(4, "method") is None
