"""Identifiers of things: opaque random ones, and stable ones derived from what they name.

Random ids carry 128 bits from the system's secure source (a UUID does not promise that), written in
Crockford base32 so that they can be read aloud and never look like a word. Where millions are made, they begin with
the time: new ones then stand side by side in an index, which costs a fraction of what scattered ones do.
"""

from __future__ import annotations

import hashlib
import random
import secrets
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]


def _base32(value: int, length: int) -> str:
    out = []
    for _ in range((length + 1) // 2):
        out.append(_PAIRS[value & 1023])
        value >>= 10
    return "".join(reversed(out))[-length:]


def _ordered(prefix: str, at: int, noise: int) -> str:
    return f"{prefix}_{_base32(at // 1000, 9)}{_base32(noise, 17)}"


class Ids(Protocol):
    """Whatever makes new identifiers."""

    def new(self, prefix: str) -> str:
        """A fresh public id, `prefix_` and 26 characters (128 random bits)."""
        ...

    def ordered(self, prefix: str, at: int) -> str:
        """A fresh public id that sorts by `at` (microseconds): 9 characters of milliseconds, then 85 random bits."""
        ...

    def token(self) -> str:
        """A fresh secret of 256 random bits: session cookies, API keys."""
        ...

    def code(self, length: int = 12) -> str:
        """A fresh short code of `length` base32 characters (5 bits each)."""
        ...


class SystemIds:
    """Ids from the system's secure random source."""

    def new(self, prefix: str) -> str:
        """A fresh public id."""
        return f"{prefix}_{_base32(secrets.randbits(128), 26)}"

    def ordered(self, prefix: str, at: int) -> str:
        """A fresh public id that sorts by time."""
        return _ordered(prefix, at, secrets.randbits(85))

    def token(self) -> str:
        """A fresh secret of 256 bits."""
        return _base32(secrets.randbits(256), 52)

    def code(self, length: int = 12) -> str:
        """A fresh short code."""
        return _base32(secrets.randbits(length * 5), length)


class SeededIds:
    """Ids that repeat with the seed: for tests and made data, never for secrets that guard anything."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def new(self, prefix: str) -> str:
        """The next public id of this seed."""
        return f"{prefix}_{_base32(self._random.getrandbits(128), 26)}"

    def ordered(self, prefix: str, at: int) -> str:
        """The next public id of this seed that sorts by time."""
        return _ordered(prefix, at, self._random.getrandbits(85))

    def token(self) -> str:
        """The next token of this seed."""
        return _base32(self._random.getrandbits(256), 52)

    def code(self, length: int = 12) -> str:
        """The next short code of this seed."""
        return _base32(self._random.getrandbits(length * 5), length)


def stable_id(*parts: str | int, prefix: str = "") -> str:
    """The id that these parts always have: 128 bits of BLAKE2b over the length-prefixed parts.

    Used wherever the same thing must get the same id again (an effect of one visit to one node, an
    event made from a business row), so that doing it twice is seen to be the same.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = str(part).encode()
        digest.update(len(data).to_bytes(4, "big"))
        digest.update(data)
    text = _base32(int.from_bytes(digest.digest(), "big"), 26)
    return f"{prefix}_{text}" if prefix else text
