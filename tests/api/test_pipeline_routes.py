"""The pipeline over HTTP: versions and ETags, requests sent twice, collisions, refusals, lists, projects."""

import csv
import io
import threading
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from offices import AE, JP, PORT, TOKYO, UAE, Offices

TODAY = datetime.now(UTC).date().isoformat()  # noqa: TID251 - compared with the database's clock
MEETING = {"partner_id": JP, "kind": "meeting", "held_on": "2026-10-01"}
WON = {
    "partner_id": JP, "project_id": PORT, "result": "won", "role": "owner", "decided_on": "2026-10-01",
    "source": "https://example.org/signed",
}  # fmt: skip


def made(offices: Offices, login: str, path: str, body: dict[str, Any], **more: Any) -> Any:
    answer = offices.post(login, path, body, **more)
    assert answer.status_code == 201, answer.text
    return answer


def errors(answer: Any) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {e["pointer"]: e["expected"] for e in answer.json()["errors"]}


# One record.


def test_a_new_record_has_an_address_and_the_tag_that_reading_it_gives(offices: Offices) -> None:
    answer = made(offices, "tokyo.desk", "/v1/interactions", {**MEETING, "project_id": PORT, "note": "hai\nba"})
    read = offices.get("tokyo.desk", answer.headers["location"])
    assert read.json() == answer.json()
    assert read.headers["etag"] == answer.headers["etag"]
    told = answer.json()
    assert (told["partner"], told["project"]["id"]) == ({"id": JP, "name": "Nippon Water <b>&"}, PORT)
    assert set(told["project"]["name"]) == {"vi", "en"}
    assert (told["mission_id"], told["by"], told["note"]) == (TOKYO, "u15", "hai\nba")
    assert len(told["history"]) == 1


def test_a_change_needs_the_tag_of_what_was_read(offices: Offices) -> None:
    answer = made(offices, "tokyo.desk", "/v1/interactions", {**MEETING, "note": "x"})
    path, tag = answer.headers["location"], answer.headers["etag"]
    assert offices.patch("tokyo.desk", path, {"kind": "visit"}).status_code == 428
    assert offices.patch("tokyo.desk", path, {"kind": "visit"}, headers={"If-Match": '"no"'}).status_code == 412
    assert offices.patch("tokyo.desk", path, {"kind": "visit"}, headers={"If-Match": f"W/{tag}"}).status_code == 412
    merge = {"If-Match": f'"no", {tag}', "content-type": "application/merge-patch+json"}
    done = offices.ask("tokyo.desk", "PATCH", path, content=b'{"note": null, "kind": "visit"}', headers=merge)
    assert done.status_code == 200, done.text
    assert (done.json()["version"], done.json()["kind"], done.json()["note"]) == (2, "visit", None)
    assert done.json()["held_on"] == "2026-10-01", "what a change leaves out stays"
    assert offices.patch("tokyo.desk", path, {"kind": "event"}, headers={"If-Match": tag}).status_code == 412
    fresh = {"If-Match": done.headers["etag"]}
    assert offices.patch("tokyo.desk", path, {"kind": "event"}, headers=fresh).status_code == 200
    undone = offices.post("tokyo.desk", f"{path}/undo")
    assert (undone.status_code, undone.json()["kind"], undone.json()["version"]) == (200, "visit", 4)
    assert undone.headers["etag"] == offices.get("tokyo.desk", path).headers["etag"]


def test_of_two_changes_at_once_one_is_refused(offices: Offices) -> None:
    answer = made(offices, "tokyo.desk", "/v1/interactions", MEETING)
    path, tag = answer.headers["location"], answer.headers["etag"]
    codes = at_once(
        lambda n: offices.patch("tokyo.desk", path, {"note": f"{n}"}, headers={"If-Match": tag}).status_code, 4
    )
    assert sorted(codes) == [200, 412, 412, 412]
    assert offices.get("tokyo.desk", path).json()["version"] == 2


def test_a_withdrawn_record_is_gone_from_lists_until_it_is_given_back(offices: Offices) -> None:
    path = made(offices, "city.office", "/v1/shortlists", {"partner_id": JP, "project_id": PORT}).headers["location"]
    assert offices.post("city.office", f"{path}/undo").json()["withdrawn"] is True
    gone = offices.get("city.office", path)
    assert gone.status_code == 404
    assert f"{path}/undo" in gone.json()["detail"]
    assert offices.get("city.office", "/v1/shortlists").json()["total"] == 0
    assert offices.post("city.office", f"{path}/undo").json()["withdrawn"] is False
    assert offices.get("city.office", path).status_code == 200


