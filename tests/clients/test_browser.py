"""The official browser packages, unchanged, in a real Chromium on a page of another site: CORS, beacon and image."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import chromium
from tests.clients.conftest import HERE, Source, named, package, seconds
from tests.clients.test_node import check_order

pytestmark = pytest.mark.browser

# The page's clock is two hours slow, like that of a phone in the wrong time zone.
SLOW_CLOCK = """
const Real = Date, behind = 2 * 3600 * 1000;
window.Date = class extends Real {
  constructor(...given) { given.length ? super(...given) : super(Real.now() - behind); }
  static now() { return Real.now() - behind; }
};
"""


class _Shop(SimpleHTTPRequestHandler):
    """The pages of the shop, and below /npm/ the packages they load."""

    def translate_path(self, path: str) -> str:
        inside = path.partition("?")[0].lstrip("/")
        if inside.startswith("npm/"):
            return str(HERE / "node_modules" / inside.removeprefix("npm/"))
        return str(HERE / "pages" / inside)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """The address of the shop: another site than the collector's 127.0.0.1."""
    server = ThreadingHTTPServer(("localhost", 0), _Shop)
    threading.Thread(target=partial(server.serve_forever, 0.05), daemon=True).start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield made
        made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must not throw, and whose requests to the collector must all be answered 2xx."""
    context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai")
    context.add_init_script(SLOW_CLOCK)
    made = context.new_page()
    wrong: list[str] = []
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on("response", lambda answer: None if answer.ok else wrong.append(f"{answer.status} {answer.url}"))
    made.on("requestfailed", lambda request: wrong.append(f"{request.failure} {request.url}"))
    yield made
    context.close()
    assert not [one for one in wrong if "favicon" not in one], wrong


def visit(page: Page, shop: str, source: Source, name: str, **more: str) -> None:
    query = urlencode({"base": source.base, "key": source.key, "who": source.who, **more})
    page.goto(f"{shop}/{name}?{query}&utm_source=baidu&utm_campaign=c1")
    page.wait_for_function("window.told === true")


@pytest.mark.parametrize("batching", ["", "yes"])
def test_segment_for_browsers(source: Source, page: Page, shop: str, batching: str) -> None:
    package("@segment/analytics-next")
    began = time.time()
    visit(page, shop, source, "segment.html", batching=batching)
    stored = source.stored(7)
    rows = named(stored)
    assert {name: len(found) for name, found in rows.items()} == {
        "page_viewed": 2,
        "product_viewed": 1,
        "identified": 2,
        "order_paid": 1,
        "group_joined": 1,
    }
    assert all(began - 2 <= seconds(row) <= time.time() for row in stored), "the page's clock is two hours slow"
    assert sorted({str(row["channel"]) for row in stored}) == ["app", "web"]
    (order,) = rows["order_paid"]
    check_order(order, source.who)
    context = order["properties"]["$context"]
    assert context["library"]["name"] == "analytics.js"
    assert (context["locale"], context["timezone"]) == ("zh-CN", "Asia/Shanghai")
    assert context["page"]["title"] == "店铺首页"
    assert order["properties"]["$campaign"] == {"source": "baidu", "name": "c1"}
    assert order["properties"]["$integrations"]["Mixpanel"] is False
    viewed = next(row for row in rows["page_viewed"] if row["channel"] == "web")["properties"]
    assert (viewed["name"], viewed["category"], viewed["extra"], viewed["title"]) == ("Home", "Docs", 1, "店铺首页")
    person = source.only_person(*rows)
    assert person["ids"] == ["anonymous_id", "anonymous_id", "email", "user_id"]
    assert person["person"]["name"] == "李*"


@pytest.mark.parametrize("batching", ["", "yes"])
def test_rudderstack_for_browsers(source: Source, page: Page, shop: str, batching: str) -> None:
    package("@rudderstack/analytics-js")
    began = time.time()
    visit(page, shop, source, "rudder.html", batching=batching)
    stored = source.stored(6)
    rows = named(stored)
    assert {name: len(found) for name, found in rows.items()} == {
        "page_viewed": 1,
        "product_viewed": 1,
        "identified": 2,
        "order_paid": 1,
        "group_joined": 1,
    }
    assert all(began - 2 <= seconds(row) <= time.time() for row in stored), "the page's clock is two hours slow"
    (order,) = rows["order_paid"]
    check_order(order, source.who)
    assert {row["channel"] for row in stored} == {"web"}
    context = order["properties"]["$context"]
    assert context["library"]["name"] == "RudderLabs JavaScript SDK"
    assert context["page"]["title"] == "店铺首页"
    assert "traits" not in context
    assert rows["page_viewed"][0]["properties"]["name"] == "Home"
    person = source.only_person(*rows)
    assert {"anonymous_id", "email", "user_id"} <= set(person["ids"])
    assert person["person"]["name"] == "李*"


@pytest.mark.parametrize("mode", ["image", "ajax", "beacon", "batch"])
def test_sensors_for_browsers(source: Source, page: Page, shop: str, mode: str) -> None:
    package("sa-sdk-javascript")
    began = time.time()
    visit(page, shop, source, "sensors.html", mode=mode)
    stored = source.stored(15)
    rows = named(stored)
    assert {name: len(found) for name, found in rows.items()} == {
        "page_viewed": 1,
        "profile_updated": 7,
        "product_viewed": 1,
        "identified": 2,
        "order_paid": 1,
        "item_updated": 1,
        "item_removed": 1,
        "element_clicked": 1,
    }
    assert all(began - 2 <= seconds(row) <= time.time() for row in stored), "the page's clock is two hours slow"
    assert {row["channel"] for row in stored if not row["name"].startswith("item_")} == {"web"}
    assert rows["page_viewed"][0]["properties"]["$title"] == "神策测试页"
    assert rows["page_viewed"][0]["properties"]["$utm_source"] == "baidu"
    assert rows["element_clicked"][0]["properties"]["$element_content"] == "购买"
    assert rows["product_viewed"][0]["properties"]["tags"] == ["a", "b"]
    assert (rows["order_paid"][0]["order_id"], rows["order_paid"][0]["amount"]) == (f"{source.who}-o1", 9950)
    person = source.only_person("page_viewed", "product_viewed", "identified", "order_paid", "element_clicked")
    assert person["ids"] == ["anonymous_id", "phone", "user_id"]
    expected = {"first": "wx", "points": "10", "likes": '["shoes"]'}
    assert {name: person["traits"].get(name) for name in expected} == expected
    assert "City" not in person["traits"]
    assert person["person"]["name"] == "李*"
