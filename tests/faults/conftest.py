"""The library that kills, compiled once, and the processes that it kills."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.disks import compiled

ROOT = Path(__file__).resolve().parents[2]


class Mortals:
    """A server that forks a child for each order (`process.py`)."""

    def __init__(self, library: Path) -> None:
        environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.process"],
            cwd=ROOT,
            env={key: value for key, value in environment.items() if not key.startswith(("QUANYU_", "COV_"))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """What the child said, or that it was killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], 60)
        assert ready, f"no answer within 60 s: {do} {order}"
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert "error" not in answer, f"{do} {order}\n{answer['error']}"
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise


@pytest.fixture(scope="session")
def failpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`failpoints.c` as a library to preload."""
    return compiled("failpoints", tmp_path_factory.mktemp("failpoints"))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: hundreds of installations that sync all the time spare the disk.

    What a power cut loses is decided by `failpoints.c`, not by the disk.
    """
    shared = Path("/dev/shm")
    if not (os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 1 << 29):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="quanyu-", dir=shared) as folder:
        yield Path(folder)


@pytest.fixture
def mortals(failpoints: Path) -> Iterator[Callable[[], Mortals]]:
    """Makes servers of processes that may die."""
    with ExitStack() as stack:

        def make() -> Mortals:
            made = Mortals(failpoints)
            stack.callback(made.close)
            return made

        yield make
