"""The description of the API: its examples are real requests, and nothing is left out of the guide."""

from pathlib import Path
from typing import Any

import pytest
from offices import Offices
from starlette.testclient import TestClient

DOCS = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture
def described(client: TestClient) -> dict[str, Any]:
    return client.get("/openapi.json").json()  # type: ignore[no-any-return]


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(p, m, o) for p, ms in described["paths"].items() for m, o in ms.items()]


QUERY = {"/v1/missions/{mission_id}/changes": {"since": "2026-01-01"}}
ELSEWHERE = {("post", "/v1/session"), ("delete", "/v1/session"), ("post", "/v1/imports")}
"""A password, and files: their own tests send them."""


def test_every_example_is_answered(offices: Offices, described: dict[str, Any]) -> None:
    """In the order of the description; `{id}` is that of the record that the example before made."""
    made: dict[str, str] = {}
    replayed = 0
    for template, method, operation in operations(described):
        kind = template.split("/")[2] if template.startswith("/v1/") else ""
        if (method, template) in ELSEWHERE or (kind == "imports" and "{id}" in template):
            continue
        path = template
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path":
                seen = made.get(kind) if parameter["name"] == "id" else None
                path = path.replace(f"{{{parameter['name']}}}", seen or str(parameter["schema"]["examples"][0]))
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        bodies = [e["value"] for e in content.get("examples", {}).values()] or [None]
        for body in bodies:
            who = "keeper" if template.endswith("/verification") or template == "/v1/audit" else "city.office"
            more = {"json": body, "params": QUERY.get(template), "headers": {"If-Match": "*"}}
            if template.endswith("/verification"):
                offices.post("city.office", path.replace("verification", "undo"))
            answer = offices.ask(who, method.upper(), path, **more)
            expected = 201 if "201" in operation["responses"] else 200
            assert answer.status_code == expected, (method, path, answer.text)
            if expected == 201:
                made[kind] = str(answer.json().get("id"))
            replayed += 1
    assert replayed >= 50


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
