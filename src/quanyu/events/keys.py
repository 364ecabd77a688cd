"""Which events were stored before, for ever: an index of 128-bit keys of (source, event_id).

Sorted runs on disk, opened as memory maps: a batch becomes a small run, and runs are merged so that each is at
least four times as large as the next, like in an LSM tree; large ones by a thread of its own, while batches go on.
Looking up a batch is a search in a handful of runs, in sorted order, so that neighbouring keys share pages.
16 bytes per event ever stored.

The index is a cache: history says what was stored. `marker` is the last batch that it holds; when that does not
fit history, `rebuild` makes it again. Not for two processes at once.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import blake2b
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import numpy as np
import numpy.typing as npt

from quanyu.events.disk import Disk
from quanyu.storage.compiled import compiled

log = logging.getLogger(__name__)

Keys = npt.NDArray[np.void]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

KEY = np.dtype([("high", "<u8"), ("low", "<u8")])
_MANIFEST = "manifest.json"
_GROWTH = 4
_APART = 1 << 20  # keys, from which on a merge is worth a thread
_VERSION = 1


def keys_of(sources: Sequence[str], event_ids: Sequence[str]) -> Keys:
    """The keys of events: BLAKE2b of source and id. Two of 10 billion are alike with p < 1e-18."""
    hashed: dict[str, Any] = {}
    out = bytearray()
    for source, event_id in zip(sources, event_ids, strict=True):
        start = hashed.get(source)
        if start is None:
            start = hashed[source] = blake2b(source.encode() + b"\0", digest_size=16)
        digest = start.copy()
        digest.update(event_id.encode())
        out += digest.digest()
    return np.frombuffer(bytes(out), KEY)


@dataclass(frozen=True, slots=True)
class _Run:
    path: Path | None  # none: not on disk yet
    high: U64
    low: U64

    def __len__(self) -> int:
        return len(self.high)


@dataclass(frozen=True, slots=True)
class Looked:
    """Keys in order, and which of them were `new`: the first of their kind, and in none of `runs`."""

    order: I64
    high: U64
    low: U64
    new: npt.NDArray[np.bool_]
    runs: tuple[_Run, ...]


class _Merge(Thread):
    """Makes one run of several, in a file that no manifest names yet; `made` once it is there."""

    def __init__(self, runs: Sequence[_Run], path: Path, disk: Disk) -> None:
        super().__init__(name="key-merge", daemon=True)
        self.runs = tuple(runs)
        self.path = path
        self.made: _Run | None = None
        self._disk = disk

    def run(self) -> None:
        try:
            self.made = _written(_merged(self.runs), self.path, self._disk)
        except OSError as error:  # the runs are as good as they were, and a later batch tries again
            log.warning("key_merge_failed", extra={"why": type(error).__name__})


class KeyIndex:
    """The set of keys in a folder. Thread-safe for reading; one writer.

    Merges that make more than `apart` keys run beside the batches.
    """

    def __init__(self, folder: Path, disk: Disk | None = None, *, apart: int = _APART) -> None:
        self._folder = folder
        self._disk = disk or Disk()
        self._apart = apart
        folder.mkdir(parents=True, exist_ok=True)
        self._runs: list[_Run] = []
        self._merge: _Merge | None = None
        self._lock = Lock()  # of who wrote the manifest
        self.marker = -1
        self._seen: tuple[int, int] | None = None
        self.complete = self._load()

    def __len__(self) -> int:
        return sum(len(run) for run in self._runs)

    def refresh(self) -> None:
        """Look again if another process wrote the index since: work may have changed hands."""
        with self._lock:
            if self._stamp() != self._seen:
                self._runs, self.marker = [], -1
                self.complete = self._load()

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = (self._folder / _MANIFEST).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def look(self, keys: Keys) -> Looked:
        """Which of `keys` are stored as far as is known now. What it says stays true. May run beside `keep`."""
        order = _order(keys)
        high, low = keys["high"][order], keys["low"][order]
        new = np.ones(len(keys), bool)
        new[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        runs = tuple(self._runs)
        for run in runs:
            new &= ~_found(run, high, low)
        return Looked(order, high, low, new, runs)

    def fresh(self, keys: Keys, looked: Looked | None = None) -> npt.NDArray[np.bool_]:
        """Which of `keys` are new: in no run, and the first of their kind among `keys`.

        `looked` is what `look` said of them before: only what came since is looked through.
        """
        before = looked or self.look(keys)
        new = before.new.copy()
        for run in self._runs:
            if not any(run is one for one in before.runs):
                new &= ~_found(run, before.high, before.low)
        out = np.empty(len(keys), bool)
        out[before.order] = new
        return out

    def add(self, keys: Keys, marker: int) -> None:
        """Keep `keys` and remember that the batch `marker` is in. Doing it twice changes nothing."""
        self.note(keys)
        self.keep(marker)

    def note(self, keys: Keys) -> None:
        """From now on `keys` are stored ones, in memory; they are on disk after `keep`. Never while that runs."""
        if len(keys):
            self._runs = [*self._runs, _Run(None, *_sorted_unique(keys))]

    def keep(self, marker: int) -> None:
        """Put what was noted on disk and remember that the batch `marker` is in. May run beside readers."""
        runs, busy = self._with_merged()
        first = busy + _uneven(runs[busy:])
        apart = sum(map(len, runs[first:])) > self._apart
        if len(runs) - first > 1 and not apart:
            runs[first:] = [_merged(runs[first:])]
        runs = [run if run.path else _written(run, self._path(), self._disk) for run in runs]
        if len(runs) - first > 1 and apart and not busy:
            self._merge = _Merge(runs[first:], self._path(), self._disk)
            self._merge.start()
        self._publish(runs, marker)

    def _with_merged(self) -> tuple[list[_Run], int]:
        """The runs, with what was merged apart in place; and how many of them are still being merged, or older."""
        runs, merge = list(self._runs), self._merge
        if merge is None:
            return runs, 0
        paths, gone = [run.path for run in runs], [run.path for run in merge.runs]
        first = paths.index(gone[0]) if gone[0] in paths else len(paths)
        here = paths[first : first + len(gone)] == gone  # else the index was made again, or read from another process
        if merge.is_alive():
            return runs, first + len(gone) if here else len(runs)
        self._merge = None
        if here and merge.made is not None:
            runs[first : first + len(gone)] = [merge.made]
        return runs, 0

    def rebuild(self, parts: Iterable[Keys], marker: int) -> None:
        """Make the index again from all keys that history has."""
        self._publish([], -1)
        for part in parts:
            self.add(part, -1)
        self._publish(self._runs, marker)
        self.complete = True

    def _path(self) -> Path:
        """A file that nobody else writes, not even somebody whose turn is over and who does not know it."""
        number, path = tempfile.mkstemp(".keys", "run-", self._folder)
        os.close(number)
        return Path(path)

    def _publish(self, runs: list[_Run], marker: int) -> None:
        """Make `runs` the index in one step, then forget files that are no part of it."""
        named = [(run.path.name, run) for run in runs if run.path]
        manifest = {
            "version": _VERSION,
            "marker": marker,
            "runs": [{"file": name, "keys": len(run)} for name, run in named],
        }
        draft = self._folder / f"{_MANIFEST}.draft"
        with draft.open("w", encoding="utf-8") as file:
            json.dump(manifest, file)
            file.flush()
            self._disk.sync(file.fileno())
        with self._lock:
            draft.rename(self._folder / _MANIFEST)
            self._seen = self._stamp()
        self._disk.sync_folder(self._folder)
        self._runs = runs
        self.marker = marker
        used = {name for name, _ in named} | ({self._merge.path.name} if self._merge else set())
        for path in self._folder.glob("run-*"):
            if path.name not in used:
                path.unlink(missing_ok=True)

    def _load(self) -> bool:
        """Open what the manifest names; False (and an empty index) when anything of it is missing or wrong."""
        self._seen = self._stamp()
        try:
            manifest = json.loads((self._folder / _MANIFEST).read_text(encoding="utf-8"))
            if manifest["version"] != _VERSION:
                return False
            runs = [_open(self._folder / run["file"], int(run["keys"])) for run in manifest["runs"]]
            self.marker = int(manifest["marker"])
        except (OSError, ValueError, KeyError, TypeError):
            return False
        self._runs = runs
        return True


def _open(path: Path, count: int) -> _Run:
    """Map a run's file. Raises ValueError when it is not as long as the manifest says."""
    if os.stat(path).st_size != 16 * count:  # noqa: PTH116 - one call, on a hot path of start-up
        raise ValueError(f"{path} should hold {count} keys")
    if not count:
        empty = np.zeros(0, np.uint64)
        return _Run(path, empty, empty)
    whole = np.memmap(path, np.uint64, "r", shape=(2, count))
    return _Run(path, whole[0], whole[1])


