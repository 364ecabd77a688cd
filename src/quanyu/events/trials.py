"""Trials: what a replay of quarantined items would do, judged as the worker judges what comes in. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from quanyu.events import quarantine
from quanyu.events.bodies import BadEncoding
from quanyu.events.contracts import Batch, Frame, FrameHeader, Position, Rejected
from quanyu.events.keys import KeyIndex
from quanyu.kernel.ids import stable_id

FrameOf = tuple[FrameHeader, bytes]


@dataclass(frozen=True, slots=True)
class Tried:
    """What a replay of some items would do. `ready` are frames by item, `bad` what is wrong with the others.

    `stored` and `duplicate` count events of the ready ones.
    """

    ready: dict[str, FrameOf]
    bad: dict[str, tuple[str, str, str]]  # reason, where, detail
    stored: int
    duplicate: int


class Trials:
    """Tries items. `decode` judges frames as the worker does, `keys` opens the index of stored ids."""

    def __init__(self, decode: Callable[[Sequence[Frame]], Batch], keys: Callable[[], KeyIndex]) -> None:
        self._decode = decode
        self._keys = keys

    def of(self, rows: Sequence[Any], raws: dict[str, bytes]) -> Tried:
        """Judge items with the given bytes in their place, all together."""
        ready: dict[str, FrameOf] = {}
        bad: dict[str, tuple[str, str, str]] = {}
        for row in rows:
            try:
                header, payload = quarantine.replay_frame(row, raws[row.quarantine_id])
            except BadEncoding as error:
                bad[row.quarantine_id] = (error.reason, "", error.detail)
                continue
            if header.events:
                ready[row.quarantine_id] = (header, payload)
            else:
                bad[row.quarantine_id] = ("no_data", "", "")
        batch = self._tried(ready)
        if batch is not None and batch.rejected:
            for quarantine_id, refused in _by_item(ready, batch.rejected).items():
                del ready[quarantine_id]
                bad[quarantine_id] = (refused.reason, refused.where, refused.detail)
            batch = self._tried(ready)
        if batch is None:
            return Tried(ready, bad, 0, 0)
        stored = int(self._keys().fresh(batch.keys).sum())
        return Tried(ready, bad, stored, batch.table.num_rows - stored)

    def _tried(self, ready: dict[str, FrameOf]) -> Batch | None:
        if not ready:
            return None
        return self._decode(
            # Each at a place of its own: an event without an id is named by its place.
            [
                Frame("replay", Position(0, place), Position(0, place + 1), _unlinked(header), payload)
                for place, (header, payload) in enumerate(ready.values())
            ]
        )


def _by_item(ready: dict[str, FrameOf], rejected: Sequence[Rejected]) -> dict[str, Rejected]:
    """The first refused event of each item: its id says which frame it came from."""
    places = {
        stable_id("replay", 0, place, index, prefix="q"): quarantine_id
        for place, (quarantine_id, (header, _)) in enumerate(ready.items())
        for index in range(header.events + 1)
    }
    found: dict[str, Rejected] = {}
    for item in rejected:
        found.setdefault(places[item.quarantine_id], item)
    return found


def _unlinked(header: FrameHeader) -> FrameHeader:
    """The header without the item that it repeats: a trial must not look like the real thing."""
    return msgspec.structs.replace(header, replays="")
