"""Upkeep of history in the background: small files become sorted large ones, replaced files are deleted later.

Files of like size are merged, so that a row is rewritten a handful of times on its way into a large file however
fast or slow events come; a day that has been quiet becomes one file. Rows are sorted by name, person and time, which
is what questions want (`docs` and the audience benchmark say why). A merge is one commit that names the files it
replaces: no row can be in both, and what would change the number of rows, or holds an id twice, is refused loudly.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from prometheus_client import Counter

from quanyu.kernel.clock import Clock, micros
from quanyu.kernel.errors import QuanyuError
from quanyu.kernel.label import Label
from quanyu.storage.delta_log import CommitConflict
from quanyu.storage.history import DataFile, History

log = logging.getLogger(__name__)

MERGED = Counter("quanyu_history_files_merged_total", "Files of history that compaction replaced")
REFUSED = Counter("quanyu_history_merges_refused_total", "Merges refused because rows were missing or double")

ORDER = ("name", "person_id", "occurred_at", "event_id")
_UNIQUE = ("source", "event_id")
_LIKE = 3  # files are alike when their numbers of rows have as many times this many bits: a factor of 8
# A file of so many rows is left alone: two merges bring a second's rows there, and a third would cost as much as both
# for files that answer no quicker.
LARGE_ROWS = 1 << 6 * _LIKE
_MOST_ROWS = 1_500_000  # in one merge: some 1 GB of memory
_FEW = ("source", "name", "brand", "channel", "touchpoint", "store_id", "staff_id", "currency")  # few distinct values
_CROWD = 8
_QUIET = timedelta(hours=1)
KEEP_HOURS = 6  # replaced files stay so long, for readers that began before
_ORPHAN_HOURS = 168  # what a killed writer left; far longer than any file takes to be written and committed
_COMMITS_PER_CHECKPOINT = 100


class HistoryDamaged(QuanyuError):
    """Files of history hold a row twice, or fewer rows than the table's log says."""

    code = "history_damaged"


def crowded(files: Sequence[DataFile], now: int, *, crowd: int = _CROWD) -> list[DataFile]:
    """The files of one day that should become one next; none when all is well. `now` is in milliseconds.

    Prefers files of like size of which there are `crowd`, the smallest first; then days that have been quiet.
    """
    days: dict[str, list[DataFile]] = defaultdict(list)
    for file in files:
        if file.rows < LARGE_ROWS:
            days[file.day].append(file)
    groups: list[list[DataFile]] = []
    for small in days.values():
        alike: dict[int, list[DataFile]] = defaultdict(list)
        for file in small:
            alike[file.rows.bit_length() // _LIKE].append(file)
        groups += [group for group in alike.values() if len(group) >= crowd]
    if groups:
        return _bounded(min(groups, key=lambda group: (group[0].rows.bit_length() // _LIKE, -len(group))))
    quiet = now - int(_QUIET.total_seconds() * 1000)
    for small in days.values():
        if len(small) > 1 and all(file.written_at <= quiet for file in small):
            chosen = _bounded(small)
            if len(chosen) > 1:
                return chosen
    return []


def _bounded(files: list[DataFile]) -> list[DataFile]:
    chosen: list[DataFile] = []
    rows = 0
    for file in sorted(files, key=lambda file: file.rows):
        rows += file.rows
        if chosen and rows > _MOST_ROWS:
            break
        chosen.append(file)
    return chosen


def merge(history: History, name: str, files: Sequence[DataFile]) -> bool:
    """Make one sorted file of `files`, of one day; False when somebody else changed them meanwhile.

    Raises HistoryDamaged when the rows are not as many as the log says, or when an id is there twice.
    """
    root = history.root / name
    try:
        parts = [_read(root / file.path) for file in files]
    except FileNotFoundError:
        return False  # merged and vacuumed by somebody else
    rows = pa.concat_tables(parts, promote_options="permissive")
    check(rows, sum(file.rows for file in files), files[0].day)
    rows = rows.unify_dictionaries().take(_sorted(rows)).append_column("day", pa.repeat(files[0].day, rows.num_rows))
    try:
        history.replace(name, files, rows, "OPTIMIZE", news=False)
    except CommitConflict:
        return False
    MERGED.inc(len(files))
    return True


def _read(path: Path) -> pa.Table:
    """The rows of a file; texts that repeat stay encoded, which takes a fraction of the memory."""
    there = pq.read_metadata(path)
    few = [name for name in _FEW if name in there.schema.names]
    return pq.ParquetFile(path, metadata=there, read_dictionary=few).read()


def _sorted(rows: pa.Table) -> pa.Array:
    """The order of the rows."""
    order = [(column, "ascending") for column in ORDER if column in rows.column_names]
    keys = pa.table({column: _plain(rows.column(column)) for column, _ in order})
    return pc.sort_indices(keys, sort_keys=order)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def check(rows: pa.Table, wanted: int, day: str) -> None:
    """Refuse to rewrite rows that are missing or double. Raises HistoryDamaged."""
    keys = [column for column in _UNIQUE if column in rows.column_names]
    distinct = pc.count_distinct(rows.column(_UNIQUE[-1])).as_py()
    if distinct != rows.num_rows:  # two sources may give the same id
        distinct = pa.table({key: _plain(rows.column(key)) for key in keys}).group_by(keys).aggregate([]).num_rows
    if rows.num_rows != wanted or distinct != rows.num_rows:
        REFUSED.inc()
        log.error("history_damaged", extra={"day": day, "rows": rows.num_rows, "wanted": wanted, "distinct": distinct})
        raise HistoryDamaged(
            title=Label("历史数据文件不一致，已停止合并", "Files of history do not agree; they were not merged"),
            detail=Label(
                f"{day}：日志记 {wanted} 行，文件 {rows.num_rows} 行，不重复 {distinct} 行；请从备份恢复该日目录",
                f"{day}: {wanted} rows by the log, {rows.num_rows} in the files, {distinct} of them distinct; "
                "restore this day's folder from a backup",
            ),
        )


class Upkeep:
    """Keeps one table in order, step by step; safe in several processes, though one is enough."""

    def __init__(self, history: History, name: str, clock: Clock) -> None:
        self._history = history
        self._name = name
        self._clock = clock
        self._damaged: set[str] = set()  # days that are left alone until the next start
        self._vacuumed_at: int | None = None
        self._summed_up: int | None = None

    def step(self, *, crowd: int = _CROWD) -> bool:
        """One piece of work; whether there may be more. Raises HistoryDamaged, once for each day that is."""
        now = micros(self._clock.now()) // 1000
        sound = [file for file in self._history.files(self._name) if file.day not in self._damaged]
        files = crowded(sound, now, crowd=crowd)
        if files:
            try:
                return merge(self._history, self._name, files)
            except HistoryDamaged:
                self._damaged.add(files[0].day)
                raise
        version = self._history.version(self._name)
        if self._summed_up is None:
            self._summed_up = self._history.last_checkpoint(self._name)
        if version - self._summed_up >= _COMMITS_PER_CHECKPOINT:
            self._history.checkpoint(self._name)
            self._summed_up = version
        if self._vacuumed_at is None or now - self._vacuumed_at > 3_600_000:
            self._vacuumed_at = now
            self._history.vacuum(self._name, KEEP_HOURS)
            self._history.vacuum(self._name, _ORPHAN_HOURS, orphans=True)
        return False
