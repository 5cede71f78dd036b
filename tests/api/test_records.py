"""Lists and records: what is found, how it pages, which formats it comes in."""

import csv
import io
from urllib.parse import parse_qs, urlsplit

import fastexcel
import polars as pl
import pytest
from fake_matchmaker import FakeMatchmaker
from starlette.testclient import TestClient

from api import answers, schemas, shapes

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def ids(client: TestClient, path: str) -> list[str]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    kind = urlsplit(path).path.rsplit("/", 1)[-1]
    return [item["id"] for item in answer.json()[kind]]


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/projects", shapes.ProjectList),
        ("/v1/projects/HCMC-001", shapes.ProjectDetail),
        ("/v1/projects/PAST-1", shapes.ProjectDetail),
        ("/v1/partners", shapes.PartnerList),
        ("/v1/partners/P288437fb", shapes.PartnerDetail),
        ("/v1/missions", shapes.MissionList),
        ("/v1/missions/id-jakarta", shapes.Mission),
        ("/v1/sectors", shapes.SectorList),
        ("/v1/projects/HCMC-001/matches", shapes.MatchList),
        ("/v1/partners/Pjp/matches", shapes.MatchList),
        ("/v1/missions/id-jakarta/matches", shapes.MatchList),
        ("/v1/countries/FR/matches", shapes.MatchList),
        ("/healthz", shapes.Health),
        ("/readyz", shapes.Readiness),
    ],
)
def test_answer_is_what_the_documentation_promises(client: TestClient, path: str, model: type[schemas.Strict]) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    model.model_validate_json(answer.content)


@pytest.mark.parametrize("q", ["cần giờ", "Can Gio", "CAN GIO", "ca\u0302\u0300n giơ\u0300", "gio cang"])
def test_search_finds_with_and_without_diacritics_in_any_order(client: TestClient, q: str) -> None:
    assert ids(client, f"/v1/projects?q={q}") == ["HCMC-001"]


def test_search_finds_partners_by_local_name_and_by_country_in_both_languages(client: TestClient) -> None:
    assert ids(client, "/v1/partners?q=日本水道") == ["Pjp"]
    assert ids(client, "/v1/partners?q=han quoc") == ["Pkr"]
    assert ids(client, "/v1/partners?q=Republic of Korea") == ["Pkr"]


def test_missions_are_found_by_the_countries_they_cover(client: TestClient) -> None:
    assert ids(client, "/v1/missions?covers=PG") == ["id-jakarta"]
    assert ids(client, "/v1/missions?country=PG") == []
    assert ids(client, "/v1/missions?q=pa-pua") == ["id-jakarta"]


def test_missions_are_filtered_by_type_and_status(client: TestClient) -> None:
    assert ids(client, "/v1/missions?status=open&type=embassy") == ["ae-embassy", "id-jakarta"]
    assert ids(client, "/v1/missions?status=announced") == []
    assert client.get("/v1/missions?status=announced").json()["coverage"]["status"] == {"known": 2, "of": 2}


def test_past_investments_appear_only_when_asked_for(client: TestClient) -> None:
    assert "PAST-1" not in ids(client, "/v1/projects")
    assert ids(client, "/v1/projects?status=past") == ["PAST-1"]
    assert "past" not in client.get("/v1/projects").json()["filters"]["status"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sector=37", ["Pfr", "Pjp"]),  # a division holds its classes
        ("sector=3700", ["Pjp"]),
        ("sector=E", ["Pfr", "Pjp"]),
        ("sector=water_wastewater", ["Pfr", "Pjp"]),
        ("sector=H", ["P288437fb", "Pkr"]),
        ("country=jp", ["Pjp"]),
        ("country=JP,KR", ["Pjp", "Pkr"]),
        ("country=JP&country=KR", ["Pjp", "Pkr"]),
        ("country=JP&kind=fund", []),
        ("region=Eastern Asia", ["Pjp", "Pkr"]),
        ("region=EU", ["Pfr"]),
        ("kind=unknown", ["Px"]),
        ("green=true", ["Pjp"]),
        ("ticket_usd=200000000", ["P288437fb"]),
        ("ticket_usd=50000000", []),
        ("ticket_usd_min=900000000", ["P288437fb"]),
        ("ticket_usd_min=900000001", []),
        ("ticket_usd_max=100000000", ["P288437fb"]),
    ],
)
def test_filters_of_partners(client: TestClient, query: str, found: list[str]) -> None:
    assert ids(client, f"/v1/partners?{query}") == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sector=water_wastewater", ["HCMC-002"]),
        ("form=ppp", ["HCMC-002"]),
        ("status=calling,preparing", ["HCMC-001", "HCMC-002"]),
        ("value_usd_min=1000000000", ["HCMC-001"]),
        ("value_usd_max=200000000", ["HCMC-002"]),
        ("agency=sở tài chính", ["HCMC-001"]),
    ],
)
def test_filters_of_projects(client: TestClient, query: str, found: list[str]) -> None:
    assert ids(client, f"/v1/projects?{query}") == found


