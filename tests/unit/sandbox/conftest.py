from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.sandbox.stage import Stage, on_stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with on_stage(tmp_path) as made:
        yield made
