"""What the demonstration prepares once: a brand, its people and touchpoints, the real data, and what is made.

Everything is done through the same doors as a user's own data; made sources are marked as made.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from rich.console import Console

from quanyu.access.contracts import Caller, system_caller
from quanyu.app import Product, compose
from quanyu.app.connectors import (
    CURRENCY,
    LAST_DAY,
    TIME_ZONE,
    CompleteJourney,
    MadeTouchpoints,
    complete_journey,
)
from quanyu.cli.demo_facts import (
    BRAND_NAME,
    Facts,
    Language,
    Login,
    keep,
    new_facts,
    read_facts,
    read_login,
    write_private,
)
from quanyu.cli.demo_kiosk import AFTER, BEFORE, PutBackClock, connect, requests_of, send_days
from quanyu.cli.demo_members import SOURCE as MEMBER_FILE
from quanyu.cli.demo_members import import_members
from quanyu.cli.demo_plan import KIOSK, publish_plan
from quanyu.cli.demo_plays import publish_plays
from quanyu.cli.demo_stock import SOURCE as STOCK_FILE
from quanyu.cli.demo_stock import import_stock
from quanyu.cli.demo_tags import put_tags
from quanyu.cli.load import process, take_in
from quanyu.kernel.label import Label
from quanyu.kernel.settings import Settings
from quanyu.storage import migrate

BRAND = "journey"
CONNECTION = "wecom"
NEWCOMERS = 120
USERS = (
    ("owner", Label("负责人 王岚", "Owner Wang Lan"), "owner"),
    ("yunying", Label("运营 李想", "Operator Li Xiang"), "operator"),
    ("fenxi", Label("分析 周洁", "Analyst Zhou Jie"), "analyst"),
    ("hegui", Label("合规 赵敏", "Compliance Zhao Min"), "compliance"),
    ("daogou", Label("导购 陈晨", "Guide Chen Chen"), "guide"),
)
_CLIENT = Label("小程序与收银台", "Mini program and till")


def weeks_to_recent(today: date) -> int:
    """Whole weeks that bring the data's last day to before `today`: weekdays stay, the year becomes the last one."""
    return max(0, (today - timedelta(days=1) - LAST_DAY).days // 7)


def seed(settings: Settings, language: Language, out: Console) -> tuple[Login, Facts]:
    """Prepare everything, with content in `language`; safe to repeat after being killed half-way."""
    clock = PutBackClock()
    product = compose(settings, clock=clock)
    try:
        out.print("准备数据库 · preparing the stores …")
        migrate.upgrade(product.state)
        shift = weeks_to_recent(product.clock.now().astimezone(ZoneInfo(TIME_ZONE)).date())
        brand = product.access.brands.create(
            key=BRAND,
            name=BRAND_NAME,
            currency=CURRENCY,
            time_zone=TIME_ZONE,
        )
        product.vault.prepare(brand.brand_id)
        facts = read_facts(product.settings.data_path) or new_facts(language, shift, CONNECTION)
        keep(product.settings.data_path, facts)
        caller = replace(system_caller(brand.scope(), "demo"), language=facts.language)
        login = _users(product, facts.language)
        _keys(product, caller, facts)
        connector = complete_journey(None, facts.shift_weeks)
        made = MadeTouchpoints(connector, language=facts.language)
        out.print(
            f"读取 Complete Journey 零售数据（日期后移 {facts.shift_weeks} 周）· "
            f"loading the Complete Journey data (dates moved by {facts.shift_weeks} weeks)"
        )
        take_in(product, brand.scope(), connector.feeds(), out)
        take_in(product, brand.scope(), made.feeds(), out)
        _world(product, connector, made, facts.language)
        out.print("库存、埋点方案、自助屏与会员导入 · stock, the tracking plan, kiosks and an import of members …")
        import_stock(product, caller, connector, clock.now())
        _data_to_govern(product, caller, clock, made, facts, out)
        out.print("发布标签、人群与旅程 · publishing tags, audiences and journeys …")
        put_tags(product, caller)
        publish_plays(product, caller, facts.connection)
        facts = replace(facts, prepared=True)
        keep(product.settings.data_path, facts)
        return login, facts
    finally:
        product.close()


def _data_to_govern(
    product: Product, caller: Caller, clock: PutBackClock, made: MadeTouchpoints, facts: Facts, out: Console
) -> None:
    """A plan in force, a source that breaks it, an import with bad rows; then the worker looks at the data again."""
    customers, scope, plans = made.customers(), caller.scope, product.events.plans
    sources = {KIOSK, f"{BRAND}.{MEMBER_FILE}", f"{BRAND}.{STOCK_FILE}"}
    connect(product, scope, facts.kiosk_key)

    def send(days: range) -> None:
        members = [str(customer.household_id) for customer in customers]
        requests = requests_of(days, clock.now(), scope.time_zone, members, facts.language)
        send_days(product, clock, facts.kiosk_key, requests)

    if not plans.current(scope.brand_id)[0]:
        send(BEFORE)
        process(product, sources, lambda _: None, out)
        publish_plan(product, caller)
    if not product.events.learning.violations(scope.brand_id, hours=24 * 7)[1]:
        send(AFTER)
    import_members(product, caller, customers)
    process(product, sources, lambda _: None, out)
    with product.state.write() as tx:
        product.quality.ask(tx, caller.scope.brand_id)


def _users(product: Product, language: Language) -> Login:
    """The users, made once, all with the password that is kept in the data folder."""
    folder = product.settings.data_path
    others = [username for username, _, _ in USERS[1:]]
    login = read_login(folder) or Login(USERS[0][0], f"demo-{secrets.token_hex(4)}", others)
    keep(folder, login)
    known = {user.username for user in product.access.users.list()}
    for username, name, role in USERS:
        if username not in known:
            product.access.users.create(
                username=username,
                name=name.text(language),
                role=role,
                brands=[BRAND],
                password=login.password,
                staff_id="guide05" if role == "guide" else None,
            )
    return login


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
        if not any(client.name == _CLIENT.text(facts.language) for client in product.access.clients.list()):
            product.access.clients.create(
                tx,
                name=_CLIENT.text(facts.language),
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
        name = Label("企业微信（沙箱）", "WeCom (sandbox)").text(facts.language)
        product.messaging.connections.create(scope, "wecom", facts.connection, name, config)


def _world(product: Product, connector: CompleteJourney, made: MadeTouchpoints, language: Language) -> None:
    """What the sandbox plays with: who has a guide as a friend, who may become one, and the goods that sell best."""
    friends = [customer for customer in made.customers() if customer.external_userid]
    new = made.newcomers(NEWCOMERS)
    rows = [
        {
            "external_userid": customer.external_userid,
            "name": customer.name,
            "unionid": customer.unionid,
            "openid": customer.openid,
            "phone": customer.phone,
            "staff": customer.staff_id,
            "friend": customer not in new,
            "store_id": customer.store_id,
            "read_rate": 0.75,
            "redeem_rate": 0.4,
            "block_rate": 0.01,
            "delay": 240.0,
            "purchase_rate": 0.06,
        }
        for customer in [*friends, *new]
    ]
    folder = product.settings.data_path
    write_private(folder / "customers.json", rows)
    write_private(folder / "catalogue.json", connector.best_sellers(200, language))
