"""AWS Signature Version 4 for requests that only read. What is read is in `place.py`."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Generator
from datetime import UTC, datetime

import httpx

_NO_BODY = hashlib.sha256(b"").hexdigest()
_SIGNED = ("host", "x-amz-content-sha256", "x-amz-date")


def _now() -> datetime:
    return datetime.now(UTC)


class Signature(httpx.Auth):
    """Signs requests without a body, whose path and query are percent-encoded already.

    The formula is AWS's: docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """

    def __init__(self, access_key: str, secret_key: str, region: str, now: Callable[[], datetime] = _now) -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._region = region
        self._now = now

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the date, the checksum of the empty body and the signature."""
        at = self._now().strftime("%Y%m%dT%H%M%SZ")
        request.headers.update({"x-amz-date": at, "x-amz-content-sha256": _NO_BODY})
        scope = f"{at[:8]}/{self._region}/s3/aws4_request"
        asked = hashlib.sha256(_canonical(request).encode()).hexdigest()
        key = f"AWS4{self._secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signed = hmac.new(key, f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{asked}".encode(), hashlib.sha256).hexdigest()
        credential = f"AWS4-HMAC-SHA256 Credential={self._access_key}/{scope}"
        request.headers["authorization"] = f"{credential},SignedHeaders={';'.join(_SIGNED)},Signature={signed}"
        yield request


def _canonical(request: httpx.Request) -> str:
    path, _, query = request.url.raw_path.decode().partition("?")
    pairs = sorted(one if "=" in one else f"{one}=" for one in query.split("&") if one)
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in _SIGNED)
    path = path.replace("%2E", ".")  # an unreserved character is signed as it is
    return "\n".join((request.method, path, "&".join(pairs), headers, ";".join(_SIGNED), _NO_BODY))
