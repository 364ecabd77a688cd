"""Each role on a phone, in both languages: what it may open fits, is in words, and asks for nothing it may not see."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.brand import Brand
from tests.browser.conftest import WAIT
from tests.browser.walker import Walker
from tests.system.harness import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# What each may open, of collection all of it.
PAGES = {
    "analyst": ("overview", "events", "goods", "imports", "sources", "plan", "quality", "people", "audiences"),
    "operator": ("overview", "events", "goods", "imports", "sources", "plan", "quality", "people", "journeys", "sends"),
    "guide": ("goods", "people"),
    "compliance": ("goods", "imports", "sources", "plan", "quality", "people", "sends", "settings"),
}
# A text that is missing shows its key: `plan:versions.title`, or `versions.title` in a page's own namespace.
A_KEY = re.compile(r"\b[a-z]+:[a-z]+\.[a-zA-Z_.]+\b")
ENGLISH = re.compile(r"(?:\b[A-Za-z]{2,}[ ,]+){4,}[A-Za-z]{2,}")
CHINESE_WORDS = re.compile("[\u4e00-\u9fff]{2,}")


@pytest.fixture(scope="module")
def users(brand: Brand) -> None:
    for role in PAGES:
        fields = {"username": role, "name": role, "role": role, "brands": ["main"], "password": PASSWORD}
        brand.owner.post("/users", {**fields, **({"staff_id": "guide01"} if role == "guide" else {})})


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", viewport={"width": 390, "height": 844})
    context.set_default_timeout(WAIT)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("role", PAGES)
@pytest.mark.usefixtures("users")
def test_what_a_role_may_open_fits_a_phone_and_is_said_in_words(role: str, phone: Page, brand: Brand):
    wrong: list[str] = []
    phone.on("pageerror", lambda error: wrong.append(f"{phone.url}: {error}"))
    phone.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    walker = Walker(phone, brand.base)
    walker.sign_in(role, PASSWORD)
    wrong.clear()  # who is not signed in yet is told so
    for language in ("zh", "en"):
        expect(phone.locator("html")).to_have_attribute("lang", re.compile(f"^{language}"))
        for key in PAGES[role]:
            phone.goto(f"{brand.base}/{key}")
            expect(phone.locator("main h1").first).to_be_visible()
            phone.wait_for_load_state("networkidle")
            expect(phone.locator(".ant-skeleton, .ant-spin-spinning")).to_have_count(0)
            said = phone.locator("main").inner_text()
            width = phone.evaluate("document.documentElement.scrollWidth")
            if width > 390:
                wrong.append(f"{language} {key}: {width} px wide")
            wrong += [f"{language} {key}: key {one}" for one in A_KEY.findall(said)]
            if language == "zh":
                wrong += [f"{key}: {one}" for one in ENGLISH.findall(said)]
            else:
                title = phone.locator("main h1").first.inner_text()
                wrong += [f"{key}: {one}" for one in CHINESE_WORDS.findall(title)]
        phone.set_viewport_size({"width": 1280, "height": 844})
        walker.the("language").click()
        phone.set_viewport_size({"width": 390, "height": 844})
    assert not wrong, "\n".join(wrong)


@pytest.mark.usefixtures("users")
def test_a_guide_is_told_what_is_not_for_them_and_keeps_the_way_back(phone: Page, brand: Brand):
    walker = Walker(phone, brand.base)
    walker.sign_in("guide", PASSWORD)
    for key in ("quality", "plan", "imports", "audiences"):
        phone.goto(f"{brand.base}/{key}")
        expect(phone.locator("main")).to_contain_text("权限")
        expect(walker.the("account")).to_be_visible()
    phone.goto(f"{brand.base}/people")
    expect(phone.locator("main h1").first).to_be_visible()
