"""Connections: what a brand set up to be read on a schedule or to call a webhook, made, changed, shown and removed.

Reading the places is in `places.py`, what webhooks bring in `webhooks.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from croniter import croniter
from pydantic import Field, SecretStr, ValidationError

from quanyu.access.api import Brands
from quanyu.access.contracts import Caller, Scope
from quanyu.imports import errors, saved
from quanyu.imports.tables import connection as table
from quanyu.imports.tables import seen
from quanyu.kernel.faults import of_field
from quanyu.kernel.label import Label
from quanyu.sdk.config import Config, Secret
from quanyu.sdk.place import PlacePlugin

_EVERY = re.compile(r"^every (\d{1,5})([smhd])$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHORTEST = timedelta(seconds=10)


class WebhookConfig(Config):
    """A webhook: with a secret, what comes must be signed with it."""

    signing_secret: Secret = Field(SecretStr(""), title="签名密钥，可不填 · Signing secret (optional)")


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection as it is shown; its configuration without secrets."""

    connection_id: str
    kind: str
    name: str
    mapping_id: str
    config: dict[str, Any]
    schedule: str
    active: bool
    watermark: str | None
    problem: Label | None
    failures: int
    next_at: datetime | None
    ran_at: datetime | None
    made_by: str
    made_at: datetime


def next_time(schedule: str, after: datetime, time_zone: str) -> datetime:
    """When a schedule comes next: `every 15m`, or a cron line in the brand's time. Raises Invalid."""
    found = _EVERY.match(schedule.strip())
    if found:
        return after + max(timedelta(**{_UNITS[found[2]]: int(found[1])}), _SHORTEST)
    if len(schedule.split()) != 5 or not croniter.is_valid(schedule):
        raise errors.schedule_invalid(schedule)
    local = after.astimezone(ZoneInfo(time_zone))
    at: datetime = croniter(schedule, local).get_next(datetime)
    return at.astimezone(after.tzinfo)


