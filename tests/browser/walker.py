"""How a test uses the console: finds things by test id or by what they say, clicks, and waits for what follows."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Error, Locator, Page, expect

from tests.system.harness import PASSWORD

# A select is found by its test id (the whole) or by its label (the input in it).
ROOT_OF_SELECT = "xpath=ancestor-or-self::*[contains(concat(' ', @class, ' '), ' ant-select ')][1]"


class Walker:
    """One user in front of one page of the console."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base

    @property
    def lists(self) -> Locator:
        """The open lists of selects and of suggestions."""
        return self.page.locator(".ant-select-dropdown:not(.ant-select-dropdown-hidden)")

    def the(self, test_id: str) -> Locator:
        return self.page.get_by_test_id(test_id)

    def sign_in(self, username: str = "owner", password: str = PASSWORD) -> None:
        self.page.goto(self.base)
        self.the("username").fill(username)
        self.the("password").fill(password)
        self.the("sign-in").click()
        expect(self.the("account")).to_be_visible()

    def menu(self, key: str) -> None:
        """Go to a page by its entry in the main navigation."""
        entry = self.the(f"menu-{key}")
        entry.click()
        expect(entry).to_have_attribute("aria-current", "page")  # the page before it has a heading too
        expect(self.page.locator("main h1").first).to_be_visible()

    def pick(self, opener: Locator, item: Locator) -> None:
        """Open a menu and click one of its items; the menu closes."""
        opener.click()
        item.click()
        expect(item).to_be_hidden()

    def still(self) -> None:
        """Wait until what slides in has come to rest: a click on what moves may miss it."""
        expect(self.page.locator('[class*="-motion-"]:is([class*="-enter"], [class*="-appear"])')).to_have_count(0)

    def choose(self, select: Locator, text: str) -> None:
        """Open a select of one choice and click what says `text`; the select says it then, and its list closes."""
        select.click()
        self.lists.locator(".ant-select-item-option").filter(has_text=text).first.click()
        expect(select.locator(ROOT_OF_SELECT)).to_contain_text(text)
        expect(self.lists).to_have_count(0)  # a list that is still closing would be taken for the next one

    def until(self, what: str, holds: Callable[[], bool], *, within: float = 120.0) -> None:
        """Read the page anew until something holds, as one who presses reload."""
        limit = time.monotonic() + within
        while True:
            self.page.wait_for_load_state("networkidle")
            try:
                if holds():
                    return
            except Error:
                pass  # the page is being drawn
            assert time.monotonic() < limit, f"{what}: not within {within} s at {self.page.url}"
            self.page.wait_for_timeout(1000)
            self.page.reload()
