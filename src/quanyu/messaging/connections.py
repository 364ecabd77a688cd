"""Connections: a channel plugin with a configuration of its own, sealed by the vault."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import sqlalchemy as sa
from pydantic import ValidationError

from quanyu.access.contracts import Scope
from quanyu.kernel.clock import Clock
from quanyu.kernel.errors import FieldError, Invalid
from quanyu.kernel.faults import of_field
from quanyu.kernel.label import Label
from quanyu.messaging.errors import channel_unknown, config_invalid, connection_exists, connection_not_found
from quanyu.messaging.tables import connection, effect
from quanyu.sdk import Channel, Config, Host, Step
from quanyu.sdk.channel import ChannelPlugin
from quanyu.storage.state import State
from quanyu.storage.vault import Vault

_KEY = re.compile(r"[a-z][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A connection as the console shows it: secrets masked."""

    connection: str
    kind: str
    name: str
    enabled: bool
    config: dict[str, Any]
    ok: bool | None
    message: Label | None
    checked_at: datetime | None
    problem: str | None
    sent_24h: int


class Connections:
    """Keeps connections and makes their channels. Thread-safe."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        vault: Vault,
        plugins: Mapping[str, ChannelPlugin],
        http: Callable[[], httpx.Client],
    ) -> None:
        self._state = state
        self._clock = clock
        self._vault = vault
        self.plugins = dict(plugins)
        self._http = http
        self._made: dict[str, tuple[int, Channel[Any]]] = {}
        self._lock = threading.Lock()

    def create(self, scope: Scope, kind: str, name: str, title: str, given: dict[str, Any]) -> ConnectionView:
        """Make the connection `name` of a kind. Raises Invalid or Conflict."""
        if not _KEY.fullmatch(name):
            text = Label(
                "标识只能用小写字母、数字、下划线和短横线，以字母开头", "Use a-z, 0-9, _ and -, starting with a letter"
            )
            raise Invalid("connection_key_invalid", text, fields=(FieldError("connection", text),))
        config = self._read(kind, None, given)
        self._vault.prepare(scope.brand_id)
        sealed = self._seal(scope.brand_id, config)
        with self._state.write() as tx:
            if tx.execute(sa.select(connection.c.connection).where(connection.c.connection == name)).first():
                raise connection_exists(name)
            tx.execute(
                sa.insert(connection).values(
                    connection=name,
                    brand_id=scope.brand_id,
                    kind=kind,
                    name=title,
                    config=sealed,
                    made_at=self._clock.now(),
                )
            )
        return self.view(scope, name)

    def update(
        self,
        scope: Scope,
        name: str,
        *,
        title: str | None = None,
        enabled: bool | None = None,
        given: dict[str, Any] | None = None,
    ) -> ConnectionView:
        """Change a connection; a secret that comes back masked is kept. Raises NotFound or Invalid."""
        self._vault.prepare(scope.brand_id)  # before the write begins: it writes too
        with self._state.write() as tx:
            row = self._row(tx, scope, name)
            values: dict[str, Any] = {"revision": row.revision + 1}
            if title is not None:
                values["name"] = title
            if enabled is not None:
                values["enabled"] = enabled
            if given is not None:
                before = self._open(row)
                values["config"] = self._seal(scope.brand_id, self._read(row.kind, before, given))
                # What was wrong may be mended: try at once.
                values |= {"failures": 0, "open_until": None, "problem": None, "check_ok": None, "checked_at": None}
            tx.execute(sa.update(connection).where(connection.c.connection == name).values(values))
        return self.view(scope, name)

    def check(self, scope: Scope, name: str) -> list[Step]:
        """Try a connection and remember the outcome."""
        with self._state.read() as tx:
            self._row(tx, scope, name)
        steps = list(self.channel(name).check())
        bad = next((step for step in steps if not step.ok), None)
        said = bad.message if bad else Label("连接正常", "The connection works")
        with self._state.write() as tx:
            tx.execute(
                sa.update(connection)
                .where(connection.c.connection == name)
                .values(
                    check_ok=bad is None,
                    check_zh=said.zh,
                    check_en=said.en,
                    checked_at=self._clock.now(),
                    **({"failures": 0, "open_until": None} if bad is None else {}),
                )
            )
        return steps

    def all(self, scope: Scope) -> list[ConnectionView]:
        """The brand's connections, oldest first."""
        with self._state.read() as tx:
            found = tx.execute(
                sa.select(connection)
                .where(connection.c.brand_id == scope.brand_id)
                .order_by(connection.c.made_at, connection.c.connection)
            ).all()
            return self._views(tx, found)

    def view(self, scope: Scope, name: str) -> ConnectionView:
        """One connection. Raises NotFound."""
        with self._state.read() as tx:
            return self._views(tx, [self._row(tx, scope, name)])[0]

    def channel(self, name: str) -> Channel[Any]:
        """The channel of a connection, made once per revision. Raises NotFound, or Invalid without its plugin."""
        with self._state.read() as tx:
            row = tx.execute(sa.select(connection).where(connection.c.connection == name)).one_or_none()
        if row is None:
            raise connection_not_found(name)
        with self._lock:
            made = self._made.get(name)
            if made is not None and made[0] == row.revision:
                return made[1]
            plugin = self._plugin(row.kind)
            channel = plugin.channel(self._open(row), Host(name, self._http(), self._clock))
            self._made[name] = (row.revision, channel)
            return channel

    def brand_of(self, name: str) -> int:
        """The brand of a connection. Raises NotFound."""
        with self._state.read() as tx:
            found = tx.execute(
                sa.select(connection.c.brand_id).where(connection.c.connection == name)
            ).scalar_one_or_none()
        if found is None:
            raise connection_not_found(name)
        return int(found)

    def problem(self, scope: Scope, name: str) -> Label | None:
        """Why a journey cannot send on this connection, None when it can."""
        with self._state.read() as tx:
            row = tx.execute(
                sa.select(connection.c.enabled, connection.c.kind).where(
                    connection.c.connection == name, connection.c.brand_id == scope.brand_id
                )
            ).one_or_none()
        if row is None:
            return Label(f"没有通道 {name}", f"There is no connection {name}")
        if not row.enabled:
            return Label("这个通道已停用", "This connection is switched off")
        if row.kind not in self.plugins:
            return Label(f"没有安装“{row.kind}”通道插件", f"The channel plugin {row.kind} is not installed")
        return None

    def _views(self, tx: sa.Connection, found: Any) -> list[ConnectionView]:
        since = self._clock.now() - timedelta(days=1)
        sent: dict[str, int] = dict(
            tx.execute(
                sa.select(effect.c.connection, sa.func.count())
                .where(
                    effect.c.connection.in_([row.connection for row in found]),
                    effect.c.created_at >= since - timedelta(days=7),
                    effect.c.submitted_at >= since,
                )
                .group_by(effect.c.connection)
            ).all()
        )
        return [
            ConnectionView(
                row.connection,
                row.kind,
                row.name,
                row.enabled,
                self._open(row).masked() if row.kind in self.plugins else {},
                row.check_ok,
                Label(row.check_zh, row.check_en) if row.check_zh else None,
                row.checked_at,
                row.problem,
                sent.get(row.connection, 0),
            )
            for row in found
        ]

    def _row(self, tx: sa.Connection, scope: Scope, name: str) -> Any:
        row = tx.execute(
            sa.select(connection).where(connection.c.connection == name, connection.c.brand_id == scope.brand_id)
        ).one_or_none()
        if row is None:
            raise connection_not_found(name)
        return row

    def _plugin(self, kind: str) -> ChannelPlugin:
        if kind not in self.plugins:
            raise channel_unknown(kind)
        return self.plugins[kind]

    def _read(self, kind: str, before: Config | None, given: dict[str, Any]) -> Config:
        try:
            return self._plugin(kind).config.merged(before, given)
        except ValidationError as error:
            # Without the input: it may be a secret.
            raise config_invalid(
                tuple(
                    FieldError("config." + ".".join(map(str, entry["loc"])), of_field(entry))
                    for entry in error.errors(include_url=False, include_input=False)
                )
            ) from None

    def _open(self, row: Any) -> Config:
        text = self._vault.open_text(row.brand_id, row.config)
        return self._plugin(row.kind).config.model_validate(json.loads(text))

    def _seal(self, brand_id: int, config: Config) -> bytes:
        return self._vault.seal(brand_id, json.dumps(config.opened(), ensure_ascii=False))
