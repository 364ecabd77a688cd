"""The door of messaging: wish a message, run the lanes, take receipts, and see what became of everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx
import pyarrow as pa
import sqlalchemy as sa

from quanyu.access.api import Audit
from quanyu.access.contracts import Caller, Scope
from quanyu.kernel.clock import Clock
from quanyu.kernel.ids import Ids
from quanyu.messaging import gate, receipts, recovery, sends, states, telling
from quanyu.messaging.callbacks import Callbacks
from quanyu.messaging.claiming import Parts
from quanyu.messaging.connections import Connections, ConnectionView
from quanyu.messaging.contracts import (
    STATUS_LABELS,
    Cards,
    Consents,
    Coupons,
    Intent,
    LastLook,
    People,
    RecordEvents,
    Resolution,
    Timing,
)
from quanyu.messaging.dispatch import Dispatcher, Point
from quanyu.messaging.followup import FollowUp
from quanyu.messaging.reasons import reason_label
from quanyu.messaging.sends import Count, SendFilter, SendView
from quanyu.messaging.settling import Settler
from quanyu.messaging.tables import effect
from quanyu.messaging.template_store import Templates
from quanyu.messaging.templates import CardTemplate, Template
from quanyu.messaging.timing import Uniform, uniform_of
from quanyu.sdk import HttpAnswer, HttpRequest
from quanyu.sdk.channel import ChannelPlugin
from quanyu.storage.bulk import insert_ignore
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

__all__ = [
    "CardTemplate",
    "ConnectionView",
    "Count",
    "HttpAnswer",
    "HttpRequest",
    "Messaging",
    "SendFilter",
    "SendView",
    "Template",
]


JourneyNames = Callable[[set[str]], dict[str, str]]


class Messaging:
    """Everything about messages, of every brand of this installation."""

    def __init__(
        self,
        state: State,
        vault: Vault,
        clock: Clock,
        ids: Ids,
        *,
        people: People,
        consents: Consents,
        cards: Cards,
        coupons: Coupons,
        plugins: Mapping[str, ChannelPlugin],
        http: Callable[[], httpx.Client],
        record_events: RecordEvents,
        scope_of: Callable[[int], Scope],
        timing: Timing | None = None,
        uniform: Uniform | None = None,
        point: Point | None = None,
        audit: Audit | None = None,
    ) -> None:
        timing = timing or Timing()
        uniform = uniform or uniform_of()
        self._state, self._clock = state, clock
        self._record_events = record_events
        self._journey_names: JourneyNames | None = None
        self._audit = audit
        self._parts = Parts(people, consents, cards, coupons, vault, ids, scope_of, [], timing.lease)
        self.connections = Connections(state, clock, vault, plugins, http)
        self.templates = Templates(state, clock, ids)
        self.callbacks = Callbacks(state, clock, vault, self.connections, record_events)
        self._settler = Settler(self._parts, timing, uniform)
        follow_up = FollowUp(
            state, clock, vault, self._parts, self._settler, timing, uniform, self.callbacks.take_events
        )
        self._dispatcher = Dispatcher(
            state, clock, self._parts, self._settler, self.connections, follow_up, timing, point
        )

    def use_journey_names(self, names: JourneyNames) -> None:
        """Learn from journeys (which lies above) what they are called."""
        self._journey_names = names

    def journey_names(self, views: Sequence[SendView]) -> dict[str, str]:
        """The names of the journeys that sends come from."""
        wanted = {view.journey_id for view in views if view.journey_id is not None}
        return self._journey_names(wanted) if wanted and self._journey_names else {}

    def person_number(self, scope: Scope, public_id: str) -> int:
        """The number of the person with a public id. Raises NotFound outside the scope."""
        return int(self._parts.people.person_of(public_id, scope).person_id)

    def on_last_look(self, look: LastLook) -> None:
        """Have `look` asked about every effect when it is claimed and again at the gate."""
        self._parts.last_looks.append(look)

    def intend(self, tx: sa.Connection, brand_id: int, intents: Sequence[Intent]) -> int:
        """Wish messages inside the caller's transaction; how many were new. A wish seen before is the same wish."""
        now = self._clock.now()
        made = insert_ignore(tx, effect, [_row(intent, brand_id, now) for intent in intents])
        fresh = [intent for intent in intents if made]
        states.log(
            tx,
            (
                (each.effect_id, "suppressed" if each.suppressed else "intended", 0, each.suppressed, None)
                for each in self._unlogged(tx, fresh)
            ),
            now,
        )
        return made

    def dispatch(self, limit: int = 5000, patience: float | None = None) -> int:
        """Run every connection that has something due, each in a lane of its own; how much was handled.

        Waits up to `patience` seconds (None: until all are done); a slow lane goes on by itself.
        """
        return self._dispatcher.dispatch(limit, patience)

    def recover(self, limit: int = 5000) -> int:
        """Find what killed workers left behind; how many effects changed."""
        with self._state.write() as tx:
            return recovery.recover(tx, self._parts, self._settler, self._clock.now(), limit)

    def publish_events(self, limit: int = 5000) -> int:
        """Tell history what changed; how many changes were told."""
        return telling.tell(self._state, self._parts.people, self._record_events, self._channel_of, limit)

    def receipts(self, tx: sa.Connection, batch: pa.Table) -> int:
        """Take what came back as events, inside the micro-batch; how many events named a message."""
        return receipts.apply(tx, self._parts.people, batch, self._clock.now())

    def receive(self, connection: str, request: HttpRequest) -> HttpAnswer:
        """Handle a provider's call; its events are durable when this returns."""
        return self.callbacks.receive(connection, request)

    def effects_of_send(self, tx: sa.Connection, brand_id: int, token: str) -> sa.Select[Any]:  # noqa: ARG002
        """The effects of the batch that a send token names."""
        return sa.select(effect.c.effect_id).where(effect.c.batch_id == token, effect.c.brand_id == brand_id)

    def in_flight(
        self, tx: sa.Connection, identifier_id: int, purpose: str, channel: str
    ) -> list[tuple[str, datetime]]:
        """The sends to an identifier's owner that are with a provider and unanswered, oldest first.

        A withdrawal for the purpose and channel (`any` is all) comes too late for them.
        """
        found = gate.in_flight(tx, self._parts, identifier_id, purpose)
        return [
            (row.effect_id, row.submitted_at)
            for row in found
            if channel == "any" or self._channel_of(row.connection) == channel
        ]

    def effects(self) -> sa.Subquery:
        """Every effect, narrow, for reports above: effect_id, brand_id, anchor_id, journey_id, version, node_id,
        participation_id, ghost, status, reason and the times.
        """
        names = (
            "effect_id",
            "brand_id",
            "anchor_id",
            "journey_id",
            "version",
            "node_id",
            "participation_id",
            "ghost",
            "status",
            "reason",
            "claimed_at",
            "submitted_at",
            "delivered_at",
            "read_at",
            "redeemed_at",
        )
        return sa.select(*(effect.c[name] for name in names)).subquery("effects")

    def page(
        self, scope: Scope, wanted: SendFilter, cursor: str | None = None, limit: int = 50
    ) -> tuple[list[SendView], str | None, int]:
        """Sends within the scope, newest first; the next cursor; how many there are."""
        with self._state.read() as tx:
            found, more = sends.page(tx, self._parts, scope, wanted, cursor, limit)
            return found, more, sends.total(tx, self._parts, scope, wanted)

    def summary(self, scope: Scope, journey_id: str | None = None) -> tuple[list[Count], list[Count], int]:
        """Counts by status, suppressed by reason, and the unknown."""
        with self._state.read() as tx:
            return sends.summary(tx, self._parts, scope, SendFilter(journey_id=journey_id))

    def reason_counts(self, tx: sa.Connection, found: Iterable[tuple[str, int]]) -> list[Count]:
        """Counts of reasons with their texts, most first."""
        pairs = sorted(found, key=lambda pair: (-pair[1], pair[0]))
        known = sends.provider_labels(tx, {reason for reason, _ in pairs})
        return [
            Count(reason, reason_label(reason, known) or STATUS_LABELS["suppressed"], many) for reason, many in pairs
        ]

    def send(self, scope: Scope, effect_id: str) -> tuple[SendView, list[Any], dict[str, Any] | None]:
        """One send, its history and its content. Raises NotFound."""
        with self._state.read() as tx:
            return sends.one(tx, self._parts, scope, effect_id)

    def resolve(self, caller: Caller, effect_id: str, outcome: Resolution, note: str) -> SendView:
        """Settle a send whose outcome is unknown. Raises NotFound or Conflict."""
        with self._state.write() as tx:
            sends.resolve(tx, self._parts, caller.scope, effect_id, outcome, note, self._clock.now())
            if self._audit is not None:
                self._audit.record(caller, "send_resolved", effect_id, {"outcome": outcome, "note": note}, tx=tx)
        return self.send(caller.scope, effect_id)[0]

    def wake(self, tx: sa.Connection, journey_id: str, reason: str) -> int:
        """Look at once again at a journey's effects that were put off for `reason`; how many."""
        return tx.execute(
            sa.update(effect)
            .where(effect.c.journey_id == journey_id, effect.c.status == "deferred", effect.c.reason == reason)
            .values(wake_at=self._clock.now())
        ).rowcount

    def note(self, caller: Caller, action: str, subject: str, detail: dict[str, Any] | None = None) -> None:
        """Write into the audit ledger what a caller changed: names of fields, never values."""
        if self._audit is not None:
            self._audit.record(caller, action, subject, detail or {})

    def close(self) -> None:
        """Stop the lanes."""
        self._dispatcher.close()

    def _channel_of(self, connection: str) -> str | None:
        try:
            return self.connections.channel(connection).channel
        except Exception:  # the connection or its plugin is gone; the event is true all the same  # noqa: BLE001
            return None

    def _unlogged(self, tx: sa.Connection, intents: Sequence[Intent]) -> list[Intent]:
        known = states.logged(tx, [intent.effect_id for intent in intents])
        return [intent for intent in intents if intent.effect_id not in known]


def _row(intent: Intent, brand_id: int, now: Any) -> dict[str, Any]:
    return {
        "effect_id": intent.effect_id,
        "brand_id": brand_id,
        "anchor_id": intent.anchor_id,
        "connection": intent.connection,
        "template_id": intent.template_id,
        "category": intent.category,
        "purpose": intent.purpose,
        "priority": intent.priority,
        "daily_cap": intent.daily_cap,
        "quiet": "-".join(intent.quiet) if intent.quiet else None,
        "ghost": intent.held_out,
        "coupon_id": intent.coupon_id,
        "coupon_code": intent.coupon_code,
        "journey_id": intent.journey_id,
        "version": intent.version,
        "node_id": intent.node_id,
        "participation_id": intent.participation_id,
        "reply_token": intent.reply_token,
        "reply_until": intent.reply_until,
        "status": "suppressed" if intent.suppressed else "intended",
        "reason": intent.suppressed,
        "created_at": now,
        "wake_at": now,
        "expires_at": intent.expires_at,
        "settled_at": now if intent.suppressed else None,
    }
