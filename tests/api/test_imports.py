"""Imports over HTTP and as jobs: a preview that is kept, a commit of what was seen, an undo; faults change nothing."""

from typing import Any

import psycopg
import pytest
from offices import JP, Offices
from official_files import FAULTY, GOOD, HEADING, workbook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV = b"partner_id,name,country,kind\nnew-1,Harbour Works,JP,company\nnew-2,Quay Bank,JP,bank\n"
OFFICER = "city.office"


def send(
    offices: Offices, content: bytes = CSV, *, kind: str = "partners", media: str = "text/csv", **more: Any
) -> Any:
    headers = {"content-type": media, **more.pop("headers", {})}
    params = {"kind": kind, "file": "new.csv", **more}
    return offices.ask(OFFICER, "POST", "/v1/imports", content=content, params=params, headers=headers)


def sent(offices: Offices, content: bytes = CSV, **more: Any) -> dict[str, Any]:
    answer = send(offices, content, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()


def do(offices: Offices, number: int, what: str, code: int = 200, **more: Any) -> dict[str, Any]:
    answer = offices.post(OFFICER, f"/v1/imports/{number}/{what}", **more)
    assert answer.status_code == code, answer.text
    return answer.json()


def partners(offices: Offices) -> int:
    return offices.get(OFFICER, "/v1/partners").json()["total"]


def owner(offices: Offices) -> Any:
    return psycopg.connect(offices.url, autocommit=True)


def facts(offices: Offices) -> tuple[Any, ...]:
    with owner(offices) as connection:
        return connection.execute(
            "SELECT (SELECT max(id) FROM batch), (SELECT count(*) FROM partners), (SELECT count(*) FROM import_event),"
            " (SELECT count(*) FROM undone)"
        ).fetchone()


def test_preview_commit_undo_and_again(offices: Offices) -> None:
    before, at_first = partners(offices), facts(offices)
    made = sent(offices)
    assert (made["state"], made["rows"], made["new"], made["errors"]) == ("ready", 2, 2, [])
    assert (made["source"], made["by"][0], made["committed"]) == ("new.csv", "u", None)
    assert facts(offices) == at_first
    assert partners(offices) == before
    assert offices.get(OFFICER, f"/v1/imports/{made['id']}").json() == made
    done = do(offices, made["id"], "commit")
    assert done["state"] == "committed"
    assert done["committed"]["batch"] > at_first[0]
    assert partners(offices) == before + 2
    after = facts(offices)
    assert do(offices, made["id"], "commit") == done, "a second commit gives the first answer"
    assert facts(offices) == after
    undone = do(offices, made["id"], "undo")
    assert (undone["state"], partners(offices)) == ("undone", before)
    assert "undone already" in do(offices, made["id"], "undo", 409)["detail"]
    assert "was undone" in do(offices, made["id"], "commit", 409)["detail"]
    again = sent(offices)
    assert (again["state"], again["new"]) == ("ready", 2)
    do(offices, again["id"], "commit")
    assert partners(offices) == before + 2


def test_a_faulty_workbook_is_kept_with_every_error(offices: Offices) -> None:
    answer = send(offices, workbook({"Dự án": [HEADING, *FAULTY]}), kind="projects", media=XLSX, file="Dự án.xlsx")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["error_count"], made["rows"]) == ("refused", 8, 0)
    wrong = next(e for e in made["errors"] if e["column"] == "Vốn (tỷ đồng)")
    assert wrong == {
        "sheet": "Dự án", "row": 5, "column": "Vốn (tỷ đồng)", "seen": "12,5 ty", "expected": "write 12.5 or 12,5",
        "message": 'Sheet "Dự án", row 5, column "Vốn (tỷ đồng)": "12,5 ty" is not a number; write 12.5 or 12,5',
    }  # fmt: skip
    assert offices.get(OFFICER, answer.headers["location"]).json()["errors"] == made["errors"]
    assert "has errors" in do(offices, made["id"], "commit", 409)["detail"]


def test_a_workbook_in_a_form_is_read(offices: Offices) -> None:
    book = workbook({"Dự án": [HEADING, *GOOD]}, title=2)
    answer = offices.ask(
        OFFICER, "POST", "/v1/imports", params={"kind": "projects", "source": "Sở", "source_on": "2026-05-01"},
        files={"file": ("C:\\tài liệu\\Dự án.xlsx", book, XLSX)},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["file"], made["new"], made["source"]) == ("ready", "Dự án.xlsx", 3, "Sở")
    do(offices, made["id"], "commit")
    assert offices.get(OFFICER, "/v1/projects/DA-01").json()["source_on"] == "2026-05-01"


def test_a_commit_of_what_was_not_seen_is_refused(offices: Offices) -> None:
    first, second = sent(offices), sent(offices, CSV.replace(b"Quay Bank", b"Quay Bank Ltd"))
    do(offices, first["id"], "commit")
    before = facts(offices)
    told = do(offices, second["id"], "commit", 409)["detail"]
    assert "2 new then, 0 now" in told
    assert facts(offices) == before
    assert offices.get(OFFICER, f"/v1/imports/{second['id']}").json()["state"] == "ready"


def test_a_commit_after_other_changes_that_do_not_touch_it_is_done(offices: Offices) -> None:
    made, other = sent(offices), sent(offices, CSV.replace(b"new-", b"other-").replace(b"Works", b"Cranes"))
    do(offices, other["id"], "commit")
    answer = offices.post(OFFICER, f"/v1/imports/{made['id']}/commit")
    assert answer.status_code in (200, 409), answer.text


