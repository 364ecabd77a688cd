"""The sandbox as one ASGI application: every part made and tied together, and the two loops that keep it going."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from time import time_ns

import httpx
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from quanyu_sandbox.behaviour import Behaviour
from quanyu_sandbox.callbacks import Callbacks
from quanyu_sandbox.clock import SECOND, Clock, MachineClock, VirtualClock
from quanyu_sandbox.control import Control
from quanyu_sandbox.courier import Courier
from quanyu_sandbox.dropping import keep_send
from quanyu_sandbox.faults import Faults
from quanyu_sandbox.fingers import Fingers
from quanyu_sandbox.ledger import Ledger
from quanyu_sandbox.looking import Looking
from quanyu_sandbox.pages import Pages
from quanyu_sandbox.people import People
from quanyu_sandbox.sending import Sending
from quanyu_sandbox.settings import SandboxSettings
from quanyu_sandbox.store import Store
from quanyu_sandbox.webhook import WebhookReceiver
from quanyu_sandbox.wecom.gateway import Gateway
from quanyu_sandbox.wecom.rates import Rates
from quanyu_sandbox.world import World

log = logging.getLogger(__name__)
_STEPS = 200  # of the agenda between two looks at the network
_LONGEST_SLEEP = 5.0


def machine_micros() -> int:
    """The machine's time in microseconds since 1970."""
    return time_ns() // 1000


class SandboxApp(Starlette):
    """Starlette that remembers the server's `send`, so that a connection can be cut."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        keep_send(scope, send)
        await super().__call__(scope, receive, send)


def create_app(
    settings: SandboxSettings,
    *,
    wall: Callable[[], int] = machine_micros,
    transport: httpx.AsyncBaseTransport | None = None,
) -> SandboxApp:
    """The application over the world in `settings.data`.

    `wall` (microseconds) is the machine's clock; `transport` stands for the network to the brand. Both are for tests.
    The lifespan must run: it carries the news. `app.state.world`, `.people`, `.behaviour`, `.courier` are the parts.
    """
    store = Store(settings.data)
    world = World(store, settings, _clock(settings, store, wall))
    callbacks, sending, faults = Callbacks(world), Sending(world), Faults(world)
    http = httpx.AsyncClient(transport=transport, timeout=10.0, follow_redirects=False, trust_env=False)
    people = People(world, callbacks)
    behaviour = Behaviour(world, people, sending)
    courier = Courier(world, callbacks, faults, http)
    ledger, rates = Ledger(world, wall), Rates(world)
    fingers = Fingers(world, people, sending, behaviour, courier)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        behaviour.open_shops()
        loops = [asyncio.create_task(courier.run())]
        if not world.clock.virtual:
            loops.append(asyncio.create_task(_live(world, behaviour)))
        try:
            yield
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await http.aclose()
            store.close()

    app = SandboxApp(
        routes=[
            *Gateway(world, sending, faults, ledger, rates).routes(),
            *Control(world, people, behaviour, callbacks, courier, faults, rates, fingers).routes(),
            *Looking(world, people, courier, faults, ledger, fingers).routes(),
            *WebhookReceiver(world, faults, wall).routes(),
            *Pages(world).routes(),
        ],
        lifespan=lifespan,
    )
    app.state.world, app.state.people, app.state.behaviour, app.state.courier = world, people, behaviour, courier
    return app


def _clock(settings: SandboxSettings, store: Store, wall: Callable[[], int]) -> Clock:
    if not settings.virtual:
        return MachineClock(wall)
    remembered = store.meta("now")
    if remembered is None:
        start = int(settings.start_at * SECOND) or wall()
        store.remember("now", str(start))
        return VirtualClock(start)
    return VirtualClock(int(remembered))


async def _live(world: World, behaviour: Behaviour) -> None:
    """Do what is due as real time passes."""
    bell = world.bell.listen()
    while True:
        bell.clear()
        try:
            done = behaviour.run(world.clock.now(), _STEPS)
        except sqlite3.Error:
            log.exception("the agenda stumbled and goes on")
            await asyncio.sleep(1)
            continue
        if done == _STEPS:
            await asyncio.sleep(0)
            continue
        due = behaviour.next_due()
        wait = _LONGEST_SLEEP if due is None else (due - world.clock.now()) / SECOND
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(bell.wait(), min(max(wait, 0.01), _LONGEST_SLEEP))
