"""What comes in from a provider: the HTTP call as received, and the events that a channel read out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A callback as it came: nothing of it has been trusted yet."""

    method: Literal["GET", "POST"]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What the provider wants to hear."""

    status: int = 200
    body: bytes = b""
    media_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier in clear, on its way to be hashed and sealed."""

    namespace: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """One event that a provider told us: `event_id` is stable, so that a repeated delivery is stored once."""

    event_id: str
    name: str
    occurred_at: datetime
    identifiers: tuple[Identifier, ...]
    channel: str | None = None
    staff_id: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    traits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contact:
    """A person whom the channel can look up: the provider's own id of them."""

    reference: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Received:
    """A callback that was read: the answer, its events, and the contacts to look up afterwards."""

    answer: HttpAnswer
    events: tuple[InboundEvent, ...] = ()
    contacts: tuple[Contact, ...] = ()
