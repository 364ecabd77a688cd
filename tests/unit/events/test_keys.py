"""The index of stored ids is a set, for ever: checked against Python's own on random work."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quanyu.events.keys import KEY, KeyIndex, Keys, keys_of

# Few distinct halves, so that keys that share their high half really occur.
a_key = st.tuples(st.integers(0, 6), st.integers(0, 6))
steps = st.lists(st.tuples(st.lists(a_key, max_size=30), st.booleans()), max_size=25)


def array(pairs: list[tuple[int, int]]) -> Keys:
    return np.array(pairs, KEY)


@given(steps)
def test_it_says_of_every_key_whether_it_is_new(
    tmp_path_factory: object, work: list[tuple[list[tuple[int, int]], bool]]
) -> None:
    folder = tmp_path_factory.mktemp("keys")  # type: ignore[attr-defined]
    index, oracle = KeyIndex(folder), set[tuple[int, int]]()
    for marker, (pairs, reopen) in enumerate(work):
        seen = set(oracle)
        expected = []
        for pair in pairs:
            expected.append(pair not in seen)
            seen.add(pair)
        assert index.fresh(array(pairs)).tolist() == expected
        index.add(array(pairs), marker)
        oracle |= set(pairs)
        if reopen:
            index = KeyIndex(folder)
            assert index.complete
        assert index.marker == marker
        assert len(index) >= len(oracle)
    everything = [(high, low) for high in range(7) for low in range(7)]
    assert index.fresh(array(everything)).tolist() == [pair not in oracle for pair in everything]


def test_runs_stay_few_however_many_batches_come(tmp_path: Path) -> None:
    index = KeyIndex(tmp_path)
    for n in range(200):
        index.add(keys_of(["s"] * 50, [f"{n}-{i}" for i in range(50)]), n)
    assert len(index) == 10_000
    files = list(tmp_path.glob("run-*"))
    assert len(files) <= 8
    assert sum(file.stat().st_size for file in files) == 16 * 10_000
    assert not index.fresh(keys_of(["s"] * 3, ["0-0", "99-7", "199-49"])).any()
    assert index.fresh(keys_of(["t"] * 2, ["0-0", "99-7"])).all()


def test_adding_twice_changes_nothing(tmp_path: Path) -> None:
    index = KeyIndex(tmp_path)
    keys = keys_of(["s"] * 100, [str(n) for n in range(100)])
    index.add(keys, 1)
    index.add(keys, 1)
    assert len(index) == 100


def test_a_missing_or_cut_file_is_noticed_and_the_index_is_made_again(tmp_path: Path) -> None:
    index = KeyIndex(tmp_path)
    keys = keys_of(["s"] * 100, [str(n) for n in range(100)])
    index.add(keys, 7)
    run = next(tmp_path.glob("run-*"))
    run.write_bytes(run.read_bytes()[:-1])
    broken = KeyIndex(tmp_path)
    assert not broken.complete
    assert broken.marker == -1
    broken.rebuild([keys[:50], keys[50:]], 7)
    again = KeyIndex(tmp_path)
    assert again.complete
    assert (again.marker, len(again)) == (7, 100)
    assert not again.fresh(keys).any()


def test_a_crash_between_run_and_manifest_leaves_the_index_before(tmp_path: Path) -> None:
    index = KeyIndex(tmp_path)
    index.add(keys_of(["s"], ["a"]), 1)
    before = (tmp_path / "manifest.json").read_bytes()
    index.add(keys_of(["s"], ["b"]), 2)
    assert before != (tmp_path / "manifest.json").read_bytes()
    # As if the process had died after it wrote the run: the run is there, nothing names it.
    other = tmp_path / "other"
    crashed = KeyIndex(other)
    crashed.add(keys_of(["s"], ["a"]), 1)
    crashed._write(*(np.array([1], np.uint64), np.array([2], np.uint64)))
    assert KeyIndex(other).marker == 1
    assert len(KeyIndex(other)) == 1


def test_the_source_is_part_of_the_key() -> None:
    one, two = keys_of(["ab", "a"], ["c", "bc"])
    assert one != two


def test_a_process_that_takes_over_sees_what_the_other_one_added(tmp_path: Path) -> None:
    mine, theirs = KeyIndex(tmp_path), KeyIndex(tmp_path)
    keys = keys_of(["s"] * 4, ["a", "b", "c", "d"])
    mine.add(keys[:2], 1)
    theirs.refresh()
    theirs.add(keys[2:], 2)
    mine.refresh()
    assert mine.marker == 2
    assert not mine.fresh(keys).any()
