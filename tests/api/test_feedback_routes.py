"""Lists that were shown and judgments over HTTP: who sees what, pages, refusals, and evaluation runs."""

import json
import os
from pathlib import Path

import pytest
from offices import JP, PORT, WATER, Offices

from api import feedback_shapes as shapes
from api.routes import evaluation

PAIR = {"project_id": PORT, "partner_id": JP}


def shown(offices: Offices, login: str, project: str = PORT) -> int:
    answer = offices.get(login, f"/v1/projects/{project}/matches?n=3&lang=en")
    assert answer.status_code == 200
    return int(answer.headers["x-exposure-id"])


def pointers(answer: object) -> list[str]:
    assert answer.status_code == 422, answer.text  # type: ignore[attr-defined]
    return [e["pointer"] for e in answer.json()["errors"]]  # type: ignore[attr-defined]


def test_an_office_sees_its_own_lists_and_analysts_see_all(offices: Offices) -> None:
    made = {login: shown(offices, login) for login in ("tokyo.desk", "uae.desk", "city.office")}
    for login, seen in (
        ("tokyo.second", ["tokyo.desk"]),
        ("city.second", ["city.office"]),
        ("figures", ["city.office", "uae.desk", "tokyo.desk"]),
        ("keeper", ["city.office", "uae.desk", "tokyo.desk"]),
    ):
        answer = offices.get(login, "/v1/exposures")
        shapes.ExposureList.model_validate_json(answer.content)
        assert [e["id"] for e in answer.json()["exposures"]] == [made[s] for s in seen], login
    assert offices.get("tokyo.second", f"/v1/exposures/{made['uae.desk']}").status_code == 404


def test_a_list_is_told_with_its_rows_and_its_reader(offices: Offices) -> None:
    number = shown(offices, "tokyo.desk")
    told = offices.get("tokyo.desk", f"/v1/exposures/{number}")
    found = shapes.ExposureDetail.model_validate_json(told.content)
    assert (found.query, found.n, found.offset, found.rows) == ({"project": PORT}, 3, 0, 3)
    assert (found.channel, found.lang, found.role, found.mission_id) == ("api", "en", "mission", "id-jakarta")
    assert [i.rank for i in found.items] == [1, 2, 3]
    assert found.actor == offices.get("tokyo.desk", "/v1/session").json()["account"]
    assert offices.get("tokyo.desk", "/v1/exposures/999999").status_code == 404


def test_lists_are_filtered_and_paged(offices: Offices) -> None:
    made = [shown(offices, "tokyo.desk", p) for p in (PORT, WATER, PORT)]
    other = shown(offices, "city.office")
    first = offices.get("figures", "/v1/exposures?n=2&mission_id=id-jakarta").json()
    assert [e["id"] for e in first["exposures"]] == [made[2], made[1]]
    shown(offices, "tokyo.desk")  # what comes meanwhile shifts nothing
    rest = offices.get("figures", f"/v1/exposures?n=2&mission_id=id-jakarta&cursor={first['next']}").json()
    assert ([e["id"] for e in rest["exposures"]], rest["next"]) == ([made[0]], None)
    assert [e["id"] for e in offices.get("figures", "/v1/exposures?mission_id=city").json()["exposures"]] == [other]
    assert not offices.get("figures", "/v1/exposures?channel=page").json()["exposures"]
    assert not offices.get("figures", "/v1/exposures?until=2020-01-01").json()["exposures"]
    assert len(offices.get("figures", "/v1/exposures?since=2020-01-01").json()["exposures"]) == 5
    assert pointers(offices.get("figures", "/v1/exposures?channel=paper")) == ["?channel"]
    assert pointers(offices.get("figures", "/v1/exposures?since=yesterday")) == ["?since"]
    other_search = offices.get("figures", f"/v1/exposures?cursor={first['next']}")
    assert other_search.status_code == 422


