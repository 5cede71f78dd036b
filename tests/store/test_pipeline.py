"""Pipeline records over a real database: versions, offices, collisions, verification, audit, reminders."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import count
from time import perf_counter
from typing import Any

import psycopg
import pytest
from databases import create_database, database_url, drop_database
from offices import AE, JP, KR, NOWHERE, PEOPLE, PORT, TOKYO, UAE, WATER

from matcher.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from matcher.store import Store, pipeline, reminders, trail
from matcher.store.desk import Desk
from matcher.store.embedded import ROLE, EmbeddedServer
from matcher.store.offices import Offices, at
from matcher.store.pipeline_rows import ASSIGNMENT, CITY, INTERACTION, OUTCOME, SHORTLIST, get, page

TODAY = datetime.now(UTC).date()  # noqa: TID251 - compared with the database's clock
ACCOUNT = {login: number for number, login in enumerate(PEOPLE, start=11)}
_number = count(1)


class Office:
    """The desk with logins instead of numbers."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.desk = Desk.open(url, size=6)

    @contextmanager
    def as_(self, login: str) -> Iterator[psycopg.Cursor]:
        with self.desk.acting(ACCOUNT[login], origin="10.0.0.7", request_id=f"of-{login}") as acting:
            yield acting.cursor

    def number(self, login: str) -> int:
        return ACCOUNT[login]

    def create(self, login: str, kind: Any, /, **values: Any) -> dict[str, Any]:
        with self.as_(login) as cursor:
            return pipeline.create(cursor, kind, values)

    def change(self, login: str, kind: Any, number: int, /, **changes: Any) -> dict[str, Any]:
        with self.as_(login) as cursor:
            return pipeline.change(cursor, kind, number, changes)

    def undo(self, login: str, kind: Any, number: int) -> dict[str, Any]:
        with self.as_(login) as cursor:
            return pipeline.undo(cursor, kind, number)

    def verify(self, login: str, number: int, verdict: str = "verified", reason: str | None = None) -> dict[str, Any]:
        with self.as_(login) as cursor:
            return pipeline.verify(cursor, number, verdict, reason)

    def get(self, login: str, kind: Any, number: int) -> dict[str, Any]:
        with self.as_(login) as cursor:
            return get(cursor, kind, number)

    def ids(self, login: str, kind: Any, /, q: str | None = None, **filters: Any) -> list[int]:
        with self.as_(login) as cursor:
            found = page(cursor, kind, filters=filters, q=q)
        assert found.total == len(found.items)
        return [i["id"] for i in found.items]


@pytest.fixture
def office(embedded_server: EmbeddedServer, filled: dict[str, str]) -> Iterator[Office]:
    name = f"pipeline_{next(_number)}"
    create_database(embedded_server.admin_url, name, owner=ROLE, template="filled")
    made = Office(database_url(embedded_server.url, name))
    yield made
    made.desk.close()
    drop_database(embedded_server.admin_url, name)


def meeting(**more: Any) -> dict[str, Any]:
    return {"partner_id": JP, "kind": "meeting", "held_on": TODAY, **more}


def work(**more: Any) -> dict[str, Any]:
    return {"partner_id": JP, "lead": False, "stage": "lead", "status": "active", **more}


def result(**more: Any) -> dict[str, Any]:
    return {
        "partner_id": JP, "project_id": PORT, "result": "won", "role": "owner", "decided_on": TODAY,
        "source": "https://example.org/signed", **more,
    }  # fmt: skip


# Versions.


