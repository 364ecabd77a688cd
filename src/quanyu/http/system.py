"""Routes about the installation itself: its settings and how its parts are doing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from quanyu.access.api import Guard
from quanyu.access.contracts import Caller
from quanyu.kernel.settings import SETTINGS, Settings


class LabelPair(BaseModel):
    """A text in both languages."""

    zh: str
    en: str


class SettingOut(BaseModel):
    """A setting in force. Secrets are shown as set or not."""

    name: str
    variable: str
    value: str
    default: str
    help: LabelPair
    source: str
    secret: bool


class SettingPage(BaseModel):
    """All settings."""

    items: list[SettingOut]
    next_cursor: str | None = None
    total: int | None = None


class WorkerStatus(BaseModel):
    """How the worker is doing. `lag_seconds` is the age of the oldest event that is not yet processed.

    The backlog is the installation's: it is told only to callers who have every brand.
    """

    alive: bool
    last_beat_at: datetime | None
    backlog_events: int | None
    backlog_bytes: int | None
    lag_seconds: float


class StoreStatus(BaseModel):
    """The two stores; their sizes are told only to callers who have every brand."""

    state: str
    history_rows: int | None
    history_bytes: int | None


class BooksStatus(BaseModel):
    """How the last recount of the books went: `discrepancies` hours do not fit what the stores hold (always none)."""

    checked_at: datetime | None
    counted: int | None
    discrepancies: int | None


class StatusOut(BaseModel):
    """How the installation is doing."""

    version: str
    worker: WorkerStatus
    stores: StoreStatus
    books: BooksStatus


@dataclass(frozen=True, slots=True)
class Condition:
    """What the composition root measured."""

    alive: bool
    last_beat_at: datetime | None
    backlog_events: int
    backlog_bytes: int
    lag_seconds: float
    state: str
    history_rows: int
    history_bytes: int
    books_checked_at: datetime | None
    books_counted: int
    books_wrong: int


def router(guard: Guard, settings: Settings, version: str, measure: Callable[[], Condition]) -> APIRouter:
    """The routes of the installation."""
    routes = APIRouter(tags=["system"])

    @routes.get("/settings", summary="All settings and where each value came from")
    def list_settings(_: Annotated[Caller, Depends(guard.permit("settings.read"))]) -> SettingPage:
        items = [
            SettingOut(
                name=item.name,
                variable=item.variable,
                value=_shown(settings.values[item.name], secret=item.secret),
                default=_shown(item.default, secret=item.secret),
                help=LabelPair(zh=item.help.zh, en=item.help.en),
                source=settings.origins.get(item.name, "default"),
                secret=item.secret,
            )
            for item in SETTINGS
        ]
        return SettingPage(items=items, total=len(items))

    @routes.get("/status", summary="How the worker and the stores are doing")
    def read_status(caller: Annotated[Caller, Depends(guard.permit("sources.read"))]) -> StatusOut:
        now, all_of_it = measure(), guard.sees_installation(caller)
        return StatusOut(
            version=version,
            worker=WorkerStatus(
                alive=now.alive,
                last_beat_at=now.last_beat_at,
                backlog_events=now.backlog_events if all_of_it else None,
                backlog_bytes=now.backlog_bytes if all_of_it else None,
                lag_seconds=now.lag_seconds,
            ),
            stores=StoreStatus(
                state=now.state,
                history_rows=now.history_rows if all_of_it else None,
                history_bytes=now.history_bytes if all_of_it else None,
            ),
            books=BooksStatus(
                checked_at=now.books_checked_at,
                counted=now.books_counted if all_of_it else None,
                discrepancies=now.books_wrong if all_of_it else None,
            ),
        )

    return routes


def _shown(value: Any, *, secret: bool) -> str:
    if secret:
        return "••••••" if value else ""
    return str(value)
