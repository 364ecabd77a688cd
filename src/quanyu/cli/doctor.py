"""Checks of an installation, each with the way to mend it in both languages."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from quanyu.app.serving import console_built
from quanyu.kernel.errors import QuanyuError
from quanyu.kernel.settings import Settings
from quanyu.storage import migrate
from quanyu.storage.state import State
from quanyu.storage.vault import load_master_key

_ENOUGH_FREE = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, whether it holds, and what to do when it does not."""

    name: str
    ok: bool
    title: str
    remedy: str = ""

    def as_dict(self) -> dict[str, object]:
        """The finding as JSON."""
        return {"name": self.name, "ok": self.ok, "title": self.title, "remedy": self.remedy}


def examine(settings: Settings) -> list[Finding]:
    """Run every check; a check that fails never stops the others."""
    findings: list[Finding] = []
    for check in (_python, _folder, _disk, _master_key, _state, _console, _port, _time_zones):
        try:
            findings += check(settings)
        except QuanyuError as error:
            detail = error.detail or error.title
            findings.append(
                Finding(
                    check.__name__.strip("_"),
                    False,
                    f"{error.title.zh} · {error.title.en}",
                    f"{detail.zh}\n    {detail.en}",
                )
            )
    return findings


Check = Callable[[Settings], Iterator[Finding]]


def _python(_: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= (3, 11), f"Python {version}", "需要 3.11 或更新 · Needs 3.11 or newer")


def _folder(settings: Settings) -> Iterator[Finding]:
    path = settings.data_path
    path.mkdir(parents=True, exist_ok=True)
    yield Finding(
        "data_dir",
        os.access(path, os.W_OK),
        f"数据目录 · Data folder {path}",
        f"请让当前用户可写：chown/chmod {path} · Make it writable for this user",
    )


def _disk(settings: Settings) -> Iterator[Finding]:
    free = shutil.disk_usage(settings.data_path).free
    yield Finding(
        "disk",
        free > _ENOUGH_FREE,
        f"可用磁盘 · Free disk {free / 1024**3:.1f} GB",
        "至少留出 2 GB：清理磁盘或更换 QUANYU_DATA_DIR · Keep 2 GB free, or move QUANYU_DATA_DIR",
    )


def _master_key(settings: Settings) -> Iterator[Finding]:
    load_master_key(settings.master_key, settings.data_path)
    where = "QUANYU_MASTER_KEY" if settings.master_key else str(settings.data_path / "master.key")
    path = settings.data_path / "master.key"
    private = bool(settings.master_key) or path.stat().st_mode & 0o077 == 0
    yield Finding(
        "master_key",
        private,
        f"主密钥 · Master key ({where})",
        f"请收紧权限：chmod 600 {path} · Let nobody else read it: chmod 600 {path}",
    )


def _state(settings: Settings) -> Iterator[Finding]:
    state = State(settings.state_url)
    try:
        at, wanted = migrate.current(state), migrate.head()
    finally:
        state.dispose()
    yield Finding(
        "state",
        at == wanted,
        f"状态库 · State store ({state.dialect}), {at or 'empty'}",
        "运行 quanyu migrate · Run quanyu migrate",
    )


def _console(_: Settings) -> Iterator[Finding]:
    yield Finding(
        "console",
        console_built(),
        "控制台资源 · Console assets",
        "源码安装请运行 make demo；wheel 自带 · Run make demo in the source folder; a wheel carries them",
    )


def _port(settings: Settings) -> Iterator[Finding]:
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex((settings.host, settings.port)) == 0
    yield Finding(
        "port",
        not taken or _ours(settings),
        f"端口 · Port {settings.host}:{settings.port}",
        "端口被别的程序占用，请用 --port 换一个 · Another program uses it; choose another with --port",
    )


def _ours(settings: Settings) -> bool:
    import httpx

    try:
        answer = httpx.get(f"http://{settings.host}:{settings.port}/healthz", timeout=2)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and "version" in answer.text


def _time_zones(_: Settings) -> Iterator[Finding]:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo("Asia/Shanghai")
        good = True
    except ZoneInfoNotFoundError:
        good = False
    yield Finding("time_zones", good, "时区数据 · Time zone data", "pip install tzdata")
