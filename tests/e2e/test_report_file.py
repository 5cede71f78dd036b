"""The report of an evaluation in a real browser: a file that loads nothing and needs no script."""

from dataclasses import replace
from pathlib import Path

import invented_report as invented
import pytest
from playwright.sync_api import Browser

from evaluation.report import render

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    report = replace(invented.report(), datasets=(invented.result("land", 1), invented.texts()))
    path.write_text(render(report), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1280, 400])
def test_both_languages_are_read_without_script_or_network(browser: Browser, file: Path, width: int) -> None:
    page = browser.new_context(java_script_enabled=False, viewport={"width": width, "height": 900}).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert page.locator(".body.vi").is_visible()
    assert not page.locator(".body.en").is_visible()
    page.locator("label[for=pick-en]").click()
    assert page.locator(".body.en").is_visible()
    assert not page.locator(".body.vi").is_visible()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".body.vi").is_visible()
    assert asked == [file.as_uri()]
    body = page.locator(".body.vi").bounding_box()
    assert body is not None
    assert body["width"] <= width
    page.context.close()


def test_nothing_but_wide_tables_is_wider_than_a_phone(browser: Browser, file: Path) -> None:
    page = browser.new_page(viewport={"width": 400, "height": 900})
    page.goto(file.as_uri())
    for lang in ("vi", "en"):
        page.locator(f"label[for=pick-{lang}]").click()
        assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.close()
