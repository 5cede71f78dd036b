"""A real server on a free port of this machine, and a real browser in front of it."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fake_desk import SECRET, SESSION, FakeDesk, open_fake
from fake_matchmaker import FakeMatchmaker
from playwright.sync_api import Browser, sync_playwright

from api.app import create_app
from api.guard import COOKIE, Door

CHROMIUM = os.environ.get("MATCHER_TEST_CHROMIUM") or next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium of this machine; Playwright's own download is not used."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install it (Debian: apt-get install chromium) to run browser tests")
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


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """Address of a server that runs in this process on a free port of 127.0.0.1."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        app = create_app(FakeMatchmaker, desk=open_fake, secret=SECRET)
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
