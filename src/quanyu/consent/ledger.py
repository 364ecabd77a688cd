"""The ledger of consent: append-only, a chain of hashes per brand, and the state that follows from each statement."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from quanyu.consent.contracts import ANY, Entry, Said, Verification
from quanyu.consent.tables import consent_entry, consent_lift, consent_state
from quanyu.kernel.clock import from_micros, micros
from quanyu.storage.bulk import insert_many, rows, upsert

_FIRST = "0" * 64
_COLUMNS = tuple(column.name for column in consent_entry.columns)
_HASHED = _COLUMNS[: _COLUMNS.index("hash")]


def append(tx: sa.Connection, brand_id: int, said: Sequence[Said], now: datetime) -> list[Entry]:
    """Write statements to the brand's ledger, in order. The caller holds the brand's lock."""
    last = tx.execute(
        sa.select(consent_entry.c.seq, consent_entry.c.hash)
        .where(consent_entry.c.brand_id == brand_id)
        .order_by(consent_entry.c.seq.desc())
        .limit(1)
    ).first()
    seq, previous = (last.seq, last.hash) if last else (0, _FIRST)
    recorded = micros(now)
    lines: list[tuple[Any, ...]] = []
    for one in said:
        seq += 1
        line = (
            brand_id,
            seq,
            one.identifier_id,
            one.purpose,
            one.channel,
            one.status,
            one.notice_version,
            micros(one.at),
            recorded,
            one.source,
            one.event_id,
            one.actor,
            one.evidence,
            previous,
        )
        previous = _digest(line)
        lines.append((*line, previous))
    insert_many(tx, consent_entry, _COLUMNS, lines)
    return [_entry(line) for line in lines]


def _entry(line: Sequence[Any]) -> Entry:
    return Entry(
        seq=line[1],
        identifier_id=line[2],
        purpose=line[3],
        channel=line[4],
        status=line[5],
        notice_version=line[6],
        at=from_micros(line[7]),
        recorded_at=from_micros(line[8]),
        source=line[9],
        event_id=line[10],
        actor=line[11],
        evidence=line[12],
        hash=line[14],
    )


def _digest(line: Sequence[Any]) -> str:
    digest = hashlib.sha256()
    for part in line:
        # A missing value and an empty one are different statements.
        data = b"\xff" if part is None else str(part).encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()


_PLAIN = [
    sa.type_coerce(column, sa.BigInteger).label(column.name) if column.name in ("at", "recorded_at") else column
    for column in consent_entry.columns
]


def verify(tx: sa.Connection, brand_id: int) -> Verification:
    """Walk the brand's chain and say whether it is intact."""
    previous, count = _FIRST, 0
    statement = sa.select(*_PLAIN).where(consent_entry.c.brand_id == brand_id).order_by(consent_entry.c.seq)
    for line in tx.execute(statement.execution_options(yield_per=5000)):
        count += 1
        if line.seq != count or line.prev_hash != previous or line.hash != _digest(line[: len(_HASHED)]):
            return Verification(False, count, count)
        previous = line.hash
    return Verification(True, count, None)


def read(
    tx: sa.Connection, statement: sa.Select[Any] | None, brand_id: int, before: int | None, limit: int
) -> list[Entry]:
    """The newest lines before `before`; only of the identifiers that `statement` selects, if given."""
    wanted = sa.select(*_PLAIN).where(consent_entry.c.brand_id == brand_id)
    if statement is not None:
        wanted = wanted.where(consent_entry.c.identifier_id.in_(statement))
    if before is not None:
        wanted = wanted.where(consent_entry.c.seq < before)
    found = tx.execute(wanted.order_by(consent_entry.c.seq.desc()).limit(limit)).all()
    return [_entry(line) for line in found]


