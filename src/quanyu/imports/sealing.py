"""Uploaded files at rest: sealed piece by piece under a random name, never run, never given back.

A file is a row of pieces, each `length(4) | nonce(12) | ciphertext+tag`; a piece's associated data are its number and
whether it is the last, so that pieces cannot be swapped, repeated or cut off unseen.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quanyu.imports.errors import file_too_large, file_unreadable
from quanyu.kernel.label import Label

_PIECE = 1 << 20


class SealedFiles:
    """The folder of uploaded files."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self.most_bytes = most_bytes

    async def take(self, cipher: AESGCM, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        """Keep what comes; the name it got and its size. Raises TooLarge; then nothing is kept."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name = secrets.token_hex(16)
        draft = self._folder / f"{name}.draft"
        size, number, waiting = 0, 0, bytearray()
        try:
            with draft.open("xb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > self.most_bytes:
                        raise file_too_large(self.most_bytes)
                    waiting += chunk
                    while len(waiting) > _PIECE:
                        file.write(_sealed(cipher, bytes(waiting[:_PIECE]), number, last=False))
                        del waiting[:_PIECE]
                        number += 1
                file.write(_sealed(cipher, bytes(waiting), number, last=True))
                file.flush()
                os.fsync(file.fileno())
            draft.rename(self._folder / name)
        finally:
            draft.unlink(missing_ok=True)
        return name, size

    def keep(self, cipher: AESGCM, data: bytes) -> str:
        """Keep bytes that are at hand; the name they got. Raises TooLarge."""
        if len(data) > self.most_bytes:
            raise file_too_large(self.most_bytes)
        self._folder.mkdir(parents=True, exist_ok=True)
        name = secrets.token_hex(16)
        draft = self._folder / f"{name}.draft"
        pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)] or [b""]
        with draft.open("xb") as file:
            for number, piece in enumerate(pieces):
                file.write(_sealed(cipher, piece, number, last=number == len(pieces) - 1))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._folder / name)
        return name

    def open(self, cipher: AESGCM, name: str) -> bytes:
        """The bytes of a kept file. Raises Invalid when it is gone or was changed."""
        try:
            return b"".join(self._pieces(cipher, self._folder / name))
        except (OSError, InvalidTag, EOFError) as error:
            raise file_unreadable(
                Label("文件已被删除或损坏，请重新上传", "The file is gone or damaged; upload it again")
            ) from error

    def forget(self, name: str) -> None:
        """Delete a kept file."""
        (self._folder / name).unlink(missing_ok=True)

    def sweep(self, known: Collection[str], before: datetime) -> None:
        """Delete what a killed process left: drafts and files that nobody knows, untouched since `before`."""
        for path in self._folder.glob("*") if self._folder.is_dir() else ():
            with suppress(FileNotFoundError):
                if path.name not in known and path.stat().st_mtime < before.timestamp():
                    path.unlink()

    @staticmethod
    def _pieces(cipher: AESGCM, path: Path) -> Iterator[bytes]:
        with path.open("rb") as file:
            head, number = file.read(4), 0
            while head:
                box = file.read(int.from_bytes(head, "big"))
                head = file.read(4)
                yield cipher.decrypt(box[:12], box[12:], _place(number, last=not head))
                number += 1
            if not number:
                raise EOFError(path.name)


def _sealed(cipher: AESGCM, piece: bytes, number: int, *, last: bool) -> bytes:
    nonce = secrets.token_bytes(12)
    box = nonce + cipher.encrypt(nonce, piece, _place(number, last=last))
    return len(box).to_bytes(4, "big") + box


def _place(number: int, *, last: bool) -> bytes:
    return number.to_bytes(8, "big") + bytes([last])
