"""An undone batch counts no more, from the moment of its undo; what others lean on is not taken away."""

from datetime import UTC, date, datetime, timedelta
from itertools import count

import polars as pl
import psycopg
import pytest
from databases import create_database, database_url, drop_database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from matcher.errors import ConflictError, ForbiddenError, NotFoundError
from matcher.records import PROJECT_STATUSES, TABLES
from matcher.store import Store
from matcher.store.embedded import ROLE
from matcher.store.undoing import REFERENCE

DAYS = [None, date(2020, 6, 1), date(2023, 1, 1), date(2030, 1, 1)]
PROJECT = {"project_id": "p", "name_en": "Port", "status": "calling", "country": "VN", "source": "s"}
PARTNER = {"partner_id": "q", "name": "Q", "kind": "company", "source": "s"}
DEAL = {"deal_id": "d", "project_id": "p", "partner_id": "q", "role": "owner", "status": "done", "source": "s"}
_number = count(1)


def frame(table: str, *rows: dict) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(TABLES[table].columns))


def add(store: Store, table: str, *rows: dict, source: str = "file.csv") -> int:
    return store.append(table, frame(table, *rows), source=source, actor="t").id


def test_an_undone_batch_counts_no_more_and_brings_back_what_was_before(store: Store):
    add(store, "projects", PROJECT)
    before = store.read("projects")
    second = add(store, "projects", {**PROJECT, "status": "approved"}, {**PROJECT, "project_id": "p2"})
    with_it = datetime.now(UTC)  # noqa: TID251
    changed = store.read("projects")
    undo = store.undo(second, actor="t")
    assert (undo.n_rows, undo.table, undo.source) == (2, "projects", f"undo of batch {second}")
    assert undo.id == store.revision() > second
    assert_frame_equal(store.read("projects"), before)
    assert_frame_equal(store.read("projects", known_at=with_it), changed)
    assert_frame_equal(store.read("projects", revision=second), changed)
    assert [(u.batch_id, u.undo_id) for u in store.undone()] == [(second, undo.id)]
    newest = store.audit_log(limit=1)[0]
    assert (newest.action, newest.details["undone"], newest.details["rows"]) == ("undo", second, 2)


def test_the_same_rows_can_come_again_after_an_undo(store: Store):
    first = add(store, "projects", PROJECT)
    store.undo(first, actor="t")
    assert store.read("projects").is_empty()
    again = store.append("projects", frame("projects", PROJECT), source="file.csv", actor="t")
    assert again.n_rows == 1
    assert store.read("projects").height == 1
    assert store.undo(again.id, actor="t").n_rows == 1


def test_a_later_change_of_the_same_record_stays(store: Store):
    first = add(store, "projects", PROJECT)
    add(store, "projects", {**PROJECT, "status": "approved"})
    store.undo(first, actor="t")
    assert store.read("projects")["status"].to_list() == ["approved"]


@pytest.fixture(scope="module")
def growing(embedded_server):
    create_database(embedded_server.admin_url, "growing", owner=ROLE, template="migrated")
    with Store.open(database_url(embedded_server.url, "growing")) as opened:
        yield opened
    drop_database(embedded_server.admin_url, "growing")


ROWS = st.lists(
    st.fixed_dictionaries({
        "project_id": st.sampled_from("abcd"),
        "status": st.sampled_from(PROJECT_STATUSES),
        "announced_on": st.none() | st.dates(date(2019, 1, 1), date(2026, 1, 1)),
        "source_on": st.none() | st.dates(date(2019, 1, 1), date(2026, 1, 1)),
    }),
    min_size=1, max_size=4, unique_by=lambda r: r["project_id"],
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=ROWS, kept=st.booleans())
def test_append_and_undo_leave_every_day_as_it_was(growing: Store, rows, kept):
    if kept:  # the ground changes from example to example
        add(growing, "projects", *({**PROJECT, **r, "notes": str(next(_number))} for r in rows))
    before = [growing.read("projects", as_of=day) for day in DAYS]
    known = datetime.now(UTC)  # noqa: TID251
    batch = growing.append(
        "projects", frame("projects", *({**PROJECT, **r, "notes": str(next(_number))} for r in rows)),
        source="x", actor="t",
    )  # fmt: skip
    inside = growing.revision()
    during = [growing.read("projects", as_of=day) for day in DAYS]
    growing.undo(batch.id, actor="t")
    for day, then, meanwhile in zip(DAYS, before, during, strict=True):
        assert_frame_equal(growing.read("projects", as_of=day), then)
        assert_frame_equal(growing.read("projects", as_of=day, revision=inside), meanwhile)
        assert_frame_equal(growing.read("projects", as_of=day, known_at=known - timedelta(0)), then)


