"""Cutting a connection without an answer, which ASGI has no word for.

The application remembers the server's own `send`; `Dropped` closes the transport behind it. Where there is no
transport (a test client) the caller sees a ConnectionResetError.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_KEY = "quanyu_sandbox.send"


def keep_send(scope: Scope, send: Send) -> None:
    """Put the server's `send` where `Dropped` finds it; called before anything wraps it."""
    if scope["type"] == "http":
        scope[_KEY] = send


class Dropped(Response):
    """An answer that never comes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        server = getattr(scope.get(_KEY), "__self__", None)
        abort = getattr(getattr(server, "transport", None), "abort", None)
        if abort is None:
            raise ConnectionResetError("the sandbox drops this answer")
        abort()
        while (await receive())["type"] != "http.disconnect":  # so that the server knows that nobody waits
            pass
