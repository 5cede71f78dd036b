"""The day of each user from sign-in on, over the product's own data: in Vietnamese without scripts, in English with."""

import io
import re
import zipfile
from typing import Any

import pytest
from official_files import FAULTY, GOOD, HEADING, workbook
from playwright.sync_api import Page, expect
from stocked_desk import NEW_PROJECT, NOTE, PORT, STEP

from api.language import read_catalogue

pytestmark = pytest.mark.browser

MISSION = "jp-tokyo-embassy"


class Reader:
    """Somebody who reads one language: `say` gives the words of the page, `go` opens an address in it."""

    def __init__(self, page: Page, address: str, lang: str) -> None:
        self.page, self.address, self.lang = page, address, lang
        self._translations = read_catalogue(lang)  # type: ignore[arg-type]

    def say(self, text: str, **values: object) -> str:
        told = self._translations.gettext(text)
        return told % values if values else told

    def go(self, path: str) -> None:
        mark = "&" if "?" in path else "?"
        self.page.goto(f"{self.address}{path}" + (f"{mark}lang=en" if self.lang == "en" else ""))

    def press(self, text: str, **values: object) -> None:
        self.page.get_by_role("button", name=self.say(text, **values), exact=True).first.click()

    def follow(self, text: str, **values: object) -> None:
        self.page.get_by_role("link", name=self.say(text, **values), exact=True).first.click()

    def type(self, field: str, text: str) -> None:
        self.page.locator(f"[name={field}]").first.fill(text)

    def told(self, text: str) -> None:
        """The notice after a write says so."""
        expect(self.page.get_by_role("status")).to_contain_text(self.say(text))


@pytest.fixture(params=[("vi", False), ("en", True)], ids=["vi-without-scripts", "en-with-scripts"])
def speaking(request: pytest.FixtureRequest) -> tuple[str, bool]:
    """Language, and whether scripts run."""
    return request.param  # type: ignore[no-any-return]


def heading(page: Page) -> Any:
    return page.get_by_role("heading", level=1)


def test_an_officer_finds_compares_and_keeps_partners(desk: Any, stock: Any, speaking: tuple[str, bool]) -> None:
    lang, scripts = speaking
    with desk.open("second", scripts=scripts) as page:
        me = Reader(page, desk.address, lang)
        me.go("/projects")
        me.type("q", "can gio trung chuyen")
        me.press("Lọc")
        page.locator("table.projects tbody th a").first.click()
        assert f"/projects/{PORT}" in page.url
        first = page.locator("section.first")  # why the first is ahead, what speaks against it, how sure that is
        expect(first).to_contain_text("DP World")
        expect(first.locator(".against, .unknown").first).to_be_visible()
        picks = page.locator("input[form=compare]")
        for place in (0, 2, 3):
            picks.nth(place).check()
        me.press("So sánh các đối tác đã chọn (tối đa 4)")
        expect(page.locator("table.sidebyside").first.locator("thead th")).to_have_count(4)
        me.go(f"/projects/{PORT}")
        saved = page.locator("button[name=pair]")
        partner = (saved.first.get_attribute("value") or "").split()[1]
        saved.first.click()
        me.told("Đã đưa vào danh sách rút gọn.")
        me.go("/pipeline/shortlists")
        expect(page.locator(f"a[href*='{partner}']").first).to_be_visible()
        page.go_back()
        page.get_by_role("status").get_by_role("button", name=me.say("Hoàn tác")).click()
        me.told("Đã hoàn tác.")
        me.go("/pipeline/shortlists")
        expect(page.locator(f"main a[href*='/partners/{partner}']")).to_have_count(0)
        # The same rows as a file, and on paper.
        me.go(f"/projects/{PORT}")
        excel = page.get_by_role("link", name="Excel").first.get_attribute("href") or ""
        file = page.request.get(desk.address + excel)
        assert zipfile.is_zipfile(io.BytesIO(file.body()))
        me.go(f"/projects/{PORT}?print=1")
        expect(page.locator("main button:visible")).to_have_count(0)
        expect(page.get_by_text("DP World").first).to_be_visible()