def test_what_cannot_be_undone_is_said(store: Store):
    reference = add(store, "projects", {**PROJECT, "project_id": "r"}, source=f"{REFERENCE}abc")
    first = add(store, "projects", PROJECT)
    undo = store.undo(first, actor="t")
    revision = store.revision()
    for batch, error, said in [
        (999_999, NotFoundError, "no batch 999999"),
        (reference, ConflictError, "reference table projects"),
        (first, ConflictError, f"undone already, by batch {undo.id}"),
        (undo.id, ConflictError, "import the file again"),
    ]:
        with pytest.raises(error, match=said):
            store.undo(batch, actor="t")
    assert store.revision() == revision


@pytest.mark.parametrize(
    ("undone", "leaning", "said"),
    [
        ("projects", ("deals", DEAL), "1 of deals"),
        ("partners", ("deals", DEAL), "1 of deals"),
        ("partners", ("partners", {**PARTNER, "partner_id": "child", "parent_id": "q"}), "1 of partners"),
        (
            "partners",
            ("footprint", {"partner_id": "q", "country": "VN", "evidence": "web_page", "source": "s"}),
            "1 of footprint",
        ),
    ],
)
def test_what_other_records_refer_to_stays(store: Store, undone, leaning, said):
    batches = {"projects": add(store, "projects", PROJECT), "partners": add(store, "partners", PARTNER)}
    later = add(store, leaning[0], leaning[1])
    revision = store.revision()
    with pytest.raises(ConflictError, match=said):
        store.undo(batches[undone], actor="t")
    assert store.revision() == revision
    assert store.undone() == []
    store.undo(later, actor="t")
    store.undo(batches[undone], actor="t")
    assert store.read(undone).is_empty()


def test_a_record_that_an_earlier_batch_has_too_may_be_referred_to(store: Store):
    add(store, "partners", PARTNER)
    add(store, "projects", PROJECT)
    second = add(store, "partners", {**PARTNER, "name": "Other"})
    add(store, "deals", DEAL)
    store.undo(second, actor="t")
    assert store.read("partners")["name"].to_list() == ["Q"]


def test_a_row_does_not_come_back_without_what_it_refers_to(store: Store):
    parent = add(store, "partners", {**PARTNER, "partner_id": "parent"})
    add(store, "partners", {**PARTNER, "parent_id": "parent"})
    alone = add(store, "partners", PARTNER)
    store.undo(parent, actor="t")
    with pytest.raises(ConflictError, match="1 rows of partners would come back whose parent_id"):
        store.undo(alone, actor="t")
    assert store.read("partners")["parent_id"].to_list() == [None]


@pytest.fixture
def offices(store: Store, store_url: str):
    """Accounts of an officer and of a mission, and a partner that the mission has met."""
    add(store, "countries", {"country": "JP", "name_vi": "Nhật Bản", "name_en": "Japan"})
    add(store, "missions", {"mission_id": "m-secret", "name_vi": "M", "name_en": "M", "type": "embassy",
                            "country": "JP", "source": "s"})  # fmt: skip
    batch = add(store, "partners", {**PARTNER, "country": "JP"})
    with psycopg.connect(store_url, autocommit=True) as owner:
        made = owner.execute(
            "INSERT INTO account (login, role, mission_id) VALUES ('o', 'officer', NULL), ('m', 'mission', 'm-secret')"
            " RETURNING account_id"
        ).fetchall()
        officer, mission = (row[0] for row in made)
        owner.execute(
            "INSERT INTO interaction (id, version, mission_id, partner_id, kind, held_on, account_id)"
            " VALUES (1, 1, 'm-secret', 'q', 'meeting', '2026-01-01', %s)",
            [mission],
        )
        yield batch, officer, mission, owner