def test_coverage_counts_the_whole_list_and_not_the_filtered_one(client: TestClient) -> None:
    coverage = client.get("/v1/partners?country=JP").json()["coverage"]
    assert coverage["ticket_usd"] == {"known": 1, "of": 5}
    assert coverage["country"] == {"known": 4, "of": 5}
    assert coverage["green"] == {"known": 1, "of": 5}


def test_coverage_names_every_filter(client: TestClient) -> None:
    paging = set(schemas.ListParams.model_fields)
    for kind, model in (
        ("projects", schemas.ProjectListParams),
        ("partners", schemas.PartnerListParams),
        ("missions", schemas.MissionListParams),
        ("sectors", schemas.SectorListParams),
    ):
        assert set(client.get(f"/v1/{kind}").json()["coverage"]) == set(model.model_fields) - paging


def test_pages_hold_every_record_once(client: TestClient) -> None:
    seen: list[str] = []
    path = "/v1/projects?n=4"
    for _ in range(10):
        answer = client.get(path)
        body = answer.json()
        seen += [p["id"] for p in body["projects"]]
        assert body["total"] == 9
        if body["next"] is None:
            assert "link" not in answer.headers
            break
        path = answer.headers["link"].split(">")[0].lstrip("<")
        assert parse_qs(urlsplit(path).query)["cursor"] == [body["next"]]
    assert seen == sorted(set(seen))
    assert len(seen) == 9


def test_cursor_stays_valid_when_a_record_before_it_appears(client: TestClient, world: FakeMatchmaker) -> None:
    cursor = client.get("/v1/missions?n=1").json()["next"]
    new = world.store.tables["missions"].head(1).with_columns(pl.lit("aa-new").alias("mission_id"))
    world.store.tables["missions"] = pl.concat([world.store.tables["missions"], new])
    world.store.revision_number += 1
    assert ids(client, f"/v1/missions?n=1&cursor={cursor}") == ["id-jakarta"]
    assert ids(client, "/v1/missions?n=1") == ["aa-new"]


