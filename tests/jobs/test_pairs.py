"""Lists that were made before are what the engine gives, byte for byte, on every page and in both languages."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from small_world import AS_OF, BagEncoder, facts, frame
from test_matchmaker import fill as fill_store

from matcher.errors import ConflictError, InputError
from matcher.jobs import Site, fitting, pairs, rereading, running
from matcher.jobs import matchmaker as module
from matcher.jobs.matchmaker import Matchmaker
from matcher.jobs.serving import LOOK_SECONDS, ServingMatchmaker
from matcher.records import Query
from matcher.store import Store, pairing


@pytest.fixture
def site(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    for where in (fitting, module, running):
        monkeypatch.setattr(where, "open_encoder", lambda site, store: BagEncoder())
    made = Site(data_dir=tmp_path, reference_dir=tmp_path, database_url=store_url, encoder="none", seed=1)
    with Store.open(store_url) as store:
        fill_store(store, facts())
        fitting.fit(made, store, as_of=AS_OF, actor="tests")
    return made


@pytest.fixture
def maker(site: Site) -> Iterator[Matchmaker]:
    """As the service has it: under its own account."""
    with Matchmaker(site, today=lambda: AS_OF, acting=1) as made:
        yield made


def asked(maker: Matchmaker) -> list[Query]:
    opened = maker.opened()
    found = pairs.views(maker.posts(opened.key.revision), opened.catalogue).values()
    return [Query(mission_id=q.mission_id) if q.mission_id else q for q in found]


def check_same(maker: Matchmaker, *, least: int = 1) -> None:
    table, opened, rows = pairs.Table(maker.store), maker.opened(), 0
    for query in asked(maker):
        for lang in ("vi", "en"):
            for n in (0, 1, 3, 50):
                cursor = None
                while True:
                    live = maker.match(query, n=n, cursor=cursor)
                    kept = table.page(opened, query, n=n, cursor=cursor, lang=lang)
                    assert kept is not None
                    assert kept.body == orjson.dumps(live.to_json(lang))
                    again = rereading.match_list(kept, lang)
                    assert orjson.dumps(again.to_json(lang)) == kept.body
                    assert (kept.query, kept.n, kept.offset, kept.candidates) == (
                        live.query, live.n, live.offset, live.candidates
                    )  # fmt: skip
                    assert (kept.engine, kept.as_of, kept.revision) == (live.engine, live.as_of, live.revision)
                    assert [*kept.items] == [
                        (m.rank, m.project_id, m.partner_id, m.score, m.probability and m.probability.value)
                        for m in live.matches
                    ]
                    rows += len(kept.items)
                    cursor = kept.next
                    if cursor is None or n == 0:
                        break
    assert rows >= least


def test_every_list_is_what_the_engine_gives(maker: Matchmaker) -> None:
    done = pairs.fill(maker, maker.opened())
    assert done.complete
    assert {q.mission_id for q in asked(maker)} >= {"fr-paris", "jp-tokyo", "us-sf"}
    assert {q.countries for q in asked(maker)} >= {("JP",), ("FR",)}
    check_same(maker, least=100)


def test_a_score_that_another_list_gave_in_other_digits_is_told_as_it_was(maker: Matchmaker) -> None:
    pairs.fill(maker, maker.opened())
    with maker.store.cursor() as cursor:  # as if every pair had been met first in a list that rounds otherwise
        for column in ("match_vi", "match_en"):
            other = f"regexp_replace({column}, '\"score\":[^,]+', '\"score\":123.0')"
            cursor.execute(f"UPDATE pair SET score = 123, {column} = {other}")
        cursor.execute("SELECT set_id FROM pair_set")
        number = cursor.fetchall()[0][0]
        cursor.execute("DELETE FROM pair_view")
        cursor.execute("UPDATE pair_set SET done_at = NULL")
        assert pairing.views(cursor, number) == set()
    assert pairs.fill(maker, maker.opened()).pairs == 0
    check_same(maker, least=100)


def test_a_killed_run_is_continued_and_counts_for_nothing_before(maker: Matchmaker) -> None:
    opened, calls = maker.opened(), iter([False, False, True])
    begun = pairs.fill(maker, opened, stop=lambda: next(calls))
    assert not begun.complete
    assert begun.views == 2
    japan = Query(countries=("JP",))
    assert pairs.Table(maker.store).page(opened, japan, n=3, cursor=None, lang="en") is None
    done = pairs.fill(maker, opened)
    assert done.complete
    assert done.set_id == begun.set_id
    assert pairs.fill(maker, opened, resume=False).pairs == 0  # what is complete stays
    check_same(maker)


def test_other_facts_engines_days_and_filters_are_answered_by_the_engine(maker: Matchmaker, site: Site) -> None:
    opened, japan = maker.opened(), Query(countries=("JP",))
    pairs.fill(maker, opened)
    table = pairs.Table(maker.store)
    kept = table.page(opened, japan, n=2, cursor=None, lang="en")
    assert kept is not None
    assert maker.match(japan, n=2, cursor=kept.next).offset == 2
    with pytest.raises(InputError):
        table.page(opened, japan, n=2, cursor="1.2.3", lang="en")
    assert pairs.name_of(replace(japan, sort="both")) is None
    assert pairs.name_of(Query(countries=("JP", "FR"))) is None
    assert pairs.name_of(Query(project_id="p-port")) is None
    with Store.open(str(site.database_url)) as owner:
        more = [{"partner_id": "jp-new", "name": "Novus", "country": "JP", "kind": "company", "isic": ["52"]}]
        owner.append("partners", frame("partners", more), source="tests", actor="tests")
    assert table.page(maker.opened(), japan, n=2, cursor=None, lang="en") is None
    assert table.page(maker.opened(AS_OF.replace(year=2025)), japan, n=2, cursor=None, lang="en") is None


def test_the_last_two_complete_sets_are_kept(maker: Matchmaker, site: Site) -> None:
    for seed in (1, 2, 3):
        with Store.open(str(site.database_url)) as owner:
            fitting.fit(replace(site, seed=seed), owner, as_of=AS_OF, actor="tests")
        assert pairs.fill(maker, maker.opened()).complete
    with maker.store.cursor() as cursor:
        found = pairing.sets(cursor)
        cursor.execute("SELECT count(DISTINCT set_id) FROM pair")
        assert cursor.fetchall() == [(2,)]
    assert len(found) == 2
    assert found[0].engine_id == maker.opened().catalogue.engine


def test_one_process_at_a_time(maker: Matchmaker, site: Site) -> None:
    with Store.open(str(site.database_url)) as other:
        with other.cursor() as cursor:
            assert pairing.lock(cursor)
        with pytest.raises(ConflictError, match="Another process"):
            pairs.fill(maker, maker.opened())
    assert pairs.fill(maker, maker.opened()).complete


def test_jobs_run_by_name(site: Site) -> None:
    steps: list[str] = []
    job = running.Asked(site=site, day=AS_OF, actor="tests", progress=lambda what, done, of: steps.append(what))
    assert running.run("embed", job)["partners"] > 5
    done = running.run("pairs", job)
    assert done["complete"]
    assert {"embed", "pairs"} <= set(steps)
    assert list(running.JOBS) == ["embed", "fit", "pairs", "tidy"]
    state = {j["job"]: j["state"] for j in running.listing(site)}
    assert state["pairs"].startswith("complete")


def test_the_service_makes_the_lists_by_itself_and_serves_them(site: Site) -> None:
    japan = Query(countries=("JP",))
    with ServingMatchmaker(site, today=lambda: AS_OF) as maker:
        live = maker.match(japan, n=3)
        for _ in range(600):
            kept = maker.kept(japan, n=3, cursor=None, lang="en")
            if kept is not None:
                break
            time.sleep(0.05)
        assert kept is not None
        assert kept.body == orjson.dumps(live.to_json("en"))
        assert maker.at_hand(japan, n=3, cursor=None, lang="en") is kept
        assert maker.at_hand(japan, n=2, cursor=None, lang="en") is None, "never sent before"
        assert maker.at_hand(japan, n=3, cursor=None, lang="vi") is None
        time.sleep(LOOK_SECONDS)
        assert maker.at_hand(japan, n=3, cursor=None, lang="en") is None, "it was not looked for newer facts"
        with Store.open(str(site.database_url)) as owner:
            more = [{"partner_id": "jp-new", "name": "Novus", "country": "JP", "kind": "company", "isic": ["52"]}]
            owner.append("partners", frame("partners", more), source="tests", actor="tests")
            newest = owner.revision()
        for _ in range(600):
            kept = maker.kept(japan, n=3, cursor=None, lang="en")
            if kept is not None and kept.revision == newest:
                break
            time.sleep(0.05)
        assert kept is not None
        assert kept.body == orjson.dumps(maker.match(japan, n=3).to_json("en"))
        assert maker.kept(Query(project_id="p-port"), n=3, cursor=None, lang="en") is None
