"""Replays of the quarantine: what one would do, and doing it, for one item or for many chosen by a filter.

A replay in bulk is a row in state that takes its items once, when it begins; the worker then works it off in sets.
A set is decided in one transaction (which items go, and what they will become) and only then written to the log, so
that a kill anywhere repeats at most the writing; a repeated frame is emptied when it is read (`quarantine.once`).
The next set waits until the books have the last one: what is a duplicate is then known exactly.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from quanyu.access.contracts import Caller, Scope
from quanyu.events import errors, quarantine
from quanyu.events.bodies import BadEncoding
from quanyu.events.keys import KeyIndex
from quanyu.events.mending import Edit, check, mend
from quanyu.events.quarantine import Chosen
from quanyu.events.tables import quarantine as held_table
from quanyu.events.tables import replay as replay_table
from quanyu.events.trials import FrameOf, Trials
from quanyu.events.views import Example, Preview, ReplayView
from quanyu.events.writers import EventLog
from quanyu.kernel.clock import Clock
from quanyu.kernel.ids import Ids
from quanyu.storage.bulk import rows as given_rows
from quanyu.storage.handover import handover
from quanyu.storage.state import State
from quanyu.storage.vault import SealBroken, Vault

_SET_ITEMS = 1000
_SET_BYTES = 32 << 20
_PREVIEW_ITEMS = 2000
_PREVIEW_BYTES = 64 << 20
_EXAMPLES = 5
_edits = msgspec.json.Decoder(list[Edit])


class Replays:
    """Tries and makes replays. `keys` opens the index of stored ids."""

    def __init__(
        self,
        state: State,
        vault: Vault,
        clock: Clock,
        ids: Ids,
        trials: Trials,
        keys: Callable[[], KeyIndex],
        log: Callable[[], EventLog],
    ) -> None:
        self._state = state
        self._vault = vault
        self._clock = clock
        self._ids = ids
        self._trials = trials
        self._keys = keys
        self._log = log
        self._written: set[str] = set()  # the items of the set that this process wrote last

    # ------------------------------------------------------------------------------------------------- trying
    def preview(self, scope: Scope, chosen: Chosen, edits: Sequence[Edit]) -> Preview:
        """What a replay of the held items that are chosen would do. Changes nothing. Raises Invalid for wrong edits."""
        check(edits)
        where = [*chosen.where(scope.brand_id), held_table.c.status == "held"]
        with self._state.read() as tx:
            total = int(tx.execute(sa.select(sa.func.count()).select_from(held_table).where(*where)).scalar_one())
            rows = _bounded(tx, where, _PREVIEW_ITEMS, _PREVIEW_BYTES)
        raws = self._raws(rows, edits)
        tried = self._trials.of(rows, raws)
        still = Counter(reason for reason, _, _ in tried.bad.values())
        examples = [
            Example(quarantine_id, *tried.bad[quarantine_id], quarantine.excerpt(raws[quarantine_id]))
            for quarantine_id in _spread(tried.bad)
        ]
        return Preview(
            total,
            len(rows),
            len(tried.ready),
            tried.stored,
            tried.duplicate,
            tuple(still.most_common()),
            tuple(examples),
        )

    def _raws(self, rows: Sequence[Any], edits: Sequence[Edit]) -> dict[str, bytes]:
        found = {}
        for row in rows:
            try:
                found[row.quarantine_id] = mend(self._vault.open(row.brand_id, row.raw), edits)
            except SealBroken:  # its key was destroyed: nothing is left to replay
                found[row.quarantine_id] = b""
        return found

    # ------------------------------------------------------------------------------------------------- in bulk
    def start(self, tx: sa.Connection, caller: Caller, chosen: Chosen, edits: Sequence[Edit]) -> str:
        """Take the held items that are chosen and that no other replay has; the id of the replay.

        Raises Conflict when there is none, Invalid for wrong edits.
        """
        check(edits)
        replay_id = self._ids.new("rp")
        brand_id = caller.scope.brand_id
        taken = tx.execute(
            sa.update(held_table)
            .where(*chosen.where(brand_id), held_table.c.status == "held", held_table.c.replay_id.is_(None))
            .values(replay_id=replay_id)
        ).rowcount
        if not taken:
            raise errors.nothing_to_replay()
        tx.execute(
            sa.insert(replay_table).values(
                replay_id=replay_id,
                brand_id=brand_id,
                filter=json.dumps(asdict(chosen), default=lambda at: at.isoformat()),
                edits=msgspec.json.encode(list(edits)).decode(),
                status="running",
                total=taken,
                made_at=self._clock.now(),
                made_by=caller.name,
            )
        )
        return replay_id

    def stop(self, tx: sa.Connection, scope: Scope, replay_id: str) -> None:
        """End a replay before its end; what it did not reach stays held. Raises NotFound, Conflict."""
        row = _find(tx, scope.brand_id, replay_id)
        if row.status != "running":
            raise errors.replay_ended(row.status)
        self._end(tx, replay_id, "stopped")

    def list(self, scope: Scope, limit: int = 20) -> list[ReplayView]:
        """The brand's replays, newest first."""
        with self._state.read() as tx:
            rows = tx.execute(
                sa.select(replay_table)
                .where(replay_table.c.brand_id == scope.brand_id)
                .order_by(replay_table.c.made_at.desc(), replay_table.c.replay_id)
                .limit(limit)
            ).all()
        return [_view(row) for row in rows]

    def get(self, scope: Scope, replay_id: str) -> ReplayView:
        """One replay. Raises NotFound."""
        with self._state.read() as tx:
            return _view(_find(tx, scope.brand_id, replay_id))

    def step(self) -> bool:
        """One set of the oldest running replay; whether there may be more at once. For a worker's lane."""
        with self._state.read() as tx:
            job = tx.execute(
                sa.select(replay_table)
                .where(replay_table.c.status == "running")
                .order_by(replay_table.c.made_at, replay_table.c.replay_id)
                .limit(1)
            ).one_or_none()
            if job is None:
                return False
            sent = _bounded(
                tx,
                [
                    held_table.c.replay_id == job.replay_id,
                    held_table.c.status == "replayed",
                    held_table.c.settled.is_(False),
                ],
                _SET_ITEMS,
                _SET_BYTES,
            )
            rows = [] if sent else _bounded(tx, _open(job.replay_id), _SET_ITEMS, _SET_BYTES)
            behind = tx.execute(sa.select(sa.func.max(handover.c.batch_id))).scalar_one() or -1
        edits = _edits.decode(job.edits)
        if sent:
            self._write_again(sent, edits)
            return False
        if behind > self._keys().marker:
            return False
        if not rows:
            with self._state.write() as tx:
                self._end(tx, job.replay_id, "done")
            return True
        self._work(job, rows, edits)
        return True

    def _work(self, job: Any, rows: Sequence[Any], edits: Sequence[Edit]) -> None:
        tried = self._trials.of(rows, self._raws(rows, edits))
        now = self._clock.now()
        with self._state.write() as tx:
            going = _gone(tx, tried.ready, job, now)
            moved = tx.execute(
                sa.update(replay_table)
                .where(
                    replay_table.c.replay_id == job.replay_id,
                    replay_table.c.status == "running",
                    replay_table.c.done == job.done,
                    replay_table.c.still == job.still,
                )
                .values(
                    done=replay_table.c.done + len(going),
                    stored=replay_table.c.stored + tried.stored,
                    duplicate=replay_table.c.duplicate + tried.duplicate,
                    still=replay_table.c.still + len(tried.bad),
                )
            ).rowcount
            if moved != 1:  # stopped, or another worker was here
                tx.rollback()
                return
            _kept(tx, tried.bad)
        self._write({one: frame for one, frame in tried.ready.items() if one in going})

    def _write_again(self, rows: Sequence[Any], edits: Sequence[Edit]) -> None:
        """Write what was decided and may not have reached the log before a kill; once per process is enough."""
        rows = [row for row in rows if row.quarantine_id not in self._written]
        raws = self._raws(rows, edits)
        frames = {}
        for row in rows:
            try:
                frames[row.quarantine_id] = quarantine.replay_frame(row, raws[row.quarantine_id])
            except BadEncoding:  # mended by hand meanwhile: whoever did that wrote it
                self._written.add(row.quarantine_id)
        self._write(frames)

    def _write(self, frames: dict[str, FrameOf]) -> None:
        if frames:
            self._log().append_now(list(frames.values()))
            self._written = set(frames)

    def _end(self, tx: sa.Connection, replay_id: str, status: str) -> None:
        tx.execute(sa.update(held_table).where(*_open(replay_id)).values(replay_id=None))
        tx.execute(
            sa.update(replay_table)
            .where(replay_table.c.replay_id == replay_id, replay_table.c.status == "running")
            .values(status=status, ended_at=self._clock.now())
        )


