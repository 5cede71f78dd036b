"""Exposures and judgments: what was shown is on record whole, only grows, and can be made again."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import psycopg
import pytest
from databases import create_database, database_url, drop_database
from polars.testing import assert_frame_equal
from small_world import AS_OF, BagEncoder, facts, frame
from starlette.testclient import TestClient

from api.app import create_app
from matcher.chance import Probability
from matcher.errors import InputError, MatcherError, NotFoundError, SourceError
from matcher.jobs import Site, fitting
from matcher.jobs import matchmaker as module
from matcher.jobs.exposure import Reproduction, filters_of, query_of, reproduce
from matcher.jobs.matchmaker import Matchmaker
from matcher.records import TABLES, Facts, Filters, Match, MatchList, Query
from matcher.store import Store, accounts, migrate
from matcher.store.desk import Desk
from matcher.store.embedded import ROLE
from matcher.store.feedback import JUDGMENTS, Shown

TO = Shown(channel="api", lang="vi", actor="key:7f", role="mission", mission_id="jp-tokyo")
DAY = date(2026, 1, 10)
COVERED = [{"mission_id": "jp-tokyo", "country": "TH"}]
MISSION = {"mission_id": "jp-tokyo", "name_vi": "T", "name_en": "T", "type": "embassy", "country": "JP"}


def made(*pairs: tuple[str, str], **more) -> MatchList:
    """A list as an engine would give it; the first match has a probability."""
    chance = Probability(value=0.25, low=0.1, high=0.4, outcome="deal", horizon_days=730)
    offset = more.get("offset", 0)
    matches = tuple(
        Match(
            rank=offset + i + 1, project_id=p, project_name={}, partner_id=q, partner_name=q, partner_country=None,
            partner_kind="company", score=1 / (i + 3), probability=None if i else chance,
            abstained={"vi": "x", "en": "x"} if i else None, evidence=(), engine="e1", as_of=AS_OF,
        )
        for i, (p, q) in enumerate(pairs)
    )  # fmt: skip
    given = {"query": Query(project_id="p-port"), "n": 10, "revision": 4, **more}
    return MatchList(
        filters=given.pop("filters", Filters()), engine="e1", as_of=AS_OF, matches=matches, candidates=12, coverage={},
        **given,
    )  # fmt: skip


def counts(url: str) -> tuple[int, ...]:
    with psycopg.connect(url) as connection:
        tables = ("exposure", "exposure_item", "judgment", "audit")
        return tuple(connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables)


# Exposures.


def test_a_list_is_on_record_as_it_was_shown(store: Store) -> None:
    before = datetime.now(UTC)  # noqa: TID251 - compared with the database's clock
    found = made(("p", "b"), ("p", "a"), filters=Filters(country=("JP", "KR"), green=False), offset=20)
    identity = store.log_exposure(found, TO)
    record = store.read_exposures()
    row = record.lists.row(0, named=True)
    assert before - timedelta(seconds=5) <= row.pop("shown_at") <= datetime.now(UTC) + timedelta(seconds=5)  # noqa: TID251
    assert json.loads(row.pop("query")) == {"project": "p-port"}
    assert json.loads(row.pop("filters")) == {"country": ["JP", "KR"], "green": False}
    assert row == {
        "exposure_id": identity, "engine_id": "e1", "as_of": AS_OF, "revision": 4, "n": 10, "offset": 20, "n_items": 2,
        "candidates": 12, "channel": "api", "lang": "vi", "actor": "key:7f", "role": "mission",
        "mission_id": "jp-tokyo",
    }  # fmt: skip
    assert record.items.rows() == [
        (identity, 21, "p", "b", 1 / 3, 0.25, None),
        (identity, 22, "p", "a", 0.25, None, None),
    ]


def test_an_empty_list_was_shown_too(store: Store) -> None:
    identity = store.log_exposure(made(), TO)
    assert store.read_exposures().lists.select("exposure_id", "n_items").rows() == [(identity, 0)]
    assert store.read_exposures().items.is_empty()


def test_lists_are_found_by_time_engine_and_identifier(store: Store) -> None:
    first, second, third = (store.log_exposure(replace(made(("p", e)), engine=e), TO) for e in ("e1", "e2", "e1"))
    at = dict(store.read_exposures().lists.select("exposure_id", "shown_at").iter_rows())

    def ids(**asked) -> list[int]:
        record = store.read_exposures(**asked)
        assert record.items["exposure_id"].to_list() == record.lists["exposure_id"].to_list()
        return record.lists["exposure_id"].to_list()

    assert ids() == [first, second, third]
    assert ids(since=at[second]) == [second, third]
    assert ids(until=at[second]) == [first]
    assert ids(since=at[first], until=at[third], engine="e1") == [first]
    assert ids(ids=[third, 10**12]) == [third]
    assert ids(ids=[]) == ids(engine="e3") == []
    with pytest.raises(InputError, match=r"since .* no time zone"):
        store.read_exposures(since=datetime(2026, 1, 1))  # noqa: DTZ001 - refused for that reason


@pytest.mark.parametrize(
    ("found", "shown", "said"),
    [
        (made(("p", "a")), replace(TO, channel="fax"), "channel.*fax.*api, page"),
        (made(("p", "a")), replace(TO, lang="fr"), "lang.*fr"),
        (made(("p", "a")), replace(TO, role="king"), "role.*king"),
        (made(("p", "a")), replace(TO, actor="Nguyễn Văn A"), "actor.*never a person's name"),
        (made(("p", "a")), replace(TO, actor="a@example.org"), "actor.*pseudonym"),
        (made(("p", "a")), replace(TO, actor=""), "actor"),
        (made(("p", "a"), revision=None), TO, "not made from a store"),
        (made(("p", "a"), ("p", "a")), TO, "stands twice"),
        (made(("p", "a"), n=0), TO, "refuses a value"),
        (replace(made(("p", "a")), offset=3), TO, "ranks"),
        (made(("p", "a\0b")), TO, "refuses a value"),
        (made(("p", "a"), query=Query(text="a\0b")), TO, "refuses a value"),
    ],
)
def test_what_cannot_be_logged_leaves_nothing(store: Store, store_url: str, found, shown, said) -> None:
    with pytest.raises(InputError, match=said):
        store.log_exposure(found, shown)
    assert counts(store_url) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "query",
    [
        Query(project_id="p"), Query(partner_id="q"), Query(text='Cảng "x" \\ 港'),
        Query(mission_id="m", countries=("JP", "VN")),
        Query(draft_project={"name_vi": "Cảng", "isic": ["52"], "announced_on": DAY, "value_min": Decimal("12.50"),
                             "green": True, "value_usd_min": 1e8}),
        Query(draft_partner={"name": "2026-01-10", "kind": "bank", "source_on": None}),
    ],
)  # fmt: skip
def test_a_question_is_read_back_as_it_was_asked(store: Store, query: Query) -> None:
    filters = Filters(sector=("52", "J"), kind=("bank",), green=True, ticket_usd=4e8)
    store.log_exposure(made(query=query, filters=filters), TO)
    row = store.read_exposures().lists.row(0, named=True)
    assert query_of(json.loads(row["query"])) == query
    assert filters_of(json.loads(row["filters"])) == filters


def test_a_filter_that_is_not_known_any_more_is_named() -> None:
    with pytest.raises(InputError, match="colour"):
        filters_of({"colour": ["red"]})


@pytest.mark.parametrize("table", ["exposure", "exposure_item", "judgment"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "TRUNCATE {} CASCADE", "UPDATE {} SET project_id = 'x'"])
def test_feedback_only_grows(store: Store, store_url: str, table: str, change: str) -> None:
    store.log_exposure(made(("p", "a")), TO)
    change = change.replace("project_id", "actor") if table == "exposure" else change
    with psycopg.connect(store_url) as connection, pytest.raises(psycopg.errors.RestrictViolation, match="only grows"):
        connection.execute(change.format(table))


@pytest.mark.parametrize(
    "propensity",
    ["0", "1.5", "-0.1", "'NaN'"],
)
def test_a_propensity_is_a_chance(store: Store, store_url: str, propensity: str) -> None:
    identity = store.log_exposure(made(), TO)
    row = f"INSERT INTO exposure_item VALUES ({identity}, 1, 'p', 'q', 1.0, NULL, {propensity})"
    with psycopg.connect(store_url) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(row)


# Lists made again, in the small world.


def fill(store: Store, known: Facts) -> None:
    told = {name: getattr(known.reference, name) for name in type(known.reference).__dataclass_fields__}
    told |= {name: getattr(known, name) for name in ("projects", "partners", "deals", "footprint")}
    told |= {"missions": frame("missions", [MISSION]), "accreditation": frame("accreditation", COVERED)}
    for name in TABLES:
        if name in told:
            store.append(name, told[name].select(list(TABLES[name].columns)), source="tests", actor="tests")


@pytest.fixture
def small(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Matchmaker]:
    """The small world in a database of its own, fitted and served."""
    monkeypatch.setattr(fitting, "open_encoder", lambda site, store: BagEncoder())
    monkeypatch.setattr(module, "open_encoder", lambda site, store: BagEncoder())
    site = Site(data_dir=tmp_path, reference_dir=tmp_path, database_url=store_url, encoder="none", seed=1)
    with Matchmaker(site, today=lambda: AS_OF) as opened:
        fill(opened.store, facts())
        fitting.fit(site, opened.store, as_of=AS_OF, actor="tests")
        yield opened


def test_the_api_makes_again_what_it_has_shown(small: Matchmaker, store_url: str) -> None:
    with psycopg.connect(store_url) as connection, connection.cursor() as cursor:
        accounts.add(cursor, "keeper", "admin")
        key, _ = accounts.add_key(cursor, "keeper", label="tests", scopes=("read",), days=1)
    desk = Desk.open(store_url)
    app = create_app(lambda: small, desk=lambda: closing(desk), hosts=("testserver",), secret="s" * 40)
    with TestClient(app, headers={"Authorization": f"Bearer {key}"}) as client:
        listed = client.get("/v1/projects", params={"n": 1}).json()["projects"][0]["id"]
        answers = [
            client.get(f"/v1/projects/{listed}/matches", params={"n": 3}),
            client.post("/v1/match", json={"text": "a deep sea port", "n": 3, "filters": {"kind": ["company"]}}),
        ]
        for answer in answers:
            assert answer.status_code == 200, answer.text
            number = answer.headers["x-exposure-id"]
            told = client.get(f"/v1/exposures/{number}", params={"reproduce": "true"}).json()
            assert [i["partner_id"] for i in told["items"]] == [m["partner"]["id"] for m in answer.json()["matches"]]
            again = told["reproduction"]
            assert (again["identical"], again["places"], again["probability_changed"]) == (True, [], 0)
            assert again["score_difference"] in (0.0, None)


def again_after_restart(small: Matchmaker, identity: int) -> Reproduction:
    """The list made again by a process that has nothing in memory."""
    with Matchmaker(small._site, today=lambda: AS_OF) as fresh:
        return reproduce(identity, fresh)


def more_facts(store: Store) -> None:
    """What changes every list: a partner of every sector, another country of a mission, a project that closed."""
    store.append(
        "partners",
        frame("partners", [{"partner_id": "jp-all", "name": "Container port chips wind hospital", "country": "JP",
                            "kind": "company", "isic": ["52", "26", "35", "86"], "activities": ["ports", "chips"]}]),
        source="tests", actor="tests",
    )  # fmt: skip
    store.append("accreditation", frame("accreditation", [{"mission_id": "jp-tokyo", "country": "KR"}]),
                 source="tests", actor="tests")  # fmt: skip
    closed = store.read("projects").filter(pl.col("project_id") == "p-fab").with_columns(status=pl.lit("cancelled"))
    store.append("projects", closed, source="tests", actor="tests")


QUESTIONS = {
    "project": (Query(project_id="p-port"), Filters()),
    "partner": (Query(partner_id="kr-chips"), Filters()),
    "mission": (Query(mission_id="jp-tokyo"), Filters()),
    "country": (Query(countries=("JP", "KR")), Filters(kind=("company",))),
    "text": (Query(text="container terminal"), Filters(country=("JP", "FR"))),
    "draft project": (Query(draft_project={"name_vi": "Bệnh viện", "isic": ["86"], "announced_on": DAY}), Filters()),
    "draft partner": (Query(draft_partner={"name": "Xưởng điện", "kind": "company", "country": "JP"}), Filters()),
}


@pytest.mark.parametrize("kind", QUESTIONS)
def test_a_list_is_made_again_though_facts_and_engine_changed_since(small: Matchmaker, kind: str) -> None:
    query, filters = QUESTIONS[kind]
    identity = small.store.log_exposure(small.match(query, n=6, filters=filters), TO)
    site = small._site
    more_facts(small.store)
    fitting.fit(replace(site, seed=2), small.store, as_of=AS_OF, actor="tests")
    now = small.match(query, n=6, filters=filters)
    shown = small.store.read_exposures(ids=[identity])
    changed = [(m.rank, m.project_id, m.partner_id, m.score) for m in now.matches] != shown.items.select(
        "rank", "project_id", "partner_id", "score"
    ).rows()
    assert changed or kind == "text", "the facts that came in since change today's list"
    again = again_after_restart(small, identity)
    assert again.identical
    assert again.score_difference == 0.0
    assert again.probability_changed == 0
    assert reproduce(identity, small) == again
    assert again.rows == shown.items.height > 0
    assert small.match(query, n=6, filters=filters) == now, "today's list is not touched"


def test_a_later_page_of_an_earlier_day_is_made_again(small: Matchmaker) -> None:
    early = date(2025, 1, 10)
    first = small.match(Query(project_id="p-port"), n=3, as_of=early)
    second = small.match(Query(project_id="p-port"), n=3, as_of=early, cursor=first.next)
    assert [m.rank for m in second.matches] == [4, 5, 6]
    today = small.match(Query(project_id="p-port"), n=6)
    assert [m.score for m in today.matches] != [m.score for m in (*first.matches, *second.matches)]
    logged = [small.store.log_exposure(page, TO) for page in (first, second)]
    more_facts(small.store)
    for identity in logged:
        again = again_after_restart(small, identity)
        assert again.identical
        assert (again.as_of, again.rows, again.score_difference) == (early, 3, 0.0)


def test_a_list_that_comes_out_otherwise_is_reported(small: Matchmaker) -> None:
    found = small.match(Query(project_id="p-port"), n=4)
    a, b, c, d = found.matches
    forged = (replace(b, rank=1), replace(a, rank=2, score=a.score + 0.5), c, replace(d, partner_id="gone"))
    identity = small.store.log_exposure(replace(found, matches=forged), TO)
    again = reproduce(identity, small)
    assert not again.identical
    assert [(p.rank, p.shown, p.now) for p in again.places] == [
        (1, ("p-port", b.partner_id), ("p-port", a.partner_id)),
        (2, ("p-port", a.partner_id), ("p-port", b.partner_id)),
        (4, ("p-port", "gone"), ("p-port", d.partner_id)),
    ]
    assert again.score_difference == pytest.approx(0.5)
    told = json.loads(json.dumps(again.to_json()))
    assert told["identical"] is False
    assert told["places"][2]["shown"] == {"project_id": "p-port", "partner_id": "gone"}
    short = reproduce(small.store.log_exposure(replace(found, matches=(a, b)), TO), small)
    assert [(p.rank, p.shown) for p in short.places] == [(3, None), (4, None)]
    whole = small.match(Query(project_id="p-port"), n=100).matches
    longer = (*whole, replace(whole[-1], rank=len(whole) + 1, partner_id="gone"))
    ended = reproduce(small.store.log_exposure(replace(found, matches=longer, n=100), TO), small)
    assert [(p.rank, p.shown, p.now) for p in ended.places] == [(len(longer), ("p-port", "gone"), None)]


def test_what_cannot_be_made_again_says_why(small: Matchmaker) -> None:
    with pytest.raises(NotFoundError, match="exposure 77"):
        reproduce(77, small)
    found = small.match(Query(project_id="p-port"), n=4)
    for engine in ("gone", "../..", "", "."):
        identity = small.store.log_exposure(replace(found, engine=engine), TO)
        with pytest.raises(SourceError, match="any more"):
            reproduce(identity, small)


def test_a_catalogue_holds_no_fact_that_came_after_its_revision(small: Matchmaker, store_url: str) -> None:
    revision = small.store.revision()
    before = {name: small.store.read(name, as_of=AS_OF) for name in TABLES}
    more_facts(small.store)
    for name, known in before.items():
        assert_frame_equal(small.store.read(name, as_of=AS_OF, revision=revision), known)
    assert small.store.read("partners").height == before["partners"].height + 1
    # Though the clock was set back meanwhile: a batch counts by its number.
    with psycopg.connect(store_url) as connection:
        connection.execute("ALTER TABLE partners DISABLE TRIGGER only_grows")
        connection.execute("UPDATE partners SET recorded_at = '2000-01-01' WHERE partner_id = 'jp-all'")
        connection.execute("ALTER TABLE partners ENABLE TRIGGER only_grows")
    assert_frame_equal(small.store.read("partners", as_of=AS_OF, revision=revision), before["partners"])


# The whole product, with all its data. Its site is shared, and an exposure is not a fact.


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        (Query(project_id="HCMC-034"), Filters()),
        (Query(mission_id="jp-tokyo-embassy"), Filters(kind=("company",))),
        (Query(text="nhà máy điện gió ngoài khơi"), Filters(country=("JP", "DK"))),
    ],
)
def test_a_list_of_the_real_engine_is_made_again(matchmaker: Matchmaker, query: Query, filters: Filters) -> None:
    found = matchmaker.match(query, n=25, filters=filters)
    assert found.matches
    identity = matchmaker.store.log_exposure(found, TO)
    again = reproduce(identity, matchmaker)
    assert (again.identical, again.rows, again.score_difference) == (True, len(found.matches), 0.0)


# Judgments.


@pytest.fixture
def judged(store: Store) -> Store:
    """A store with the small world's projects, partners and one mission."""
    for name in ("projects", "partners"):
        store.append(name, getattr(facts(), name).select(list(TABLES[name].columns)), source="t", actor="t")
    store.append("missions", frame("missions", [MISSION]), source="t", actor="t")
    return store


