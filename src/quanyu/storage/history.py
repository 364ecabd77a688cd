"""History: what happened, in Delta tables that only grow, each append carrying the batch that made it.

An append names an application and a version; one that was already applied is refused quietly, so replaying a
micro-batch after a crash changes nothing. Readers take the file list of a version and never see half a commit.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import TableNotFoundError


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of one table version: absolute paths of Parquet files, hive-partitioned by `day`."""

    version: int
    files: tuple[str, ...]
    rows: int


class History:
    """The history tables below one folder. Thread-safe; any number of readers, appends from the worker."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tables: dict[str, DeltaTable] = {}
        self._lock = threading.RLock()

    def declare(self, name: str, schema: pa.Schema, partition_by: str = "day") -> None:
        """Create the table `name` if it is not there."""
        path = self.root / name
        if not DeltaTable.is_deltatable(str(path)):
            path.mkdir(parents=True, exist_ok=True)
            DeltaTable.create(str(path), schema=schema, partition_by=[partition_by], mode="ignore")

    def append(self, name: str, data: pa.Table, *, app: str, version: int) -> bool:
        """Add rows as application `app`'s `version`; False when that version is already there."""
        with self._lock:
            table = self._open(name)
            done = table.transaction_version(app)
            if done is not None and done >= version:
                return False
            write_deltalake(
                table,
                data,
                mode="append",
                commit_properties=CommitProperties(app_transactions=[Transaction(app, version)]),
            )
            return True

    def applied(self, name: str, app: str) -> int:
        """The last version of `app` in the table, -1 when there is none."""
        with self._lock:
            done = self._open(name).transaction_version(app)
            return -1 if done is None else done

    def snapshot(self, name: str) -> Snapshot:
        """The newest version and its files."""
        with self._lock:
            table = self._open(name)
            counts = pa.table(table.get_add_actions(flatten=True)).column("num_records").to_pylist()
            return Snapshot(table.version(), tuple(table.file_uris()), sum(count or 0 for count in counts))

    def version(self, name: str) -> int:
        """The newest version number."""
        with self._lock:
            return self._open(name).version()

    def compact(self, name: str, day: str, order: list[str]) -> int:
        """Merge one day's files into one, sorted by `order`; how many files there were.

        One commit: readers see the day before or after, with the same rows.
        """
        with self._lock:
            table = self._open(name)
            files = table.file_uris([("day", "=", day)])
            if len(files) < 2:
                return len(files)
            data = table.to_pyarrow_table(filters=[("day", "=", day)]).sort_by(
                [(column, "ascending") for column in order]
            )
            write_deltalake(table, data, mode="overwrite", predicate=f"day = '{_literal(day)}'")
            return len(files)

    def vacuum(self, name: str, hours: int) -> int:
        """Remove files that no version of the last `hours` uses; how many went."""
        with self._lock:
            return len(self._open(name).vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False))

    def size(self, name: str) -> tuple[int, int]:
        """Rows and bytes of the newest version, from its log."""
        with self._lock:
            actions = pa.table(self._open(name).get_add_actions(flatten=True))
            rows = sum(value or 0 for value in actions.column("num_records").to_pylist())
            return rows, sum(actions.column("size_bytes").to_pylist())

    def _open(self, name: str) -> DeltaTable:
        table = self._tables.get(name)
        if table is None:
            try:
                table = self._tables[name] = DeltaTable(str(self.root / name))
            except TableNotFoundError:
                raise LookupError(f"history table {name!r} was not declared in {self.root}") from None
        else:
            table.update_incremental()
        return table


def _literal(text: str) -> str:
    return text.replace("'", "''")
