"""Match lists: the object of the interface, filters, languages, things that are not in the database."""

import csv
import io

import pytest
from fake_matchmaker import FakeMatchmaker
from starlette.testclient import TestClient

from api import shapes
from api.routes.match import EXAMPLES
from matcher.records import Query


def test_match_list_is_the_object_that_the_command_line_prints(client: TestClient, world: FakeMatchmaker) -> None:
    answer = client.get("/v1/projects/HCMC-001/matches?n=3&lang=vi").json()
    assert answer == world.match(Query(project_id="HCMC-001"), n=3).to_json("vi")


def test_match_has_probability_or_the_reason_for_abstaining(client: TestClient) -> None:
    for match in client.get("/v1/projects/HCMC-001/matches").json()["matches"]:
        assert (match["probability"] is None) != (match["abstained"] is None)
        assert match["screening"]["state"] == "not_yet"


def test_pages_of_matches_follow_on(client: TestClient) -> None:
    first = client.get("/v1/projects/HCMC-001/matches?n=3").json()
    second = client.get(f"/v1/projects/HCMC-001/matches?n=3&cursor={first['next']}").json()
    assert [m["rank"] for m in first["matches"] + second["matches"]] == [1, 2, 3, 4, 5]
    assert second["next"] is None


def test_filters_reach_the_matchmaker(client: TestClient) -> None:
    found = client.get("/v1/projects/HCMC-001/matches?country=jp,KR").json()["matches"]
    assert {m["partner"]["country"] for m in found} == {"JP", "KR"}


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ({}, "", "too little data"),
        ({"accept-language": "vi-VN,vi;q=0.9,en;q=0.8"}, "", "chưa đủ dữ liệu"),
        ({"accept-language": "ja, en;q=0.5, vi;q=0.4"}, "", "too little data"),
        ({"accept-language": "vi"}, "?lang=en", "too little data"),
        ({"accept-language": ";;q=x,,"}, "", "too little data"),
    ],
)
def test_language_of_values(client: TestClient, headers: dict[str, str], query: str, expected: str) -> None:
    matches = client.get(f"/v1/projects/HCMC-001/matches{query}", headers=headers).json()["matches"]
    assert next(m["abstained"] for m in matches if m["abstained"]) == expected


def test_mission_is_asked_for_host_and_accredited_countries(client: TestClient) -> None:
    body = client.get("/v1/missions/id-jakarta/matches").json()
    assert body["query"] == {"mission": "id-jakarta", "countries": ["JP", "PG"]}
    assert {m["partner"]["country"] for m in body["matches"]} == {"JP"}
    assert body["notes"] == ["No partner of PG is compiled."]


def test_country_matches_take_lower_case(client: TestClient) -> None:
    assert client.get("/v1/countries/fr/matches").json()["query"] == {"countries": ["FR"]}


def test_matches_come_as_csv_without_formulas(client: TestClient) -> None:
    answer = client.get("/v1/partners/Pkr/matches?format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert rows[0]["partner_name"].startswith("'=")
    assert [int(r["rank"]) for r in rows] == list(range(1, len(rows) + 1))


def test_explanation_holds_match_next_and_contrast(client: TestClient) -> None:
    body = client.get("/v1/projects/HCMC-001/partners/Pjp/explanation").json()
    assert body["match"]["partner"]["id"] == "Pjp"
    assert body["next"]["rank"] == body["match"]["rank"] + 1
    assert body["contrast"][0]["difference"] == 0.5


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_examples_of_the_body_are_answered(client: TestClient, name: str) -> None:
    answer = client.post("/v1/match", json=EXAMPLES[name]["value"])
    assert answer.status_code == 200, answer.text
    shapes.MatchList.model_validate_json(answer.content)


def test_unsaved_records_are_handed_on_as_the_columns_they_are(client: TestClient) -> None:
    project = {"name": "Cảng  mới", "sector": "ports_logistics", "country": "vn", "value_usd": 4e8, "form": "ppp"}
    asked = client.post("/v1/match", json={"project": project}).json()["query"]["draft_project"]
    assert asked == {
        "name_vi": "Cảng mới", "sector": "ports_logistics", "isic": ["52"], "country": "VN", "value_usd_min": 4e8,
        "value_usd_max": 4e8, "form": "ppp",
    }  # fmt: skip
    partner = {"name": "Sông Nước", "kind": "company", "sector": "water_wastewater", "country": "FR"}
    asked = client.post("/v1/match", json={"partner": partner}).json()["query"]["draft_partner"]
    assert asked == {"name": "Sông Nước", "kind": "company", "sector": "Water", "isic": ["37"], "country": "FR"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"text": "a", "partner": {"name": "b"}}, ""),
        ({"text": ""}, "/text"),
        ({"text": " \u200b\n"}, "/text"),
        ({"text": "x" * 20_001}, "/text"),
        ({"txt": "a"}, "/txt"),
        ({"text": 5}, "/text"),
        ({"text": "a", "n": "3"}, "/n"),
        ({"text": "a", "n": 0}, "/n"),
        ({"text": "a", "n": 201}, "/n"),
        ({"text": "a", "as_of": "yesterday"}, "/as_of"),
        ({"text": "a", "filters": {"countr": ["JP"]}}, "/filters/countr"),
        ({"text": "a", "filters": {"country": ["Japan"]}}, "/filters/country"),
        ({"text": "a", "filters": {"kind": ["shop"]}}, "/filters/kind"),
        ({"text": "a", "filters": {"region": ["Mars"]}}, "/filters/region"),
        ({"project": {"description": "a"}}, "/project/name"),
        ({"project": {"name": " "}}, "/project/name"),
        ({"project": {"name": "a", "sector": "prots"}}, "/project/sector"),
        ({"project": {"name": "a", "isic": ["37", "99"]}}, "/project/isic/1"),
        ({"project": {"name": "a", "country": "XX"}}, "/project/country"),
        ({"project": {"name": "a", "form": "bot"}}, "/project/form"),
        ({"project": {"name": "a", "value_usd": -1}}, "/project/value_usd"),
        ({"project": {"name": "a", "valu_usd": 1}}, "/project/valu_usd"),
        ({"project": {"name": "a", "description": "x" * 20_001}}, "/project/description"),
        ({"partner": {"name": "a", "kind": "shop"}}, "/partner/kind"),
        ({"partner": "a"}, "/partner"),
    ],
)
def test_unusable_body_names_the_field(client: TestClient, body: dict[str, object], pointer: str) -> None:
    answer = client.post("/v1/match", json=body)
    assert answer.status_code == 422, answer.text
    problem = shapes.Problem.model_validate_json(answer.content)
    assert [e.pointer for e in problem.errors] == [pointer]
    assert problem.errors[0].expected


