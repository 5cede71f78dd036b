"""What an official does with the page, in a real browser: find, open, filter, switch language, print, by keyboard."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fake_desk import PASSWORD
from page_faults import layout_faults
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser

PAGES = (
    "/projects",
    "/projects/HCMC-001",
    "/projects/HCMC-001/partners/Pjp",
    "/partners/P288437fb",
    "/missions",
    "/missions/id-jakarta",
)


@pytest.fixture(params=[1280, 390], ids=["desk", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, signed_in: Any) -> Iterator[Page]:
    """A page without scripts, at the width of a desk and of a phone; complaints of the browser fail the test."""
    context = browser.new_context(
        storage_state=signed_in, java_script_enabled=False, viewport={"width": request.param, "height": 800}
    )
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("requestfailed", lambda failed: complaints.append(f"{failed.url} failed"))
    yield opened
    context.close()
    assert complaints == []


def test_from_the_list_to_full_evidence(page: Page, served: str) -> None:
    page.goto(served)
    page.get_by_label("Tìm theo tên").fill("can gio")
    page.get_by_role("button", name="Lọc").click()
    page.get_by_role("link", name="Cảng trung chuyển quốc tế Cần Giờ").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cảng trung chuyển quốc tế Cần Giờ")
    expect(page.get_by_text("Vốn bằng USD là ước tính")).to_be_visible()
    first = page.locator(".match details").first
    expect(first.get_by_text("Không rõ quy mô vốn")).to_be_hidden()
    first.locator("summary").click()
    expect(first.get_by_text("Không rõ quy mô vốn")).to_be_visible()
    expect(first.get_by_text("100–900 M USD").first).to_be_visible()
    page.locator(".match a[href*='/partners/'][href*='/projects/']").first.click()
    expect(page.get_by_role("heading", name="So với đối tác kế tiếp")).to_be_visible()


def test_filtering_partners_stays_on_the_project(page: Page, served: str) -> None:
    page.goto(f"{served}/projects/HCMC-001")
    page.get_by_label("Quốc gia").select_option("KR")
    page.get_by_role("button", name="Lọc").click()
    expect(page.get_by_text("한국항만")).to_be_visible()
    expect(page.get_by_role("link", name="DP World")).to_have_count(0)


def test_english_is_one_click_away_and_stays(page: Page, served: str) -> None:
    page.goto(f"{served}/projects/HCMC-001")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Can Gio transshipment port")
    page.get_by_role("link", name="Missions").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Vietnamese missions abroad")


def test_table_stays_a_table_for_a_screen_reader(page: Page, served: str) -> None:
    page.goto(f"{served}/projects/HCMC-001")
    table = page.get_by_role("table", name="Danh sách xếp hạng")
    expect(table.get_by_role("columnheader", name="Xác suất")).to_have_count(1)
    assert table.get_by_role("row").count() > 5


def test_mission_says_what_is_missing(page: Page, served: str) -> None:
    page.goto(f"{served}/missions")
    page.get_by_role("table").get_by_role("link", name="Đại sứ quán Việt Nam tại Nhật Bản").click()
    expect(page.get_by_text("Chưa có hồ sơ đối tác của PG")).to_be_visible()


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_nothing_scrolls_sideways_and_nothing_comes_from_elsewhere(
    browser: Browser, signed_in: Any, served: str, path: str, lang: str, width: int
) -> None:
    context = browser.new_context(storage_state=signed_in)  # scripts on, for measuring only
    opened = context.new_page()
    hosts: set[str] = set()
    opened.on("request", lambda request: hosts.add(re.sub(r"(//[^/]+).*", r"\1", request.url)))
    opened.goto(f"{served}{path}?lang={lang}")
    opened.evaluate("document.querySelectorAll('main details:not(.help)').forEach((d, i) => { d.open = i < 3 })")
    assert layout_faults(opened, width) == []
    assert hosts == {served}
    context.close()


def _contrast(first: str, second: str) -> float:
    """Contrast ratio of two `rgb(r, g, b)` colours. Source: WCAG 2.2, 1.4.3."""

    def luminance(colour: str) -> float:
        parts = [int(n) / 255 for n in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_has_contrast_enough(browser: Browser, signed_in: Any, served: str) -> None:
    context = browser.new_context(storage_state=signed_in)
    opened = context.new_page()
    opened.goto(f"{served}/projects/HCMC-001")
    pairs = opened.evaluate(
        """() => {
          const shown = e => { while (e) { const c = getComputedStyle(e).backgroundColor;
            if (c !== 'rgba(0, 0, 0, 0)') return c; e = e.parentElement; } return 'rgb(255, 255, 255)'; };
          return [...document.querySelectorAll('body *')].filter(e => [...e.childNodes].some(n => n.nodeType === 3
            && n.textContent.trim())).map(e => [getComputedStyle(e).color, shown(e), e.className]);
        }"""
    )
    assert len(pairs) > 100
    assert [p for p in pairs if _contrast(p[0], p[1]) < 4.5] == []
    context.close()


def test_printing_keeps_title_sources_and_day_and_drops_controls(browser: Browser, signed_in: Any, served: str) -> None:
    context = browser.new_context(storage_state=signed_in, java_script_enabled=False)
    opened = context.new_page()
    opened.goto(f"{served}/projects/HCMC-001")
    opened.emulate_media(media="print")
    expect(opened.get_by_role("heading", level=1)).to_be_visible()
    for control in (".filters", ".sorting", ".compare"):
        expect(opened.locator(control).first).to_be_hidden()
    expect(opened.get_by_text("dữ liệu tính đến 01/11/2026")).to_be_visible()
    expect(opened.get_by_text("Nguồn", exact=True).first).to_be_visible()
    assert opened.pdf().startswith(b"%PDF")
    context.close()


def test_signing_in_and_out(browser: Browser, served: str) -> None:
    """As a browser sends the form: what it says of where the form comes from is not always what it seems."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served}/projects/HCMC-001")
    expect(page.get_by_role("heading", level=1)).to_have_text("Đăng nhập")
    page.get_by_label("Tên đăng nhập").fill("city.office")
    page.get_by_label("Mật khẩu").fill("something else")
    page.get_by_role("button", name="Đăng nhập").click()
    expect(page.get_by_role("alert")).to_contain_text("không đúng")
    page.get_by_label("Tên đăng nhập").fill("city.office")
    page.get_by_label("Mật khẩu").fill(PASSWORD)
    page.get_by_role("button", name="Đăng nhập").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cảng trung chuyển quốc tế Cần Giờ")
    page.get_by_role("button", name="Đăng xuất").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Đăng nhập")
    page.goto(f"{served}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Đăng nhập")
    context.close()
