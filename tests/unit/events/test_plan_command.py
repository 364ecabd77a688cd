"""`quanyu plan` takes a plan out and in to the letter, and its exit code says whether a change breaks."""

import subprocess
import sys
from pathlib import Path

TEXT = """enforce: true
events:
  order_paid:
    rule: quarantine
    properties:
      total:
        type: number
        required: true
"""


def quanyu(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "quanyu", *arguments, "--data-dir", str(folder / "data")]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def test_export_import_and_diff(tmp_path: Path) -> None:
    assert quanyu(tmp_path, "init", "--password", "a long enough password").returncode == 0
    written, wider, broken = (tmp_path / name for name in ("plan.yaml", "wider.yaml", "broken.yaml"))
    written.write_text(TEXT, encoding="utf-8")
    wider.write_text(TEXT.replace("        required: true\n", ""), encoding="utf-8")
    broken.write_text("events: {a: {rule: burn}}", encoding="utf-8")

    difference = quanyu(tmp_path, "plan", "diff", str(written))
    assert difference.returncode == 4
    assert "+ events.order_paid" in difference.stdout
    refused = quanyu(tmp_path, "plan", "import", str(written), "--refuse-breaking")
    assert refused.returncode == 4
    assert quanyu(tmp_path, "plan", "export").stdout == "{}\n", "nothing was published"

    assert quanyu(tmp_path, "plan", "import", str(written), "--note", "first").returncode == 0
    assert quanyu(tmp_path, "plan", "export").stdout == TEXT
    assert quanyu(tmp_path, "plan", "diff", str(written)).returncode == 0

    assert quanyu(tmp_path, "plan", "diff", str(wider)).returncode == 0, "asking for less breaks nothing"
    assert quanyu(tmp_path, "plan", "import", str(wider), "--refuse-breaking").returncode == 0
    assert quanyu(tmp_path, "plan", "diff", "--before", "2", "--after", "1").returncode == 4

    wrong = quanyu(tmp_path, "plan", "import", str(broken))
    assert wrong.returncode == 1
    assert "$.events[...].rule" in wrong.stderr
