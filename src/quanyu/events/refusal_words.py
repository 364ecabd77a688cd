"""The details of refusals in Chinese. They are kept in English as the checks write them, next to a reason that has
words in both languages (`checks.REASONS`); what quotes a payload or a library stays as it is.
"""

from __future__ import annotations

import re

_TYPES = {
    "str": "文本",
    "text": "文本",
    "int": "整数",
    "integer": "整数",
    "float": "数字",
    "number": "数字",
    "bool": "布尔值",
    "boolean": "布尔值",
    "list": "列表",
    "array": "列表",
    "dict": "对象",
    "object": "对象",
    "NoneType": "空",
    "null": "空",
    "time": "时间",
}
_PHRASES = tuple(
    (re.compile(pattern), chinese)
    for pattern, chinese in (
        (r"the stream ends too early|Input data was truncated", "数据不完整，提前结束"),
        (r"JSON is malformed: .* \(byte (\d+)\)", "JSON 格式有误，第 {0} 个字节"),
        (r"not ISO 8601 and no epoch number", "既不是 ISO 8601 时间，也不是时间戳"),
        (r"a time without a time zone is no instant", "时间没有带时区"),
        (r"out of range|a number is out of range", "超出范围"),
        (r"not a finite number", "不是有限的数字"),
        (r"an object is wanted", "应为对象"),
        (r"nested too deeply", "嵌套层数过多"),
        (r"three letters of ISO 4217", "应为 ISO 4217 的三个字母，如 CNY"),
        (r"sku or product_id is missing", "缺少 sku 或 product_id"),
        (r"purpose and channel are texts", "purpose 和 channel 应为文本"),
        (r"no distinct_id and no identities", "没有 distinct_id，也没有 identities"),
        (r"neither userId nor anonymousId", "没有 userId，也没有 anonymousId"),
        (r"missing", "缺少"),
        (r"empty, too long or with a NUL", "为空、过长，或含有空字符"),
        (r"longer than (\d+) characters, or with a NUL", "超过 {0} 个字符，或含有空字符"),
        (r"more than (\d+) items or identifiers", "商品或标识超过 {0} 个"),
        (r"a list of at most (\d+) products", "应为列表，最多 {0} 件商品"),
        (r"1 to (\d+) characters", "应为 1 到 {0} 个字符"),
        (r"1 to (\d+) printable characters", "应为 1 到 {0} 个可见字符"),
        (r"(\d+) characters", "共 {0} 个字符"),
        (r"(\d+) bytes", "共 {0} 字节"),
        (r"byte (\d+): .*", "第 {0} 个字节"),
        (r"(\d+) values are allowed", "允许的值共 {0} 个"),
        (r"below (\S+)", "小于 {0}"),
        (r"above (\S+)", "大于 {0}"),
        (r"(\w+) is no time", "{0}不是时间"),
        (r"(\w+) is no number", "{0}不是数字"),
        (r"(\w+) is no amount", "{0}不是金额"),
        (r"(\w+) where text is wanted", "应为文本，却是{0}"),
        (r"(\w+), (\w+) is planned", "是{0}，方案要求{1}"),
        (r"Expected `(\w+)`, got `(\w+)`.*", "应为{0}，却是{1}"),
    )
)
_ROW = re.compile(r"(row \d+: )(.*)", re.DOTALL)


def detail_in_chinese(detail: str) -> str:
    """The detail of a refusal; unchanged where it quotes something. What names a row keeps that at its beginning."""
    row = _ROW.fullmatch(detail)
    before, said = (row[1], row[2]) if row else ("", detail)
    for pattern, chinese in _PHRASES:
        if found := pattern.fullmatch(said):
            return before + chinese.format(*(_TYPES.get(part, part) for part in found.groups()))
    return detail
