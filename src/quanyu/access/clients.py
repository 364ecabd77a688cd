"""API clients: keys for programs, shown once, stored as SHA-256, with permissions and brands of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.access.contracts import PERMISSIONS
from quanyu.access.errors import session_missing
from quanyu.access.tables import api_client
from quanyu.kernel.clock import Clock
from quanyu.kernel.errors import FieldError, Invalid, NotFound
from quanyu.kernel.ids import Ids
from quanyu.kernel.label import Label
from quanyu.storage.state import State


@dataclass(frozen=True, slots=True)
class ApiClient:
    """A program that calls the API. `key_hint` is the end of its key, to recognise it by."""

    client_id: str
    name: str
    permissions: tuple[str, ...]
    brands: tuple[str, ...]
    key_hint: str
    active: bool
    made_at: datetime


class ApiClients:
    """Makes, finds and revokes API clients."""

    def __init__(self, state: State, clock: Clock, ids: Ids) -> None:
        self._state = state
        self._clock = clock
        self._ids = ids

    def create(
        self, tx: sa.Connection, *, name: str, permissions: list[str], brands: list[str], key: str | None = None
    ) -> tuple[ApiClient, str]:
        """Make a client; the key in clear is returned here and never again. Raises Invalid for unknown permissions."""
        unknown = sorted(set(permissions) - set(PERMISSIONS))
        if unknown:
            raise Invalid(
                "permission_unknown",
                Label("有不认识的权限", "Unknown permissions"),
                fields=(FieldError("permissions", Label(", ".join(unknown), ", ".join(unknown))),),
            )
        key = key or f"qk_{self._ids.token()}"
        row = {
            "client_id": self._ids.new("c"),
            "name": name,
            "key_hash": _hash(key),
            "key_hint": key[-4:],
            "permissions": sorted(permissions),
            "brands": brands,
            "active": True,
            "made_at": self._clock.now(),
        }
        tx.execute(sa.insert(api_client).values(row))
        return self._find(tx, api_client.c.client_id == row["client_id"]), key

    def by_key(self, key: str) -> ApiClient:
        """The active client of a key. Raises NotSignedIn for anything else."""
        with self._state.read() as tx:
            row = tx.execute(
                sa.select(api_client).where(api_client.c.key_hash == _hash(key), api_client.c.active)
            ).one_or_none()
        if row is None:
            raise session_missing()
        return _client(row)

    def list(self) -> list[ApiClient]:
        """All clients, revoked ones too."""
        with self._state.read() as tx:
            return [_client(row) for row in tx.execute(sa.select(api_client).order_by(api_client.c.made_at))]

    def revoke(self, tx: sa.Connection, client_id: str, within: Collection[str]) -> ApiClient:
        """End a client's access from the commit on. Raises NotFound, for one with brands outside `within` as well."""
        found = self._find(tx, api_client.c.client_id == client_id)
        if not set(found.brands) <= set(within):
            raise _client_not_found()
        tx.execute(sa.update(api_client).where(api_client.c.client_id == client_id).values(active=False))
        return found

    def _find(self, tx: sa.Connection, condition: sa.ColumnElement[bool]) -> ApiClient:
        row = tx.execute(sa.select(api_client).where(condition)).one_or_none()
        if row is None:
            raise _client_not_found()
        return _client(row)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _client(row: Any) -> ApiClient:
    return ApiClient(
        row.client_id,
        row.name,
        tuple(row.permissions),
        tuple(row.brands),
        row.key_hint,
        bool(row.active),
        row.made_at,
    )


def _client_not_found() -> NotFound:
    return NotFound("api_client_not_found", Label("没有这个接口客户端", "There is no such API client"))
