"""One at a time: a lease that a process holds while it works and that another takes over when it died.

The micro-batch has one writer. The lease is a row with an end; its holder prolongs it, and whoever finds it ended
takes it. `fence` grows with every change of hands, so that a holder who slept past its end is told apart. An end that
lies further ahead than any lease lasts was written by a clock that has been put back since: it is no end.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from quanyu.kernel.clock import Clock
from quanyu.storage.bulk import insert_ignore
from quanyu.storage.schema import Instant, metadata
from quanyu.storage.state import State

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("until", Instant, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
)

# How far the clocks of two machines may be apart.
_SKEW = timedelta(minutes=1)


class Lease:
    """The right to do `name`, for one holder at a time."""

    def __init__(self, state: State, clock: Clock, name: str, holder: str, lasts: timedelta) -> None:
        self._state = state
        self._clock = clock
        self._name = name
        self._holder = holder
        self._lasts = lasts
        self._held_until: datetime | None = None
        self.fence = 0  # of the turn that was acquired last

    def acquire(self) -> bool:
        """Take or prolong the lease; whether it is ours now. Costs nothing while most of it lies ahead."""
        now = self._clock.now()
        if self._held_until is not None and self._lasts >= self._held_until - now > self._lasts / 2:
            return True
        with self._state.write() as tx:
            free = {"name": self._name, "holder": "", "until": now - timedelta(seconds=1), "fence": 0}
            insert_ignore(tx, lease, [free])
            fence = tx.execute(
                sa.update(lease)
                .where(
                    lease.c.name == self._name,
                    sa.or_(
                        lease.c.holder == self._holder,
                        lease.c.until < now,
                        lease.c.until > now + self._lasts + _SKEW,
                    ),
                )
                .values(
                    fence=lease.c.fence + sa.case((lease.c.holder == self._holder, 0), else_=1),
                    holder=self._holder,
                    until=now + self._lasts,
                )
                .returning(lease.c.fence)
            ).scalar_one_or_none()
        self._held_until = None if fence is None else now + self._lasts
        self.fence = self.fence if fence is None else int(fence)
        return fence is not None

    def confirm(self, tx: sa.Connection) -> bool:
        """Inside a transaction: whether the lease is still ours; its row stays locked until the commit."""
        held = tx.execute(
            sa.select(lease.c.holder).where(lease.c.name == self._name).with_for_update()
        ).scalar_one_or_none()
        if held != self._holder:
            self._held_until = None
        return held == self._holder

    def release(self) -> None:
        """Give the lease back."""
        self._held_until = None
        with self._state.write() as tx:
            tx.execute(
                sa.update(lease)
                .where(lease.c.name == self._name, lease.c.holder == self._holder)
                .values(until=self._clock.now() - timedelta(seconds=1))
            )
