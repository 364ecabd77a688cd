"""Luck and made-up ids, from the seed alone: the same question has the same answer, in whatever order it is asked.

There is no stream of random numbers here on purpose: a stream would make outcomes depend on who came first.
"""

from __future__ import annotations

import hashlib
import hmac
import math


class Chance:
    """Draws that are functions of the seed and a key."""

    def __init__(self, seed: int) -> None:
        self._key = str(seed).encode()

    def digest(self, *key: object) -> str:
        """64 hex digits that belong to the key."""
        text = "\x1f".join(map(str, key)).encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()

    def draw(self, *key: object) -> float:
        """A number in [0, 1) that belongs to the key."""
        return int(self.digest(*key)[:13], 16) / 16**13

    def happens(self, rate: float, *key: object) -> bool:
        """Whether something of this probability happens."""
        return self.draw(*key) < rate

    def delay(self, mean: float, *key: object) -> float:
        """Seconds until it happens: exponential around `mean`, without the absurd tails."""
        return min(max(-math.log(1.0 - self.draw(*key)), 0.05), 5.0) * mean

    def pick(self, count: int, *key: object) -> int:
        """An index below `count`."""
        return int(self.draw(*key) * count)
