"""The short way of the collector: small whole Segment calls of sources that are known, without a task for each.

What one turn of the event loop reads is handed to the log together, and single calls of one source become one frame:
its payload is then a JSON array of their bodies. Whatever needs patience or an explanation is left to `collector.py`;
see `quanyu.http.quick` for who asks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from quanyu.events import answers, errors
from quanyu.events.bodies import BadEncoding
from quanyu.events.contracts import FrameHeader, Position, Source
from quanyu.events.log import Waiting
from quanyu.events.protocols import segment
from quanyu.events.sources import WriteKeys, basic_user
from quanyu.events.writers import EventLog
from quanyu.kernel.clock import Clock, micros
from quanyu.kernel.errors import QuanyuError

log = logging.getLogger(__name__)

# Gets status line and headers, and the rest of the answer.
Answer = Callable[[bytes, bytes], None]

_CALLS = {f"/v1/{name}".encode(): call for letter, call in segment.CALLS.items() for name in (letter, call)}
_FRAME_BYTES = 1 << 20


class _Together:
    """Calls that become one frame."""

    __slots__ = ("answers", "bodies", "events", "room")

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answers: list[Answer] = []
        self.events = 0
        self.room = _FRAME_BYTES


class QuickCalls:
    """For one event loop. `count` and `refuse` keep the collector's figures."""

    def __init__(
        self,
        log: Callable[[], EventLog],
        keys: WriteKeys,
        clock: Clock,
        *,
        max_body_bytes: int,
        count: Callable[[Source, str, int], None],
        refuse: Callable[[str, str], None],
    ) -> None:
        self._log = log
        self._keys = keys
        self._clock = clock
        self._limit = max_body_bytes
        self._count = count
        self._refuse = refuse
        self._open: dict[tuple[str, str], _Together] = {}
        self._arrived: list[tuple[Source, str, _Together]] = []

    def __call__(self, path: bytes, headers: list[tuple[bytes, bytes]], body: bytes, answer: Answer) -> bool:
        """True: it waits for the disk, and `answer` will be called. False: nothing was done."""
        call = _CALLS.get(path)
        if call is None or len(body) > self._limit:
            return False
        authorization = next((value for name, value in headers if name == b"authorization"), None)
        source = self._keys.remembered(basic_user(authorization))
        if source is None:
            return False
        try:
            opened = segment.open_body(call, body)
        except BadEncoding:
            return False
        if not opened.calls or not opened.exact:
            return False
        if not self._arrived:
            asyncio.get_running_loop().call_soon(self._hand_over)
        place = (source.source, call)
        together = self._open.get(place)
        if together is None or call == segment.BATCH or together.room < len(body):
            together = self._open[place] = _Together()
            self._arrived.append((source, call, together))
        together.bodies.append(body if call == segment.BATCH else bytes(opened.calls[0]))
        together.answers.append(answer)
        together.events += len(opened.calls)
        together.room -= len(body)
        return True

    def _hand_over(self) -> None:
        arrived, self._arrived, self._open = self._arrived, [], {}
        received = micros(self._clock.now())
        loop = asyncio.get_running_loop()
        waiting = [self._waiting(received, loop, *one) for one in arrived]
        try:
            self._log().submit(waiting)
        except Exception as error:  # there is no log to write to: nobody else would answer these
            if not isinstance(error, QuanyuError):
                log.exception("quick_calls_failed")
            for item in waiting:
                item.tell(error)

    def _waiting(
        self, received: int, loop: asyncio.AbstractEventLoop, source: Source, call: str, together: _Together
    ) -> Waiting:
        def tell(outcome: Position | Exception) -> None:
            if isinstance(outcome, Exception):
                error = outcome if isinstance(outcome, QuanyuError) else errors.log_broken(type(outcome).__name__)
                self._refuse(segment.PROTOCOL, error.code)
                head, rest = answers.wire(answers.error_messages(error))
            else:
                self._count(source, segment.PROTOCOL, together.events)
                head, rest = answers.SUCCESS_ON_THE_WIRE
            for answer in together.answers:
                answer(head, rest)

        header = FrameHeader(received, segment.PROTOCOL, source.source, together.events, call)
        return Waiting(header, segment.join(together.bodies), tell, loop)
