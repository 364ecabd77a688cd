"""Errors of profiles."""

from __future__ import annotations

from collections.abc import Iterable

from quanyu.kernel.errors import BadRequest, Conflict, FieldError, Invalid, NotFound
from quanyu.kernel.label import Label


def tag_not_found(tag_ids: Iterable[str]) -> Invalid:
    """One of the tags does not exist in this brand."""
    names = ", ".join(sorted(tag_ids))
    message = Label(f"没有这个标签：{names}", f"There is no such tag: {names}")
    return Invalid(
        "tag_not_found",
        Label("标签不存在", "The tag does not exist"),
        detail=message,
        fields=(FieldError("add", message),),
    )


def tag_exists(name: str) -> Conflict:
    """A tag of this name is already in the group."""
    return Conflict(
        "tag_exists",
        Label("同名标签已存在", "A tag of this name exists already"),
        detail=Label(f"分组中已有标签“{name}”", f"The group has a tag “{name}” already"),
    )


def trait_not_found(name: str) -> NotFound:
    """The person has no such trait."""
    return NotFound(
        "trait_not_found",
        Label("没有这个属性", "The person has no such trait"),
        detail=Label(f"这位客户没有属性 {name}", f"Nothing is known of {name}"),
    )


def cursor_malformed(cursor: str) -> BadRequest:
    """The cursor was not made by this API."""
    return BadRequest(
        "cursor_malformed",
        Label("翻页参数不对", "The cursor is malformed"),
        detail=Label(f"请使用上一页返回的 next_cursor，而不是 {cursor[:20]}", "Use the next_cursor of the page before"),
    )
