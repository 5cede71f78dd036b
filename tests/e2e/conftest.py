"""A real server on a free port of this machine, and a real browser in front of it."""

import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import invented_report
import pytest
import uvicorn
from databases import create_database, database_url, reachable_folder
from fake_desk import PASSWORD, SECRET, SESSION, FakeDesk, open_fake
from fake_matchmaker import FakeMatchmaker
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, sync_playwright
from stocked_desk import Stock
from stocked_desk import stock as stock_desk

from api.app import create_app
from api.guard import COOKIE, Door
from evaluation import tables
from matcher.jobs import Site, backup, opening, serving
from matcher.jobs.matchmaker import Matchmaker
from matcher.jobs.opening import open_store
from matcher.store import accounts
from matcher.store.embedded import ROLE, EmbeddedServer

CHROMIUM = os.environ.get("MATCHER_TEST_CHROMIUM") or next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tests that did not run for want of a browser are told where nobody overlooks it."""
    if CHROMIUM is None:
        terminalreporter.section("NO BROWSER: the pages were NOT tested; install chromium", red=True, bold=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium of this machine; Playwright's own download is not used."""
    if CHROMIUM is None:
        missing = "no Chromium on this machine: install it (Debian: apt-get install chromium) to run browser tests"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def signed_in() -> dict[str, Any]:
    """What a browser keeps of an officer who signed in before; for `new_context(storage_state=...)`."""
    value = Door(FakeDesk, secret=SECRET, local=True).sign(SESSION)
    cookie = {
        "name": COOKIE, "value": value, "domain": "127.0.0.1", "path": "/", "expires": -1, "httpOnly": True,
        "secure": False, "sameSite": "Lax",
    }  # fmt: skip
    return {"cookies": [cookie], "origins": []}


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Address of a server that runs in this process on a free port of 127.0.0.1."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        config = uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        waited = 0.0
        while not server.started and waited < 20:
            time.sleep(0.05)
            waited += 0.05
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """Address of the application over the small world in memory."""
    with running(create_app(FakeMatchmaker, desk=open_fake, secret=SECRET)) as address:
        yield address


@dataclass(frozen=True)
class Desk:
    """The product over its own data, served on this machine: `open(role)` gives a signed-in browser context."""

    address: str
    site: Site
    browser: Browser
    states: dict[str, Any]

    @contextmanager
    def open(self, role: str, *, scripts: bool = True, width: int = 1280) -> Iterator[Page]:
        """A page of somebody who is signed in; complaints of the browser fail the test."""
        context = self.browser.new_context(
            storage_state=self.states[role], java_script_enabled=scripts, viewport={"width": width, "height": 900}
        )
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        # A check while one types is given up when the form is sent.
        page.on(
            "requestfailed",
            lambda failed: None if "ABORTED" in (failed.failure or "") else complaints.append(failed.url),
        )
        yield page
        context.close()
        # What is refused is answered with an error's code, which the browser notes although the page is ours.
        assert [c for c in complaints if not re.search(r"responded with a status of 4\d\d", c)] == []


TODAY = date(2026, 11, 22)
"""The day that the desk answers for; its site was fitted for it."""
MISSION = "jp-tokyo-embassy"
OFFICES = {
    "officer": ("officer", None), "second": ("officer", None), "mission": ("mission", MISSION),
    "analyst": ("analyst", None), "admin": ("admin", None),
}  # fmt: skip
"""Who works at the desk: login -> role and mission."""


@pytest.fixture(scope="package")
def desk_site(site: Site, embedded_server: EmbeddedServer) -> Iterator[Site]:
    """A copy of the whole product that tests may write to: a backup of it, restored into a database of its own."""
    create_database(embedded_server.admin_url, "desk", owner=ROLE)
    with reachable_folder() as folder:
        (folder / "models").symlink_to(site.models)
        url = database_url(embedded_server.url, "desk")
        made = replace(site, data_dir=folder, database_url=url)
        backup.backup(site, folder / "whole.backup", actor="tests")
        backup.restore(made, folder / "whole.backup", actor="tests")
        with open_store(made) as store, store.cursor() as cursor, cursor.connection.transaction():
            for login, (role, mission) in OFFICES.items():
                accounts.add(cursor, login, role, mission_id=mission, may_export=True, password=PASSWORD)
        yield made


@pytest.fixture(scope="package")
def desk(desk_site: Site, browser: Browser) -> Iterator[Desk]:
    """The product over its own data, with an office of every kind signed in."""

    def without_lists(*_: Any) -> None:
        """Lists are made when they are asked for: their making would take the processor from the tests."""

    def make() -> serving.ServingMatchmaker:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(serving, "_make_lists", without_lists)
            return serving.ServingMatchmaker(desk_site, today=lambda: TODAY)

    app = create_app(make, desk=lambda: opening.open_desk(desk_site), secret=SECRET)
    app.state.evaluation = desk_site.data_dir / "runs" / "evaluation"
    with running(app) as address:
        states = {}
        for login in OFFICES:
            context = browser.new_context(java_script_enabled=False)
            page = context.new_page()
            page.goto(f"{address}/sign-in")
            page.get_by_label("Tên đăng nhập").fill(login)
            page.get_by_label("Mật khẩu").fill(PASSWORD)
            page.get_by_role("button", name="Đăng nhập").click()
            page.wait_for_load_state()
            assert "/sign-in" not in page.url
            states[login] = context.storage_state()
            context.close()
        yield Desk(address=address, site=desk_site, browser=browser, states=states)


@pytest.fixture(scope="package")
def stock(desk: Desk) -> Stock:
    """What the offices have done before."""
    with Matchmaker(desk.site, today=lambda: TODAY) as maker:
        with maker.store.cursor() as cursor:
            numbers = dict(cursor.execute("SELECT login, account_id FROM account").fetchall())
        return stock_desk(desk.site, maker, {login: numbers[login] for login in OFFICES})


@pytest.fixture(scope="package")
def kept_report(desk: Desk) -> None:
    """An evaluation's report is kept under the name `invented`."""
    folder = desk.site.data_dir / "runs" / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "invented.json").write_text(json.dumps(tables.to_json(invented_report.report())), encoding="utf-8")