def test_a_change_is_a_new_version_and_an_undo_another_one(office: Office) -> None:
    made = office.create("tokyo.desk", INTERACTION, **meeting(note="first", next_on=TODAY))
    assert (made["version"], made["mission_id"], made["by"]) == (1, TOKYO, f"u{ACCOUNT['tokyo.desk']}")
    number = made["id"]
    office.change("tokyo.second", INTERACTION, number, note="second", next_on=None)
    undone = office.undo("tokyo.desk", INTERACTION, number)
    assert [(v["version"], v["note"], v["by"]) for v in undone["history"]] == [
        (3, "first", f"u{ACCOUNT['tokyo.desk']}"), (2, "second", f"u{ACCOUNT['tokyo.second']}"),
        (1, "first", f"u{ACCOUNT['tokyo.desk']}"),
    ]  # fmt: skip
    assert undone["next_on"] == TODAY.isoformat()
    again = office.undo("tokyo.desk", INTERACTION, number)
    assert (again["version"], again["note"], again["next_on"]) == (4, "second", None), "an undo is undone by the next"


def test_a_change_that_says_nothing_new_writes_nothing(office: Office) -> None:
    made = office.create("city.office", INTERACTION, **meeting(note="x"))
    assert office.change("city.office", INTERACTION, made["id"], note="x") == made


def test_the_undo_of_a_first_version_withdraws_it_and_can_be_undone(office: Office) -> None:
    number = office.create("city.office", SHORTLIST, partner_id=JP, project_id=PORT)["id"]
    assert office.undo("city.office", SHORTLIST, number)["withdrawn"]
    with pytest.raises(NotFoundError, match=f"/v1/shortlists/{number}/undo"):
        office.get("city.office", SHORTLIST, number)
    with pytest.raises(NotFoundError):
        office.change("city.office", SHORTLIST, number, reason="x")
    assert office.ids("city.office", SHORTLIST) == []
    twin = office.create("city.office", SHORTLIST, partner_id=JP, project_id=PORT)["id"]
    with pytest.raises(ConflictError, match=str(twin)):
        office.undo("city.office", SHORTLIST, number)
    office.undo("city.office", SHORTLIST, twin)
    assert office.undo("city.office", SHORTLIST, number)["version"] == 3
    assert office.ids("city.office", SHORTLIST) == [number]


# Offices.


def test_a_mission_works_for_its_own_countries_only(office: Office) -> None:
    with pytest.raises(ForbiddenError, match=r"covers JP, PG; partner P288437fb is at home in AE"):
        office.create("tokyo.desk", INTERACTION, **meeting(partner_id=AE))
    with pytest.raises(ForbiddenError, match="no known home country"):
        office.create("tokyo.desk", INTERACTION, **meeting(partner_id=NOWHERE))
    assert office.create("uae.desk", INTERACTION, **meeting(partner_id=AE))["mission_id"] == UAE


def test_no_office_sees_another_ones_records(office: Office) -> None:
    number = office.create("tokyo.desk", INTERACTION, **meeting(note="confidential"))["id"]
    for stranger in ("uae.desk", "city.office", "figures"):
        for refused in (office.get, office.undo):
            with pytest.raises(NotFoundError):
                refused(stranger, INTERACTION, number)
        assert office.ids(stranger, INTERACTION) == []
        assert office.ids(stranger, INTERACTION, q="confidential") == []
    assert office.ids("keeper", INTERACTION) == [number]


def test_outcomes_are_shared_without_notes(office: Office) -> None:
    number = office.create("tokyo.desk", OUTCOME, **result(note="confidential"))["id"]
    for reader in ("city.office", "figures"):
        seen = office.get(reader, OUTCOME, number)
        assert (seen["note"], seen["history"][0]["note"], seen["result"]) == (None, None, "won")
        assert office.ids(reader, OUTCOME, q="confidential") == []
        with pytest.raises(ForbiddenError):
            office.change(reader, OUTCOME, number, value_usd=5.0)
        with pytest.raises(ForbiddenError):
            office.undo(reader, OUTCOME, number)
    assert office.get("tokyo.second", OUTCOME, number)["note"] == "confidential"
    with pytest.raises(NotFoundError):
        office.get("uae.desk", OUTCOME, number)


