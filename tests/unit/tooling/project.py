"""Where the project's own files are, for the tests that check them."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROSE = ["README.md", "README.zh-CN.md", "CONTRIBUTING.md", "docs/zh/tutorial.md", "docs/en/tutorial.md"]


def committed() -> list[Path]:
    """Every file that is in the repository or would be with the next commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())


def text_of(path: Path) -> str | None:
    """The file as text, or None if it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def make_targets() -> set[str]:
    """The names that `make NAME` knows."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", text, flags=re.MULTILINE))


def has_chinese(text: str) -> bool:
    """Whether there is a Chinese character in it."""
    return re.search(r"[\u4e00-\u9fff]", text) is not None
