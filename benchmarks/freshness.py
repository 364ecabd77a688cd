"""How soon an accepted event is seen, at 1,000 events a second: on the person's timeline and in an audience's count.

Beside the steady load one person does something once a second. The clock starts when that event was answered and
stops when the person's timeline shows it, and when an audience that asks for just this event counts the person.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks._product import Installation
from benchmarks.result import Result, Say

_RATE = 1000
_SIZE = 10
_CONNECTIONS = 8
_PERSON = "freshness-probe"


def run(scale: str, folder: Path, say: Say) -> Result:
    """Start the load, then probe once a second, in turns for the timeline and the audience."""
    seconds = 20 if scale == "small" else 300
    installation = Installation(folder)
    try:
        installation.start(worker=True)
        api = installation.api()
        key = installation.write_key(api, "bench")
        _send(installation, key, 0)
        person = _until(lambda: _person(api), 60)[0]
        _until(lambda: _counted(api, 0), 60)  # both ways are warm
        say("the first event is seen")
        batches = _RATE * (seconds + 10) // (_SIZE * _CONNECTIONS)
        load = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._load", "127.0.0.1", str(installation.port), key,
             str(_CONNECTIONS), str(batches), str(_SIZE), "7", str(_RATE)],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        time.sleep(5)
        timeline: list[float] = []
        audience: list[float] = []
        for number in range(1, seconds // 2 + 1):
            begun = time.perf_counter()
            _send(installation, key, number)
            watching = threading.Thread(
                target=lambda n=number: audience.append(_until(lambda: _counted(api, n), 30)[1] * 1000)
            )
            watching.start()
            timeline.append(_until(lambda n=number: _on_timeline(api, person, n), 30)[1] * 1000)
            watching.join()
            time.sleep(max(0.0, 2 - (time.perf_counter() - begun)))
        answered = json.loads(load.communicate()[0].splitlines()[-1])
    finally:
        installation.stop()
    if set(answered["statuses"]) != {"200"} or len(audience) != len(timeline):
        raise RuntimeError(f"not every event was taken or seen: {answered['statuses']}, {len(audience)} probes")
    timeline.sort()
    audience.sort()
    return Result(
        figures={
            "timeline_p50_ms": timeline[len(timeline) // 2],
            "timeline_max_ms": timeline[-1],
            "audience_p50_ms": audience[len(audience) // 2],
            "audience_max_ms": audience[-1],
            "events_per_s": answered["events"] / answered["seconds"],
        },
        ratios={},
        packages=("uvicorn", "sqlalchemy", "deltalake", "duckdb"),
        notes=(f"{len(timeline)} probes at {_RATE:,} events/s in batches of {_SIZE}; all on the same cores",),
    )


def _send(installation: Installation, key: str, number: int) -> None:
    token = base64.b64encode(f"{key}:".encode()).decode()
    connection = HTTPConnection("127.0.0.1", installation.port)
    call = {
        "userId": _PERSON,
        "event": "Probe",
        "messageId": f"probe-{number}",
        "properties": {"number": f"n{number}"},
    }
    connection.request("POST", "/v1/track", json.dumps(call), {"Authorization": f"Basic {token}"})
    if connection.getresponse().status != 200:
        raise RuntimeError("the probe was not taken")
    connection.close()


def _person(api: Any) -> str | None:
    found = api.post("/people/search", json={"q": _PERSON}).json()["items"]
    return str(found[0]["person_id"]) if found else None


def _on_timeline(api: Any, person: str, number: int) -> bool:
    shown = api.get(f"/people/{person}/timeline").json()["items"]
    return any(item["properties"].get("number") == f"n{number}" for item in shown)


def _counted(api: Any, number: int) -> bool:
    where = [{"property": "number", "operator": "eq", "value": f"n{number}"}]
    params = {"event": "Probe", "times_operator": "gte", "times": 1, "within_days": 1, "where": where}
    answer = api.post(
        "/audiences/count", json={"tree": {"type": "rule", "id": "r", "predicate": "performed", "params": params}}
    )
    answer.raise_for_status()
    return bool(answer.json()["count"] == 1)


def _until(seen: Callable[[], Any], seconds: float) -> tuple[Any, float]:
    """What `seen` gave at last, and how long that took."""
    started = time.perf_counter()
    while True:
        found = seen()
        took = time.perf_counter() - started
        if found:
            return found, took
        if took > seconds:
            raise RuntimeError("the event is not seen")
        time.sleep(0.02)
