"""Errors of consent."""

from __future__ import annotations

from collections.abc import Iterable

from quanyu.kernel.errors import FieldError, Invalid
from quanyu.kernel.label import Label


def word_unknown(field: str, given: str, allowed: Iterable[str]) -> Invalid:
    """A purpose, channel or status that does not exist."""
    choices = ", ".join(allowed)
    message = Label(f"不认识 {given}；可用：{choices}", f"{given} is not known; use one of {choices}")
    return Invalid(
        f"{field}_unknown",
        Label("授权内容有误", "The consent is not valid"),
        detail=message,
        fields=(FieldError(field, message),),
    )


def person_without_identifier(public_id: str) -> Invalid:
    """The person holds no identifier that a statement could be noted for."""
    return Invalid(
        "person_without_identifier",
        Label("这位客户没有可用的标识", "The person has no usable identifier"),
        detail=Label(f"客户 {public_id} 没有可记录授权的标识", f"Nothing of {public_id} can carry a consent"),
    )
