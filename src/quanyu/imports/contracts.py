"""The frozen values that cross the door of imports."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from quanyu.imports.mapping import Mapping
from quanyu.kernel.label import Label

JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class SavedMapping:
    """A mapping as it is saved: its newest version, and the source that its events come from."""

    mapping_id: str
    version: int
    name: str
    source: str
    mapping: Mapping
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class KeptFile:
    """An uploaded file. `until` is when it is deleted."""

    file_id: str
    name: str
    bytes: int
    stored_as: str
    made_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class ColumnView:
    """A column of a file: how many cells are empty, what it looks like, and the first distinct values."""

    name: str
    empty: int
    looks_like: str
    sample: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspected:
    """What is in a file."""

    format: str
    encoding: str | None
    delimiter: str | None
    sheets: tuple[str, ...]
    rows: int
    columns: tuple[ColumnView, ...]
    sample: tuple[Dictionary[str, str | None], ...]
    ragged: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A mapping that fits the columns of a file; `ready` names the ready one it is, `fits` how well (0 to 1)."""

    ready: str | None
    name: Label
    fits: float
    mapping: Mapping


@dataclass(frozen=True, slots=True)
class BadRowView:
    """A refused row: its number as people count (the header is row 1), the column, the reason, what stands there."""

    row: int
    column: str
    reason: str
    label: Label
    value: str


@dataclass(frozen=True, slots=True)
class Previewed:
    """What a mapping makes of a file, without recording anything: the first events and the refused rows."""

    rows: int
    events: int
    bad: int
    skipped: int
    repeated: int
    masked: int
    first: tuple[Dictionary[str, Any], ...]
    bad_rows: tuple[BadRowView, ...]
    reasons: tuple[tuple[str, str, int], ...]  # reason, column, rows


@dataclass(frozen=True, slots=True)
class Job:
    """One import: rows = in events + bad + skipped + repeated; recorded: fresh + corrected + unchanged = done."""

    job_id: str
    mapping_id: str
    mapping_version: int
    source: str
    file_id: str | None
    connection_id: str | None
    title: str
    status: JobStatus
    most_bad: int
    rows: int
    events: int
    done: int
    fresh: int
    corrected: int
    unchanged: int
    bad: int
    skipped: int
    repeated: int
    masked: int
    problem: Label | None
    made_by: str
    made_at: datetime
    ended_at: datetime | None
    brand_id: int
