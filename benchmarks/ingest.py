"""Ingest over HTTP: durable before the answer (fsync), then deduplicated, resolved and stored.

Three questions. Batches of 100: what is answered durably, beside the same server that only decodes (`vs_decode`).
Single events: beside the same server that answers a constant (`vs_constant`). And what holds: a steady rate for a
while with the worker resolving, storing and compacting on the same cores; `sustained_per_s` counts from the first
request until history has the last event. A second sending of the same ids must store nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks._product import Installation, books, free_port, wait_for
from benchmarks.result import Result, Say

# Enough for both servers to be busy all the time: with fewer, what is measured is how long one sync takes.
_CONNECTIONS = 32
_SINGLE_CONNECTIONS = 64
_BATCH = 100
# scale -> rounds, batches per connection and round, single requests per connection and round, steady events/s, seconds
_SCALES = {"small": (3, 30, 100, 30_000, 12), "full": (5, 150, 1000, 31_000, 600)}


def _load(port: int, key: str, batches: int, size: int, seed: int, rate: int = 0) -> dict[str, Any]:
    connections = _CONNECTIONS if size > 1 else _SINGLE_CONNECTIONS
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._load", "127.0.0.1", str(port), key,
         str(connections), str(batches), str(size), str(seed), str(rate)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if set(found["statuses"]) != {"200"}:
        raise RuntimeError(f"not every request was taken: {found['statuses']}")
    found["per_s"] = found["events"] / found["seconds"]
    return found


def run(scale: str, folder: Path, say: Say) -> Result:
    """Rounds of the servers in turns, then the steady part, then the first ids once more."""
    rounds, batches, singles, rate, seconds = _SCALES[scale]
    installation = Installation(folder)
    peer = subprocess.Popen([sys.executable, "-m", "benchmarks._decode_only", str(port := free_port())])
    seen: dict[str, list[dict[str, Any]]] = {name: [] for name in ("ours", "decode", "single", "constant")}
    try:
        installation.start(worker=False)
        api = installation.api()
        key = installation.write_key(api, "bench")
        wait_for(f"http://127.0.0.1:{port}/", 20)
        for number in range(rounds + 1):
            turn = {
                "decode": _load(port, "k", batches, _BATCH, 900 + number),
                "ours": _load(installation.port, key, batches, _BATCH, number),
                "constant": _load(port, "k", singles, 1, 900 + number),
                "single": _load(installation.port, key, singles, 1, 100 + number),
            }
            for name, found in turn.items() if number else ():  # the first round warms everything up
                seen[name].append(found)
            say(f"round {number}: " + ", ".join(f"{name} {found['per_s']:,.0f}/s" for name, found in turn.items()))
        sent = (rounds + 1) * (_CONNECTIONS * batches * _BATCH + _SINGLE_CONNECTIONS * singles)
        installation.spawn("quanyu", "worker")
        _settle(api, sent)
        say("the worker has caught up")

        before, started = installation.cpu_seconds(), time.perf_counter()
        steady_batches = rate * seconds // (_BATCH * _CONNECTIONS)
        steady = _load(installation.port, key, steady_batches, _BATCH, 50, rate)
        behind = books(api, "bench")["pending"]
        sent += steady["events"]
        _settle(api, sent)
        took = time.perf_counter() - started
        used = {name: spent - before.get(name, 0.0) for name, spent in installation.cpu_seconds().items()}
        say(f"steady at {rate:,}/s: {steady['events'] / took:,.0f}/s stored, {behind:,} behind at the end")

        again = _load(installation.port, key, batches, _BATCH, 1)["events"]
        _settle(api, sent + again)
        last = books(api, "bench")
        if (last["stored"], last["duplicate"], last["quarantined"]) != (sent, again, 0):
            raise RuntimeError(f"the books are wrong: {last}")
    finally:
        installation.stop()
        peer.terminate()
        peer.wait()

    def median(name: str, figure: str = "per_s") -> float:
        return statistics.median(found[figure] for found in seen[name])

    return Result(
        figures={
            "events_per_s": median("ours"),
            "decode_only_per_s": median("decode"),
            "p50_ms": median("ours", "p50_ms"),
            "p99_ms": median("ours", "p99_ms"),
            "single_per_s": median("single"),
            "constant_per_s": median("constant"),
            "sustained_per_s": steady["events"] / took,
            "sustained_p99_ms": steady["p99_ms"],
            "behind_at_end": behind,
            **{f"cpu_us_per_event_{name}": spent / steady["events"] * 1e6 for name, spent in used.items()},
            "cpu_us_per_event_load": steady["cpu_seconds"] / steady["events"] * 1e6,
        },
        ratios={
            "vs_decode": median("ours") / median("decode"),
            "vs_constant": median("single") / median("constant"),
        },
        packages=("uvicorn", "msgspec", "starlette"),
        notes=(
            "load generator, server, worker and its decoder share the machine's cores",
            f"sustained: {rate:,} events/s offered for {seconds} s",
        ),
        details={"events": sent, "duplicates_sent_and_refused": again, "cores": os.cpu_count()},
    )


def _settle(api: Any, wanted: int, seconds: float = 600) -> None:
    """Until the books have `wanted` events."""
    limit = time.monotonic() + seconds
    while True:
        found = books(api, "bench")
        if found["accepted"] >= wanted and not found["pending"]:
            return
        if time.monotonic() > limit:
            raise RuntimeError(f"the worker did not finish: {found}")
        time.sleep(0.1)
