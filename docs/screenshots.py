"""Makes the pictures of the guides from a running demo: `python docs/screenshots.py --data-dir DIR`.

Every picture is made in Chinese and in English by the same clicks, so the guides of both languages show the same
screens. Pictures are 1280 pixels wide and at most 160 kB; one that is larger makes the run fail.

    quanyu demo --data-dir DIR                      in another window; wait for `ready`
    python docs/screenshots.py --data-dir DIR       all pictures
    python docs/screenshots.py --data-dir DIR --only people,journey
    python docs/screenshots.py --data-dir DIR --language en     from a demo that was made with --language en
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

OUT = Path(__file__).resolve().parent / "assets" / "screens"
WIDTH, HEIGHT = 1280, 800
LIMIT = 160_000
LOCALES = {"zh": "zh-CN", "en": "en-GB"}
PATIENCE = 90_000
# The sandbox's page is known by this, whatever its port.
PHONE = '[data-testid="people"] button'


def packed(png: bytes) -> bytes:
    """The same PNG with its pixels deflated as tightly as zlib can; the browser writes them fast, not small."""
    chunks, place = [], 8
    while place < len(png):
        (size,) = struct.unpack_from(">I", png, place)
        chunks.append((png[place + 4 : place + 8], png[place + 8 : place + 8 + size]))
        place += size + 12
    pixels = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    kept = [chunk for chunk in chunks if chunk[0] == b"IHDR"]
    kept += [(b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b"")]
    written = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in kept
    ]
    return png[:8] + b"".join(written)


class Camera:
    """One signed-in user with one language."""

    def __init__(self, page: Page, base: str, sandbox: str, language: str) -> None:
        self.page, self.base, self.sandbox, self.language = page, base, sandbox, language

    def sign_in(self, username: str, password: str) -> None:
        self.page.goto(f"{self.base}/login")
        self.page.evaluate("language => localStorage.setItem('quanyu.language', language)", self.language)
        self.page.reload()
        self.page.get_by_test_id("username").fill(username)
        self.page.get_by_test_id("password").fill(password)
        self.page.get_by_test_id("sign-in").click()
        expect(self.page.get_by_test_id("menu-overview")).to_be_visible()

    def go(self, path: str, *sure: str) -> None:
        """Open a page and wait until each of the selectors is there and nothing is loading."""
        self.page.goto(f"{self.base}{path}")
        for selector in sure:
            self.page.locator(selector).first.wait_for()
        self.settle()

    def settle(self) -> None:
        self.page.wait_for_function("() => !document.querySelector('.ant-skeleton, .ant-spin-spinning')")
        self.page.wait_for_timeout(1200)  # charts and drawers move into place

    def click(self, test_id: str) -> None:
        self.page.get_by_test_id(test_id).first.click()

    def keep(self, name: str, height: int = HEIGHT) -> None:
        path = OUT / self.language / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed(self.page.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": height})))
        print(f"{path.relative_to(OUT)} {path.stat().st_size // 1000} kB", flush=True)


def overview(camera: Camera) -> None:
    """The overview."""
    camera.go("/overview", '[data-testid^="kpi-"]')
    camera.keep("overview")


def people(camera: Camera) -> None:
    """The list of people."""
    camera.go("/people", "main tbody tr")
    camera.keep("people")


def person(camera: Camera) -> None:
    """One person: why the identifiers are linked, and consent."""
    camera.go("/people", "main tbody tr")
    camera.page.locator("main tbody tr a").first.click()
    camera.click("tab-identity")
    camera.settle()
    camera.keep("person-identity")
    camera.click("tab-consent")
    camera.settle()
    camera.keep("person-consent")


def audience(camera: Camera) -> None:
    """The audiences, and one of them."""
    camera.go("/audiences", '[data-testid="audience-new"]')
    camera.keep("audiences")
    found = camera.page.locator("main tbody tr a[href^='/audiences/']")
    if found.count():
        found.first.click()
        camera.page.get_by_test_id("live-count").wait_for()
        camera.page.wait_for_function("() => document.querySelector('[data-testid=live-count]').dataset.count")
        camera.settle()
        camera.keep("audience")


def journey(camera: Camera) -> None:
    """The journeys, one on the canvas, and its report."""
    camera.go("/journeys", "main tbody tr")
    camera.keep("journeys")
    camera.page.locator("main tbody tr a[href^='/journeys/']").first.click()
    camera.page.get_by_test_id("canvas").wait_for()
    camera.settle()
    camera.keep("journey")
    camera.click("tab-report")
    camera.page.get_by_test_id("report").wait_for()
    camera.settle()
    camera.keep("journey-report")


def sends(camera: Camera) -> None:
    """The messages one by one."""
    camera.go("/sends", "main h1")
    camera.keep("sends", height=640)


def sources(camera: Camera) -> None:
    """The books of the sources, the quarantine, and what a mending in bulk would do."""
    camera.go("/sources", ".book")
    camera.keep("sources")
    camera.click("tab-quarantine")
    camera.settle()
    camera.keep("quarantine")
    camera.click("replay-bad_amount")
    camera.click("bulk-add")
    camera.settle()
    camera.page.locator(".bulk-edits .ant-select input").focus()
    for key in ("Enter", "ArrowUp", "Enter"):  # the last choice: read as a number
        camera.page.keyboard.press(key)
        camera.page.wait_for_timeout(300)
    camera.page.locator(".bulk-edits li > input").first.fill("properties.revenue")
    camera.click("bulk-preview")
    camera.page.get_by_test_id("bulk-outcome").wait_for()
    camera.settle()
    camera.keep("quarantine-replay")


# As Tmall exports orders: masked buyers, ids as formulas, and one amount that nobody can read.
EXPORT = (
    "订单编号,买家会员名,买家实际支付金额,订单状态,联系手机,订单付款时间,宝贝标题,宝贝总数量,店铺名称\n"
    '="77001",林**,598.00,交易成功,\'138****0001,2026-01-23 22:02:11,洗面奶,2,旗舰店\n'
    '="77002",幸福**,12.50,交易成功,\'139****0002,2026-01-24 10:00:00,面膜,1,旗舰店\n'
    '="77003",小**,九块九,交易成功,\'137****0003,2026-01-24 11:00:00,牙刷,1,旗舰店\n'
    '="77004",小**,30.00,交易关闭,\'136****0004,2026-01-24 12:00:00,牙膏,1,旗舰店\n'
)


def imports(camera: Camera) -> None:
    """An export that was dropped and looked at but not run, and where connections are made."""
    camera.go("/imports", "main h1")
    file = {"name": "ExportOrderList.csv", "mimeType": "text/csv", "buffer": EXPORT.encode("gbk")}
    camera.page.get_by_test_id("import-file").set_input_files(file)
    camera.page.get_by_test_id("preview").scroll_into_view_if_needed()
    camera.settle()
    camera.keep("imports-mapping")
    camera.click("preview")
    camera.page.get_by_test_id("run-import").wait_for()
    camera.page.keyboard.press("End")
    camera.settle()
    camera.keep("imports-preview")
    camera.go("/imports", "main h1")
    camera.page.get_by_role("button", name="自动接入" if camera.language == "zh" else "Connections").click()
    camera.click("connect")
    camera.page.get_by_role("dialog").wait_for()
    camera.settle()
    camera.keep("imports-connection")


def plan(camera: Camera) -> None:
    """The tracking plan in force, one event of it, what its last version changed, and what breaks it."""
    camera.go("/plan", "main tbody tr")
    camera.keep("plan")
    camera.page.locator("main tbody tr", has_text="order_submitted").get_by_role("button").first.click()
    camera.page.get_by_test_id("event-save").wait_for()
    camera.settle()
    camera.keep("plan-event")
    camera.go("/plan?tab=versions", "main tbody tr")
    camera.page.locator("main tbody [aria-expanded]").first.click()
    camera.page.get_by_test_id("plan-changes").wait_for()
    camera.settle()
    camera.keep("plan-changes")
    camera.go("/plan?tab=violations", "main tbody tr")
    camera.keep("plan-violations", height=560)


def quality(camera: Camera) -> None:
    """What is wrong with the data, and the sources at a glance."""
    camera.go("/quality", '[data-testid="problems"]', "main tbody tr")
    camera.keep("quality", height=640)


def phone(camera: Camera) -> None:
    """A customer's phone in the sandbox."""
    camera.page.goto(f"{camera.sandbox}/phone")
    camera.page.locator(PHONE).first.wait_for()
    if camera.page.locator("html").get_attribute("lang") not in (LOCALES[camera.language], camera.language):
        camera.click("lang-switch")
    # A soft background costs more bytes than all the rest of the picture.
    camera.page.evaluate("document.body.style.background = '#eef1f6'")
    camera.page.evaluate("document.querySelectorAll('.device, .device *').forEach(e => e.style.boxShadow = 'none')")
    # One who has unread news if there is one, else the first.
    waiting = camera.page.locator(PHONE).filter(has=camera.page.locator(".badge"))
    (waiting if waiting.count() else camera.page.locator(PHONE)).first.click()
    camera.page.wait_for_timeout(2500)
    camera.keep("phone")


