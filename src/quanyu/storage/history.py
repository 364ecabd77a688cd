"""History: what happened, in Delta tables that only grow, each append carrying the batch that made it.

An append names an application and a version; one that was already applied is refused quietly, so replaying a
micro-batch after a crash changes nothing. Once `append` returns, the rows survive a power cut. Readers take the file
list of a version and never see half a commit. Merging and removing files is in `upkeep.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from quanyu.storage import delta_log

_CONFIGURATION = {
    "delta.logRetentionDuration": "interval 2 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files of one table version: absolute paths of Parquet files, hive-partitioned by `day`."""

    version: int
    files: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a version. `path` is relative to the table; `written_at` is in milliseconds."""

    path: str
    day: str
    rows: int
    size: int
    written_at: int


class History:
    """The history tables below one folder. Thread-safe; any number of readers and writers, other processes too."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tables: dict[str, DeltaTable] = {}
        self._lock = threading.RLock()

    def declare(self, name: str, schema: pa.Schema) -> None:
        """Create the table `name`, in folders by `day`, if it is not there."""
        path = self.root / name
        delta_log.mend(path)
        if not DeltaTable.is_deltatable(str(path)):
            path.mkdir(parents=True, exist_ok=True)
            DeltaTable.create(
                str(path), schema=schema, partition_by=["day"], mode="ignore", configuration=dict(_CONFIGURATION)
            )

    def append(self, name: str, data: pa.Table, *, app: str, version: int) -> bool:
        """Add rows as application `app`'s `version`; False when that version is already there."""
        with self._lock:
            table = self._open(name)
            seen, done = table.version(), table.transaction_version(app)
        if done is not None and done >= version:
            return False

        def agree(theirs: list[dict[str, Any]]) -> None:
            for action in theirs:
                txn = action.get("txn")
                if txn and txn["appId"] == app and txn["version"] >= version:
                    raise delta_log.CommitConflict
                if "metaData" in action or "protocol" in action:
                    raise RuntimeError(f"the table {name} was altered while rows were added to it")

        root, written = self.root / name, []
        try:
            for day, rows in _by_day(data):
                written.append(delta_log.write_file(root, day, rows))
            actions = [delta_log.applied(app, version), *(delta_log.add(file, news=True) for file in written)]
            delta_log.commit(root, seen, actions, "WRITE", agree)
        except delta_log.CommitConflict:
            delta_log.discard(root, written)
            return False
        return True

    def replace(
        self,
        name: str,
        old: Sequence[DataFile],
        new: pa.Table | None,
        operation: str,
        *,
        news: bool,
        app: str | None = None,
    ) -> None:
        """Put the rows of `new` in the place of the files `old` (of one day), in one commit.

        `news` is False when the rows are the same. `app` is noted as applied with it, as version 1. Raises
        CommitConflict when one of the files is no longer there, or when `app` was noted before.
        """
        with self._lock:
            seen = self._open(name).version()
            there = {file.path for file in self.files(name)}
        gone = {file.path for file in old}
        if not gone <= there or (app is not None and self.applied(name, app) >= 0):
            raise delta_log.CommitConflict

        def agree(theirs: list[dict[str, Any]]) -> None:
            for action in theirs:
                if action.get("remove", {}).get("path") in gone or action.get("txn", {}).get("appId", "") == app:
                    raise delta_log.CommitConflict

        root = self.root / name
        written = [delta_log.write_file(root, old[0].day, new)] if new is not None and new.num_rows else []
        actions = [delta_log.remove({"path": file.path, "day": file.day, "size": file.size}, news=news) for file in old]
        actions += [delta_log.add(file, news=news) for file in written]
        if app is not None:
            actions.append(delta_log.applied(app, 1))
        try:
            delta_log.commit(root, seen, actions, operation, agree)
        except delta_log.CommitConflict:
            delta_log.discard(root, written)
            raise

    def bar(self, name: str, app: str) -> None:
        """Note `app` as version 0, so that no `replace` under it can happen any more. Raises CommitConflict."""
        with self._lock:
            seen = self._open(name).version()
        if self.applied(name, app) >= 0:
            raise delta_log.CommitConflict

        def agree(theirs: list[dict[str, Any]]) -> None:
            if any(action.get("txn", {}).get("appId") == app for action in theirs):
                raise delta_log.CommitConflict

        delta_log.commit(self.root / name, seen, [delta_log.applied(app, 0)], "BAR", agree)

    def applied(self, name: str, app: str) -> int:
        """The last version of `app` in the table, -1 when there is none."""
        with self._lock:
            done = self._open(name).transaction_version(app)
            return -1 if done is None else done

    def snapshot(self, name: str) -> Snapshot:
        """The newest version and its files."""
        with self._lock:
            table = self._open(name)
            actions = pa.table(table.get_add_actions(flatten=True))
            # Not `file_uris`: it writes a folder called 数据 as %E6%95%B0%E6%8D%AE.
            files = tuple(f"{self.root / name}/{path}" for path in actions.column("path").to_pylist())
            counts = actions.column("num_records").to_pylist()
            return Snapshot(table.version(), files, sum(count or 0 for count in counts))

    def files(self, name: str) -> list[DataFile]:
        """The files of the newest version."""
        with self._lock:
            actions = pa.table(self._open(name).get_add_actions(flatten=True))
        columns = [actions.column(one) for one in ("path", "partition.day", "num_records", "size_bytes")]
        columns.append(actions.column("modification_time").cast(pa.timestamp("ms")).cast(pa.int64()))
        return [
            DataFile(path, day, rows or 0, size, at)
            for path, day, rows, size, at in zip(*(column.to_pylist() for column in columns), strict=True)
        ]

    def version(self, name: str) -> int:
        """The newest version number."""
        with self._lock:
            return self._open(name).version()

    def size(self, name: str) -> tuple[int, int]:
        """Rows and bytes of the newest version, from its log."""
        files = self.files(name)
        return sum(file.rows for file in files), sum(file.size for file in files)

    def vacuum(self, name: str, hours: int, *, orphans: bool = False) -> int:
        """Delete files that were replaced more than `hours` ago; how many went.

        With `orphans` also those of that age that no commit ever named: what a killed writer left.
        """
        with self._lock:
            table, root = self._open(name), self.root / name
            found = table.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=orphans)
            # Asked first, because deleting nothing would still be a new version.
            there = sum((root / path).exists() for path in found)
            if there:
                table.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=orphans)
            return there

    def last_checkpoint(self, name: str) -> int:
        """The version of the newest checkpoint, -1 when there is none."""
        log = self.root / name / "_delta_log"
        return max((int(path.name.split(".")[0]) for path in log.glob("*.checkpoint*.parquet")), default=-1)

    def checkpoint(self, name: str) -> None:
        """Sum up the log, so that opening stays quick, and forget commits that nobody needs any more."""
        log = self.root / name / "_delta_log"
        with self._lock:
            table = self._open(name)
            table.create_checkpoint()
            # `_last_checkpoint` is a hint, and is not there when another process made this checkpoint just now.
            for path in (*log.glob(f"{table.version():020d}.checkpoint*.parquet"), *log.glob("_last_checkpoint"), log):
                delta_log.sync(path)
            table.cleanup_metadata()

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


def _by_day(data: pa.Table) -> list[tuple[str, pa.Table]]:
    """The rows of each day, in the order that they have."""
    days = pc.unique(data.column("day")).to_pylist()
    if len(days) == 1:
        return [(days[0], data)]
    return [(day, data.filter(pc.equal(data.column("day"), day))) for day in sorted(days)]
