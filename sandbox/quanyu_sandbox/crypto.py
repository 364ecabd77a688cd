"""WeCom's callback encryption (document 90968): AES-256-CBC with a 32-byte block pad, and its sorted SHA-1.

Written anew here and not shared with the product: each side is checked against the official test vectors, so that
they cannot agree on the same mistake.
"""

from __future__ import annotations

import base64
import hashlib
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 32


def signature(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """The lowercase SHA-1 over the four texts in sorted order."""
    return hashlib.sha1("".join(sorted([token, timestamp, nonce, encrypted])).encode()).hexdigest()  # noqa: S324


def _cipher(aes_key: str) -> Cipher[modes.CBC]:
    key = base64.b64decode(aes_key + "=")
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def encrypt(aes_key: str, message: str, receiver: str, head: bytes) -> str:
    """The message with 16 random bytes before and the receiver's id behind, as base64."""
    body = message.encode()
    plain = head + struct.pack("!I", len(body)) + body + receiver.encode()
    pad = _BLOCK - len(plain) % _BLOCK
    encryptor = _cipher(aes_key).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()


def decrypt(aes_key: str, encrypted: str) -> tuple[str, str]:
    """The message and the receiver's id. Raises ValueError for what was not made by `encrypt`."""
    decryptor = _cipher(aes_key).decryptor()
    plain = decryptor.update(base64.b64decode(encrypted)) + decryptor.finalize()
    pad = plain[-1]
    if not 1 <= pad <= _BLOCK or len(plain) < pad + 20:
        raise ValueError("bad padding")
    plain = plain[:-pad]
    (length,) = struct.unpack("!I", plain[16:20])
    return plain[20 : 20 + length].decode(), plain[20 + length :].decode()
