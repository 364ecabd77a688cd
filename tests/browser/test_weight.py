"""What a route costs whoever opens it first: scripts and styles from an empty cache, as sent, within its budget."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Response, StorageState

from tests.browser.brand import Brand
from tests.browser.walker import Walker

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# In kB of 1,000 bytes, brotli. Only the overview draws charts at once.
BUDGETS = {
    "/login": 270,
    "/overview": 450,
    "/people": 330,
    "/events": 330,
    "/audiences": 330,
    "/audiences/new": 330,
    "/journeys": 330,
    "/sends": 330,
    "/goods": 330,
    "/imports": 330,
    "/sources": 330,
    "/plan": 330,
    "/quality": 330,
    "/settings": 330,
}


@pytest.fixture(scope="module")
def signed_in(browser: Browser, brand: Brand) -> StorageState:
    context = browser.new_context(locale="zh-CN")
    Walker(context.new_page(), brand.base).sign_in()
    state = context.storage_state()
    context.close()
    return state


@pytest.mark.parametrize("route", BUDGETS)
def test_the_first_load_of_a_route_keeps_its_budget(
    route: str, browser: Browser, brand: Brand, signed_in: StorageState
):
    context = browser.new_context(locale="zh-CN", storage_state=None if route == "/login" else signed_in)
    sizes: dict[str, int] = {}

    def weigh(answer: Response) -> None:
        path = urlsplit(answer.url).path
        if path.endswith((".js", ".css")):
            sizes[path] = int(answer.headers["content-length"])

    page = context.new_page()
    page.on("response", weigh)
    page.goto(brand.base + route)
    page.locator("main h1, form").first.wait_for()
    page.wait_for_load_state("networkidle")
    context.close()
    assert len(sizes) > 10, f"{route} loaded only {sorted(sizes)}"
    total = sum(sizes.values()) / 1000
    heaviest = sorted(sizes.items(), key=lambda each: -each[1])[:8]
    assert total <= BUDGETS[route], f"{route}: {total:.0f} kB of {BUDGETS[route]}; the heaviest: {heaviest}"