def test_the_city_gives_work_to_a_mission_and_sees_it(office: Office) -> None:
    made = office.create("city.office", ASSIGNMENT, **work(mission_id=TOKYO))
    assert (made["mission_id"], made["by_city"]) == (TOKYO, True)
    office.change("tokyo.desk", ASSIGNMENT, made["id"], next_step="call")
    with pytest.raises(ConflictError, match="another office"):
        office.undo("city.office", ASSIGNMENT, made["id"])
    assert office.change("city.second", ASSIGNMENT, made["id"], stage="prospect")["version"] == 3
    assert office.undo("city.office", ASSIGNMENT, made["id"])["next_step"] == "call"
    with pytest.raises(ForbiddenError, match="covers AE"):
        office.create("city.office", ASSIGNMENT, **work(mission_id=UAE))
    with pytest.raises(ForbiddenError, match="only the city"):
        office.create("tokyo.desk", ASSIGNMENT, **work(mission_id=UAE))
    with pytest.raises(InputError, match="/mission_id"):
        office.create("city.office", ASSIGNMENT, **work(mission_id="atlantis"))
    own = office.create("tokyo.desk", ASSIGNMENT, **work())["id"]
    assert office.ids("city.office", ASSIGNMENT) == [made["id"]], "what a mission took up itself is its own"
    assert office.ids("tokyo.desk", ASSIGNMENT) == [own, made["id"]]


def test_one_office_leads_and_others_learn_which_one(office: Office) -> None:
    first = office.create("tokyo.desk", ASSIGNMENT, **work(lead=True))
    office.create("tokyo.second", ASSIGNMENT, **work(lead=True, project_id=PORT))
    with pytest.raises(ConflictError, match=f"mission {TOKYO} leads"):
        office.create("city.office", ASSIGNMENT, **work(lead=True))
    joined = office.create("city.office", ASSIGNMENT, **work())
    with pytest.raises(ConflictError, match=TOKYO):
        office.change("city.office", ASSIGNMENT, joined["id"], lead=True)
    with office.as_("city.office") as cursor:
        assert at(cursor, JP) == Offices(others=True, led=True, lead_mission_id=TOKYO)
        assert at(cursor, KR) == Offices(others=False, led=False, lead_mission_id=None)
    with office.as_("figures") as cursor:
        assert at(cursor, JP) == Offices(others=False, led=False, lead_mission_id=None)
    second = office.ids("tokyo.desk", ASSIGNMENT, project_id=[PORT])[0]
    office.change("tokyo.desk", ASSIGNMENT, first["id"], status="done")
    office.undo("tokyo.desk", ASSIGNMENT, second)
    office.change("city.office", ASSIGNMENT, joined["id"], lead=True)
    with pytest.raises(ConflictError, match="The city leads"):
        office.undo("tokyo.desk", ASSIGNMENT, first["id"])


# What a record must say.


