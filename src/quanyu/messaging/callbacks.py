"""What providers call: `/callbacks/{connection}`. The channel checks and reads it; the events are durable before the
answer.

A new contact is looked up at once, so that one micro-batch learns who they are and what they did: a journey that
greets them finds the consent that they gave elsewhere. Providers wait only seconds, so a look-up that takes longer
is left for the worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Literal

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from quanyu.events.contracts import NativeEvent, NativeIdentifier
from quanyu.kernel.clock import Clock
from quanyu.kernel.errors import NotFound, TooLarge
from quanyu.kernel.label import Label
from quanyu.messaging.connections import Connections
from quanyu.messaging.contracts import RecordEvents
from quanyu.messaging.tables import contact_lookup
from quanyu.sdk import Channel, Contact, HttpAnswer, HttpRequest, InboundEvent
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

MAX_BODY = 1_000_000
_LOOK_UP_SECONDS = 2.0  # a provider gives up after five
_LOOK_UPS_AT_ONCE = 8


class Callbacks:
    """Receives what providers tell."""

    def __init__(
        self, state: State, clock: Clock, vault: Vault, connections: Connections, record_events: RecordEvents
    ) -> None:
        self._state, self._clock, self._vault = state, clock, vault
        self._connections = connections
        self._record_events = record_events
        self._looking_up = ThreadPoolExecutor(_LOOK_UPS_AT_ONCE, "contact-look-up")

    def receive(self, name: str, request: HttpRequest) -> HttpAnswer:
        """Handle one call; its events are durable when this returns. Raises NotFound for a connection that takes
        no callbacks; the channel answers 4xx to what is not genuine.
        """
        brand_id = self._connections.brand_of(name)
        channel = self._connections.channel(name)
        if "receive" not in channel.capabilities:
            raise NotFound("callback_not_found", Label("这个通道没有回调", "This connection takes no callbacks"))
        received = channel.receive(request)
        known, unknown = self._look_up(channel, received.contacts)
        events = [*known, *received.events]
        if events:
            self.take_events(brand_id, events)
        if unknown:
            sealed = self._vault.seal_many(brand_id, [contact.reference for contact in unknown])
            with self._state.write() as tx:
                tx.execute(
                    sa.insert(contact_lookup),
                    [
                        {"brand_id": brand_id, "connection": name, "reference": each, "due_at": self._clock.now()}
                        for each in sealed
                    ],
                )
        return received.answer

    def _look_up(self, channel: Channel[Any], contacts: Sequence[Contact]) -> tuple[list[InboundEvent], list[Contact]]:
        """What the provider says of contacts, and those of whom it says nothing in time."""
        asked = {self._looking_up.submit(channel.details, contact): contact for contact in contacts}
        done, late = wait(asked, _LOOK_UP_SECONDS)
        for one in late:
            one.cancel()
        failed = {one for one in done if one.exception() is not None}
        known = [event for one in done - failed for event in one.result()]
        return known, [asked[one] for one in late | failed]

    def take_events(self, brand_id: int, events: Sequence[InboundEvent]) -> None:
        """Put a channel's events on the road of all events."""
        self._record_events(
            brand_id,
            [
                NativeEvent(
                    event_id=event.event_id,
                    name=event.name,
                    occurred_at=event.occurred_at,
                    identifiers=tuple(NativeIdentifier(each.namespace, each.value) for each in event.identifiers),
                    channel=event.channel,
                    staff_id=event.staff_id,
                    properties=dict(event.properties),
                    traits={"set": dict(event.traits)} if event.traits else {},
                )
                for event in events
            ],
        )

    def routes(self) -> list[Route]:
        """The raw routes, to be mounted at the root."""
        return [Route("/callbacks/{connection}", self._endpoint, methods=["GET", "POST"])]

    async def _endpoint(self, request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise TooLarge(title=Label("回调内容过大", "The callback is too large"))
        method: Literal["GET", "POST"] = "GET" if request.method == "GET" else "POST"
        asked = HttpRequest(method, dict(request.query_params), dict(request.headers), bytes(body))
        answer = await run_in_threadpool(self.receive, request.path_params["connection"], asked)
        return Response(answer.body, answer.status, media_type=answer.media_type)
