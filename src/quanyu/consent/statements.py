"""What events say of consent: the `consent` column of a batch, and the two events that are nothing but that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.consent.contracts import ANY, CHANNELS, PURPOSES, Said, Status
from quanyu.kernel.clock import from_micros

_NAMES: Mapping[str, Status] = {"consent_granted": "granted", "consent_withdrawn": "denied"}
_STATUS: Mapping[str, Status] = {
    "granted": "granted",
    "grant": "granted",
    "denied": "denied",
    "withdrawn": "denied",
    "revoked": "denied",
    "refused": "denied",
}
_EVIDENCE = 2000


def read(batch: pa.Table, anchor_id: npt.NDArray[np.int64]) -> tuple[dict[int, list[Said]], int]:
    """Statements per brand in order of time, and how many could not be placed.

    A statement belongs to the identifier that decides its event's person. A grant must name a known purpose and
    channel: consent is explicit. A withdrawal that names none, or an unknown one, is taken in its widest sense.
    """
    names = batch.column("name")
    concerned = pc.or_(
        pc.is_valid(batch.column("consent")), pc.is_in(names, value_set=pa.array(list(_NAMES), names.type))
    )
    at = np.flatnonzero(pc.fill_null(concerned, False).to_numpy(zero_copy_only=False))
    if at.size == 0:
        return {}, 0
    columns = ["brand_id", "name", "occurred_at", "source", "event_id", "consent", "properties"]
    found: dict[int, list[Said]] = {}
    unplaced = 0
    for row, anchor in zip(batch.select(columns).take(pa.array(at)).to_pylist(), anchor_id[at].tolist(), strict=True):
        for given in _given(row):
            said = _said(row, given, anchor)
            if said is None:
                unplaced += 1
            else:
                found.setdefault(row["brand_id"], []).append(said)
    for statements in found.values():
        statements.sort(key=lambda one: one.at)
    return found, unplaced


def _given(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if row["consent"]:
        data = _json(row["consent"])
        items = data if isinstance(data, list) else [data]
        return [item for item in items if isinstance(item, dict)]
    properties = _json(row["properties"])
    return [properties if isinstance(properties, dict) else {}]


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def _said(row: Mapping[str, Any], given: Mapping[str, Any], anchor: int) -> Said | None:
    status = _STATUS.get(str(given.get("status") or "").lower()) or _NAMES.get(row["name"])
    purpose, channel = str(given.get("purpose") or ""), str(given.get("channel") or "")
    if anchor == 0 or status is None:
        return None
    if status == "granted" and (purpose not in PURPOSES or channel not in CHANNELS):
        return None
    evidence = given.get("evidence")
    return Said(
        anchor,
        purpose if purpose in PURPOSES else "marketing",
        channel if channel in CHANNELS else ANY,
        status,
        from_micros(row["occurred_at"]),
        _text(given.get("notice_version")),
        row["source"],
        row["event_id"],
        None,
        None if evidence is None else _text(evidence if isinstance(evidence, str) else json.dumps(evidence)),
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)[:_EVIDENCE]
