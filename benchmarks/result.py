"""What a benchmark hands back, and what it ran on."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

Scale = Literal["small", "full"]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """`figures` are measured, `ratios` compare them with something named (above 1: ours is better)."""

    figures: Mapping[str, float]
    ratios: Mapping[str, float]
    packages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """The installed versions of the packages that a result rests on."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """Processor, cores, memory and how busy they are: numbers from a busy machine say so."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    found: dict[str, Any] = {"processor": model, "cores": os.cpu_count(), "system": platform.platform(terse=True)}
    if hasattr(os, "sysconf"):
        found["memory_gb"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    if hasattr(os, "getloadavg"):
        found["load_average"] = [round(load, 2) for load in os.getloadavg()]
    return found
