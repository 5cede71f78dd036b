"""Matchmaker: missions cover what they cover, cursors and reloads are honest, and real lists make sense.

The small world sits in a fresh database; the last part asks the whole product with all its data.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from small_world import AS_OF, BagEncoder, facts, frame

from matcher.errors import InputError, NotFoundError, SourceError
from matcher.jobs import Site, fitting
from matcher.jobs import matchmaker as module
from matcher.jobs.matchmaker import Matchmaker
from matcher.matching.explain import NEGLIGIBLE
from matcher.matching.features import REASONS
from matcher.records import OPEN_STATUSES, TABLES, Facts, Query
from matcher.store import Store

ALL = 10_000
MISSIONS = [
    {"mission_id": m, "name_vi": name, "name_en": name, "type": kind, "country": c, "city": city, "status": status}
    for m, name, kind, c, city, status in [
        ("fr-paris", "Paris", "embassy", "FR", "Paris", "open"),
        ("jp-tokyo", "Tokyo", "embassy", "JP", "Tokyo", "open"),
        ("jp-osaka", "Osaka", "consulate_general", "JP", "Osaka", "open"),
        ("us-sf", "San Francisco", "consulate_general", "US", "San Francisco", "announced"),
    ]
]  # fmt: skip
COVERED = [{"mission_id": "fr-paris", "country": c} for c in ("TH", "CL")]


def fill(store: Store, known: Facts) -> None:
    reference = {name: getattr(known.reference, name) for name in type(known.reference).__dataclass_fields__}
    told = {
        **reference, "projects": known.projects, "partners": known.partners, "deals": known.deals,
        "footprint": known.footprint, "missions": frame("missions", MISSIONS),
        "accreditation": frame("accreditation", COVERED),
    }  # fmt: skip
    for name in TABLES:
        if name in told:
            store.append(name, told[name].select(list(TABLES[name].columns)), source="tests", actor="tests")


@pytest.fixture
def small(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Matchmaker]:
    """The small world in a database of its own, fitted and served."""
    monkeypatch.setattr(fitting, "open_encoder", lambda site, store: BagEncoder())
    monkeypatch.setattr(module, "open_encoder", lambda site, store: BagEncoder())
    site = Site(data_dir=tmp_path, reference_dir=tmp_path, database_url=store_url, encoder="none", seed=1)
    with Matchmaker(site, today=lambda: AS_OF) as made:
        fill(made.store, facts())
        fitting.fit(site, made.store, as_of=AS_OF, actor="tests")
        yield made


def site_of(made: Matchmaker) -> Site:
    return made._site


def test_a_mission_covers_its_host_and_what_is_accredited_and_nothing_else(small: Matchmaker) -> None:
    found = small.match(Query(mission_id="fr-paris"), n=ALL)
    assert found.query.countries == ("FR", "CL", "TH")
    assert {m.partner_country for m in found.matches} == {"FR", "TH"}
    assert {m.partner_id for m in found.matches} == {"fr-wind", "th-clinic"}
    assert any("Chile" in note["en"] and "Chile" in note["vi"] for note in found.notes)
    same = small.match(Query(countries=("FR", "CL", "TH")), n=ALL)
    assert [(m.project_id, m.partner_id) for m in same.matches] == [(m.project_id, m.partner_id) for m in found.matches]
    for m in found.matches:
        assert {"kind": "mission", "id": "fr-paris"} in m.route


def test_what_is_not_known_of_a_mission_is_said(small: Matchmaker) -> None:
    host_only = small.match(Query(mission_id="jp-osaka"))
    assert {m.partner_country for m in host_only.matches} == {"JP"}
    assert any("not known" in note["en"] for note in host_only.notes)
    assert [r["id"] for r in host_only.matches[0].route] == ["jp-osaka", "jp-tokyo"]
    announced = small.match(Query(mission_id="us-sf"))
    assert any("announced" in note["en"] for note in announced.notes)
    assert all(set(note) == {"vi", "en"} and note["vi"] != note["en"] for note in announced.notes)


@pytest.mark.parametrize(
    ("query", "near"),
    [
        (Query(project_id="p-prot"), "p-port"), (Query(project_id="bệnh viện"), "p-hospital"),
        (Query(partner_id="jp-prt"), "jp-port"),
        (Query(partner_id="minato"), "jp-port"), (Query(mission_id="fr-pariss"), "fr-paris"),
        (Query(mission_id="San Francisco"), "us-sf"),
        (Query(project_id=""), "p-"), (Query(partner_id="x" * 100_000), "-"), (Query(project_id="?"), "p-"),
    ],
)  # fmt: skip
def test_an_unknown_record_is_refused_with_what_exists_nearby(small: Matchmaker, query: Query, near: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        small.match(query)
    assert 1 <= len(refused.value.nearby) <= 5
    assert near in refused.value.nearby[0]
    assert len(str(refused.value)) < 1000
    assert not any(id_ in " ".join(refused.value.nearby) for id_ in ("x-port", "x-chips"))


def test_explain_refuses_unknown_records_too(small: Matchmaker) -> None:
    with pytest.raises(NotFoundError):
        small.explain("p-prot", "jp-port")
    with pytest.raises(NotFoundError):
        small.explain("p-port", "jp-prt")
    assert small.explain("p-port", "jp-port").match.route


def test_pages_follow_the_cursor(small: Matchmaker) -> None:
    whole = small.match(Query(project_id="p-port"), n=ALL)
    seen, cursor = [], None
    while True:
        page = small.match(Query(project_id="p-port"), n=5, cursor=cursor)
        seen += page.matches
        cursor = page.next
        if cursor is None:
            break
    assert tuple(seen) == whole.matches


@pytest.mark.parametrize("cursor", ["", "5", "x", "a.b.c", "1.2.-3", "1.2.³", "9" * 100_000, "\x00", "a.b.99999999999"])
def test_a_malformed_cursor_is_refused(small: Matchmaker, cursor: str) -> None:
    with pytest.raises(InputError, match="cursor"):
        small.match(Query(project_id="p-port"), cursor=cursor)


def test_new_facts_are_seen_at_once_and_end_old_cursors(small: Matchmaker) -> None:
    cursor = small.match(Query(project_id="p-port"), n=2).next
    assert cursor is not None
    kept = small.catalogue()
    assert small.catalogue() is kept
    more = [
        {
            "partner_id": "jp-new",
            "name": "Novus",
            "country": "JP",
            "kind": "company",
            "isic": ["52"],
            "activities": ["ports"],
        }
    ]
    small.store.append("partners", frame("partners", more), source="tests", actor="tests")
    found = small.match(Query(project_id="p-port"), n=ALL)
    assert "jp-new" in {m.partner_id for m in found.matches}
    assert small.facts.partners.height == found.candidates
    with pytest.raises(InputError, match="changed"):
        small.match(Query(project_id="p-port"), n=2, cursor=cursor)
    small.store.append(
        "accreditation", frame("accreditation", [{"mission_id": "us-sf", "country": "KR"}]), source="t", actor="t"
    )
    assert {m.partner_country for m in small.match(Query(mission_id="us-sf"), n=ALL).matches} == {"US", "KR"}


def test_a_new_engine_is_put_to_use(small: Matchmaker) -> None:
    before = small.match(Query(project_id="p-port")).engine
    fitting.fit(replace(site_of(small), seed=2), small.store, as_of=AS_OF, actor="tests")
    after = small.match(Query(project_id="p-port")).engine
    assert after != before
    assert [e["engine"] for e in small.engines() if e["in_use"]] == [after]


def test_a_new_engine_is_compared_with_the_one_in_use(small: Matchmaker) -> None:
    before = fitting.current(site_of(small)).name
    told = fitting.fit(replace(site_of(small), seed=3), small.store, as_of=AS_OF, actor="tests").shift
    assert told is not None
    assert told.before == before
    assert told.pairs > 50
    assert told.rank_correlation == pytest.approx(1)  # the seed changes nothing where no tree is fitted
    damaged = fitting.current(site_of(small)) / "anchors.json"
    damaged.write_text("{", encoding="utf-8")
    assert fitting.fit(site_of(small), small.store, as_of=AS_OF, actor="tests").shift is None


def test_an_earlier_day_knows_less(small: Matchmaker) -> None:
    early = date(2025, 1, 10)
    assert len(small.catalogue(early).history.records) < len(small.catalogue().history.records)
    assert small.catalogue(early).history.records
    assert all(r["counts_from"] <= early for r in small.catalogue(early).history.records)
    assert small.match(Query(project_id="p-port"), as_of=AS_OF).as_of == AS_OF


def test_a_planted_future_deal_does_not_change_the_engine_of_an_earlier_day(small: Matchmaker) -> None:
    day = date(2025, 6, 30)
    before = fitting.fit(site_of(small), small.store, as_of=day, actor="tests")
    late = frame("deals", [
        {"deal_id": "late", "project_id": "x-port", "partner_id": "us-college", "role": "owner", "status": "done",
         "closed_on": date(2025, 7, 1), "closed_precision": "day", "source_on": date(2025, 7, 2)},
    ]).select(list(TABLES["deals"].columns))  # fmt: skip
    small.store.append("deals", late, source="tests", actor="tests")
    assert fitting.fit(site_of(small), small.store, as_of=day, actor="tests").engine == before.engine
    assert fitting.fit(site_of(small), small.store, as_of=AS_OF, actor="tests").engine != before.engine


def test_it_says_what_is_wrong_and_how_to_mend_it(small: Matchmaker) -> None:
    assert small.check() == {"database": "ok", "artefact": "ok", "model": "ok"}
    folder = fitting.current(site_of(small))
    (folder / "centres.npz").write_bytes(b"damaged")
    told = small.check()["artefact"]
    assert "centres.npz" in told
    assert "matcher fit" in told
    with pytest.raises(SourceError, match=r"centres\.npz"):
        small.match(Query(project_id="p-port"))
    fitting.fit(site_of(small), small.store, as_of=AS_OF, actor="tests")
    assert small.check()["artefact"] == "ok"
    assert small.match(Query(project_id="p-port")).matches
    (site_of(small).artefacts / fitting.CURRENT).unlink()
    assert "matcher fit" in small.check()["artefact"]


def test_an_empty_store_says_how_to_begin(store_url: str, tmp_path: Path) -> None:
    site = Site(data_dir=tmp_path, reference_dir=tmp_path, database_url=store_url, encoder="none", seed=1)
    with Matchmaker(site) as made:
        with pytest.raises(InputError, match="matcher init"):
            _ = made.as_of
        with pytest.raises(SourceError, match="matcher fit"):
            made.catalogue(AS_OF)


# The whole product, with all its data.


@pytest.fixture(scope="session")
def ten(matchmaker: Matchmaker) -> list[str]:
    """Ten open projects, of as many sectors as there are."""
    rows = matchmaker.facts.projects.filter(pl.col("status").is_in(list(OPEN_STATUSES))).sort("project_id")
    first = rows.unique("sector", keep="first", maintain_order=True)["project_id"].to_list()
    return [*first, *rows["project_id"].to_list()][:10]


def test_real_matches_carry_reasons_for_and_against_in_both_languages(matchmaker: Matchmaker, ten: list[str]) -> None:
    for project in ten:
        matches = matchmaker.match(Query(project_id=project), n=10).matches
        assert len(matches) == 10
        for m in matches:
            assert len(m.evidence) >= 3
            assert {"against", "missing"} & {e.direction for e in m.evidence}
            for e in m.evidence:
                for both in (e.statement, e.project_value, e.partner_value):
                    assert both["vi"]
                    assert both["en"]
                assert (e.contribution is None) == (e.direction == "missing" and e.feature != "missing_information")
            told = sum(e.contribution or 0.0 for e in m.evidence)
            base = matchmaker.explain(project, m.partner_id).base
            assert abs(m.score - base - told) <= NEGLIGIBLE * len(REASONS)
            assert (m.probability is None) != (m.abstained is None)


def test_every_figure_about_a_partner_names_its_source_and_day(matchmaker: Matchmaker, ten: list[str]) -> None:
    recorded = {"sector", "text", "kind"}
    for project in ten[:3]:
        for m in matchmaker.match(Query(project_id=project), n=10).matches:
            for e in m.evidence:
                if e.feature.split("_")[0] in recorded and e.direction != "missing":
                    assert e.source
                    assert e.on is None or e.on <= AS_OF


def test_a_container_port_is_not_offered_to_schools_or_hospitals(matchmaker: Matchmaker) -> None:
    matches = matchmaker.match(Query(project_id="HCMC-034"), n=50).matches
    partners = matchmaker.facts.partners.filter(pl.col("partner_id").is_in([m.partner_id for m in matches]))
    assert len(matches) == 50
    assert "university" not in partners["kind"].to_list()
    assert not [q for q in partners.iter_rows(named=True) if (q["isic"] or [""])[0][:2] in ("85", "86", "87")]
    assert any("52" in (q["isic"] or ()) or "50" in (q["isic"] or ()) for q in partners.iter_rows(named=True))


def test_every_real_mission_covers_its_host_and_accreditation_only(matchmaker: Matchmaker) -> None:
    missions = matchmaker.store.read("missions")
    beside = matchmaker.store.read("accreditation")
    wide = beside["mission_id"].value_counts(sort=True)["mission_id"].head(2).to_list()
    for mission in [*wide, missions["mission_id"][0]]:
        host = missions.filter(pl.col("mission_id") == mission)["country"].to_list()
        covered = {*host, *beside.filter(pl.col("mission_id") == mission)["country"]}
        found = matchmaker.match(Query(mission_id=mission), n=200)
        assert set(found.query.countries or ()) == covered
        assert {m.partner_country for m in found.matches} <= covered
        homes = set(matchmaker.facts.partners["country"].drop_nulls())
        for country in covered - homes:
            name = matchmaker.facts.reference.countries.filter(pl.col("country") == country)["name_en"][0]
            assert any(re.search(re.escape(name), note["en"]) for note in found.notes)
