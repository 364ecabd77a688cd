"""The frozen values that cross the door of identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyroaring import BitMap

from quanyu.kernel.label import Label

PEOPLE_MOVED = "people_moved"
LinkStatus = Literal["accepted", "refused", "demoted", "denied"]
IdentifierState = Literal["active", "shared", "blocked", "flagged"]
HomeKind = Literal["store", "staff"]

LINK_STATUS: Mapping[int, LinkStatus] = {1: "accepted", 2: "refused", 3: "demoted", 4: "denied"}
IDENTIFIER_STATE: Mapping[int, IdentifierState] = {0: "active", 1: "shared", 2: "blocked", 3: "flagged"}

RULE_LABELS: Mapping[str, Label] = {
    "together": Label("同一事件中同时出现", "Seen together in one event"),
    "manual": Label("人工合并", "Merged by hand"),
}


@dataclass(frozen=True, slots=True)
class Carried:
    """Which identifiers each event of a batch carried, flat: row positions and identifier ids, by row."""

    row: npt.NDArray[np.int64]
    identifier_id: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What resolving a batch gave, per row of the batch, and who moved.

    `person_id` 0 is nobody. `anchor_id` is the identifier that decides the person (0: none). `identifiers` is what
    history keeps of them (`namespace=hash`). `moved_people` are people that gained or lost an identifier they
    already had before this batch; `people` everybody the batch concerns. `refused` counts values that are no
    identifiers by (namespace, reason): blocked, malformed, unknown_namespace.
    """

    person_id: npt.NDArray[np.int64]
    anchor_id: npt.NDArray[np.int64]
    identifiers: pa.Array
    carried: Carried
    moved_people: BitMap
    new_people: BitMap
    people: BitMap
    refused: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PersonRef:
    """A person: the number used inside, the opaque id used outside, and where they belong."""

    person_id: int
    public_id: str
    brand_id: int
    born_at: datetime
    home_store: str | None
    owner_staff: str | None


@dataclass(frozen=True, slots=True)
class IdentifierView:
    """One identifier of a person, masked. `sharing` is how many people seem to share it."""

    identifier_id: int
    person_id: int
    namespace: str
    label: Label
    masked: str
    strength: int
    state: IdentifierState
    sharing: int
    first_seen_at: datetime
    last_seen_at: datetime  # with another identifier; of what it did by itself, profiles know more
    source: str


@dataclass(frozen=True, slots=True)
class BlockedValue:
    """A value that identifies nobody in a brand, masked, who said so and why."""

    value_id: str
    namespace: str
    masked: str
    reason: str
    blocked_by: str
    blocked_at: datetime


@dataclass(frozen=True, slots=True)
class LinkView:
    """One piece of evidence and what became of it, with the sentence that explains it.

    `days` is on how many days the two were seen together (one that came late and lies in between is not counted).
    """

    link_id: int
    a: int
    b: int
    rule: str
    rule_label: Label
    status: LinkStatus
    reason: Label | None
    first_at: datetime
    last_at: datetime
    days: int
    source: str | None
    event_id: str | None
    event_name: str | None
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a person is one person: the identifiers they hold and every link that touches them."""

    person: PersonRef
    identifiers: tuple[IdentifierView, ...]
    links: tuple[LinkView, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """What a decision changed: the people it left (public ids), and how many identifiers changed hands.

    `link_id` is the link decided upon; with `preview` nothing was kept.
    """

    link_id: int
    people: tuple[str, ...]
    people_before: int
    people_after: int
    identifiers_moved: int
    preview: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """Where an identifier says its person belongs: to a store, or to a member of staff.

    Declared values (somebody said so) beat implied ones (an order, an added contact). Of declared ones the latest
    counts, of implied ones the earliest.
    """

    identifier_id: int
    kind: HomeKind
    value: str
    at: int
    declared: bool


@dataclass(frozen=True, slots=True)
class PolicyPreview:
    """What a change of policies would do: `merged` people become part of another, `split` ones fall apart,
    `demoted` identifiers would identify nobody any more; examples are public ids as they are now.
    """

    people_before: int
    people_after: int
    merged: int
    split: int
    demoted: int
    merged_examples: tuple[str, ...]
    split_examples: tuple[str, ...]