def judgment(**cells) -> dict:
    return {"project_id": "p-port", "partner_id": "jp-port", "grade": 2, "judged_by": "o1", "judged_on": DAY, **cells}


def say(store: Store, *rows: dict) -> int:
    full = [{c: row.get(c) for c in JUDGMENTS.columns} for row in rows]
    return store.add_judgments(pl.DataFrame(full, schema=dict(JUDGMENTS.columns)), source="tests", actor="tests")


def grades(store: Store, **asked) -> list[tuple]:
    return store.read_judgments(**asked).select("partner_id", "judged_by", "grade").rows()


def test_the_latest_judgment_of_a_judge_counts_and_the_others_stay(judged: Store) -> None:
    assert say(judged, judgment(), judgment(judged_by="o2", grade=0), judgment(partner_id="jp-bank", grade=1)) == 3
    assert say(judged, judgment(judged_on=DAY + timedelta(days=3), grade=3, reason="gặp rồi")) == 1
    assert grades(judged) == [("jp-bank", "o1", 1), ("jp-port", "o1", 3), ("jp-port", "o2", 0)]
    assert say(judged, judgment(judged_on=DAY - timedelta(days=3), grade=1)) == 1, "learned late, superseded at once"
    assert grades(judged)[1] == ("jp-port", "o1", 3)
    assert grades(judged, as_of=DAY)[1] == ("jp-port", "o1", 2)
    assert grades(judged, as_of=DAY - timedelta(days=1)) == [("jp-port", "o1", 1)]
    assert judged.read_judgments(history=True).filter(judged_by="o1", partner_id="jp-port")["grade"].to_list() == [
        1,
        2,
        3,
    ]


