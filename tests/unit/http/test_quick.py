"""The short way of the protocol: what it takes is answered in turn, what it does not take never notices it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest
import uvicorn

from quanyu.http.quick import MAX_BYTES, Answer, Headers, QuickProtocol


class Shop:
    """An application, and a short way that takes `/quick` and answers when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[Answer] = []
        self.taken: list[bytes] = []
        self.at_once = True
        self.loop: asyncio.AbstractEventLoop | None = None

    def quick(self, path: bytes, headers: Headers, body: bytes, answer: Answer) -> bool:
        if not path.startswith(b"/quick") or body == b"declined":
            return False
        assert dict(headers)[b"host"] == b"shop"
        self.taken.append(body)
        self.loop = asyncio.get_running_loop()
        self.waiting.append(answer)
        if self.at_once:
            self.loop.call_soon(self.answer)
        return True

    def answer(self) -> None:
        self.waiting.pop(0)(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n", b"\r\nquick")

    def answer_from_outside(self) -> None:
        until(lambda: bool(self.waiting))
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.answer)

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        text = b"%s %s %d" % (scope["method"].encode(), scope["raw_path"] + b"?" + scope["query_string"], len(body))
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", str(len(text)).encode())],
            }
        )
        await send({"type": "http.response.body", "body": text})


def until(reached, seconds: float = 10) -> None:  # type: ignore[no-untyped-def]
    limit = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.005)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[uvicorn.Server]:
    place = socket.socket()
    place.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        shop,
        http=partial(QuickProtocol, shop.quick),  # type: ignore[arg-type]
        log_level="warning",
        access_log=False,
        lifespan="off",
        interface="asgi3",
        timeout_graceful_shutdown=5,
    )
    made = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(made.serve(sockets=[place])), daemon=True)
    thread.start()
    until(lambda: made.started)
    made.address = place.getsockname()  # type: ignore[attr-defined]
    yield made
    made.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


class Client:
    def __init__(self, server: uvicorn.Server) -> None:
        self.socket = socket.create_connection(server.address)  # type: ignore[attr-defined]
        self.socket.settimeout(10)
        self.buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> tuple[dict[bytes, bytes], bytes]:
        """Headers and body of the next answer."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        assert status == b"HTTP/1.1 200 OK"
        headers: dict[bytes, bytes] = dict(line.split(b": ", 1) for line in lines)
        length = int(headers[b"content-length"])
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return headers, body

    def _more(self) -> None:
        part = self.socket.recv(65536)
        assert part, "closed"
        self.buffer += part


def post(path: str, body: bytes, *lines: str) -> bytes:
    head = "\r\n".join((f"POST {path} HTTP/1.1", "Host: shop", f"Content-Length: {len(body)}", *lines))
    return head.encode() + b"\r\n\r\n" + body


def test_what_is_taken_is_answered_with_a_date_and_the_connection_goes_on(server: uvicorn.Server, shop: Shop) -> None:
    client = Client(server)
    for number in range(3):
        client.send(post("/quick", b"n%d" % number))
        headers, body = client.answer()
        assert body == b"quick"
        assert b"date" in headers
        assert b"connection" not in headers
    assert shop.taken == [b"n0", b"n1", b"n2"]
    client.send(post("/slow?a=1", b"xyz"))
    assert client.answer()[1] == b"POST /slow?a=1 3"


@pytest.mark.parametrize(
    ("request_", "seen"),
    [
        (post("/quick/x?y=1", b"declined"), b"POST /quick/x?y=1 8"),
        (b"GET /quick HTTP/1.1\r\nHost: shop\r\n\r\n", b"GET /quick? 0"),
        (b"POST /quick HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab", b"POST /quick? 2"),
        (post("/quick", b"a" * (MAX_BYTES + 1)), b"POST /quick? %d" % (MAX_BYTES + 1)),
        (
            b"POST /slow HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
            b"POST /slow? 5",
        ),
    ],
    ids=["declined", "get", "closing", "large", "chunked"],
)
def test_what_is_not_taken_goes_the_ordinary_way_whole(
    server: uvicorn.Server, shop: Shop, request_: bytes, seen: bytes
) -> None:
    client = Client(server)
    client.send(request_)
    assert client.answer()[1] == seen
    assert shop.taken == []


def test_a_body_in_several_packets_goes_the_ordinary_way(server: uvicorn.Server, shop: Shop) -> None:
    whole = post("/quick", b"0123456789")
    for cut in (len(whole) - 10, len(whole) - 4):
        client = Client(server)
        client.send(whole[:cut])
        time.sleep(0.1)
        client.send(whole[cut:])
        assert client.answer()[1] == b"POST /quick? 10"
    assert shop.taken == []


def test_a_head_in_several_packets_changes_nothing(server: uvicorn.Server, shop: Shop) -> None:
    client = Client(server)
    whole = post("/quick", b"0123456789")
    client.send(whole[:20])
    time.sleep(0.1)
    client.send(whole[20:])
    assert client.answer()[1] == b"quick"
    assert shop.taken == [b"0123456789"]


def test_pipelined_requests_are_answered_in_their_order(server: uvicorn.Server, shop: Shop) -> None:
    shop.at_once = False
    client = Client(server)
    client.send(post("/quick", b"first") + post("/slow", b"22") + post("/quick", b"third") + post("/slow", b"4444"))
    shop.answer_from_outside()
    assert client.answer()[1] == b"quick"
    assert client.answer()[1] == b"POST /slow? 2"
    assert client.answer()[1] == b"POST /quick? 5"  # it came while another was answered: the ordinary way
    assert client.answer()[1] == b"POST /slow? 4"
    client.send(post("/quick", b"again"))
    shop.answer_from_outside()
    assert client.answer()[1] == b"quick"


def test_a_client_that_goes_away_harms_nobody(server: uvicorn.Server, shop: Shop) -> None:
    shop.at_once = False
    gone, half, stays = Client(server), Client(server), Client(server)
    gone.send(post("/quick", b"gone"))
    half.send(post("/quick", b"0123456789")[:-5])
    stays.send(post("/quick", b"stays"))
    until(lambda: len(shop.waiting) == 2)
    gone.socket.close()
    half.socket.close()
    until(lambda: len(server.server_state.connections) == 1)
    shop.answer_from_outside()
    shop.answer_from_outside()
    assert stays.answer()[1] == b"quick"


def test_a_server_that_stops_answers_first_and_then_closes(server: uvicorn.Server, shop: Shop) -> None:
    shop.at_once = False
    client = Client(server)
    client.send(post("/quick", b"last"))
    until(lambda: bool(shop.waiting))
    server.should_exit = True
    time.sleep(0.5)  # the server looks for its end ten times a second
    shop.answer_from_outside()
    headers, body = client.answer()
    assert (body, headers[b"connection"]) == (b"quick", b"close")
    assert client.socket.recv(10) == b""
