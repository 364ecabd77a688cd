"""`quanyu plan` takes a plan out and in to the letter, and its exit code says whether a change breaks."""

import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from quanyu.cli.main import main

TEXT = """enforce: true
events:
  order_paid:
    rule: quarantine
    properties:
      total:
        type: number
        required: true
"""


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


class Command:
    """The command line in this process, as a shell would call it."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> None:
        self._folder, self._patch, self._captured = folder, patch, captured

    def __call__(self, *arguments: str) -> Done:
        self._patch.setattr(sys, "argv", ["quanyu", *arguments, "--data-dir", str(self._folder / "data")])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *self._captured.readouterr())


@pytest.fixture
def quanyu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, monkeypatch, capsys)


def test_export_import_and_diff(quanyu: Command, tmp_path: Path) -> None:
    assert quanyu("init", "--password", "a long enough password").returncode == 0
    written, wider, broken = (tmp_path / name for name in ("plan.yaml", "wider.yaml", "broken.yaml"))
    written.write_text(TEXT, encoding="utf-8")
    wider.write_text(TEXT.replace("        required: true\n", ""), encoding="utf-8")
    broken.write_text("events: {a: {rule: burn}}", encoding="utf-8")

    difference = quanyu("plan", "diff", str(written))
    assert difference.returncode == 3
    assert "+ events.order_paid" in difference.stdout
    refused = quanyu("plan", "import", str(written), "--refuse-breaking")
    assert refused.returncode == 3
    assert quanyu("plan", "export").stdout == "{}\n", "nothing was published"

    assert quanyu("plan", "import", str(written), "--note", "first").returncode == 0
    assert quanyu("plan", "export").stdout == TEXT
    assert quanyu("plan", "diff", str(written)).returncode == 0

    assert quanyu("plan", "diff", str(wider)).returncode == 0, "asking for less breaks nothing"
    assert quanyu("plan", "import", str(wider), "--refuse-breaking").returncode == 0
    assert quanyu("plan", "diff", "--before", "2", "--after", "1").returncode == 3

    wrong = quanyu("plan", "import", str(broken))
    assert wrong.returncode == 1
    assert "events.a.rule" in wrong.stderr
