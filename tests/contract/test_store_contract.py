"""What every store keeps, on the embedded server and on one that an administrator runs.

The second is the server of MATCHER_TEST_DATABASE_URL (its login must be allowed to create databases); without
that variable it is a server of our own on a loopback port.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import NamedTuple

import numpy as np
import polars as pl
import psycopg
import pytest
from databases import create_database, database_url, drop_database, tcp_server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from matcher.errors import ConflictError, InputError, MatcherError, SourceError
from matcher.records import DAY, FLAG, INT, LIST, MONEY, NUM, TABLES
from matcher.store import Store, schema
from matcher.store.embedded import ROLE

DAYS = st.dates(date(1990, 1, 1), date(2030, 12, 31))
TODAY = datetime.now(UTC).date()  # noqa: TID251 - the database dates an undated row by its clock
PROJECT = {"project_id": "p", "status": "calling", "country": "VN", "source": "s"}
DEAL = {"deal_id": "d", "project_id": "p", "partner_id": "q", "role": "owner", "status": "done", "source": "s"}
_number = count(1)
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class Server(NamedTuple):
    admin_url: str
    url: str
    owner: str | None


@pytest.fixture(scope="module")
def external():
    given_url = os.environ.get("MATCHER_TEST_DATABASE_URL")
    if given_url:
        yield Server(given_url, given_url, None)
        return
    with tcp_server() as url:
        yield Server(url, url, None)


@pytest.fixture(scope="module", params=["embedded", "external"])
def server(request, embedded_server):
    if request.param == "external":
        yield request.getfixturevalue("external")
    else:
        yield Server(embedded_server.admin_url, embedded_server.url, ROLE)


@pytest.fixture(scope="module")
def template(server):
    """Name of a migrated database without rows, to copy."""
    name = f"matcher_template_{os.getpid()}"
    create_database(server.admin_url, name, owner=server.owner)
    with Store.open(database_url(server.url, name)) as store:
        store.migrate()
    yield name
    drop_database(server.admin_url, name)


@pytest.fixture
def url(server, template):
    name = f"matcher_contract_{os.getpid()}_{next(_number)}"
    create_database(server.admin_url, name, owner=server.owner, template=template)
    yield database_url(server.url, name)
    drop_database(server.admin_url, name)


@pytest.fixture
def store(url):
    with Store.open(url) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(server, template):
    """One database for the properties: each example writes keys that no other example knows."""
    name = f"matcher_shared_{os.getpid()}"
    create_database(server.admin_url, name, owner=server.owner, template=template)
    with Store.open(database_url(server.url, name)) as opened:
        yield opened
    drop_database(server.admin_url, name)


def frame(table, *rows):
    """A frame of the table; columns that a row does not name are null."""
    columns = TABLES[table].columns
    full = [{c: row.get(c) for c in columns} for row in rows]
    return pl.DataFrame(full, schema=dict(columns), orient="row")


def append(store, table, *rows, **options):
    return store.append(table, frame(table, *rows), source="test", actor="tester", **options)


TEXTS = st.text(
    st.one_of(
        st.sampled_from('aộ中",\\{}\n\r\t|;%NUL ́'), st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    ),
    max_size=8,
)


def cells(table, column):
    dtype, choices = TABLES[table].columns[column], TABLES[table].choices.get(column)
    if choices:
        some = st.sampled_from(choices)
    elif dtype == LIST:
        some = st.lists(TEXTS, max_size=3)
    elif dtype == MONEY:
        some = st.decimals(Decimal("-9e21"), Decimal("9e21"), places=2).map(lambda d: d.quantize(Decimal("0.01")))
    elif dtype == NUM:
        some = st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)
    elif dtype == DAY:
        some = DAYS
    elif dtype == FLAG:
        some = st.booleans()
    elif dtype == INT:
        some = st.integers(-(2**63), 2**63 - 1)
    else:
        some = TEXTS
    return some if column in TABLES[table].required else st.none() | some


@st.composite
def batches(draw, table):
    """Two or three frames that overlap in their keys, each key of this example only."""
    key_cells = {c: cells(table, c) for c in TABLES[table].key}
    rows = st.fixed_dictionaries({c: cells(table, c) for c in TABLES[table].columns})
    keys = draw(st.lists(st.fixed_dictionaries(key_cells), min_size=1, max_size=4))
    frames = []
    for _ in range(draw(st.integers(2, 3))):
        chosen = draw(st.lists(st.sampled_from(range(len(keys))), max_size=4))
        named = {}
        for k in chosen:
            row = {**draw(rows), **keys[k]}
            named[tuple(row[c] for c in TABLES[table].key)] = row
        frames.append(named)
    return frames


def unique(named, example):
    """The same rows under keys of this example."""
    return {(f"{example}:{k[0]}", *k[1:]): {**row, "_first": f"{example}:{k[0]}"} for k, row in named.items()}


@pytest.mark.parametrize("table", TABLES)
@given(data=st.data())
@few
def test_read_gives_what_was_appended_last(shared, table, data):
    first = TABLES[table].key[0]
    example = f"{next(_number)}"
    present = {}
    for drawn in data.draw(batches(table)):
        named = unique(drawn, example)
        rows = [{**row, first: row["_first"]} for row in named.values()]
        present.update(dict(zip(named, rows, strict=True)))
        append(shared, table, *rows)
        revision = shared.revision()
        assert append(shared, table, *rows).n_rows == 0
        assert shared.revision() == revision
    seen = shared.read(table).drop("counts_from", strict=False)
    assert_frame_equal(
        seen.filter(pl.col(first).str.starts_with(f"{example}:")),
        frame(table, *present.values()).sort(TABLES[table].key),
    )


@pytest.mark.parametrize(
    "table", ["projects", "deals", "footprint", "country_ties", "activities", "fdi_facts", "partners"]
)
@given(data=st.data())
@few
def test_a_later_day_shows_no_fewer_rows(shared, table, data):
    example, first = f"{next(_number)}", TABLES[table].key[0]
    for drawn in data.draw(batches(table)):
        named = unique(drawn, example)
        append(shared, table, *({**row, first: row["_first"]} for row in named.values()))
    early, late = sorted([data.draw(DAYS), data.draw(DAYS)])

    def keys(as_of):
        rows = shared.read(table, as_of=as_of).filter(pl.col(first).str.starts_with(f"{example}:"))
        if "counts_from" in rows.columns and as_of is not None:
            assert (rows["counts_from"] <= as_of).all()
        return set(rows.select(TABLES[table].key).rows())

    assert keys(early) <= keys(late) <= keys(None)


def test_a_project_of_an_earlier_day_keeps_the_state_it_had_then(store):
    append(store, "projects", {**PROJECT, "announced_on": date(2020, 5, 1), "announced_precision": "month"})
    append(store, "projects", {**PROJECT, "status": "operating", "announced_on": date(2024, 1, 1)})
    days = date(2020, 5, 30), date(2020, 6, 1), date(2023, 1, 1), date(2024, 1, 1)
    states = [store.read("projects", as_of=day)["status"].to_list() for day in days]
    assert states == [[], ["calling"], ["calling"], ["operating"]]


def test_what_is_in_our_hands_is_public_though_its_source_prints_only_the_year(store):
    append(store, "projects", {**PROJECT, "source_on": date(TODAY.year + 1, 12, 31)})
    assert store.read("projects", as_of=TODAY + timedelta(days=1)).height == 1


def test_registries_are_visible_on_every_day(store):
    append(store, "countries", {"country": "SG", "name_vi": "x", "name_en": "x", "source_on": date(2026, 1, 1)})
    append(
        store,
        "partners",
        {"partner_id": "q", "name": "Q", "kind": "company", "source": "s", "source_on": date(2026, 1, 1)},
    )
    assert store.read("countries", as_of=date(1990, 1, 1)).height == 1
    assert store.read("partners", as_of=date(1990, 1, 1)).height == 1


@pytest.mark.parametrize(
    ("dated", "counts_from"),
    [
        ({"closed_on": date(2021, 3, 1), "closed_precision": "day"}, date(2021, 3, 1)),
        ({"closed_on": date(2021, 2, 1), "closed_precision": "month"}, date(2021, 2, 28)),
        (
            {"closed_on": date(2021, 2, 1), "closed_precision": "year", "source_on": date(2020, 1, 1)},
            date(2021, 12, 31),
        ),
        ({"closed_precision": "none", "source_on": date(2022, 6, 30)}, date(2022, 6, 30)),
        ({}, TODAY),
    ],
)
def test_a_deal_and_its_footprint_count_from_the_last_day_their_date_can_mean(store, dated, counts_from):
    append(store, "deals", {**DEAL, **dated})
    proof = {
        "partner_id": "q",
        "country": "VN",
        "evidence": "deal",
        "deal_id": "d",
        "source": "s",
        "on": date(2000, 1, 1),
    }
    append(store, "footprint", proof)
    for table in ("deals", "footprint"):
        assert store.read(table)["counts_from"].to_list() == [counts_from]
        assert store.read(table, as_of=counts_from).height == 1
        assert store.read(table, as_of=counts_from - timedelta(days=1)).is_empty()
    assert store.read("deals")["closed_on"].to_list() == [dated.get("closed_on")]


def test_a_corrected_deal_date_holds_for_every_day(store):
    append(store, "deals", {**DEAL, "closed_on": date(2019, 1, 1)})
    append(store, "deals", {**DEAL, "closed_on": date(2021, 1, 1)})
    assert store.read("deals", as_of=date(2020, 1, 1)).is_empty()
    assert store.read("deals", as_of=date(2021, 1, 1))["closed_on"].to_list() == [date(2021, 1, 1)]


def test_known_at_serves_what_was_known_then(store):
    first = append(store, "projects", PROJECT)
    second = append(store, "projects", {**PROJECT, "status": "operating"})
    assert second.id > first.id
    assert second.recorded_at > first.recorded_at
    assert store.read("projects", known_at=first.recorded_at)["status"].to_list() == ["calling"]
    assert store.read("projects", known_at=second.recorded_at)["status"].to_list() == ["operating"]
    assert store.read("projects", known_at=first.recorded_at - timedelta(microseconds=1)).is_empty()
    with pytest.raises(InputError, match="no time zone"):
        store.read("projects", known_at=datetime(2026, 1, 1))  # noqa: DTZ001 - refused for that reason


def test_only_changed_rows_are_written_and_everything_is_on_record(store):
    append(store, "projects", PROJECT, {**PROJECT, "project_id": "r"})
    batch = append(store, "projects", PROJECT, {**PROJECT, "project_id": "r", "notes": ""})
    assert batch.n_rows == 1
    assert store.read("projects")["notes"].to_list() == [None, ""]
    assert [b.id for b in store.batches(table="projects")] == [batch.id, batch.id - 1]
    newest = store.audit_log(limit=1)[0]
    assert (newest.actor, newest.action) == ("tester", "append")
    assert newest.details == {"table": "projects", "batch": batch.id, "source": "test", "rows": 2, "changed": 1}
    assert append(store, "projects", PROJECT, {**PROJECT, "project_id": "r"}).n_rows == 1, "back to the first content"


def test_a_repeated_request_returns_its_first_batch(store):
    batch = append(store, "projects", PROJECT, key="request-1")
    append(store, "projects", {**PROJECT, "status": "operating"}, key="request-2")
    assert append(store, "projects", PROJECT, key="request-1") == batch
    assert store.read("projects")["status"].to_list() == ["operating"]
    with pytest.raises(ConflictError, match="request-1"):
        append(store, "projects", {**PROJECT, "status": "past"}, key="request-1")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([PROJECT, PROJECT], "more than once"),
        ([PROJECT, {**PROJECT, "project_id": None}], "column project_id"),
        ([PROJECT, {**PROJECT, "project_id": "r", "status": "dreaming"}], "dreaming"),
        ([PROJECT, {**PROJECT, "project_id": "r", "notes": "a\0b"}], "refuses a value"),
        ([PROJECT, {**PROJECT, "project_id": "r", "area_ha": float("nan")}], "NaN"),
        ([PROJECT, {**PROJECT, "project_id": "r", "isic": ["A", None]}], "empty element"),
    ],
)
def test_a_bad_row_refuses_the_whole_batch(store, rows, said):
    append(store, "projects", {**PROJECT, "status": "proposed"})
    before = store.read("projects"), store.revision(), store.audit_log()
    with pytest.raises(InputError, match=said):
        append(store, "projects", *rows)
    after = store.read("projects"), store.revision(), store.audit_log()
    assert_frame_equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert append(store, "projects", PROJECT).n_rows == 1


def test_a_frame_with_other_columns_is_refused_naming_them(store):
    good = frame("terms", {"term": "a", "lang": "en", "isic": ["A"]})
    with pytest.raises(InputError, match="unknown: colour"):
        store.append("terms", good.with_columns(colour=pl.lit("red")), source="s", actor="a")
    with pytest.raises(InputError, match="missing: isic"):
        store.append("terms", good.drop("isic"), source="s", actor="a")
    with pytest.raises(InputError, match="source_on is String"):
        store.append("terms", good.with_columns(source_on=pl.lit("2020")), source="s", actor="a")
    with pytest.raises(InputError, match="no table 'colours'"):
        store.read("colours")


def test_concurrent_writers_both_succeed_in_full(url):
    def write(writer, failures):
        try:
            with Store.open(url) as store:
                for turn in range(5):
                    append(
                        store,
                        "projects",
                        *({**PROJECT, "project_id": f"{i}", "notes": f"{writer}-{turn}"} for i in range(50)),
                    )
        except MatcherError as error:
            failures.append(error)

    failures = []
    writers = [threading.Thread(target=write, args=(w, failures)) for w in range(3)]
    for thread in writers:
        thread.start()
    with Store.open(url) as store:
        while any(thread.is_alive() for thread in writers):
            assert store.read("projects")["notes"].n_unique() <= 1, "a reader saw half a batch"
        for thread in writers:
            thread.join()
        assert [f for f in failures if not isinstance(f, ConflictError)] == []
        assert len(store.batches()) >= 15 - 5 * len(failures)
        assert store.read("projects")["notes"].n_unique() == 1


def test_a_writer_that_waits_too_long_is_told_so(url, monkeypatch):
    monkeypatch.setattr("matcher.store.store.LOCK_SECONDS", 1)
    with Store.open(url) as store, psycopg.connect(url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [0x6D61_7472])
        with pytest.raises(ConflictError, match="try again"):
            append(store, "projects", PROJECT)
        other.rollback()
        assert append(store, "projects", PROJECT).n_rows == 1


WRITER = """
import sys
import polars as pl
from matcher.records import TABLES
from matcher.store import Store
columns = dict(TABLES["terms"].columns)
store = Store.open(sys.argv[1])
for turn in range(10_000):
    rows = pl.DataFrame({"term": [f"{sys.argv[2]}-{turn}-{i}" for i in range(500)], "lang": "en"})
    rows = rows.with_columns(isic=pl.lit(["A"]))
    frame = rows.with_columns(pl.lit(None, dtype=d).alias(c) for c, d in columns.items() if c not in rows.columns)
    print(store.append("terms", frame.select(*columns), source="s", actor="a").id, flush=True)
