"""What history holds of each kind of event, by day: counted from the files, every one of them once.

A file of history never changes, so its counts are kept for as long as it is there; a question costs one look at the
files that came since the last. Events that others replace count too: they lie there like all others.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import acero

from quanyu.events.contracts import EVENT_SCHEMA
from quanyu.storage.history import DataFile, History

EVENTS = "events"
_COLUMNS = ["brand", "name"]
_FILE = "__filename"  # what Arrow calls the file that a row lies in

Counts = Mapping[tuple[str, str], int]


class Holdings:
    """Counts of history by kind. Thread-safe."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._lock = threading.Lock()
        self._counted: dict[str, Counts] = {}  # file -> (brand, name) -> events

    def of_brand(self, brand: str) -> dict[str, dict[str, int]]:
        """How many events of each name lie in each day, of the brand with the key `brand`."""
        with self._lock:
            files = self._history.files(EVENTS)
            new = [file for file in files if file.path not in self._counted]
            found = self._count(new) if new else {}
            self._counted = {file.path: found.get(file.path) or self._counted.get(file.path, {}) for file in files}
            counted = self._counted
        held: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for file in files:
            for (owner, name), events in counted[file.path].items():
                if owner == brand:
                    held[name][file.day] += events
        return {name: dict(days) for name, days in held.items()}

    def _count(self, files: Sequence[DataFile]) -> dict[str, dict[tuple[str, str], int]]:
        root = self._history.root / EVENTS
        path_of = {str(root / file.path): file.path for file in files}
        schema = pa.schema([EVENT_SCHEMA.field(name) for name in _COLUMNS])
        rows = ds.dataset(list(path_of), schema=schema, format="parquet").scanner(columns=[_FILE, *_COLUMNS])
        counted = acero.Declaration.from_sequence(
            [
                acero.Declaration(
                    "record_batch_reader_source", acero.RecordBatchReaderSourceNodeOptions(rows.to_reader())
                ),
                acero.Declaration(
                    "aggregate",
                    acero.AggregateNodeOptions([([], "hash_count_all", None, "events")], keys=[_FILE, *_COLUMNS]),
                ),
            ]
        ).to_table()
        found: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
        for row in counted.to_pylist():
            found[path_of[row[_FILE]]][row["brand"], row["name"]] = row["events"]
        return found
