"""Columns of text become typed columns: times, money, numbers, flags. Whole columns at once, never a cell at a time.

Each reader gives the values and a mask of the cells that hold something it cannot read; an empty cell is null and no
mistake. Spreadsheets armour numbers (`="0012"`, `'0012`, a trailing tab): that is taken off first.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]

_EMPTY = pa.array(["", "null", "NULL", "Null", r"\N", "None", "NaN", "nan", "#N/A", "-", "--"])
_YES = ["是", "y", "yes", "true", "1", "on", "√", "已同意", "同意", "有", "启用"]
_NO = ["否", "n", "no", "false", "0", "off", "×", "不同意", "无", "停用"]
_DATE_TIME = (
    r"^(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?"
    r"(?:[T\s]*(?P<H>\d{1,2})[:：时点](?P<M>\d{1,2})(?:[:：分](?P<S>\d{1,2})(?:\.(?P<f>\d{1,9}))?秒?|分)?)?"
    r"\s*(?P<z>Z|[+-]\d{2}:?\d{2})?$"
)
_COMPACT = r"^(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})(?:(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})(?P<f>)(?P<z>))?$"
_LARGEST_CENTS = 2**53


def tidy(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Text without space around it and without a spreadsheet's armour; what stands for nothing is null."""
    text = column.cast(pa.string())
    text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
    text = pc.utf8_trim(text, characters=" \t\r\n\u00a0\u3000\ufeff\u200b")
    text = pc.replace_substring_regex(text, r'^="(.*)"$', r"\1")
    text = pc.utf8_trim(pc.replace_substring_regex(text, r"^'", ""), characters=" \t")
    return pc.if_else(pc.is_in(text, _EMPTY), None, text)


def masked(text: pa.Array) -> Mask:
    """Which values a platform has masked (`138****1234`, `张**`) or lent (a virtual phone with its extension,
    `18400000000-1234`): they say nothing of who it is.
    """
    return true(pc.match_substring_regex(text, r"[*＊]|^[xX]{3,}$|^1\d{10}\s*[-_转]\s*\d{2,6}$"))


def money(text: pa.Array, unit: str) -> tuple[pa.Array, Mask]:
    """Integer cents of amounts such as `¥1,234.50`, `12元`; half a cent is rounded away from zero."""
    plain = pc.replace_substring_regex(text, r"[,，\s￥¥元]|CNY|RMB", "")
    wrong = true(pc.invert(pc.match_substring_regex(plain, r"^[+-]?\d{1,14}(\.\d{0,9})?$")))
    number = pc.if_else(pa.array(wrong), None, plain)
    exact = pc.replace_substring_regex(number, r"^\+|\.$", "").cast(pa.decimal128(24, 9))
    if unit == "yuan":
        exact = pc.multiply(exact, pa.scalar(100, pa.decimal128(4, 0)))
    cents = pc.round(exact, 0, round_mode="half_towards_infinity").cast(pa.decimal128(38, 0)).cast(pa.int64())
    wrong = wrong | true(pc.greater(pc.abs(cents), _LARGEST_CENTS))
    return cents, wrong


def number(text: pa.Array) -> tuple[pa.Array, Mask]:
    """Numbers, also with thousands separators and per cent (`12%` is 0.12)."""
    plain = pc.replace_substring_regex(text, r"[,，\s]", "")
    percent = true(pc.ends_with(plain, "%"))
    plain = pc.replace_substring_regex(plain, "%$", "")
    wrong = true(pc.invert(pc.match_substring_regex(plain, r"^[+-]?(\d{1,18}(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?$")))
    value = pc.replace_substring_regex(pc.if_else(pa.array(wrong), None, plain), r"^\+", "").cast(pa.float64())
    return pc.if_else(pa.array(percent), pc.divide(value, 100.0), value), wrong


def flag(text: pa.Array) -> tuple[pa.Array, Mask]:
    """Yes and no, as Chinese and English exports write them."""
    low = pc.utf8_lower(text)
    yes, no = pc.is_in(low, pa.array(_YES)), pc.is_in(low, pa.array(_NO))
    known = pc.or_(yes, no)
    return pc.if_else(known, yes, None), true(pc.and_(pc.is_valid(text), pc.invert(known)))


