"""What the analyst's pages count in the database: lists, places, judged pairs, and what came since a fit."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import polars as pl
import psycopg
import pytest
from offices import JP, KR, PORT, Offices

from matcher.chance import Probability
from matcher.records import TABLES, Filters, Match, MatchList, Query
from matcher.store import Store, analysis, reminders
from matcher.store.desk import Desk
from matcher.store.feedback import JUDGMENTS, Shown

AS_OF = date(2026, 1, 10)
TO = Shown(channel="page", lang="vi", actor="u7", role="officer")
PROJECT = {"project_id": "p", "name_en": "Port", "status": "calling", "country": "VN", "source": "s"}


def shown(*partners: str, query: Query | None = None, offset: int = 0, chance: float | None = None) -> MatchList:
    """A list of partners in order; with `chance` every one has that probability."""
    told = None if chance is None else Probability(value=chance, low=0.0, high=1.0, outcome="deal", horizon_days=730)
    matches = tuple(
        Match(
            rank=offset + i + 1, project_id="p", project_name={}, partner_id=q, partner_name=q, partner_country=None,
            partner_kind="company", score=1 / (i + 1), probability=told,
            abstained={"vi": "x", "en": "x"} if told is None else None, evidence=(), engine="e1", as_of=AS_OF,
        )
        for i, q in enumerate(partners)
    )  # fmt: skip
    return MatchList(
        query=query or Query(project_id="p"), filters=Filters(), engine="e1", as_of=AS_OF, matches=matches,
        candidates=40, coverage={}, n=max(len(partners), 1), offset=offset, revision=4,
    )  # fmt: skip


@contextmanager
def cursor_of(store: Store) -> Iterator[psycopg.Cursor]:
    with store._cursor() as cursor:
        yield cursor


@pytest.fixture
def today(store: Store) -> date:
    with cursor_of(store) as cursor:
        return reminders.today(cursor)


def test_lists_are_counted_by_day_channel_role_language_and_engine(store: Store, today: date) -> None:
    for _ in range(2):
        store.log_exposure(shown("a", "b"), TO)
    store.log_exposure(shown("a"), Shown(channel="api", lang="en", actor="k1"))
    with cursor_of(store) as cursor:
        found = analysis.lists(cursor, since=today, until=today)
        assert analysis.lists(cursor, since=today + timedelta(days=1), until=today + timedelta(days=9)).is_empty()
    assert found.rows() == [(today, "api", None, "en", "e1", 1, 1), (today, "page", "officer", "vi", "e1", 2, 4)]


def test_only_the_first_ten_places_of_lists_where_partners_compete_count(store: Store, today: date) -> None:
    twelve = [f"q{i:02}" for i in range(12)]
    store.log_exposure(shown(*twelve), TO)
    store.log_exposure(shown("q00", offset=10), TO)
    store.log_exposure(shown("q11", query=Query(partner_id="q11")), TO)
    with cursor_of(store) as cursor:
        found = analysis.places(cursor, since=today, until=today)
        assert analysis.listed(cursor, since=today, until=today) == 2
        assert analysis.listed(cursor, since=today, until=today, engine="e2") == 0
        assert analysis.places(cursor, since=today, until=today, engine="e2").is_empty()
    assert dict(found.select("partner_id", "places").iter_rows()) == dict.fromkeys(twelve[:10], 1)


def test_probabilities_are_counted_in_classes_and_none_is_in_no_class(store: Store, today: date) -> None:
    for chance in (0.0, 0.004, 0.005, 0.3, 1.0, None):
        store.log_exposure(shown("a", chance=chance), TO)
    with cursor_of(store) as cursor:
        (row,) = analysis.places(cursor, since=today, until=today).rows(named=True)
    assert (row["places"], row["chances"]) == (6, 5)
    assert row["chance_sum"] == pytest.approx(1.309)
    assert [row[f"band_{i}"] for i in range(len(analysis.BANDS) + 1)] == [2, 1, 0, 0, 0, 0, 2]


def test_a_judged_pair_stands_where_it_was_shown_last(store: Store) -> None:
    rows = {name: frame(name, row) for name, row in (
        ("projects", PROJECT), ("partners", {"partner_id": "q", "name": "Q", "kind": "company", "source": "s"}),
    )}  # fmt: skip
    for name, made in rows.items():
        store.append(name, made, source="s", actor="t")
    judged = {"project_id": "p", "partner_id": "q", "grade": 0, "judged_by": "u1", "judged_on": AS_OF}
    store.add_judgments(pl.DataFrame([judged], schema=JUDGMENTS.columns), source="s", actor="t")
    with cursor_of(store) as cursor:
        assert analysis.judged_places(cursor).is_empty()
        for before in (shown("q", "a"), shown("a", "b", "q"), shown("q", query=Query(partner_id="q"))):
            store.log_exposure(before, TO)
        found = analysis.judged_places(cursor)
    assert found.select("project_id", "partner_id", "rank", "engine_id").rows() == [("p", "q", 3, "e1")]


def frame(table: str, *rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict(TABLES[table].columns))


def test_what_came_since_a_fit_is_new_changed_or_due(store: Store) -> None:
    later = {**PROJECT, "project_id": "later", "announced_on": date(2026, 3, 1), "announced_precision": "day"}
    store.append("projects", frame("projects", PROJECT, later), source="s", actor="t")
    since = datetime.now(UTC)  # noqa: TID251 - compared with the database's clock
    days = {"since": since, "as_of": date(2026, 2, 1), "today": date(2026, 4, 1)}

    def counted(**other: date) -> tuple[int, int, int]:
        with cursor_of(store) as cursor:
            found = analysis.changed(cursor, ["projects", "deals"], **{**days, **other})  # type: ignore[arg-type]
        assert found["table"].to_list() == ["projects", "deals"]
        assert found.row(1)[1:] == (0, 0, 0, None)
        return found.row(0)[1:4]

    assert counted() == (0, 0, 1)
    assert counted(today=date(2026, 2, 28)) == counted(as_of=date(2026, 3, 1)) == (0, 0, 0)
    changed = {**PROJECT, "status": "approved"}
    store.append("projects", frame("projects", changed, {**PROJECT, "project_id": "p2"}), source="s", actor="t")
    twice = store.append("projects", frame("projects", {**changed, "status": "preparing"}), source="s", actor="t")
    assert counted() == (1, 1, 1)  # a row that changed twice is one row
    store.undo(twice.id, actor="t")
    assert counted() == (1, 1, 1)
    new = store.append("projects", frame("projects", {**PROJECT, "project_id": "p3"}), source="s", actor="t")
    assert counted() == (2, 1, 1)
    store.undo(new.id, actor="t")
    assert counted() == (1, 1, 1)


def test_a_mission_counts_its_own_lists_and_an_analyst_those_of_all(offices: Offices) -> None:
    for login in ("tokyo.desk", "uae.desk", "city.office"):
        assert offices.get(login, f"/v1/projects/{PORT}/matches").status_code == 200
    desk = Desk.open(offices.url)
    names = {login: offices.get(login, "/v1/session").json()["account"] for login in ("tokyo.desk", "figures")}
    accounts = {login: int(name.removeprefix("u")) for login, name in names.items()}
    try:
        counts = {}
        for login, account in accounts.items():
            with desk.acting(account) as acting:
                day = reminders.today(acting.cursor)
                counts[login] = analysis.listed(acting.cursor, since=day, until=day)
                assert {JP, KR} <= set(analysis.places(acting.cursor, since=day, until=day)["partner_id"])
        assert counts == {"tokyo.desk": 1, "figures": 3}
    finally:
        desk.close()
