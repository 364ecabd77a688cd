"""Money: integer minor units of a named currency, never a float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

_EXPONENTS = {"JPY": 0, "KRW": 0, "VND": 0}


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """`amount` minor units (分, cents) of `currency` (ISO 4217)."""

    amount: int
    currency: str

    def __add__(self, other: Money) -> Money:
        """The sum; ValueError when the currencies differ."""
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)


def exponent(currency: str) -> int:
    """How many decimal places the currency's minor unit has."""
    return _EXPONENTS.get(currency.upper(), 2)


def minor_units(value: Decimal | float | int | str, currency: str) -> int:
    """A decimal amount (`99.5`) as integer minor units (`9950`), halves away from zero.

    Raises ValueError or decimal.InvalidOperation for what is no finite number.
    """
    written, places = str(value), exponent(currency)
    whole, _, part = written.partition(".")
    if (
        len(part) <= places
        and whole.isascii()
        and whole.isdigit()
        and (not part or (part.isascii() and part.isdigit()))
    ):
        return int(whole + part.ljust(places, "0"))  # nearly every amount, exact without Decimal
    number = Decimal(written)
    if not number.is_finite():
        raise ValueError(f"{value!r} is not an amount")
    return int((number * (10**places)).quantize(Decimal(1), rounding=ROUND_HALF_UP))