def test_an_officer_adds_and_mends_a_project(desk: Any, speaking: tuple[str, bool]) -> None:
    lang, scripts = speaking
    with desk.open("officer", scripts=scripts) as page:
        me = Reader(page, desk.address, lang)
        me.go("/projects/new")
        me.type("name_vi", f"{NEW_PROJECT} {lang}")
        me.type("value_usd_min", "12,5 ty")
        if scripts:  # told while typing
            expect(page.locator("#f-value_usd_min-error")).to_be_visible()
            page.locator("form[novalidate], form.form").first.evaluate("f => { f.noValidate = true }")
        page.locator("main form button[type=submit]").first.click()
        if not scripts and page.locator("#wrong").count() == 0:  # the browser itself asks for what must be there
            me.type("source", "https://example.org/van-ban")
            me.type("source_on", "01/11/2026" if lang == "vi" else "2026-11-01")
            page.locator("main form button[type=submit]").first.click()
        expect(page.locator("#wrong")).to_be_visible()
        expect(page.locator("[name=name_vi]")).to_have_value(f"{NEW_PROJECT} {lang}")
        me.type("value_usd_min", "12,5" if lang == "vi" else "12.5")
        me.type("source", "https://example.org/van-ban")
        me.type("source_on", "01/11/2026" if lang == "vi" else "2026-11-01")
        page.locator("[name=status]").select_option("calling")
        page.locator("main form button[type=submit]").first.click()
        me.told("Đã ghi dự án.")
        expect(heading(page)).to_have_text(f"{NEW_PROJECT} {lang}")
        page.locator("main").get_by_role("link", name=me.say("Sửa dự án")).click()
        me.type("place", "Thủ Thiêm")
        page.locator("main form button[type=submit]").first.click()
        me.told("Đã ghi dự án.")
        expect(page.locator("main")).to_contain_text("Thủ Thiêm")


def test_an_officer_sends_a_faulty_workbook_mends_it_and_takes_it_back(desk: Any, speaking: tuple[str, bool]) -> None:
    lang, scripts = speaking
    with desk.open("officer", scripts=scripts) as page:
        me = Reader(page, desk.address, lang)

        def send(rows: Any, name: str) -> None:
            me.go("/imports")
            sheet = workbook({"Dự án": [HEADING, *[(r[0], f"{r[1]}-{lang}", *r[2:]) for r in rows]]})
            kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            page.locator("[name=kind]").first.select_option("projects")
            page.locator("[name=file]").set_input_files({"name": name, "mimeType": kind, "buffer": sheet})
            me.press("Gửi và xem trước")

        send(FAULTY, "faulty.xlsx")
        wrong = page.locator("table.wrongs")
        expect(wrong).to_contain_text("12,5 ty")
        expect(wrong).to_contain_text("Dự án")
        expect(wrong).to_contain_text("Vốn (tỷ đồng)")
        expect(page.get_by_role("button", name=me.say("Ghi dữ liệu"))).to_have_count(0)
        send(GOOD, "good.xlsx")
        expect(page.locator("main")).to_contain_text(me.say("Chưa ghi gì."))
        me.press("Ghi dữ liệu")
        me.told("Đã ghi dữ liệu của tệp.")
        me.go(f"/projects/DA-01-{lang}")
        expect(heading(page)).to_contain_text("Cảng trung chuyển Cần Giờ")
        page.go_back()
        page.get_by_role("button", name=re.compile(me.say("Hoàn tác"))).first.click()
        expect(page.locator("main")).to_contain_text(me.say("Đã hoàn tác."))
        me.go(f"/projects?q=DA-01-{lang}")
        expect(page.locator("table.projects")).to_have_count(0)


def test_a_mission_sees_its_post_and_records_a_contact_in_two_clicks(
    desk: Any, stock: Any, speaking: tuple[str, bool]
) -> None:
    lang, scripts = speaking
    with desk.open("mission", scripts=scripts) as page:
        me = Reader(page, desk.address, lang)
        me.go("/")
        expect(page).to_have_url(re.compile(f"/missions/{MISSION}"))
        expect(page.locator("figure.map").first).to_contain_text("Hoàng Sa" if lang == "vi" else "Hoang Sa")
        expect(page.locator("figure.map").first).to_contain_text("Trường Sa" if lang == "vi" else "Truong Sa")
        expect(page.locator("#changes")).to_be_visible()
        first = page.locator(".acts a").first
        first.click()  # one
        expect(page.locator("[name=kind]").first).not_to_have_value("")
        expect(page.locator("[name=held_on]").first).not_to_have_value("")
        page.locator("main form button[type=submit]").first.click()  # two
        me.told("Đã ghi tiếp xúc.")
        page.get_by_role("status").get_by_role("button", name=me.say("Hoàn tác")).click()
        me.told("Đã hoàn tác.")


