"""An installation for a benchmark: real processes in a folder of their own, spoken to over HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

_PASSWORD = "a long enough password"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Installation:
    """Set up with `quanyu init`; `start` runs a server and, when asked, a worker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "QUANYU_DATA_DIR": str(folder),
            "QUANYU_PORT": str(self.port),
            "QUANYU_ALLOW_PRIVATE_URLS": "true",
            "QUANYU_LOG_LEVEL": "warning",
        }
        self._children: list[subprocess.Popen[bytes]] = []
        self._quanyu("init", "--password", _PASSWORD)

    def _quanyu(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "quanyu", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    def spawn(self, *command: str, environment: dict[str, str] | None = None) -> None:
        """Run a child process until `stop`."""
        log = (self.folder / "children.log").open("ab")
        self._children.append(
            subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**self._environment, **(environment or {})},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        )

    def start(self, *, worker: bool) -> None:
        """Run the server (and a worker) and wait until it is ready."""
        self.spawn("quanyu", "serve")
        if worker:
            self.spawn("quanyu", "worker")
        wait_for(f"{self.base}/readyz")

    def api(self) -> httpx.Client:
        """The owner's session."""
        client = httpx.Client(base_url=f"{self.base}/api/v1", timeout=60)
        session = client.post("/session", json={"username": "owner", "password": _PASSWORD})
        session.raise_for_status()
        client.headers["X-CSRF-Token"] = session.json()["csrf"]
        return client

    def write_key(self, api: httpx.Client, source: str) -> str:
        """A new source's write key."""
        made = api.post("/sources", json={"source": source, "name": {"zh": source, "en": source}, "kind": "sdk"})
        made.raise_for_status()
        return str(made.json()["write_key"])

    def cpu_seconds(self) -> dict[str, float]:
        """What each child and the processes that it started have used of the processors so far."""
        found: dict[str, float] = {}
        for child in self._children:
            name = str(child.args[3])  # type: ignore[index]
            processes = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
            used = [process.cpu_times() for process in processes]
            found[name] = found.get(name, 0.0) + sum(times.user + times.system for times in used)
        return found

    def stop(self) -> None:
        """End every child."""
        for child in self._children:
            child.terminate()
        for child in self._children:
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
        self._children.clear()


def wait_for(address: str, seconds: float = 60) -> None:
    """Until the address answers 200."""
    limit = time.monotonic() + seconds
    while True:
        try:
            if httpx.get(address, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > limit:
            raise RuntimeError(f"{address} does not answer")
        time.sleep(0.1)


def books(api: httpx.Client, source: str) -> dict[str, Any]:
    """A source's books."""
    found: dict[str, Any] = next(item for item in api.get("/sources").json()["items"] if item["source"] == source)
    return found
