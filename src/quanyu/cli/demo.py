"""The demonstration: one command that prepares data once, then runs the product, its worker and the sandbox."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import httpx
from rich.console import Console

from quanyu.cli.demo_facts import FACTS_FILE, Facts, Language, Login, read_facts, read_login
from quanyu.cli.demo_seed import seed
from quanyu.kernel.errors import Conflict, Unavailable
from quanyu.kernel.label import Label
from quanyu.kernel.settings import Settings

_PATIENCE = 90.0
_OPENING = 240  # customers who come in the first minute, so that there is life to look at


def run(
    folder: Path,
    *,
    host: str | None,
    port: int | None,
    sandbox_port: int,
    language: Language,
    reset: bool,
    out: Console,
) -> None:
    """Prepare the demonstration in `folder` if that was not done yet, start everything, and stay until Ctrl-C.

    `language` is what its journeys, audiences and templates are written in; it counts when they are made.
    """
    folder = folder.absolute()
    if reset and folder.exists():
        if not (folder / FACTS_FILE).is_file():
            raise Conflict(
                "not_a_demo",
                Label("这个目录不是演示数据，不会清空", "This folder holds no demo; it will not be emptied"),
                detail=Label(str(folder), str(folder)),
            )
        shutil.rmtree(folder)
    settings = Settings.load(
        overrides={
            "data_dir": str(folder),
            "host": host,
            "port": port,
            "demo": True,
            "allow_private_urls": True,
            "sandbox_url": f"http://127.0.0.1:{sandbox_port}",
        }
    )
    for wanted in (settings.port, sandbox_port):
        _refuse_taken(settings.host, wanted)
    login, facts = read_login(folder), read_facts(folder)
    if login is None or facts is None or not facts.prepared:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # made or not, they are customers' data
        login, facts = seed(settings, language, out)
    _Processes(folder, settings, login, facts, sandbox_port, out).run()


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex((host, port)) == 0:
            raise Conflict(
                "port_taken",
                Label(f"端口 {port} 已被占用", f"Port {port} is in use"),
                detail=Label("请用 --port / --sandbox-port 换一个", "Choose another with --port / --sandbox-port"),
            )


class _Processes:
    """The server, the worker and the sandbox as children that end together."""

    def __init__(
        self, folder: Path, settings: Settings, login: Login, facts: Facts, sandbox_port: int, out: Console
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._login = login
        self._facts = facts
        self._sandbox_port = sandbox_port
        self._out = out
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._ending = False

    def run(self) -> None:
        """Start, say so, wait; stop everything on Ctrl-C or when a child dies."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)
        try:
            self._start_all()
            self._announce()
            while not self._ending:
                dead = [name for name, child in self._children.items() if child.poll() is not None]
                if dead:
                    raise Unavailable(
                        "process_died",
                        Label(f"进程 {dead[0]} 意外退出", f"Process {dead[0]} ended unexpectedly"),
                        detail=Label(f"日志 {self._log(dead[0])}", f"Its log: {self._log(dead[0])}"),
                    )
                time.sleep(0.5)
        finally:
            self._stop_all()

    def _start_all(self) -> None:
        product = f"http://{self._settings.host}:{self._settings.port}"
        environment = {
            **os.environ,
            "QUANYU_DATA_DIR": str(self._folder),
            "QUANYU_HOST": str(self._settings.host),
            "QUANYU_PORT": str(self._settings.port),
            "QUANYU_DEMO": "true",
            "QUANYU_ALLOW_PRIVATE_URLS": "true",
            "QUANYU_SANDBOX_URL": str(self._settings.sandbox_url),
        }
        self._spawn("server", [sys.executable, "-m", "quanyu", "serve"], environment)
        self._spawn("worker", [sys.executable, "-m", "quanyu", "worker"], environment)
        sandbox = [
            sys.executable, "-m", "quanyu_sandbox", "--port", str(self._sandbox_port),
            "--data", str(self._folder / "sandbox"), "--auto", "--speed", "60", "--opening", str(_OPENING),
            "--callback-url", f"{product}/callbacks/{self._facts.connection}",
            "--collector-url", product, "--api-url", product,
        ]  # fmt: skip
        # Secrets travel in the environment: arguments can be read by every user of the machine.
        self._spawn("sandbox", sandbox, {**environment, **self._facts.sandbox_environment()})
        self._await(f"{product}/readyz")
        self._await(f"{self._settings.sandbox_url}/sandbox/stats")
        self._move_in()

    def _move_in(self) -> None:
        """Bring the goods and the virtual customers to the sandbox, once."""
        stats = httpx.get(f"{self._settings.sandbox_url}/sandbox/stats", timeout=30).json()
        if stats.get("customers"):
            return
        for name, key in (("catalogue", "products"), ("customers", "customers")):
            rows = json.loads((self._folder / f"{name}.json").read_text(encoding="utf-8"))
            address = f"{self._settings.sandbox_url}/sandbox/{name}"
            httpx.post(address, json={key: rows}, timeout=120).raise_for_status()

    def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with self._log(name).open("ab") as target:
            self._children[name] = subprocess.Popen(  # noqa: S603 - our own program and arguments
                command, env=environment, stdout=target, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _log(self, name: str) -> Path:
        folder = self._folder / "logs"
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.log"

    def _await(self, address: str) -> None:
        limit = time.monotonic() + _PATIENCE
        while time.monotonic() < limit and not self._ending:
            try:
                if httpx.get(address, timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if any(child.poll() is not None for child in self._children.values()):
                break
            time.sleep(0.1)
        raise Unavailable(
            "start_failed",
            Label("启动失败", "The product did not start"),
            detail=Label(f"请看日志目录 {self._folder / 'logs'}", f"See the logs in {self._folder / 'logs'}"),
        )

    def _announce(self) -> None:
        login = self._login
        self._out.print(
            f"登录 · sign in: [bold]{login.username}[/] / [bold]{login.password}[/]   "
            f"（其他角色同一密码 · other roles, same password: {', '.join(login.others)}）"
        )
        self._out.print(f"顾客手机 · customers' phones: {self._settings.sandbox_url}/phone")
        self._out.print("停止 · stop: Ctrl-C")
        print(f"ready http://{self._settings.host}:{self._settings.port}", flush=True)  # noqa: T201 - one plain line

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._ending = True

    def _stop_all(self) -> None:
        for child in self._children.values():
            if child.poll() is None:
                child.terminate()
        for child in self._children.values():
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