def test_a_correction_on_the_same_day_supersedes_and_a_repetition_adds_nothing(judged: Store, store_url: str) -> None:
    for grade, added in ((2, 1), (2, 0), (1, 1), (2, 1), (2, 0)):
        assert say(judged, judgment(grade=grade)) == added
        assert grades(judged) == [("jp-port", "o1", grade)]
    assert say(judged, judgment(reason="x")) == 1
    assert say(judged, judgment(reason="x", mission_id="jp-tokyo")) == 1
    assert judged.read_judgments(history=True).height == 5
    assert [e.details["new"] for e in judged.audit_log() if e.action == "judgments"] == [1] * 5
    row = judged.read_judgments().row(0, named=True)
    assert (row["actor"], row["reason"], row["mission_id"]) == ("tests", "x", "jp-tokyo")


def test_a_judgment_of_a_list_names_a_list_that_showed_the_pair(judged: Store) -> None:
    identity = judged.log_exposure(made(("p-port", "jp-port")), TO)
    assert say(judged, judgment(exposure_id=identity)) == 1
    for wrong in (judgment(exposure_id=identity, partner_id="jp-bank"), judgment(exposure_id=identity + 1)):
        with pytest.raises(InputError, match=r"exposure_id: list \d+ did not show"):
            say(judged, wrong)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"grade": 4}, "4 is not one of 0, 1, 2, 3"),
        ({"grade": -1}, "-1 is not one of"),
        ({"grade": None}, "column grade: 1 rows have no value"),
        ({"judged_by": "Trần B"}, "judged_by.*never a person's name"),
        ({"judged_by": None}, "judged_by"),
        ({"project_id": "p-prot"}, 'project_id: "p-prot" is not in projects'),
        ({"partner_id": "x"}, 'partner_id: "x" is not in partners'),
        ({"mission_id": "x"}, 'mission_id: "x" is not in missions'),
        ({"judged_on": date(2999, 1, 1)}, "refuses a value"),
        ({"reason": "a\0b"}, "refuses a value"),
        ({"partner_id": "jp-port"}, "more than once"),
    ],
)
def test_one_wrong_judgment_refuses_all(judged: Store, store_url: str, cells: dict, said: str) -> None:
    before = counts(store_url)
    with pytest.raises(InputError, match=said):
        say(judged, judgment(), judgment(**{"partner_id": "kr-chips", **cells}), judgment(partner_id="jp-bank"))
    assert counts(store_url) == before
    assert judged.read_judgments(history=True).is_empty()


# From the first schema to this one, and back.


def test_a_database_of_the_first_schema_is_brought_forward_and_back_without_losing_facts(embedded_server) -> None:
    create_database(embedded_server.admin_url, "first_schema", owner=ROLE, template="migrated")
    url = database_url(embedded_server.url, "first_schema")
    tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S', 'i')"

    def names() -> set[str]:
        with psycopg.connect(url) as connection:
            return {name for (name,) in connection.execute(tables)}

    whole = names()
    with Store.open(url) as store:
        projects = facts().projects.select(list(TABLES["projects"].columns))
        store.append("projects", projects, source="t", actor="t")
        migrate.to(url, "0001")
        first = names()
        assert whole - first >= {"exposure", "exposure_item", "judgment"}
        with pytest.raises(MatcherError, match="matcher init"):
            store.log_exposure(made(("p", "a")), TO)
        for _ in range(2):
            assert store.migrate()
            assert names() == whole
            assert_frame_equal(store.read("projects"), projects)
            store.log_exposure(made(("p", "a")), TO)
            migrate.to(url, "0001")
            assert names() == first
        assert store.migrate()
        assert not store.migrate()
        assert store.read_exposures().lists.is_empty()
    drop_database(embedded_server.admin_url, "first_schema")
