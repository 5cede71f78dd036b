"""Every page, for everybody who uses it, in both languages: light, whole, readable, in the reader's language.

`MATCHER_SCREENSHOTS=folder` keeps a picture of each page at each width, for people to look at.
"""

import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from page_faults import WIDTHS, axe_faults, language_faults, layout_faults, load
from stocked_desk import ENTERED, PORT

from api.permissions import matrix

pytestmark = pytest.mark.browser

MISSION = "jp-tokyo-embassy"
PAIR = f"partner_id={{japanese}}&project_id={PORT}"
PAGES: dict[str, tuple[str, ...]] = {
    "officer": (
        "/projects",
        "/projects?q=zzzz",
        f"/projects/{PORT}",
        f"/projects/{PORT}?print=1",
        f"/projects/{PORT}/partners/{{first}}",
        f"/projects/{PORT}/compare?partner={{first}}&partner={{second}}&partner={{third}}",
        "/projects/new",
        f"/projects/{PORT}/edit",
        "/partners",
        "/partners?q=cang+bien",
        "/partners/{first}",
        "/countries",
        "/countries/JP",
        "/missions",
        f"/missions/{MISSION}",
        "/pipeline",
        "/pipeline/shortlists",
        "/pipeline/outcomes",
        "/pipeline/outcomes/{outcome}",
        "/pipeline/reminders",
        "/imports",
        "/imports/{faulty_import}",
        "/imports/{good_import}",
        "/help",
        "/design",
        "/nowhere",
        "/projects/nothing",
    ),
    "mission": (
        f"/missions/{MISSION}",
        "/pipeline",
        "/pipeline?view=table",
        "/pipeline/interactions",
        "/pipeline/interactions/{interaction}",
        "/pipeline/assignments/{assignment}",
        f"/pipeline/interactions/new?{PAIR}",
        f"/pipeline/assignments/new?{PAIR}",
        f"/pipeline/outcomes/new?{PAIR}",
        f"/projects/{PORT}",
        "/countries/FR",
    ),
    "analyst": (
        "/analysis",
        "/analysis/engines",
        "/analysis/drift",
        "/analysis/exposures",
        "/analysis/judgments",
        "/analysis/reports/invented",
    ),
}
"""Role -> pages; names in braces are those of `Stock`."""

REPORT = ("Khu công nghệ cao, văn bản dự án", "Mười bốn cách đơn giản và mô hình")
"""Titles in the kept report."""

CASES = [(role, page) for role, pages in PAGES.items() for page in pages]


def test_no_page_is_forgotten() -> None:
    """Every address that is a page is looked at; those that only send on, or give a file, are not."""
    sent_on = {"/", "/imports/template/{kind}", "/static", "/sign-in"}
    known = {
        path for (method, path) in matrix() if method == "GET" and not path.startswith(("/v1", "/healthz", "/readyz"))
    } - {"/metrics", "/openapi.json"}
    patterns = {path: re.compile(re.sub(r"\{\w+\}", "[^/]+", path) + "$") for path in known - sent_on}
    looked_at = [page.partition("?")[0].replace("{", "").replace("}", "") for _, page in CASES]
    assert [p for p, pattern in patterns.items() if not any(pattern.match(page) for page in looked_at)] == []


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize(("role", "page"), CASES)
def test_page(desk: Any, stock: Any, kept_report: None, role: str, page: str, lang: str) -> None:
    path = page.format(**asdict(stock))
    with desk.open(role) as opened:
        answer, faults = load(opened, f"{desk.address}{path}{'&' if '?' in path else '?'}lang={lang}")
        assert answer is not None
        assert answer.status == (404 if path in ("/nowhere", "/projects/nothing") else 200)
        if lang == "vi" and "print=" not in page:  # the English page, and paper, have the same elements
            faults += axe_faults(opened)
        faults += language_faults(opened, lang, entered=(*ENTERED, *REPORT))
        for width in WIDTHS:
            faults += layout_faults(opened, width)
            _picture(opened, f"{role}{path}", lang, width)
        opened.evaluate("document.querySelectorAll('main details:not(.help)').forEach((d, i) => { d.open = i < 3 })")
        faults += [f"opened, {fault}" for fault in layout_faults(opened, WIDTHS[0])]
        assert faults == []


def _picture(page: Any, name: str, lang: str, width: int) -> None:
    folder = os.environ.get("MATCHER_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        plain = re.sub(r"[^\w-]+", "_", name)[:80]
        page.screenshot(path=str(Path(folder) / f"{plain}-{lang}-{width}.png"), full_page=True)
