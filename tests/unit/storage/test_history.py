"""History appends once, reads whole versions, and follows people who moved."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyroaring import BitMap

from quanyu.storage.engine import Dimension, DuckDBEngine
from quanyu.storage.history import History
from quanyu.storage.upkeep import merge

SCHEMA = pa.schema(
    [("event_id", pa.string()), ("day", pa.string()), ("person_id", pa.int64()), ("anchor_id", pa.int64())]
)


def rows(*people: int, day: str = "2026-03-02") -> pa.Table:
    return pa.table(
        {
            "event_id": [f"{day}:{person}" for person in people],
            "day": [day] * len(people),
            "person_id": list(people),
            "anchor_id": [person * 10 for person in people],
        },
        schema=SCHEMA,
    )


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History(tmp_path)
    made.declare("events", SCHEMA)
    return made


def test_a_batch_is_appended_once(history: History):
    assert history.applied("events", "ingest") == -1
    assert history.append("events", rows(1, 2), app="ingest", version=4)
    assert not history.append("events", rows(1, 2), app="ingest", version=4)
    assert not history.append("events", rows(1, 2), app="ingest", version=3)
    assert history.applied("events", "ingest") == 4
    assert history.size("events")[0] == 2


@pytest.mark.parametrize("name", ["全域 数据", "a b"])
def test_the_folder_may_be_called_anything(tmp_path: Path, name: str):
    history = History(tmp_path / name)
    history.declare("events", SCHEMA)
    for version in range(2):
        history.append("events", rows(version + 1), app="ingest", version=version)
    engine = DuckDBEngine(history, SCHEMA)
    assert engine.people(engine.events().select("person_id")) == BitMap([1, 2])
    merge(history, "events", history.files("events"))
    files = history.snapshot("events").files
    assert [pq.ParquetFile(file).metadata.num_rows for file in files] == [2]
    assert history.vacuum("events", 0) == 2
    assert engine.people(engine.events().select("person_id")) == BitMap([1, 2])


def test_the_engine_sees_nothing_then_new_rows(history: History):
    engine = DuckDBEngine(history, SCHEMA)
    assert engine.run(engine.events()).num_rows == 0
    before = engine.watermark()
    history.append("events", rows(1, 2, 0), app="ingest", version=0)
    assert engine.watermark() != before
    assert engine.people(engine.events().select("person_id")) == BitMap([1, 2])


def test_people_who_moved_are_read_under_their_new_number(history: History):
    moves = {"moved_anchor": pa.array([], pa.int64()), "moved_person": pa.array([], pa.int64())}
    current = [pa.table(moves)]
    engine = DuckDBEngine(history, SCHEMA, moved=Dimension(lambda: current[0], lambda: str(current[0].num_rows)))
    history.append("events", rows(1, 2), app="ingest", version=0)
    assert engine.people(engine.events().select("person_id")) == BitMap([1, 2])
    current[0] = pa.table({"moved_anchor": [20], "moved_person": [1]})
    assert engine.people(engine.events().select("person_id")) == BitMap([1])
    current[0] = pa.table(moves)
    assert engine.people(engine.events().select("person_id")) == BitMap([1, 2])


def test_compaction_keeps_every_row(history: History):
    for version, person in enumerate((3, 1, 2)):
        history.append("events", rows(person), app="ingest", version=version)
    history.append("events", rows(9, day="2026-03-03"), app="ingest", version=3)
    engine = DuckDBEngine(history, SCHEMA)
    assert merge(history, "events", [file for file in history.files("events") if file.day == "2026-03-02"])
    assert engine.people(engine.events().select("person_id")) == BitMap([1, 2, 3, 9])
    assert len(history.snapshot("events").files) == 2
    assert history.applied("events", "ingest") == 3
