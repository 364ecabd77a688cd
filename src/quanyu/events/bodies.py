"""Read a request's body as the SDKs really send it: bounded, unzipped, whatever its Content-Type says.

Memory is bounded twice: no more than the limit is kept while reading, and no more than the limit comes out of
gzip, so a bomb costs its own size only.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import zlib
from urllib.parse import parse_qsl

from starlette.types import Receive

from quanyu.events import errors

_GZIP = b"\x1f\x8b"
_READ_SECONDS = 60
_DRAIN_FACTOR = 8
_MAX_FIELDS = 50
_BLANKS = re.compile(rb"\s+")


class ClientGone(Exception):
    """The client closed the connection before the body was complete."""


class BadEncoding(Exception):
    """Bytes that are not what they claim to be; `reason` is a check of `checks.py`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


async def read_body(receive: Receive, announced: int | None, limit: int) -> bytes:
    """The whole body. Raises TooLarge beyond `limit` bytes, ClientGone when the client goes away."""
    if announced is not None and announced > limit:
        await drain(receive, announced, limit)
        raise errors.body_too_large(limit)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > limit:
            raise errors.body_too_large(limit)
        return body
    parts = [body]
    size = len(body)
    async with asyncio.timeout(_READ_SECONDS):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                parts.clear()
                await drain(receive, size, limit)
                raise errors.body_too_large(limit)
            if not message.get("more_body", False):
                return b"".join(parts)


async def drain(receive: Receive, announced: int, limit: int) -> None:
    """Read on and forget, within reason: a client that is still sending would not hear the answer."""
    left = min(announced, limit * _DRAIN_FACTOR) + limit
    try:
        async with asyncio.timeout(_READ_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def inflate(body: bytes, limit: int) -> bytes:
    """`body` unzipped when it is gzip (whatever the headers say), else as it is.

    Raises TooLarge when more than `limit` bytes come out, BadEncoding when the stream is damaged.
    """
    if body[:2] != _GZIP:
        return body
    parts: list[bytes] = []
    left = limit
    while body:  # gzip allows several members in one stream
        stream = zlib.decompressobj(wbits=31)
        try:
            part = stream.decompress(body, left + 1)
        except zlib.error as error:
            raise BadEncoding("bad_gzip", str(error)) from error
        if len(part) > left:
            raise errors.body_too_large(limit)
        if not stream.eof:
            raise BadEncoding("bad_gzip", "the stream ends too early")
        parts.append(part)
        left -= len(part)
        body = stream.unused_data.lstrip(b"\0")
    return b"".join(parts)


def looks_like_json(body: bytes) -> bool:
    """Whether the first byte that counts opens an object or an array."""
    return body[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def form(text: bytes) -> dict[str, str]:
    """The fields of a form or a query; the first of several alike. Raises BadEncoding."""
    try:
        pairs = parse_qsl(
            text.decode("latin-1"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="replace",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError as error:
        raise BadEncoding("not_a_form", str(error)) from error
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def unbase64(text: str) -> bytes:
    """What base64 says; forgives blanks for pluses, the URL alphabet and missing padding. Raises BadEncoding."""
    raw = text.strip().replace(" ", "+").replace("-", "+").replace("_", "/")
    try:
        data = _BLANKS.sub(b"", raw.encode("ascii"))
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise BadEncoding("bad_base64", str(error)) from error
