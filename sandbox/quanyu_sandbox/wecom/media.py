"""media/upload: temporary material, good for three days."""

from __future__ import annotations

import re
from typing import Any

from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.wecom.call import Call, Refusal

_MEGABYTE = 1024 * 1024
_MOST = {"image": 10 * _MEGABYTE, "voice": 2 * _MEGABYTE, "video": 10 * _MEGABYTE, "file": 20 * _MEGABYTE}
_LEAST = 5


def upload(call: Call) -> dict[str, Any]:
    """`?type=`, multipart field `media`."""
    kind = call.query.get("type", "")
    if kind not in _MOST:
        raise Refusal(40004, "invalid media type")
    name, content_type, data = _file(call.raw, call.content_type)
    if not data:
        raise Refusal(44001, "empty media")
    if len(data) <= _LEAST:
        raise Refusal(40006, "invalid media size, more than 5 bytes")
    if len(data) > _MOST[kind]:
        raise Refusal(45001, f"media size out of limit, at most {_MOST[kind]} bytes")
    if kind == "image" and not data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
        raise Refusal(40123, "invalid image format, PNG or JPG")
    count = call.world.store.number("SELECT count(*) FROM media")
    media_id = "3SBX" + call.world.chance.digest("media", call.world.settings.corp_id, count)[:44]
    call.db.execute("INSERT INTO media VALUES (?,?,?,?,?,?)", (media_id, kind, name, content_type, data, call.now))
    return {"type": kind, "media_id": media_id, "created_at": str(call.now // SECOND)}


def _file(raw: bytes, content_type: str) -> tuple[str, str, bytes]:
    """The name, type and bytes of the form's file. Refuses 44001 for a form without one."""
    found = re.search(r'boundary="?([^";]+)"?', content_type)
    if "multipart/form-data" not in content_type or found is None:
        raise Refusal(44001, "empty media, a multipart form with the field media is wanted")
    mark = b"--" + found.group(1).encode()
    for part in raw.split(mark)[1:]:
        head, gap, data = part.partition(b"\r\n\r\n")
        if gap and b"filename=" in head and re.search(rb'name="?media"?', head):
            given = re.search(rb'filename="?([^"\r\n;]*)', head)
            said = re.search(rb"(?i)content-type:\s*([^\r\n;]+)", head)
            return (
                given.group(1).decode("utf-8", "replace") if given else "media",
                said.group(1).decode("latin-1").strip() if said else "application/octet-stream",
                data.removesuffix(b"\r\n"),
            )
    raise Refusal(44001, "empty media, the form has no file named media")
