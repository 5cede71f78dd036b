"""Smoke of the desk fixture."""

import pytest

pytestmark = pytest.mark.browser


def test_opens(desk) -> None:
    with desk.open("officer") as page:
        page.goto(desk.address)
        assert "/projects" in page.url
