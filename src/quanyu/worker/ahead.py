"""Decoding ahead: while one micro-batch is taken in, a process of its own decodes the next one.

Decoding, and finding the identifiers, is half of the work on an event and needs nothing that the other half changes,
so under load two cores do it side by side. The process is started when a backlog is first seen. It only reads: it may
be killed, hang or answer for a place where the books no longer are, and the worker then decodes the batch itself.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from quanyu.events.api import Events, Looked
from quanyu.events.contracts import Batch, Position
from quanyu.identity.api import Identity, Mentions

log = logging.getLogger(__name__)

Cursors = Mapping[str, Position]
_PATIENCE = 60.0
_RESTART_SECONDS = 30.0
_COMPANY_SECONDS = 300.0


def spare_the_collector() -> None:
    """Let Python look for cycles rarely: a micro-batch makes a million objects, and none of them in cycles."""
    gc.set_threshold(200_000, 50, 100)


@dataclass(frozen=True, slots=True)
class Coming:
    """The batch for when the books end at `after`, repetitions still in it; and what is known of it so far.

    `mentions` is whom it mentions, `looked` which of its events the index of ids had when it was asked.
    """

    after: Cursors
    batch: Batch
    mentions: Mentions | None = None
    looked: Looked | None = None


def read_batch(events: Events, after: Cursors, max_events: int) -> Coming | None:
    """The batch that begins at the given places; None when nothing is there."""
    frames = events.read(max_events, after)
    return Coming(after, events.decode(frames)) if frames else None


def answer(opened: Callable[[], tuple[Events, Identity]], connection: Connection) -> None:
    """The helper process: batches for whoever holds the other end, until that end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker; its end closes the connection
    events, identity = opened()
    spare_the_collector()
    with contextlib.suppress(EOFError, OSError):
        connection.send(None)  # ready
        while True:
            after, max_events = connection.recv()
            try:
                coming = read_batch(events, after, max_events)
                if coming is not None:
                    coming = replace(coming, mentions=identity.read(coming.batch.table))
            except Exception:  # the worker meets it again, in its own lane, where it is counted
                log.exception("decoding_ahead_failed")
                coming = None
            connection.send(coming)


class Ahead:
    """Gives micro-batches in order. For one thread.

    A batch has `max_events` or a frame more; one writer's backlog comes in larger and larger batches, up to
    `most_events`. Once somebody else had an event too, they stay small for a while: the next one comes soon.

    `main` and `arguments` are what the helper process runs, with a connection as the last argument: importable, and
    such as can be sent to another process. Without `main` every batch is decoded here.
    """

    def __init__(
        self,
        events: Events,
        main: Callable[..., None] | None = None,
        arguments: tuple[Any, ...] = (),
        *,
        max_events: int = 20_000,
        most_events: int = 160_000,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events = events
        self._main = main
        self._arguments = arguments
        self._least_events, self._most_events = max_events, most_events
        self._max_events = max_events
        self._now = now
        self._company = -_COMPANY_SECONDS  # when another writer had an event beside a backlog
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None
        self._ready = False
        self._asked: Cursors | None = None
        self._started = -_RESTART_SECONDS
        self.from_ahead = 0  # batches that the helper decoded

    def take(self, after: Cursors | None = None) -> Coming | None:
        """The batch after the books' end, or where that will be; None when there is nothing to do."""
        after = self._events.cursors() if after is None else after
        coming = self._answered(after) or read_batch(self._events, after, self._max_events)
        if coming is None:
            self.hurry()
            return None
        found = sum(coming.batch.accepted.values())
        full = found >= self._max_events
        if len(coming.batch.ended) > 1:
            self._company = self._now()
        # One writer's backlog, with nobody else waiting: larger batches touch fewer pages of the state per event.
        alone = self._now() - self._company >= _COMPANY_SECONDS
        self._max_events = min(max(2 * found, self._least_events), self._most_events) if alone else self._least_events
        if full:
            self._ask({**after, **coming.batch.ended})
        return coming

    def hurry(self) -> None:
        """Make the next batch a small one: somebody waits for it."""
        self._max_events = self._least_events

    def close(self) -> None:
        """End the helper process."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._connection = self._asked = None
        self._ready = False

    def _ask(self, after: Cursors) -> None:
        if self._connection is None:
            self._start()
            return
        with self._mending():
            if not self._ready and self._connection.poll(0):
                self._connection.recv()
                self._ready = True
            if self._ready:
                self._connection.send((after, self._max_events))
                self._asked = after

    def _answered(self, after: Cursors) -> Coming | None:
        """What the helper decoded, if it was asked for just this place."""
        asked, self._asked = self._asked, None
        if asked is None or self._connection is None:
            return None
        with self._mending():
            if not self._connection.poll(_PATIENCE):
                raise TimeoutError
            coming: Coming | None = self._connection.recv()
            if asked == after:
                self.from_ahead += coming is not None
                return coming
        return None

    @contextlib.contextmanager
    def _mending(self) -> Any:
        try:
            yield
        except (EOFError, OSError) as error:  # it was killed, or hangs
            log.warning("decoding_ahead_lost", extra={"why": type(error).__name__})
            self.close()

    def _start(self) -> None:
        if self._main is None or self._now() - self._started < _RESTART_SECONDS:
            return
        self._started = self._now()
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=self._main, args=(*self._arguments, theirs), name="quanyu-decoder", daemon=True
        )
        self._process.start()
        theirs.close()
