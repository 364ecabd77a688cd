"""The whole wheel by clicking, in Chinese: from the books of a source to the coupon on a phone and what it changed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.brand import CARTS, PEOPLE, SECOND_COPIES, Brand, Customer
from tests.browser.walker import Walker
from tests.system.harness import eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_wheel_turns_by_clicking(walker: Walker, brand: Brand, context: BrowserContext):
    walker.sign_in()
    expect(walker.the("menu-overview")).to_contain_text("人货场看板")
    the_books_balance(walker)
    a_person_is_explained(walker, brand.customers[6])
    audience = an_audience_is_counted_and_kept(walker)
    assert audience
    the_journey_is_built_and_published(walker)

    brand.put_into_cart()
    cards = eventually("the phones have the message", brand.cards, within=180)
    receiver = brand.by_external_userid(cards[0]["external_userid"])
    phone = context.new_page()
    the_coupon_is_redeemed_on_the_phone(phone, brand, receiver)
    phone.close()

    the_report_counts_and_opens(walker, brand, receiver)


def the_books_balance(walker: Walker) -> None:
    walker.menu("sources")
    book = walker.the("source-mini")
    expect(book).to_contain_text("已平账")
    numbers = [int(text.replace(",", "")) for text in book.locator(".cell b").all_text_contents()]
    accepted, stored, duplicate, quarantined = numbers
    assert accepted == stored + duplicate + quarantined
    assert duplicate == SECOND_COPIES
    assert quarantined == 1
    walker.the("tab-quarantine").click()
    expect(walker.page.locator("main")).to_contain_text("待处理")


def a_person_is_explained(walker: Walker, one: Customer) -> None:
    walker.menu("people")
    search = walker.the("people-search").locator("input")
    search.fill(one.phone)
    search.press("Enter")
    page = walker.page
    expect(rows(page.locator("main"))).to_have_count(1)
    expect(rows(page.locator("main"))).to_contain_text(one.shown)
    rows(page.locator("main")).get_by_role("link").click()
    expect(walker.the("tab-identity")).to_be_visible()
    expect(page.locator("main")).to_contain_text(one.shown)
    assert one.phone not in page.locator("main").inner_text()
    assert one.name not in page.locator("main").inner_text()
    walker.the("tab-identity").click()
    links = page.locator("section, .card").filter(has=page.get_by_text("关联证据")).last
    expect(links).to_contain_text("已采纳")
    expect(links).to_contain_text("小程序")
    for name in ("手机号", "unionid"):
        expect(page.locator("main")).to_contain_text(re.compile(name, re.IGNORECASE))
    walker.the("tab-consent").click()
    expect(page.locator("main")).to_contain_text("已同意")


def an_audience_is_counted_and_kept(walker: Walker) -> str:
    walker.menu("audiences")
    walker.the("audience-new").first.click()
    page = walker.page
    walker.pick(page.locator('[data-testid^="add-rule-"]').first, walker.the("add-performed"))
    walker.choose(page.locator('[data-testid^="field-"][data-testid$="-event"]'), "加入购物车")
    expect(walker.the("live-count")).to_have_attribute("data-count", str(CARTS))
    expect(walker.the("sentence")).to_contain_text("加入购物车")
    expect(walker.the("reachable")).to_contain_text(str(CARTS))
    walker.the("audience-name").fill("加过购物车")
    walker.the("audience-save").click()
    page.wait_for_url(re.compile(r"/audiences/(?!new)[\w-]+$"))
    kept = page.url.rsplit("/", 1)[1]
    walker.the("tab-people").click()
    expect(walker.the("members-total")).to_contain_text(str(CARTS))
    return kept


def the_journey_is_built_and_published(walker: Walker) -> None:
    walker.menu("journeys")
    page = walker.page
    walker.the("journey-new").first.click()
    walker.the("journey-name").fill("加购未付提醒")
    walker.the("template-cart").click()
    walker.the("journey-create").click()
    expect(walker.the("canvas")).to_be_visible()

    walker.the("node-wait").click()
    walker.the("wait-value").fill("0")
    walker.the("node-send").click()
    walker.choose(walker.the("send-connection"), "企业微信")
    walker.the("template-new").click()
    walker.the("template-name").fill("加购提醒")
    page.get_by_role("dialog").locator(".ant-radio-button-wrapper").filter(has_text="小程序卡片").click()
    walker.the("hole-name").click()
    walker.the("template-text").press_sequentially("，购物车里的东西给您留着，送您一张")
    walker.the("hole-coupon.name").click()
    walker.the("template-card-title").fill("您的专属优惠券")
    walker.the("template-save").click()
    expect(walker.the("template-save")).to_have_count(0)
    walker.the("coupon-new").click()
    walker.the("coupon-name").fill("满 50 减 10")
    walker.the("coupon-value").fill("10")
    walker.the("coupon-threshold").fill("50")
    walker.the("coupon-save").click()
    expect(walker.the("coupon-save")).to_have_count(0)
    expect(walker.the("phone-preview")).to_contain_text("您的专属优惠券")

    # Half of the twelve, not the usual tenth: with a tenth, chance leaves nobody to compare with in 28 walks of 100.
    walker.the("journey-settings").click()
    share = walker.the("settings-holdout")
    share.fill("50")
    share.press("Tab")
    page.locator(".ant-slider-handle").hover()  # wherever the mouse rests
    page.keyboard.press("Escape")
    expect(walker.the("settings-drawer")).not_to_be_visible()

    expect(walker.the("save-state")).to_contain_text("已自动保存")
    walker.the("journey-publish").click()
    expect(walker.the("publish-dialog")).to_contain_text("对照组")
    expect(walker.the("publish-dialog")).to_contain_text("50")
    walker.the("publish-confirm").click()
    expect(walker.the("journey-status-tag").first).to_contain_text("运行中")


def the_coupon_is_redeemed_on_the_phone(phone: Page, brand: Brand, one: Customer) -> None:
    phone.goto(f"{brand.sandbox}/phone")
    phone.get_by_test_id("search").fill(one.name)
    phone.get_by_test_id(f"customer-{one.external_userid}").click()
    chat = phone.get_by_test_id("chat")
    expect(chat).to_contain_text(f"{one.name}，购物车里的东西给您留着，送您一张满 50 减 10")
    chat.get_by_test_id("card").last.click()
    mini = phone.get_by_test_id("mini-program")
    expect(mini.get_by_test_id("coupon")).to_contain_text("满 50 减 10")
    mini.get_by_test_id("redeem").click()
    expect(mini.get_by_test_id("redeemed")).to_be_visible()
    expect(mini.get_by_test_id("coupon")).to_have_attribute("data-status", "redeemed")


def the_report_counts_and_opens(walker: Walker, brand: Brand, receiver: Customer) -> None:
    walker.the("tab-report").click()
    expect(walker.the("report")).to_be_visible()

    def number(state: str, node: str = "send") -> int:
        return count(walker.the(f"report-{node}-{state}"))

    walker.until("everybody is counted", lambda: number("sent") + number("held_out") == PEOPLE)
    assert number("entered", "trigger") == count(walker.the("total-entered")) == PEOPLE
    assert number("sent") == len(brand.cards())
    walker.until("the redemption is counted", lambda: number("redeemed") == number("converted") == 1)
    walker.until("the reading is counted", lambda: number("read") >= 1)
    assert count(walker.the("total-converted")) == 1
    expect(walker.the("lift")).to_be_visible()

    for state in ("redeemed", "converted"):
        walker.the(f"report-send-{state}").click()
        expect(walker.the("people-total")).to_contain_text("1")
        drawer = walker.the("people-drawer")
        expect(rows(drawer)).to_have_count(1)
        expect(rows(drawer)).to_contain_text(receiver.shown)
        walker.page.keyboard.press("Escape")
        expect(drawer).not_to_be_visible()
    walker.the("report-send-sent").click()
    expect(walker.the("people-total")).to_contain_text(str(len(brand.cards())))
    walker.still()
    rows(walker.the("people-drawer")).filter(has_text=receiver.shown).get_by_role("link").click()
    expect(walker.the("tab-timeline")).to_be_visible()
    expect(walker.page.locator("main")).to_contain_text(receiver.shown)
    expect(walker.page.locator("main")).to_contain_text("核销优惠券")


def rows(place: Locator) -> Locator:
    """The rows of the table that stands there."""
    return place.locator("tbody tr:not(.ant-table-measure-row):not(.ant-table-placeholder)")


def count(number: Locator) -> int:
    """What a number on the page says."""
    return int(number.inner_text().replace(",", ""))
