"""Carries the outgoing list to the brand: four lanes, each with its own pace and patience.

Callbacks are tried three times, as WeCom does; events and coupon calls are tried until they are answered, with the
same ids each time. A row leaves the list only after its answer, so a kill means at most a repetition.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from time import monotonic

import httpx

from quanyu_sandbox.brand_client import BrandClient, BrandUnreachable
from quanyu_sandbox.callbacks import Callbacks
from quanyu_sandbox.errands import Errands
from quanyu_sandbox.faults import Faults
from quanyu_sandbox.world import World

log = logging.getLogger(__name__)
_TRIES = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0
_LANES = {"callback": 8, "event": 100, "view": 8, "redeem": 8}


class Courier:
    """Runs the lanes."""

    def __init__(self, world: World, callbacks: Callbacks, faults: Faults, http: httpx.AsyncClient) -> None:
        self.world = world
        self.callbacks = callbacks
        self.faults = faults
        self.http = http
        self.brand = BrandClient(world.settings, http)
        self.errands = Errands(world, self.brand)
        self._moved = asyncio.Event()
        self._busy: set[int] = set()
        self._lanes: dict[str, Callable[[list[sqlite3.Row]], Awaitable[bool]]] = {
            "callback": self._callbacks,
            "event": self._events,
            "view": self._views,
            "redeem": self._redemptions,
        }

    # ------------------------------------------------------------------ running
    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(self._run_lane(lane))

    async def _run_lane(self, lane: str) -> None:
        bell, pause = self.world.bell.listen(), _FIRST_PAUSE
        while True:
            bell.clear()
            rows = self._waiting(lane)
            if not rows:
                await bell.wait()
                continue
            try:
                good = await self._lanes[lane](rows)
            except (sqlite3.Error, ValueError, KeyError):
                log.exception("lane %s stumbled and goes on", lane)
                good = False
            self._moved.set()
            if good:
                pause = _FIRST_PAUSE
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _waiting(self, lane: str) -> list[sqlite3.Row]:
        rows = self.world.store.all(
            "SELECT * FROM outgoing WHERE lane = ? AND state = 'pending' ORDER BY id LIMIT ?",
            lane,
            _LANES[lane] + len(self._busy),
        )
        return [row for row in rows if row["id"] not in self._busy][: _LANES[lane]]

    async def settle(self, seconds: float) -> bool:
        """Wait until everything is carried, at most so many real seconds; whether it is."""
        limit = monotonic() + seconds
        while self.pending():
            left = limit - monotonic()
            if left <= 0:
                return False
            self.world.bell.ring()
            self._moved.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), min(left, 0.5))
        return True

    def pending(self) -> int:
        """How much waits to be carried."""
        return self.world.store.number("SELECT count(*) FROM outgoing WHERE state = 'pending'")

    def _finish(self, row: sqlite3.Row, state: str, answer: str | None, tries: int = 1) -> None:
        with self.world.store.write() as db:
            db.execute(
                "UPDATE outgoing SET state = ?, answer = ?, tries = tries + ? WHERE id = ?",
                (state, (answer or "")[:300], tries, row["id"]),
            )

    # ------------------------------------------------------------------ lanes
    async def _callbacks(self, rows: list[sqlite3.Row]) -> bool:
        await asyncio.gather(*(self._callback(row) for row in rows))
        return True

    async def _callback(self, row: sqlite3.Row) -> None:
        receiver = self.callbacks.receiver()
        if not receiver.url:
            self._finish(row, "done", "no callback address is set", 0)
            return
        fault = self.faults.strike("callback")
        if fault is not None and fault.kind == "drop":
            self._finish(row, "failed", "lost by an injected fault", 0)
            return
        if fault is not None and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        fields = json.loads(row["payload"])["fields"]
        for times in range(2 if fault is not None and fault.kind == "duplicate" else 1):
            await self._deliver(row, fields, times)

    async def _deliver(self, row: sqlite3.Row, fields: dict[str, str], copy: int) -> None:
        """Three tries on timeouts and network failures only; an HTTP error is an answer (W:92130)."""
        receiver = self.callbacks.receiver()
        why = ""
        for attempt in range(_TRIES - int(row["tries"]) if copy == 0 else 1):
            query, body = self.callbacks.request(fields, f"{row['id']}:{copy}:{row['tries'] + attempt}", receiver)
            try:
                answer = await self.http.post(
                    receiver.url,
                    params=query,
                    content=body,
                    headers={"Content-Type": "text/xml"},
                    timeout=self.world.settings.callback_timeout,
                )
            except httpx.HTTPError as error:
                why = type(error).__name__
                with self.world.store.write() as db:
                    db.execute("UPDATE outgoing SET tries = tries + 1, answer = ? WHERE id = ?", (why, row["id"]))
                await asyncio.sleep(self.world.settings.callback_pause * (attempt + 1))
                continue
            state = "done" if answer.is_success else "refused"
            self._finish(row, state, f"{answer.status_code} {answer.text[:200]}")
            return
        if copy == 0:
            self._finish(row, "failed", why, 0)

    async def _events(self, rows: list[sqlite3.Row]) -> bool:
        if not self.world.settings.collector_url:
            for row in rows:
                self._finish(row, "done", "no collector is set", 0)
            return True
        return await self._patiently(rows, self.errands.collect)

    async def _views(self, rows: list[sqlite3.Row]) -> bool:
        return all(await asyncio.gather(*(self._patiently([row], self.errands.view) for row in rows)))

    async def _redemptions(self, rows: list[sqlite3.Row]) -> bool:
        return all(await asyncio.gather(*(self._patiently([row], self.errands.redeem) for row in rows)))

    async def _patiently(
        self, rows: list[sqlite3.Row], work: Callable[[list[sqlite3.Row]], Awaitable[tuple[str, str]]]
    ) -> bool:
        """Do an errand for rows that nobody else has in hand; False when it must be tried again."""
        mine = [row for row in rows if row["id"] not in self._busy]
        self._busy.update(row["id"] for row in mine)
        try:
            state, answer = await work(mine)
        except BrandUnreachable as error:
            for row in mine:
                self._finish(row, "pending", str(error))
            return False
        finally:
            self._busy.difference_update(row["id"] for row in mine)
            self.world.bell.ring()
        for row in mine:
            self._finish(row, state, answer)
        return True

    async def now(self, key: str) -> sqlite3.Row:
        """Do one errand at once, for a finger that waits; the row as it stands afterwards.

        If another lane has it in hand, or the brand does not answer, the row is still `pending`.
        """
        row = self.world.store.one("SELECT * FROM outgoing WHERE key = ?", key)
        assert row is not None
        if row["state"] == "pending":
            work = self.errands.redeem if row["lane"] == "redeem" else self.errands.view
            if row["id"] not in self._busy:
                await self._patiently([row], work)
            else:
                await self.settle(self.world.settings.callback_timeout)
        after = self.world.store.one("SELECT * FROM outgoing WHERE key = ?", key)
        assert after is not None
        return after