"""


def killed_writers(url, kills, rng):
    """After each kill every acknowledged batch is there, and every batch that is there is whole."""
    acknowledged = set()
    for run in range(kills):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, url, f"{run}"], stdout=subprocess.PIPE, text=True
        ) as writer:
            first = writer.stdout.readline()
            time.sleep(rng.uniform(0, 0.3))
            writer.send_signal(signal.SIGKILL)
            said = (first + writer.stdout.read()).split("\n")[:-1]
        acknowledged |= set(map(int, said))
        with Store.open(url) as store:
            known = {b.id: b.n_rows for b in store.batches(limit=10_000)}
            assert acknowledged <= set(known)
            append(store, "terms", {"term": f"after {run}", "lang": "en", "isic": []})
    with psycopg.connect(url) as connection:
        written = dict(connection.execute("SELECT batch_id, count(*) FROM terms GROUP BY 1").fetchall())
        promised = dict(connection.execute("SELECT id, n_rows FROM batch").fetchall())
        assert written == promised
    assert acknowledged


def test_a_killed_writer_leaves_no_half_batch(url):
    killed_writers(url, 3, np.random.default_rng(1))


@pytest.mark.torture
def test_thirty_killed_writers_leave_no_half_batch(url):
    killed_writers(url, 30, np.random.default_rng(2))


def test_vectors_come_back_bit_by_bit(store):
    rng = np.random.default_rng(3)
    vectors = {f"{i}": v for i, v in enumerate(rng.normal(size=(100, 384)).astype(np.float32))}
    store.put_vectors("e", vectors)
    store.put_vectors("e", {"0": np.zeros(384, np.float32)})
    store.put_vectors("other", {"1": np.ones(3, np.float32)})
    found = store.get_vectors("e", [*vectors, "absent"])
    assert found.keys() == vectors.keys()
    assert all(np.array_equal(found[k], vectors[k]) and found[k].dtype == np.float32 for k in vectors)
    assert store.get_vectors("nobody", ["1"]) == {}


def test_engines_are_registered_once(store):
    store.register_engine("e1", {"seed": 1, "features": ["a"]}, actor="tester")
    store.register_engine("e1", {"seed": 1, "features": ["a"]}, actor="tester")
    with pytest.raises(ConflictError, match="e1"):
        store.register_engine("e1", {"seed": 2}, actor="tester")
    assert [(e.engine_id, e.manifest) for e in store.engines()] == [("e1", {"seed": 1, "features": ["a"]})]
    assert [a.action for a in store.audit_log()] == ["engine"]


def test_search_ignores_diacritics_and_case(store):
    append(
        store, "projects",
        {**PROJECT, "project_id": "metro", "name_vi": "Tuyến đường sắt đô thị số 2"},
        {**PROJECT, "project_id": "port", "name_vi": "Cảng trung chuyển Cần Giờ", "name_en": "Can Gio 100% port_x"},
    )  # fmt: skip
    assert store.search("projects", "DUONG sat") == ["metro"]
    assert store.search("projects", "cần giờ cảng") == ["port"]
    assert store.search("projects", "100% port_x") == ["port"]
    assert store.search("projects", "%") == ["port"]
    assert store.search("projects", " ") == []
    with pytest.raises(InputError, match="projects, partners"):
        store.search("deals", "x")


def test_a_store_survives_that_its_connection_is_cut(url, server):
    with Store.open(url) as store:
        append(store, "projects", PROJECT)
        with psycopg.connect(url) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        with pytest.raises(SourceError, match="does not answer"):
            store.revision()
        assert store.revision() == 1


def test_an_unmigrated_database_says_what_to_run(server):
    name = f"matcher_bare_{os.getpid()}"
    create_database(server.admin_url, name, owner=server.owner)
    with Store.open(database_url(server.url, name)) as store, pytest.raises(SourceError, match="matcher init"):
        store.read("projects")
    drop_database(server.admin_url, name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"password": "wrong-secret"}, "does not answer"),
        ({"dbname": "no_such_database"}, "does not answer"),
        ({"host": "127.0.0.1", "port": 1}, "does not answer"),
    ],
)
def test_an_unreachable_database_is_reported_without_its_password(server, change, said):
    wrong = psycopg.conninfo.make_conninfo(server.url, **change)
    with pytest.raises(SourceError, match=said) as caught:
        Store.open(wrong)
    assert psycopg.conninfo.conninfo_to_dict(wrong)["password"] not in str(caught.value)


def test_a_url_that_is_none_is_refused_without_printing_it():
    with pytest.raises(InputError, match="cannot be read") as caught:
        Store.open("postgresql://user:hush@host:port:1/x y=z")
    assert "hush" not in str(caught.value)


def test_an_old_server_is_refused(url, monkeypatch):
    monkeypatch.setattr("matcher.store.migrate.MINIMUM_SERVER", 990000)
    with pytest.raises(SourceError, match=r"is PostgreSQL \d+; version 16 or later"):
        Store.open(url)


def test_a_server_without_a_recent_pgvector_is_refused(url, monkeypatch):
    monkeypatch.setattr("matcher.store.migrate.MINIMUM_VECTOR", (99, 0))
    with pytest.raises(SourceError, match=r"pgvector \d.*0\.8 or later"):
        Store.open(url)


def test_the_tables_read_with_counts_from_are_the_documented_ones(store):
    assert (
        {t for t in TABLES if "counts_from" in store.read(t).columns} == set(schema.COUNTED) == {"deals", "footprint"}
    )
