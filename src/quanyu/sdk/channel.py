"""What a channel is: it checks its connection, sends batches, and tells what became of them.

A batch is one piece of content for many people. The host forms it, has already decided for every person in it
that it may be sent now, and has written that down. A channel therefore never filters, delays or retries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar

import httpx

from quanyu.kernel.clock import Clock
from quanyu.kernel.label import Label
from quanyu.sdk.config import Config
from quanyu.sdk.errors import Problem
from quanyu.sdk.inbound import Contact, HttpRequest, InboundEvent, Received

Capability = Literal["find", "results", "receive", "details", "reply"]
DeliveryStatus = Literal["pending", "delivered", "failed"]
ConfigT = TypeVar("ConfigT", bound=Config)


@dataclass(frozen=True, slots=True)
class Host:
    """What the host gives a channel: the connection's name, a guarded HTTP client, and the time.

    The client has timeouts, follows no redirect and refuses private addresses unless the installation allows
    them. A channel opens no other connection.
    """

    connection: str
    http: httpx.Client
    clock: Clock


@dataclass(frozen=True, slots=True)
class Card:
    """A mini-program card: its title, the page it opens (the host has added `send=`), an image."""

    title: str
    page: str
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One person of a batch: the effect, the address in the provider's own form, a reply token if there is one."""

    effect_id: str
    address: str
    reply_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Batch:
    """One piece of content for many people: one call to the provider.

    `token` is unique to the batch, the same in every attempt; use it as the provider's idempotency key where
    there is one. `sender` is the provider's id of the member of staff who speaks, None for the provider's choice.
    """

    token: str
    text: str
    card: Card | None
    sender: str | None
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said of a batch: its reference, and the messages that it refused, by effect."""

    reference: str | None = None
    rejected: dict[str, Problem] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message of a batch: `address` in the provider's own form, and when."""

    address: str
    status: DeliveryStatus
    at: datetime | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a connection check: what was tried, whether it works, and what to do if it does not."""

    name: Label
    ok: bool
    message: Label


@dataclass(frozen=True, slots=True)
class PersonQuota:
    """The provider's own limit per person: at most `limit(day)` messages in the day's `period`."""

    period: Literal["day", "month"]
    limit: Callable[[date], int]


class Channel(ABC, Generic[ConfigT]):
    """The base of every channel.

    `channel` is the consent channel, `max_batch` the most people of one call, `parallel` the most calls at a time
    (so a channel is thread-safe), `idempotent` says that the provider ignores a repeated `Batch.token`, so that an
    unknown batch may simply be sent again. Optional methods are called only when their name is in `capabilities`.
    """

    kind: ClassVar[str]
    channel: ClassVar[str]
    max_batch: ClassVar[int] = 1
    parallel: ClassVar[int] = 4
    idempotent: ClassVar[bool] = False
    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    person_quota: ClassVar[PersonQuota | None] = None

    def __init__(self, config: ConfigT, host: Host) -> None:
        self.config = config
        self.host = host

    @property
    @abstractmethod
    def namespace(self) -> str:
        """The identifier namespace whose values this connection can address."""

    def address(self, value: str) -> str | None:
        """The provider's own form of an identifier's value, None when this connection cannot reach it."""
        return value

    @abstractmethod
    def check(self) -> Sequence[Step]:
        """Try the connection without reaching any customer. Never raises: a failure is a step that is not ok."""

    @abstractmethod
    def send(self, batch: Batch) -> Answer:
        """Hand the batch to the provider, once. Raises NotTaken or OutcomeUnknown; never retries by itself
        a call that may have been taken.
        """

    def find(self, batch: Batch, since: datetime) -> Answer | Literal["cannot_tell"] | None:
        """Whether the provider has the batch (`find`): its answer, None when it certainly has not."""
        raise NotImplementedError

    def results(self, reference: str) -> Sequence[Delivery]:
        """What became of an accepted batch so far (`results`)."""
        raise NotImplementedError

    def receive(self, request: HttpRequest) -> Received:
        """Check and read a callback of the provider (`receive`): the answer it wants, and the events in it."""
        raise NotImplementedError

    def details(self, contact: Contact) -> Sequence[InboundEvent]:
        """Look a contact up (`details`): the events that tell what else identifies them."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ChannelPlugin:
    """A channel as it is registered: the manifest's texts, the config class and the channel class."""

    key: str
    label: Label
    description: Label
    owner: str
    config: type[Config]
    channel: type[Channel[Any]]
