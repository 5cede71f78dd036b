"""The application over a small world in memory."""

from collections.abc import Iterator

import pytest
from fake_matchmaker import FakeMatchmaker
from starlette.testclient import TestClient

from api.app import create_app
from api.security import LOOPBACK


@pytest.fixture
def world() -> FakeMatchmaker:
    """The matchmaker behind `client`; a test may change it."""
    return FakeMatchmaker()


@pytest.fixture
def client(world: FakeMatchmaker) -> Iterator[TestClient]:
    """A client of the application; an error inside is an answer, not an exception."""
    with TestClient(create_app(lambda: world, hosts=(*LOOPBACK, "testserver"))) as opened:
        yield opened
