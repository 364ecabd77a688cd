"""The runner: `python -m benchmarks NAME --scale small|full --json`. The last line is one JSON object."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.result import Result, machine, versions

NAMES = tuple(
    sorted(
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if not path.stem.startswith("_") and "\ndef run(" in path.read_text(encoding="utf-8")
    )
)


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark. 0: it ran; 2: the arguments are wrong (argparse)."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--scale", choices=("small", "full"), default="small", help="small: under a minute")
    parser.add_argument("--json", action="store_true", help="print the JSON line only; progress goes to stderr")
    parser.add_argument("--work", type=Path, help="folder for generated data; a temporary one by default")
    given = parser.parse_args(arguments)

    def say(line: str) -> None:
        print(f"[{time.perf_counter() - started:6.1f} s] {line}", file=sys.stderr, flush=True)

    started = time.perf_counter()
    module = importlib.import_module(f"benchmarks.{given.name}")
    if given.work:
        given.work.mkdir(parents=True, exist_ok=True)
        result: Result = module.run(given.scale, given.work, say)
    else:
        with tempfile.TemporaryDirectory(prefix=f"quanyu-bench-{given.name}-") as folder:
            result = module.run(given.scale, Path(folder), say)
    if not given.json:
        for kind, values in (("figures", result.figures), ("ratios", result.ratios)):
            for name, value in values.items():
                print(f"{kind:8} {name:40} {value:>14,.3f}")
        for note in result.notes:
            print(f"note     {note}")
    print(
        json.dumps(
            {
                "benchmark": given.name,
                "scale": given.scale,
                "figures": {name: _short(value) for name, value in result.figures.items()},
                "ratios": {name: _short(value) for name, value in result.ratios.items()},
                "notes": list(result.notes),
                "details": dict(result.details),
                "versions": versions(result.packages),
                "machine": machine(),
                "took_s": round(time.perf_counter() - started, 1),
            },
            ensure_ascii=False,
        )
    )
    return 0


def _short(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    sys.exit(main())
