"""The index of stored ids is a set, for ever: checked against Python's own on random work."""

import threading
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quanyu.events.disk import Disk
from quanyu.events.keys import KEY, KeyIndex, Keys, _places, keys_of

# Few distinct halves, so that keys that share their high half really occur.
a_key = st.tuples(st.integers(0, 6), st.integers(0, 6))
steps = st.lists(st.tuples(st.lists(a_key, max_size=30), st.booleans()), max_size=25)
some_apart = st.sampled_from([1 << 20, 4])  # every merge in the batch, or nearly every one beside it


def array(pairs: list[tuple[int, int]]) -> Keys:
    return np.array(pairs, KEY)


@given(steps, some_apart)
def test_it_says_of_every_key_whether_it_is_new(
    tmp_path_factory: object, work: list[tuple[list[tuple[int, int]], bool]], apart: int
) -> None:
    folder = tmp_path_factory.mktemp("keys")  # type: ignore[attr-defined]
    index, oracle = KeyIndex(folder, apart=apart), set[tuple[int, int]]()
    looked = index.look(array(work[0][0])) if work else None
    for marker, (pairs, reopen) in enumerate(work):
        seen = set(oracle)
        expected = []
        for pair in pairs:
            expected.append(pair not in seen)
            seen.add(pair)
        assert index.fresh(array(pairs)).tolist() == expected
        assert index.fresh(array(pairs), looked).tolist() == expected, "also when it looked before the last batch"
        looked = index.look(array(work[marker + 1][0])) if marker + 1 < len(work) else None
        index.add(array(pairs), marker)
        oracle |= set(pairs)
        if reopen:
            index = KeyIndex(folder, apart=apart)
            assert index.complete
        assert index.marker == marker
        assert len(index) >= len(oracle)
    everything = [(high, low) for high in range(7) for low in range(7)]
    assert index.fresh(array(everything)).tolist() == [pair not in oracle for pair in everything]


halves = st.integers(0, 2**64 - 1) | st.integers(0, 5) | st.integers(2**64 - 5, 2**64 - 1)


@given(st.lists(halves, max_size=60), st.lists(halves, max_size=60), st.integers(0, 500), st.integers(0, 2**32))
def test_places_are_where_numpy_finds_them(among: list[int], keys: list[int], more: int, seed: int) -> None:
    spread = np.random.default_rng(seed).integers(0, 2**64, more, np.uint64, endpoint=False)
    runs = np.sort(np.concatenate([np.array(among, np.uint64), spread]))
    wanted = np.sort(np.concatenate([np.array(keys, np.uint64), spread[::3]]))
    assert _places(runs, wanted).tolist() == np.searchsorted(runs, wanted).tolist()


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
    (other / "run-half.keys").write_bytes(bytes(16))
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


class Slow(Disk):
    """Lets merges that run beside the batches wait for the test, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.broken = False

    def sync(self, fileno: int) -> None:
        if threading.current_thread().name == "key-merge":
            assert self.go.wait(30)
            if self.broken:
                raise OSError(28, "No space left on device")
        super().sync(fileno)


def fill(index: KeyIndex, first: int, last: int) -> None:
    for n in range(first, last):
        index.add(keys_of(["s"] * 10, [f"{n}-{i}" for i in range(10)]), n)


def everything(first: int, last: int) -> Keys:
    return keys_of(["s"] * (last - first) * 10, [f"{n}-{i}" for n in range(first, last) for i in range(10)])


def wait_for_merge() -> None:
    for thread in threading.enumerate():
        if thread.name == "key-merge":
            thread.join(30)


def test_batches_go_on_while_large_runs_are_merged(tmp_path: Path) -> None:
    disk = Slow()
    index = KeyIndex(tmp_path, disk, apart=100)
    fill(index, 0, 40)
    assert any(thread.name == "key-merge" for thread in threading.enumerate())
    assert not index.fresh(everything(0, 40)).any()
    assert KeyIndex(tmp_path).marker == 39
    assert not KeyIndex(tmp_path).fresh(everything(0, 40)).any()
    disk.go.set()
    for n in range(40, 80):  # each batch finds the merge before it done
        wait_for_merge()
        fill(index, n, n + 1)
    wait_for_merge()
    index.add(keys_of([], []), 80)
    assert not index.fresh(everything(0, 80)).any()
    assert len(index) == 800
    files = list(tmp_path.glob("run-*"))
    assert len(files) <= 6
    assert sum(file.stat().st_size for file in files) == 16 * 800
    again = KeyIndex(tmp_path)
    assert (again.marker, len(again)) == (80, 800)
    assert not again.fresh(everything(0, 80)).any()


def test_a_merge_for_which_there_is_no_room_is_made_later(tmp_path: Path) -> None:
    disk = Slow()
    disk.broken = True
    disk.go.set()
    index = KeyIndex(tmp_path, disk, apart=100)
    fill(index, 0, 40)
    wait_for_merge()
    assert not KeyIndex(tmp_path).fresh(everything(0, 40)).any()
    disk.broken = False
    for n in range(40, 44):
        fill(index, n, n + 1)
        wait_for_merge()
    index.add(keys_of([], []), 44)
    files = list(tmp_path.glob("run-*"))
    assert len(files) <= 3
    assert sum(file.stat().st_size for file in files) == 16 * 440


def test_what_was_merged_of_an_index_that_somebody_else_took_over_is_dropped(tmp_path: Path) -> None:
    disk = Slow()
    index = KeyIndex(tmp_path, disk, apart=100)
    fill(index, 0, 20)
    theirs = KeyIndex(tmp_path)
    theirs.add(keys_of(["t"], ["x"]), 20)  # merges what they found, and sweeps what no manifest names
    disk.go.set()
    wait_for_merge()
    index.refresh()
    assert index.marker == 20
    fill(index, 21, 22)
    again = KeyIndex(tmp_path)
    assert (again.marker, len(again)) == (21, 211)
    assert not again.fresh(everything(0, 20)).any()
    assert not again.fresh(keys_of(["t"], ["x"])).any()
