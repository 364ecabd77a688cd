"""What the demonstration prepares once: a brand, its people and touchpoints, the real data, and what is made.

Everything is done through the same doors as a user's own data; made sources are marked as made.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from rich.console import Console

from quanyu.access.contracts import Caller, system_caller
from quanyu.app import Product, compose
from quanyu.app.connectors import (
    APP_ID,
    CORP_ID,
    CURRENCY,
    LAST_DAY,
    TIME_ZONE,
    CompleteJourney,
    MadeTouchpoints,
    complete_journey,
)
from quanyu.cli.demo_plays import publish_plays
from quanyu.cli.load import take_in
from quanyu.kernel.label import Label
from quanyu.kernel.settings import Settings
from quanyu.storage import migrate

BRAND = "journey"
CONNECTION = "wecom"
USERS = (
    ("owner", "负责人 王岚", "owner"),
    ("yunying", "运营 李想", "operator"),
    ("fenxi", "分析 周洁", "analyst"),
    ("hegui", "合规 赵敏", "compliance"),
    ("daogou", "导购 陈晨", "guide"),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a running demonstration needs to know again. Written to a file that only its owner can read."""

    username: str
    password: str
    others: list[str]
    connection: str
    corp_id: str
    corp_secret: str
    app_id: str
    callback_token: str
    callback_aes_key: str
    write_key: str
    api_key: str
    shift_weeks: int

    def sandbox_environment(self) -> dict[str, str]:
        """The sandbox's secrets as environment variables."""
        return {
            "QUANYU_SANDBOX_CORP_ID": self.corp_id,
            "QUANYU_SANDBOX_CORP_SECRET": self.corp_secret,
            "QUANYU_SANDBOX_APP_ID": self.app_id,
            "QUANYU_SANDBOX_TOKEN": self.callback_token,
            "QUANYU_SANDBOX_AES_KEY": self.callback_aes_key,
            "QUANYU_SANDBOX_WRITE_KEY": self.write_key,
            "QUANYU_SANDBOX_API_KEY": self.api_key,
        }


def weeks_to_recent(today: date) -> int:
    """Whole weeks that bring the data's last day to before `today`: weekdays stay, the year becomes the last one."""
    return max(0, (today - timedelta(days=1) - LAST_DAY).days // 7)


def seed(settings: Settings, out: Console) -> Facts:
    """Prepare everything; safe to repeat after being killed half-way."""
    product = compose(settings)
    try:
        out.print("准备数据库 · preparing the stores …")
        migrate.upgrade(product.state)
        shift = weeks_to_recent(product.clock.now().astimezone(ZoneInfo(TIME_ZONE)).date())
        brand = product.access.brands.create(
            key=BRAND,
            name=Label("星河超市（演示）", "Starriver Markets (demo)"),
            currency=CURRENCY,
            time_zone=TIME_ZONE,
        )
        product.vault.prepare(brand.brand_id)
        caller = system_caller(brand.scope(), "demo")
        facts = _facts(product, caller, shift)
        connector = complete_journey(None, shift)
        made = MadeTouchpoints(connector)
        out.print(
            f"读取 Complete Journey 零售数据（日期后移 {shift} 周）· "
            f"loading the Complete Journey data (dates moved by {shift} weeks)"
        )
        take_in(product, brand.scope(), connector.feeds(), out)
        take_in(product, brand.scope(), made.feeds(), out)
        _world(product, connector, made)
        out.print("发布人群与旅程 · publishing audiences and journeys …")
        publish_plays(product, caller, facts.connection)
        return facts
    finally:
        product.close()


def _facts(product: Product, caller: Caller, shift: int) -> Facts:
    """Users, keys and the WeCom connection, made once and kept in the data folder."""
    path = product.settings.data_path / "demo-secrets.json"
    if path.is_file():
        facts = Facts(**json.loads(path.read_text(encoding="utf-8")))
    else:
        facts = Facts(
            username="owner",
            password=f"demo-{secrets.token_hex(4)}",
            others=[username for username, _, _ in USERS[1:]],
            connection=CONNECTION,
            corp_id=CORP_ID,
            corp_secret=secrets.token_urlsafe(32),
            app_id=APP_ID,
            callback_token=secrets.token_hex(12),
            # 43 characters that decode, with the "=" that WeCom leaves out, to 32 bytes.
            callback_aes_key=_aes_key(),
            write_key=f"wk_{secrets.token_hex(24)}",
            api_key=f"qk_{secrets.token_hex(24)}",
            shift_weeks=shift,
        )
        path.write_text(json.dumps(asdict(facts), ensure_ascii=False), encoding="utf-8")
        path.chmod(0o600)
    known = {user.username for user in product.access.users.list()}
    for username, name, role in USERS:
        if username not in known:
            product.access.users.create(
                username=username,
                name=name,
                role=role,
                brands=[BRAND],
                password=facts.password,
                staff_id="guide05" if role == "guide" else None,
            )
    login = product.settings.data_path / "demo-login.json"
    login.write_text(json.dumps({"username": facts.username, "password": facts.password}), encoding="utf-8")
    login.chmod(0o600)
    _keys(product, caller, facts)
    return facts


def _aes_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def _keys(product: Product, caller: Caller, facts: Facts) -> None:
    scope = caller.scope
    with product.state.write() as tx:
        if product.events.sources.get("mini_program") is None:
            product.events.sources.create(
                tx,
                source="mini_program",
                brand_id=scope.brand_id,
                name=Label("会员小程序（沙箱顾客）", "Member mini program (sandbox customers)"),
                kind="sdk",
                channel="mini_program",
                made=True,
                write_key=facts.write_key,
            )
        if not any(client.name == "小程序与收银台" for client in product.access.clients.list()):
            product.access.clients.create(
                tx,
                name="小程序与收银台",
                permissions=["coupons.redeem", "catalog.read"],
                brands=[BRAND],
                key=facts.api_key,
            )
    connections = {view.connection for view in product.messaging.connections.all(scope)}
    if facts.connection not in connections:
        config = {
            "corp_id": facts.corp_id,
            "corp_secret": facts.corp_secret,
            "app_id": facts.app_id,
            "token": facts.callback_token,
            "aes_key": facts.callback_aes_key,
            "base_url": product.settings.sandbox_url,
        }
        product.messaging.connections.create(scope, "wecom", facts.connection, "企业微信（沙箱）", config)


def _world(product: Product, connector: CompleteJourney, made: MadeTouchpoints) -> None:
    """What the sandbox plays with: the customers who have a guide as a friend, and the goods that sell best."""
    rows = [
        {
            "external_userid": customer.external_userid,
            "name": customer.name,
            "unionid": customer.unionid,
            "openid": customer.openid,
            "phone": customer.phone,
            "staff": customer.staff_id,
            "store_id": customer.store_id,
            "read_rate": 0.75,
            "redeem_rate": 0.4,
            "block_rate": 0.01,
            "delay": 240.0,
            "purchase_rate": 0.06,
        }
        for customer in made.customers()
        if customer.external_userid
    ]
    for name, content in (("customers", rows), ("catalogue", connector.best_sellers(200))):
        path = product.settings.data_path / f"{name}.json"
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        path.chmod(0o600)
