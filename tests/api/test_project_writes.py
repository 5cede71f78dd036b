"""Projects that are added and changed over HTTP: strict values, sources, versions that were read, the audit."""

from typing import Any

import psycopg
import pytest
from offices import PORT, WATER, Offices
from test_pipeline_routes import at_once, errors, made

from matcher.errors import ConflictError
from matcher.store import Store

NEW = {
    "name_en": "Cu Chi inland port", "status": "preparing", "sector": "ports_logistics",
    "source": "https://example.org/decision-12", "source_on": "2026-10-01",
}  # fmt: skip


def test_a_new_project_is_listed_at_once_and_keeps_its_tag(offices: Offices) -> None:
    body = {**NEW, "value_min": 2500000000000, "value_max": "2500000000000.50", "value_currency": "VND"}
    answer = made(offices, "city.office", "/v1/projects", body)
    told = answer.json()
    assert told["id"].startswith("HCMC-N")
    assert (told["value_min"], told["value_max"], told["country"]) == ("2500000000000", "2500000000000.5", "VN")
    assert told["isic"] == ["52"], "those of the sector"
    read = offices.get("tokyo.desk", answer.headers["location"])
    assert (read.json(), read.headers["etag"]) == (told, answer.headers["etag"])
    assert offices.get("tokyo.desk", "/v1/projects?q=cu+chi").json()["total"] == 1
    twice = offices.post("city.office", "/v1/projects", {**NEW, "project_id": told["id"]})
    assert twice.status_code == 409
    other = made(offices, "keeper", "/v1/projects", {**NEW, "project_id": "CITY-7"})
    assert other.headers["location"] == "/v1/projects/CITY-7"


def test_a_new_project_that_is_sent_twice_is_there_once(offices: Offices) -> None:
    key = {"Idempotency-Key": "inland-port"}
    first, again = (made(offices, "city.office", "/v1/projects", NEW, headers=key) for _ in range(2))
    assert first.content == again.content
    assert offices.get("city.office", "/v1/projects?q=cu+chi").json()["total"] == 1


def test_a_change_keeps_the_rest_and_what_was_said_before(offices: Offices) -> None:
    path = f"/v1/projects/{PORT}"
    before = offices.get("city.office", path)
    assert offices.patch("city.office", path, {"status": "approved"}).status_code == 428
    tag = {"If-Match": before.headers["etag"]}
    done = offices.patch("city.office", path, {"status": "approved", "name_en": "Cau Giay\u0301"}, headers=tag)
    assert done.status_code == 200, done.text
    assert done.json()["name"] == {**before.json()["name"], "en": "Cau Giaý"}
    now = offices.get("city.office", path)
    assert (now.json(), now.headers["etag"]) == (done.json(), done.headers["etag"])
    assert {k for k, v in now.json().items() if v != before.json()[k]} == {"status", "name"}
    assert offices.patch("city.office", path, {"status": "calling"}, headers=tag).status_code == 412
    same = offices.patch("city.office", path, {"status": "approved"}, headers={"If-Match": now.headers["etag"]})
    assert (same.status_code, same.headers["etag"]) == (200, now.headers["etag"])
    with psycopg.connect(offices.url) as connection:
        versions = connection.execute("SELECT status FROM projects WHERE project_id = %s ORDER BY seq", [PORT])
        assert [v for (v,) in versions] == [before.json()["status"], "approved"]


def test_of_two_changes_at_once_one_is_refused(offices: Offices) -> None:
    path = f"/v1/projects/{WATER}"
    tag = {"If-Match": offices.get("city.office", path).headers["etag"]}
    body = {"source_on": "2026-10-01"}
    told = at_once(lambda n: offices.patch("city.office", path, {**body, "notes": f"{n}"}, headers=tag).status_code, 4)
    assert told.count(200) == 1
    assert set(told) <= {200, 409, 412}


def test_who_changed_a_project_is_audited_with_both_sides(offices: Offices) -> None:
    path = f"/v1/projects/{PORT}"
    status = offices.get("city.office", path).json()["status"]
    offices.patch("city.office", path, {"status": "approved"}, headers={"If-Match": "*"})
    entry = offices.get("keeper", "/v1/audit?action=append&actor=u12").json()["audit"][0]
    assert [entry[side]["rows"][0]["status"] for side in ("old", "new")] == [status, "approved"]
    assert (entry["account_id"], entry["origin"], entry["details"]["table"]) == (12, "127.0.0.1", "projects")
    assert entry["request_id"]


@pytest.mark.parametrize("login", ["tokyo.desk", "figures"])
def test_only_the_city_writes_projects(offices: Offices, login: str) -> None:
    assert offices.post(login, "/v1/projects", NEW).status_code == 403
    assert offices.patch(login, f"/v1/projects/{PORT}", {"status": "approved"}).status_code == 403


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"source": None}, "/source"), ({"source_on": None}, "/source_on"), ({"source_on": "2099-01-01"}, "/source_on"),
        ({"status": "open"}, "/status"), ({"sector": "port_logistics"}, "/sector"), ({"isic": ["99999"]}, "/isic/0"),
        ({"isic": "52"}, "/isic"), ({"country": "XX"}, "/country"), ({"value_min": 1.5}, "/value_min"),
        ({"value_min": "1e9"}, "/value_min"), ({"value_min": "1,5"}, "/value_min"), ({"value_min": True}, "/value_min"),
        ({"value_min": 5}, "/value_currency"), ({"value_usd_min": 9, "value_usd_max": 5}, "/value_usd_min"),
        ({"value_usd_min": "9"}, "/value_usd_min"), ({"green": "true"}, "/green"), ({"green": 1}, "/green"),
        ({"name_en": None}, "/name_vi"), ({"name_en": "a\nb"}, "/name_en"), ({"project_id": "a b"}, "/project_id"),
        ({"project_id": "НСМС-1"}, "/project_id"), ({"announced_on": "2026-01-01"}, "/announced_precision"),
        ({"area_ha": 0}, "/area_ha"), ({"name": "x"}, "/name"), ({"value_currency": "vnd"}, "/value_currency"),
    ],
)  # fmt: skip
def test_a_project_that_does_not_fit_is_refused(offices: Offices, body: dict[str, Any], pointer: str) -> None:
    before = offices.get("city.office", "/v1/projects").json()["total"]
    assert pointer in errors(offices.post("city.office", "/v1/projects", {**NEW, **body}))
    assert offices.get("city.office", "/v1/projects").json()["total"] == before


def test_a_store_refuses_what_it_does_not_expect(offices: Offices) -> None:
    with Store.open(offices.url) as store:
        row = store.read("projects").filter(project_id=PORT)
        other = row.with_columns(status=row["status"].replace_strict({row["status"][0]: "cancelled"}))
        with pytest.raises(ConflictError):
            store.append("projects", other, source="x", actor="x", expected=other)
        with pytest.raises(ConflictError):
            store.append("projects", other, source="x", actor="x", expected=row.clear())
        store.append("projects", other, source="x", actor="x", expected=row)
        assert store.read("projects").filter(project_id=PORT)["status"][0] == "cancelled"
