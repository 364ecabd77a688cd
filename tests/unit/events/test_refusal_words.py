"""Details of refusals are told in Chinese where they are ours, and left alone where they quote."""

import msgspec
import pytest

from quanyu.events.refusal_words import detail_in_chinese

BROKEN = [
    (b'{"a": [1, 2', "数据不完整，提前结束"),
    (b'{"a": ]}', "JSON 格式有误，第 6 个字节"),
    (b'{"a" 1}', "JSON 格式有误，第 5 个字节"),
    (b'{"a": 1} x', "JSON 格式有误，第 10 个字节"),
]


def said(text: bytes) -> str:
    """What the decoder says of it today: its words are matched, and may change with a release."""
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("detail", "chinese"),
    [
        ("the stream ends too early", "数据不完整，提前结束"),
        *((said(text), chinese) for text, chinese in BROKEN),
        ("nested too deeply", "嵌套层数过多"),
        ("not ISO 8601 and no epoch number", "既不是 ISO 8601 时间，也不是时间戳"),
        ("longer than 1024 characters, or with a NUL", "超过 1024 个字符，或含有空字符"),
        ("str is no amount", "文本不是金额"),
        ("text, integer is planned", "是文本，方案要求整数"),
        ("Expected `object`, got `array`", "应为对象，却是列表"),
        ("row 7: out of range", "row 7: 超出范围"),
        ("row 19: 一千二", "row 19: 一千二"),
        ("row 19", "row 19"),
        ("2031-01-01T00:00:00Z", "2031-01-01T00:00:00Z"),
        ("", ""),
    ],
)
def test_a_detail_is_told_in_chinese(detail: str, chinese: str) -> None:
    assert detail_in_chinese(detail) == chinese