SCENES: dict[str, Callable[[Camera], None]] = {
    scene.__name__: scene
    for scene in (overview, people, person, audience, journey, sends, sources, imports, plan, quality, phone)
}


def shoot(browser: Browser, options: argparse.Namespace, language: str) -> list[str]:
    """Make the pictures of one language; the scenes that failed, with why."""
    login = json.loads((Path(options.data_dir) / "demo-login.json").read_text(encoding="utf-8"))
    context = browser.new_context(
        locale=LOCALES[language], viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce"
    )
    context.set_default_timeout(PATIENCE)
    camera = Camera(context.new_page(), options.base, options.sandbox, language)
    camera.sign_in(login["username"], login["password"])
    failed = []
    for name in options.only.split(",") if options.only else SCENES:
        try:
            SCENES[name](camera)
        except (AssertionError, Error) as error:  # one scene that cannot be made must not cost the others
            failed.append(f"{language} {name}: {str(error).splitlines()[0]}")
    context.close()
    return failed


def main() -> int:
    """Make the pictures; 0 when all are there and small enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data-dir", required=True, help="the demo's data folder: holds demo-login.json")
    parser.add_argument("--base", default="http://127.0.0.1:8600", help="where the demo is")
    parser.add_argument("--sandbox", default="http://127.0.0.1:8601", help="where its sandbox is")
    parser.add_argument("--language", choices=tuple(LOCALES), help="only this one; both if left out")
    parser.add_argument("--only", default="", help=f"some of: {','.join(SCENES)}")
    options = parser.parse_args()
    languages = [options.language] if options.language else list(LOCALES)
    with sync_playwright() as playwright:
        path = os.environ.get("QUANYU_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        failed = [line for language in languages for line in shoot(browser, options, language)]
        browser.close()
    failed += [
        f"{path.name} is larger than {LIMIT} bytes" for path in OUT.rglob("*.png") if path.stat().st_size > LIMIT
    ]
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
