import numpy as np
import pytest
import sqlalchemy as sa
from pyroaring import BitMap

from quanyu.audiences import bitmaps
from quanyu.storage.bulk import rows
from quanyu.storage.state import State


@pytest.mark.parametrize("seed", range(4))
def test_a_large_set_is_the_same_however_it_is_built(seed: int) -> None:
    random = np.random.default_rng(seed)
    dense = random.integers(0, 400_000, 300_000)  # repeats, zero, full and empty containers
    mixed = np.concatenate([dense, random.integers(2_000_000, 2_000_900, 500), [2**22, 65_535, 65_536]])
    wide = np.concatenate([dense, [2**32 - 1]])  # a mask would be 4 GB
    for ids in (dense, mixed, wide, np.arange(1, 200_001), np.full(60_000, 7)):
        random.shuffle(ids)
        assert bitmaps.from_ids(ids) == BitMap(int(i) for i in np.unique(ids) if i)
    assert set(bitmaps.to_ids(bitmaps.from_ids(mixed)).tolist()) == set(mixed.tolist()) - {0}


def test_small_and_empty_sets() -> None:
    assert bitmaps.from_ids(np.array([], dtype=np.int64)) == BitMap()
    assert bitmaps.from_ids(np.array([0, 3, 3, 1])) == BitMap([1, 3])
    assert bitmaps.from_mask(np.zeros(100_000, dtype=bool)) == BitMap()


def test_a_select_becomes_a_set_on_both_databases(state: State) -> None:
    with state.read() as tx:
        values = rows(tx, {"person_id": sa.BigInteger}, [(5,), (2**32 - 1,), (5,)])
        assert bitmaps.of_select(tx, sa.select(values.c.person_id)) == BitMap([5, 2**32 - 1])
        assert bitmaps.of_select(tx, sa.select(values.c.person_id).where(sa.false())) == BitMap()