class Connections:
    """The connections of every brand. `host` is the door of imports, for its stores and its doors."""

    def __init__(self, host: Any, brands: Brands, kinds: Mapping[str, PlacePlugin]) -> None:
        self._host = host
        self._state = host.state
        self._vault = host.vault
        self._clock = host.clock
        self._brands = brands
        self.kinds = kinds

    # ------------------------------------------------------------------------------------------------- settings
    def forms(self) -> Sequence[tuple[str, Label, type[Config]]]:
        """Every kind with its name and the model of its configuration."""
        found = [(key, plugin.label, plugin.config) for key, plugin in self.kinds.items()]
        return [*found, ("webhook", Label("Webhook", "Webhook"), WebhookConfig)]

    def list(self, scope: Scope) -> list[Connection]:
        """The brand's connections by name."""
        with self._state.read() as tx:
            found = tx.execute(sa.select(table).where(table.c.brand_id == scope.brand_id).order_by(table.c.name)).all()
        return [self._shown(row) for row in found]

    def get(self, scope: Scope, connection_id: str) -> Connection:
        """One connection. Raises NotFound."""
        with self._state.read() as tx:
            return self._shown(self._row(tx, scope.brand_id, connection_id))

    def create(
        self, caller: Caller, *, kind: str, name: str, mapping_id: str, config: dict[str, Any], schedule: str
    ) -> tuple[Connection, str | None]:
        """A new connection, and for a webhook the secret of its address, shown this once. Raises Invalid, NotFound."""
        given = self._checked(kind, None, config)
        self._host.get_mapping(caller.scope, mapping_id)
        now, secret = self._clock.now(), self._host.ids.token() if kind == "webhook" else None
        values = {
            "connection_id": self._host.ids.new("con"),
            "brand_id": caller.scope.brand_id,
            "kind": kind,
            "name": name,
            "mapping_id": mapping_id,
            "config": self._vault.seal(caller.scope.brand_id, json.dumps(given.opened())),
            "schedule": "" if kind == "webhook" else schedule,
            "active": True,
            "secret_hash": hash_of(secret) if secret else None,
            "next_at": None if kind == "webhook" else now,
            "made_by": caller.name,
            "made_at": now,
        }
        if kind != "webhook":
            next_time(schedule, now, caller.scope.time_zone)
        with self._state.write() as tx:
            tx.execute(sa.insert(table).values(values))
            detail = {"kind": kind, "mapping": mapping_id}
            self._host.audit.record(caller, "import_connection_made", values["connection_id"], detail, tx=tx)
        return self.get(caller.scope, values["connection_id"]), secret

    def change(
        self,
        caller: Caller,
        connection_id: str,
        *,
        name: str,
        mapping_id: str,
        config: dict[str, Any],
        schedule: str,
        active: bool,
        from_start: bool = False,
    ) -> Connection:
        """Change a connection; a secret that came back masked keeps its value. Raises Invalid, NotFound.

        `from_start` forgets what was read: all of it is read again, and what says the same counts once.
        """
        scope, now = caller.scope, self._clock.now()
        if active:  # one whose mapping was archived can still be paused
            self._host.get_mapping(scope, mapping_id)
        with self._state.write() as tx:
            row = self._row(tx, scope.brand_id, connection_id)
            given = self._checked(row.kind, self.config_of(row), config)
            scheduled = row.kind != "webhook"
            values = {
                "name": name,
                "mapping_id": mapping_id,
                "config": self._vault.seal(scope.brand_id, json.dumps(given.opened())),
                "schedule": schedule if scheduled else "",
                "active": active,
                "failures": 0,
                "problem": None,
                "next_at": next_time(schedule, now, scope.time_zone) if scheduled and active else None,
            }
            self._stop_reading(tx, connection_id, now)
            if from_start:
                values |= {"watermark": None, "next_at": now if scheduled and active else None}
                tx.execute(sa.delete(seen).where(seen.c.connection_id == connection_id))
            tx.execute(sa.update(table).where(table.c.connection_id == connection_id).values(values))
            detail = {"active": active, "from_start": from_start}
            self._host.audit.record(caller, "import_connection_changed", connection_id, detail, tx=tx)
        return self.get(scope, connection_id)

    def delete(self, caller: Caller, connection_id: str) -> None:
        """Remove a connection; what it brought stays. Raises NotFound."""
        with self._state.write() as tx:
            self._row(tx, caller.scope.brand_id, connection_id)
            self._stop_reading(tx, connection_id, self._clock.now())
            tx.execute(sa.delete(seen).where(seen.c.connection_id == connection_id))
            tx.execute(sa.delete(table).where(table.c.connection_id == connection_id))
            self._host.audit.record(caller, "import_connection_deleted", connection_id, {}, tx=tx)

    def run_soon(self, caller: Caller, connection_id: str) -> Connection:
        """Read a place at the worker's next turn instead of at its time. Raises NotFound, Conflict for a webhook."""
        with self._state.write() as tx:
            row = self._row(tx, caller.scope.brand_id, connection_id)
            if row.kind == "webhook":
                raise errors.not_scheduled(connection_id)
            tx.execute(sa.update(table).where(table.c.connection_id == connection_id).values(next_at=self._clock.now()))
            self._host.audit.record(caller, "import_connection_run", connection_id, {}, tx=tx)
        return self.get(caller.scope, connection_id)

    def put_off(self, tx: sa.Connection, scope: Scope, connection_id: str) -> None:
        """Leave a place alone until its schedule says so."""
        row = self._row(tx, scope.brand_id, connection_id)
        if row.active and row.schedule:
            after = next_time(row.schedule, self._clock.now(), scope.time_zone)
            tx.execute(sa.update(table).where(table.c.connection_id == connection_id).values(next_at=after))

    # ------------------------------------------------------------------------------------ for those who take data in
    def config_of(self, row: Any) -> Config:
        """The configuration of a connection's row, with its secrets."""
        return self._model(row.kind).model_validate(json.loads(self._vault.open_text(row.brand_id, row.config)))

    def scope_of(self, row: Any) -> Scope:
        """The brand of a connection's row."""
        return self._brands.by_id(row.brand_id).scope()

    def caller_of(self, row: Any) -> Caller:
        """Who takes in what a connection brings: the connection itself."""
        return Caller("system", row.connection_id, row.name, self.scope_of(row))

    # ---------------------------------------------------------------------------------------------------- inside
    def _stop_reading(self, tx: sa.Connection, connection_id: str, now: datetime) -> None:
        """End a reading that goes on; the rest is read when the place is due again."""
        run = saved.open_run(tx, connection_id)
        if run is not None:
            saved.end_job(tx, run.job_id, "cancelled", now)

    def _checked(self, kind: str, before: Config | None, given: dict[str, Any]) -> Config:
        model = self._model(kind)
        try:
            return model.merged(before, given)
        except ValidationError as error:
            raise errors.connection_invalid(
                [(".".join(map(str, one["loc"])), of_field(one)) for one in error.errors(include_input=False)]
            ) from None

    def _model(self, kind: str) -> type[Config]:
        if kind == "webhook":
            return WebhookConfig
        if kind not in self.kinds:
            kinds = f"webhook, {', '.join(self.kinds)}"
            raise errors.connection_invalid([("kind", Label(f"只能是 {kinds} 之一", f"Must be one of {kinds}"))])
        return self.kinds[kind].config

    def _row(self, tx: sa.Connection, brand_id: int, connection_id: str) -> Any:
        row = tx.execute(
            sa.select(table).where(table.c.brand_id == brand_id, table.c.connection_id == connection_id)
        ).one_or_none()
        if row is None:
            raise errors.connection_not_found(connection_id)
        return row

    def _shown(self, row: Any) -> Connection:
        return Connection(
            row.connection_id,
            row.kind,
            row.name,
            row.mapping_id,
            self.config_of(row).masked(),
            row.schedule,
            bool(row.active),
            row.watermark,
            Label(**json.loads(row.problem)) if row.problem else None,
            row.failures,
            row.next_at,
            row.ran_at,
            row.made_by,
            row.made_at,
        )


def hash_of(secret: str) -> str:
    """What is kept of the secret in a webhook's address."""
    return hashlib.sha256(secret.encode()).hexdigest()
