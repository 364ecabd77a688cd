"""Cut a JSON array into its elements without understanding them.

One bad element (NaN, a lone surrogate, a number with no digits) makes a whole body invalid JSON. This splitter
knows strings and brackets only, so the good elements of such a body are saved and the bad ones are kept exactly
as they came. It is the slow path: nothing calls it for a body that parses.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},:]', re.DOTALL)
_OPEN = {b"[", b"{"}
_CLOSE = {b"]", b"}"}


def split_array(body: bytes, key: str | None = None) -> tuple[list[bytes], bytes] | None:
    """The elements of the top-level array, or of the array under `key` of the top-level object.

    Also gives the body with that array emptied. None when brackets or strings do not match up, or when there is no
    such array.
    """
    wanted = None if key is None else b'"' + key.encode() + b'"'
    depth = inside = 0
    last = name = b""
    start = begin = -1
    elements: list[bytes] = []
    for token in _TOKEN.finditer(body):
        text = token.group()
        if text in _OPEN:
            depth += 1
            if start < 0 and text == b"[" and ((wanted is None and depth == 1) or (depth == 2 and name == wanted)):
                start, begin = token.end(), token.end()
                inside = depth
        elif text in _CLOSE:
            if start >= 0 and depth == inside:
                _keep(elements, body[begin : token.start()], last=True)
                return (elements, body[:start] + body[token.start() :]) if text == b"]" else None
            depth -= 1
            if depth < 0:
                return None
        elif text == b",":
            if start >= 0 and depth == inside:
                _keep(elements, body[begin : token.start()])
                begin = token.end()
            name = b""
        elif text == b":":
            name = last if depth == 1 else b""
        elif text == b'"':
            return None  # a string that never ends
        last = text
    return None


def _keep(elements: list[bytes], element: bytes, *, last: bool = False) -> None:
    element = element.strip()
    if element or elements or not last:  # `[]` has no element, `[1,]` has a bad one
        elements.append(element)
