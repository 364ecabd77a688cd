"""Values as SDKs write them, read strictly: times, ids, numbers, money. Whatever cannot be read is refused."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from quanyu.events.checks import Refused
from quanyu.events.rows import MAX_AMOUNT, MAX_TEXT
from quanyu.kernel.money import minor_units

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MILLISECONDS_FROM = 100_000_000_000  # below it a number counts seconds: 1e11 s is the year 5138


def instant(value: Any, where: str) -> int:
    """Microseconds UTC of ISO 8601 text (without a zone: UTC), or of epoch seconds or milliseconds."""
    if isinstance(value, str):
        try:
            return _since_epoch(datetime.fromisoformat(value.strip()))
        except ValueError:
            pass
        try:
            value = float(value)
        except ValueError:
            raise Refused("bad_time", where, "not ISO 8601 and no epoch number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("bad_time", where, f"{type(value).__name__} is no time")
    if not math.isfinite(value) or abs(value) > 1e15:
        raise Refused("bad_time", where, "out of range")
    return round(value * 1000) if abs(value) >= _MILLISECONDS_FROM else round(value * 1_000_000)


def instant_or_none(value: Any) -> int | None:
    """`instant`, or None for what cannot be read: for times that only help, like `sentAt`."""
    if value is None or value == "":
        return None
    try:
        return instant(value, "")
    except Refused:
        return None


def _since_epoch(at: datetime) -> int:
    return ((at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def text(value: Any, where: str, limit: int = MAX_TEXT) -> str | None:
    """A short text or a whole number as text; None and blanks are None: null is not absent, but says no more."""
    if isinstance(value, str):
        found = value.strip()
    elif value is None:
        return None
    elif isinstance(value, int) and not isinstance(value, bool):
        found = str(value)
    elif isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        found = str(int(value))
    else:
        raise Refused("bad_field", where, f"{type(value).__name__} where text is wanted")
    if len(found) > limit or "\0" in found:
        raise Refused("bad_field", where, f"longer than {limit} characters, or with a NUL")
    return found or None


def number(value: Any, where: str, reason: str = "bad_quantity") -> float | None:
    """A finite number, also written as text."""
    if value is None or value == "":
        return None
    try:
        found = float(value) if not isinstance(value, bool) else None
    except (TypeError, ValueError):
        found = None
    if found is None:
        raise Refused(reason, where, f"{type(value).__name__} is no number")
    if not math.isfinite(found):
        raise Refused("not_a_number", where)
    return found


def money(value: Any, currency: str, where: str) -> int | None:
    """Minor units of a decimal amount, also written as text."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise Refused("bad_amount", where, f"{type(value).__name__} is no amount")
    try:
        amount = minor_units(value, currency)
    except (ValueError, InvalidOperation):
        raise Refused("bad_amount", where, "not a finite number") from None
    if abs(amount) > MAX_AMOUNT:
        raise Refused("bad_amount", where, "out of range")
    return amount