@pytest.mark.parametrize(
    ("values", "pointers"),
    [
        ({"stage": "engaged"}, ["/next_step"]),
        ({"stage": "negotiating", "next_on": TODAY}, ["/project_id", "/value_usd"]),
        ({"stage": "committed"}, ["/next_step", "/project_id", "/value_usd", "/expected_on"]),
        ({"stage": "won", "project_id": PORT, "value_usd": 1.0}, ["/stage"]),
        ({"status": "lost"}, ["/lost_reason"]),
        ({"lost_reason": "price", "lost_to_country": "KR"}, ["/lost_reason", "/lost_to_country"]),
        ({"project_id": "HCMC-999", "partner_id": "nobody"}, ["/partner_id", "/project_id"]),
        ({"status": "lost", "lost_reason": "price", "lost_to_country": "ZZ"}, ["/lost_to_country"]),
    ],
)
def test_a_stage_needs_its_fields(office: Office, values: dict[str, Any], pointers: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        office.create("city.office", ASSIGNMENT, **work(**values))
    assert [e["pointer"] for e in refused.value.errors] == pointers


def test_work_that_ended_needs_no_next_step(office: Office) -> None:
    office.create("city.office", ASSIGNMENT, **work(stage="engaged", status="lost", lost_reason="price"))


def test_won_needs_a_verified_outcome_of_the_pair(office: Office) -> None:
    number = office.create("tokyo.desk", ASSIGNMENT, **work(project_id=PORT, value_usd=5e6))["id"]
    outcome = office.create("tokyo.desk", OUTCOME, **result())["id"]
    with pytest.raises(InputError, match="verified outcome"):
        office.change("tokyo.desk", ASSIGNMENT, number, stage="won")
    office.verify("city.office", outcome)
    with pytest.raises(InputError, match="verified outcome"):
        office.change("tokyo.desk", ASSIGNMENT, number, stage="won", project_id=WATER)
    assert office.change("tokyo.desk", ASSIGNMENT, number, stage="won")["stage"] == "won"
    office.change("tokyo.desk", ASSIGNMENT, number, stage="committed", expected_on=TODAY, next_step="sign")
    office.undo("tokyo.desk", OUTCOME, outcome)
    with pytest.raises(InputError, match="verified outcome"):
        office.undo("tokyo.desk", ASSIGNMENT, number)


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"role": None}, "/role"), ({"role": "king"}, "/role"), ({"result": "lost"}, "/lost_reason"),
        ({"result": "lost", "role": "owner", "lost_reason": "x"}, "/role"),
        ({"decided_on": TODAY + timedelta(days=2)}, "/decided_on"), ({"lost_to_country": "KR"}, "/lost_to_country"),
        ({"source_on": TODAY + timedelta(days=2)}, "/source_on"),
    ],
)  # fmt: skip
def test_a_result_needs_its_fields(office: Office, values: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InputError) as refused:
        office.create("city.office", OUTCOME, **result(**values))
    assert pointer in [e["pointer"] for e in refused.value.errors]


def test_clocks_may_differ_by_a_day(office: Office) -> None:
    office.create("city.office", INTERACTION, **meeting(held_on=TODAY + timedelta(days=1)))
    with pytest.raises(InputError, match="held_on"):
        office.create("city.office", INTERACTION, **meeting(held_on=TODAY + timedelta(days=3)))


def test_a_shortlist_names_only_a_list_that_showed_the_pair(office: Office) -> None:
    with pytest.raises(InputError, match="exposure_id"):
        office.create("city.office", SHORTLIST, partner_id=JP, project_id=PORT, exposure_id=1)


# Verification.


def test_another_person_verifies(office: Office) -> None:
    number = office.create("city.office", OUTCOME, **result())["id"]
    with pytest.raises(ForbiddenError, match="another person"):
        office.verify("city.office", number)
    office.change("city.second", OUTCOME, number, value_usd=2e6)
    with pytest.raises(ForbiddenError, match="another person"):
        office.verify("city.second", number)
    with pytest.raises(ForbiddenError, match="another person"):
        office.verify("city.office", number)
    with pytest.raises(InputError, match="rejected"):
        office.verify("keeper", number, "rejected")
    done = office.verify("keeper", number)
    assert (done["verified"], done["verification"]["by"]) == (True, f"u{ACCOUNT['keeper']}")
    with pytest.raises(ConflictError, match="verified already"):
        office.verify("keeper", number)
    assert not office.change("city.office", OUTCOME, number, value_usd=3e6)["verified"], "a new version is unverified"


def test_the_database_itself_refuses_a_reporter_who_verifies(office: Office) -> None:
    number = office.create("city.office", OUTCOME, **result())["id"]
    with pytest.raises(ForbiddenError), office.as_("city.office") as cursor:
        cursor.execute(
            "INSERT INTO verification (id, outcome_id, outcome_version, verdict, account_id)"
            " VALUES (nextval('pipeline_id'), %s, 1, 'verified', actor_id())",
            [number],
        )


