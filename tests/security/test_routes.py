"""Who may do what: every route of the application has a row here, and none of them writes."""

import pytest
from fake_matchmaker import FakeMatchmaker
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient

from api.app import create_app

# (method, path, who): `public` reads facts and matches that anybody on this machine may see.
ROUTES = {
    ("GET", "/v1/projects", "public"),
    ("GET", "/v1/projects/{project_id}", "public"),
    ("GET", "/v1/projects/{project_id}/matches", "public"),
    ("GET", "/v1/projects/{project_id}/partners/{partner_id}/explanation", "public"),
    ("GET", "/v1/partners", "public"),
    ("GET", "/v1/partners/{partner_id}", "public"),
    ("GET", "/v1/partners/{partner_id}/matches", "public"),
    ("GET", "/v1/missions", "public"),
    ("GET", "/v1/missions/{mission_id}", "public"),
    ("GET", "/v1/missions/{mission_id}/matches", "public"),
    ("GET", "/v1/countries/{iso2}/matches", "public"),
    ("GET", "/v1/sectors", "public"),
    ("GET", "/v1/engines", "public"),
    ("POST", "/v1/match", "public"),  # asks a question with a body; stores nothing
    ("GET", "/healthz", "public"),
    ("GET", "/readyz", "public"),
    ("GET", "/openapi.json", "public"),
    ("GET", "/", "public"),
    ("GET", "/projects/{project_id}", "public"),
    ("GET", "/projects/{project_id}/compare", "public"),
    ("GET", "/projects/{project_id}/partners/{partner_id}", "public"),
    ("GET", "/partners/{partner_id}", "public"),
    ("GET", "/missions", "public"),
    ("GET", "/missions/{mission_id}", "public"),
    ("GET", "/static", "public"),
}


def found(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of everything that is routed, mounts as GET."""
    out = set()
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        methods = getattr(route, "methods", None) or {"GET"}
        out |= {(m, context.path) for m in methods if m != "HEAD"}
    return out


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert found(create_app(FakeMatchmaker)) == {(method, path) for method, path, _ in ROUTES}


def test_a_new_route_without_a_row_is_noticed() -> None:
    app = create_app(FakeMatchmaker)

    @app.post("/v1/new")
    def new() -> None:
        """Would write."""

    assert ("POST", "/v1/new") in found(app)


def test_no_route_writes() -> None:
    assert {method for method, _, _ in ROUTES if method != "GET"} == {"POST"}
    assert [path for method, path, _ in ROUTES if method == "POST"] == ["/v1/match"]


class ReadOnlyStore:
    """A store that has nothing but its two reading methods: any other use is an AttributeError."""

    def __init__(self, world: FakeMatchmaker) -> None:
        self._inner = world.store

    def read(self, table: str) -> object:
        return self._inner.read(table)

    def revision(self) -> int:
        return self._inner.revision()


@pytest.mark.parametrize(("method", "path", "who"), sorted(ROUTES))
def test_route_answers_with_nothing_but_reads(method: str, path: str, who: str) -> None:
    world = FakeMatchmaker()
    world.store = ReadOnlyStore(world)  # type: ignore[assignment]
    filled = path.replace("{project_id}", "HCMC-001").replace("{partner_id}", "Pjp").replace("{iso2}", "JP")
    filled = filled.replace("{mission_id}", "id-jakarta").replace("/static", "/static/style.css")
    filled = filled.replace("/compare", "/compare?first=Pjp&second=Pkr")
    with TestClient(create_app(lambda: world, hosts=("testserver",))) as client:  # type: ignore[arg-type, return-value]
        answer = client.request(method, filled, json={"text": "cảng"} if method == "POST" else None)
    assert answer.status_code == 200, answer.text
    assert "set-cookie" not in answer.headers
