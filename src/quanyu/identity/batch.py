"""The identifiers of a micro-batch: from nested Arrow columns to flat arrays of distinct, hashed values.

Values are looked at once each, however many events carry them. Which person they lead to is not decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.identity.policies import PolicyBook
from quanyu.identity.resolution import I64
from quanyu.identity.values import Normal, Refused, normalise
from quanyu.storage.vault import Vault


class Seen(NamedTuple):
    """One distinct identifier of a batch, in clear: it lives only in memory."""

    brand_id: int
    namespace: str
    issuer: str
    value: str
    hash: str


@dataclass(frozen=True, slots=True)
class Mentions:
    """Who is mentioned where: for each mention the row of the event and the position of the identifier in `seen`.

    Sorted by row; an identifier counts once per event. `refused` counts values that identify nobody.
    """

    seen: list[Seen]
    row: I64
    which: I64
    refused: Mapping[tuple[str, str], int]


def read(table: pa.Table, book: PolicyBook, vault: Vault, region: Callable[[int], str]) -> Mentions:
    """The identifiers that the rows of `table` carry in `raw_identifiers`, under the brand of each row.

    `region` names the country that a phone without calling code belongs to, by brand.
    """
    carried = table.column("raw_identifiers").combine_chunks()
    if isinstance(carried, pa.ChunkedArray):
        carried = pa.concat_arrays(carried.chunks) if carried.num_chunks else pa.array([], carried.type)
    row = pc.list_parent_indices(carried).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = pc.list_flatten(carried)
    brand = table.column("brand_id").to_numpy().astype(np.int64)
    if row.size == 0:
        return Mentions([], row, row.copy(), {})
    namespaces, namespace_at = _coded(flat.field("namespace"))
    values, value_at = _coded(flat.field("value"))
    key = (brand[row] * len(namespaces) + namespace_at) * len(values) + value_at
    distinct, mention = np.unique(key, return_inverse=True)

    refused: Counter[tuple[str, str]] = Counter()
    times = np.bincount(mention)
    normal: list[tuple[int, str, Normal] | None] = []
    for i, code in enumerate(distinct.tolist()):
        rest, value_code = divmod(code, len(values))
        brand_id, namespace_code = divmod(rest, len(namespaces))
        namespace = namespaces[namespace_code]
        outcome = _normal(book, namespace, values[value_code], region(brand_id))
        if isinstance(outcome, Refused):
            refused[namespace or "", outcome.reason] += int(times[i])
            normal.append(None)
        else:
            assert namespace is not None
            normal.append((brand_id, namespace, outcome))
    seen, place = _distinct(normal, vault)
    which = place[mention]
    kept = which >= 0
    pairs = np.unique(row[kept] * max(len(seen), 1) + which[kept])
    return Mentions(seen, pairs // max(len(seen), 1), pairs % max(len(seen), 1), refused)


def _coded(column: pa.Array) -> tuple[list[str | None], I64]:
    encoded = column.dictionary_encode(null_encoding="encode")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _normal(book: PolicyBook, namespace: str | None, value: str | None, region: str) -> Normal | Refused:
    if namespace is None or namespace not in book:
        return Refused("unknown_namespace")
    return Refused("blocked") if value is None else normalise(book[namespace], value, region)


def _distinct(normal: list[tuple[int, str, Normal] | None], vault: Vault) -> tuple[list[Seen], I64]:
    """Distinct normal forms with their hashes, and for each input its position among them (-1: none)."""
    found: dict[tuple[int, str, str], int] = {}
    issuers: list[str] = []
    place = np.full(len(normal), -1, np.int64)
    for i, item in enumerate(normal):
        if item is not None:
            brand_id, namespace, form = item
            at = found.setdefault((brand_id, namespace, form.value), len(found))
            if at == len(issuers):
                issuers.append(form.issuer)
            place[i] = at
    keys = list(found)
    hashes: list[Any] = [None] * len(keys)
    for brand_id in {key[0] for key in keys}:
        own = [i for i, key in enumerate(keys) if key[0] == brand_id]
        made = vault.index_many(brand_id, ((keys[i][1], keys[i][2]) for i in own))
        for i, text in zip(own, made, strict=True):
            hashes[i] = text
    seen = [
        Seen(brand_id, namespace, issuer, value, text)
        for (brand_id, namespace, value), issuer, text in zip(keys, issuers, hashes, strict=True)
    ]
    return seen, place