def test_evaluation_reads_what_was_verified_by_then(office: Office) -> None:
    number = office.create("tokyo.desk", OUTCOME, **result(decided_on=TODAY - timedelta(days=9)))["id"]
    rejected = office.create("tokyo.desk", OUTCOME, **result(project_id=WATER))["id"]
    with Store.open(office.url) as store:
        assert store.read_outcomes().is_empty()
        office.verify("city.office", number)
        office.verify("city.office", rejected, "rejected", "no contract was seen")
        found = store.read_outcomes(as_of=TODAY)
        assert found.select("outcome_id", "project_id", "partner_id", "result", "verified_by").rows() == [
            (number, PORT, JP, "won", f"u{ACCOUNT['city.office']}")
        ]
        assert store.read_outcomes(as_of=TODAY - timedelta(days=1)).is_empty(), "it was not verified yesterday"
        office.change("tokyo.desk", OUTCOME, number, value_usd=1.0)
        assert store.read_outcomes().is_empty()


# Lists.


def test_lists_filter_search_and_page(office: Office) -> None:
    old = office.create("tokyo.desk", INTERACTION, **meeting(held_on=date(2026, 1, 5), note="Thăm nhà máy"))["id"]
    new = office.create("tokyo.desk", INTERACTION, **meeting(kind="visit", project_id=PORT))["id"]
    assert office.ids("tokyo.desk", INTERACTION) == [new, old]
    assert office.ids("tokyo.desk", INTERACTION, kind=["visit"]) == [new]
    assert office.ids("tokyo.desk", INTERACTION, until=date(2026, 1, 5)) == [old]
    assert office.ids("tokyo.desk", INTERACTION, since=date(2026, 1, 6)) == [new]
    assert office.ids("tokyo.desk", INTERACTION, q="tham MAY") == [old]
    assert office.ids("tokyo.desk", INTERACTION, q="nhà port") == []
    assert office.ids("keeper", INTERACTION, mission_id=[TOKYO]) == [new, old]
    assert office.ids("keeper", INTERACTION, mission_id=[CITY]) == []
    with office.as_("tokyo.desk") as cursor:
        first = page(cursor, INTERACTION, filters={}, n=1)
        pipeline.create(cursor, INTERACTION, meeting())
        second = page(cursor, INTERACTION, filters={}, n=1, before=first.next)
    assert [[i["id"] for i in p.items] for p in (first, second)] == [[new], [old]]
    assert second.next is None
    with office.as_("tokyo.desk") as cursor:
        past = page(cursor, INTERACTION, filters={}, before=old)
    assert (past.items, past.total, past.next) == ([], 3, None), "a page past the end tells the total, too"


@pytest.mark.parametrize(
    ("kind", "values", "own"),
    [
        (INTERACTION, meeting(project_id=PORT, note="Thăm Đồng Nai"), ["THAM", "dong", "Đồng nai tham"]),
        (SHORTLIST, {"partner_id": JP, "project_id": PORT, "reason": "Vốn lớn"}, ["von", "lớn"]),
        (ASSIGNMENT, work(project_id=PORT, status="lost", next_step="Gọi lại", lost_reason="Giá cao"), ["goi gia"]),
        (OUTCOME, result(result="lost", role=None, lost_reason="Giá cao", note="Nói riêng"), ["gia", "rieng cao"]),
    ],
    ids=lambda v: getattr(v, "table", None),
)
def test_a_search_looks_into_texts_identifiers_and_names(
    office: Office, kind: Any, values: Any, own: list[str]
) -> None:
    number = office.create("tokyo.desk", kind, **values)["id"]
    with office.as_("keeper") as cursor:
        names = cursor.execute(
            "SELECT p.name, p.name_local, j.name_vi, j.name_en FROM partners_now p, projects_now j"
            " WHERE p.partner_id = %s AND j.project_id = %s",
            [JP, PORT],
        ).fetchone()
    assert names is not None
    told = [n for n in names if n]
    assert len(told) > 1
    for q in (*own, *told, " ".join((own[0], told[0].split()[0], told[-1].split()[0])), JP.lower(), PORT):
        assert office.ids("tokyo.desk", kind, q=q) == [number], q
        assert office.ids("tokyo.desk", kind, q=f"{q} xyzzy") == []
    change = {"reason": "Khác"} if kind is SHORTLIST else {"project_id": None} if kind is INTERACTION else None
    if change:
        office.change("tokyo.desk", kind, number, **change)
        gone = "von" if kind is SHORTLIST else PORT
        assert office.ids("tokyo.desk", kind, q=gone) == [], "only the newest version is looked into"


