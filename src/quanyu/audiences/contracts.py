"""The frozen values that cross the door of audiences, and what it needs of the contexts below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.audiences.errors import RuleError
from quanyu.consent.contracts import ANY, CHANNELS
from quanyu.kernel.label import Label

AUDIENCE_CHANGED = "audience_changed"
"""Outbox topic: {brand_id, audience_id, version, entered, left}, in the transaction that stores the version."""

Refresh = Literal["manual", "daily", "live"]
Change = Literal["entered", "left"]


@dataclass(frozen=True, slots=True)
class UsedBy:
    """Something that rests on an audience: another audience, a journey."""

    kind: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class AudienceView:
    """An audience as the caller may see it; `size` counts only people within the caller's scope."""

    audience_id: str
    name: str
    description: str
    tree: dict[str, Any]
    sentence: Label
    refresh: Refresh
    size: int | None
    version: int | None
    computed_at: datetime | None
    created_by: str
    updated_at: datetime
    revision: int
    used_by: tuple[UsedBy, ...]


@dataclass(frozen=True, slots=True)
class VersionView:
    """One stored set: when, how many, and how it differs from the one before; counts within the caller's scope.

    `kept` is False for an old version whose members are no longer stored, only its counts.
    """

    version: int
    at: datetime
    size: int
    entered: int
    left: int
    took_ms: int
    kept: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """How many of a set may be contacted for marketing through a channel."""

    channel: str
    label: Label
    count: int


@dataclass(frozen=True, slots=True)
class Counted:
    """The answer of a live count: `count` of `total` visible people, or the faults of the tree and no count."""

    count: int | None
    total: int
    at: datetime
    took_ms: int
    sentence: Label
    reachable: tuple[Reach, ...]
    errors: tuple[RuleError, ...] = ()


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """One page of people in ascending `person_id`; `next_after` goes on, `total` counts the whole set."""

    person_ids: tuple[int, ...]
    next_after: int | None
    total: int


class VisiblePeople(Protocol):
    """What is needed of identity."""

    def visible_people(self, scope: Scope) -> sa.Select[Any]:
        """`person_id` of everybody within the scope: the one rule of who is seen."""
        ...


class TraitsAndTags(Protocol):
    """What is needed of profiles."""

    def trait_values(self, scope: Scope, name: str) -> sa.Select[Any]:
        """`person_id, value, number`: each person's present value of a trait, one row per person who has it."""
        ...

    def tagged_people(self, scope: Scope, tag_ids: Sequence[str]) -> sa.Select[Any]:
        """`person_id` of people with any of the tags."""
        ...


class Consents(Protocol):
    """What is needed of consent."""

    def allowed_people(self, scope: Scope, purpose: str, channel: str) -> sa.Select[Any]:
        """`person_id` of people who may be contacted for the purpose through the channel."""
        ...


class PeopleList(Protocol):
    """A set of people that another context computes (an RFM segment), named in conditions as a list."""

    def members(self, scope: Scope, keys: tuple[str, ...], at: datetime) -> BitMap:
        """The people of the list in the scope's brand at the instant `at`, for the parameters `keys`."""
        ...


class PersonCards(Protocol):
    """How people are shown in lists, masked: what is needed of profiles."""

    def list_people(self, scope: Scope, person_ids: Sequence[int]) -> Sequence[Any]:
        """One card per visible person, in the given order (`profiles.contracts`)."""
        ...


# Through which channels marketing can reach people by name; a webhook reaches a system.
REACH_CHANNELS: dict[str, Label] = {key: label for key, label in CHANNELS.items() if key not in {ANY, "webhook"}}
REACH_PURPOSE = "marketing"
