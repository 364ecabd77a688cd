"""Webhooks: what other systems bring to a secret address, recorded before they are answered. The HTTP side is in
`hooks.py`; making and changing one is in `connections.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from quanyu.access.api import Brands
from quanyu.imports import errors
from quanyu.imports.connections import Connections, WebhookConfig, hash_of
from quanyu.imports.reading import read
from quanyu.imports.running import make, take
from quanyu.imports.tables import connection as table
from quanyu.kernel.clock import micros
from quanyu.kernel.label import Label


class Webhooks:
    """Takes what webhooks bring. `host` is the door of imports, for its stores and its doors."""

    def __init__(self, host: Any, connections: Connections, brands: Brands) -> None:
        self._host = host
        self._connections = connections
        self._brands = brands

    def receive(self, secret: str, body: bytes, signature: str) -> dict[str, int]:
        """Record what a webhook brought, durable on return: how many events, and how many rows were refused.

        Raises NotFound for an address that is none, Denied for a signature that is wrong, Invalid for a body that
        cannot be read.
        """
        with self._host.state.read() as tx:
            row = tx.execute(
                sa.select(table).where(table.c.secret_hash == hash_of(secret), table.c.active)
            ).one_or_none()
        if row is None:
            raise errors.webhook_not_found()
        config = self._connections.config_of(row)
        assert isinstance(config, WebhookConfig)
        key = config.signing_secret.get_secret_value()
        if key:
            wanted = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
            if not hmac.compare_digest(signature.removeprefix("sha256=").lower(), wanted):
                raise errors.signature_wrong()
        caller = self._connections.caller_of(row)
        mapping = self._host.get_mapping(caller.scope, row.mapping_id)
        found = read(_lines(body), "webhook", mapping.mapping.read)
        now = self._host.clock.now()
        made = make(mapping.mapping, found, time_zone=caller.scope.time_zone, now=micros(now))
        job = replace(
            self._host.new_job(caller, mapping, row.name, connection_id=row.connection_id), job_id=row.connection_id
        )
        host = self._host
        with self._host.state.write() as tx:
            if made.refused:
                host.events.record_frames(tx, job.source, job.brand_id, refused=made.refused, call=job.job_id)
            take(tx, host.events, host.commerce, host.vault, self._brands, job, mapping, made.applied.table)
            tx.execute(sa.update(table).where(table.c.connection_id == row.connection_id).values(ran_at=now))
        return {"events": made.applied.table.num_rows, "refused": len(made.refused)}


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