def test_a_note_of_an_outcome_is_searched_by_its_own_office_only(office: Office) -> None:
    number = office.create("tokyo.desk", OUTCOME, **result(note="Nói riêng"))["id"]
    assert office.ids("tokyo.desk", OUTCOME, q="rieng") == [number]
    for reader in ("city.office", "figures"):
        assert (office.ids(reader, OUTCOME, q="rieng"), office.ids(reader, OUTCOME, q=PORT)) == ([], [number])


def test_a_search_takes_ten_different_words(office: Office) -> None:
    number = office.create("tokyo.desk", INTERACTION, **meeting(note="một hai ba bốn năm sáu bảy tám chín mười"))["id"]
    ten = "mot hai ba bon nam sau bay tam chin muoi"
    assert office.ids("tokyo.desk", INTERACTION, q=f"{ten} {ten.upper()} Một") == [number]
    with pytest.raises(InputError, match="11 different words, expected at most 10") as refused:
        office.ids("tokyo.desk", INTERACTION, q=f"{ten} a")
    assert [e["pointer"] for e in refused.value.errors] == ["?q"]


def test_long_notes_are_searched_at_once(office: Office) -> None:
    """2,000 notes of 1 kB took 16 seconds for ten words while every word folded every note."""
    with psycopg.connect(office.url) as owner:
        owner.execute(
            "INSERT INTO interaction (id, version, mission_id, partner_id, kind, held_on, note, account_id)"
            " SELECT nextval('pipeline_id'), 1, %s, %s, 'meeting', '2026-01-01', repeat('Gặp đối tác về cảng ', 50), %s"
            " FROM generate_series(1, 2000)",
            [TOKYO, JP, ACCOUNT["tokyo.desk"]],
        )
    seconds = []
    with office.as_("tokyo.desk") as cursor:
        for _ in range(3):
            begun = perf_counter()
            found = page(cursor, INTERACTION, filters={}, q="gặp đối tác về cảng ap oi ac an g")
            seconds.append(perf_counter() - begun)
    assert (found.total, len(found.items)) == (2000, 50)
    assert min(seconds) < 0.5


# Audit.


def test_every_write_is_audited_without_notes(office: Office) -> None:
    number = office.create("tokyo.desk", INTERACTION, **meeting(note="confidential", next_on=TODAY))["id"]
    office.change("tokyo.desk", INTERACTION, number, kind="visit")
    outcome = office.create("tokyo.desk", OUTCOME, **result(note="confidential"))["id"]
    office.verify("city.office", outcome)
    office.undo("tokyo.desk", INTERACTION, number)
    with office.as_("keeper") as cursor:
        found = trail.audit(cursor, filters={"account_id": [ACCOUNT["tokyo.desk"], ACCOUNT["city.office"]]})
        assert trail.audit(cursor, filters={"action": ["verification"]}).total == 1
        assert trail.audit(cursor, filters={"until": TODAY - timedelta(days=1)}).total == 0
    told = [
        (e["action"], e["origin"], e["request_id"], e["old"] and e["old"]["version"], e["new"].get("version"))
        for e in found.items
    ]
    assert told == [
        ("interaction", "10.0.0.7", "of-tokyo.desk", 2, 3), ("verification", "10.0.0.7", "of-city.office", None, None),
        ("outcome", "10.0.0.7", "of-tokyo.desk", None, 1), ("interaction", "10.0.0.7", "of-tokyo.desk", 1, 2),
        ("interaction", "10.0.0.7", "of-tokyo.desk", None, 1),
    ]  # fmt: skip
    assert (found.items[3]["old"]["kind"], found.items[3]["new"]["kind"]) == ("meeting", "visit")
    assert "confidential" not in str(found.items)
    with office.as_("city.office") as cursor:
        assert trail.audit(cursor, filters={}).total == 0