@pytest.mark.parametrize("cursor", ["x", "eA", "////", "WyJhIiwgMV0", ""])
def test_strange_cursor_is_refused(client: TestClient, cursor: str) -> None:
    answer = client.get("/v1/projects", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "?cursor"


def test_cursor_of_another_search_is_refused(client: TestClient) -> None:
    cursor = client.get("/v1/projects?n=1").json()["next"]
    assert client.get(f"/v1/projects?n=1&status=approved&cursor={cursor}").status_code == 422
    assert client.get(f"/v1/partners?n=1&cursor={cursor}").status_code == 422


@pytest.mark.parametrize(
    "path", ["/v1/projects", "/v1/projects/HCMC-001", "/v1/projects/HCMC-001/matches", "/v1/engines"]
)
def test_etag_saves_the_second_transfer_until_something_changes(
    client: TestClient, world: FakeMatchmaker, path: str
) -> None:
    first = client.get(path)
    tag = first.headers["etag"]
    again = client.get(path, headers={"if-none-match": f'"other", W/{tag}'})
    assert again.status_code == 304
    assert again.content == b""
    assert client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_etag_changes_with_the_record(client: TestClient, world: FakeMatchmaker) -> None:
    tag = client.get("/v1/missions/id-jakarta").headers["etag"]
    world.store.tables["missions"] = world.store.tables["missions"].with_columns(pl.lit("Osaka").alias("city"))
    world.store.revision_number += 1
    answer = client.get("/v1/missions/id-jakarta", headers={"if-none-match": tag})
    assert answer.status_code == 200
    assert answer.json()["city"] == "Osaka"


def test_csv_holds_the_rows_of_the_json_and_no_formula(client: TestClient) -> None:
    answer = client.get("/v1/partners", headers={"accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="partners.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [r["id"] for r in rows] == ids(client, "/v1/partners")
    by_id = {r["id"]: r for r in rows}
    assert by_id["Pkr"]["name"] == "'=cmd|' /C calc'!A0"
    assert by_id["P288437fb"]["isic"] == "52|50"
    assert by_id["P288437fb"]["ticket_usd_min"] == "100000000.0"
    assert by_id["Pjp"]["green"] == "true"
    assert by_id["Px"]["country"] == ""


@pytest.mark.parametrize(
    "path", ["/v1/partners", "/v1/projects", "/v1/missions", "/v1/sectors", "/v1/partners/Pkr/matches"]
)
def test_xlsx_opens_and_runs_nothing(client: TestClient, path: str) -> None:
    answer = client.get(f"{path}?n=50", headers={"accept": XLSX})
    assert answer.headers["content-type"] == XLSX
    sheet = fastexcel.read_excel(answer.content).load_sheet(0).to_polars()
    assert sheet.height > 0
    assert b"<f>" not in _unzipped(answer.content)
    assert client.get(f"{path}?n=50&format=xlsx").headers["etag"] == answer.headers["etag"]


def _unzipped(content: bytes) -> bytes:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return b"".join(book.read(n) for n in book.namelist() if "worksheets" in n)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("application/json;q=0.1, text/csv", "text/csv; charset=utf-8; header=present"),
        ("image/png", "application/json"),
    ],
)
def test_format_follows_the_accept_header(client: TestClient, accept: str, expected: str) -> None:
    assert client.get("/v1/sectors", headers={"accept": accept}).headers["content-type"] == expected


def test_exact_amounts_stay_exact(client: TestClient) -> None:
    assert client.get("/v1/projects/HCMC-001").json()["value_min"] == "128000000000000"


def test_mission_names_host_first_and_says_when_accreditation_is_unknown(client: TestClient) -> None:
    covers = client.get("/v1/missions/id-jakarta").json()["covers"]
    assert [(c["country"], c["host"]) for c in covers] == [("JP", True), ("PG", False)]
    assert client.get("/v1/missions/ae-embassy").json()["accreditation_known"] is False


def test_partner_carries_its_deals_and_places(client: TestClient) -> None:
    body = client.get("/v1/partners/P288437fb").json()
    assert body["deals"][0]["project_name"]["en"] == '=HYPERLINK("http://x")'
    assert [p["country"] for p in body["footprint"]] == ["VN"]


@pytest.mark.parametrize("wanted", ["csv", "xlsx"])
def test_an_export_without_n_is_the_whole_list(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setattr(answers, "EXPORT_ROWS", 2)
    whole = client.get(f"/v1/partners?format={wanted}")
    assert whole.status_code == 200
    assert f'filename="partners.{wanted}"' in whole.headers["content-disposition"]
    read = (
        pl.read_csv(whole.content) if wanted == "csv" else fastexcel.read_excel(whole.content).load_sheet(0).to_polars()
    )
    listed = [p["id"] for p in client.get("/v1/partners?n=200").json()["partners"]]
    assert len(listed) > 2 * 2
    assert read["id"].to_list() == listed
    some = client.get(f"/v1/partners?format={wanted}&country=JP,KR")
    found = (
        pl.read_csv(some.content) if wanted == "csv" else fastexcel.read_excel(some.content).load_sheet(0).to_polars()
    )
    assert sorted(found["country"].to_list()) == ["JP", "KR"]


def test_what_is_wrong_with_an_export_is_told_before_anything_is_sent(client: TestClient) -> None:
    assert client.get("/v1/partners?format=csv&country=XX").status_code == 422
    assert client.get("/v1/partners?format=csv&cursor=x").status_code == 422
