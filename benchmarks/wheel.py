"""One turn of the wheel: from an accepted event to the call of the channel, at 200 events a second.

A journey (event -> send on a webhook) runs; each event is one request of one person, paced. The clock starts when the
event's request was answered (it is durable then) and stops when the receiver has the message that names this person.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks._product import Installation, free_port
from benchmarks.result import Result, Say

_RATE = 200
_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class _Receiver(ThreadingHTTPServer):
    """Remembers when each address was first named, and how often."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.first: dict[str, float] = {}
        self.calls = 0
        self.repeated = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        now = time.perf_counter()
        server = self.server
        assert isinstance(server, _Receiver)
        server.calls += 1
        for recipient in body["data"].get("recipients", []):
            if recipient["address"] in server.first:
                server.repeated += 1
            server.first.setdefault(recipient["address"], now)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


def run(scale: str, folder: Path, say: Say) -> Result:
    """Prepare people with consent, publish the journey, send paced events, match calls with events."""
    seconds = 10 if scale == "small" else 120
    people = _RATE * seconds
    receiver = _Receiver(free_port())
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    installation = Installation(folder)
    try:
        installation.start(worker=True)
        api = installation.api()
        key = installation.write_key(api, "bench")
        _people(installation, api, key, people)
        say(f"{people:,} people with consent")
        _journey(api, f"http://127.0.0.1:{receiver.server_address[1]}/")
        accepted = _paced(installation, key, people, seconds)
        limit = time.monotonic() + 60
        while len(receiver.first) < people and time.monotonic() < limit:
            time.sleep(0.1)
        say(f"{len(receiver.first):,} of {people:,} reached the channel in {receiver.calls:,} calls")
        if len(receiver.first) != people or receiver.repeated:
            raise RuntimeError(f"{len(receiver.first)} of {people} arrived, {receiver.repeated} twice")
        took = sorted((receiver.first[name] - accepted[name]) * 1000 for name in accepted)
    finally:
        installation.stop()
        receiver.shutdown()
    return Result(
        figures={
            "p50_ms": took[len(took) // 2],
            "p99_ms": took[int(len(took) * 0.99)],
            "max_ms": took[-1],
            "events_per_s": _RATE,
            "channel_calls": receiver.calls,
        },
        ratios={},
        packages=("uvicorn", "sqlalchemy"),
        notes=("single-event requests, generator, receiver, server and worker on the same cores; state on SQLite",),
    )


def _people(installation: Installation, api: Any, key: str, people: int) -> None:
    for start in range(0, people, 100):
        given = {"purpose": "marketing", "channel": "webhook", "notice_version": "1"}
        calls = [
            {
                "type": "track",
                "event": "consent_granted",
                "messageId": f"consent-{number}",
                "userId": f"u{number}",
                "properties": given,
            }
            for number in range(start, min(start + 100, people))
        ]
        _post(HTTPConnection("127.0.0.1", installation.port), key, {"batch": calls})
    limit = time.monotonic() + 120
    while True:
        rows = api.get("/consent/summary").json()["items"]
        granted = sum(row["granted"] for row in rows if (row["purpose"], row["channel"]) == ("marketing", "webhook"))
        if granted >= people:
            return
        if time.monotonic() > limit:
            raise RuntimeError(f"consent of {granted} of {people}")
        time.sleep(0.2)


def _journey(api: Any, url: str) -> None:
    config = {"url": url, "secret": _SECRET, "namespace": "user_id"}
    body = {"kind": "webhook", "connection": "hook", "name": "hook", "config": config}
    _ok(api.post("/connections", json=body))
    template = _ok(api.post("/templates", json={"name": "t", "kind": "text", "text": "hello"}))["template_id"]

    def node(name: str, kind: str, **settings: Any) -> dict[str, Any]:
        return {"id": name, "kind": kind, "config": settings, "position": {"x": 0, "y": 0}}

    graph = {
        "nodes": [
            node("in", "trigger", on="event", event="product_added_to_cart", where=[]),
            node("send", "send", connection="hook", template_id=template, coupon_id=None),
            node("out", "exit"),
        ],
        "edges": [
            {"id": "1", "from": "in", "port": "next", "to": "send"},
            {"id": "2", "from": "send", "port": "next", "to": "out"},
        ],
    }
    settings = {"holdout_percent": 0, "reentry": {"rule": "once"}, "category": "marketing", "purpose": "marketing"}
    made = _ok(api.post("/journeys", json={"name": "wheel", "graph": graph, "settings": settings}))
    _ok(api.post(f"/journeys/{made['journey_id']}/publish", json={}))


def _ok(answer: Any) -> Any:
    if answer.status_code >= 300:
        raise RuntimeError(answer.text)
    return answer.json()


def _paced(installation: Installation, key: str, people: int, seconds: int) -> dict[str, float]:
    """One request per person at the rate; when each was answered."""
    accepted: dict[str, float] = {}
    lanes = 4
    begin = time.perf_counter() + 0.5

    def send(lane: int) -> None:
        connection = HTTPConnection("127.0.0.1", installation.port)
        for number in range(lane, people, lanes):
            due = begin + number * seconds / people
            time.sleep(max(0.0, due - time.perf_counter()))
            call = {
                "type": "track", "event": "Product Added", "messageId": f"cart-{number}", "userId": f"u{number}",
                "properties": {"product_id": "sku-1"},
            }  # fmt: skip
            _post(connection, key, {"batch": [call]})
            accepted[f"u{number}"] = time.perf_counter()

    threads = [threading.Thread(target=send, args=(lane,)) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return accepted


def _post(connection: HTTPConnection, key: str, body: Any) -> None:
    token = base64.b64encode(f"{key}:".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/batch", json.dumps(body).encode(), headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"not taken: {answer.status}")
