"""Small file systems for the tests: mounted where that is allowed, in a user namespace, or kept small by a library.

The first way that this machine allows is taken, so that no machine leaves the tests out; QUANYU_TEST_SMALL_DISK
(`mount`, `namespace`, `quota`) asks for one. Whatever the way, a disk is a folder to look into, what commands must be
started with to see it as small, and the filling and emptying of it.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_ASKED = "QUANYU_TEST_SMALL_DISK"
_BLOCK = 4096


@dataclass(frozen=True)
class SmallDisk:
    """`path` is where processes see it, `seen` where the test does."""

    path: Path
    seen: Path
    bytes: int
    prefix: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    counted: bool = False  # not a file system: what is left is counted here as the library does it

    def free(self) -> int:
        """Bytes that may still be written."""
        if not self.counted:
            found = os.statvfs(self.seen)
            return found.f_bavail * found.f_frsize
        sizes = (_size(path) for path in self.seen.rglob("*"))
        return max(0, self.bytes - sum(-(-size // _BLOCK) * _BLOCK for size in sizes))

    def fill(self) -> None:
        """Take what room there is, to the last block."""
        with (self.seen / "ballast").open("ab", buffering=0) as file:
            while self.counted and (free := self.free()) >= _BLOCK:
                file.truncate(file.tell() + free)
                file.seek(0, os.SEEK_END)
            chunk = b"" if self.counted else bytes(1 << 20)
            while chunk:
                try:
                    file.write(chunk)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    chunk = chunk[: len(chunk) // 2]
        assert self.free() < 1 << 16

    def empty(self) -> None:
        """Give the room back."""
        (self.seen / "ballast").unlink()


def _size(path: Path) -> int:
    try:
        return 0 if path.is_dir() else path.stat().st_size
    except FileNotFoundError:  # gone since it was listed
        return 0


class NotAllowed(Exception):
    """This machine does not allow this way, and what it said."""


@contextmanager
def mounted(place: Path, size: int) -> Iterator[SmallDisk]:
    """A tmpfs, for whoever may mount."""
    done = _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    if done:
        raise NotAllowed(done)
    try:
        yield SmallDisk(place, place, size)
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def in_a_namespace(place: Path, size: int) -> Iterator[SmallDisk]:
    """A tmpfs in a user namespace that a process of its own keeps open."""
    script = f'mount -t tmpfs -o size={size} tmpfs "$0" && echo mounted && exec cat'
    try:
        keeper = subprocess.Popen(
            ["unshare", "-Urm", "sh", "-c", script, str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise NotAllowed(str(error)) from error
    try:
        assert keeper.stdout is not None
        if keeper.stdout.readline() != b"mounted\n":
            raise NotAllowed((keeper.communicate()[1] or b"").decode())
        enter = ("nsenter", "-t", str(keeper.pid), "-U", "-m", "--preserve-credentials", f"--wd={Path.cwd()}")
        if done := _run(*enter, "true"):
            raise NotAllowed(done)
        yield SmallDisk(place, Path(f"/proc/{keeper.pid}/root{place}"), size, enter)
    finally:
        keeper.kill()
        keeper.communicate()


@contextmanager
def with_a_quota(place: Path, size: int) -> Iterator[SmallDisk]:
    """A folder that a preloaded library (`quota.c`) keeps small."""
    library = compiled("quota", place.parent)
    environment = {"LD_PRELOAD": str(library), "QUOTA_FOLDER": str(place), "QUOTA_BYTES": str(size)}
    yield SmallDisk(place, place, size, environment=environment, counted=True)


WAYS: dict[str, Callable[[Path, int], object]] = {
    "mount": mounted,
    "namespace": in_a_namespace,
    "quota": with_a_quota,
}


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[SmallDisk]:
    """A new disk of `size` bytes at `place`, in the first way that this machine allows."""
    place.mkdir()
    asked = os.environ.get(_ASKED)
    refused = []
    for name in [asked] if asked else WAYS:
        try:
            with WAYS[name](place, size) as disk:  # type: ignore[attr-defined]
                yield disk
                return
        except NotAllowed as error:
            refused.append(f"{name}: {error}")
    raise AssertionError(f"no small file system can be had here: {refused}")


def compiled(name: str, folder: Path) -> Path:
    """`<name>.c` beside this file as a library to preload."""
    assert sys.platform == "linux", "preloading a library needs Linux: run the tests in a Linux container"
    given = next((found for one in ("cc", "gcc", "clang") if (found := shutil.which(one))), None)
    compiler = [given] if given else [sys.executable, "-m", "ziglang", "cc"]
    library = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    subprocess.run([*compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-lpthread"], check=True)
    return library


def _run(*command: str) -> str:
    """What a command that failed said; empty when it did not."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return str(error)
    return (done.stderr or f"exit code {done.returncode}") if done.returncode else ""