def test_a_judgment_supersedes_the_one_before(offices: Offices) -> None:
    number = shown(offices, "tokyo.desk")
    body = {**PAIR, "grade": 1, "reason": "Chưa rõ", "exposure_id": number, "judged_on": "2026-01-05"}
    answer = offices.post("tokyo.desk", "/v1/judgments", body)
    assert answer.status_code == 201, answer.text
    made = shapes.Judgment.model_validate_json(answer.content)
    me = offices.get("tokyo.desk", "/v1/session").json()["account"]
    assert (made.judged_by, made.mission_id, made.grade, made.exposure_id) == (me, "id-jakarta", 1, number)
    again = offices.post("tokyo.desk", "/v1/judgments", {**PAIR, "grade": 3}).json()
    offices.post("tokyo.second", "/v1/judgments", {**PAIR, "grade": 0})
    newest = offices.get("tokyo.desk", "/v1/judgments").json()["judgments"]
    assert sorted(j["grade"] for j in newest) == [0, 3]
    assert len(offices.get("tokyo.desk", "/v1/judgments?history=true").json()["judgments"]) == 3
    assert [j["id"] for j in offices.get("figures", "/v1/judgments?grade=3").json()["judgments"]] == [again["id"]]
    assert not offices.get("uae.desk", "/v1/judgments").json()["judgments"]
    late = {**PAIR, "grade": 2, "judged_on": "2026-01-04"}  # written down later, judged earlier: it does not count
    assert offices.post("tokyo.desk", "/v1/judgments", late).status_code == 201
    assert sorted(j["grade"] for j in offices.get("tokyo.desk", "/v1/judgments").json()["judgments"]) == [0, 3]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"grade": 4}, "/grade"),
        ({"grade": "2"}, "/grade"),
        ({"grade": True}, "/grade"),
        ({"grade": None}, "/grade"),
        ({"project_id": "none"}, "/project_id"),
        ({"partner_id": "none"}, "/partner_id"),
        ({"judged_on": "2999-01-01"}, "/judged_on"),
        ({"judged_on": 20260101}, "/judged_on"),
        ({"exposure_id": 999_999}, "/exposure_id"),
        ({"judged_by": "u1"}, "/judged_by"),
        ({"mission_id": "ae-embassy"}, "/mission_id"),
        ({"reason": "a\0b"}, "/reason"),
    ],
)
def test_an_unusable_judgment_names_its_field(offices: Offices, change: dict[str, object], pointer: str) -> None:
    answer = offices.post("tokyo.desk", "/v1/judgments", {**PAIR, "grade": 2, **change})
    assert pointers(answer) == [pointer]
    assert not offices.get("figures", "/v1/judgments").json()["judgments"]


def test_a_list_of_another_office_cannot_be_judged_from(offices: Offices) -> None:
    number = shown(offices, "uae.desk")
    body = {**PAIR, "grade": 2, "exposure_id": number}
    assert pointers(offices.post("tokyo.desk", "/v1/judgments", body)) == ["/exposure_id"]


def test_a_judgment_that_is_sent_twice_is_made_once(offices: Offices) -> None:
    headers = {"Idempotency-Key": "one"}
    first = offices.post("tokyo.desk", "/v1/judgments", {**PAIR, "grade": 2}, headers=headers)
    second = offices.post("tokyo.desk", "/v1/judgments", {**PAIR, "grade": 2}, headers=headers)
    assert first.json() == second.json()
    assert len(offices.get("tokyo.desk", "/v1/judgments?history=true").json()["judgments"]) == 1


def test_runs_are_the_reports_that_are_kept_and_the_engines_measures(offices: Offices, tmp_path: Path) -> None:
    report = {"title": "Score", "datasets": [{"name": "d"}], "configuration": {"n": 1}, "seed": 3}
    (tmp_path / "a.json").write_text(json.dumps(report | {"made_on": "2026-10-01"}))
    (tmp_path / "b.json").write_text(json.dumps(report | {"made_on": "2026-11-01"}))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("[1]")
    outside = tmp_path.parent / "outside.json"
    outside.write_text(json.dumps(report))
    (tmp_path / "link.json").symlink_to(outside)
    os.mkfifo(tmp_path / "endless.json")
    assert [r["name"] for r in evaluation.reports(tmp_path)] == ["b", "a"]
    assert evaluation.reports(tmp_path / "missing") == []
    answer = offices.get("figures", "/v1/evaluation/runs")
    told = shapes.EvaluationRuns.model_validate_json(answer.content)
    assert [e.engine for e in told.engines] == ["fake-1"]
    assert offices.get("tokyo.desk", "/v1/evaluation/runs").status_code == 403