def _open(replay_id: str) -> list[sa.ColumnElement[bool]]:
    return [held_table.c.replay_id == replay_id, held_table.c.status == "held"]


def _bounded(tx: sa.Connection, where: Sequence[sa.ColumnElement[bool]], items: int, size: int) -> list[Any]:
    """The newest rows that meet `where`: at most `items`, and not many more than `size` bytes."""
    sizes = tx.execute(
        sa.select(held_table.c.quarantine_id, sa.func.length(held_table.c.raw).label("size"))
        .where(*where)
        .order_by(held_table.c.seq.desc(), held_table.c.quarantine_id.desc())
        .limit(items)
    ).all()
    chosen: list[str] = []
    total = 0
    for row in sizes:
        if chosen and total + row.size > size:
            break
        chosen.append(row.quarantine_id)
        total += row.size
    given = given_rows(tx, {"quarantine_id": sa.Text}, [(one,) for one in chosen])
    return list(
        tx.execute(
            sa.select(held_table)
            .where(held_table.c.quarantine_id.in_(sa.select(given.c.quarantine_id)), *where)
            .order_by(held_table.c.seq.desc(), held_table.c.quarantine_id.desc())
        )
    )


def _gone(tx: sa.Connection, ready: dict[str, FrameOf], job: Any, now: datetime) -> set[str]:
    """Mark the ready items as replayed; those that still were the replay's."""
    given = given_rows(tx, {"quarantine_id": sa.Text}, [(one,) for one in ready])
    return set(
        tx.execute(
            sa.update(held_table)
            .where(held_table.c.quarantine_id.in_(sa.select(given.c.quarantine_id)), *_open(job.replay_id))
            .values(status="replayed", resolved_at=now, resolved_by=job.made_by)
            .returning(held_table.c.quarantine_id)
        ).scalars()
    )


