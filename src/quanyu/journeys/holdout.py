"""Who is held out: decided by a hash, once, and kept.

`hash(salt, person) mod 10000` spreads people evenly and independently of every other journey, because each has a
salt of its own. The arm is stored at the first exposure; changing the percentage touches new people only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

BUCKETS = 10_000


def bucket(salt: str, person_id: int) -> int:
    """The person's place in 0…9999 under `salt`: BLAKE2b, 64 bits, modulo 10,000."""
    digest = hashlib.blake2b(f"{salt}\0{person_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def is_held_out(salt: str, person_id: int, percent: float) -> bool:
    """Whether a person who has no arm yet belongs to the holdout of `percent` per cent."""
    return bucket(salt, person_id) < round(percent * BUCKETS / 100)


def held_out(salt: str, person_ids: Iterable[int], percent: float) -> dict[int, bool]:
    """`is_held_out` for many people."""
    return {person: is_held_out(salt, person, percent) for person in person_ids}