@compiled
def _places(among: Any, keys: Any) -> Any:
    """`np.searchsorted(among, keys)` for sorted `keys`: hashes are spread evenly, so each place can nearly be told."""
    places = np.empty(keys.size, np.int64)
    begin, off = 0, 0  # where the next place can be at the earliest, and by how much the last one was told wrong
    for i in range(keys.size):
        told = np.int64(np.float64(keys[i]) * 2.0**-64 * among.size)
        low = min(max(told + off, begin), among.size)
        high, step = low, 1
        if low < among.size and among[low] < keys[i]:
            while high < among.size and among[high] < keys[i]:
                low, high, step = high + 1, high + step, step * 2
            high = min(high, among.size)
        else:
            while low > begin and among[low - 1] >= keys[i]:
                high, low, step = low - 1, low - step, step * 2
            low = max(low, begin)
        while low < high:
            middle = (low + high) // 2
            if among[middle] < keys[i]:
                low = middle + 1
            else:
                high = middle
        places[i] = begin = low
        off = low - told
    return places


def _found(run: _Run, high: U64, low: U64) -> npt.NDArray[np.bool_]:
    """Which of the sorted (high, low) are in the run."""
    found = np.zeros(len(high), bool)
    if not len(run):
        return found
    places = _places(run.high, high)
    open_ = np.flatnonzero(places < len(run))
    # Halves of different keys may be alike, rarely: walk along the equal ones.
    while len(open_):
        open_ = open_[run.high[places[open_]] == high[open_]]
        hit = run.low[places[open_]] == low[open_]
        found[open_[hit]] = True
        open_ = open_[~hit]
        places[open_] += 1
        open_ = open_[places[open_] < len(run)]
    return found


