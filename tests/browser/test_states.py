"""What a page shows while its answers are on their way, when they fail, and once they come after all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.walker import Walker

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PLACES = (
    "overview",
    "events",
    "goods",
    "imports?tab=jobs",
    "imports?tab=connections",
    "imports?tab=mappings",
    "sources",
    "sources?tab=quarantine",
    "plan",
    "plan?tab=proposals",
    "plan?tab=violations",
    "plan?tab=versions",
    "quality",
    "quality?tab=retention",
    "people",
    "audiences",
    "journeys",
    "sends",
    "settings",
    "settings?tab=audit",
)
ANSWERS = re.compile(r"/api/v1/(?!session\b)")
WAITS = "main :is([aria-busy=true], .ant-skeleton, .ant-spin-spinning)"
BUSY = {
    "type": "about:blank",
    "title": "分析引擎忙",
    "status": 503,
    "code": "engine_busy",
    "detail": "30 秒内未完成，请稍后再试",
    "request_id": "req_states",
}


@pytest.fixture
def visit(walker: Walker) -> Callable[[str], Page]:
    """Open a page whose heading is there, whatever becomes of its answers."""
    walker.sign_in()

    def visit(place: str) -> Page:
        walker.page.goto(f"{walker.base}/{place}", wait_until="commit")
        expect(walker.page.locator("main h1").first).to_be_visible()
        return walker.page

    return visit


@pytest.mark.parametrize("place", PLACES)
def test_a_page_whose_answers_are_on_their_way_says_so_and_then_shows_them(
    place: str, walker: Walker, visit: Callable[[str], Page]
) -> None:
    held: list[Route] = []
    free = False

    def hold(route: Route) -> None:
        if free:
            route.continue_()
        else:
            held.append(route)

    walker.page.route(ANSWERS, hold)
    with walker.page.expect_request(ANSWERS):  # what waits before that is the page's own code
        page = visit(place)
    expect(page.locator(WAITS).first).to_be_visible()
    assert held
    assert not page.locator("main [role=alert]").count()
    free = True
    for route in held:
        route.continue_()
    expect(page.locator(WAITS)).to_have_count(0)
    assert not page.locator("main [role=alert]").count()


@pytest.mark.parametrize("place", PLACES)
def test_a_page_whose_answers_fail_says_what_and_comes_back_when_asked_again(
    place: str, walker: Walker, visit: Callable[[str], Page]
) -> None:
    failed: list[str] = []
    mended = False

    def fail(route: Route) -> None:
        if mended:
            route.continue_()
            return
        failed.append(route.request.url)
        route.fulfill(status=503, content_type="application/problem+json", body=json.dumps(BUSY))

    walker.page.route(ANSWERS, fail)
    page = visit(place)
    said = page.locator("main [role=alert]").first
    expect(said).to_contain_text("分析引擎忙")
    expect(page.locator(WAITS)).to_have_count(0)
    assert failed
    mended = True
    again = page.locator("main [role=alert]").get_by_role("button", name="重试")
    again.evaluate_all("buttons => buttons.forEach((button) => button.click())")
    expect(page.locator("main")).not_to_contain_text("分析引擎忙")
    expect(page.locator(WAITS)).to_have_count(0)
