"""An operator brings an export in, with the mouse and nothing else: drop, look, run, mend what was refused."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.walker import Walker
from tests.system.harness import Installation, eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HEAD = "订单编号,买家会员名,买家实际支付金额,订单状态,联系手机,订单付款时间,宝贝标题,宝贝总数量,店铺名称\n"
ROWS = (
    '="77001",林**,598.00,交易成功,\'138****0001,2026-01-23 22:02:11,洗面奶,2,旗舰店\n'
    '="77002",幸福蔓岩,12.50,交易成功,\'13800130002,2026-01-24 10:00:00,面膜,1,旗舰店\n'
    '="77003",小王,九块九,交易成功,\'13800130003,2026-01-24 11:00:00,牙刷,1,旗舰店\n'
    '="77004",小李,30.00,交易关闭,\'13800130004,2026-01-24 12:00:00,牙膏,1,旗舰店\n'
)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = Installation(tmp_path_factory.mktemp("imports") / "data")
    try:
        made.init()
        made.start("server", "worker")
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize(("language", "width"), [("zh", 1280), ("en", 390)])
def test_a_tmall_export_is_dropped_looked_at_run_and_mended(
    context: BrowserContext, installation: Installation, tmp_path: Path, language: str, width: int
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 1280, "height": 900})
    walker = Walker(page, f"{installation.base}/?lang={language}")
    walker.sign_in()
    page.goto(f"{installation.base}/imports?lang={language}")
    page.set_viewport_size({"width": width, "height": 900})
    export = tmp_path / "ExportOrderList.csv"
    export.write_bytes((HEAD + ROWS).encode("gbk"))
    walker.the("import-file").set_input_files(str(export))
    expect(page.get_by_text("天猫订单报表" if language == "zh" else "Tmall order report").first).to_be_visible()
    expect(page.get_by_text("GB18030")).to_be_visible()
    walker.the("preview").click()
    refused = "金额无法识别" if language == "zh" else "The amount cannot be read"
    expect(page.get_by_text(refused).first).to_be_visible()
    assert "13800130002" not in page.content(), "a phone stands in clear"
    _picture(page, f"imports-preview-{language}-{width}")
    walker.the("run-import").click()
    books = walker.the("job-books")
    expect(books).to_have_attribute("data-status", "done")
    result = page.locator("section").filter(has=books).last
    expect(result.get_by_text("九块九")).to_be_visible()  # through the log, into quarantine, and back
    _picture(page, f"imports-done-{language}-{width}")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="下载错误行" if language == "zh" else "Download refused rows").click()
    rows = list(csv.reader(io.StringIO(Path(waiting.value.path()).read_text(encoding="utf-8-sig"))))
    assert rows[1][:2] == ["4", "买家实际支付金额"]
    assert rows[1][3:6] == ['="77003"', "小王", "九块九"] or rows[1][3:6] == ['\'="77003"', "小王", "九块九"]
    api = installation.api()
    eventually("the orders are there", lambda: _orders(api) == {"77001", "77002"})
    scrolled = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert scrolled <= 0, "the page scrolls sideways"


def _orders(api: object) -> set[str]:
    page = api.get("/events", name="order_paid")  # type: ignore[attr-defined]
    return {item["order_id"] for item in page["items"]}


def _picture(page: object, name: str) -> None:
    folder = os.environ.get("QUANYU_PICTURES")
    if folder:
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)  # type: ignore[attr-defined]


def test_a_webhook_is_made_with_the_mouse_and_its_address_shown_once(
    context: BrowserContext, installation: Installation
) -> None:
    api = installation.api()
    document = {"target": "events", "key": ["id"], "name": "type", "occurred_at": "at"}
    api.post("/imports/mappings", {"name": "商城推送", "mapping": document})
    page = context.new_page()
    walker = Walker(page, installation.base)
    walker.sign_in()
    walker.menu("imports")
    page.get_by_role("button", name="自动接入").click()
    expect(page.get_by_text("还没有自动接入")).to_be_visible()
    walker.the("connect").click()
    walker.choose(page.get_by_label("类型"), "数据库")
    expect(page.get_by_label("查询语句")).to_be_visible()
    _picture(page, "imports-connect-database")
    walker.choose(page.get_by_label("类型"), "Webhook")
    page.get_by_label("连接名称").fill("商城")
    walker.choose(page.get_by_label("映射"), "商城推送")
    page.get_by_role("dialog").get_by_role("button", name="新建连接").click()
    path = walker.the("hook-path").inner_text()
    body = '{"id": "1", "type": "order_paid", "at": "2026-02-01T10:00:00Z"}'
    answer = httpx.post(path, content=body, timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"events": 1, "refused": 0})
    page.get_by_role("dialog").get_by_role("button", name="关闭").last.click()
    expect(page.get_by_text("由对方调用")).to_be_visible()
    _picture(page, "imports-connections")
    assert path.rsplit("/", 1)[-1] not in page.content(), "the secret address is still on the page"


@pytest.mark.parametrize(("language", "width"), [("zh", 1280), ("en", 390)])
def test_a_connection_is_changed_paused_and_read_from_the_start_and_its_secret_stays(
    context: BrowserContext, installation: Installation, language: str, width: int
) -> None:
    api = installation.api()
    document = {"target": "events", "key": ["id"], "name": "type", "occurred_at": "at"}
    mapping = api.post("/imports/mappings", {"name": f"edit {language}", "mapping": document})["mapping_id"]
    config = {"bucket": "orders", "secret_key": "kept", "endpoint": "storage.invalid"}
    given = {"kind": "s3", "name": f"bucket {language}", "mapping_id": mapping, "config": config}
    made = api.post("/import-connections", given)["connection_id"]

    def stored() -> dict[str, Any]:
        found: list[dict[str, Any]] = api.get("/import-connections")["items"]
        return next(one for one in found if one["connection_id"] == made)

    zh = language == "zh"
    page = context.new_page()
    walker = Walker(page, f"{installation.base}/?lang={language}")
    walker.sign_in()
    page.goto(f"{installation.base}/imports?lang={language}")
    page.set_viewport_size({"width": width, "height": 900})
    page.get_by_role("button", name="自动接入" if zh else "Connections").click()
    edit = page.get_by_label(f"编辑连接 bucket {language}" if zh else f"Edit the connection bucket {language}")
    edit.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Secret Key")).to_have_value("")
    expect(dialog.get_by_text("已设置；留空则保持不变" if zh else "Set; leave empty to keep it")).to_be_visible()
    bucket, schedule = (
        dialog.get_by_label("存储桶" if zh else "Bucket", exact=True),
        dialog.get_by_role("combobox").last,
    )
    expect(bucket).to_have_value("orders")
    bucket.fill("orders-2")
    schedule.fill("now and then")
    expect(walker.lists).to_be_visible()
    page.keyboard.press("Escape")  # the suggestions; were they not open yet, the dialog would close
    expect(walker.lists).to_have_count(0)
    dialog.get_by_role("button", name="保存" if zh else "Save").click()
    expect(dialog.get_by_role("alert").last).to_contain_text("执行计划不对" if zh else "The schedule is not valid")
    _picture(page, f"imports-edit-refused-{language}-{width}")
    assert stored()["config"]["bucket"] == "orders"
    schedule.fill("every 1h")
    dialog.get_by_role("switch").click()
    dialog.get_by_label("从头重新读取" if zh else "Read everything again").check()
    _picture(page, f"imports-edit-{language}-{width}")
    dialog.get_by_role("button", name="保存" if zh else "Save").click()
    expect(dialog).to_be_hidden()
    now = stored()
    assert (now["config"]["bucket"], now["schedule"], now["active"]) == ("orders-2", "every 1h", False)
    assert now["config"]["secret_key"] != ""
    expect(page.get_by_text("已停用" if zh else "Paused").first).to_be_visible()
    scrolled = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert scrolled <= 0, "the page scrolls sideways"


@pytest.mark.parametrize(("language", "width"), [("zh", 1280), ("en", 390)])
def test_reported_stock_is_seen_by_product_and_store(
    context: BrowserContext, installation: Installation, tmp_path: Path, language: str, width: int
) -> None:
    page = context.new_page()
    walker = Walker(page, f"{installation.base}/?lang={language}")
    walker.sign_in()
    zh = language == "zh"
    page.goto(f"{installation.base}/imports?lang={language}")
    export = tmp_path / "stock.csv"
    rows = f"W1,货{language},12,2026-01-05 08:00:00\nW2,货{language},3.5,2026-01-05 08:00:00\n"
    export.write_text("仓库编码,商品编码,可用库存,更新时间\n" + rows, encoding="utf-8")
    walker.the("import-file").set_input_files(str(export))
    expect(page.get_by_text("ERP 库存" if zh else "ERP stock").first).to_be_visible()
    walker.the("preview").click()
    walker.the("run-import").click()
    expect(walker.the("job-books")).to_have_attribute("data-status", "done")
    page.set_viewport_size({"width": width, "height": 900})
    eventually("the stock is there", lambda: len(installation.api().get("/stock", q=f"货{language}")["items"]) == 1)
    page.goto(f"{installation.base}/goods?lang={language}")
    page.get_by_label("搜索商品名称或编码" if zh else "Search by name or SKU").fill(f"货{language}")
    page.keyboard.press("Enter")
    expect(page.get_by_text("15.5")).to_have_count(1)  # once the search is answered
    page.get_by_role("button", name="展开" if zh else "Unfold").first.click()
    expect(page.get_by_text("W2", exact=True)).to_be_visible()
    expect(page.get_by_text("3.5", exact=True)).to_be_visible()
    expect(page.get_by_text("偏低" if zh else "Few", exact=True)).to_be_visible()
    _picture(page, f"goods-{language}-{width}")
    scrolled = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert scrolled <= 0, "the page scrolls sideways"
