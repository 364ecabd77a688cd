"""WeCom's callbacks: verified, decrypted and read (W:90968, W:92130). Pure functions over bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 32
# Flat and without entities or nesting that matters to us: a small pattern is safer than an XML parser here.
_FIELD = re.compile(r"<(\w+)>(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))</\1>", re.DOTALL)


class NotGenuine(ValueError):
    """The signature, the padding or the receiver is not right: not from WeCom, or the keys do not fit."""


def signature(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """SHA-1 over the four texts in sorted order, as WeCom defines it."""
    return hashlib.sha1("".join(sorted([token, timestamp, nonce, encrypted])).encode()).hexdigest()  # noqa: S324


def open_sealed(aes_key: str, encrypted: str, receiver: str) -> str:
    """The message inside. Raises NotGenuine."""
    try:
        key = base64.b64decode(aes_key + "=")
        decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        plain = decryptor.update(base64.b64decode(encrypted)) + decryptor.finalize()
        pad = plain[-1]
        if not 1 <= pad <= _BLOCK:
            raise NotGenuine("padding")
        (length,) = struct.unpack("!I", plain[16:20])
        body, owner = plain[20 : 20 + length], plain[20 + length : -pad]
        if owner.decode() != receiver:
            raise NotGenuine("receiver")
        return body.decode()
    except (ValueError, struct.error, binascii.Error, IndexError) as error:
        raise NotGenuine("the callback cannot be opened with this key") from error


def verified(token: str, aes_key: str, receiver: str, query: dict[str, str], encrypted: str) -> str:
    """The message of a signed callback. Raises NotGenuine."""
    expected = signature(token, query.get("timestamp", ""), query.get("nonce", ""), encrypted)
    if not token or not hmac.compare_digest(expected, query.get("msg_signature", "")):
        raise NotGenuine("signature")
    return open_sealed(aes_key, encrypted, receiver)


def fields(xml: str) -> dict[str, str]:
    """The flat fields of an event."""
    return {name: cdata or plain or "" for name, cdata, plain in _FIELD.findall(xml.replace("<xml>", "", 1))}
