"""Errors of access: they never tell whether it was the name or the password."""

from __future__ import annotations

from quanyu.kernel.errors import Conflict, NotFound, NotSignedIn, TooMany
from quanyu.kernel.label import Label


def sign_in_refused() -> NotSignedIn:
    """Wrong username, wrong password or a disabled account: one answer for all three."""
    return NotSignedIn(
        "sign_in_refused",
        Label("用户名或密码不对", "The username or the password is wrong"),
        detail=Label("请检查后重试；忘记密码请联系管理员", "Check both and try again; an administrator can reset it"),
    )


def session_missing() -> NotSignedIn:
    """No session, an expired one, or a key that is not valid any more."""
    return NotSignedIn(
        "not_signed_in",
        Label("请先登录", "Please sign in"),
        detail=Label(
            "登录已失效或密钥无效；控制台请重新登录，接口请检查 Authorization 头",
            "The session or key is no longer valid; sign in again, or check the Authorization header",
        ),
    )


def too_many_attempts(seconds: float) -> TooMany:
    """The account is locked for a while after many wrong passwords."""
    minutes = max(1, round(seconds / 60))
    return TooMany(
        "sign_in_locked",
        Label("尝试次数过多，请稍后再试", "Too many attempts; try again later"),
        detail=Label(f"约 {minutes} 分钟后可再次登录", f"Try again in about {minutes} min"),
        retry_after=seconds,
    )


def user_not_found(user_id: str) -> NotFound:
    """There is no such user."""
    return NotFound("user_not_found", Label("没有这个用户", "There is no such user"), detail=Label(user_id, user_id))


def username_taken(username: str) -> Conflict:
    """The username is in use."""
    return Conflict(
        "username_taken",
        Label("用户名已被使用", "The username is taken"),
        detail=Label(f"请换一个：{username}", f"Choose another than {username}"),
    )


def brand_not_found(brand: str) -> NotFound:
    """There is no such brand within the caller's scope."""
    return NotFound("brand_not_found", Label("没有这个品牌", "There is no such brand"), detail=Label(brand, brand))
