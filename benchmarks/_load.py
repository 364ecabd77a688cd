"""A load generator in a process of its own: raw sockets, bodies made before the clock starts.

`python -m benchmarks._load HOST PORT KEY CONNECTIONS BATCHES SIZE SEED [RATE]` prints one JSON line with what it saw.
With a RATE (events per second) each connection sends at its share of it, on a fixed timetable; else without a pause.
"""

from __future__ import annotations

import base64
import json
import random
import selectors
import socket
import sys
import time
from collections import deque
from typing import Any

_POOL = 64  # requests that are made before the clock starts, for each connection; then they come again with new ids
_MARK = "@request--number@"
_NAMES = ("Product Viewed", "Product Added", "Page Viewed", "Products Searched")


def calls_of(rng: random.Random, size: int) -> list[dict[str, Any]]:
    """`size` calls of about 550 bytes each; `_MARK` in their ids makes them the ids of one request."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return [
        {
            "type": "track",
            "messageId": f"{_MARK}-{i}",
            "event": _NAMES[rng.randrange(len(_NAMES))],
            "anonymousId": f"device-{rng.randrange(200_000)}",
            "userId": None,
            "timestamp": now,
            "sentAt": now,
            "properties": {
                "product_id": f"sku-{rng.randrange(5000)}",
                "price": rng.randrange(10_000) / 100,
                "category": f"c{rng.randrange(60)}",
                "position": i,
                "coupon": None,
                "list": "recommendations/home/top",
            },
            "context": {
                "library": {"name": "bench", "version": "1"},
                "page": {"path": "/p/1", "title": "商品详情", "url": "https://shop.example/p/1"},
                "locale": "zh-CN",
            },
            "integrations": {},
        }
        for i in range(size)
    ]


def request(host: str, key: str, rng: random.Random, size: int) -> bytes:
    """A whole HTTP request: a batch, or a bare call if it is to hold one event."""
    calls = calls_of(rng, size)
    path, content = ("track", calls[0]) if size == 1 else ("batch", {"batch": calls})
    payload = json.dumps(content, ensure_ascii=False).encode()
    token = base64.b64encode(f"{key}:".encode()).decode()
    head = (
        f"POST /v1/{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload


class _Connection:
    """One connection that has at most one request under way."""

    def __init__(self, address: tuple[str, int], number: int, requests: list[bytes]) -> None:
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = number
        self.requests = requests
        self.sent = 0
        self.sent_at = 0.0
        self._data = b""

    def send(self, seed: int) -> None:
        """The next request, with ids of its own."""
        mark = f"{seed:04d}-{self.number:03d}-{self.sent:08d}".encode()
        data = self.requests[self.sent % len(self.requests)].replace(_MARK.encode(), mark)
        self.sent += 1
        self.sent_at = time.perf_counter()
        self.socket.sendall(data)

    def answer(self) -> int | None:
        """The status of the answer once it is whole."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        self._data += part
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return None
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(rest) < length:
            return None
        self._data = b""
        return int(head[9:12])


def main() -> None:
    """Send everything; print what happened."""
    host, port, key = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    connections, batches, size, seed = map(int, sys.argv[4:8])
    rate = float(sys.argv[8]) if len(sys.argv) > 8 else 0.0
    rng = random.Random(seed)
    prepared = [[request(host, key, rng, size) for _ in range(min(batches, _POOL))] for _ in range(connections)]
    open_ = [_Connection((host, port), number, requests) for number, requests in enumerate(prepared)]
    took: list[float] = []
    statuses: dict[int, int] = {}
    left = connections * batches
    idle = deque(open_)
    with selectors.DefaultSelector() as selector:
        for one in open_:
            selector.register(one.socket, selectors.EVENT_READ, one)
        started, cpu = time.perf_counter(), time.process_time()
        while len(took) < connections * batches:
            # On the timetable of `rate`; a late answer does not move it, what was missed is sent as soon as can be.
            due = int((time.perf_counter() - started) * rate / size) + 1 if rate else connections * batches
            while left and idle and connections * batches - left < due:
                one = idle.popleft()
                if one.sent < batches:
                    one.send(seed)
                    left -= 1
            for key_, _ in selector.select(0.001 if idle and left else 1.0):
                one = key_.data
                status = one.answer()
                if status is not None:
                    took.append(time.perf_counter() - one.sent_at)
                    statuses[status] = statuses.get(status, 0) + 1
                    idle.append(one)
        seconds = time.perf_counter() - started
    took.sort()
    print(
        json.dumps(
            {
                "cpu_seconds": time.process_time() - cpu,
                "events": connections * batches * size,
                "seconds": seconds,
                "p50_ms": took[len(took) // 2] * 1000,
                "p99_ms": took[int(len(took) * 0.99)] * 1000,
                "statuses": statuses,
            }
        )
    )


if __name__ == "__main__":
    main()