def at_once(ask: Any, n: int) -> list[Any]:
    told: list[Any] = []
    threads = [threading.Thread(target=lambda i=i: told.append(ask(i))) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


# Sent twice.


def count(offices: Offices, table: str) -> int:
    with psycopg.connect(offices.url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_a_request_that_is_sent_twice_happens_once(offices: Offices) -> None:
    key = {"Idempotency-Key": "of the first meeting".replace(" ", "-")}
    first = made(offices, "tokyo.desk", "/v1/interactions", MEETING, headers=key)
    again = made(offices, "tokyo.desk", "/v1/interactions", dict(reversed(MEETING.items())), headers=key)
    assert (again.content, again.headers["location"], again.headers["etag"]) == (
        first.content, first.headers["location"], first.headers["etag"],
    )  # fmt: skip
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    other = offices.post("tokyo.desk", "/v1/interactions", {**MEETING, "kind": "visit"}, headers=key)
    assert other.status_code == 409
    elsewhere = offices.post("tokyo.desk", "/v1/shortlists", {"partner_id": JP, "project_id": PORT}, headers=key)
    assert elsewhere.status_code == 409
    made(offices, "tokyo.second", "/v1/interactions", MEETING, headers=key)
    assert count(offices, "interaction") == 2, "keys of two accounts have nothing to do with each other"
    path = first.headers["location"]
    undos = [offices.post("tokyo.desk", f"{path}/undo", headers={"Idempotency-Key": "undo"}) for _ in range(2)]
    assert [u.json()["version"] for u in undos] == [2, 2]


def test_the_same_request_from_many_threads_happens_once(offices: Offices) -> None:
    key = {"Idempotency-Key": "k"}
    told = at_once(lambda _: offices.post("tokyo.desk", "/v1/interactions", MEETING, headers=key), 5)
    assert {t.status_code for t in told} <= {201, 409}
    assert len({t.json()["id"] for t in told if t.status_code == 201}) == 1
    assert (count(offices, "interaction"), count(offices, "idempotency")) == (1, 1)


def test_a_refused_request_may_be_mended_under_its_key(offices: Offices) -> None:
    key = {"Idempotency-Key": "k"}
    assert offices.post("tokyo.desk", "/v1/interactions", {**MEETING, "partner_id": AE}, headers=key).status_code == 403
    assert count(offices, "idempotency") == 0
    made(offices, "tokyo.desk", "/v1/interactions", MEETING, headers=key)


@pytest.mark.parametrize("key", ["", "x" * 201, "a b", "caf\u00e9"])
def test_a_strange_key_is_refused(offices: Offices, key: str) -> None:
    answer = offices.post("tokyo.desk", "/v1/interactions", MEETING, headers={"Idempotency-Key": key.encode()})
    assert list(errors(answer)) == ["/Idempotency-Key"]
    assert count(offices, "interaction") == 0


# Refusals.


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"partner_id": "Pj"}, "/partner_id"), ({"partner_id": "Рjр"}, "/partner_id"),
        ({"partner_id": 5}, "/partner_id"),
        ({"project_id": "HCMC-1"}, "/project_id"), ({"kind": "Meeting"}, "/kind"), ({"kind": None}, "/kind"),
        ({"held_on": 20261001}, "/held_on"), ({"held_on": "2026-10-01T00:00:00"}, "/held_on"),
        ({"held_on": "9999-12-31"}, "/held_on"), ({"held_on": None}, "/held_on"), ({"note": "a\u0000b"}, "/note"),
        ({"note": "x" * 5001}, "/note"), ({"note": " \u200b "}, "/note"), ({"note": ["x"]}, "/note"),
        ({"nots": "x"}, "/nots"), ({"mission_id": UAE}, "/mission_id"),
    ],
)  # fmt: skip
def test_a_body_that_does_not_fit_is_refused(offices: Offices, body: dict[str, Any], pointer: str) -> None:
    answer = offices.post("tokyo.desk", "/v1/interactions", {**MEETING, **body})
    assert pointer in errors(answer)
    assert count(offices, "interaction") == 0


