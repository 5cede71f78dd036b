"""API and page end to end: the real facts, database, encoder and engine."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest
from fake_desk import OFFICER, SECRET, open_fake
from starlette.testclient import TestClient

from api import shapes
from api.app import create_app
from matcher.jobs.matchmaker import Matchmaker
from matcher.records import Query

HTML = {"accept": "text/html"}
PORT = "HCMC-034"  # Can Gio transshipment port


PUBLIC = ("/v1/projects", "/v1/partners", "/v1/missions", "/v1/countries", "/v1/sectors", "/v1/engines", "/v1/match")


class Kept:
    """The session's matchmaker for one application, which must not close it for the others."""

    def __init__(self, inner: Matchmaker) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def close(self) -> None:
        """Stays open."""


@pytest.fixture(scope="module")
def real(matchmaker: Matchmaker) -> Iterator[TestClient]:
    """A client of the application over the real engine; its desk is made up, so that it only reads."""
    with TestClient(
        create_app(lambda: Kept(matchmaker), desk=open_fake, hosts=("testserver",), secret=SECRET),
        headers=OFFICER,
        client=("127.0.0.1", 50_000),
    ) as client:
        yield client


def test_examples_of_the_description_hold_on_the_real_facts(real: TestClient) -> None:
    described = real.get("/openapi.json").json()
    for template, methods in described["paths"].items():
        for method, operation in methods.items():
            asks = method == "get" or template == "/v1/match"
            if not (asks and template.startswith(PUBLIC) and not template.endswith(("/offices", "/changes"))):
                continue  # needs a database of its own: tests of the description send these there
            path = template
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    path = path.replace(f"{{{parameter['name']}}}", parameter["schema"]["examples"][0])
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for body in [e["value"] for e in content.get("examples", {}).values()] or [None]:
                answer = real.request(method, path, json=body)
                assert answer.status_code == 200, (path, answer.text)
                if path.endswith("match") or path.endswith("matches"):
                    assert shapes.MatchList.model_validate_json(answer.content).matches


def test_api_gives_what_the_matchmaker_finds(real: TestClient, matchmaker: Matchmaker) -> None:
    expected = matchmaker.match(Query(project_id=PORT), n=7).to_json("vi")
    assert real.get(f"/v1/projects/{PORT}/matches?n=7&lang=vi").json() == expected


def test_everything_is_ready(real: TestClient) -> None:
    assert real.get("/readyz").json() == {
        "status": "ready",
        "checks": {"database": "ok", "artefact": "ok", "model": "ok", "schema": "ok"},
    }
    assert [e["in_use"] for e in real.get("/v1/engines").json()["engines"]].count(True) == 1


def test_every_listed_record_fits_its_documentation(real: TestClient) -> None:
    for kind, model in (
        ("projects", shapes.ProjectList),
        ("partners", shapes.PartnerList),
        ("missions", shapes.MissionList),
        ("sectors", shapes.SectorList),
    ):
        seen: list[str] = []
        cursor: str | None = None
        while cursor is not None or not seen:
            page = real.get(f"/v1/{kind}", params={"n": 200, **({"cursor": cursor} if cursor else {})})
            body = model.model_validate_json(page.content)
            seen += [r.id for r in getattr(body, kind)]
            cursor = body.next
        assert seen == sorted(set(seen))
        assert len(seen) == body.total


@pytest.mark.parametrize("q", ["cảng trung chuyển", "cang trung chuyen", "TRANSSHIPMENT"])
def test_port_is_found_with_and_without_diacritics(real: TestClient, q: str) -> None:
    assert PORT in [p["id"] for p in real.get("/v1/projects", params={"q": q}).json()["projects"]]


def test_mission_matches_are_of_its_countries_and_gaps_are_named(real: TestClient, matchmaker: Matchmaker) -> None:
    compiled = set(matchmaker.facts.partners["country"].drop_nulls().to_list())
    missions = real.get("/v1/missions?n=200").json()["missions"]
    known = [m for m in missions if m["accreditation_known"]]
    assert known
    for mission in known[:3]:
        covers = {c["country"] for c in mission["covers"]}
        body = real.get(f"/v1/missions/{mission['id']}/matches").json()
        assert {m["partner"]["country"] for m in body["matches"]} <= covers
        assert set(body["query"]["countries"]) == covers
        assert len(body["notes"]) >= len(covers - compiled)


def test_unsaved_project_is_ranked_by_what_it_is(real: TestClient) -> None:
    def sectors(body: dict[str, Any]) -> list[str]:
        found = real.post("/v1/match", json=body | {"n": 5}).json()["matches"]
        return [real.get(f"/v1/partners/{m['partner']['id']}").json()["isic"] or [] for m in found]

    water = sectors({"project": {"name": "Nhà máy xử lý nước thải", "isic": ["37"], "form": "ppp"}})
    school = sectors({"project": {"name": "Đại học quốc tế", "isic": ["85"]}})
    assert sum(any(c[:2] in ("36", "37", "38", "39", "E") for c in codes) for codes in water) >= 3
    assert sum(any(c[:2] in ("85", "P") for c in codes) for codes in school) >= 3


def test_explanation_agrees_with_the_list(real: TestClient) -> None:
    first, second = real.get(f"/v1/projects/{PORT}/matches?n=2").json()["matches"]
    told = real.get(f"/v1/projects/{PORT}/partners/{first['partner']['id']}/explanation").json()
    assert told["match"] == first
    assert told["next"]["partner"] == second["partner"]


def test_requests_at_the_same_time_get_the_same_answers(real: TestClient) -> None:
    paths = [
        f"/v1/projects/{PORT}/matches",
        "/v1/partners/P288437fb/matches",
        "/v1/projects?n=200",
        f"/v1/projects/{PORT}",
    ]
    alone = {path: real.get(path).content for path in paths}
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda path: (path, real.get(path).content), paths * 6))
    assert all(alone[path] == content for path, content in together)


def test_pages_of_every_project_status_and_mission_render(real: TestClient, matchmaker: Matchmaker) -> None:
    projects = matchmaker.facts.projects
    chosen = projects.filter(pl.int_range(pl.len()).over("status") == 0)["project_id"].to_list()
    assert len(chosen) > 4
    for project in chosen:
        assert real.get(f"/projects/{project}", headers=HTML).status_code == 200
    for path in ("/", "/?lang=en", "/missions", "/missions/jp-tokyo-embassy?lang=en", "/partners/P288437fb"):
        assert real.get(path, headers=HTML).status_code == 200
