"""What a message carries: its pieces as they look in a chat, the tokens in its card's page, and what makes two messages
alike to a reader. Pure functions over the `text` and `attachments` of WeCom's message bodies.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a card's page says of the send it belongs to."""

    page: str | None = None
    send: str | None = None
    effect_id: str | None = None


def tokens_of(attachments: list[dict[str, Any]]) -> Tokens:
    """The page and tokens of the first card that has one: `pages/coupon?send=…&effect_id=…`."""
    for item in attachments:
        page = item.get("miniprogram", {}).get("page") or item.get("link", {}).get("url")
        if page:
            query = parse_qs(urlsplit(str(page)).query)
            return Tokens(str(page), query.get("send", [None])[0], query.get("effect_id", [None])[0])
    return Tokens()


def content_key(text: str | None, attachments: list[dict[str, Any]]) -> str:
    """The same for two messages that look the same to a customer: tokens and media ids do not count.

    What people do is drawn from this, so that a run with other tokens has the same outcomes.
    """
    looks = []
    for item in attachments:
        kind = str(item.get("msgtype"))
        body = item.get(kind) or {}
        page = urlsplit(str(body.get("page") or body.get("url") or ""))
        looks.append([kind, body.get("title"), body.get("desc"), page.netloc, page.path])
    return hashlib.sha256(json.dumps([text, looks], ensure_ascii=False).encode()).hexdigest()[:24]


def pieces(text: str | None, attachments: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The bubbles of a message, in order: (kind, body)."""
    found: list[tuple[str, dict[str, Any]]] = [("text", {"content": text})] if text else []
    found += [(str(item["msgtype"]), dict(item[item["msgtype"]])) for item in attachments]
    return found