# Reminders.


def told(office: Office, login: str, day: date, *kinds: str) -> list[tuple[Any, ...]]:
    with office.as_(login) as cursor:
        items, total, _ = reminders.due(cursor, as_of=day, kinds=kinds or reminders.REMINDERS)
        pages, after = [], None
        while True:
            part, _, after = reminders.due(cursor, as_of=day, kinds=kinds or reminders.REMINDERS, n=1, after=after)
            pages += part
            if after is None:
                break
    assert total == len(items)
    assert pages == items
    return [(i["kind"], i["why"], i["id"], (i["partner"] or i["project"])["id"]) for i in items]


def test_work_is_remembered_when_it_lies_too_long(office: Office) -> None:
    quiet = office.create("tokyo.desk", ASSIGNMENT, **work())["id"]
    planned = office.create("tokyo.desk", ASSIGNMENT, **work(next_on=TODAY + timedelta(days=5)))["id"]
    office.create("tokyo.desk", ASSIGNMENT, **work(status="paused", next_on=date(2026, 1, 1)))
    assert told(office, "tokyo.desk", TODAY, "contact") == []
    assert told(office, "tokyo.desk", TODAY + timedelta(days=6), "contact") == [("contact", "next_on", planned, JP)]
    assert told(office, "tokyo.desk", TODAY + timedelta(days=30), "contact") == [("contact", "next_on", planned, JP)]
    assert told(office, "tokyo.desk", TODAY + timedelta(days=31), "contact") == [
        ("contact", "quiet", quiet, JP), ("contact", "next_on", planned, JP),
    ]  # fmt: skip
    office.create("tokyo.desk", INTERACTION, **meeting(held_on=TODAY + timedelta(days=1)))
    assert told(office, "tokyo.desk", TODAY + timedelta(days=31), "contact") == [("contact", "next_on", planned, JP)]
    assert told(office, "city.office", TODAY + timedelta(days=99), "contact") == []


def test_officers_are_reminded_of_outcomes_and_facts(office: Office) -> None:
    number = office.create("tokyo.desk", OUTCOME, **result())["id"]
    assert told(office, "city.office", TODAY, "outcome") == [("outcome", "unverified", number, JP)]
    assert told(office, "tokyo.desk", TODAY, "outcome", "project") == []
    office.verify("city.office", number)
    assert told(office, "city.office", TODAY, "outcome") == []
    stale = {why for _, why, _, _ in told(office, "city.office", date(2026, 3, 1) + timedelta(days=181), "project")}
    assert stale == {"old", "undated"}
    fresh = {why for _, why, _, _ in told(office, "city.office", date(2026, 3, 1) + timedelta(days=180), "project")}
    assert fresh == {"undated"}
    office.create("tokyo.desk", SHORTLIST, partner_id=JP, project_id=PORT)
    assert told(office, "tokyo.desk", TODAY, "partner") == []
    assert told(office, "tokyo.desk", TODAY + timedelta(days=365), "partner") == [("partner", "old", None, JP)]
    assert told(office, "uae.desk", TODAY + timedelta(days=365), "partner") == []
