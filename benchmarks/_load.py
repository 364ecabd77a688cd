"""A load generator in a process of its own: raw sockets, bodies made before the clock starts.

`python -m benchmarks._load HOST PORT KEY CONNECTIONS BATCHES SIZE SEED` prints one JSON line with what it saw.
"""

from __future__ import annotations

import base64
import json
import random
import socket
import sys
import threading
import time

_NAMES = ("Product Viewed", "Product Added", "Page Viewed", "Products Searched")


def body(rng: random.Random, prefix: str, size: int) -> bytes:
    """One batch of `size` calls with ids of their own, about 550 bytes each."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    calls = [
        {
            "type": "track",
            "messageId": f"{prefix}-{i}",
            "event": _NAMES[rng.randrange(len(_NAMES))],
            "anonymousId": f"device-{rng.randrange(200_000)}",
            "userId": None,
            "timestamp": now,
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
    return json.dumps({"batch": calls, "sentAt": now}, ensure_ascii=False).encode()


def request(host: str, key: str, payload: bytes) -> bytes:
    """The whole HTTP request."""
    token = base64.b64encode(f"{key}:".encode()).decode()
    head = (
        f"POST /v1/batch HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload


def answer(sock: socket.socket) -> int:
    """The status of one answer, read to its end."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(65536)
        if not part:
            raise ConnectionError
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(rest) < length:
        rest += sock.recv(65536)
    return int(head[9:12])


def main() -> None:
    """Send everything; print what happened."""
    host, port, key = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    connections, batches, size, seed = map(int, sys.argv[4:8])
    rng = random.Random(seed)
    prepared = [
        [request(host, key, body(rng, f"{seed}-{c}-{b}", size)) for b in range(batches)] for c in range(connections)
    ]
    took: list[float] = []
    statuses: dict[int, int] = {}
    lock = threading.Lock()

    def run(requests: list[bytes]) -> None:
        with socket.create_connection((host, port)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for data in requests:
                started = time.perf_counter()
                sock.sendall(data)
                status = answer(sock)
                with lock:
                    took.append(time.perf_counter() - started)
                    statuses[status] = statuses.get(status, 0) + 1

    threads = [threading.Thread(target=run, args=(requests,)) for requests in prepared]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    took.sort()
    print(
        json.dumps(
            {
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
