"""The door of journeys: edit and publish, let events and audiences in, advance, and report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from quanyu.access.api import Audit
from quanyu.access.contracts import Caller, Scope
from quanyu.audiences.contracts import AUDIENCE_CHANGED, UsedBy
from quanyu.audiences.errors import TreeInvalid
from quanyu.journeys import last_look, matching, people_moved
from quanyu.journeys.advance import Advancer
from quanyu.journeys.contracts import (
    Audiences,
    Checked,
    Entrant,
    JourneySummary,
    JourneyView,
    PauseMode,
    People,
)
from quanyu.journeys.entry import enter
from quanyu.journeys.graph import Draft, JourneySettings, validate
from quanyu.journeys.report import NodeState, Report, Reporter
from quanyu.journeys.running import Plans, Running
from quanyu.journeys.sending import Sender
from quanyu.journeys.starters import STARTERS
from quanyu.journeys.store import EMPTY, Journals
from quanyu.kernel.clock import Clock
from quanyu.kernel.errors import NotFound, QuanyuError
from quanyu.kernel.ids import Ids
from quanyu.kernel.label import Label
from quanyu.messaging.api import Messaging
from quanyu.messaging.contracts import Claimed, Stop
from quanyu.promotions.api import Promotions
from quanyu.storage import outbox
from quanyu.storage.state import State

CONSUMER = "journeys"
PEOPLE_MOVED = "people_moved"
ENTRANTS = 5000  # people let in by an audience in one statement


class Journeys:
    """Journeys of every brand of this installation. Thread-safe."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        ids: Ids,
        *,
        people: People,
        audiences: Audiences,
        messaging: Messaging,
        promotions: Promotions,
        scope_of: Callable[[int], Scope],
        audit: Audit | None = None,
    ) -> None:
        self._state, self._clock, self._audit = state, clock, audit
        self._people, self._audiences = people, audiences
        self._messaging, self._promotions = messaging, promotions
        self._scope_of = scope_of
        self._plans = Plans()
        self._journals = Journals(state, clock, ids)
        self._advancer = Advancer(state, clock, self._plans, audiences, Sender(messaging, promotions), scope_of)
        self._reporter = Reporter(people, messaging.effects)
        messaging.on_last_look(self._last_look)
        messaging.use_journey_names(self._journals.names)

    # ------------------------------------------------------------------------------------------------ people move
    def on_events(self, tx: sa.Connection, batch: pa.Table, resolved: Any = None) -> int:
        """Act on a micro-batch inside its transaction; how many participations were touched.

        `batch` has the columns of `BATCH_SCHEMA`, its rows in log order. `resolved` (identity's answer) gives the
        people and deciding identifiers when the batch's own columns are not filled yet.
        """
        if resolved is not None:
            for name in ("person_id", "anchor_id"):
                column = pa.array(getattr(resolved, name), pa.int64())
                batch = batch.set_column(batch.column_names.index(name), name, column)
        if "replaces" in batch.column_names:  # what is said anew of an old order is nothing that happens now
            batch = batch.filter(pc.is_null(batch.column("replaces")))
        return matching.on_events(tx, self._plans, batch, self._clock.now())

    def follow_news(self, limit: int = 500) -> int:
        """Act on people who moved and audiences that changed (a worker's step); how many pieces of news.

        The position moves in the same transaction, so each is acted upon once.
        """
        with self._state.write() as tx:
            news = outbox.take(tx, CONSUMER, (PEOPLE_MOVED, AUDIENCE_CHANGED), limit)
            moved = {
                int(person) for each in news if each.topic == PEOPLE_MOVED for person in each.payload["person_ids"]
            }
            people_moved.follow(tx, self._people, self._plans, moved)
            for audience_id in sorted({each.payload["audience_id"] for each in news if each.topic == AUDIENCE_CHANGED}):
                self.on_audience(tx, audience_id)
        return len(news)

    def on_audience(self, tx: sa.Connection, audience_id: str) -> int:
        """Let in who entered or left an audience since it was last looked at; how many came in."""
        count = 0
        for running in self._plans.published(tx):
            entry = running.current.plan.entry
            if entry.on == "audience" and entry.audience_id == audience_id:
                count += self._from_audience(tx, running, audience_id, entry.change)
        return count

    def advance(self, limit: int = 2000) -> int:
        """Move whose time has come (a worker's step); how many, 0 when nobody is due."""
        return self._advancer.advance(limit) or self._journals.let_out()

    # ----------------------------------------------------------------------------------------------------- drafts
    def create(
        self,
        caller: Caller,
        name: str,
        graph: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        template: str | None = None,
        journey_id: str | None = None,
    ) -> JourneyView:
        """A new draft, empty or from a starter (`cart`, `welcome`, `winback`)."""
        if template is not None and template in STARTERS and graph is None:
            label, graph, ruled = STARTERS[template]
            settings = settings or ruled
            name = name or label.text(caller.language)
        made = self._journals.create(caller, name, graph or EMPTY, settings or {}, journey_id)
        self._note(caller, "journey_created", made, name=name)
        return self._journals.view(caller.scope, made)

    def save(
        self,
        caller: Caller,
        journey_id: str,
        name: str,
        graph: dict[str, Any],
        settings: dict[str, Any],
        revision: int | None = None,
    ) -> JourneyView:
        """Save the draft; nothing that runs changes. Raises NotFound or Stale."""
        self._journals.save(caller.scope, journey_id, name, graph, settings, revision)
        return self._journals.view(caller.scope, journey_id)

    def get(self, scope: Scope, journey_id: str) -> JourneyView:
        """One journey. Raises NotFound."""
        return self._journals.view(scope, journey_id)

    def list_journeys(self, scope: Scope) -> list[JourneySummary]:
        """The brand's journeys with counts within the scope, last changed first."""
        with self._state.read() as tx:
            found = self._journals.all(tx, scope)
            totals = self._reporter.totals(tx, scope)
        return [
            JourneySummary(
                row.journey_id,
                row.name,
                row.status,
                row.version,
                *totals.get(row.journey_id, (0, 0, 0)),
                row.updated_at,
            )
            for row in found
        ]

    def check(self, scope: Scope, journey_id: str) -> Checked:
        """What is wrong with the draft. Raises NotFound."""
        view = self._journals.view(scope, journey_id)
        found = validate(
            Draft.model_validate(view.graph), JourneySettings.model_validate(view.settings), self._references(scope)
        )
        return Checked(tuple(found.errors), tuple(found.warnings))

    def publish(self, caller: Caller, journey_id: str) -> JourneyView:
        """Publish the draft: people enter it from now on, those inside stay on theirs. Raises Invalid, Conflict."""
        version = self._journals.publish(
            caller, journey_id, self._references(caller.scope), lambda each: self._newest(caller.scope, each)
        )
        self._note(caller, "journey_published", journey_id, version=version)
        return self._journals.view(caller.scope, journey_id)

    def pause(self, caller: Caller, journey_id: str, mode: PauseMode) -> JourneyView:
        """Pause: `stop_entry`, `freeze` (timers stand still) or `hold_sends` (timers run, messages wait)."""
        self._journals.pause(caller.scope, journey_id, mode)
        self._note(caller, "journey_paused", journey_id, mode=mode)
        return self._journals.view(caller.scope, journey_id)

    def resume(self, caller: Caller, journey_id: str) -> JourneyView:
        """Go on after a pause. Raises Conflict."""
        self._journals.resume(
            caller.scope, journey_id, lambda tx: self._messaging.wake(tx, journey_id, "journey_paused")
        )
        self._note(caller, "journey_resumed", journey_id)
        return self._journals.view(caller.scope, journey_id)

    def end(self, caller: Caller, journey_id: str) -> JourneyView:
        """End for good: everybody leaves, nothing more is sent. Raises Conflict."""
        self._journals.end(caller.scope, journey_id)
        self._note(caller, "journey_ended", journey_id)
        return self._journals.view(caller.scope, journey_id)

    # ---------------------------------------------------------------------------------------------------- numbers
    def report(self, scope: Scope, journey_id: str) -> tuple[JourneyView, Report]:
        """A journey and its numbers within the scope. Raises NotFound."""
        view = self._journals.view(scope, journey_id)
        with self._state.read() as tx:
            return view, self._reporter.report(tx, scope, journey_id, self._clock.now())

    def reason_labels(self, reasons: dict[str, int]) -> list[tuple[str, Label, int]]:
        """Reasons with their texts and counts, most first."""
        with self._state.read() as tx:
            return [(each.key, each.label, each.count) for each in self._messaging.reason_counts(tx, reasons.items())]

    def list_people(
        self,
        scope: Scope,
        journey_id: str,
        state: NodeState,
        node_id: str | None = None,
        reason: str | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> tuple[list[int], int | None, int]:
        """The people behind a number: a page of ids, where the next begins, how many there are. Raises NotFound."""
        with self._state.read() as tx:
            self._journals.row(tx, scope, journey_id, lock=False)
            found = self._reporter.people(scope, journey_id, node_id, state, reason).subquery("found")
            total = tx.execute(sa.select(sa.func.count()).select_from(found)).scalar_one()
            statement = sa.select(found.c.person_id).order_by(found.c.person_id).limit(limit + 1)
            if after is not None:
                statement = statement.where(found.c.person_id > after)
            page = list(tx.execute(statement).scalars())
        return page[:limit], page[limit - 1] if len(page) > limit else None, int(total)

    def used_audiences(self, tx: sa.Connection, scope: Scope, audience_id: str) -> Sequence[UsedBy]:
        """The journeys that rest on an audience, for audiences' `used_by`."""
        return [
            UsedBy("journey", row.journey_id, row.name)
            for row in self._journals.all(tx, scope)
            if row.status != "ended" and audience_id in _audiences_in(row.graph)
        ]

    def journeys_of(self, tx: sa.Connection, scope: Scope, person_id: int) -> list[dict[str, Any]]:
        """The journeys that a person is or was in: journey_id, name, node, state, newest first."""
        return self._reporter.of_person(tx, scope, person_id)

    # ----------------------------------------------------------------------------------------------------- inside
    def _note(self, caller: Caller, action: str, journey_id: str, **detail: Any) -> None:
        if self._audit is not None:
            self._audit.record(caller, action, journey_id, detail)

    def _from_audience(self, tx: sa.Connection, running: Running, audience_id: str, change: str) -> int:
        scope, now = self._scope_of(running.brand_id), self._clock.now()
        newest = self._newest(scope, audience_id)
        last = running.audience_version
        if newest is None or last == newest:
            return 0
        self._journals.note_audience(tx, running.journey_id, newest)
        if not running.enters:
            return 0  # who enters the audience while entry is stopped does not come in later either
        count = 0
        for version in range((last or 0) + 1, newest + 1):
            try:
                people = sorted(self._audiences.members(tx, scope, audience_id, version, change))
            except NotFound:
                continue  # an old version that is no longer kept: its people cannot be told apart any more
            anchors = self._people.anchors_of(tx, people)
            cause = f"{audience_id}@{version}:{change}"
            entrants = [Entrant(person, anchors[person], cause, now) for person in people if person in anchors]
            for start in range(0, len(entrants), ENTRANTS):
                count += len(enter(tx, running, entrants[start : start + ENTRANTS], now))
        return count

    def _newest(self, scope: Scope, audience_id: str) -> int | None:
        try:
            version: int | None = self._audiences.get_audience(scope, audience_id).version
        except NotFound:
            return None
        return version

    def _last_look(self, tx: sa.Connection, effects: Sequence[Claimed]) -> dict[str, Stop]:
        return last_look.look(tx, self._plans, effects, self._clock.now())

    def _references(self, scope: Scope) -> _Known:
        return _Known(self, scope)


@dataclass(frozen=True, slots=True)
class _Known:
    """What a graph may name, within one brand."""

    door: Journeys
    scope: Scope

    def connection_problem(self, connection: str) -> Label | None:
        """Why a connection cannot be used."""
        return self.door._messaging.connections.problem(self.scope, connection)  # noqa: SLF001 - its own door

    def template_problem(self, template_id: str, connection: str, coupon_id: str | None) -> Label | None:  # noqa: ARG002
        """Why a template cannot be used."""
        return self.door._messaging.templates.problem(self.scope, template_id, coupon_id is not None)  # noqa: SLF001

    def coupon_problem(self, coupon_id: str) -> Label | None:
        """Why a coupon cannot be given."""
        try:
            found = self.door._promotions.definition(self.scope, coupon_id)  # noqa: SLF001
        except NotFound as error:
            return error.title
        if not found.active:
            return Label("优惠券已停用", "The coupon is switched off")
        if found.total is not None and found.issued >= found.total:
            return Label("优惠券已发完", "The coupons have run out")
        return None

    def audience_problem(self, audience_id: str) -> Label | None:
        """Why an audience cannot be used."""
        try:
            self.door._audiences.get_audience(self.scope, audience_id)  # noqa: SLF001
        except NotFound as error:
            return error.title
        return None

    def tree_problems(self, tree: dict[str, Any]) -> list[tuple[str, Label]]:
        """What is wrong with a condition tree."""
        try:
            self.door._audiences.check(tree, self.scope)  # noqa: SLF001
        except TreeInvalid as error:
            return [(f"{each.id}.{each.field}".strip("."), each.message) for each in error.errors]
        except QuanyuError as error:
            return [("", error.detail or error.title)]
        return []


def _audiences_in(graph: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    stack: list[Any] = [graph]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            if isinstance(each.get("audience_id"), str):
                found.add(each["audience_id"])
            stack.extend(each.values())
        elif isinstance(each, list):
            stack.extend(each)
    return found
