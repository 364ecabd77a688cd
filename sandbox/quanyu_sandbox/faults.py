"""Faults that a test or a visitor injects into the API or the callbacks: counted down as they strike."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from quanyu_sandbox.people import Impossible
from quanyu_sandbox.world import World

KINDS = (
    "drop", "drop_before", "http_500", "http_500_after", "busy", "errcode", "delay", "duplicate", "expire_tokens",
    "revoke_tokens",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One strike. `drop` and `http_500_after` come after the call was carried out, the others before."""

    kind: str
    seconds: float
    errcode: int


class Faults:
    """The injected faults."""

    def __init__(self, world: World) -> None:
        self.world = world

    def inject(self, given: dict[str, Any]) -> None:
        """Add a fault `{kind, path?, times?, skip?, seconds?, errcode?}`; `path` is what follows /cgi-bin/, or `*`
        for every API call, or `callback`. The two token kinds happen at once. Raises Impossible.
        """
        kind = given.get("kind")
        if kind not in KINDS:
            raise Impossible(f"kind is {kind!r}: give one of {', '.join(KINDS)}")
        with self.world.store.write() as db:
            if kind == "expire_tokens":
                db.execute("UPDATE token SET expires_at = min(expires_at, ?)", (self.world.clock.now(),))
            elif kind == "revoke_tokens":
                db.execute("UPDATE token SET revoked = 1")
            instant = kind in ("expire_tokens", "revoke_tokens")
            db.execute(
                "INSERT INTO fault (path, kind, skip, remaining, happened, seconds, errcode) VALUES (?,?,?,?,?,?,?)",
                (
                    str(given.get("path", "*")).removeprefix("/cgi-bin/"), kind, int(given.get("skip", 0)),
                    0 if instant else int(given.get("times", 1)), int(instant), float(given.get("seconds", 0)),
                    int(given.get("errcode", -1)),
                ),
            )  # fmt: skip
        self.world.bell.ring()

    def strike(self, path: str) -> Fault | None:
        """The fault that hits this call, if any; it is counted."""
        store = self.world.store
        if not store.number("SELECT count(*) FROM fault WHERE remaining > 0"):
            return None
        with store.write() as db:
            row: sqlite3.Row | None = store.one(
                "SELECT * FROM fault WHERE remaining > 0 AND (path = ?1 OR (path = '*' AND ?1 <> 'callback'))"
                " ORDER BY id LIMIT 1",
                path,
            )
            if row is None:
                return None
            if row["skip"] > 0:
                db.execute("UPDATE fault SET skip = skip - 1 WHERE id = ?", (row["id"],))
                return None
            db.execute("UPDATE fault SET remaining = remaining - 1, happened = happened + 1 WHERE id = ?", (row["id"],))
        return Fault(row["kind"], row["seconds"], row["errcode"])

    def listed(self) -> list[dict[str, Any]]:
        """Every fault with how often it has struck and will still strike."""
        return [dict(row) for row in self.world.store.all("SELECT * FROM fault ORDER BY id")]

    def clear(self) -> None:
        """No more faults."""
        with self.world.store.write() as db:
            db.execute("UPDATE fault SET remaining = 0")