def test_text_of_the_greatest_length_is_read(client: TestClient) -> None:
    assert client.post("/v1/match", json={"text": "cảng " * 4_000}).status_code == 200


def test_the_citys_side_stands_beside_the_score(client: TestClient) -> None:
    matches = client.get("/v1/projects/HCMC-001/matches?n=50&lang=vi").json()["matches"]
    cities = {m["partner"]["country"]: m["city"] for m in matches}
    japanese = cities["JP"]
    assert (japanese["value"], japanese["known"], japanese["of"]) == (0.5, 2, 3)
    assert [c["grade"] for c in japanese["criteria"]] == [1.0, None, 0.0]
    assert japanese["criteria"][0]["rule"]["name"]["en"] == "Resolution 98/2023/QH15"
    assert japanese["gate"]["state"] == "not_screened"
    assert (cities["FR"]["gate"]["state"], cities["FR"]["gate"]["on"]) == ("stop", "2017-09-15")


def test_the_order_is_part_of_the_question(client: TestClient) -> None:
    assert client.get("/v1/projects/HCMC-001/matches?sort=both").json()["query"]["sort"] == "both"
    assert "sort" not in client.get("/v1/projects/HCMC-001/matches").json()["query"]
    body = client.post("/v1/match", json={"text": "cảng", "sort": "both"}).json()
    assert body["query"] == {"text": "cảng", "sort": "both"}
    for answer in (
        client.get("/v1/projects/HCMC-001/matches?sort=city"),
        client.post("/v1/match", json={"text": "a", "sort": ""}),
    ):
        assert answer.status_code == 422
        assert "sort" in answer.json()["errors"][0]["pointer"]


def test_a_list_says_why_the_first_is_ahead(client: TestClient) -> None:
    assert client.get("/v1/projects/HCMC-001/matches?lang=en").json()["ahead"] == "A is ahead of B."
    assert client.get("/v1/partners/Pjp/matches").json()["ahead"] is None


def test_any_two_partners_are_compared(client: TestClient) -> None:
    body = client.get("/v1/projects/HCMC-001/partners/P288437fb/explanation?against=Pjp&lang=en").json()
    assert (body["next"], body["against"]["partner"]["id"]) == (None, "Pjp")
    assert body["contrast"][0]["first_value"] == "52"
    assert body["sentence"]["en"].endswith("by: sector; it is behind in: kind of partner.")
    unknown = client.get("/v1/projects/HCMC-001/partners/Pjp/explanation?against=nobody")
    assert unknown.status_code == 404


def test_files_carry_the_citys_side(client: TestClient) -> None:
    answer = client.get("/v1/projects/HCMC-001/matches?format=csv&n=50&lang=en")
    rows = {r["partner_country"]: r for r in csv.DictReader(io.StringIO(answer.content.decode()))}
    assert (rows["JP"]["city_value"], rows["JP"]["city_known"], rows["JP"]["city_criteria"]) == ("0.5", "2", "3")
    assert rows["JP"]["city_met"].startswith("The project's field")
    assert rows["JP"]["city_stop"] == ""
    assert rows["FR"]["city_stop"].startswith("Stop: check")
