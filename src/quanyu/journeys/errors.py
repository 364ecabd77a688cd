"""What can go wrong at the door of journeys."""

from __future__ import annotations

from collections.abc import Sequence

from quanyu.journeys.nodes import Fault
from quanyu.kernel.errors import Conflict, FieldError, Invalid, NotFound, Stale
from quanyu.kernel.label import Label

_STATES = {
    "draft": Label("草稿", "a draft"),
    "running": Label("运行中", "running"),
    "paused": Label("已暂停", "paused"),
    "ended": Label("已结束", "ended"),
}


def journey_not_found(journey_id: str) -> NotFound:
    """No such journey in the caller's brand."""
    return NotFound(
        "journey_not_found",
        Label("没有这个旅程", "No such journey"),
        detail=Label(f"编号 {journey_id}", f"Id {journey_id}"),
    )


def journey_stale() -> Stale:
    """Somebody else has saved the journey in the meantime."""
    return Stale(
        "journey_stale",
        Label("旅程已被他人修改", "Somebody else changed the journey"),
        detail=Label("请刷新后再保存", "Reload it, then save again"),
    )


def journey_invalid(faults: Sequence[Fault]) -> Invalid:
    """The draft has errors and cannot be published."""
    return Invalid(
        "journey_invalid",
        Label("旅程有错误，不能发布", "The journey has errors and cannot be published"),
        detail=faults[0].message,
        fields=tuple(
            FieldError(".".join(part for part in (fault.node_id, fault.field) if part) or "graph", fault.message)
            for fault in faults
        ),
    )


def journey_not(wanted: str, status: str) -> Conflict:
    """The journey is in another state than the action needs."""
    need, now = _STATES[wanted], _STATES[status]
    return Conflict(
        "journey_state",
        Label("旅程当前状态不能这样操作", "The journey's state does not allow this"),
        detail=Label(f"需要“{need.zh}”，当前是“{now.zh}”", f"It must be {need.en}; it is {now.en}"),
    )
