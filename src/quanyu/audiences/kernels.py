"""The compiled loops of the fast evaluator: rows of a stream into one slot per person.

`anchor` says which identifier a row belongs to, `holder` whom that identifier belongs to today (0: nobody, whose slot
is ignored), `keep` which rows count (empty: all). They release the interpreter's lock, so conditions run side by side.
"""

from __future__ import annotations

from typing import Any

from quanyu.storage.compiled import compiled


@compiled
def count_rows(anchor: Any, holder: Any, keep: Any, out: Any) -> None:
    """Rows per person, saturating at the largest value that `out` holds."""
    most = 255 if out.itemsize == 1 else 4_294_967_295
    all_rows = keep.size == 0
    for i in range(anchor.size):
        if all_rows or keep[i]:
            person = holder[anchor[i]]
            if out[person] < most:
                out[person] += 1


@compiled
def sum_rows(anchor: Any, amount: Any, holder: Any, keep: Any, total: Any, seen: Any) -> None:
    """The sum of `amount` per person, and who had a row at all. An empty `amount` is zeros."""
    all_rows, nothing = keep.size == 0, amount.size == 0
    for i in range(anchor.size):
        if all_rows or keep[i]:
            person = holder[anchor[i]]
            seen[person] = 1
            if not nothing:
                total[person] += amount[i]


@compiled
def count_days(anchor: Any, holder: Any, keep: Any, day: int, last: Any, out: Any) -> None:
    """Distinct days per person; days must come one after another, `day` from 1."""
    all_rows = keep.size == 0
    for i in range(anchor.size):
        if all_rows or keep[i]:
            person = holder[anchor[i]]
            if last[person] != day:
                last[person] = day
                if out[person] < 65_535:
                    out[person] += 1


@compiled
def settle(anchor: Any, holder: Any, keep: Any, verdict: int, out: Any) -> None:
    """Give `verdict` to everybody with a row who has none (0) yet: the first row met decides."""
    all_rows = keep.size == 0
    for i in range(anchor.size):
        if all_rows or keep[i]:
            person = holder[anchor[i]]
            if out[person] == 0:
                out[person] = verdict


@compiled
def extreme(anchor: Any, at: Any, holder: Any, keep: Any, latest: bool, verdict: Any, out: Any) -> None:
    """The latest (or earliest) instant per person of those who have no verdict yet."""
    all_rows = keep.size == 0
    for i in range(anchor.size):
        if all_rows or keep[i]:
            person = holder[anchor[i]]
            if verdict[person] == 0:
                if latest:
                    out[person] = max(out[person], at[i])
                else:
                    out[person] = min(out[person], at[i])
