"""Files that another system drops into a folder."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import cast

from pydantic import Field

from quanyu.sdk import Config, Label, Problem
from quanyu.sdk.place import FileFailed, FilePlace, PlacedFile, PlaceFailed

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
        found, closed = _below(folder)
        now = time.time()
        for path in sorted([*found, *closed]):
            # A name in another encoding cannot be kept as it is: the file is listed, and reading it says why not.
            name = path.relative_to(folder).as_posix().encode(errors="backslashreplace").decode()
            if path in closed:
                yield PlacedFile(name, 0, "")
                continue
            if path.name.startswith(".") or not fnmatch(path.name, self._config.pattern):
                continue
            try:
                facts = path.stat() if path.resolve().is_relative_to(folder) else None
            except (OSError, RuntimeError) as error:  # the latter for a link that leads to itself
                if not isinstance(error, FileNotFoundError) or path.is_symlink():  # else it was moved away meanwhile
                    yield PlacedFile(name, 0, "")
                continue
            if facts and stat.S_ISREG(facts.st_mode) and now - facts.st_mtime >= _STILL:
                yield PlacedFile(name, facts.st_size, f"{facts.st_size}:{facts.st_mtime_ns}")

    def read(self, path: str) -> bytes:
        """The bytes of a file."""
        folder = self._folder()
        try:
            return self.around.check_folder(folder / path).read_bytes()
        except (OSError, RuntimeError) as error:
            if not folder.is_dir():
                raise _unreadable(folder, error) from error
            raise _file_unreadable(path, error) from error

    @property
    def _config(self) -> FolderConfig:
        return cast(FolderConfig, self.config)

    def _folder(self) -> Path:
        return self.around.check_folder(Path(self._config.path))


def _below(folder: Path) -> tuple[list[Path], set[Path]]:
    """What lies below a folder beside folders, and the folders there that cannot be listed. Raises PlaceFailed."""
    found: list[Path] = []
    closed: set[Path] = set()

    def failed(error: OSError) -> None:
        at = Path(error.filename) if error.filename else folder
        if at == folder:
            raise _unreadable(folder, error) from error
        closed.add(at)

    for base, _, names in os.walk(folder, onerror=failed):
        found += [Path(base, name) for name in names]
    return found, closed


def _file_unreadable(path: str, error: Exception) -> FileFailed:
    title = Label(f"读不到 {path}（{type(error).__name__}）", f"{path} cannot be read ({type(error).__name__})")
    remedy = Label(
        "确认运行账号有读权限，下次执行会再试", "See that the service's account may read it; the next turn tries again"
    )
    if "\\udc" in path:
        remedy = Label("文件名不是 UTF-8，请改名", "Its name is not UTF-8: rename it")
    elif isinstance(error, IsADirectoryError):
        title = Label(f"子文件夹 {path} 无法列出", f"The folder {path} below cannot be listed")
    elif isinstance(error, FileNotFoundError | RuntimeError):
        remedy = Label(
            "文件已移走，或链接指向的地方不存在；放回或修好后，下次执行会再试",
            "It is gone, or a link that leads nowhere; put it back or mend the link, and the next turn tries again",
        )
    return FileFailed(Problem("file_unreadable", title, remedy))


def _unreadable(path: Path, error: Exception) -> PlaceFailed:
    return PlaceFailed(
        Problem(
            "folder_unreadable",
            Label(f"读不到 {path}（{type(error).__name__}）", f"{path} cannot be read ({type(error).__name__})"),
            Label(
                "请确认目录存在且运行账号有读权限", "Check that it is there and that the service's account may read it"
            ),
        )
    )
