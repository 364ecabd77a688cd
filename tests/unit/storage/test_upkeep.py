"""Compaction: which files, sorted how, never a row twice or missing, and readers never see it happen."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from quanyu.kernel.clock import SystemClock
from quanyu.storage.delta_log import CommitConflict
from quanyu.storage.engine import DuckDBEngine
from quanyu.storage.history import DataFile, History
from quanyu.storage.upkeep import LARGE_ROWS, ORDER, HistoryDamaged, Upkeep, crowded, merge

SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("event_id", pa.string()),
        ("name", pa.string()),
        ("occurred_at", pa.int64()),
        ("day", pa.string()),
        ("person_id", pa.int64()),
        ("anchor_id", pa.int64()),
    ]
)
HOUR = 3_600_000
NOW = 100 * HOUR


def rows(ids: range, day: str = "2026-03-02") -> pa.Table:
    return pa.table(
        {
            "source": ["web"] * len(ids),
            "event_id": [f"e{n}" for n in ids],
            "name": [("seen", "bought", "added")[n % 3] for n in ids],
            "occurred_at": [n * 7919 % 86_400 for n in ids],
            "day": [day] * len(ids),
            "person_id": [n * 31 % 17 for n in ids],
            "anchor_id": [n * 31 % 17 for n in ids],
        },
        schema=SCHEMA,
    )


def file(day: str, number_of_rows: int, *, hours_ago: float = 0, name: str = "") -> DataFile:
    return DataFile(f"day={day}/{name or number_of_rows}", day, number_of_rows, 1, NOW - int(hours_ago * HOUR))


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History(tmp_path)
    made.declare("events", SCHEMA)
    return made


def everything(history: History) -> list[str]:
    return sorted(
        one
        for path in history.snapshot("events").files
        for one in pq.ParquetFile(path).read(["event_id"]).column(0).to_pylist()
    )


def test_eight_files_of_like_size_are_merged_the_smallest_first() -> None:
    small = [file("a", 20 + n) for n in range(8)]
    middle = [file("b", 5_000 + n) for n in range(8)]
    assert crowded([*middle, *small], NOW) == small
    assert crowded([*middle, *small[1:]], NOW) == middle
    assert crowded([*middle[1:], *small[1:]], NOW) == []


def test_a_large_file_is_left_alone_and_a_merge_is_bounded() -> None:
    assert crowded([file("a", LARGE_ROWS + n, hours_ago=5) for n in range(20)], NOW) == []
    chosen = crowded([file("a", 230_000 + n) for n in range(8)], NOW)
    assert sum(one.rows for one in chosen) <= 1_500_000
    assert len(chosen) == 6


def test_a_day_that_has_been_quiet_becomes_one_file() -> None:
    unlike = [file("a", 10, hours_ago=2), file("a", 5_000, hours_ago=2)]
    assert crowded(unlike, NOW) == unlike
    assert crowded([*unlike, file("a", 100, hours_ago=0.5)], NOW) == []
    assert crowded(unlike[:1], NOW) == []


def test_a_stream_of_appends_leaves_few_files_and_rewrites_each_row_a_few_times(history: History) -> None:
    sizes = [3] * 300
    files: list[DataFile] = []
    rewritten = 0
    for at, size in enumerate(sizes):
        files.append(file("a", size, name=str(at)))
        while chosen := crowded(files, NOW):
            total = sum(one.rows for one in chosen)
            rewritten += total
            files = [one for one in files if one not in chosen] + [file("a", total, name=f"m{at}-{total}")]
    assert sum(one.rows for one in files) == sum(sizes)
    assert len(files) <= 4 * 8
    assert rewritten <= 4 * sum(sizes)


def test_the_merged_file_is_sorted_and_holds_every_row(history: History) -> None:
    for number in range(5):
        history.append("events", rows(range(number * 100, number * 100 + 100)), app="ingest", version=number)
    before = everything(history)
    assert merge(history, "events", history.files("events"))
    (path,) = history.snapshot("events").files
    table = pq.ParquetFile(path).read()
    keys = list(zip(*(table.column(name).to_pylist() for name in ORDER), strict=True))
    assert keys == sorted(keys)
    assert everything(history) == before
    assert table.schema.field("name").type == pa.string(), "encoded in memory only"
    assert history.applied("events", "ingest") == 4


def test_an_id_that_is_there_twice_is_refused_loudly_and_nothing_changes(history: History) -> None:
    history.append("events", rows(range(10)), app="ingest", version=0)
    history.append("events", rows(range(9, 12)), app="ingest", version=1)
    files = history.files("events")
    with pytest.raises(HistoryDamaged, match="13 rows by the log, 13 in the files, 12 of them distinct"):
        merge(history, "events", files)
    assert history.files("events") == files


def test_a_damaged_day_is_told_once_and_does_not_stop_the_others(history: History) -> None:
    for number in range(2):
        history.append("events", rows(range(10)), app="ingest", version=2 * number)
        more = rows(range(100 * number, 100 * number + 100), "2026-03-03")
        history.append("events", more, app="ingest", version=2 * number + 1)
    upkeep = Upkeep(history, "events", SystemClock())
    with pytest.raises(HistoryDamaged):
        upkeep.step(crowd=2)
    assert upkeep.step(crowd=2)
    assert not upkeep.step(crowd=2)
    assert sorted(one.day for one in history.files("events")) == ["2026-03-02", "2026-03-02", "2026-03-03"]


def test_rows_that_are_missing_from_a_file_are_refused_loudly(history: History) -> None:
    history.append("events", rows(range(10)), app="ingest", version=0)
    history.append("events", rows(range(10, 20)), app="ingest", version=1)
    files = history.files("events")
    pq.write_table(rows(range(8)).drop_columns(["day"]), history.root / "events" / files[0].path)
    with pytest.raises(HistoryDamaged, match="20 rows by the log"):
        merge(history, "events", files)
    assert history.files("events") == files


def test_of_two_processes_that_merge_the_same_files_one_wins(tmp_path: Path, history: History) -> None:
    for number in range(4):
        history.append("events", rows(range(number * 10, number * 10 + 10)), app="ingest", version=number)
    other = History(tmp_path)
    files = history.files("events")
    assert merge(other, "events", files)
    assert not merge(history, "events", files)
    with pytest.raises(CommitConflict):
        history.replace("events", files[:2], None, "DELETE", news=True)
    assert everything(history) == sorted(f"e{n}" for n in range(40))
    on_disk = {path.name for path in (tmp_path / "events" / "day=2026-03-02").iterdir()}
    assert len(on_disk) == 5, "what lost left nothing behind"


def test_appends_of_two_processes_at_once_all_arrive_once(tmp_path: Path, history: History) -> None:
    def append(app: str, first: int) -> None:
        mine = History(tmp_path)
        for number in range(15):
            assert mine.append("events", rows(range(first + number, first + number + 1)), app=app, version=number)
            assert not mine.append("events", rows(range(first + number, first + number + 1)), app=app, version=number)

    threads = [threading.Thread(target=append, args=(f"app{n}", 1000 * n)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert everything(history) == sorted(f"e{1000 * n + m}" for n in range(3) for m in range(15))


def test_replaced_files_stay_for_readers_and_go_later(history: History) -> None:
    for number in range(3):
        history.append("events", rows(range(number * 10, number * 10 + 10)), app="ingest", version=number)
    began = history.snapshot("events")
    merge(history, "events", history.files("events"))
    assert Upkeep(history, "events", SystemClock()).step() is False
    assert all(Path(path).exists() for path in began.files), "a reader that began before still has its files"
    assert history.vacuum("events", 0) == 3
    assert not any(Path(path).exists() for path in began.files)
    version = history.version("events")
    assert history.vacuum("events", 0) == 0
    assert history.version("events") == version, "nothing to delete is no new version"
    assert len(everything(history)) == 30


def test_what_a_killed_writer_left_goes_after_a_week_and_not_before(history: History) -> None:
    import os

    history.append("events", rows(range(3)), app="ingest", version=0)
    left = history.root / "events" / "day=2026-03-02" / "part-left.zstd.parquet"
    pq.write_table(rows(range(3)).drop_columns(["day"]), left)
    assert history.vacuum("events", 168, orphans=True) == 0
    assert left.exists()
    os.utime(left, (time.time() - 8 * 86_400,) * 2)
    assert history.vacuum("events", 168, orphans=True) == 1
    assert not left.exists()
    assert len(everything(history)) == 3


def test_a_checkpoint_torn_by_a_power_cut_is_mended(tmp_path: Path, history: History) -> None:
    history.append("events", rows(range(3)), app="ingest", version=0)
    history.checkpoint("events")
    (checkpoint,) = (tmp_path / "events" / "_delta_log").glob("*.checkpoint.parquet")
    checkpoint.write_bytes(b"")
    again = History(tmp_path)
    again.declare("events", SCHEMA)
    assert again.applied("events", "ingest") == 0
    assert len(everything(again)) == 3
    (tmp_path / "events" / "_delta_log" / "_last_checkpoint").write_text("")
    again = History(tmp_path)
    again.declare("events", SCHEMA)
    again.append("events", rows(range(3, 5)), app="ingest", version=1)
    again.checkpoint("events")
    assert len(everything(again)) == 5


def test_queries_are_right_while_files_come_are_merged_and_are_deleted(tmp_path: Path, history: History) -> None:
    """Readers with an engine of their own, against a writer and compaction at full speed."""
    batch, batches = 7, 60
    done = threading.Event()
    written = [0]
    problems: list[str] = []

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 - told to the test
                problems.append(repr(error))

        return run

    def write() -> None:
        mine = History(tmp_path)
        for number in range(batches):
            ids = range(number * batch, (number + 1) * batch)
            mine.append("events", rows(ids, f"2026-03-0{1 + number % 2}"), app="ingest", version=number)
            written[0] = (number + 1) * batch
        done.set()

    merged = [0]

    def compact() -> None:
        mine = History(tmp_path)
        upkeep = Upkeep(mine, "events", SystemClock())
        while not done.is_set():
            merged[0] += upkeep.step(crowd=2)
            mine.vacuum("events", 1)

    answers = [0]

    def read(hot_rows: int) -> None:
        mine = History(tmp_path)
        engine = DuckDBEngine(mine, SCHEMA, hot_rows=hot_rows)
        while not done.is_set():
            before = written[0]
            table = engine.run(engine.events().select("event_id"))
            after = written[0] + batch
            ids = table.column(0)
            if not before <= len(ids) <= after:
                problems.append(f"{len(ids)} rows while {before} to {after} were written")
            if len(pc.unique(ids)) != len(ids):
                problems.append("a row was there twice")
            answers[0] += 1

    workers = [write, compact, lambda: read(10**6), lambda: read(0)]
    threads = [threading.Thread(target=guarded(work)) for work in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert problems == []
    assert merged[0] > 5
    assert answers[0] > 5
    assert everything(history) == sorted(f"e{n}" for n in range(batch * batches))


def test_the_log_is_summed_up_every_hundred_commits(tmp_path: Path, history: History) -> None:
    upkeep = Upkeep(history, "events", SystemClock())
    for number in range(99):
        history.append("events", rows(range(number, number + 1)), app="ingest", version=number)
    while upkeep.step():
        pass
    first = history.last_checkpoint("events")
    assert first >= 99
    history.append("events", rows(range(99, 100)), app="ingest", version=99)
    upkeep.step()
    assert history.last_checkpoint("events") == first, "not at every commit"
    assert len(everything(History(tmp_path))) == 100
