"""How often an API may be called (W:90312): per minute and per hour, with the documented penalty once exceeded."""

from __future__ import annotations

import sqlite3

from quanyu_sandbox.clock import SECOND
from quanyu_sandbox.wecom.call import Refusal
from quanyu_sandbox.world import World

_MINUTE, _HOUR = 60, 3600


class Rates:
    """Counts calls in fixed windows; a window that overflows blocks its path for its own length."""

    def __init__(self, world: World) -> None:
        self.world = world

    def limit(self, path: str, per_minute: int, per_hour: int) -> None:
        """Set the limits of one path, or of every path with `*`; 0 is no limit."""
        with self.world.store.write() as db:
            db.execute(
                "INSERT INTO rate_limit VALUES (?,?,?) ON CONFLICT (path) DO UPDATE SET"
                " per_minute = excluded.per_minute, per_hour = excluded.per_hour",
                (path, per_minute, per_hour),
            )
            db.execute("DELETE FROM rate_block")
            db.execute("DELETE FROM rate")

    def check(self, path: str) -> None:
        """Count a call. Refuses 45009 while blocked; what is refused here was not carried out."""
        now = self.world.clock.now()
        blocked = self.world.store.one("SELECT until FROM rate_block WHERE path = ?", path)
        if blocked is not None and now < blocked["until"]:
            raise Refusal(45009, "api freq out of limit")
        own = self.world.store.one(
            "SELECT per_minute, per_hour FROM rate_limit WHERE path IN (?, '*') ORDER BY path = '*' LIMIT 1", path
        )
        settings = self.world.settings
        limits = (own["per_minute"], own["per_hour"]) if own else (settings.rate_per_minute, settings.rate_per_hour)
        over = 0
        with self.world.store.write() as db:
            for span, most in zip((_MINUTE, _HOUR), limits, strict=True):
                if most and self._count(db, path, span, now) > most:
                    over = span
            if over:
                db.execute(
                    "INSERT INTO rate_block VALUES (?,?) ON CONFLICT (path) DO UPDATE SET until = excluded.until",
                    (path, now + over * SECOND),
                )
        if over:
            raise Refusal(45009, "api freq out of limit")

    @staticmethod
    def _count(db: sqlite3.Connection, path: str, span: int, now: int) -> int:
        began = now - now % (span * SECOND)
        row = db.execute(
            "INSERT INTO rate VALUES (?,?,?,1) ON CONFLICT (path, span) DO UPDATE SET"
            " calls = CASE WHEN began = excluded.began THEN calls + 1 ELSE 1 END, began = excluded.began"
            " RETURNING calls",
            (path, span, began),
        ).fetchone()
        return int(row["calls"])
