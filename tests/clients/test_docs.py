"""The examples of the guide on sending events, run as they are written, in both languages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import Source, named

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_examples_do_what_the_guide_says(source: Source, language: str) -> None:
    page = (DOCS / language / "guides" / "sending-events.md").read_text(encoding="utf-8")
    examples = re.findall(r"```(bash|python)\n(.*?)```", page, flags=re.DOTALL)
    assert [kind for kind, _ in examples] == ["bash", "python"]
    environment = {**os.environ, "QUANYU": source.base, "WRITE_KEY": source.key}
    for kind, text in examples:
        command = ["bash", "-euo", "pipefail", "-c", text] if kind == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.strip().replace("'", '"').replace(" ", "").lower() == '{"success":true,"accepted":2}'
    rows = named(source.stored(4))
    assert {name: len(found) for name, found in rows.items()} == {"order_paid": 3, "store_visited": 1}
    assert [row["amount"] for row in sorted(rows["order_paid"], key=lambda row: str(row["order_id"]))] == [
        9950,
        9950,
        1200,
    ]
    assert rows["order_paid"][0]["properties"] in ({}, {"from": "warehouse"})
    assert source.only_person("store_visited")["traits"]["level"] == "gold"