def test_an_undo_takes_nothing_away_that_others_lean_on(offices: Offices) -> None:
    number = sent(offices)["id"]
    do(offices, number, "commit")
    body = {"partner_id": "new-1", "kind": "meeting", "held_on": "2026-10-01", "note": "confidential"}
    contact = offices.post("tokyo.desk", "/v1/interactions", body)
    assert contact.status_code == 201, contact.text
    before = facts(offices)
    told = do(offices, number, "undo", 409)["detail"]
    assert "that would vanish: offices work with such a partner." in told
    assert "id-jakarta" not in told
    assert facts(offices) == before
    assert offices.post("tokyo.desk", f"{contact.headers['location']}/undo").status_code == 200
    assert do(offices, number, "undo")["state"] == "undone"


def test_what_changed_nothing_or_was_never_committed_has_no_undo(offices: Offices) -> None:
    number = sent(offices)["id"]
    assert "never committed" in do(offices, number, "undo", 409)["detail"]
    do(offices, number, "commit")
    same = sent(offices)
    assert (same["new"], same["changed"], same["equal"]) == (0, 0, 2)
    assert do(offices, same["id"], "commit")["committed"]["batch"] is None
    assert "changed nothing" in do(offices, same["id"], "undo", 409)["detail"]


def test_a_request_that_is_sent_twice_is_done_once(offices: Offices) -> None:
    key = {"idempotency-key": "once-1"}
    first, second = send(offices, headers=key), send(offices, headers=key)
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert send(offices, CSV + b"new-3,X,JP,bank\n", headers=key).status_code == 409
    number = first.json()["id"]
    done = [offices.post(OFFICER, f"/v1/imports/{number}/commit", headers={"idempotency-key": "c"}) for _ in range(2)]
    assert done[0].json() == done[1].json()
    undone = [offices.post(OFFICER, f"/v1/imports/{number}/undo", headers={"idempotency-key": "u"}) for _ in range(2)]
    assert [u.status_code for u in undone] == [200, 200]


@pytest.mark.parametrize("table", ["partners", "import_event"])
def test_a_full_disk_changes_nothing_and_is_said(offices: Offices, table: str) -> None:
    number = sent(offices)["id"]
    before = facts(offices)
    with owner(offices) as connection:
        connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;"
            f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
        told = do(offices, number, "commit", 503)["detail"]
        assert "disk of the database is full" in told
        assert facts(offices) == before
        connection.execute(f"DROP TRIGGER full_disk ON {table}")
    assert do(offices, number, "commit")["state"] == "committed"


@pytest.mark.parametrize(
    ("params", "media", "content", "code", "said"),
    [
        ({"kind": "screening"}, "text/csv", CSV, 422, "projects"),
        ({}, "application/json", b"{}", 415, "application/json"),
        ({"map": "Ten"}, "text/csv", CSV, 422, "COLUMN:FIELD"),
        ({"file": "a\nb"}, "text/csv", CSV, 422, "file"),
        ({"source_on": "1.1.2026"}, "text/csv", CSV, 422, "YYYY-MM-DD"),
        ({"nonsense": "1"}, "text/csv", CSV, 422, "nonsense"),
        ({}, "multipart/form-data; boundary=x", b"--x--\r\n", 422, "no file"),
        ({}, "multipart/form-data", b"zzz", 400, ""),
    ],
)
def test_a_request_that_says_nonsense_is_refused(offices, params, media, content, code, said) -> None:
    answer = send(offices, content, media=media, **params)
    assert answer.status_code == code, answer.text
    assert said in answer.text


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\0", b"\xff\xfe\x00", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"a;b\n\xe9;1\n"]
)
def test_bytes_that_are_no_table_are_kept_as_refused(offices: Offices, content: bytes) -> None:
    made = sent(offices, content)
    assert (made["state"], made["error_count"]) == ("refused", 1)
    assert made["errors"][0]["message"]


def test_a_file_larger_than_twenty_megabytes_is_not_read(offices: Offices) -> None:
    assert send(offices, b"x" * (20 * 2**20 + 1)).status_code == 413
    assert send(offices, CSV + b"#" * 2**21).status_code == 201


def test_imports_are_listed_newest_first_and_page(offices: Offices) -> None:
    numbers = [sent(offices)["id"] for _ in range(3)]
    sent(offices, b"")
    do(offices, numbers[0], "commit")
    listed = offices.get(OFFICER, "/v1/imports", params={"n": 2, "kind": "partners"}).json()
    assert listed["total"] == 4
    assert [i["state"] for i in listed["imports"]] == ["refused", "ready"]
    rest = offices.get(OFFICER, "/v1/imports", params={"n": 2, "kind": "partners", "cursor": listed["next"]}).json()
    assert ([i["id"] for i in rest["imports"]], rest["next"]) == ([numbers[1], numbers[0]], None)
    ready = offices.get(OFFICER, "/v1/imports", params={"state": "ready,committed"}).json()
    assert [i["id"] for i in ready["imports"]] == numbers[::-1]
    assert offices.get(OFFICER, "/v1/imports", params={"state": "gone"}).status_code == 422


def test_a_record_that_is_there_already_is_told(offices: Offices) -> None:
    made = sent(offices, b"partner_id,name,country,kind\nx,nippon water <b>&,JP,company\n")
    assert [(r["row"], r["record"], r["like"]) for r in made["resembling"]] == [(2, "x", [JP])]


def test_every_step_is_audited_without_the_content(offices: Offices) -> None:
    number = sent(offices)["id"]
    do(offices, number, "commit")
    do(offices, number, "undo")
    entries = offices.get("keeper", "/v1/audit", params={"n": 10}).json()["audit"]
    assert [e["action"] for e in entries[:5]] == ["import_event", "undo", "import_event", "append", "import"]
    assert "Harbour Works" not in str(entries)
