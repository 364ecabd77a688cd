"""Errors of identity. People and links outside the caller's scope read as if they did not exist."""

from __future__ import annotations

from quanyu.kernel.errors import Conflict, FieldError, Invalid, NotFound
from quanyu.kernel.label import Label


def person_not_found(public_id: str) -> NotFound:
    """No such person within the caller's scope."""
    return NotFound(
        "person_not_found",
        Label("没有这位客户", "There is no such person"),
        detail=Label(f"客户编号 {public_id} 不存在或不在您的数据范围内", f"{public_id} does not exist in your scope"),
    )


def link_not_found(link_id: int) -> NotFound:
    """No such link within the caller's scope."""
    return NotFound(
        "link_not_found",
        Label("没有这条关联", "There is no such link"),
        detail=Label(f"关联 {link_id} 不存在或不在您的数据范围内", f"Link {link_id} does not exist in your scope"),
    )


def identifier_not_found(identifier_id: int) -> NotFound:
    """The person has no such identifier."""
    return NotFound(
        "identifier_not_found",
        Label("这位客户没有这个标识", "The person has no such identifier"),
        detail=Label(f"标识 {identifier_id} 不属于该客户", f"Identifier {identifier_id} is not this person's"),
    )


def link_state_wrong(link_id: int, status: str, wanted: Label) -> Conflict:
    """The link is in a state that does not allow the decision."""
    return Conflict(
        "link_state_wrong",
        Label("这条关联现在不能这样处理", "The link is not in a state that allows this"),
        detail=Label(f"关联 {link_id} 当前为 {status}；{wanted.zh}", f"Link {link_id} is {status} now; {wanted.en}"),
    )


def nothing_to_merge() -> Invalid:
    """Fewer than two different people were named, or one of them holds no usable identifier."""
    return Invalid(
        "nothing_to_merge",
        Label("请选择至少两位不同的客户", "Name at least two different people"),
        fields=(FieldError("person_ids", Label("需要两位以上的客户", "Two or more people are needed")),),
    )


def blocked_value_not_found(value_id: str) -> NotFound:
    """The brand has not blocked such a value, or somebody took it back meanwhile."""
    return NotFound(
        "blocked_value_not_found",
        Label("没有停用这个值", "No such value is blocked"),
        detail=Label(f"{value_id} 不在本品牌的列表里，可能已被解除", f"{value_id} is not on this brand's list"),
    )


def value_refused(namespace: str, reason: str) -> Invalid:
    """A value is not an identifier."""
    words = {
        "blocked": Label("这个值不能用来识别客户", "This value never identifies anybody"),
        "malformed": Label("格式不正确", "It is not well formed"),
        "unknown_namespace": Label("不认识的标识类型", "The kind of identifier is not known"),
    }
    return Invalid(
        f"identifier_{reason}",
        Label("标识无效", "The identifier is not valid"),
        detail=Label(f"{namespace}：{words[reason].zh}", f"{namespace}: {words[reason].en}"),
        fields=(FieldError("identifier.value", words[reason]),),
    )
