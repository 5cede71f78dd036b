"""The description of the API: its examples are real requests, and nothing is left out of the guide."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

DOCS = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture
def described(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()  # type: ignore[no-any-return]


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(p, m, o) for p, ms in described["paths"].items() for m, o in ms.items()]


def test_every_example_is_answered(client: TestClient, described: dict[str, Any]) -> None:
    replayed = 0
    for template, method, operation in operations(described):
        path = template
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", parameter["schema"]["examples"][0])
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        bodies = [e["value"] for e in content.get("examples", {}).values()] or [None]
        for body in bodies:
            answer = client.request(method, path, json=body)
            assert answer.status_code == 200, (path, answer.text)
            replayed += 1
    assert replayed == 18


def test_every_operation_says_what_it_does(described: dict[str, Any]) -> None:
    for path, method, operation in operations(described):
        assert operation["description"], (method, path)
        assert "422" in operation["responses"], (method, path)
        assert operation["responses"]["422"]["content"]["application/problem+json"]["schema"]


def test_every_address_is_in_the_guide(described: dict[str, Any]) -> None:
    text = DOCS.read_text(encoding="utf-8")
    for path, _, _ in operations(described):
        assert f"`{path}`" in text, path


def test_every_query_parameter_is_in_the_guide(described: dict[str, Any]) -> None:
    text = DOCS.read_text(encoding="utf-8")
    names = {p["name"] for _, _, o in operations(described) for p in o.get("parameters", []) if p["in"] == "query"}
    assert [n for n in sorted(names) if f"`{n}`" not in text] == []
