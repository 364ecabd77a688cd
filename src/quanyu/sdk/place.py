"""What a place is: where a brand's data lies and is read again and again, as files or as rows with an increasing key.

A place says what is there and hands it over. The host owns the schedule, the mapping, what was read before, secrets
and the network: a place asks `Surroundings` before it touches an address or a folder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pyarrow as pa

from quanyu.kernel.label import Label
from quanyu.sdk.config import Config
from quanyu.sdk.errors import Problem
from quanyu.sdk.outbound import AddressRefused, GuardedTransport, Resolve, client, is_public, resolve


class PlaceFailed(Exception):
    """A place cannot be read now: `problem` says what and what to do about it, never with a secret in it."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(f"{problem.code}: {problem.title.en}")


class FileFailed(PlaceFailed):
    """One file cannot be read now, while its place can: it is told of, tried again, and holds up no other."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the host allows: the folders that may be read, and whether private addresses may be called."""

    folders: tuple[Path, ...] = ()
    allow_private: bool = False
    resolver: Resolve = resolve

    def client(self, *, timeout: float = 15.0) -> httpx.Client:
        """An HTTP client that calls only what may be called, each time at the very address that it checked.

        `timeout` seconds for each of write and read, 5 to connect. A call raises AddressRefused.
        """
        return client(
            timeout=timeout, transport=GuardedTransport(allow_private=self.allow_private, resolver=self.resolver)
        )

    def check_host(self, host: str, port: int) -> str | None:
        """The address to call in place of the host; None where all may be called. Raises PlaceFailed if none may.

        Whoever calls the host by its name instead has it looked up again, and it may then be another address.
        """
        if self.allow_private:
            return None
        try:
            addresses = list(self.resolver(host, port))
        except OSError:
            addresses = []
        if not addresses or not all(map(is_public, addresses)):
            raise PlaceFailed(AddressRefused(host).problem)
        return addresses[0]

    def check_folder(self, folder: Path) -> Path:
        """The folder as it really is. Raises PlaceFailed when it lies outside of what may be read."""
        real = folder.expanduser().resolve()
        if not any(real == root or real.is_relative_to(root) for root in (one.resolve() for one in self.folders)):
            raise PlaceFailed(
                Problem(
                    "folder_refused",
                    Label(f"不允许读取 {folder}", f"{folder} may not be read"),
                    Label(
                        "请把文件放进数据目录下的 inbox，或由管理员在设置 import_folders 里加入该目录",
                        "Put files into inbox in the data folder, or add the folder to the setting import_folders",
                    ),
                )
            )
        return real


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """A file of a place: its path there, its size, and a stamp that changes when the file does."""

    path: str
    size: int
    stamp: str


class FilePlace(ABC):
    """Files in a folder or a bucket."""

    def __init__(self, config: Config, around: Surroundings) -> None:
        self.config = config
        self.around = around

    @abstractmethod
    def files(self) -> Iterator[PlacedFile]:
        """The files that are there and finished being written; also what cannot be looked at. Raises PlaceFailed."""

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The bytes of one of them. Raises FileFailed for this one, PlaceFailed when the others would fail alike."""


@dataclass(frozen=True, slots=True)
class RowsRead:
    """Rows in order of their key. `after` is where the next reading begins; `more` that there is more at once."""

    table: pa.Table
    after: str | None
    more: bool


class RowPlace(ABC):
    """Rows with a key that only grows: a number, a time, a text."""

    def __init__(self, config: Config, around: Surroundings) -> None:
        self.config = config
        self.around = around

    @abstractmethod
    def rows(self, after: str | None, limit: int) -> RowsRead:
        """About `limit` rows from `after` on (all for None); rows of one key are never parted. Raises PlaceFailed."""


@dataclass(frozen=True, slots=True)
class PlacePlugin:
    """A kind of place as the host knows it."""

    key: str
    label: Label
    config: type[Config]
    place: type[FilePlace] | type[RowPlace]
