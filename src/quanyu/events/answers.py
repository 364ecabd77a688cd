"""What the collector answers: exactly what the SDKs can bear.

Success is 200 with a JSON object (202 and 204 make some SDKs send again). An error body is `{"code", "message"}`:
with any other JSON one SDK raises KeyError and retries for ever. `Retry-After` is exposed to browsers, or theirs
ignore it.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.types import Send

from quanyu.kernel.errors import QuanyuError

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
SUCCESS = b'{"success":true}'

_JSON = (b"content-type", b"application/json")
_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"Retry-After"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_ALLOWED = (
    b"authorization,content-type,content-encoding,anonymousid,sentat,dry-run,x-retry-count,"
    b"rsa-retry-reason,rsa-retry-attempt,rsa-since-last-attempt"
)
_HEADER_NAMES = re.compile(rb"[a-zA-Z0-9-]{1,64}(?:\s*,\s*[a-zA-Z0-9-]{1,64}){0,30}")


def _messages(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> tuple[dict[str, Any], dict[str, Any]]:
    length = (b"content-length", str(len(body)).encode())
    return (
        {"type": "http.response.start", "status": status, "headers": [*headers, length, *_CORS]},
        {"type": "http.response.body", "body": body},
    )


_SUCCESS = _messages(200, SUCCESS, _JSON)
_PIXEL = _messages(200, GIF, (b"content-type", b"image/gif"))


def wire(messages: tuple[dict[str, Any], dict[str, Any]]) -> tuple[bytes, bytes]:
    """An answer as the bytes of HTTP/1.1: status line and headers, and the rest from the empty line on."""
    start, body = messages
    status = HTTPStatus(start["status"])
    lines = (b"%b: %b\r\n" % header for header in start["headers"])
    return (
        b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) + b"".join(lines),
        b"\r\n" + body["body"],
    )


SUCCESS_ON_THE_WIRE = wire(_SUCCESS)


async def send_success(send: Send) -> None:
    """200 with `{"success":true}`."""
    for message in _SUCCESS:
        await send(dict(message))


async def send_pixel(send: Send) -> None:
    """200 with a transparent GIF of one pixel: what an image beacon wants."""
    for message in _PIXEL:
        await send(dict(message))


async def send_json(send: Send, value: Any, status: int = 200) -> None:
    """Any JSON value."""
    for message in _messages(status, msgspec.json.encode(value), _JSON):
        await send(message)


async def send_problem(
    send: Send, status: int, code: str, message: str, *, retry_after: float | None = None, **more: Any
) -> None:
    """An error that every SDK can read."""
    for part in _problem(status, code, message, retry_after, more):
        await send(part)


def _problem(
    status: int, code: str, message: str, retry_after: float | None, more: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    headers = [_JSON]
    if retry_after is not None:
        headers.append((b"retry-after", str(max(1, round(retry_after))).encode()))
    if status == 413:
        headers.append((b"connection", b"close"))
    return _messages(status, msgspec.json.encode({"code": code, "message": message, **more}), *headers)


async def send_error(send: Send, error: QuanyuError, **more: Any) -> None:
    """`error` as the SDKs read it, in both languages: whoever reads an SDK's log may read either."""
    for part in error_messages(error, **more):
        await send(part)


def error_messages(error: QuanyuError, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `send_error` sends."""
    message = " / ".join(
        f"{title}: {detail}" if detail else title
        for title, detail in (
            (error.title.zh, error.detail.zh if error.detail else ""),
            (error.title.en, error.detail.en if error.detail else ""),
        )
    )
    return _problem(error.status, error.code, message, error.retry_after, more)


async def send_preflight(send: Send, asked: bytes) -> None:
    """Let a page of any origin send with the headers it asked for."""
    allowed = asked if _HEADER_NAMES.fullmatch(asked) else _ALLOWED
    for message in _messages(
        204,
        b"",
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-allow-headers", allowed),
        (b"access-control-max-age", b"86400"),
    ):
        await send(message)
