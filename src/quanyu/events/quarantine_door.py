"""The door of the quarantine: looking into it, trying an item again, giving it up; the refused rows of imports.

Replays of many items at once are in `replays.py`; what the micro-batch does with refused events is in `quarantine.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import Caller, Scope
from quanyu.events import errors, quarantine, refusals
from quanyu.events.contracts import RefusedRow
from quanyu.events.quarantine import Chosen, Held
from quanyu.events.trials import Trials
from quanyu.events.views import Replayed
from quanyu.events.writers import EventLog
from quanyu.kernel.clock import Clock
from quanyu.storage.state import State
from quanyu.storage.vault import Vault


class Quarantine:
    """What is held, and what becomes of it."""

    def __init__(self, state: State, vault: Vault, clock: Clock, trials: Trials, log: Callable[[], EventLog]) -> None:
        self._state = state
        self._vault = vault
        self._clock = clock
        self._trials = trials
        self._log = log

    def list(
        self,
        scope: Scope,
        chosen: Chosen = Chosen(),  # noqa: B008 - frozen
        *,
        before: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> tuple[list[Held], int]:
        """A page of refused events, newest first, and how many there are."""
        with self._state.read() as tx:
            return quarantine.listed(tx, self._vault, scope.brand_id, chosen, before=before, limit=limit)

    def group(self, scope: Scope, chosen: Chosen) -> Sequence[dict[str, Any]]:
        """How many refused items and events there are by source and reason, most first."""
        with self._state.read() as tx:
            return quarantine.grouped(tx, scope.brand_id, chosen)

    def read(self, scope: Scope, quarantine_id: str) -> tuple[Held, bytes]:
        """One item and its raw bytes. Raises NotFound. The caller's route writes the audit line."""
        with self._state.read() as tx:
            row = quarantine.find(tx, scope.brand_id, quarantine_id)
        return quarantine.held(row, self._vault), self._vault.open(row.brand_id, row.raw)

    def replay(self, tx: sa.Connection, caller: Caller, quarantine_id: str, body: bytes | None) -> Replayed:
        """Try an item again, as it is or with `body` in its place; `stored` means durably in the log.

        Raises NotFound, Conflict (dealt with before), LogUnavailable.
        """
        row = quarantine.find(tx, caller.scope.brand_id, quarantine_id)
        if row.status != "held":
            raise errors.quarantined_settled(row.status)
        raw = body if body is not None else self._vault.open(row.brand_id, row.raw)
        tried = self._trials.of([row], {quarantine_id: raw})
        if quarantine_id in tried.bad:
            reason, where, detail = tried.bad[quarantine_id]
            return Replayed("quarantined", reason, f"{where} {detail}".strip())
        quarantine.resolve(tx, quarantine_id, "replayed", caller.name, None, self._clock.now())
        self._log().append_now([tried.ready[quarantine_id]])
        return Replayed("stored" if tried.stored else "duplicate")

    def discard(self, tx: sa.Connection, caller: Caller, quarantine_id: str, note: str) -> None:
        """Give an item up; it stays in the books as quarantined. Raises NotFound, Conflict."""
        quarantine.find(tx, caller.scope.brand_id, quarantine_id)
        quarantine.resolve(tx, quarantine_id, "discarded", caller.name, note, self._clock.now())

    def refused_rows(self, scope: Scope, call: str, limit: int | None = None) -> Sequence[RefusedRow]:
        """The refused rows of an import, in the order of its file, opened: the caller's route writes the audit line."""
        with self._state.read() as tx:
            return tuple(refusals.of_call(tx, self._vault, scope.brand_id, call, limit))

    def put_away_refused(self, tx: sa.Connection, brand_id: int, calls: Sequence[str], note: str, by: str) -> int:
        """Give up what is still held of these imports; how many rows."""
        return refusals.put_away(tx, brand_id, calls, note, by, self._clock.now())
