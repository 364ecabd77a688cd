"""The server over one product: the routes of every context, the collector, callbacks, health."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI
from prometheus_client import Gauge

from quanyu import __version__
from quanyu.access.contracts import Scope
from quanyu.access.routes import router as access_router
from quanyu.analytics.routes import router as analytics_router
from quanyu.app.product import Product
from quanyu.audiences.routes import router as audiences_router
from quanyu.commerce.routes import router as commerce_router
from quanyu.consent.routes import router as consent_router
from quanyu.events.contracts import Backlog
from quanyu.events.routes import router as events_router
from quanyu.events.routes_plan import router as plan_router
from quanyu.events.routes_quality import router as quality_router
from quanyu.events.routes_quarantine import router as quarantine_router
from quanyu.events.routes_retention import router as retention_router
from quanyu.http.quick import QuickProtocol
from quanyu.http.server import Application, build, document
from quanyu.http.static import CONSOLE
from quanyu.http.system import Condition
from quanyu.http.system import router as system_router
from quanyu.identity.routes import router as identity_router
from quanyu.imports.hooks import hooks
from quanyu.imports.routes import connections_router
from quanyu.imports.routes import router as imports_router
from quanyu.journeys.routes import router as journeys_router
from quanyu.kernel.errors import QuanyuError, Unavailable
from quanyu.messaging.routes import router as messaging_router
from quanyu.profiles.routes import PersonParts
from quanyu.profiles.routes import router as profiles_router
from quanyu.promotions.routes import router as promotions_router
from quanyu.storage import migrate
from quanyu.storage.schema import worker_beat

_ALIVE = timedelta(seconds=30)
BACKLOG = Gauge("quanyu_backlog_events", "Events in the log that no micro-batch has taken yet")
BACKLOG_AGE = Gauge("quanyu_backlog_age_seconds", "Age of the oldest of them")
STATE_UP = Gauge("quanyu_state_up", "Whether the state store could be read just now")
LOG_DAMAGED = Gauge("quanyu_log_damaged_frames", "Frames of the event log that could not be read, ever")
BOOKS_WRONG = Gauge("quanyu_books_discrepancies", "Hours of a source whose books do not fit what the stores hold")
BOOKS_AGE = Gauge("quanyu_books_checked_age_seconds", "Time since the books were last recounted; -1 before that")


def web(product: Product) -> Application:
    """The ASGI application."""
    settings, guard = product.settings, product.access.guard
    product.vault.prepare(0, ("log",)) if _has_tables(product) else None
    collector = product.events.collector()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        product.events.close()

    def before_metrics() -> None:
        backlog = product.events.backlog()
        BACKLOG.set(backlog.events)
        BACKLOG_AGE.set(_age(product, backlog))
        try:
            now = _condition(product)
        except Unavailable:  # the log is still there to be looked at: that is when its backlog matters
            STATE_UP.set(0)
            return
        STATE_UP.set(1)
        LOG_DAMAGED.set(product.events.damaged_frames())
        BOOKS_WRONG.set(now.books_wrong)
        checked = now.books_checked_at
        BOOKS_AGE.set((product.clock.now() - checked).total_seconds() if checked else -1)

    demo = bool(settings.demo)
    app = build(
        version=__version__,
        routers=_routers(product, demo),
        collector=collector.routes(),
        quick=collector.quick,
        collector_paths=product.events.openapi_paths(),
        callbacks=[*product.messaging.callbacks.routes(), *hooks(product.imports, settings.max_body_bytes)],
        checks={"state": lambda: _state_check(product), "history": lambda: _history_check(product)},
        before_metrics=before_metrics,
        new_id=lambda: product.ids.new("r"),
        lifespan=lifespan,
        demo_login=_demo_login(product) if demo else None,
    )
    app.state.product = product
    app.state.guard = guard
    return app


def openapi(product: Product) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    return document(web(product), product.events.openapi_paths())


def console_built() -> bool:
    """Whether the console's files are there."""
    return (CONSOLE / "index.html").is_file()