def test_refusals_name_what_is_nearby(offices: Offices) -> None:
    def refused(**more: str) -> dict[str, str]:
        return errors(offices.post("tokyo.desk", "/v1/interactions", {**MEETING, **more}))

    assert "Pjp (Nippon Water" in refused(partner_id="Pjo")["/partner_id"]
    assert "did you mean note?" in refused(nots="x")["/nots"]
    lost = {**WON, "result": "lost", "role": None, "lost_reason": "price", "lost_to_country": "JA"}
    assert "nearby: " in errors(offices.post("tokyo.desk", "/v1/outcomes", lost))["/lost_to_country"]
    assert "meeting" in errors(offices.get("tokyo.desk", "/v1/interactions?kind=meting"))["?kind"]
    assert "Pjp" in errors(offices.get("tokyo.desk", "/v1/interactions?partner_id=Pjo"))["?partner_id"]


def test_a_half_of_a_surrogate_pair_is_refused(offices: Offices) -> None:
    raw = b'{"partner_id": "Pjp", "kind": "meeting", "held_on": "2026-10-01", "note": "\\ud800"}'
    answer = offices.ask(
        "tokyo.desk", "POST", "/v1/interactions", content=raw, headers={"content-type": "application/json"}
    )
    assert list(errors(answer)) == ["/note"]


def test_text_is_kept_in_nfc(offices: Offices) -> None:
    answer = made(offices, "tokyo.desk", "/v1/interactions", {**MEETING, "note": "Ha\u0300 No\u0323\u0302i"})
    assert answer.json()["note"] == "Hà Nội"


def test_a_mission_is_told_which_countries_it_covers(offices: Offices) -> None:
    answer = offices.post("tokyo.desk", "/v1/interactions", {**MEETING, "partner_id": AE})
    assert answer.status_code == 403
    assert "covers JP, PG" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/v1/interactions/999", "/v1/interactions/999/undo", "/v1/outcomes/999/verification"])
def test_what_does_not_exist_is_404(offices: Offices, path: str) -> None:
    method = "GET" if path.endswith("999") else "POST"
    answer = offices.ask("keeper", method, path, json={"verdict": "verified"} if "verification" in path else None)
    assert answer.status_code == 404


@pytest.mark.parametrize("number", ["0", "-1", "x", "9223372036854775808", "1.0"])
def test_a_number_that_is_none_is_422(offices: Offices, number: str) -> None:
    assert list(errors(offices.get("keeper", f"/v1/interactions/{number}"))) == ["/id"]


# Offices.


def test_offices_meet_without_seeing_each_others_work(offices: Offices) -> None:
    lead = made(offices, "tokyo.desk", "/v1/assignments", {"partner_id": JP, "lead": True, "next_step": "secret"})
    refused = offices.post("city.office", "/v1/assignments", {"partner_id": JP, "lead": True})
    assert refused.status_code == 409
    assert TOKYO in refused.json()["detail"]
    told = offices.get("city.office", f"/v1/partners/{JP}/offices")
    assert told.json() == {"others": True, "lead": {"known": True, "mission_id": TOKYO}}
    assert offices.get("uae.desk", f"/v1/partners/{AE}/offices").json() == {
        "others": False, "lead": {"known": False, "mission_id": None},
    }  # fmt: skip
    assert offices.get("figures", f"/v1/partners/{JP}/offices").status_code == 403
    assert offices.get("city.office", "/v1/partners/Pno/offices").status_code == 404
    for method, path in (("GET", ""), ("POST", "/undo")):
        assert offices.ask("city.office", method, lead.headers["location"] + path).status_code == 404


def test_another_person_verifies_what_he_read(offices: Offices) -> None:
    answer = made(offices, "city.office", "/v1/outcomes", {**WON, "note": "the minister called"})
    path, tag = f"{answer.headers['location']}/verification", answer.headers["etag"]
    assert offices.post("city.office", path, {"verdict": "verified"}).status_code == 403
    assert offices.post("tokyo.desk", path, {"verdict": "verified"}).status_code == 403
    changed = offices.patch("city.office", answer.headers["location"], {"value_usd": 5}, headers={"If-Match": tag})
    stale = offices.post("city.second", path, {"verdict": "verified"}, headers={"If-Match": tag})
    assert stale.status_code == 412
    fresh = {"If-Match": changed.headers["etag"]}
    done = made(offices, "city.second", path, {"verdict": "verified"}, headers=fresh)
    assert (done.json()["verified"], done.json()["verification"]["by"]) == (True, "u13")
    assert offices.post("keeper", path, {"verdict": "verified"}).status_code == 409
    listed = offices.get("figures", "/v1/outcomes?verified=true&result=won").json()["outcomes"]
    assert [(o["id"], o["note"], o["verified"]) for o in listed] == [(answer.json()["id"], None, True)]
    assert offices.get("figures", "/v1/outcomes?q=minister").json()["total"] == 0
    assert offices.get("city.office", "/v1/outcomes?q=minister").json()["total"] == 1


