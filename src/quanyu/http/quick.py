"""The server's HTTP protocol, with a short way for what SDKs send: one small whole request, one answer.

An ASGI task, its messages and the checks of every header cost more than taking an event. So a POST that arrived
whole, on a connection that waits for nothing else, is first offered to `Quick`; it takes it, or it goes the ordinary
way as if nothing had been. Only what goes well is taken here: whatever needs an explanation, patience or a second
look (gzip, unknown keys, damaged bodies, bodies in several packets) is the ordinary way's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_BYTES = 256 << 10

Headers = list[tuple[bytes, bytes]]
# Gets the whole answer, from status line to body, without the server's own headers (the date).
Answer = Callable[[bytes, bytes], None]


class Quick(Protocol):
    """Takes a request at once, or says that it does not."""

    def __call__(self, path: bytes, headers: Headers, body: bytes, answer: Answer) -> bool:
        """True: `answer(head, rest)` will be called in this loop, exactly once. False: nothing has been done."""
        ...


class _Answering:
    """Stands where the ordinary way keeps its request, so that the next one on the connection waits its turn."""

    __slots__ = ("disconnected", "keep_alive", "message_event", "response_complete")

    def __init__(self) -> None:
        self.response_complete = False
        self.disconnected = False
        self.keep_alive = True
        self.message_event = self

    def set(self) -> None:
        """Nobody waits."""


class QuickProtocol(HttpToolsProtocol):
    """One connection. `quick` is asked first."""

    def __init__(self, quick: Quick, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._quick = quick
        self._held: list[bytes] | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        super().data_received(data)
        if self._held is not None and not self.transport.is_closing():
            self._ordinary()  # the rest is still on its way: waiting, with a limit, is done there

    def on_headers_complete(self) -> None:
        """The request's head is whole."""
        cycle: RequestResponseCycle | None = self.cycle
        if (
            (cycle is None or cycle.response_complete)
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and not self.expect_100_continue
            and not self.flow.write_paused
        ):
            self._held = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._held is None:
            super().on_message_complete()
            return
        held = self._held
        body = held[0] if len(held) == 1 else b"".join(held)
        answering = _Answering()

        def answer(head: bytes, rest: bytes) -> None:
            self._answer(answering, head, rest)

        if len(body) <= MAX_BYTES and self._quick(self.url, self.headers, body, answer):
            self._held = None
            self.cycle = answering  # type: ignore[assignment]
        else:
            self._ordinary()
            super().on_message_complete()

    def _ordinary(self) -> None:
        held, self._held = self._held, None
        super().on_headers_complete()
        for part in held or ():
            super().on_body(part)

    def _answer(self, answering: _Answering, head: bytes, rest: bytes) -> None:
        again, answering.response_complete = answering.response_complete, True
        if again or answering.disconnected or self.transport.is_closing():
            return
        parts = [head]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        if not answering.keep_alive:  # the server is going down
            parts.append(b"connection: close\r\n")
        parts.append(rest)
        self.transport.write(b"".join(parts))
        if not answering.keep_alive:
            self.transport.close()
        self.on_response_complete()
