"""A whole installation as a user would run it: `quanyu init`, server, worker and sandbox as processes.

Nothing of quanyu is imported here: everything goes through the command line and HTTP.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

PASSWORD = "a long enough password"
T = TypeVar("T")

CORP_ID = "ww0123456789abcdef"
CORP_SECRET = "sandbox-corp-secret"
CALLBACK_TOKEN = "QDG6eK"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(what: str, look: Callable[[], T], *, within: float = 90.0, every: float = 0.1) -> T:
    """What `look` returns once it is true; fails with the last answer when it never is."""
    limit = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > limit:
            raise AssertionError(f"{what}: still {found!r} after {within} s")
        time.sleep(every)


class Api:
    """A signed-in console session, or an API client."""

    def __init__(self, base: str, *, key: str | None = None, language: str = "zh") -> None:
        headers = {"Accept-Language": language}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self.http = httpx.Client(base_url=f"{base}/api/v1", headers=headers, timeout=60)

    def sign_in(self, username: str, password: str = PASSWORD) -> dict[str, Any]:
        session = self.ok(self.http.post("/session", json={"username": username, "password": password}))
        self.http.headers["X-CSRF-Token"] = session["csrf"]
        return session

    @staticmethod
    def ok(answer: httpx.Response) -> Any:
        assert answer.status_code < 300, (
            f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
        )
        return answer.json() if answer.content else None

    def get(self, path: str, **query: Any) -> Any:
        return self.ok(self.http.get(path, params={k: v for k, v in query.items() if v is not None}))

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.ok(self.http.post(path, json=body, headers=headers))

    def put(self, path: str, body: Any, **headers: str) -> Any:
        return self.ok(self.http.put(path, json=body, headers=headers))


class Installation:
    """Processes of one installation in one folder."""

    def __init__(self, folder: Path, database_url: str | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.sandbox_port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.sandbox = f"http://127.0.0.1:{self.sandbox_port}"
        self.environment = {
            **os.environ,
            "QUANYU_DATA_DIR": str(folder),
            "QUANYU_PORT": str(self.port),
            "QUANYU_ALLOW_PRIVATE_URLS": "true",
            "PYTHONWARNINGS": "ignore",
        }
        if database_url:
            self.environment["QUANYU_DATABASE_URL"] = database_url
        self.extra: dict[str, dict[str, str]] = {}  # more variables of a process
        self.prefix: tuple[str, ...] = ()  # what every command is started with
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of `quanyu` to its end."""
        done = subprocess.run(
            [*self.prefix, sys.executable, "-m", "quanyu", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"quanyu {' '.join(arguments)}: {done.stdout}\n{done.stderr}"
        return done

    def init(self) -> None:
        self.run("init", "--password", PASSWORD, "--brand", "main", "--name", "测试品牌")

    def start(self, *names: str) -> None:
        """Start `server`, `worker` or `sandbox`; the server and the sandbox are awaited."""
        for name in names:
            self.spawn(name)
        if "server" in names:
            self.await_ready()
        if "sandbox" in names:
            eventually("the sandbox answers", lambda: self._answers(f"{self.sandbox}/sandbox/stats"))

    def await_ready(self) -> None:
        eventually("the server is ready", lambda: self._answers(f"{self.base}/readyz"), within=180)

    def spawn(self, name: str) -> None:
        """Start one process and wait for nothing."""
        commands = {
            "server": ["-m", "quanyu", "serve"],
            "worker": ["-m", "quanyu", "worker"],
            "sandbox": [
                "-m",
                "quanyu_sandbox",
                "--port",
                str(self.sandbox_port),
                "--data",
                str(self.folder / "sandbox"),
            ],
        }
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [*self.prefix, sys.executable, *commands[name]],
            env={**self.environment, **self.extra.get(name, {})},
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    @staticmethod
    def _answers(address: str) -> bool:
        try:
            return httpx.get(address, timeout=10).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self, name: str) -> None:
        """End a process as a power cut would."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, f"{name} had ended by itself:\n{self.log(name)[-4000:]}"

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    def api(self, language: str = "zh") -> Api:
        """The owner's session."""
        api = Api(self.base, language=language)
        api.sign_in("owner")
        return api

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
