"""What schemathesis must be taught: how the bodies of the bulk address are written. Loaded by it, not by a test."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(ctx: Any, value: Any) -> bytes:
    """The same event twice, a line each."""
    line = json.dumps(value, default=str).encode()
    return line + b"\n" + line


@schemathesis.serializer("application/vnd.apache.arrow.stream")
def arrow(ctx: Any, value: Any) -> bytes:
    """Bytes that claim to be a stream."""
    return b"\xff\xff\xff\xff" + (value if isinstance(value, bytes) else str(value).encode())
