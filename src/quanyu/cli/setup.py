"""`quanyu init`: the stores, a brand and its owner, ready to sign in."""

from __future__ import annotations

import secrets

from rich.console import Console

from quanyu.access.contracts import system_caller
from quanyu.app import compose
from quanyu.kernel.errors import Conflict
from quanyu.kernel.label import Label, same
from quanyu.kernel.settings import Settings
from quanyu.storage import migrate


def initialise(
    settings: Settings,
    *,
    brand: str,
    name: str,
    currency: str,
    time_zone: str,
    username: str,
    password: str | None,
    out: Console,
) -> None:
    """Make the stores, the brand and the owner. Raises Conflict when the username exists."""
    product = compose(settings)
    try:
        out.print("状态库 · state store …", end=" ")
        migrate.upgrade(product.state)
        out.print("✓")
        if any(user.username == username for user in product.access.users.list()):
            raise Conflict(
                "already_initialised",
                Label("已经初始化过了", "This installation is set up already"),
                detail=Label(f"用户 {username} 已存在；直接运行 quanyu serve", f"{username} exists; run quanyu serve"),
            )
        made = product.access.brands.create(key=brand, name=same(name), currency=currency, time_zone=time_zone)
        product.vault.prepare(made.brand_id)
        chosen = password or secrets.token_urlsafe(12)
        user = product.access.users.create(
            username=username, name=username, role="owner", brands=[brand], password=chosen
        )
        product.access.audit.record(system_caller(made.scope(), "init"), "user_made", user.user_id, {"role": "owner"})
        shown = "（你给定的密码 · as given）" if password else chosen
        out.print(f"品牌 · brand: {brand}\n登录 · sign in: {username} / {shown}", highlight=False)
        out.print("下一步 · next: quanyu serve --with-worker")
    finally:
        product.close()
