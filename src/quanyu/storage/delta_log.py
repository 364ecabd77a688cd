"""The commits of a Delta table, written so that a power cut cannot tear them.

delta-rs writes files and commits without syncing them, and it cannot swap chosen files for others. Both matter here:
what history took is removed from state, and compaction must say exactly which files it replaces. So the data files
and the commit (`NNN.json`, as the Delta protocol has it) are written here, each synced before the next step makes it
visible, and a commit is a link that only one writer can make. Reading, checkpoints and vacuum stay with `deltalake`.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Action = Mapping[str, Any]

_ROWS_PER_GROUP = 128 * 1024
_WRITE_BYTES = 4 << 20
_BOUNDED = ("brand", "source", "name", "occurred_at", "received_at", "person_id")  # columns with bounds in the log


class CommitConflict(Exception):
    """Somebody else's commit took away what this one builds on; nothing was changed."""


def write_file(root: Path, day: str, rows: pa.Table) -> Action:
    """Write one Parquet file of a day and sync it; the action that adds it. It is visible once that is committed."""
    folder = root / f"day={day}"
    new = not folder.exists()
    folder.mkdir(exist_ok=True)
    if new:
        sync(root)
    path = folder / f"part-{uuid.uuid4()}.zstd.parquet"
    data = rows.drop_columns(["day"])
    try:
        with pa.BufferedOutputStream(pa.OSFile(str(path), "wb"), _WRITE_BYTES) as file:
            pq.write_table(
                data,
                file,
                compression="zstd",
                compression_level=1,
                row_group_size=_ROWS_PER_GROUP,
                store_schema=False,  # a column may be dictionary-encoded in memory; readers get plain text
            )
        sync(path)
        sync(folder)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return {
        "path": f"{folder.name}/{path.name}",
        "partitionValues": {"day": day},
        "size": path.stat().st_size,
        "modificationTime": time.time_ns() // 1_000_000,
        "stats": json.dumps(_bounds(data)),
    }


def add(file: Action, *, news: bool) -> Action:
    """The action that adds a file. `news` is False when its rows were in the table before."""
    return {"add": {**file, "dataChange": news}}


def remove(file: Action, *, news: bool) -> Action:
    """The action that removes a file of `path`, `day` and `size`; it stays on the disk until the vacuum."""
    return {
        "remove": {
            "path": file["path"],
            "deletionTimestamp": time.time_ns() // 1_000_000,
            "dataChange": news,
            "extendedFileMetadata": True,
            "partitionValues": {"day": file["day"]},
            "size": file["size"],
        }
    }


def applied(app: str, version: int) -> Action:
    """The action that says that an application's `version` is in the table."""
    return {"txn": {"appId": app, "version": version, "lastUpdated": time.time_ns() // 1_000_000}}


def commit(
    root: Path, seen: int, actions: Sequence[Action], operation: str, agree: Callable[[list[dict[str, Any]]], None]
) -> int:
    """Make the actions the next version after `seen`; its number.

    Where others were faster, `agree` reads their actions, each commit's in turn, and raises CommitConflict if these
    actions cannot follow them.
    """
    log = root / "_delta_log"
    draft = log / f"_commit_{uuid.uuid4()}.json.tmp"
    info = {"timestamp": time.time_ns() // 1_000_000, "operation": operation, "engineInfo": "quanyu"}
    lines = [json.dumps(action) for action in ({"commitInfo": info}, *actions)]
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        sync(draft)
        version = seen + 1
        while True:
            place = log / f"{version:020d}.json"
            try:
                os.link(draft, place)
            except FileExistsError:
                agree(_actions(place))
                version += 1
            else:
                sync(log)
                return version
    finally:
        draft.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Return once the file, or the names in the folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard(root: Path, files: Iterable[Action]) -> None:
    """Delete files that no commit names."""
    for file in files:
        (root / file["path"]).unlink(missing_ok=True)


def mend(root: Path) -> None:
    """Remove a checkpoint that a power cut left half written; the commits that it sums up are still there."""
    log = root / "_delta_log"
    for path in log.glob("*.checkpoint.parquet"):
        try:
            pq.read_metadata(path)
        except (pa.ArrowInvalid, OSError):
            path.unlink()
            (log / "_last_checkpoint").unlink(missing_ok=True)
    last = log / "_last_checkpoint"
    if last.exists():
        try:
            json.loads(last.read_text(encoding="utf-8"))
        except ValueError:
            last.unlink()


def _actions(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _bounds(rows: pa.Table) -> dict[str, Any]:
    """What the file holds, for readers that skip files."""
    found: dict[str, Any] = {"numRecords": rows.num_rows, "minValues": {}, "maxValues": {}, "nullCount": {}}
    for name in _BOUNDED:
        if name in rows.column_names:
            column = rows.column(name)
            ends = pc.min_max(column.unique().dictionary_decode() if pa.types.is_dictionary(column.type) else column)
            found["nullCount"][name] = column.null_count
            if ends["min"].is_valid:
                found["minValues"][name], found["maxValues"][name] = ends["min"].as_py(), ends["max"].as_py()
    return found
