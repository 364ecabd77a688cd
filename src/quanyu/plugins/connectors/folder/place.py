"""Files that another system drops into a folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import cast

from pydantic import Field

from quanyu.sdk import Config, Label, Problem
from quanyu.sdk.place import FilePlace, PlacedFile, PlaceFailed

_STILL = 5.0  # seconds without a change until a file counts as written


class FolderConfig(Config):
    """Which files of which folder."""

    path: str = Field(min_length=1, title="文件夹 · Folder")
    pattern: str = Field("*", min_length=1, max_length=100, title="文件名 · File name")


class Folder(FilePlace):
    """A folder below one of those that the installation allows. Links that lead out of it are not followed."""

    def files(self) -> Iterator[PlacedFile]:
        """Finished files by name."""
        folder = self._folder()
        try:
            found = sorted(folder.rglob("*"))
        except OSError as error:
            raise _unreadable(folder, error) from error
        if not folder.is_dir():
            raise _unreadable(folder, FileNotFoundError())
        now = time.time()
        for path in found:
            if path.is_file() and fnmatch(path.name, self._config.pattern) and path.resolve().is_relative_to(folder):
                facts = path.stat()
                if now - facts.st_mtime >= _STILL and not path.name.startswith("."):
                    name = path.relative_to(folder).as_posix()
                    yield PlacedFile(name, facts.st_size, f"{facts.st_size}:{facts.st_mtime_ns}")

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        folder = self._folder()
        file = self.around.check_folder(folder / path)
        try:
            return file.read_bytes()
        except OSError as error:
            raise _unreadable(file, error) from error

    @property
    def _config(self) -> FolderConfig:
        return cast(FolderConfig, self.config)

    def _folder(self) -> Path:
        return self.around.check_folder(Path(self._config.path))


def _unreadable(path: Path, error: OSError) -> PlaceFailed:
    return PlaceFailed(
        Problem(
            "folder_unreadable",
            Label(f"读不到 {path}（{type(error).__name__}）", f"{path} cannot be read ({type(error).__name__})"),
            Label(
                "请确认目录存在且运行账号有读权限", "Check that it is there and that the service's account may read it"
            ),
        )
    )
