"""Encryption at rest and blind indexes, with keys per brand.

Each brand has a data key (AES-256-GCM) and a separate index key (HMAC-SHA256), wrapped by the installation's
master key. Destroying a brand's wrapped keys makes what they sealed unreadable everywhere. A sealed value is
`version(1) | kid(4) | nonce(12) | ciphertext+tag`. Brand 0 is the installation itself (the log, settings).
"""

from __future__ import annotations

import base64
import os
import secrets
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from quanyu.kernel.clock import Clock
from quanyu.kernel.errors import Invalid, QuanyuError
from quanyu.kernel.label import Label
from quanyu.storage.bulk import insert_ignore
from quanyu.storage.schema import data_key
from quanyu.storage.state import State

_VERSION = 1
_KID = 1


class SealBroken(QuanyuError):
    """A sealed value cannot be opened: wrong master key, destroyed brand key, or changed bytes."""

    code = "seal_broken"


def load_master_key(text: str, folder: Path) -> bytes:
    """The 32-byte master key: from `text` (base64), else from `folder/master.key`, made on first use.

    Raises Invalid when the given key is not 32 bytes of base64.
    """
    if text:
        return _decode(text, "QUANYU_MASTER_KEY")
    path = folder / "master.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".master.key.{os.getpid()}"
        draft.write_text(base64.b64encode(secrets.token_bytes(32)).decode() + "\n", encoding="ascii")
        draft.chmod(0o600)
        try:
            os.link(draft, path)  # the first of several starting processes wins, whole or not at all
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return _decode(path.read_text(encoding="ascii").strip(), str(path))


def _decode(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise Invalid(
            "master_key_invalid",
            Label("主密钥不对", "The master key is wrong"),
            detail=Label(f"{where} 应为 base64 编码的 32 字节", f"{where} must be 32 bytes in base64"),
        )
    return key


class Vault:
    """Seals, opens and indexes values with the keys of a brand. Thread-safe."""

    def __init__(self, state: State, master_key: bytes, clock: Clock) -> None:
        self._state = state
        self._master = AESGCM(master_key)
        self._clock = clock
        self._keys: dict[tuple[int, str], bytes] = {}
        self._lock = threading.Lock()

    def index(self, brand_id: int, namespace: str, value: str) -> str:
        """The keyed hash by which a value can be found: 32 hex characters, equal values alike."""
        return self.index_many(brand_id, [(namespace, value)])[0]

    def index_many(self, brand_id: int, pairs: Iterable[tuple[str, str]]) -> list[str]:
        """`index` of many (namespace, value) pairs."""
        keyed = HMAC(self._key(brand_id, "index"), SHA256())  # the key's part of the work, done once
        out = []
        for namespace, value in pairs:
            one = keyed.copy()
            one.update(f"{namespace}\0{value}".encode())
            out.append(one.finalize()[:16].hex())
        return out

    def seal(self, brand_id: int, value: str | bytes) -> bytes:
        """`value` encrypted with the brand's data key; different bytes every time."""
        return self.seal_many(brand_id, [value])[0]

    def seal_many(self, brand_id: int, values: Sequence[str | bytes]) -> list[bytes]:
        """`seal` of many values."""
        cipher = AESGCM(self._key(brand_id, "seal"))
        head = bytes([_VERSION]) + _KID.to_bytes(4, "big")
        nonces = secrets.token_bytes(12 * len(values))
        out = []
        for i, value in enumerate(values):
            nonce = nonces[12 * i : 12 * i + 12]
            data = value.encode() if isinstance(value, str) else value
            out.append(head + nonce + cipher.encrypt(nonce, data, head))
        return out

    def open(self, brand_id: int, sealed: bytes) -> bytes:
        """What was sealed. Raises SealBroken when the key is gone or the bytes were changed."""
        try:
            cipher = AESGCM(self._key(brand_id, "seal"))
            return cipher.decrypt(bytes(sealed[5:17]), bytes(sealed[17:]), bytes(sealed[:5]))
        except (InvalidTag, ValueError, IndexError) as error:
            raise SealBroken(
                title=Label("无法解密", "A sealed value cannot be opened"),
                detail=Label("主密钥已更换，或数据已被改动", "The master key was changed, or the data was altered"),
            ) from error

    def open_text(self, brand_id: int, sealed: bytes) -> str:
        """`open`, as text."""
        return self.open(brand_id, sealed).decode()

    def cipher(self, brand_id: int, purpose: str) -> AESGCM:
        """A cipher with a key of its own for `purpose` (the log): for callers that frame by themselves."""
        return AESGCM(self._key(brand_id, purpose))

    def destroy(self, tx: sa.Connection, brand_id: int) -> None:
        """Forget a brand's keys: what they sealed is unreadable from the commit on."""
        tx.execute(sa.delete(data_key).where(data_key.c.brand_id == brand_id))
        with self._lock:
            self._keys = {key: value for key, value in self._keys.items() if key[0] != brand_id}

    def _key(self, brand_id: int, purpose: str) -> bytes:
        found = self._keys.get((brand_id, purpose))
        if found is not None:
            return found
        wrapped = self._stored(brand_id, purpose)
        if wrapped is None:
            self.prepare(brand_id, (purpose,))
            wrapped = self._stored(brand_id, purpose)
        assert wrapped is not None
        try:
            key = self._master.decrypt(wrapped[:12], wrapped[12:], f"{brand_id}:{purpose}".encode())
        except InvalidTag as error:
            raise SealBroken(
                title=Label("主密钥与数据不符", "The master key does not fit the data"),
                detail=Label(
                    "请恢复原来的 master.key 或 QUANYU_MASTER_KEY",
                    "Restore the original master.key or QUANYU_MASTER_KEY",
                ),
            ) from error
        with self._lock:
            self._keys[(brand_id, purpose)] = key
        return key

    def prepare(self, brand_id: int, purposes: Iterable[str] = ("seal", "index")) -> None:
        """Make the brand's keys if they are missing; call it before a long write transaction on SQLite."""
        made = []
        for purpose in purposes:
            nonce = secrets.token_bytes(12)
            wrapped = nonce + self._master.encrypt(nonce, secrets.token_bytes(32), f"{brand_id}:{purpose}".encode())
            made.append(
                {
                    "brand_id": brand_id,
                    "purpose": purpose,
                    "kid": _KID,
                    "wrapped": wrapped,
                    "made_at": self._clock.now(),
                }
            )
        with self._state.write() as tx:
            insert_ignore(tx, data_key, made)

    def _stored(self, brand_id: int, purpose: str) -> bytes | None:
        with self._state.read() as tx:
            return tx.execute(
                sa.select(data_key.c.wrapped).where(
                    data_key.c.brand_id == brand_id, data_key.c.purpose == purpose, data_key.c.kid == _KID
                )
            ).scalar_one_or_none()
