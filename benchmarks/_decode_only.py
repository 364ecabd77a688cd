"""The peers of `ingest`: the same server (uvicorn) that decodes each batch with typed msgspec and answers, no more.

Any other path is answered with a constant: the peer of single-event requests.
"""

from __future__ import annotations

import sys

import msgspec
import uvicorn


class Event(msgspec.Struct):
    """One call, its properties left unparsed."""

    type: str
    messageId: str  # noqa: N815 - the protocol's name
    event: str | None = None
    userId: str | None = None  # noqa: N815
    anonymousId: str | None = None  # noqa: N815
    timestamp: str | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    context: msgspec.Raw = msgspec.Raw(b"{}")
    traits: msgspec.Raw = msgspec.Raw(b"{}")


class Batch(msgspec.Struct):
    """A body."""

    batch: list[Event]
    sentAt: str | None = None  # noqa: N815


_ANSWER = b'{"success": true}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_ANSWER)).encode())]
_decoder = msgspec.json.Decoder(Batch)


async def app(scope, receive, send):  # type: ignore[no-untyped-def]
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["path"] == "/v1/batch":
        _decoder.decode(body)
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _ANSWER})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
