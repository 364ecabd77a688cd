"""Memory in large pages: which mappings are moved, and that nothing but their pages changes."""

from __future__ import annotations

import ctypes
import mmap
import platform
import re
from pathlib import Path

import pytest

from quanyu.storage import memory
from quanyu.storage.memory import LargePages, collapse, small_pages

_MB = 1 << 20


def mapping(start: int, size: int, *, own: str = "rw-p 00000000 00:00 0", resident: int, large: int = 0) -> str:
    """A mapping as `/proc/self/smaps` describes it; sizes in megabytes."""
    return (
        f"{start:x}-{start + size * _MB:x} {own}\n"
        f"Size:           {size * 1024:>8} kB\n"
        "KernelPageSize:        4 kB\n"
        f"Rss:            {resident * 1024:>8} kB\n"
        f"AnonHugePages:  {large * 1024:>8} kB\n"
        "THPeligible:           1\n"
        "VmFlags: rd wr mr mw me ac sd\n"
    )


def test_what_is_large_in_use_and_our_own_is_moved() -> None:
    start = 0x7F0000000000
    for one, moved in (
        (mapping(start, 64, resident=60), True),
        (mapping(start, 64, own="rw-p 00000000 00:00 0       [heap]", resident=60), True),
        (mapping(start, 64, resident=50), False),  # it would take more memory than before
        (mapping(start, 16, resident=16), False),
        (mapping(start, 64, resident=64, large=62), False),  # it is there already
        (mapping(start, 64, resident=64, large=32), True),
        (mapping(start, 64, own="rw-s 00000000 00:01 77      /dev/zero (deleted)", resident=64), False),
        (mapping(start, 64, own="r--p 00000000 fe:00 1234    /data/state.sqlite", resident=64), False),
        (mapping(start, 64, own="rw-p 00000000 00:00 0       [stack]", resident=64), False),
    ):
        assert list(small_pages(one)) == ([(start, 64 * _MB)] if moved else []), one


def test_only_whole_large_pages_are_moved() -> None:
    text = mapping(0x7F0000001000, 64, resident=64) + mapping(0x7F1000000000, 128, resident=128)
    assert list(small_pages(text)) == [(0x7F0000200000, 62 * _MB), (0x7F1000000000, 128 * _MB)]


def test_what_lies_in_moved_memory_stays_and_no_other_memory_is_taken() -> None:
    size = 64 * _MB
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        for at in range(0, size, 4096):
            held[at : at + 8] = at.to_bytes(8, "little")
        place = ctypes.c_char.from_buffer(held)
        start = -(-ctypes.addressof(place) // (2 * _MB)) * 2 * _MB
        before = _said(start)
        for _ in range(10):  # it waits for nobody who holds a page at that moment
            collapse(start, size - 2 * _MB)
        after = _said(start)
        gained = after["AnonHugePages"] - before["AnonHugePages"]
        if tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2]) >= (6, 1):
            assert gained >= 0.9 * (size - 2 * _MB)
        else:
            assert gained == 0
        assert after["Rss"] - before["Rss"] < 4 * _MB
        del place
        assert all(held[at : at + 8] == at.to_bytes(8, "little") for at in range(0, size, 4096))


def test_a_process_that_hardly_grew_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(memory, "small_pages", lambda text: looked.append(text) or [])
    resident = iter([200, 220, 300, 100, 150, 170])
    monkeypatch.setattr(memory, "_resident", lambda: next(resident) * _MB)
    pages, seen = LargePages(), []
    for _ in range(6):
        assert not pages.step()
        seen.append(len(looked))
    assert seen == [1, 1, 2, 2, 2, 3]


def _said(address: int) -> dict[str, int]:
    """What Linux says of the mapping that holds an address."""
    text = Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace")
    return next(one for one in memory._mappings(text) if one["start"] <= address < one["end"])