def _kept(tx: sa.Connection, bad: dict[str, tuple[str, str, str]]) -> None:
    """Give the others back, each with the reason that holds now."""
    if not bad:
        return
    columns = {"quarantine_id": sa.Text, "reason": sa.Text, "place": sa.Text, "detail": sa.Text}
    clean = [(one, *(text.replace("\0", "\\0") for text in why)) for one, why in bad.items()]
    given = given_rows(tx, columns, clean)
    mine = given.c.quarantine_id == held_table.c.quarantine_id
    tx.execute(
        sa.update(held_table)
        .where(held_table.c.quarantine_id.in_(sa.select(given.c.quarantine_id)), held_table.c.status == "held")
        .values(
            replay_id=None,
            **{name: sa.select(given.c[name]).where(mine).scalar_subquery() for name in ("reason", "place", "detail")},
        )
    )


def _spread(bad: dict[str, tuple[str, str, str]]) -> list[str]:
    """A few items, of as many reasons as there are."""
    by_reason: dict[str, list[str]] = {}
    for quarantine_id, (reason, _, _) in bad.items():
        by_reason.setdefault(reason, []).append(quarantine_id)
    rounds = [group[turn] for turn in range(_EXAMPLES) for group in by_reason.values() if turn < len(group)]
    return rounds[:_EXAMPLES]


def _find(tx: sa.Connection, brand_id: int, replay_id: str) -> Any:
    row = tx.execute(
        sa.select(replay_table).where(replay_table.c.brand_id == brand_id, replay_table.c.replay_id == replay_id)
    ).one_or_none()
    if row is None:
        raise errors.replay_not_found(replay_id)
    return row


def _view(row: Any) -> ReplayView:
    given = json.loads(row.filter)
    for name in ("since", "until"):
        given[name] = datetime.fromisoformat(given[name]) if given[name] else None
    return ReplayView(
        row.replay_id,
        Chosen(**given),
        tuple(_edits.decode(row.edits)),
        row.status,
        row.total,
        row.done,
        row.stored,
        row.duplicate,
        row.still,
        row.made_at,
        row.made_by,
        row.ended_at,
    )
