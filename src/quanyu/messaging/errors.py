"""What can go wrong at the door of messaging."""

from __future__ import annotations

from quanyu.kernel.errors import Conflict, FieldError, Invalid, NotFound, Stale
from quanyu.kernel.label import Label


def connection_not_found(name: str) -> NotFound:
    """No such connection in the caller's brand."""
    return NotFound(
        "connection_not_found",
        Label("没有这个通道", "No such connection"),
        detail=Label(f"通道 {name}", f"Connection {name}"),
    )


def connection_exists(name: str) -> Conflict:
    """The key of a new connection is taken."""
    return Conflict(
        "connection_exists",
        Label("通道标识已被使用", "The connection's key is taken"),
        detail=Label(f"{name} 已存在，请换一个", f"{name} exists; choose another"),
    )


def channel_unknown(kind: str) -> Invalid:
    """No plugin of this kind is installed."""
    text = Label(f"没有安装“{kind}”通道插件", f"No channel plugin {kind} is installed")
    return Invalid("channel_unknown", text, fields=(FieldError("kind", text),))


def config_invalid(fields: tuple[FieldError, ...]) -> Invalid:
    """The configuration of a connection is wrong."""
    return Invalid("connection_config_invalid", Label("通道配置有误", "The configuration is wrong"), fields=fields)


def template_not_found(template_id: str) -> NotFound:
    """No such template in the caller's brand."""
    return NotFound(
        "template_not_found",
        Label("没有这个消息模板", "No such message template"),
        detail=Label(f"编号 {template_id}", f"Id {template_id}"),
    )


def template_stale() -> Stale:
    """Somebody else has saved the template in the meantime."""
    return Stale("template_stale", Label("模板已被他人修改，请刷新", "Somebody else changed the template; reload it"))


def send_not_found(effect_id: str) -> NotFound:
    """No such send within the caller's scope."""
    return NotFound(
        "send_not_found",
        Label("没有这条发送记录", "No such send"),
        detail=Label(f"编号 {effect_id}", f"Id {effect_id}"),
    )


def send_not_unknown(status: Label) -> Conflict:
    """Only a send whose outcome is unknown can be settled by hand."""
    return Conflict(
        "send_not_unknown",
        Label("只有结果未知的消息需要人工处理", "Only a send whose outcome is unknown can be settled by hand"),
        detail=Label(f"当前状态：{status.zh}", f"It is: {status.en}"),
    )
