"""Connections: places that are read again and again on a schedule, and webhooks that call.

What was recorded and how far a place was read are one state transaction: a kill in between reads the same again and
changes nothing, because every business key counts once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa
from croniter import croniter
from pydantic import Field, SecretStr, ValidationError

from quanyu.access.api import Brands
from quanyu.access.contracts import Caller, Scope
from quanyu.imports import errors, saved
from quanyu.imports.mapping import Reading
from quanyu.imports.reading import Read, read
from quanyu.imports.running import begin, make, take
from quanyu.imports.tables import connection as table
from quanyu.imports.tables import seen
from quanyu.kernel.clock import micros
from quanyu.kernel.errors import QuanyuError
from quanyu.kernel.label import Label
from quanyu.sdk.config import Config, Secret
from quanyu.sdk.place import FilePlace, PlaceFailed, PlacePlugin, RowPlace, Surroundings
from quanyu.storage.bulk import upsert
from quanyu.storage.lease import Lease

_FILES_AT_ONCE = 20
_ROWS_AT_ONCE = 20_000
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

    def __init__(
        self,
        host: Any,
        brands: Brands,
        kinds: Mapping[str, PlacePlugin],
        around: Callable[[Scope], Surroundings],
    ) -> None:
        self._host = host
        self._state = host.state
        self._vault = host.vault
        self._clock = host.clock
        self._brands = brands
        self._around = around
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
            "secret_hash": _hash(secret) if secret else None,
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
            given = self._checked(row.kind, self._config(row), config)
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
            self.stop_reading(tx, connection_id, now)
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
            self.stop_reading(tx, connection_id, self._clock.now())
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

    # ------------------------------------------------------------------------------------------------- the worker
    def step(self, lease: Lease) -> bool:
        """Read the place that is due first; whether there was one."""
        if not lease.acquire():
            return False
        now = self._clock.now()
        with self._state.read() as tx:
            row = tx.execute(
                sa.select(table).where(table.c.active, table.c.next_at <= now).order_by(table.c.next_at).limit(1)
            ).one_or_none()
        if row is None:
            return False
        try:
            place = self.kinds[row.kind].place(self._config(row), self._around(self._scope(row)))
            more = self._files(row, place, lease) if isinstance(place, FilePlace) else self._rows(row, place, lease)
        except PlaceFailed as failed:
            problem = failed.problem
            self._note(
                row, Label(f"{problem.title.zh}。{problem.remedy.zh}", f"{problem.title.en}. {problem.remedy.en}")
            )
        except QuanyuError as error:
            detail = error.detail or error.title
            self._note(row, Label(f"{error.title.zh}：{detail.zh}", f"{error.title.en}: {detail.en}"))
        else:
            self._note(row, None, at_once=more)
        return True

    def _files(self, row: Any, place: FilePlace, lease: Lease) -> bool:
        """Queue a job for each file that is new or changed; whether there are more."""
        caller = self._caller(row)
        mapping = self._host.get_mapping(caller.scope, row.mapping_id)
        with self._state.read() as tx:
            known = {
                one.path: one.stamp
                for one in tx.execute(sa.select(seen).where(seen.c.connection_id == row.connection_id))
            }
        taken = 0
        for file in place.files():
            if known.get(file.path) == file.stamp:
                continue
            if taken == _FILES_AT_ONCE:
                return True
            if file.size > self._host.files.most_bytes:
                raise errors.file_too_large(self._host.files.most_bytes)
            kept = self._host.keep_file(caller, file.path.rsplit("/", 1)[-1], place.read(file.path))
            job = self._host.new_job(caller, mapping, file.path, file_id=kept.file_id, connection_id=row.connection_id)
            with self._state.write() as tx:
                if not lease.confirm(tx) or not self._as_read(tx, row):
                    return False
                saved.add_job(tx, job)
                upsert(
                    tx,
                    seen,
                    [
                        {
                            "connection_id": row.connection_id,
                            "path": file.path,
                            "stamp": file.stamp,
                            "job_id": job.job_id,
                            "at": self._clock.now(),
                        }
                    ],
                    ["connection_id", "path"],
                    ["stamp", "job_id", "at"],
                )
            taken += 1
        return False

    def _rows(self, row: Any, place: RowPlace, lease: Lease) -> bool:
        """Record the next rows with how far they reach in one transaction; whether there are more.

        All of one reading is one job, which goes on behind its last rows after a kill.
        """
        found = place.rows(row.watermark, _ROWS_AT_ONCE)
        caller = self._caller(row)
        mapping = self._host.get_mapping(caller.scope, row.mapping_id)
        with self._state.read() as tx:
            run = saved.open_run(tx, row.connection_id)
        if run is None and not found.table.num_rows:
            return False
        job = run or self._host.new_job(
            caller, mapping, row.name, connection_id=row.connection_id, most_bad=_ROWS_AT_ONCE
        )
        made = make(
            mapping.mapping,
            Read(found.table, "parquet", Reading(), lines=np.arange(found.table.num_rows) + job.rows + 1),
            time_zone=caller.scope.time_zone,
            now=micros(job.made_at),
        )
        with self._state.write() as tx:
            if not lease.confirm(tx) or not self._as_read(tx, row) or saved.open_run(tx, row.connection_id) != run:
                return False  # somebody else's turn, or changed or stopped meanwhile
            if run is None:
                saved.add_job(tx, job)
            self._record(tx, job, mapping, made)
            if not found.more:
                saved.end_job(tx, job.job_id, "done", self._clock.now())
            tx.execute(sa.update(table).where(table.c.connection_id == row.connection_id).values(watermark=found.after))
        return found.more

    def _record(self, tx: sa.Connection, job: Any, mapping: Any, made: Any) -> None:
        host = self._host
        begin(tx, host.events, job, made)
        counts = take(tx, host.events, host.commerce, self._vault, self._brands, job, mapping, made.applied.table)
        saved.change_job(
            tx,
            job.job_id,
            done=job.done + made.applied.table.num_rows,
            fresh=job.fresh + counts.fresh,
            corrected=job.corrected + counts.corrected,
            unchanged=job.unchanged + counts.unchanged,
        )

    def stop_reading(self, tx: sa.Connection, connection_id: str, now: datetime) -> None:
        """End a reading that goes on; the rest is read when the place is due again."""
        run = saved.open_run(tx, connection_id)
        if run is not None:
            saved.end_job(tx, run.job_id, "cancelled", now)

    def put_off(self, tx: sa.Connection, scope: Scope, connection_id: str) -> None:
        """Leave a place alone until its schedule says so."""
        row = self._row(tx, scope.brand_id, connection_id)
        if row.active and row.schedule:
            after = next_time(row.schedule, self._clock.now(), scope.time_zone)
            tx.execute(sa.update(table).where(table.c.connection_id == connection_id).values(next_at=after))

    def _note(self, row: Any, problem: Label | None, *, at_once: bool = False) -> None:
        now = self._clock.now()
        if problem is None:
            failures, after = 0, now if at_once else next_time(row.schedule, now, self._scope(row).time_zone)
        else:
            failures = row.failures + 1
            after = now + timedelta(minutes=min(2 ** min(failures, 6), 60))
        with self._state.write() as tx:
            tx.execute(
                sa.update(table)
                .where(table.c.connection_id == row.connection_id, table.c.config == row.config)
                .values(
                    ran_at=now,
                    failures=failures,
                    next_at=after,
                    problem=json.dumps(problem.as_dict(), ensure_ascii=False) if problem else None,
                )
            )

    # -------------------------------------------------------------------------------------------------- webhooks
    def receive(self, secret: str, body: bytes, signature: str) -> dict[str, int]:
        """Record what a webhook brought, durable on return: how many events, and how many rows were refused.

        Raises NotFound for an address that is none, Denied for a signature that is wrong, Invalid for a body that
        cannot be read.
        """
        with self._state.read() as tx:
            row = tx.execute(sa.select(table).where(table.c.secret_hash == _hash(secret), table.c.active)).one_or_none()
        if row is None:
            raise errors.webhook_not_found()
        config = self._config(row)
        assert isinstance(config, WebhookConfig)
        key = config.signing_secret.get_secret_value()
        if key:
            wanted = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
            if not hmac.compare_digest(signature.removeprefix("sha256=").lower(), wanted):
                raise errors.signature_wrong()
        caller = self._caller(row)
        mapping = self._host.get_mapping(caller.scope, row.mapping_id)
        found = read(_lines(body), "webhook", mapping.mapping.read)
        now = self._clock.now()
        made = make(mapping.mapping, found, time_zone=caller.scope.time_zone, now=micros(now))
        job = replace(
            self._host.new_job(caller, mapping, row.name, connection_id=row.connection_id), job_id=row.connection_id
        )
        host = self._host
        with self._state.write() as tx:
            if made.refused:
                host.events.record_frames(tx, job.source, job.brand_id, refused=made.refused, call=job.job_id)
            take(tx, host.events, host.commerce, self._vault, self._brands, job, mapping, made.applied.table)
            tx.execute(sa.update(table).where(table.c.connection_id == row.connection_id).values(ran_at=now))
        return {"events": made.applied.table.num_rows, "refused": len(made.refused)}

    # ---------------------------------------------------------------------------------------------------- inside
    def _checked(self, kind: str, before: Config | None, given: dict[str, Any]) -> Config:
        model = self._model(kind)
        try:
            return model.merged(before, given)
        except ValidationError as error:
            raise errors.connection_invalid(
                [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors(include_input=False)]
            ) from None

    def _model(self, kind: str) -> type[Config]:
        if kind == "webhook":
            return WebhookConfig
        if kind not in self.kinds:
            raise errors.connection_invalid([("kind", f"one of webhook, {', '.join(self.kinds)}")])
        return self.kinds[kind].config

    def _config(self, row: Any) -> Config:
        return self._model(row.kind).model_validate(json.loads(self._vault.open_text(row.brand_id, row.config)))

    def _scope(self, row: Any) -> Scope:
        return self._brands.by_id(row.brand_id).scope()

    @staticmethod
    def _as_read(tx: sa.Connection, row: Any) -> bool:
        """Whether nobody changed the connection while its place was read: its settings are sealed anew each time."""
        same = sa.select(table.c.connection_id).where(
            table.c.connection_id == row.connection_id, table.c.config == row.config
        )
        return tx.execute(same).one_or_none() is not None

    def _caller(self, row: Any) -> Caller:
        return Caller("system", row.connection_id, row.name, self._scope(row))

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
            self._config(row).masked(),
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


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _lines(body: bytes) -> bytes:
    """A JSON array as one object per line, as files of events are; anything else as it is."""
    text = body.strip()
    if text[:1] != b"[":
        return text
    try:
        given = json.loads(text)
    except ValueError as error:
        raise errors.file_unreadable(Label("不是合法的 JSON", "Not valid JSON")) from error
    return b"\n".join(json.dumps(one, ensure_ascii=False).encode() for one in given)