def _order(keys: Keys) -> I64:
    """What sorts the keys, equal ones as they came."""
    order = np.argsort(keys["high"])
    high = keys["high"][order]
    if (high[1:] == high[:-1]).any():  # repetitions, or keys that are half alike: rare, and dear
        return np.lexsort((keys["low"], keys["high"]))
    return order


def _sorted_unique(keys: Keys) -> tuple[U64, U64]:
    order = _order(keys)
    high, low = keys["high"][order], keys["low"][order]
    keep = np.ones(len(high), bool)
    keep[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return high[keep], low[keep]


def _uneven(runs: Sequence[_Run]) -> int:
    """From where on the runs are to be one, so that each is `_GROWTH` times as large as the next."""
    first, size = len(runs), 0
    while first and (size == 0 or len(runs[first - 1]) < _GROWTH * size):
        first -= 1
        size += len(runs[first])
    return first


def _written(run: _Run, path: Path, disk: Disk) -> _Run:
    with path.open("wb") as file:
        run.high.tofile(file)
        run.low.tofile(file)
        file.flush()
        disk.sync(file.fileno())
    return _open(path, len(run))


def _merged(runs: Sequence[_Run]) -> _Run:
    """All runs as one, in memory; the newest, which are the smallest, first."""
    return reduce(lambda newer, older: _joined(older, newer), reversed(runs))


def _joined(older: _Run, newer: _Run) -> _Run:
    """Both runs as one, in linear time. Among equal high halves the order does not matter: they are walked along."""
    new = ~_found(older, newer.high, newer.low)
    high, low = newer.high[new], newer.low[new]
    places = _places(older.high, high) + np.arange(len(high))
    rest = np.ones(len(older) + len(high), bool)
    rest[places] = False
    out = np.empty((2, len(rest)), np.uint64)
    for row, (old_half, new_half) in enumerate(((older.high, high), (older.low, low))):
        out[row, places] = new_half
        out[row, rest] = old_half
    return _Run(None, out[0], out[1])
