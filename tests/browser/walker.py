"""How a test uses the console: finds things by test id or by what they say, clicks, and waits for what follows."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Error, Locator, Page, expect

from tests.system.harness import PASSWORD


class Walker:
    """One user in front of one page of the console."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base

    def the(self, test_id: str) -> Locator:
        return self.page.get_by_test_id(test_id)

    def sign_in(self, username: str = "owner", password: str = PASSWORD) -> None:
        self.page.goto(self.base)
        self.the("username").fill(username)
        self.the("password").fill(password)
        self.the("sign-in").click()
        expect(self.the("menu-overview")).to_be_visible()

    def menu(self, key: str) -> None:
        """Go to a page by its entry in the main navigation."""
        self.the(f"menu-{key}").click()
        expect(self.page.locator("main h1").first).to_be_visible()

    def choose(self, select: Locator, text: str) -> None:
        """Open a select and click the choice that says `text`."""
        select.click()
        choices = self.page.locator(".ant-select-dropdown:not(.ant-select-dropdown-hidden) .ant-select-item-option")
        choices.filter(has_text=text).first.click()

    def until(self, what: str, holds: Callable[[], bool], *, within: float = 60.0) -> None:
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
