"""Whatever is sent to any operation of the OpenAPI document, product and collector, no answer is a 500.

Schemathesis makes the requests out of the document, seeded, within a time that bounds the whole; on PostgreSQL, which
refuses more than SQLite does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.conftest import new_source
from tests.system.harness import Api, Installation

SECONDS = 60
ROOT = Path(__file__).parent.parent.parent
# They can end the session that all requests are made with: they come last.
ENDING = ("sign_out", "update_user")


@pytest.fixture
def place(tmp_path: Path, postgres_url: str) -> Iterator[Installation]:
    """An installation with a few orders in it, which nothing else looks at."""
    made = Installation(tmp_path / "data", postgres_url)
    made.folder.mkdir()
    made.init()
    try:
        made.start("server", "worker")
        yield made
    finally:
        made.stop()


def fuzz(place: Installation, api: Api, report: Path, seconds: int, *options: str) -> dict[str, Any]:
    """Run schemathesis with the session of `api`; its report. Fails with its words when a server error was found."""
    cookie = "; ".join(f"{one.name}={one.value}" for one in api.http.cookies.jar)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{place.base}/openapi.json", "--url", place.base),
            *("-H", f"Cookie: {cookie}", "-H", f"X-CSRF-Token: {api.http.headers['X-CSRF-Token']}"),
            *("--checks", "not_a_server_error", "--phases", "fuzzing", "--mode", "all", "--max-examples", "10"),
            *("--seed", "1", "--max-time", str(seconds), "--no-shrink", "--continue-on-failure", "--workers", "2"),
            *("--suppress-health-check", "all", "--warnings", "off"),
            *("--report", "json", "--report-json-path", str(report), *options),
        ],
        cwd=ROOT,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.clients.fuzz_hooks", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=seconds + 120,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(report.read_text())
    assert found["failures"] == [], done.stdout
    # An error is the tool's own: what it could not go on with, it has begun to try.
    assert found["operations"]["errored"] <= 2, done.stdout
    return found


@pytest.mark.postgres
@pytest.mark.slow
def test_no_request_to_any_operation_is_answered_with_a_server_error(place: Installation, tmp_path: Path) -> None:
    api = place.api()
    source = new_source(place, api)
    calls = [
        {
            "type": "track",
            "event": "Order Completed",
            "userId": f"u{n}",
            "messageId": f"m{n}",
            "properties": {"total": n},
        }
        for n in range(20)
    ]
    httpx.post(f"{place.base}/v1/batch", json={"batch": calls}, auth=(source.key, "")).raise_for_status()
    source.stored(20)
    document = httpx.get(f"{place.base}/openapi.json").json()
    named = {operation.get("operationId") for item in document["paths"].values() for operation in item.values()}
    assert named >= {*ENDING, "collect_batch", "collect_events", "collect_sa", "search_people"}

    without = [part for name in ENDING for part in ("--exclude-operation-id", name)]
    found = fuzz(place, api, tmp_path / "most.json", SECONDS, *without)
    assert found["operations"]["selected"] == len(named) - len(ENDING)
    assert found["operations"]["tested"] + found["operations"]["errored"] == len(named) - len(ENDING)
    assert found["test_cases"]["generated"] > 5 * len(named)
    assert api.get("/session")["user"], "the session held, so the requests were the owner's"

    only = [part for name in ENDING for part in ("--include-operation-id", name)]
    found = fuzz(place, api, tmp_path / "last.json", 5, *only)
    assert (found["operations"]["selected"], found["operations"]["tested"]) == (len(ENDING), len(ENDING))
    assert httpx.get(f"{place.base}/readyz").status_code == 200
    assert "Traceback" not in place.log("server"), place.log("server")[-4000:]
