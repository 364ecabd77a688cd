"""Ingest over HTTP in batches of 100: durable before the answer (fsync), then deduplicated and stored.

The peer is the same server that only decodes (`_decode_only`), in the same run, in turns. `events_per_s` is what was
answered durably with nothing else running; `sustained_per_s` counts until history has every event, with resolution
and deduplication beside it on the same cores; a second sending of the same bodies must store nothing.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks._product import Installation, books, free_port, wait_for
from benchmarks.result import Result, Say

_SIZE = 100
_CONNECTIONS = 8


def _load(port: int, key: str, batches: int, seed: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._load", "127.0.0.1", str(port), key,
         str(_CONNECTIONS), str(batches), str(_SIZE), str(seed)],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if set(found["statuses"]) != {"200"}:
        raise RuntimeError(f"not every batch was taken: {found['statuses']}")
    return found


def run(scale: str, folder: Path, say: Say) -> Result:
    """Rounds of the two servers in turns, then the sustained part, then everything once more."""
    rounds, batches = (3, 40) if scale == "small" else (5, 400)
    installation = Installation(folder)
    peer = subprocess.Popen([sys.executable, "-m", "benchmarks._decode_only", str(port := free_port())])
    try:
        installation.start(worker=False)
        api = installation.api()
        key = installation.write_key(api, "bench")
        wait_for(f"http://127.0.0.1:{port}/", 20)
        ours, decode, latency = [], [], []
        for number in range(rounds + 1):
            peer_run = _load(port, "k", batches, 900 + number)
            our_run = _load(installation.port, key, batches, number)
            if number:  # the first round warms both up
                decode.append(peer_run["events"] / peer_run["seconds"])
                ours.append(our_run["events"] / our_run["seconds"])
                latency.append(our_run)
            say(
                f"round {number}: {our_run['events'] / our_run['seconds']:,.0f} events/s, "
                f"decode only {peer_run['events'] / peer_run['seconds']:,.0f}"
            )
        sent = (rounds + 1) * batches * _CONNECTIONS * _SIZE
        installation.spawn("quanyu", "worker")
        started = time.perf_counter()
        _settle(api, sent)
        drained = sent / (time.perf_counter() - started)
        say(f"drained at {drained:,.0f} events/s")
        started = time.perf_counter()
        _load(installation.port, key, batches * 2, 50)
        total = sent + batches * 2 * _CONNECTIONS * _SIZE
        _settle(api, total)
        sustained = (total - sent) / (time.perf_counter() - started)
        _load(installation.port, key, batches, 1)  # the same bodies as in round 1
        again = batches * _CONNECTIONS * _SIZE
        _settle(api, total + again)
        last = books(api, "bench")
        if (last["stored"], last["duplicate"], last["quarantined"]) != (total, again, 0):
            raise RuntimeError(f"the books are wrong: {last}")
    finally:
        installation.stop()
        peer.terminate()
        peer.wait()
    rate, bare = statistics.median(ours), statistics.median(decode)
    return Result(
        figures={
            "events_per_s": rate,
            "decode_only_per_s": bare,
            "p50_ms": statistics.median(item["p50_ms"] for item in latency),
            "p99_ms": statistics.median(item["p99_ms"] for item in latency),
            "drain_per_s": drained,
            "sustained_per_s": sustained,
        },
        ratios={"vs_decode": rate / bare},
        packages=("uvicorn", "msgspec", "starlette"),
        notes=("load generator, server and worker share the machine's cores",),
        details={"events": total, "duplicates_sent_and_refused": again},
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