def test_the_pipeline_of_any_office_keeps_a_record(store: Store, store_url: str, offices):
    batch, officer, mission, owner = offices
    for acting in (None, officer):
        with Store.open(store_url, acting=acting) as opened:
            with pytest.raises(ConflictError, match=r"vanish: offices work with such a partner\. Undo") as refused:
                opened.undo(batch, actor="t")
            assert "m-secret" not in str(refused.value)
    with Store.open(store_url, acting=mission) as opened, pytest.raises(ForbiddenError):
        opened.undo(batch, actor="t")
    owner.execute(
        "INSERT INTO interaction (id, version, withdrawn, mission_id, partner_id, kind, held_on, account_id)"
        " VALUES (1, 2, true, 'm-secret', 'q', 'meeting', '2026-01-01', %s)",
        [mission],
    )
    with Store.open(store_url, acting=officer) as opened:
        assert opened.undo(batch, actor=f"u{officer}").n_rows == 1
    assert store.read("partners").is_empty()


def test_a_refused_undo_tells_neither_how_much_nor_whose_hidden_work_there_is(store: Store, store_url: str, offices):
    batch, officer, mission, owner = offices
    with Store.open(store_url, acting=officer) as opened:
        with pytest.raises(ConflictError) as before:
            opened.undo(batch, actor="t")
        owner.execute(
            "INSERT INTO interaction (id, version, mission_id, partner_id, kind, held_on, account_id)"
            " SELECT i, 1, 'm-secret', 'q', 'visit', '2026-01-01', %s FROM generate_series(2, 6) i",
            [mission],
        )
        owner.execute(
            "INSERT INTO shortlist (id, version, mission_id, partner_id, project_id, account_id)"
            " VALUES (7, 1, 'm-secret', 'q', 'p', %s)",
            [mission],
        )
        with pytest.raises(ConflictError) as after:
            opened.undo(batch, actor="t")
    assert str(after.value) == str(before.value)


def test_only_who_may_undo_is_told_that_others_refer(store_url: str, offices):
    _batch, officer, mission, _owner = offices
    told = {}
    for acting in (officer, mission, 1, None):
        with psycopg.connect(store_url, options="-c role=matcher_app", autocommit=True) as app:
            if acting is not None:
                app.execute("SELECT set_config('app.actor', %s, false)", [str(acting)])
            told[acting] = app.execute("SELECT referred('partners', '{other,q}')").fetchone()
    assert told == {officer: (True,), mission: (False,), 1: (False,), None: (False,)}


def test_a_judged_pair_keeps_its_records(store: Store, store_url: str):
    partner, project = add(store, "partners", PARTNER), add(store, "projects", PROJECT)
    with psycopg.connect(store_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO judgment (project_id, partner_id, grade, judged_by, judged_on, actor)"
            " VALUES ('p', 'q', 2, 'j', '2026-01-01', 'a')"
        )
    for batch, what in ((partner, "partner"), (project, "project")):
        with pytest.raises(ConflictError, match=f"offices work with such a {what}"):
            store.undo(batch, actor="t")


def test_a_disk_that_is_full_is_said_and_nothing_is_written(store: Store, store_url: str):
    with psycopg.connect(store_url, autocommit=True) as owner:
        owner.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON projects FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
        with pytest.raises(Exception, match="disk of the database is full") as refused:
            add(store, "projects", PROJECT)
        assert type(refused.value).__name__ == "SourceError"
        assert store.revision() == 0
        owner.execute("DROP TRIGGER full_disk ON projects")
        assert add(store, "projects", PROJECT) == store.revision()