def instants(text: pa.Array, time_zone: str, form: str | None = None) -> tuple[pa.Array, Mask]:
    """Microseconds UTC of local times, of times that name their offset, and of Unix seconds or milliseconds.

    The hour that is skipped when clocks go forward reads as the next, the repeated one as its first.
    """
    if form:
        parsed = pc.strptime(text, format=form, unit="us", error_is_null=True)
        out = _zoned(parsed, time_zone)
        return out, true(pc.and_(pc.is_valid(text), pc.is_null(out)))
    out = pa.nulls(len(text), pa.int64())
    for pattern in (_DATE_TIME, _COMPACT):
        if out.null_count == text.null_count:
            break
        out = pc.coalesce(out, _civil(pc.extract_regex(text, pattern), time_zone))
    if out.null_count != text.null_count:
        unix = pc.if_else(_filled(pc.match_substring_regex(text, r"^\d{10}(\d{3})?$")), text, None).cast(pa.int64())
        scale = pc.if_else(pc.greater(unix, 10**11), 1000, 1_000_000)
        out = pc.coalesce(out, pc.multiply(unix, scale))
    return out, true(pc.and_(pc.is_valid(text), pc.is_null(out)))


def _civil(parts: Any, time_zone: str) -> pa.Array:
    """Microseconds UTC of the captured parts of a date and time; null where they are none."""
    missing = pc.is_null(parts).to_numpy(zero_copy_only=False)

    def part(name: str, least: int = 0) -> npt.NDArray[np.int64]:
        field = pc.struct_field(parts, [name])
        field = pc.if_else(pc.equal(field, ""), None, field)
        return np.asarray(field.cast(pa.int64()).fill_null(least).to_numpy(zero_copy_only=False), np.int64)

    year, month, day = part("y", 1970), part("m", 1), part("d", 1)
    hour, minute, second = part("H"), part("M"), part("S")
    fraction = pc.utf8_slice_codeunits(pc.utf8_rpad(pc.fill_null(pc.struct_field(parts, ["f"]), ""), 6, "0"), 0, 6)
    micro = np.asarray(fraction.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    inside = ~missing & (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    month = np.where(inside, month, 1)
    first = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    date = first.astype("datetime64[D]") + (day - 1)
    inside &= date.astype("datetime64[M]") == first  # 31 April is no day
    local = date.astype("datetime64[us]").astype(np.int64)
    local = local + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micro
    naive = pa.array(local, pa.timestamp("us"), mask=~inside)
    zone = pc.struct_field(parts, ["z"])
    named = true(pc.greater(pc.utf8_length(zone), 0))
    out = _zoned(naive, time_zone)
    if not named.any():
        return out
    shape = pc.extract_regex(zone, r"^(?P<sign>[+-])(?P<h>\d{2}):?(?P<m>\d{2})$")
    hours, minutes = (pc.struct_field(shape, [one]).cast(pa.int64()) for one in ("h", "m"))
    offset = pc.multiply(pc.add(pc.multiply(hours, 60), minutes), 60_000_000)
    offset = pc.if_else(pc.equal(pc.struct_field(shape, ["sign"]), "-"), pc.negate(offset), offset)
    return pc.if_else(pa.array(named), pc.subtract(naive.cast(pa.int64()), pc.fill_null(offset, 0)), out)


def _zoned(naive: pa.Array, time_zone: str) -> pa.Array:
    ZoneInfo(time_zone)  # a wrong name fails here, with its name
    return pc.assume_timezone(naive, time_zone, ambiguous="earliest", nonexistent="latest").cast(pa.int64())


def _filled(mask: pa.Array) -> pa.Array:
    return pc.fill_null(mask, fill_value=False)


def true(mask: pa.Array) -> Mask:
    """A mask of Arrow's in which null means no."""
    return np.asarray(_filled(mask).to_numpy(zero_copy_only=False), bool)
