"""Personal values leave properties: by their key, by their look, in every nesting; everything else stays as it was."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quanyu.events.personal import clean, clean_text, mask
from tests.unit.events.conftest import World


def hasher(brand_id: int, pairs: list[tuple[str, str]]) -> list[str]:
    return [f"{brand_id}-{namespace}-{hash(value) & 0xFFFF:x}" for namespace, value in pairs]


def cleaned(properties: dict[str, object]) -> dict[str, object]:
    column = clean(pa.array([json.dumps(properties, ensure_ascii=False)]), [7], hasher)
    return json.loads(column[0].as_py())  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "text",
    [
        "13800138000",
        "+8613800138000",
        "138-0013-8000",
        "138 0013 8000",
        "电话13800138000谢谢",
        "?tel=%2B8613800138000&x=1",
        "?q=%E7%94%B513800138000",
        "+44 20 7946 0958",
        "li@example.com",
        "mailto:li.lei+x@mail.example.cn!",
        "?email=li%40example.com",
        "11010519491231002X",
    ],
)
def test_what_looks_personal_is_marked_wherever_it_stands(text: str) -> None:
    found = json.dumps(cleaned({"note": text, "deep": [{"a": [text]}]}), ensure_ascii=False)
    for secret in ("13800138000", "0013", "7946", "example", "491231"):
        assert secret not in found
    assert "[" in str(cleaned({"note": text})["note"])


@pytest.mark.parametrize(
    "text",
    [
        "1795317915665",
        "2026-01-02T03:04:05.678Z",
        "9f13800138000ab",
        "0.13800138000",
        "订单 31198570044",
        "https://shop.example/p/440183?utm_source=baidu",
        "4b0dce75-c965-4780-9ad3-027aa9e5e931",
        "UTC+8 10:30",
        "12800138000",
    ],
)
def test_what_only_resembles_it_stays(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "key", ["phone", "Mobile", "mobile_phone", "$email", "手机号", "id_card", "real_name", "收货地址", "$ip"]
)
def test_what_a_personal_key_holds_is_hashed_alike(key: str) -> None:
    one = cleaned({key: "secret-value", "sku": "p1"})
    assert one["sku"] == "p1"
    assert str(one[key]).startswith("hash:7-")
    assert cleaned({"a": {key: "secret-value"}})["a"] == {key: one[key]}
    assert cleaned({key: None})[key] is None


def test_a_phone_written_as_a_number_or_with_escapes_is_found() -> None:
    assert cleaned({"who": 13800138000}) == {"who": "[phone]"}
    column = clean(pa.array(['{"note":"\\u0031\\u0033800138000"}']), [7], hasher)
    assert json.loads(column[0].as_py()) == {"note": "[phone]"}


def test_rows_without_personal_values_keep_their_very_bytes() -> None:
    rows = ['{"a" : 1.0, "b":"x"}', '{"a":"13800138000"}', None, '{"at":"@home"}']
    out = clean(pa.array(rows), [1] * 4, hasher).to_pylist()
    assert (out[0], out[2], out[3]) == (rows[0], None, rows[3])
    assert json.loads(out[1]) == {"a": "[phone]"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_any_json_stays_json_and_cleaning_twice_changes_nothing(value: object) -> None:
    once = clean_text(json.dumps({"v": value}), 1, hasher)
    assert clean_text(once, 1, hasher) == once or "hash:" in once


def test_a_thousand_phones_never_reach_the_batch_in_clear(world: World) -> None:
    from quanyu.events.contracts import FrameHeader

    phones = [f"1{3 + n % 7}{n:09d}" for n in range(1000)]
    calls = [
        {
            "type": "track",
            "event": "Form",
            "userId": f"u{n}",
            "messageId": str(n),
            "properties": {"phone": phone} if n % 3 == 0 else {"text": f"致电{phone}"} if n % 3 else {"n": int(phone)},
        }
        for n, phone in enumerate(phones)
    ]
    header = FrameHeader(1_790_000_000_000_000, "segment", "web", 1000, "batch")
    world.events.log.append_now([(header, json.dumps({"batch": calls}).encode())])
    table = world.drain().table
    assert table.num_rows == 1000
    everything = json.dumps(table.drop_columns(["raw_identifiers", "traits"]).to_pylist(), ensure_ascii=False)
    assert [phone for phone in phones if phone in everything] == []


def test_half_characters_are_no_reason_to_stop() -> None:
    """JSON can name one half of a character; no store takes it."""
    cleaned = clean_text(
        '{"phone": "\\ud83d", "memo": "\\udc00 13800138000"}', 1, lambda _, values: ["h"] * len(values)
    )
    assert json.loads(cleaned) == {"phone": "hash:h", "memo": "\udc00 [phone]"}
    cleaned.encode()
