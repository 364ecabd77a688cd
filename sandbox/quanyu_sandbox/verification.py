"""The check of a callback address (W:90968): the bare plain text must come back within a second."""

from __future__ import annotations

from time import monotonic

import httpx

from quanyu_sandbox.callbacks import Callbacks, Receiver
from quanyu_sandbox.people import Impossible

_SECONDS = 1.0


async def verify(callbacks: Callbacks, http: httpx.AsyncClient, receiver: Receiver) -> None:
    """Ask the address to decrypt a text. Raises Impossible with what is wrong."""
    if not receiver.url or not receiver.token or len(receiver.aes_key) != 43:
        raise Impossible("url, token and an aes_key of 43 characters are needed")
    query, word = callbacks.echo(str(monotonic()), receiver)
    try:
        answer = await http.get(receiver.url, params=query, timeout=_SECONDS)
    except httpx.TimeoutException:
        raise Impossible("the address did not answer within 1 s", 409) from None
    except httpx.HTTPError as error:
        raise Impossible(f"the address cannot be reached: {type(error).__name__}", 409) from error
    if answer.status_code != 200:
        raise Impossible(f"the address answered HTTP {answer.status_code}: check token and key", 409)
    if answer.content != word.encode():
        raise Impossible(
            "the address did not answer the bare plain text: no quotes, no newline, no byte order mark", 409
        )