def _routers(product: Product, demo: bool) -> list[APIRouter]:
    guard, audit = product.access.guard, product.access.audit
    settings = product.settings
    return [
        access_router(
            product.access,
            version=__version__,
            demo=demo,
            sandbox_url=settings.sandbox_url or None,
            secure_cookies=settings.secure_cookies,
        ),
        commerce_router(product.commerce, guard, product.state, audit),
        analytics_router(product.analytics, guard),
        profiles_router(product.profiles, product.consent, guard, _person_parts(product)),
        identity_router(product.identity, guard),
        consent_router(product.consent, guard),
        audiences_router(product.audiences, guard, product.profiles, audit),
        journeys_router(product.journeys, guard, product.profiles),
        messaging_router(product.messaging, guard),
        promotions_router(product.promotions, guard),
        imports_router(product.imports, guard),
        connections_router(product.imports, guard),
        events_router(product.events, product.reconciliation, guard, audit, product.state),
        quarantine_router(product.events, guard, audit, product.state),
        quality_router(product.quality, guard, audit, product.state, product.clock),
        retention_router(product.retention, guard, audit, product.state),
        plan_router(product.events.plans, product.events.learning, guard, audit, product.state),
        system_router(guard, settings, __version__, lambda: _condition(product)),
    ]


def _person_parts(product: Product) -> PersonParts:
    """What contexts above profiles show on a person's page."""

    def journeys(person_id: int, scope: Scope) -> list[tuple[str, str, str, str]]:
        with product.state.read() as tx:
            found = product.journeys.journeys_of(tx, scope, person_id)
        return [(one["journey_id"], one["name"], one["node"] or "", one["state"]) for one in found]

    return PersonParts(
        audiences=lambda person_id, scope: product.audiences.audiences_of(scope, person_id),
        journeys=journeys,
        stores=lambda person_id, scope: product.analytics.bought(scope, person_id)[0],
        categories=lambda person_id, scope: product.analytics.bought(scope, person_id)[1],
    )


def _demo_login(product: Product) -> dict[str, str] | None:
    path = product.settings.data_path / "demo-login.json"
    if not path.is_file():
        return None

    found = json.loads(path.read_text(encoding="utf-8"))
    return {"username": str(found["username"]), "password": str(found["password"])}


def protocol(app: Application) -> Any:
    """What speaks HTTP for the application: uvicorn's own protocol, with the collector's short way."""
    return partial(QuickProtocol, app.quick)


def _has_tables(product: Product) -> bool:
    return migrate.current(product.state) is not None


def _condition(product: Product) -> Condition:
    backlog = product.events.backlog()
    with product.state.read() as tx:
        beat = tx.execute(sa.select(sa.func.max(worker_beat.c.at, type_=worker_beat.c.at.type))).scalar_one_or_none()
    now = product.clock.now()
    rows, size = product.history.size("events")
    books = product.reconciliation.health()
    return Condition(
        alive=beat is not None and now - beat < _ALIVE,
        last_beat_at=beat,
        backlog_events=backlog.events,
        backlog_bytes=backlog.bytes,
        lag_seconds=_age(product, backlog),
        state=product.state.dialect,
        history_rows=rows,
        history_bytes=size,
        books_checked_at=books.checked_at,
        books_counted=books.counted,
        books_wrong=books.wrong,
    )


def _age(product: Product, backlog: Backlog) -> float:
    """How long the oldest waiting event has waited, in seconds."""
    return max(0.0, product.clock.now().timestamp() - backlog.oldest_at / 1e6) if backlog.oldest_at else 0.0


def _state_check(product: Product) -> str | None:
    try:
        at = migrate.current(product.state)
    except (QuanyuError, sa.exc.SQLAlchemyError) as error:
        return type(error).__name__
    return None if at == migrate.head() else f"revision {at}, run quanyu migrate"


def _history_check(product: Product) -> str | None:
    try:
        product.history.version("events")
    except (LookupError, OSError) as error:
        return type(error).__name__
    return None
