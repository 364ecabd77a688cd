"""The bulk address: any number of events in one request, for whoever loads data from a warehouse or a job.

Each part is durable before the next one is read, so memory stays bounded and a sender that is too fast is held back by
TCP. A broken stream is answered 4xx with how far it came; what came before is kept, and sending everything again
stores nothing twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from starlette.types import Receive

from quanyu.events.bodies import ClientGone, drain
from quanyu.events.contracts import FrameHeader, Source
from quanyu.events.protocols import outside
from quanyu.events.streams import Cutter, Inflater, Part, cutter_for
from quanyu.kernel.errors import QuanyuError

_PIECE_SECONDS = 60
_SNIFFED = 4

# Writes one frame durably.
Append = Callable[[FrameHeader, bytes], Awaitable[object]]


class Halted(Exception):
    """A stream that could not be taken to its end: why, how many events were kept, and the row that comes next."""

    def __init__(self, cause: QuanyuError, accepted: int, row: int) -> None:
        super().__init__(cause)
        self.cause = cause
        self.accepted = accepted
        self.row = row


async def take(receive: Receive, source: Source, limit: int, now: Callable[[], int], append: Append) -> int:
    """Keep a stream's events; how many there were. Raises Halted, ClientGone, TimeoutError."""
    accepted = 0
    cutter: Cutter | None = None
    inflater = Inflater(limit)
    begin = b""

    async def keep(parts: Iterator[Part], heavy: bool) -> None:
        nonlocal accepted
        while (part := await asyncio.to_thread(next, parts, None) if heavy else next(parts, None)) is not None:
            header = FrameHeader(
                now(), part.protocol, source.source, part.events, outside.CALL, first_row=part.first_row
            )
            await append(header, part.payload)
            accepted += part.events

    pieces = _Pieces(receive)
    try:
        async for piece in pieces:
            for plain in inflater.feed(piece):
                given = plain
                if cutter is None:
                    begin += plain
                    if len(begin) < _SNIFFED:
                        continue
                    given, cutter = begin, cutter_for(begin, limit)
                await keep(cutter.feed(given), cutter.heavy)
        rest = inflater.end()
        if cutter is None:
            cutter = cutter_for(begin + rest, limit)
            await keep(cutter.feed(begin + rest), cutter.heavy)
        await keep(cutter.end(), cutter.heavy)
    except QuanyuError as error:
        if pieces.more:
            await drain(receive, limit, limit)
        raise Halted(error, accepted, cutter.row if cutter else 1) from error
    return accepted


class _Pieces:
    """The body as it comes; a sender that is silent for a minute is given up. `more` says that it is not over."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.more = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.more:
            async with asyncio.timeout(_PIECE_SECONDS):
                message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            self.more = message.get("more_body", False)
            if piece := message.get("body", b""):
                yield piece
