"""Nobody waits behind what somebody else has piled up in the log."""

import asyncio
import errno
import json
import os
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quanyu.events.contracts import START, FrameHeader, Position
from quanyu.events.errors import BacklogFull, LogUnavailable
from quanyu.events.log import LogWriter, Waiting
from quanyu.events.reader import LogReader
from quanyu.events.writers import Writers
from tests.unit.events.conftest import World
from tests.unit.events.test_books import POISON
from tests.unit.events.test_native import orders

CIPHER = AESGCM(bytes(32))
NOW = 1_790_000_000_000_000


def header(source: str, events: int = 100) -> FrameHeader:
    return FrameHeader(NOW, "segment", source, events, "batch")


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def writers(tmp_path: Path, seconds: Seconds) -> Writers:
    return Writers(lambda prefix: LogWriter(tmp_path, CIPHER, prefix=prefix, reserve_bytes=0), seconds)


def test_a_source_that_floods_gets_a_writer_of_its_own_and_comes_back(
    tmp_path: Path, writers: Writers, seconds: Seconds
) -> None:
    def waiting(writer: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for frame in LogReader(tmp_path, CIPHER).read({}, max_events=10**9):
            if frame.writer == writer:
                found[frame.header.source] = found.get(frame.header.source, 0) + frame.header.events
        return found

    for _ in range(250):
        writers.append_now([(header("flood"), b"x")])
    writers.append_now([(header("till", 1), b"x")])
    assert waiting("w00") == {"flood": 20_000, "till": 1}
    assert waiting("b00") == {"flood": 5_000}
    seconds.now = 6.0
    writers.append_now([(header("flood"), b"x"), (header("flood"), b"x")])
    assert waiting("b00") == {"flood": 5_200}, "it flooded in the last window"
    seconds.now = 12.0
    writers.append_now([(header("flood"), b"x")])
    assert waiting("w00") == {"flood": 20_100, "till": 1}, "and now no more"
    seconds.now = 100.0
    writers.append_now([(header("flood", 20_000), b"x")])
    seconds.now = 200.0
    writers.append_now([(header("flood"), b"x")])
    assert waiting("w00")["flood"] == 40_200, "long ago is forgotten"
    writers.close()


def test_a_writer_for_which_the_disk_has_no_room_is_a_refusal_and_opened_later(
    tmp_path: Path, seconds: Seconds
) -> None:
    full = {"b"}

    def open_(prefix: str) -> LogWriter:
        if prefix in full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return LogWriter(tmp_path, CIPHER, prefix=prefix, reserve_bytes=0)

    writers = Writers(open_, seconds)

    async def send(*sources: str) -> list[object]:
        """Through the short way, all at once."""
        said: asyncio.Queue[object] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        writers.submit(
            [Waiting(header(one, 20_001 if one == "flood" else 1), b"x", said.put_nowait, loop) for one in sources]
        )
        return [await asyncio.wait_for(said.get(), 10) for _ in sources]

    refused, stored = sorted(asyncio.run(send("flood", "till")), key=lambda one: isinstance(one, Position))
    assert isinstance(refused, LogUnavailable)
    assert (refused.status, refused.retry_after) == (503, 5)
    assert isinstance(stored, Position)
    with pytest.raises(LogUnavailable):
        asyncio.run(writers.append(header("flood", 1), b"x"))
    full.clear()
    assert isinstance(asyncio.run(writers.append(header("flood", 1), b"x")), Position)
    writers.close()
    full.add("w")
    with pytest.raises(LogUnavailable):
        Writers(open_, seconds)


def test_whoever_floods_past_the_bound_is_refused_until_a_part_is_worked_off_and_nobody_else(
    tmp_path: Path, seconds: Seconds
) -> None:
    taken = {"b00": START}
    writers = Writers(
        lambda prefix: LogWriter(tmp_path, CIPHER, prefix=prefix, reserve_bytes=0),
        seconds,
        taken=taken.__getitem__,
        max_backlog_bytes=10_000,
    )

    accepted: list[str] = []

    async def send(source: str) -> Position | BacklogFull:
        seconds.now += 0.3
        try:
            place = await writers.append(header(source, 20_001 if source == "flood" else 1), os.urandom(3000))
        except BacklogFull as error:
            return error
        finally:
            if writers._look is not None:
                await writers._look
        accepted.append(source)
        return place

    async def scenario() -> None:
        while isinstance(place := await send("flood"), Position):
            last = place
        assert len(accepted) in {4, 5}, "a look may be as old as one request"
        assert (place.status, place.retry_after) == (429, 2)
        for _ in range(3):
            assert isinstance(await send("flood"), BacklogFull)
            assert isinstance(await send("till"), Position), "somebody else, in another log"
        taken["b00"] = last
        await send("flood")
        assert isinstance(await send("flood"), Position), "worked off"
        taken["b00"] = START
        await send("flood")
        assert isinstance(await send("flood"), BacklogFull)

    asyncio.run(scenario())
    writers.close()
    frames = LogReader(tmp_path, CIPHER).read({}, max_events=10**9)
    assert sorted(frame.header.source for frame in frames) == sorted(accepted)


def test_every_writer_has_its_part_of_a_batch_however_large_the_frames_of_others_are(tmp_path: Path) -> None:
    heavy, light = (LogWriter(tmp_path, CIPHER, prefix=prefix, reserve_bytes=0) for prefix in "bw")
    heavy.append_now([(header("flood", 30_000), bytes(3_000_000)) for _ in range(20)])
    light.append_now([(header("till", 1), b"x")] * 50)
    frames = LogReader(tmp_path, CIPHER).read({}, max_events=20_000, max_bytes=4_000_000)
    assert sum(frame.header.source == "till" for frame in frames) == 50
    assert sum(frame.header.source == "flood" for frame in frames) == 1
    for writer in (heavy, light):
        writer.close()


def test_a_hundredfold_flood_of_poison_does_not_delay_another_source_once_it_is_one(world: World) -> None:
    """100 events of one source after 500 times as many of another, a fifth of them poison."""
    poison = [raw for reason, raw in sorted(POISON.items()) if reason not in ("too_large", "too_deep")]
    for block in range(100):
        good = [
            json.dumps({"type": "track", "event": "E", "userId": "u", "messageId": f"f{block}-{n}"}).encode()
            for n in range(400)
        ]
        body = b'{"batch":[' + b",".join([*good, *(poison[n % len(poison)] for n in range(100))]) + b"]}"
        world.events.log.append_now([(header("other", 500), body)])
    for n in range(100):
        call = {"type": "track", "event": "E", "userId": "v", "messageId": f"t{n}"}
        world.events.log.append_now([(header("web", 1), json.dumps({"batch": [call]}).encode())])

    batches = till = 0
    stored = quarantined = 0
    began = time.monotonic()
    while till < 100:
        batch = world.events.deduplicate(world.events.decode(world.events.read(5_000)))
        with world.state.write() as tx:
            assert world.events.commit_books(tx, batch)
        world.events.keep_keys(batch, batches)
        batches += 1
        till += batch.table.column("source").to_pylist().count("web")
        stored += batch.table.num_rows
        quarantined += len(batch.rejected)
    backlog = world.events.backlog()
    # 20,000 events of the flood came before it was one; what came later no longer stands in anybody's way.
    assert batches <= 9, f"{batches} batches in {time.monotonic() - began:.1f} s"
    assert backlog.by_source["other"] > 4_000, "the flood itself waits"
    assert backlog.by_source.get("web", 0) == 0
    assert quarantined > 0
    while backlog.events:
        world.drain()
        backlog = world.events.backlog()
    books = {view.source.source: view for view in world.events.list_sources(world.brand.scope())}
    assert (books["other"].stored, books["other"].quarantined) == (40_000, 10_000)
    assert (books["web"].stored, books["web"].pending) == (100, 0)


def test_a_connectors_table_is_not_in_the_way_of_anybody(world: World) -> None:
    world.events.record_table("pos", orders(3_000))
    call = {"type": "track", "event": "E", "userId": "v", "messageId": "t"}
    world.events.log.append_now([(header("web", 1), json.dumps({"batch": [call]}).encode())])
    batch = world.events.decode(world.events.read(100))
    assert batch.table.column("source").to_pylist().count("web") == 1
