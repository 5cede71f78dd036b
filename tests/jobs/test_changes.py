"""What changed since a day: each office's own last list, ranks then and now, and why they differ."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from small_world import AS_OF, BagEncoder, facts, frame
from test_matchmaker import fill as fill_store

from matcher.errors import NotFoundError
from matcher.jobs import Site, changes, fitting, pairs
from matcher.jobs import matchmaker as module
from matcher.jobs.matchmaker import Matchmaker
from matcher.records import Query
from matcher.store.feedback import Shown

TOKYO = Query(mission_id="jp-tokyo")
NEXT = date(2126, 1, 1)  # the clock of the database is before it, whenever this runs


@pytest.fixture
def maker(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Matchmaker]:
    for where in (fitting, module):
        monkeypatch.setattr(where, "open_encoder", lambda site, store: BagEncoder())
    site = Site(data_dir=tmp_path, reference_dir=tmp_path, database_url=store_url, encoder="none", seed=1)
    with Matchmaker(site, today=lambda: AS_OF) as made:
        fill_store(made.store, facts())
        fitting.fit(site, made.store, as_of=AS_OF, actor="tests")
        yield made


def show(maker: Matchmaker, office: str | None, **more: object) -> int:
    role = "mission" if office else "officer"
    shown = Shown(channel="api", lang="en", actor="u7", role=role, mission_id=office)
    return maker.store.log_exposure(maker.match(TOKYO, **{"n": 10, **more}), shown)


def since(maker: Matchmaker, office: str | None, day: date = NEXT) -> changes.Changes:
    with maker.store.cursor() as cursor:
        return changes.since(cursor, maker, TOKYO, day, office=office)


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ("abc", "abc", []),
        ("abc", "bac", [("b", "risen", 2, 1), ("a", "fallen", 1, 2)]),
        ("abc", "dab", [("d", "new", None, 1), ("a", "fallen", 1, 2), ("b", "fallen", 2, 3), ("c", "gone", 3, None)]),
        ("ab", "abc", []),  # only two were asked for then
        ("", "ab", [("a", "new", None, 1), ("b", "new", None, 2)]),
    ],
)
def test_places_are_compared(then: str, now: str, expected: list[object]) -> None:
    rows = changes.compare([("p", q) for q in then], [("p", q) for q in now])
    assert [(r.partner_id, r.kind, r.then, r.now) for r in rows] == expected


def test_a_list_is_compared_with_the_last_one_of_the_office(maker: Matchmaker) -> None:
    assert since(maker, "jp-tokyo").then is None
    assert since(maker, "jp-tokyo").rows == ()
    first = show(maker, "jp-tokyo")
    same = since(maker, "jp-tokyo")
    assert same.then is not None
    assert same.then.exposure_id == first
    assert (same.why, same.rows) == ([], ())
    assert since(maker, None).then is None  # what the mission was shown is not what the city was shown
    assert since(maker, "jp-tokyo", date(2001, 1, 1)).then is None
    more = [{"partner_id": "jp-new", "name": "Novus", "country": "JP", "kind": "company", "isic": ["52"],
             "activities": ["ports"], "description": "container port terminals"}]  # fmt: skip
    maker.store.append("partners", frame("partners", more), source="tests", actor="tests")
    show(maker, None)
    found = since(maker, "jp-tokyo")
    assert found.why == ["facts"]
    assert "jp-new" in {r.partner_id for r in found.rows if r.kind == "new"}
    assert found.to_json()["then"]["exposure_id"] == first
    show(maker, "jp-tokyo", n=3)
    assert since(maker, "jp-tokyo").rows == ()


def test_it_says_that_engine_and_day_are_others(maker: Matchmaker) -> None:
    show(maker, None)
    fitting.fit(replace(maker._site, seed=2), maker.store, as_of=AS_OF, actor="tests")
    assert since(maker, None).why == ["engine"]
    maker._today = lambda: AS_OF + timedelta(days=1)
    assert since(maker, None).why == ["engine", "day"]


def test_without_a_list_shown_the_oldest_one_kept_stands(maker: Matchmaker) -> None:
    pairs.fill(maker, maker.opened())
    kept = since(maker, "jp-tokyo")
    assert kept.then is not None
    assert (kept.then.exposure_id, kept.rows) == (None, ())
    first = show(maker, "jp-tokyo")
    again = since(maker, "jp-tokyo")
    assert again.then is not None
    assert again.then.exposure_id == first


def test_an_unknown_mission_is_refused(maker: Matchmaker) -> None:
    with maker.store.cursor() as cursor, pytest.raises(NotFoundError):
        changes.since(cursor, maker, Query(mission_id="nowhere"), NEXT, office=None)
