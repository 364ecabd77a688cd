"""The frozen values that cross the door of journeys, and what it asks of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.access.contracts import Scope
from quanyu.journeys.nodes import Fault
from quanyu.kernel.label import Label

JourneyStatus = Literal["draft", "running", "paused", "ended"]
PauseMode = Literal["stop_entry", "freeze", "hold_sends"]

EXIT_LABELS: Mapping[str, Label] = {
    "end": Label("走到结束", "Reached the end"),
    "way_ended": Label("出口没有连线", "The way ended"),
    "goal": Label("达成目标", "Reached the goal"),
    "goal_window_over": Label("目标期限已过", "The goal's time was over"),
    "ended": Label("旅程被结束", "The journey was ended"),
    "failed": Label("处理失败", "Could not be processed"),
}


@dataclass(frozen=True, slots=True)
class JourneyView:
    """A journey as its editor sees it."""

    journey_id: str
    name: str
    status: JourneyStatus
    pause_mode: PauseMode | None
    version: int | None
    graph: dict[str, Any]
    settings: dict[str, Any]
    live_graph: dict[str, Any] | None
    has_draft_changes: bool
    revision: int
    updated_at: datetime
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class JourneySummary:
    """A journey in the list, with counts of the people within the caller's scope."""

    journey_id: str
    name: str
    status: JourneyStatus
    version: int | None
    entered: int
    active: int
    converted: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a draft, and what is odd."""

    errors: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


class People(Protocol):
    """What journeys asks of identity."""

    def holders(self) -> sa.Subquery:
        """Every identifier and the person who holds it today: columns `identifier_id`, `person_id`."""
        ...

    def visible_people(self, scope: Scope) -> sa.Select[Any]:
        """The `person_id` of everybody whom the scope may see."""
        ...

    def anchors_of(self, tx: sa.Connection, numbers: Sequence[int]) -> dict[int, int]:
        """Of each person the identifier that stands for them."""
        ...


class Audiences(Protocol):
    """What journeys asks of audiences."""

    def check(self, data: Any, scope: Scope) -> Any:
        """The tree of JSON data. Raises TreeInvalid with every fault."""
        ...

    def evaluate(self, tree: Any, at: datetime, scope: Scope, within: BitMap | None = None) -> BitMap:
        """The people of a tree at an instant, of `within` only."""
        ...

    def members(
        self, tx: sa.Connection, scope: Scope, audience_id: str, version: int | None = None, change: Any = None
    ) -> BitMap:
        """The people of a version, or who entered or left with it."""
        ...

    def get_audience(self, scope: Scope, audience_id: str) -> Any:
        """One audience, with its newest `version`. Raises NotFound."""
        ...

    def watermark(self, tree: Any = None) -> str:
        """What answers rest on."""
        ...


@dataclass(frozen=True, slots=True)
class Entrant:
    """Somebody who wants in: the person, the identifier that decides who that is, why, since when, and the key."""

    person_id: int
    anchor_id: int
    cause: str
    at: datetime
    key: str | None = None
    reply_token: str | None = None
