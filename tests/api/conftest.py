"""The application over a small world in memory."""

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from fake_desk import OFFICER, SECRET, FakeDesk
from fake_matchmaker import FakeMatchmaker
from starlette.testclient import TestClient

from api.app import create_app
from api.security import LOOPBACK


@pytest.fixture
def world() -> FakeMatchmaker:
    """The matchmaker behind `client`; a test may change it."""
    return FakeMatchmaker()


@pytest.fixture
def desk() -> FakeDesk:
    """The desk behind `client`."""
    return FakeDesk()


@pytest.fixture
def client(world: FakeMatchmaker, desk: FakeDesk) -> Iterator[TestClient]:
    """A client of the application with the key of an officer; an error inside is an answer, not an exception."""
    app = create_app(lambda: world, desk=lambda: nullcontext(desk), hosts=(*LOOPBACK, "testserver"), secret=SECRET)
    with TestClient(app, headers=OFFICER, client=("127.0.0.1", 50_000)) as opened:
        yield opened
