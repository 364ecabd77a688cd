"""Every page in English without a Chinese word in the navigation, and without a critical barrier to anybody."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.brand import PEOPLE, Brand
from tests.browser.walker import Walker

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = Path(__file__).parents[2] / "console" / "node_modules" / "axe-core" / "axe.min.js"
MENU = (
    "overview",
    "events",
    "imports",
    "sources",
    "plan",
    "quality",
    "people",
    "audiences",
    "journeys",
    "sends",
    "settings",
)
SHANGHAI = ZoneInfo("Asia/Shanghai")
CHINESE = re.compile("[\u4e00-\u9fff]")
PERFORMED = {"event": "product_added_to_cart", "times_operator": "gte", "times": 1, "within_days": 30}


@pytest.fixture(scope="module")
def places(brand: Brand) -> dict[str, str]:
    """The pages that are looked at closely, each with something in it."""
    rule = {"type": "rule", "id": "r1", "predicate": "performed", "params": PERFORMED}
    tree = {"type": "group", "id": "g1", "op": "and", "children": [rule]}
    audience = brand.owner.post("/audiences", {"name": "Carts", "description": "", "tree": tree, "refresh": "manual"})
    journey = brand.owner.post("/journeys", {"name": "Cart reminder", "template": "cart"})
    person = brand.owner.post("/people/search", {"limit": 1})["items"][0]
    return {
        "overview": "/overview",
        "people": "/people",
        "person": f"/people/{person['person_id']}?tab=identity",
        "audience": f"/audiences/{audience['audience_id']}",
        "journey": f"/journeys/{journey['journey_id']}",
        "sources": "/sources",
    }


def test_the_navigation_is_english_on_every_page(walker: Walker):
    walker.sign_in()
    walker.the("language").click()
    expect(walker.the("menu-people")).to_have_text("People")
    for key in MENU:
        walker.menu(key)
        said = (
            walker.page.locator(".shell > nav.menu, aside nav.menu, .side nav.menu").inner_text()
            + walker.page.locator("main h1").first.inner_text()
        )
        assert not CHINESE.search(said), f"{key}: {said}"


@pytest.mark.parametrize("place", ["overview", "people", "person", "audience", "journey", "sources"])
def test_no_page_has_a_critical_barrier(place: str, walker: Walker, places: dict[str, str]):
    assert AXE.exists(), f"{AXE} is missing: run `python hatch_build.py deps`"
    walker.sign_in()
    page = walker.page
    page.goto(walker.base + places[place])
    expect(page.locator("main")).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page.locator(".ant-skeleton, .ant-spin-spinning")).to_have_count(0)
    page.evaluate(AXE.read_text(encoding="utf-8"))  # not as a script tag: the console's own policy forbids those
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run()).violations")
    critical = [
        f"{each['id']}: {each['help']}: {[node['html'][:120] for node in each['nodes'][:3]]}"
        for each in found
        if each["impact"] == "critical"
    ]
    assert not critical, "\n".join(critical)


def test_how_long_a_kind_stays_is_set_after_its_preview_and_taken_back_by_keyboard(walker: Walker):
    walker.sign_in()
    page = walker.page
    page.goto(walker.base + "/quality?tab=retention")
    row = page.locator("tr").filter(has=walker.the("retention-order_paid"))
    expect(row).to_contain_text("永久")
    walker.the("retention-order_paid").click()
    page.locator("input[value=days]").check()
    walker.the("retention-days").fill("1")
    expect(walker.the("retention-preview")).to_contain_text(f"将删除 {PEOPLE} 条")  # an order of each, three days old
    expect(walker.the("retention-save")).to_be_disabled()
    walker.the("retention-sure").check()
    walker.the("retention-save").click()
    expect(row).to_contain_text("1 天")
    expect(row).to_contain_text(f"{datetime.now(SHANGHAI) + timedelta(days=1):%Y-%m-%d}")
    walker.the("retention-order_paid").press("Enter")
    page.locator("input[value=days]").press("ArrowUp")
    expect(walker.the("retention-preview")).to_contain_text("不会删除任何事件")
    walker.the("retention-save").press("Enter")
    expect(row).to_contain_text("随默认")


@pytest.mark.parametrize(
    ("address", "opener", "list_class", "item"),
    [
        ("/audiences/new", '[data-testid^="add-rule-"]', ".ant-dropdown", '[data-testid="add-performed"]'),
        (
            "/audiences/new",
            '[data-testid="audience-mode"]',
            ".ant-select-dropdown",
            ".ant-select-item-option >> nth=2",
        ),
        ("/journeys", '[data-testid="journey-new"] >> nth=0', ".ant-modal", '[data-testid="template-cart"]'),
    ],
    ids=["menu", "select", "dialog"],
)
def test_nothing_moves_under_the_pointer_while_it_opens(
    address: str, opener: str, list_class: str, item: str, walker: Walker
):
    """A click on what moves between press and release is lost, without a word."""
    walker.sign_in()
    page = walker.page
    page.goto(walker.base + address)
    page.locator(opener).wait_for()
    devtools = page.context.new_cdp_session(page)
    devtools.send("Animation.enable")
    devtools.send("Animation.setPlaybackRate", {"playbackRate": 0})  # every motion stands at its first frame
    page.locator(opener).click()
    opening = page.locator(f'{list_class}[class*="-active"]')
    opening.wait_for(state="attached")
    at_first = page.locator(item).bounding_box()
    devtools.send("Animation.setPlaybackRate", {"playbackRate": 1})
    expect(opening).to_have_count(0)
    assert at_first is not None
    assert page.locator(item).bounding_box() == pytest.approx(at_first, abs=0.5)