# Lists.


def test_lists_page_without_repeating_and_come_as_tables(offices: Offices) -> None:
    notes = ["=1+1", "Thăm nhà máy", "ba"]
    ids = [made(offices, "tokyo.desk", "/v1/interactions", {**MEETING, "note": n}).json()["id"] for n in notes]
    first = offices.get("tokyo.desk", "/v1/interactions?n=2")
    assert [i["id"] for i in first.json()["interactions"]] == ids[:0:-1]
    made(offices, "tokyo.desk", "/v1/interactions", MEETING)
    link = first.headers["link"].partition(">")[0].strip("<")
    second = offices.get("tokyo.desk", link).json()
    assert ([i["id"] for i in second["interactions"]], second["next"], second["total"]) == (ids[:1], None, 4)
    strange = offices.get("tokyo.desk", f"/v1/interactions?kind=visit&cursor={first.json()['next']}")
    assert list(errors(strange)) == ["?cursor"]
    found = offices.get("tokyo.desk", "/v1/interactions?q=tham+may&kind=meeting,visit&since=2026-10-01").json()
    assert [i["note"] for i in found["interactions"]] == ["Thăm nhà máy"]
    assert found["filters"] == {"q": "tham may", "kind": ["meeting", "visit"], "since": "2026-10-01"}
    table = offices.get("tokyo.desk", "/v1/interactions?format=csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [r["note"] for r in rows] == ["", "ba", "Thăm nhà máy", "'=1+1"]
    assert (rows[0]["partner_id"], rows[0]["partner_name"], rows[0]["by"]) == (JP, "Nippon Water <b>&", "u15")
    assert offices.get("tokyo.second", "/v1/interactions?format=csv").status_code == 403
    assert offices.get("tokyo.desk", "/v1/interactions?format=xlsx").content[:2] == b"PK"


def test_the_audit_tells_administrators_who_wrote_what(offices: Offices) -> None:
    answer = made(offices, "tokyo.desk", "/v1/interactions", {**MEETING, "note": "confidential"})
    offices.patch("tokyo.desk", answer.headers["location"], {"kind": "visit"}, headers={"If-Match": "*"})
    told = offices.get("keeper", "/v1/audit?action=interaction&account_id=u15")
    assert told.status_code == 200, told.text
    newest, oldest = told.json()["audit"]
    assert (newest["old"]["kind"], newest["new"]["kind"], oldest["old"]) == ("meeting", "visit", None)
    assert (newest["actor"], newest["account_id"], newest["origin"]) == ("u15", 15, "127.0.0.1")
    assert newest["request_id"]
    assert "confidential" not in told.text
    page = offices.get("keeper", "/v1/audit?n=1&action=interaction").json()
    rest = offices.get("keeper", f"/v1/audit?n=1&action=interaction&cursor={page['next']}").json()
    assert [e["id"] for e in page["audit"] + rest["audit"]] == [newest["id"], oldest["id"]]
    assert "confidential" not in offices.get("keeper", "/v1/audit?format=csv").text
    for login in ("city.office", "tokyo.desk", "figures"):
        assert offices.get(login, "/v1/audit").status_code == 403
    assert list(errors(offices.get("keeper", "/v1/audit?account_id=x"))) == ["?account_id"]


def test_reminders_page_and_filter(offices: Offices) -> None:
    for step in ("one", "two"):
        made(offices, "tokyo.desk", "/v1/assignments", {"partner_id": JP, "next_step": step, "next_on": "2026-01-01"})
    whole = offices.get("tokyo.desk", "/v1/reminders?kind=contact").json()
    assert [(r["kind"], r["why"], r["since"]) for r in whole["reminders"]] == [("contact", "next_on", "2026-01-01")] * 2
    first = offices.get("tokyo.desk", "/v1/reminders?kind=contact&n=1").json()
    second = offices.get("tokyo.desk", f"/v1/reminders?kind=contact&n=1&cursor={first['next']}").json()
    assert first["reminders"] + second["reminders"] == whole["reminders"]
    assert offices.get("tokyo.desk", "/v1/reminders?as_of=2025-12-31").json()["total"] == 0
    assert offices.get("uae.desk", "/v1/reminders").json()["total"] == 0
    assert "contact" in errors(offices.get("tokyo.desk", "/v1/reminders?kind=contacts"))["?kind"]
