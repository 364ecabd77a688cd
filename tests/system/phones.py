"""Where a clear value could hide in an installation: every byte of its folder, every row of its stores."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import deltalake
import sqlalchemy as sa


class Needles:
    """Finds any of many texts in bytes. All of one family, so that one regular expression finds the candidates."""

    def __init__(self, family: bytes, wanted: Iterable[str]) -> None:
        self._family = re.compile(family)
        self._wanted = {one.encode() for one in wanted}

    def found(self, data: bytes) -> set[str]:
        """Those of the texts that occur."""
        return {hit.decode() for hit in self._family.findall(data) if hit in self._wanted}


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file as it is, and every Delta table row by row (its files are compressed)."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield str(file.relative_to(folder)), file.read_bytes()
        elif file.name == "_delta_log":
            rows = deltalake.DeltaTable(str(file.parent)).to_pyarrow_table().to_pylist()
            yield (
                f"rows of {file.parent.relative_to(folder)}",
                json.dumps(rows, ensure_ascii=False, default=str).encode(),
            )


def database(url: str) -> Iterator[tuple[str, bytes]]:
    """Every column of every table; bytes as they are, everything else as text."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with engine.connect() as connection:
            for table in sa.inspect(connection).get_table_names():
                for number, row in enumerate(connection.exec_driver_sql(f'SELECT * FROM "{table}"')):
                    yield f"{table} row {number}", b"\x1f".join(_bytes(value) for value in row)
    finally:
        engine.dispose()


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False).encode()
    return str(value).encode()
