"""The collector's short way: one frame for the calls of one moment, and the same events as by the ordinary way."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

from quanyu.events.contracts import Frame, FrameHeader, Position
from quanyu.events.protocols import segment, segment_calls
from quanyu.events.quick import QuickCalls
from quanyu.events.rows import Draft, Origin
from quanyu.events.sources import WriteKeys
from quanyu.kernel.clock import SystemClock
from tests.unit.events.conftest import KEY, World
from tests.unit.events.test_log import Faulty

BASIC = [(b"authorization", b"Basic " + base64.b64encode(f"{KEY}:".encode()))]
SUCCESS = b'\r\n{"success":true}'


def body(message_id: str, **more: Any) -> bytes:
    return json.dumps({"event": "E", "userId": "u", "messageId": message_id, **more}).encode()


class Short:
    """The short way of a world's collector, its key known."""

    def __init__(self, world: World) -> None:
        keys = WriteKeys(world.state)
        self.counted: list[int] = []
        self.refused: list[str] = []
        self.answers: list[tuple[bytes, bytes]] = []
        self.quick = QuickCalls(
            lambda: world.events.log,
            keys,
            SystemClock(),
            max_body_bytes=1000,
            count=lambda source, _, events: self.counted.append(events),
            refuse=lambda _, code: self.refused.append(code),
        )
        self.keys = keys

    def send(self, *requests: tuple[str, bytes]) -> list[bool]:
        """All in one turn of the loop; whether each was taken. Waits for the answers."""

        async def turn() -> list[bool]:
            await self.keys.find(KEY)
            loop = asyncio.get_running_loop()
            taken, answers = [], []
            for path, content in requests:
                answer: asyncio.Future[tuple[bytes, bytes]] = loop.create_future()
                taken.append(self.quick(path.encode(), BASIC, content, lambda *a, f=answer: f.set_result(a)))
                if taken[-1]:
                    answers.append(answer)
            self.answers += await asyncio.wait_for(asyncio.gather(*answers), 10)
            return taken

        return asyncio.run(turn())


def test_single_calls_of_one_turn_are_one_frame_and_each_is_stored(world: World) -> None:
    short = Short(world)
    requests = [("/v1/track", body(f"m{n}")) for n in range(5)] + [("/v1/t", body("m5", sentAt="2026-01-01T00:00:00Z"))]
    requests += [
        ("/v1/identify", body("i0", traits={"city": "上海"})),
        ("/v1/batch", b'{"batch":[%s]}' % body("b0", type="track")),
    ]
    assert all(short.send(*requests))
    assert sorted(short.counted) == [1, 1, 6]
    assert [rest for _, rest in short.answers] == [SUCCESS] * 8
    frames = world.events.read(100)
    assert [(frame.header.call, frame.header.events) for frame in frames] == [
        ("track", 6),
        ("identify", 1),
        ("batch", 1),
    ]
    batch = world.drain()
    assert sorted(batch.table.column("event_id").to_pylist()) == ["b0", "i0", "m0", "m1", "m2", "m3", "m4", "m5"]
    assert world.books() == {"accepted": 8, "stored": 8, "duplicate": 0, "quarantined": 0, "pending": 0}


def test_what_needs_a_second_look_is_left_to_the_ordinary_way(world: World) -> None:
    short = Short(world)
    assert (
        short.send(
            ("/v1/events", body("a")),
            ("/v1/track", b"{"),
            ("/v1/track", b"[]"),
            ("/v1/batch", b'{"batch":[]}'),
            ("/v1/batch", b'{"batch":[{"a":1},{]}'),
            ("/v1/track", b"\x1f\x8b" + body("zipped")),
            ("/v1/track", body("large", properties={"a": "x" * 1000})),
        )
        == [False] * 7
    )
    headers: list[list[tuple[bytes, bytes]]] = [
        [],
        [(b"authorization", b"Basic !")],
        [(b"authorization", b"Basic " + base64.b64encode(b"wk_nobody:"))],
    ]
    assert [short.quick(b"/v1/track", one, body("a"), lambda *_: None) for one in headers] == [False] * 3
    assert world.events.read(100) == []


def test_a_disk_that_fails_refuses_every_call_of_the_frame(world: World) -> None:
    disk = Faulty()
    disk.fail_sync = True
    world.events._disk = disk
    short = Short(world)
    assert short.send(("/v1/track", body("a")), ("/v1/track", body("b"))) == [True, True]
    assert short.counted == []
    assert len(short.refused) == 1
    for head, rest in short.answers:
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nretry-after: " in head
        assert json.loads(rest)["code"] == "log_unavailable"
    disk.fail_sync = False
    assert short.send(("/v1/track", body("a")))
    world.drain()
    assert world.books()["stored"] == 1


def test_calls_in_one_frame_mean_what_they_mean_alone(tmp_path: Path) -> None:
    """Every oddity of a body, alone and among others."""
    origin = Origin("web", 1, "acme", "CNY", "Asia/Shanghai", None, 1_700_000_000_000_000)
    bodies = [
        body("plain"),
        b'\xef\xbb\xbf {"event":"E","anonymousId":"a","messageId":"bom"}\n ',
        body("stamped", timestamp="2023-11-14T22:13:20Z", sentAt="2023-11-14T22:13:25Z"),
        body("wrong type", type=7),
        body("own type", type="page"),
        b'{"event":"E","userId":"u","messageId":"bad utf8","properties":{"a":"\xff"}}',
        b'{"event":"E","userId":"u","messageId":"nan","properties":{"a":1e999}}',
        body("bad context", context={"library": 3}),
        b'{"event":"E","userId":"u","timestamp":"2023-11-14T22:13:20Z"}',
        body("nobody", userId=None),
        b'{"messageId":"twice","messageId":"keys","userId":"u","event":"E"}',
    ]

    def read(payload: bytes, events: int) -> list[Any]:
        header = FrameHeader(origin.received_at, segment.PROTOCOL, "web", events, "track")
        frame = Frame("w00", Position(1, 8), Position(1, 9), header, payload)
        return [
            (draft if isinstance(draft, Draft) else (draft.reason, draft.where, draft.detail))
            for draft in segment_calls.drafts(frame, origin)
        ]

    cut = [bytes(segment.open_body("track", one).calls[0]) for one in bodies]
    alone = [read(one, 1)[0] for one in cut]
    together = read(segment.join(cut), len(cut))
    assert together == alone
    assert any(isinstance(one, Draft) for one in alone)
    assert any(isinstance(one, tuple) for one in alone)
    assert [bytes(raw) for raw in segment.open_payload("track", segment.join(cut)).calls] == [
        one.strip() for one in cut
    ]
