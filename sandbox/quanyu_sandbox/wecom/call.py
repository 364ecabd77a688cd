"""One call to WeCom's API: what a handler is given, how it refuses, and the checks that many handlers share.

The error codes and their meanings are from the global error code page (W:90313).
"""

from __future__ import annotations

import base64
import binascii
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from quanyu_sandbox.sending import Sending
from quanyu_sandbox.world import World


class Refusal(Exception):
    """An `errcode` other than 0. `more` is added to the answer."""

    def __init__(self, errcode: int, errmsg: str, **more: Any) -> None:
        self.errcode = errcode
        self.more = more
        super().__init__(errmsg)


@dataclass(slots=True)
class Call:
    """What a handler sees of a request. `db` is the transaction that its answer is committed with."""

    world: World
    sending: Sending
    db: sqlite3.Connection
    query: dict[str, str]
    body: dict[str, Any]
    raw: bytes = b""
    content_type: str = ""
    base_url: str = ""
    now: int = field(init=False)

    def __post_init__(self) -> None:
        self.now = self.world.clock.now()

    # ------------------------------------------------------------------ fields of the body
    def text(self, name: str, *, most: int | None = None, least: int = 0, size: str = "characters") -> str | None:
        """A text field or None. Refuses what is no text, or too long in `characters` or `bytes` (40058)."""
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid(name, "a string is wanted")
        length = len(value.encode()) if size == "bytes" else len(value)
        if (most is not None and length > most) or length < least:
            raise invalid(name, f"at most {most} {size}")
        return value

    def texts(self, name: str, *, most: int, errcode: int = 40058) -> list[str]:
        """A list of texts, empty when it is missing."""
        value = self.body.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise Refusal(errcode, f"invalid Request Parameter: {name}, a list of strings is wanted")
        if len(value) > most:
            raise Refusal(errcode, f"invalid Request Parameter: {name}, at most {most}")
        return value

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        """An integer within bounds (40058)."""
        value = self.body.get(name)
        if value is None or value == 0:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise invalid(name, f"an integer from {least} to {most}")
        return value

    # ------------------------------------------------------------------ paging
    def cursor(self, given: str | None = None) -> str:
        """The place that a cursor of ours stands for, '' for the start. Refuses any other (50100)."""
        value = self.body.get("cursor") if given is None else given
        if not value:
            return ""
        try:
            text = base64.urlsafe_b64decode(str(value).encode()).decode()
        except (ValueError, binascii.Error):
            text = ""
        if not text.startswith("after:"):
            raise Refusal(50100, "invalid cursor")
        return text.removeprefix("after:")

    @staticmethod
    def next_cursor(place: object, *, more: bool) -> str:
        """The cursor after `place`, '' at the end."""
        return base64.urlsafe_b64encode(f"after:{place}".encode()).decode() if more else ""

    # ------------------------------------------------------------------ people
    def member(self, userid: object, missing: int = 41009) -> str:
        """The userid of an existing member, whatever its case. Refuses with `missing`, or 60111 for a stranger."""
        if not userid:
            raise Refusal(missing, "missing userid")
        # Userids are case-insensitive (W:90236): the column compares so, and the answer is how it was first written.
        row = self.world.store.one("SELECT userid FROM staff WHERE userid = ?", str(userid))
        if row is None:
            raise Refusal(60111, "userid not found")
        return str(row["userid"])

    def relation(self) -> tuple[str, str]:
        """The (userid, external_userid) of the body, who must be in contact (84061)."""
        userid = self.member(self.body.get("userid"))
        external = self.body.get("external_userid")
        if not external:
            raise Refusal(41035, "missing external userid")
        known = self.world.store.one(
            "SELECT 1 FROM follow WHERE userid = ? AND external_userid = ?", userid, str(external)
        )
        if known is None:
            raise Refusal(84061, "not external contact")
        return userid, str(external)


def invalid(name: str, why: str) -> Refusal:
    """40058 with the name of the field."""
    return Refusal(40058, f"invalid Request Parameter: {name}, {why}")
