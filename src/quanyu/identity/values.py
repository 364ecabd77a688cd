"""Normal forms and masks of identifier values: the same phone written five ways is one identifier.

Nothing here knows keys, hashes or tables. A value that cannot be an identifier is refused with a reason.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, NamedTuple

from quanyu.identity.policies import Policy, PolicyBook, is_blocked

Refusal = Literal["blocked", "malformed", "unknown_namespace"]
MAX_LENGTH = 256

# Calling code and the shape of a mobile number without it, for countries whose numbers come without a "+".
_REGIONS: dict[str, tuple[str, re.Pattern[str]]] = {
    "CN": ("86", re.compile(r"^1[3-9]\d{9}$")),
    "HK": ("852", re.compile(r"^[4-9]\d{7}$")),
    "MO": ("853", re.compile(r"^6\d{7}$")),
    "TW": ("886", re.compile(r"^9\d{8}$")),
    "SG": ("65", re.compile(r"^[89]\d{7}$")),
    "US": ("1", re.compile(r"^[2-9]\d{2}[2-9]\d{6}$")),
}
_BY_CODE = {code: (region, shape) for region, (code, shape) in _REGIONS.items()}
_PHONE_NOISE = re.compile(r"[\s\-().·–—\u200b\ufeff]")
_PHONE = re.compile(r"^\+[1-9]\d{6,14}$")
_EMAIL = re.compile(r"^[^@\s\"<>,;]{1,64}@[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?)+$")


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a value is no identifier."""

    reason: Refusal


class Normal(NamedTuple):
    """A value in normal form; `issuer` is the app, corp or platform that gave it, else empty."""

    value: str
    issuer: str = ""


BLOCKED = Refused("blocked")
MALFORMED = Refused("malformed")
UNKNOWN_NAMESPACE = Refused("unknown_namespace")


def normalise(policy: Policy, raw: str, region: str = "CN") -> Normal | Refused:
    """The normal form of `raw` under `policy`, or why it is no identifier.

    Phones become E.164 (a number without a calling code is read as one of `region`), emails lower case, everything
    else is trimmed and put into Unicode NFKC; case is kept because ids of platforms are case-sensitive.
    """
    text = raw.strip() if raw.isascii() else unicodedata.normalize("NFKC", raw).strip()
    if len(text) > MAX_LENGTH or not text.isprintable():
        return MALFORMED
    if is_blocked("", text):
        return BLOCKED
    if policy.namespace == "phone":
        number = e164(text, region)
        if number is None:
            return MALFORMED
        return BLOCKED if is_blocked("phone", number) else Normal(number)
    if policy.namespace == "email":
        address = text.lower()
        if is_blocked("email", address):
            return BLOCKED
        return Normal(address) if len(address) <= 254 and _EMAIL.match(address) else MALFORMED
    if policy.issuer:
        issuer, colon, value = text.partition(":")
        if not colon:
            return Normal(text)
        value = value.strip()
        return BLOCKED if is_blocked("", value) else Normal(f"{issuer.strip()}:{value}", issuer.strip())
    return Normal(text)


def form_of(book: PolicyBook, namespace: str, raw: str, region: str = "CN") -> Normal | Refused:
    """`normalise` under the policy that `book` has for the namespace."""
    policy = book.get(namespace)
    return UNKNOWN_NAMESPACE if policy is None else normalise(policy, raw, region)


def e164(text: str, region: str = "CN") -> str | None:
    """`text` as an E.164 mobile number (`+8613900001234`), or None when it is none.

    Understands `+86`, `0086`, `86` before a Chinese number, spaces, dashes, brackets and full-width digits.
    """
    digits = _PHONE_NOISE.sub("", unicodedata.normalize("NFKC", text))
    digits = digits.removeprefix("tel:")
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if not digits.startswith("+"):
        if not digits.isascii() or not digits.isdigit():
            return None
        code, shape = _REGIONS.get(region, _REGIONS["CN"])
        if shape.match(digits):
            return f"+{code}{digits}"
        national = digits.removeprefix(code)
        if digits != national and shape.match(national):
            return f"+{code}{national}"
        if digits.startswith("0") and shape.match(digits[1:]):
            return f"+{code}{digits[1:]}"
        return None
    if not digits.isascii() or not _PHONE.match(digits):
        return None
    for width in (3, 2, 1):
        known = _BY_CODE.get(digits[1 : 1 + width])
        if known is not None:
            national = digits[1 + width :].removeprefix("0")
            return f"+{digits[1 : 1 + width]}{national}" if known[1].match(national) else None
    return digits


def mask(namespace: str, value: str) -> str:
    """What a screen may show of a value in normal form: enough to recognise it, not enough to use it."""
    if namespace == "phone":
        national = value.removeprefix("+86")
        if national != value:
            return f"{national[:3]}****{national[-4:]}"
        return f"{value[:3]}****{value[-4:]}"
    if namespace == "email":
        local, _, domain = value.partition("@")
        return f"{local[:1]}***@{domain}"
    issuer, colon, rest = value.rpartition(":")
    head = f"{issuer}{colon}" if namespace in {"openid", "external_userid", "platform_buyer"} else ""
    text = rest if head else value
    if len(text) <= 4:
        return f"{head}{text[:1]}***"
    if len(text) <= 8:
        return f"{head}{text[:2]}***{text[-2:]}"
    return f"{head}{text[:4]}****{text[-4:]}"
