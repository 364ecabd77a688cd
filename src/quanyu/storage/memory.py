"""Memory in large pages: looking something up all over gigabytes is, for a tenth, finding out where the page lies.

The state's pages that SQLite keeps are allocated one by one, so Linux backs them by pages of 4 KB. Once a process has
grown, what it keeps is moved into pages of 2 MB, as `madvise(MADV_COLLAPSE)` does since Linux 6.1. Elsewhere nothing
happens, and everything works as it did.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_MAPPINGS = Path("/proc/self/smaps")
_SIZES = Path("/proc/self/statm")
_COLLAPSE = 25  # MADV_COLLAPSE
_PAGE = 1 << 21
_LEAST = 1 << 25  # bytes; smaller mappings are not worth it, and each heap of glibc grows to twice as much
_GREW = 1 << 26  # bytes, after which it is worth another look
_FULL = 0.9  # a mapping with more room than this would take more memory than before


class LargePages:
    """Keeps the memory of this process in large pages, as far as it is large, in use and its own. For one thread."""

    def __init__(self) -> None:
        self._resident = 0  # bytes, when it last looked

    def step(self) -> bool:
        """Move what has come since the last time; never more to do."""
        if not _MAPPINGS.exists():
            return False
        resident = _resident()
        self._resident = min(self._resident, resident)
        if resident > self._resident + _GREW:
            for start, length in small_pages(_MAPPINGS.read_text(encoding="utf-8", errors="replace")):
                collapse(start, length)
            self._resident = resident
        return False


def small_pages(mappings: str) -> Iterator[tuple[int, int]]:
    """Address and length of what is worth moving, among the mappings of a process as Linux describes them."""
    for mapping in _mappings(mappings):
        if mapping["Size"] >= _LEAST and mapping["Rss"] >= _FULL * mapping["Size"]:
            start, end = -(-mapping["start"] // _PAGE) * _PAGE, mapping["end"] // _PAGE * _PAGE
            if mapping.get("AnonHugePages", 0) < _FULL * (end - start):
                yield start, end - start


def _mappings(text: str) -> Iterator[dict[str, int]]:
    """Of the private mappings without a file: where they `start` and `end`, and their sizes in bytes."""
    found: dict[str, int] | None = None
    for line in text.splitlines():
        name, *rest = line.split()
        if not name.endswith(":"):  # 7f10a0000000-7f10a4000000 rw-p 00000000 00:00 0    [heap]
            start, end = (int(at, 16) for at in name.split("-"))
            own = rest[0] == "rw-p" and rest[3] == "0" and rest[4:] in ([], ["[heap]"])
            found = {"start": start, "end": end} if own else None
        elif found is not None and rest[1:] == ["kB"]:
            found[name[:-1]] = int(rest[0]) << 10
        elif found is not None and name == "VmFlags:":  # the last line of each
            yield found


def collapse(start: int, length: int) -> None:
    """Move the memory from address `start` on into large pages, if the system can and has as much in one piece."""
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    advise(start, length, _COLLAPSE)  # whether or not it was done, and if the mapping is gone: the content stays


def _resident() -> int:
    return int(_SIZES.read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")