def lines(tx: sa.Connection, brand_id: int, numbers: Sequence[int]) -> dict[int, Entry]:
    """Lines of the ledger by their number."""
    given = rows(tx, {"seq": sa.BigInteger}, [(number,) for number in numbers])
    found = tx.execute(
        sa.select(*_PLAIN)
        .join_from(given, consent_entry, consent_entry.c.seq == given.c.seq)
        .where(consent_entry.c.brand_id == brand_id)
    ).all()
    return {line.seq: _entry(line) for line in found}


def follow(tx: sa.Connection, brand_id: int, entries: Sequence[Entry], holders: sa.Subquery) -> None:
    """Bring the state up to the new lines: the newest per identifier, purpose and channel, and what they lift.

    Lines may come late and out of order; the state is the same as if they had come in order of time.
    """
    newest: dict[tuple[int, str, str], Entry] = {}
    for entry in entries:
        key = (entry.identifier_id, entry.purpose, entry.channel)
        known = newest.get(key)
        if known is None or (entry.at, entry.status == "denied") > (known.at, known.status == "denied"):
            newest[key] = entry
    at: sa.ColumnElement[int] = sa.literal_column("excluded.at", sa.BigInteger)
    status: sa.ColumnElement[str] = sa.literal_column("excluded.status", sa.Text)
    stored = sa.type_coerce(consent_state.c.at, sa.BigInteger)
    upsert(
        tx,
        consent_state,
        [
            {
                "identifier_id": entry.identifier_id,
                "purpose": entry.purpose,
                "channel": entry.channel,
                "brand_id": brand_id,
                "status": entry.status,
                "at": entry.at,
                "seq": entry.seq,
            }
            for entry in newest.values()
        ],
        ["identifier_id", "purpose", "channel"],
        ["status", "at", "seq"],
        where=(at > stored) | ((at == stored) & (status == "denied")),
    )
    _lift(tx, [entry for entry in entries if entry.status == "granted"], holders)


def _lift(tx: sa.Connection, grants: Sequence[Entry], holders: sa.Subquery) -> None:
    """Note which older denials of the same person these grants take back."""
    latest: dict[tuple[int, str, str], int] = {}
    for entry in grants:
        key = (entry.identifier_id, entry.purpose, entry.channel)
        latest[key] = max(latest.get(key, 0), micros(entry.at))
    if not latest:
        return
    given = rows(
        tx,
        {"identifier_id": sa.BigInteger, "purpose": sa.Text, "channel": sa.Text, "at": sa.BigInteger},
        [(*key, at) for key, at in latest.items()],
    )
    own, other = holders.alias(), holders.alias()
    found = tx.execute(
        sa.select(
            consent_state.c.identifier_id,
            consent_state.c.purpose,
            consent_state.c.channel,
            given.c.identifier_id.label("by_identifier_id"),
            given.c.channel.label("by_channel"),
            given.c.at,
        )
        .join_from(given, own, own.c.identifier_id == given.c.identifier_id)
        .join(other, other.c.person_id == own.c.person_id)
        .join(consent_state, consent_state.c.identifier_id == other.c.identifier_id)
        .where(
            own.c.person_id > 0,
            consent_state.c.purpose == given.c.purpose,
            consent_state.c.status == "denied",
            sa.or_(consent_state.c.channel == given.c.channel, consent_state.c.channel == ANY),
            sa.type_coerce(consent_state.c.at, sa.BigInteger) < given.c.at,
        )
    ).all()
    values = [
        {
            "identifier_id": row.identifier_id,
            "purpose": row.purpose,
            "channel": row.channel,
            "by_identifier_id": row.by_identifier_id,
            "by_channel": row.by_channel,
            "at": row.at,
        }
        for row in found
    ]
    at: sa.ColumnElement[int] = sa.literal_column("excluded.at", sa.BigInteger)
    upsert(
        tx,
        consent_lift,
        values,
        ["identifier_id", "purpose", "channel", "by_identifier_id", "by_channel"],
        ["at"],
        where=at > sa.type_coerce(consent_lift.c.at, sa.BigInteger),
    )
