"""The log: durable before answered, whole after any crash, readable while it is written."""

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from quanyu.events.contracts import START, FrameHeader, Position
from quanyu.events.disk import Disk
from quanyu.events.errors import LogUnavailable, LogUnreadable
from quanyu.events.frames import MAGIC, FrameCodec, good_length
from quanyu.events.log import LogWriter, segment_path, segments
from quanyu.events.reader import LogReader

CIPHER = AESGCM(bytes(32))


def header(n: int, events: int = 1, source: str = "web") -> FrameHeader:
    return FrameHeader(1_700_000_000_000_000 + n, "segment", source, events)


def writer(root: Path, **more: object) -> LogWriter:
    return LogWriter(root, CIPHER, **{"reserve_bytes": 0, **more})  # type: ignore[arg-type]


def read_all(root: Path, after: dict[str, Position] | None = None) -> list[bytes]:
    return [frame.payload for frame in LogReader(root, CIPHER).read(after or {}, max_events=10**9)]


class Faulty(Disk):
    """A disk that fails when it is told to, and counts what it is asked."""

    def __init__(self) -> None:
        self.fail_sync = self.fail_write = False
        self.free_bytes = 1 << 40
        self.syncs = 0
        self.gate: threading.Event | None = None

    def sync(self, handle: int) -> None:
        if self.gate is not None:
            self.gate.wait(10)
        self.syncs += 1
        if self.fail_sync:
            raise OSError(errno.EIO, "Input/output error")
        super().sync(handle)

    def write(self, handle: int, data: bytes) -> None:
        if self.fail_write:
            super().write(handle, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(handle, data)

    def free(self, path: Path) -> int:
        return self.free_bytes


def test_what_was_appended_is_read_back_with_its_place(tmp_path: Path) -> None:
    log = writer(tmp_path)
    places = log.append_now([(header(1, 3), b"one"), (header(2), b""), (header(3), b"x" * 100_000)])
    log.close()
    frames = LogReader(tmp_path, CIPHER).read({})
    assert [frame.payload for frame in frames] == [b"one", b"", b"x" * 100_000]
    assert [frame.begin for frame in frames] == places
    assert frames[0].header == header(1, 3)
    assert frames[0].end == frames[1].begin
    assert read_all(tmp_path, {"w00": frames[0].end}) == [b"", b"x" * 100_000]
    assert read_all(tmp_path, {"w00": frames[2].end}) == []


def test_nothing_personal_is_on_disk_in_clear(tmp_path: Path) -> None:
    log = writer(tmp_path)
    log.append_now([(header(1), b'{"phone":"13800138000"}')])
    log.close()
    assert b"13800138000" not in segment_path(log.folder, 1).read_bytes()


def test_an_answer_waits_for_the_sync(tmp_path: Path) -> None:
    disk = Faulty()
    disk.gate = threading.Event()
    log = writer(tmp_path, disk=disk)

    async def scenario() -> None:
        task = asyncio.create_task(log.append(header(1), b"payload"))
        await asyncio.sleep(0.2)
        # The bytes are in the file by now, and still nobody was told so.
        assert segment_path(log.folder, 1).stat().st_size > len(MAGIC)
        assert not task.done()
        assert disk.gate is not None
        disk.gate.set()
        assert await asyncio.wait_for(task, 5) == Position(1, len(MAGIC))

    asyncio.run(scenario())
    log.close()


def test_many_requests_share_one_sync(tmp_path: Path) -> None:
    disk = Faulty()
    disk.gate = threading.Event()
    log = writer(tmp_path, disk=disk)

    async def scenario() -> None:
        first = asyncio.create_task(log.append(header(0), b"first"))
        await asyncio.sleep(0.1)  # the thread now stands in the first sync
        rest = [asyncio.create_task(log.append(header(n), b"%d" % n)) for n in range(500)]
        await asyncio.sleep(0.1)
        assert disk.gate is not None
        disk.gate.set()
        await asyncio.gather(first, *rest)

    asyncio.run(scenario())
    assert disk.syncs == 2
    log.close()
    assert len(read_all(tmp_path)) == 501


def test_a_failed_sync_is_never_called_success_and_the_writer_recovers(tmp_path: Path) -> None:
    disk = Faulty()
    log = writer(tmp_path, disk=disk)
    log.append_now([(header(1), b"kept")])
    disk.fail_sync = True
    with pytest.raises(LogUnavailable) as refused:
        log.append_now([(header(2), b"lost")])
    assert refused.value.status == 503
    assert refused.value.retry_after
    disk.fail_sync = False
    (place,) = log.append_now([(header(3), b"after")])
    assert place.segment == 2, "after a failed sync the old file is never trusted again"
    log.close()
    # Truncating failed along with the sync, so the refused frame may still be there; the kept ones must be.
    assert [payload for payload in read_all(tmp_path) if payload != b"lost"] == [b"kept", b"after"]
    assert log.figures.failures == 1


def test_a_full_disk_mid_write_refuses_the_group_and_leaves_whole_frames(tmp_path: Path) -> None:
    disk = Faulty()
    log = writer(tmp_path, disk=disk)
    log.append_now([(header(1), b"kept")])
    disk.fail_write = True
    with pytest.raises(LogUnavailable):
        log.append_now([(header(2), b"half" * 100)])
    disk.fail_write = False
    log.append_now([(header(3), b"after")])
    log.close()
    assert read_all(tmp_path) == [b"kept", b"after"]


def test_nothing_is_accepted_below_the_reserve_and_everything_again_above_it(tmp_path: Path) -> None:
    disk = Faulty()
    disk.free_bytes = 10
    log = LogWriter(tmp_path, CIPHER, reserve_bytes=1000, disk=disk)
    with pytest.raises(LogUnavailable) as refused:
        log.append_now([(header(1), b"x")])
    assert refused.value.retry_after == 30
    assert disk.syncs == 0
    disk.free_bytes = 10_000
    log.append_now([(header(1), b"x")])
    log.close()
    assert read_all(tmp_path) == [b"x"]


def test_a_queue_that_is_full_says_so_instead_of_growing(tmp_path: Path) -> None:
    disk = Faulty()
    disk.gate = threading.Event()
    log = writer(tmp_path, disk=disk, queue_bytes=1000)

    async def scenario() -> None:
        first = asyncio.create_task(log.append(header(0), b"x"))
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(log.append(header(1), b"x" * 900))
        await asyncio.sleep(0.05)
        with pytest.raises(LogUnavailable) as refused:
            await log.append(header(2), b"x" * 900)
        assert refused.value.code == "log_busy"
        assert disk.gate is not None
        disk.gate.set()
        await asyncio.gather(first, waiting)

    asyncio.run(scenario())
    log.close()


def test_a_torn_tail_at_every_byte_keeps_every_frame_before_it(tmp_path: Path) -> None:
    root = tmp_path / "whole"
    log = writer(root)
    payloads = [b"a" * 10, b"b" * 300, b"c"]
    places = log.append_now([(header(n), payload) for n, payload in enumerate(payloads)])
    log.close()
    data = segment_path(log.folder, 1).read_bytes()
    ends = [*(place.offset for place in places[1:]), len(data)]
    for cut in range(len(data) + 1):
        torn = tmp_path / f"cut{cut}"
        (torn / "w00").mkdir(parents=True)
        path = segment_path(torn / "w00", 1)
        path.write_bytes(data[:cut])
        whole = [payload for payload, end in zip(payloads, ends, strict=True) if end <= cut]
        assert read_all(torn) == whole
        again = writer(torn)
        assert path.stat().st_size == (max([len(MAGIC), *(e for e in ends if e <= cut)]) if cut >= len(MAGIC) else 0)
        (place,) = again.append_now([(header(9), b"next")])
        again.close()
        assert place.segment == 2
        assert read_all(torn) == [*whole, b"next"]


@settings(max_examples=150)
@given(st.binary(min_size=1, max_size=60), st.integers(0, 2**31))
def test_garbage_after_the_last_frame_is_never_a_frame(garbage: bytes, seed: int) -> None:
    codec = FrameCodec(CIPHER)
    data = MAGIC + codec.encode(header(seed % 1000), b"payload")
    assert good_length(data + garbage) == len(data)


def test_segments_rotate_and_are_deleted_once_history_has_them(tmp_path: Path) -> None:
    log = writer(tmp_path, segment_bytes=200)
    payloads = [os.urandom(100) for _ in range(20)]
    for n, payload in enumerate(payloads):
        log.append_now([(header(n), payload)])
    assert len(segments(log.folder)) > 5
    reader = LogReader(tmp_path, CIPHER)
    frames = reader.read({}, max_events=10)
    assert [frame.payload for frame in frames] == payloads[:10]
    assert reader.delete({"w00": frames[-1].end}) > 0
    assert segments(log.folder)[0] == frames[-1].end.segment
    assert read_all(tmp_path, {"w00": frames[-1].end}) == payloads[10:]
    last = reader.read({"w00": frames[-1].end})[-1].end
    reader.delete({"w00": Position(last.segment + 5, 0)})
    assert len(segments(log.folder)) == 1, "the newest stays, so that its number is not used again"
    log.close()


def test_a_live_file_is_tailed_frame_by_frame(tmp_path: Path) -> None:
    log = writer(tmp_path)
    reader = LogReader(tmp_path, CIPHER)
    at = {"w00": START}
    for n in range(5):
        assert reader.read(at) == []
        log.append_now([(header(n), b"%d" % n)])
        (frame,) = reader.read(at)
        assert frame.payload == b"%d" % n
        at["w00"] = frame.end
    with segment_path(log.folder, 1).open("ab") as file:
        file.write(b"\x30\x00\x00\x00half")
    assert reader.read(at) == [], "a frame that is being written is waited for"
    log.close()


def test_a_rotten_frame_is_stepped_over_and_reported(tmp_path: Path) -> None:
    log = writer(tmp_path, segment_bytes=600)
    places = log.append_now([(header(n), os.urandom(100)) for n in range(3)])
    path = segment_path(log.folder, 1)
    for n in range(4):
        log.append_now([(header(10 + n), os.urandom(200))])
    log.close()
    data = bytearray(path.read_bytes())
    data[places[1].offset + 60] ^= 1
    path.write_bytes(data)
    reader = LogReader(tmp_path, CIPHER)
    assert len(reader.read({})) == 6
    assert reader.damaged == 1


def test_what_was_acknowledged_behind_rotten_frames_outlives_a_restart(tmp_path: Path) -> None:
    log = writer(tmp_path)
    payloads = [b"%d" % n * 50 for n in range(5)]
    places = log.append_now([(header(n), payload) for n, payload in enumerate(payloads)])
    log.close()
    path = segment_path(log.folder, 1)
    data = bytearray(path.read_bytes())
    for place in places[1:3]:
        data[place.offset + 60] ^= 1
    path.write_bytes(bytes(data) + b"\x30\x00\x00\x00torn")
    live = LogReader(tmp_path, CIPHER)
    kept = [payloads[0], *payloads[3:]]
    assert [frame.payload for frame in live.read({})] == kept, "also in the segment that is being written"
    again = writer(tmp_path)
    assert path.stat().st_size == len(data), "only what was never whole is cut off"
    again.append_now([(header(9), b"next")])
    again.close()
    reader = LogReader(tmp_path, CIPHER)
    for _ in range(2):
        assert [frame.payload for frame in reader.read({})] == [*kept, b"next"]
    assert reader.damaged == live.damaged == 1, "two in a row, said once"


def rotten(root: Path, at: int, data: bytes, bit: int = 1) -> Path:
    """A log of one segment with one bit turned."""
    (root / "w00").mkdir(parents=True)
    path = segment_path(root / "w00", 1)
    path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
    return path


@pytest.mark.parametrize("bit", [1, 128])
def test_one_bit_that_rots_anywhere_costs_one_frame_and_never_silently(tmp_path: Path, bit: int) -> None:
    log = writer(tmp_path / "whole")
    payloads = [b"a" * 10, os.urandom(120), b"c"]
    places = log.append_now([(header(n, events=n + 1), payload) for n, payload in enumerate(payloads)])
    log.close()
    data = segment_path(log.folder, 1).read_bytes()
    begins = [place.offset for place in places]
    for at in range(len(data)):
        root = tmp_path / f"rot{at}"
        rotten(root, at, data, bit)
        again = writer(root)
        again.append_now([(header(9), b"next")])
        again.close()
        hit = next((n for n in (2, 1, 0) if begins[n] <= at), None)
        reader = LogReader(root, CIPHER)
        found = [frame.payload for frame in reader.read({})]
        assert found == [payload for n, payload in enumerate(payloads) if n != hit] + [b"next"], at
        if hit is None:  # in the magic, which nobody needs
            assert reader.stepped_over == {}
            continue
        first, *rest = sorted(reader.stepped_over.values(), key=lambda one: one.begin)
        assert (first.begin, first.torn) == (places[hit], False), at
        inside = at - begins[hit]
        if not 8 <= inside < 10 + 34:  # beyond the header; a rotten one may say anything
            assert first.header == header(hit, events=hit + 1), at
        if inside >= 4:  # else its length, by which it may fall into two
            assert rest == []


def test_a_torn_end_is_cut_and_logged_and_a_rotten_one_stays_to_be_reported_before_anything_new_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = writer(tmp_path / "whole")
    places = log.append_now([(header(n, events=n + 1), os.urandom(80)) for n in range(3)])
    log.close()
    data = segment_path(log.folder, 1).read_bytes()
    path = rotten(tmp_path, places[2].offset + 60, data + data[places[0].offset : places[1].offset - 5])
    writer(tmp_path).close()
    assert path.stat().st_size == len(data)
    assert segments(path.parent) == [1, 2]
    said = [(one.message, one.bytes) for one in caplog.records if one.message.startswith("event_log_tail")]  # type: ignore[attr-defined]
    assert said == [
        ("event_log_tail_cut", places[1].offset - places[0].offset - 5),
        ("event_log_tail_rotten", len(data) - places[2].offset),
    ]
    reader = LogReader(tmp_path, CIPHER)
    assert len(reader.read({})) == 2
    (damaged,) = reader.stepped_over.values()
    assert (damaged.begin, damaged.bytes, damaged.torn, damaged.header) == (
        places[2],
        len(data) - places[2].offset,
        False,
        header(2, events=3),
    )
    writer(tmp_path).close()
    assert segments(path.parent) == [1, 2], "no further segment at each start"


@pytest.mark.parametrize("tail", [bytes(300), b"\0" * 8 + os.urandom(50), b"\xff" * 40], ids=["zeros", "empty", "ones"])
def test_what_a_power_failure_leaves_without_a_frame_is_cut_and_logged(tmp_path: Path, tail: bytes) -> None:
    log = writer(tmp_path)
    log.append_now([(header(0), b"kept")])
    log.close()
    path = segment_path(log.folder, 1)
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(tail)
    again = writer(tmp_path)
    assert (path.stat().st_size, segments(path.parent)) == (size, [1])
    again.append_now([(header(1), b"next")])
    again.close()
    reader = LogReader(tmp_path, CIPHER)
    assert [frame.payload for frame in reader.read({})] == [b"kept", b"next"]
    assert reader.stepped_over == {}


def test_frames_behind_a_rotten_length_are_read_also_while_the_file_is_written(tmp_path: Path) -> None:
    log = writer(tmp_path)
    places = log.append_now([(header(n), b"%d" % n) for n in range(3)])
    path = segment_path(log.folder, 1)
    data = bytearray(path.read_bytes())
    data[places[1].offset + 2] ^= 64
    path.write_bytes(data)
    reader = LogReader(tmp_path, CIPHER)
    frames = reader.read({})
    assert [frame.payload for frame in frames] == [b"0", b"2"]
    (damaged,) = reader.stepped_over.values()
    assert (damaged.begin, damaged.end, damaged.torn, damaged.header) == (places[1], places[2], False, header(1))
    log.append_now([(header(3), b"3")])
    log.close()
    assert [frame.payload for frame in reader.read({"w00": frames[-1].end})] == [b"3"]


def test_a_segment_that_was_cut_off_inside_a_frame_is_reported_and_the_next_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = writer(tmp_path, segment_bytes=200)
    payloads = [os.urandom(150) for _ in range(4)]
    for n, payload in enumerate(payloads):
        log.append_now([(header(n), payload)])
    log.close()
    assert segments(log.folder) == [1, 2, 3, 4]
    os.truncate(segment_path(log.folder, 2), segment_path(log.folder, 2).stat().st_size - 10)
    reader = LogReader(tmp_path, CIPHER)
    for _ in range(3):
        assert [frame.payload for frame in reader.read({})] == [payloads[0], *payloads[2:]]
    assert reader.damaged == 1
    (said,) = [one for one in caplog.records if one.message == "event_log_frame_damaged"]
    assert (said.writer, said.segment, said.offset, said.why) == ("w00", 2, len(MAGIC), "torn")  # type: ignore[attr-defined]


def test_another_key_stops_the_reader_instead_of_losing_events(tmp_path: Path) -> None:
    log = writer(tmp_path)
    log.append_now([(header(1), b"secret")])
    log.close()
    with pytest.raises(LogUnreadable):
        LogReader(tmp_path, AESGCM(bytes(31) + b"x")).read({})


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    first, second = writer(tmp_path), writer(tmp_path)
    assert {first.name, second.name} == {"w00", "w01"}
    first.append_now([(header(1), b"1")])
    second.append_now([(header(2), b"2")])
    first.close()
    third = writer(tmp_path)
    assert third.name == "w00"
    third.close()
    second.close()
    assert sorted(read_all(tmp_path)) == [b"1", b"2"]


def test_the_backlog_counts_what_was_not_read_yet(tmp_path: Path) -> None:
    log = writer(tmp_path, segment_bytes=300)
    for n in range(10):
        log.append_now([(header(n, events=7, source="a" if n % 2 else "b"), os.urandom(50))])
    reader = LogReader(tmp_path, CIPHER)
    whole = reader.backlog({})
    assert (whole.events, whole.by_source) == (70, {"a": 35, "b": 35})
    assert whole.oldest_at == header(0).received_at
    frames = reader.read({}, max_events=28)
    rest = reader.backlog({"w00": frames[-1].end})
    assert rest.events == 70 - 7 * len(frames)
    assert rest.oldest_at == header(len(frames)).received_at
    log.append_now([(header(10, events=2), b"x")])
    assert reader.backlog({"w00": frames[-1].end}).events == rest.events + 2
    done = reader.read({})[-1].end
    assert reader.backlog({"w00": done}).events == 0
    log.close()


def test_frames_larger_than_one_read_come_whole(tmp_path: Path) -> None:
    big = os.urandom(20 << 20)
    log = writer(tmp_path)
    log.append_now([(header(1), b"small"), (header(2), big), (header(3), b"after")])
    log.close()
    assert read_all(tmp_path) == [b"small", big, b"after"]


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(1, 40), max_size=30), min_size=1, max_size=4),
    most=st.integers(1, 200),
)
def test_a_reading_is_full_while_any_writer_has_more(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[list[int]], most: int
) -> None:
    root = tmp_path_factory.mktemp("log")
    logs = [writer(root) for _ in sizes]
    for number, (log, events) in enumerate(zip(logs, sizes, strict=True)):
        log.append_now([(header(n, count), b"%d/%d" % (number, n)) for n, count in enumerate(events)])
    reader, after = LogReader(root, CIPHER), dict[str, Position]()
    seen: dict[str, list[bytes]] = {log.name: [] for log in logs}
    waiting = {log.name: sum(events) for log, events in zip(logs, sizes, strict=True)}
    largest = max((count for events in sizes for count in events), default=0)
    while frames := reader.read(after, max_events=most):
        read = {log.name: 0 for log in logs}
        for frame in frames:
            seen[frame.writer].append(frame.payload)
            read[frame.writer] += frame.header.events
            after[frame.writer] = frame.end
        total = sum(read.values())
        assert min(most, sum(waiting.values())) <= total < most + largest * len(logs) + len(logs)
        for name, count in read.items():  # none waits for what another has piled up
            assert count >= min(waiting[name], most // len(logs))
            waiting[name] -= count
    assert seen == {log.name: [b"%d/%d" % (k, n) for n in range(len(sizes[k]))] for k, log in enumerate(logs)}
    for log in logs:
        log.close()
