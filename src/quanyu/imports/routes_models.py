"""The shapes of imports' routes."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from quanyu.imports.api import dump
from quanyu.imports.contracts import Job, SavedMapping, Suggestion


class LabelOut(BaseModel):
    """A text in both languages."""

    model_config = ConfigDict(from_attributes=True)
    zh: str
    en: str


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ImportFileOut(_Out):
    """An uploaded file; it is deleted at `until`."""

    file_id: str
    name: str
    bytes: int
    made_at: datetime
    until: datetime


class ImportColumnOut(_Out):
    """A column: how many cells are empty, what nine tenths of the others look like, the first values."""

    name: str
    empty: int
    looks_like: Literal["time", "phone", "masked", "number", "text", "empty"]
    sample: list[str]


class SuggestionOut(BaseModel):
    """A mapping that fits; `ready` is the key of the ready one that it is."""

    ready: str | None
    name: LabelOut
    fits: float
    mapping: dict[str, Any]

    @classmethod
    def of(cls, given: Suggestion) -> "SuggestionOut":
        """The shape of a suggestion."""
        return cls(
            ready=given.ready, name=LabelOut.model_validate(given.name), fits=given.fits, mapping=dump(given.mapping)
        )


class InspectIn(BaseModel):
    """How to read the file, where it should not be found out: `read` of a mapping."""

    model_config = ConfigDict(extra="forbid")
    read: dict[str, Any] | None = None


class ImportInspectedOut(BaseModel):
    """What is in a file, and the mappings that fit it, the likeliest first."""

    format: Literal["csv", "excel", "parquet", "ndjson"]
    encoding: str | None
    delimiter: str | None
    sheets: list[str]
    rows: int
    ragged: int
    columns: list[ImportColumnOut]
    sample: list[dict[str, str | None]]
    suggestions: list[SuggestionOut]


class ImportPreviewIn(BaseModel):
    """A mapping to try: an object, or its YAML or JSON text."""

    model_config = ConfigDict(extra="forbid")
    mapping: dict[str, Any] | str


class BadRowOut(_Out):
    """A refused row: its number as people count (the header is row 1), column, reason and what stands there."""

    row: int
    column: str
    reason: str
    label: LabelOut
    value: str


class RefusedCount(BaseModel):
    """How many rows are refused for one reason in one column."""

    reason: str
    label: LabelOut
    column: str
    rows: int


class ImportPreviewOut(BaseModel):
    """What a mapping makes of a file: rows = in events + bad + skipped + repeated. Identifiers are masked."""

    rows: int
    events: int
    bad: int
    skipped: int
    repeated: int
    masked: int
    first: list[dict[str, Any]]
    bad_rows: list[BadRowOut]
    reasons: list[RefusedCount]


class MappingIn(BaseModel):
    """A mapping to save. `source` is the source of its events (letters, digits, `_`); others share its keys."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    mapping: dict[str, Any] | str
    source: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{1,40}$")


class MappingChange(BaseModel):
    """The next version of a mapping; `version` is the one that was edited."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    mapping: dict[str, Any] | str
    version: int = Field(ge=1)


class MappingOut(BaseModel):
    """A saved mapping, its newest version."""

    mapping_id: str
    version: int
    name: str
    source: str
    target: Literal["events", "people", "products", "stores"]
    mapping: dict[str, Any]
    made_by: str
    made_at: datetime

    @classmethod
    def of(cls, given: SavedMapping) -> "MappingOut":
        """The shape of a saved mapping."""
        return cls(
            mapping_id=given.mapping_id,
            version=given.version,
            name=given.name,
            source=given.source,
            target=given.mapping.target,
            mapping=dump(given.mapping),
            made_by=given.made_by,
            made_at=given.made_at,
        )


class MappingPage(BaseModel):
    """The brand's mappings by name."""

    items: list[MappingOut]


class ReadyOut(BaseModel):
    """A ready mapping for an export that many brands have."""

    key: str
    name: LabelOut
    source: str
    target: Literal["events", "people", "products", "stores"]
    mapping: dict[str, Any]


class ReadyPage(BaseModel):
    """The ready mappings."""

    items: list[ReadyOut]


class ImportIn(BaseModel):
    """A file to import by a saved mapping. With more than `most_bad` refused rows nothing is imported."""

    model_config = ConfigDict(extra="forbid")
    file_id: str
    mapping_id: str
    most_bad: int = Field(default=1_000, ge=0, le=100_000)


class ImportOut(_Out):
    """One import. rows = in events + bad + skipped + repeated; done = fresh + corrected + unchanged, of `events`."""

    job_id: str
    mapping_id: str
    mapping_version: int
    source: str
    file_id: str | None
    connection_id: str | None
    title: str
    status: Literal["queued", "running", "done", "failed", "cancelled"]
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
    problem: LabelOut | None
    made_by: str
    made_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, given: Job) -> "ImportOut":
        """The shape of a job."""
        return cls.model_validate(given)


class ImportPage(BaseModel):
    """Imports, newest first."""

    items: list[ImportOut]
    next_cursor: str | None = None


class BadRowPage(BaseModel):
    """Refused rows of an import, in the order of the file."""

    items: list[BadRowOut]


class ImportConnectionKindOut(BaseModel):
    """A kind of connection; `form` is the JSON schema of its configuration."""

    kind: str
    name: LabelOut
    form: dict[str, Any]


class ImportConnectionKindPage(BaseModel):
    """The kinds of connections."""

    items: list[ImportConnectionKindOut]


class ImportConnectionOut(_Out):
    """A connection; secrets of its configuration are masked. `problem` is why its last reading failed."""

    connection_id: str
    kind: str
    name: str
    mapping_id: str
    config: dict[str, Any]
    schedule: str
    active: bool
    watermark: str | None
    problem: LabelOut | None
    failures: int
    next_at: datetime | None
    ran_at: datetime | None
    made_by: str
    made_at: datetime


class ImportConnectionMade(ImportConnectionOut):
    """A new connection; `path` is the secret address of a webhook, shown this once."""

    path: str | None


class ImportConnectionPage(BaseModel):
    """Connections by name."""

    items: list[ImportConnectionOut]


class ImportConnectionIn(BaseModel):
    """A new connection. `schedule`: `every 15m`, or a cron line in the brand's time; nothing for a webhook."""

    model_config = ConfigDict(extra="forbid")
    kind: str = Field(max_length=50)
    name: str = Field(min_length=1, max_length=100)
    mapping_id: str
    config: dict[str, Any]
    schedule: str = Field(default="every 15m", max_length=100)


class ImportConnectionChange(BaseModel):
    """What a connection becomes; a secret that is left out or comes back masked keeps its value.

    `from_start` has all of it read again, as after a change of its mapping; what says the same counts once.
    """

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    mapping_id: str
    config: dict[str, Any]
    schedule: str = Field(default="every 15m", max_length=100)
    active: bool = True
    from_start: bool = False
