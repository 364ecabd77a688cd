"""The identifiers of a micro-batch: from nested Arrow columns to flat arrays of distinct, hashed values.

Values are looked at once each, however many events carry them. Which person they lead to is not decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quanyu.identity.policies import PolicyBook
from quanyu.identity.resolution import I64
from quanyu.identity.values import BLOCKED, Refused, normalise
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
    seen: list[Seen] = []
    place = np.full(distinct.size, -1, np.int64)
    # Sorted by brand, then namespace: each stretch of one kind is normalised and hashed in one go.
    kind, value_code = np.divmod(distinct, len(values))
    starts = np.flatnonzero(np.concatenate([[True], kind[1:] != kind[:-1]]))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), distinct.size], strict=True):
        brand_id, namespace_code = divmod(int(kind[start]), len(namespaces))
        texts = [values[code] for code in value_code[start:end].tolist()]
        spots = _stretch(
            book, vault, brand_id, namespaces[namespace_code], texts, region(brand_id), seen, refused, times[start:end]
        )
        place[start:end] = spots
    which = place[mention]
    kept = which >= 0
    pairs = np.unique(row[kept] * max(len(seen), 1) + which[kept])
    return Mentions(seen, pairs // max(len(seen), 1), pairs % max(len(seen), 1), refused)


def _stretch(
    book: PolicyBook,
    vault: Vault,
    brand_id: int,
    namespace: str | None,
    texts: list[str | None],
    region: str,
    seen: list[Seen],
    refused: Counter[tuple[str, str]],
    times: I64,
) -> list[int]:
    """Add the distinct identifiers of one kind to `seen`; for each text its position there (-1: no identifier)."""
    policy = book.get(namespace)
    if policy is None or namespace is None:
        refused[namespace or "", "unknown_namespace"] += int(times.sum())
        return [-1] * len(texts)
    found: dict[str, int] = {}
    spots = []
    base = len(seen)
    for i, text in enumerate(texts):
        form = BLOCKED if text is None else normalise(policy, text, region)
        if isinstance(form, Refused):
            refused[namespace, form.reason] += int(times[i])
            spots.append(-1)
        else:
            spots.append(base + found.setdefault(form.value, len(found)))
    hashes = vault.index_many(brand_id, ((namespace, value) for value in found))
    issuers = (
        [value.partition(":")[0] if ":" in value else "" for value in found] if policy.issuer else [""] * len(found)
    )
    seen.extend(
        Seen(brand_id, namespace, issuer, value, text)
        for value, issuer, text in zip(found, issuers, hashes, strict=True)
    )
    return spots


def _coded(column: pa.Array) -> tuple[list[str | None], I64]:
    encoded = column.dictionary_encode(null_encoding="encode")
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
