"""After a kill the data folder stands somewhere else, in Chinese, and the clock was put back: nothing depends on it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Mortals
from tests.faults.process import REQUESTS
from tests.faults.test_sweep import KINDS, whole


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_folder_that_was_moved_goes_on_under_a_clock_that_was_put_back(
    database: str, memory: Path, mortals: Callable[[], Mortals], request: pytest.FixtureRequest
) -> None:
    url = str(request.getfixturevalue("postgres_url")) if database == "postgresql" else ""
    server = mortals()
    here, there = memory / "here", memory / "elsewhere" / "数据 2"
    server.ask("make", folder=str(here), url=url)
    order = {"memory": str(memory / "memory"), "url": url}
    # In the middle: the lease is held, rows wait for history, a segment of the log is half worked off.
    died = server.ask("run", kind=KINDS.index("commit"), at=12, power=1, folder=str(here), **order)
    assert "killed" in died
    there.parent.mkdir()
    shutil.move(here, there)
    found = server.ask("check", hours=-1, folder=str(there), **order)
    assert 0 < found["again"] < len(REQUESTS)
    whole(found)
    assert not here.exists(), "somebody remembered where it stood"