def test_a_mission_moves_its_work_along(desk: Any, stock: Any, speaking: tuple[str, bool]) -> None:
    lang, scripts = speaking
    with desk.open("mission", scripts=scripts) as page:
        me = Reader(page, desk.address, lang)
        me.go("/pipeline")
        card = page.locator(f"#a{stock.assignment}")
        expect(card).to_contain_text(STEP)
        at = card.locator("button[name=stage]").first  # a stage back needs no more than what is there
        at.click()
        me.told("Đã ghi công việc.")
        page.get_by_role("status").get_by_role("button", name=me.say("Hoàn tác")).click()
        me.go("/pipeline")
        # Forth: what the stage needs is asked for, at its field.
        page.locator(f"#a{stock.assignment} button[name=stage]").last.click()
        expect(page.locator("#wrong")).to_be_visible()
        expect(page.locator("#f-expected_on-error")).to_be_visible()
        me.go("/pipeline?view=table")
        expect(page.locator("main")).to_contain_text(STEP)


def test_a_mission_finds_partners_in_any_language_and_other_countries(desk: Any, speaking: tuple[str, bool]) -> None:
    lang, scripts = speaking
    with desk.open("mission", scripts=scripts) as page:
        me = Reader(page, desk.address, lang)
        me.go("/partners")
        me.type("q", "大林組")
        page.locator("main form button[type=submit]").first.click()
        expect(page.locator("main")).to_contain_text("Obayashi")
        me.type("q", "港湾 コンテナターミナル")
        page.locator("main form button[type=submit]").first.click()
        expect(page.locator("main a[href*='/partners/']").first).to_be_visible()
        me.go("/countries/FR")
        expect(page.locator("table.matches")).to_be_visible()


def test_an_analyst_judges_the_engine(desk: Any, stock: Any, kept_report: None, speaking: tuple[str, bool]) -> None:
    lang, scripts = speaking
    with desk.open("analyst", scripts=scripts) as page:
        me = Reader(page, desk.address, lang)
        me.go("/")
        expect(page).to_have_url(re.compile("/analysis"))
        page.locator("a[href*='/analysis/reports/invented']").first.click()
        expect(page.locator("main svg").first).to_be_visible()
        for path in ("/analysis/engines", "/analysis/drift", "/analysis/exposures", "/analysis/judgments"):
            me.go(path)
            expect(heading(page)).to_be_visible()
        me.go(f"/projects/{PORT}/partners/{stock.first}")
        page.locator("input[name=grade][value='2']").check()
        me.press("Ghi đánh giá")
        me.told("Đã ghi đánh giá của anh/chị.")
        me.go("/analysis/judgments")
        expect(page.locator("main")).to_contain_text("2")


def test_keyboard_alone_reaches_and_opens(desk: Any) -> None:
    with desk.open("officer") as page:
        page.goto(f"{desk.address}/projects/{PORT}")
        page.keyboard.press("Tab")
        expect(page.locator("a.skip")).to_be_focused()
        page.keyboard.press("Enter")
        page.locator(".match details > summary").first.focus()
        page.keyboard.press("Enter")
        expect(page.locator(".match details[open] table.evidence").first).to_be_visible()
        bubble = page.locator("details.help > summary").first
        bubble.focus()
        page.keyboard.press("Enter")
        expect(page.locator("details.help[open] .bubble")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("details.help[open]")).to_have_count(0)
        expect(bubble).to_be_focused()


def test_work_of_another_office_is_not_there(desk: Any, stock: Any) -> None:
    with desk.open("officer") as page:
        answer = page.goto(f"{desk.address}/pipeline/interactions/{stock.interaction}")
        assert answer is not None
        assert answer.status == 404
        page.goto(f"{desk.address}/partners/{stock.japanese}")
        expect(page.locator("main")).not_to_contain_text(NOTE)
