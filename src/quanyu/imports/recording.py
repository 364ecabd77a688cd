"""From a mapped table to the log: each business key once, a changed row as the correction of what it said before.

The ledger knows what every key of a source said last. The same again keeps its event id, so that the log's own check
counts it as a duplicate; something else becomes a new event that names the one it replaces. Ledger, position and
events are one state transaction: a kill at any point repeats nothing and loses nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from quanyu.events.api import Events
from quanyu.imports.mapping import Mapping
from quanyu.imports.tables import ledger
from quanyu.storage.bulk import rows, upsert
from quanyu.storage.vault import Vault


@dataclass(frozen=True, slots=True)
class Counts:
    """What recording did: events of new keys, corrections, events that said the same as before."""

    fresh: int = 0
    corrected: int = 0
    unchanged: int = 0


def record(
    tx: sa.Connection,
    events: Events,
    vault: Vault,
    brand_id: int,
    source: str,
    mapping: Mapping,
    table: pa.Table,
    call: str,
) -> Counts:
    """Record a part of what `applying` made, inside the caller's transaction. Keys are distinct in it."""
    if not table.num_rows:
        return Counts()
    keys = table.column("key").to_pylist()
    if mapping.personal_key():
        # A phone as a key would stand in every event's id in clear.
        keys = [f"k:{hashed}" for hashed in vault.index_many(brand_id, [("import_key", key) for key in keys])]
    if mapping.corrections == "keep":
        ready = table.drop_columns(["key"]).append_column("event_id", pa.array(keys))
        events.record_frames(tx, source, brand_id, table=ready, call=call)
        return Counts(fresh=len(keys))
    contents = _contents(table, timed=mapping.occurred_at is not None)
    known = _known(tx, source, keys)
    ids: list[str] = []
    replaces: list[str | None] = []
    changed: list[dict[str, str | int]] = []
    fresh = corrected = 0
    for key, content in zip(keys, contents, strict=True):
        before = known.get(key)
        revision = 1 if before is None else before[1] + (before[0] != content)
        ids.append(_event_id(key, revision))
        fresh += before is None
        if before is not None and before[0] != content:
            corrected += 1
            replaces.append(_event_id(key, before[1]))
        else:
            replaces.append(None)
        if before is None or before[0] != content:
            changed.append({"source": source, "key": key, "content": content, "revision": revision})
    upsert(tx, ledger, changed, ["source", "key"], ["content", "revision"])
    ready = table.drop_columns(["key"]).append_column("event_id", pa.array(ids))
    ready = ready.append_column("replaces", pa.array(replaces, pa.string()))
    events.record_frames(tx, source, brand_id, table=_said(ready) if corrected else ready, call=call)
    return Counts(fresh, corrected, len(keys) - fresh - corrected)


def _event_id(key: str, revision: int) -> str:
    return key if revision == 1 else f"{key}~{revision}"


def _known(tx: sa.Connection, source: str, keys: list[str]) -> dict[str, tuple[str, int]]:
    given = rows(tx, {"key": sa.Text}, [(key,) for key in keys])
    # As a set and not as a join: SQLite would walk through the source's whole ledger for each of the keys.
    found = tx.execute(
        sa.select(ledger.c.key, ledger.c.content, ledger.c.revision).where(
            ledger.c.source == source, ledger.c.key.in_(sa.select(given.c.key))
        )
    )
    return {row.key: (row.content, row.revision) for row in found}


def _contents(table: pa.Table, *, timed: bool) -> list[str]:
    """A fingerprint of all that each row says; the moment of the import is nothing that it says."""
    left_out = {"key"} if timed else {"key", "occurred_at"}
    names = sorted(name for name in table.column_names if name not in left_out)
    with duckdb.connect(":memory:") as db:
        db.register("given", table.select(names))
        found = db.sql("SELECT md5(to_json(given)::VARCHAR) AS digest FROM given").to_arrow_table()
    digests: list[str] = found.column(0).to_pylist()
    return digests


def _said(table: pa.Table) -> pa.Table:
    """Corrections say in their properties what they replace, for whoever reads history without this product."""
    given = table.column("properties").to_pylist() if "properties" in table.column_names else [None] * table.num_rows
    properties = [
        document
        if replaced is None
        else json.dumps({**json.loads(document or "{}"), "replaces": replaced}, ensure_ascii=False)
        for document, replaced in zip(given, table.column("replaces").to_pylist(), strict=True)
    ]
    column = pa.array(properties, pa.string())
    if "properties" not in table.column_names:
        return table.append_column("properties", column)
    return table.set_column(table.column_names.index("properties"), "properties", column)


def catalogue(table: pa.Table, kind: str) -> pa.Table:
    """Products or stores as the catalogue takes them: a name in one language stands for both."""
    given = {name: table.column(name).combine_chunks() for name in table.column_names if name != "key"}
    count = table.num_rows

    def either(*names: str, otherwise: str | None = None) -> pa.Array:
        out = pa.nulls(count, pa.string())
        for name in names:
            if name in given:
                out = pc.coalesce(out, given[name])
        return out if otherwise is None else pc.fill_null(out, otherwise)

    if kind == "stores":
        store_id = given["store_id"]
        names = [pc.coalesce(either("name_zh", "name"), store_id), pc.coalesce(either("name_en", "name"), store_id)]
        return pa.table([store_id, *names, either("region")], names=["store_id", "name_zh", "name_en", "region"])
    sku = given["sku"]
    category = either("category_key", "category", otherwise="uncategorised")
    department = either("department_key", "department", otherwise="uncategorised")
    shown = ["未分类", "Uncategorised"]
    return pa.table(
        {
            "sku": sku,
            "name_zh": pc.coalesce(either("name_zh", "name"), sku),
            "name_en": pc.coalesce(either("name_en", "name"), sku),
            "category_key": category,
            "category_zh": either("category_zh", "category", otherwise=shown[0]),
            "category_en": either("category_en", "category", otherwise=shown[1]),
            "department_key": department,
            "department_zh": either("department_zh", "department", otherwise=shown[0]),
            "department_en": either("department_en", "department", otherwise=shown[1]),
        }
    )
