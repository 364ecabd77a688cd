"""Clients that may be killed, and the proof that what they sent is there exactly once."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import deltalake
import pyarrow.compute as pc

from tests.system.harness import Api, Installation, eventually

SIZE = 200


class Clients:
    """Client processes; a new one goes on with what the killed one remembers."""

    def __init__(self, folder: Path, port: int, key: str, batches: int, clients: int = 3) -> None:
        self.folder, self._arguments = folder, (str(port), key)
        self._batches, self._clients = batches, clients
        folder.mkdir()
        self.allow(0)
        self._processes = [self._begin(number) for number in range(clients)]

    def _begin(self, number: int) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("client.py")
        arguments = [str(self.folder), *self._arguments, str(number), str(self._clients), str(self._batches), str(SIZE)]
        return subprocess.Popen([sys.executable, str(script), *arguments])

    def allow(self, share: float) -> None:
        """Let this share of the batches be sent."""
        draft = self.folder / "allowed.draft"
        draft.write_text(str(round(share * self._batches)))
        draft.replace(self.folder / "allowed")

    def accepted(self) -> int:
        """How many batches were answered with success."""
        return sum(len(path.read_text().split()) for path in self.folder.glob("accepted-*"))

    def kill(self, number: int) -> None:
        """End one as a power cut would, and begin it again."""
        self._processes[number].send_signal(signal.SIGKILL)
        assert self._processes[number].wait() == -signal.SIGKILL, "it had ended by itself"
        self._processes[number] = self._begin(number)

    def lies(self) -> str:
        """Answers that are neither a success nor an honest refusal."""
        path = self.folder / "lies"
        return path.read_text() if path.exists() else ""

    def wait(self, seconds: float) -> None:
        """Until every batch was accepted."""
        for process in self._processes:
            assert process.wait(seconds) == 0

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def source_key(place: Installation) -> str:
    """The write key of a new source `load`."""
    source = {"source": "load", "name": {"zh": "压测", "en": "Load"}, "kind": "sdk"}
    return str(place.api().post("/sources", source)["write_key"])


def account(owner: Api, folder: Path, events: int, *, within: float = 180) -> dict[str, Any]:
    """Every event is stored once, in the books and in history; the books, which explain every other arrival."""

    def closed() -> dict[str, Any] | None:
        (books,) = [one for one in owner.get("/sources")["items"] if one["source"] == "load"]
        return books if books["accepted"] >= events and books["pending"] == 0 else None

    books = eventually("the log is worked off", closed, within=within, every=0.5) or {}
    assert books["balanced"]
    assert (books["stored"], books["quarantined"]) == (events, 0)
    assert books["accepted"] == events + books["duplicate"]

    def history() -> list[str]:
        with _reachable(folder / "history" / "events") as root:
            table = deltalake.DeltaTable(str(root)).to_pyarrow_table(columns=["source", "event_id"])
        return table.filter(pc.equal(table["source"], "load"))["event_id"].to_pylist()

    stored = eventually("history has them", lambda: found if len(found := history()) >= events else None, within=60)
    assert stored is not None
    assert len(stored) == len(set(stored)) == events
    assert set(stored) == {f"e{number}" for number in range(events)}
    return books


@contextmanager
def _reachable(table: Path) -> Iterator[Path]:
    """The table as delta-rs can open it: it resolves every link, so one in another namespace is copied out first."""
    if not table.is_relative_to("/proc"):
        yield table
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "events"
        shutil.copytree(table / "_delta_log", copy / "_delta_log")  # first: what it names stays for hours
        shutil.copytree(table, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("_delta_log"))
        yield copy
