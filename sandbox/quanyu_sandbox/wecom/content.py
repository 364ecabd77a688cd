"""The `text` and `attachments` of a message to customers, checked as WeCom does (W:92135)."""

from __future__ import annotations

from typing import Any

from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.wecom.call import Call, Refusal, invalid

_MOST = 9
_MEDIA_LASTS = 3 * 86_400 * SECOND
# kind -> field: (most bytes, needed)
_FIELDS: dict[str, dict[str, tuple[int, bool]]] = {
    "image": {},
    "link": {"title": (128, True), "picurl": (2048, False), "desc": (512, False), "url": (2048, True)},
    "miniprogram": {"title": (64, True), "appid": (64, True), "page": (1024, True)},
    "video": {},
    "file": {},
}
_MEDIA = {"image": "media_id", "miniprogram": "pic_media_id", "video": "media_id", "file": "media_id"}


def checked_content(call: Call) -> tuple[str | None, list[dict[str, Any]]]:
    """The text and attachments of a body. Refuses 40063 (nothing at all), 40058, 45002, 41065, 40007, 40145."""
    given = call.body.get("text")
    if given is not None and not isinstance(given, dict):
        raise invalid("text", "an object is wanted")
    content = (given or {}).get("content")
    if content is not None and not isinstance(content, str):
        raise invalid("text.content", "a string is wanted")
    if content and len(content.encode()) > 4000:
        raise Refusal(45002, "text content size out of limit, at most 4000 bytes")
    attachments = call.body.get("attachments") or []
    if not content and not attachments:
        raise Refusal(40063, "some parameters are empty, text and attachments")
    checked_attachments(call, attachments)
    return content or None, attachments


def checked_attachments(call: Call, attachments: Any) -> None:
    """Refuses what WeCom would refuse."""
    if not isinstance(attachments, list) or len(attachments) > _MOST:
        raise invalid("attachments", f"a list of at most {_MOST}")
    for place, item in enumerate(attachments):
        kind = item.get("msgtype") if isinstance(item, dict) else None
        if kind not in _FIELDS:
            raise Refusal(41065, f"invalid attachment msgtype at {place}")
        body = item.get(kind)
        if not isinstance(body, dict) or not body:
            raise Refusal(41088, f"attachment {kind} at {place} is empty")
        for name, (most, needed) in _FIELDS[kind].items():
            value = body.get(name)
            if (needed and not value) or (value is not None and not isinstance(value, str)):
                raise invalid(f"attachments[{place}].{kind}.{name}", "a string is wanted")
            if value and len(value.encode()) > most:
                raise Refusal(45002, f"attachments[{place}].{kind}.{name} size out of limit, at most {most} bytes")
        if kind == "link" and not str(body["url"]).startswith(("http://", "https://")):
            raise invalid(f"attachments[{place}].link.url", "it begins with http:// or https://")
        if kind in _MEDIA and not (kind == "image" and body.get("pic_url")):
            _check_media(call, body.get(_MEDIA[kind]), f"attachments[{place}].{kind}.{_MEDIA[kind]}")


def _check_media(call: Call, media_id: Any, where: str) -> None:
    if not media_id:
        raise invalid(where, "it is missing")
    row = call.world.store.one("SELECT created_at FROM media WHERE media_id = ?", str(media_id))
    if row is None:
        raise Refusal(40007, f"invalid media_id, {where}")
    if row["created_at"] + _MEDIA_LASTS <= call.now:
        raise Refusal(40145, f"media_id expired, {where}")
