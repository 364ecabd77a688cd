"""A real Chromium and a real installation for the tests that click."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.browser.brand import Brand
from tests.browser.walker import Walker

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WAIT = 90_000  # ms; what takes 100 ms on a free machine takes many seconds on two busy cores
expect.set_options(timeout=WAIT)


def chromium() -> str:
    """The browser to drive: QUANYU_CHROMIUM, else the first one on the PATH."""
    given = os.environ.get("QUANYU_CHROMIUM")
    found = given or next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found, "no Chromium: run tools/ensure-browser, or name one with QUANYU_CHROMIUM"
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield made
        made.close()


@pytest.fixture(scope="module")
def brand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brand]:
    made = Brand(tmp_path_factory.mktemp("browser") / "data")
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", viewport={"width": 1440, "height": 900})
    made.set_default_timeout(WAIT)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, tmp_path: Path) -> Iterator[Page]:
    """A page that must not throw; what it showed last is kept in the test's folder."""
    made = context.new_page()
    thrown: list[str] = []
    made.on("pageerror", lambda error: thrown.append(f"{made.url}: {error}"))
    yield made
    made.screenshot(path=tmp_path / "last.png")
    assert not thrown, thrown


@pytest.fixture
def walker(page: Page, brand: Brand) -> Walker:
    return Walker(page, brand.base)
