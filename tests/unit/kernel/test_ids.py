"""Ids of things: how they sort, and that they do not repeat."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from quanyu.kernel.ids import Ids, SeededIds, SystemIds

INSTANTS = st.integers(min_value=0, max_value=2_500_000_000_000_000)  # to the year 2049


@given(INSTANTS, INSTANTS)
def test_ordered_ids_sort_by_their_millisecond(one: int, other: int) -> None:
    ids = SeededIds(1)
    first, second = ids.ordered("p", one), ids.ordered("p", other)
    if one // 1000 != other // 1000:
        assert (first < second) == (one < other)
    assert first != second


def test_ordered_ids_look_like_all_the_others_and_never_repeat() -> None:
    makers: tuple[Ids, Ids] = (SystemIds(), SeededIds(7))
    for ids in makers:
        found = {ids.ordered("p", 1_772_323_200_000_000) for _ in range(10_000)}
        assert len(found) == 10_000
        assert all(re.fullmatch(r"p_[0-9a-hjkmnp-tv-z]{26}", one) for one in found)
        assert re.fullmatch(r"p_[0-9a-hjkmnp-tv-z]{26}", ids.new("p"))
