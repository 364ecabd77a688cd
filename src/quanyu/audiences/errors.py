"""What can be wrong with an audience, with the rule it is wrong at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from quanyu.kernel.errors import Conflict, FieldError, Invalid, NotFound, QuanyuError, Stale
from quanyu.kernel.label import Label


@dataclass(frozen=True, slots=True)
class RuleError:
    """One thing wrong with a tree: the `id` of the rule or group, the field in it (`""` for all of it), why, and what
    the form calls the field.
    """

    id: str
    field: str
    message: Label
    label: Label | None = None


class TreeInvalid(Invalid):
    """The condition tree does not make sense; `errors` says where, by rule id."""

    code = "tree_invalid"

    def __init__(self, errors: Iterable[RuleError]) -> None:
        self.errors = tuple(errors)
        super().__init__(
            title=Label("人群条件有误", "The audience's conditions are wrong"),
            detail=self.errors[0].message if self.errors else None,
            fields=tuple(
                FieldError(f"{error.id}.{error.field}" if error.field else error.id, error.message, error.label)
                for error in self.errors
            ),
        )


class CountCancelled(QuanyuError):
    """The caller no longer waits for this count."""

    status = 499
    code = "count_cancelled"
    transient = True


def audience_not_found(audience_id: str) -> NotFound:
    """There is no such audience in the caller's brand."""
    return NotFound(
        "audience_not_found",
        Label("人群包不存在", "There is no such audience"),
        detail=Label(
            f"找不到人群包 {audience_id}，它可能已被删除", f"No audience {audience_id}; it may have been deleted"
        ),
    )


def version_not_found(audience_id: str, version: int | None) -> NotFound:
    """The audience has no such version."""
    return NotFound(
        "audience_version_not_found",
        Label("该版本不存在", "There is no such version"),
        detail=Label(
            f"人群包 {audience_id} 没有版本 {version}，请先更新人群",
            f"Audience {audience_id} has no version {version}; refresh it",
        ),
    )


def audience_in_use(users: Iterable[str]) -> Conflict:
    """Something still uses the audience."""
    names = "、".join(users)
    return Conflict(
        "audience_in_use",
        Label("人群包正在被使用", "The audience is in use"),
        detail=Label(f"请先从这里移除：{names}", f"Remove it first from: {names}"),
    )


def audience_name_taken(name: str) -> Conflict:
    """Another audience of the brand has the name."""
    return Conflict(
        "audience_name_taken",
        Label("人群包名称已存在", "The name is taken"),
        detail=Label(
            f"已有名为“{name}”的人群包，请换一个名称", f"There is an audience named “{name}”; choose another name"
        ),
    )


def audience_stale() -> Stale:
    """Somebody else saved the audience since it was read."""
    return Stale(
        "audience_stale",
        Label("人群包已被他人修改", "Somebody else changed the audience"),
        detail=Label("请刷新后再保存", "Reload it, then save again"),
    )
