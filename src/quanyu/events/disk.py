"""The few things that the log asks of a disk, in one place so that a test can make each of them fail."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Disk:
    """Files as the operating system has them. Every method may raise OSError."""

    def create(self, path: Path) -> int:
        """A new, empty file open for writing, its name durable in its folder."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            self.sync_folder(path.parent)
        except OSError:
            os.close(handle)
            raise
        return handle

    def write(self, handle: int, data: bytes) -> None:
        """All of `data` at the end of the file."""
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]

    def sync(self, handle: int) -> None:
        """Return once what was written is on the disk."""
        os.fdatasync(handle) if hasattr(os, "fdatasync") else os.fsync(handle)

    def truncate(self, path: Path, length: int) -> None:
        """Cut the file to `length` bytes, durably."""
        handle = os.open(path, os.O_WRONLY)
        try:
            os.ftruncate(handle, length)
            self.sync(handle)
        finally:
            os.close(handle)

    def close(self, handle: int) -> None:
        """Let go of the file."""
        os.close(handle)

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder durable."""
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def free(self, path: Path) -> int:
        """Bytes that an ordinary user may still write on the disk of `path`."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize


def lock(path: Path) -> int | None:
    """Lock `path` for as long as the returned handle is open; None when another process has it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
