"""Personal values leave `properties` before they reach history.

What stands under a known personal key (phone, email, name of a receiver, address, …) becomes a keyed hash; what
looks like a phone, an email address or a resident id anywhere else in the text becomes a mark. A regular
expression over the whole column finds the few rows that need it, and only those are taken apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# (brand, [(namespace, value)]) -> keyed hashes: the vault's `index_many`.
Hasher = Callable[[int, list[tuple[str, str]]], list[str]]

# Compared without `$`, `_`, `-` and case.
_WORDS = {
    "phone": """phone phonenumber phoneno mobile mobilephone mobilenumber mobileno cellphone tel telephone userphone
        receiverphone receivermobile consigneephone contactphone identitymobile
        手机 手机号 手机号码 电话 电话号码 联系电话""",
    "email": "email mail emailaddress useremail identityemail 邮箱 电子邮箱",
    "card": """idcard idcardno idcardnumber idnumber identitycard passport passportno bankcard bankcardno cardnumber
        身份证 身份证号 银行卡号""",
    "name": """realname truename fullname firstname lastname receivername consignee contactname receiver
        姓名 真实姓名 收货人 联系人""",
    "address": "address street receiveraddress deliveryaddress 地址 收货地址 详细地址",
    "ip": "ip ipaddress clientip",
    "birthday": "birthday birthdate dateofbirth 生日 出生日期",
    "device": "openid unionid externaluserid idfa imei oaid",
}
PERSONAL_KEYS: dict[str, str] = {word: kind for kind, words in _WORDS.items() for word in words.split()}

# Not inside a longer number or a hexadecimal id, but right behind Chinese text or an escape of a URL.
_BEFORE = r"(?:(?<![0-9A-Fa-f.])|(?<=%[0-9A-Fa-f]{2}))"
_PHONE = re.compile(_BEFORE + r"(?:(?:\+|%2B|00)?86[-\s]?)?1[3-9]\d[-\s]?\d{4}[-\s]?\d{4}(?!\d)")
_FOREIGN = re.compile(r"(?<![\w.])(?:\+|%2B)(?=(?:[-\s.()]{0,2}\d){8,15}(?!\d))[1-9](?:[-\s.()]{0,2}\d){7,14}")
_EMAIL = re.compile(r"[A-Za-z0-9._%+\-]{1,64}(?:@|%40)[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63})+")
_RESIDENT = re.compile(
    _BEFORE + r"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![0-9A-Za-z])"
)
_MARKS = ((_EMAIL, "[email]"), (_RESIDENT, "[id]"), (_PHONE, "[phone]"), (_FOREIGN, "[phone]"))

# RE2, over the JSON text: anything that could be one of the above. Escapes hide characters, so they are suspicious.
_KEYS = "|".join("[_-]?".join(re.escape(c) for c in key) if key.isascii() else key for key in PERSONAL_KEYS)
_SUSPICIOUS = rf'"\$?_?(?:{_KEYS})"\s*:|1[3-9]\d[- ]?\d{{4}}[- ]?\d{{4}}|@|%40|\+[0-9]|%2[Bb]|\d{{17}}|\\u00'


def clean(properties: pa.Array, brand_ids: Sequence[int] | np.ndarray[Any, Any], hasher: Hasher) -> pa.Array:
    """A column of JSON objects with every personal value hashed or marked; other rows keep their very bytes."""
    suspicious = pc.fill_null(pc.match_substring_regex(properties, _SUSPICIOUS, ignore_case=True), fill_value=False)
    rows = np.flatnonzero(suspicious.to_numpy(zero_copy_only=False))
    if not len(rows):
        return properties
    mended = [clean_text(properties[int(row)].as_py(), int(brand_ids[int(row)]), hasher) for row in rows]
    return pc.replace_with_mask(properties, suspicious, pa.array(mended, pa.string()))


def clean_text(text: str, brand_id: int, hasher: Hasher) -> str:
    """One JSON object without personal values."""
    value = json.loads(text)
    cleaned = _clean(value, brand_id, hasher)
    return text if cleaned == value else dumped(cleaned)


def storable(text: str) -> str:
    """The text without halves of characters, which JSON can name and no store takes."""
    return text.encode("utf-8", "backslashreplace").decode()


def dumped(value: Any) -> str:
    """A value as JSON that every store takes."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if storable(text) == text else json.dumps(value, separators=(",", ":"))


def mask(text: str) -> str:
    """A text without anything that looks like a phone, an email address or a resident id."""
    for pattern, mark in _MARKS:
        text = pattern.sub(mark, text)
    return text


def _clean(value: Any, brand_id: int, hasher: Hasher) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(key): _clean_member(key, member, brand_id, hasher) for key, member in value.items()}
    if isinstance(value, list):
        return [_clean(member, brand_id, hasher) for member in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return mask(str(value)) if mask(str(value)) != str(value) else value
    return value


def _clean_member(key: str, value: Any, brand_id: int, hasher: Hasher) -> Any:
    kind = PERSONAL_KEYS.get(key.lower().replace("_", "").replace("-", "").lstrip("$"))
    if kind is None or value is None or value == "" or isinstance(value, bool):
        return _clean(value, brand_id, hasher)
    plain = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return f"hash:{hasher(brand_id, [(kind, storable(plain))])[0]}"
