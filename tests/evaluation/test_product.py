"""Rolling origins over our own deals: nothing of a later day is seen, and everything left out is counted."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_world import (
    AS_OF,
    DEALS,
    HERE,
    PARTNERS,
    PROJECTS,
    REFERENCE,
    SOURCE,
    BagEncoder,
    deal,
    facts,
    large,
    small_trees,
    stay,
    with_rows,
)

from evaluation import origins, product, report, tables
from evaluation.origins import BASELINES, ENGINE, PROFILE, RUNS, YEARS, Known, Origin, Split, World, run, split
from evaluation.product import Asked, measure, median_rank
from evaluation.results import MEASURES, Report
from evaluation.runs import Made
from evaluation.slices import ENOUGH
from matcher.config import Settings
from matcher.errors import InputError
from matcher.jobs import Site, opening
from matcher.matching.calibrate import MIN_POSITIVES
from matcher.matching.engine import Engine
from matcher.records import Facts

ENCODER = BagEncoder()


@pytest.fixture(scope="module", autouse=True)
def _small_trees() -> Iterator[None]:
    with small_trees():
        yield


def public(world: Facts) -> Known:
    """What a store would give: deals and footprints by their day, a past project from its first deal on."""

    def known(day: date) -> Facts:
        deals = world.deals.filter(pl.col("counts_from") <= day)
        open_ = pl.col("status") != "past"
        return replace(
            world, as_of=day, deals=deals, footprint=world.footprint.filter(pl.col("counts_from") <= day),
            projects=world.projects.filter(open_ | pl.col("project_id").is_in(deals["project_id"].to_list())),
        )  # fmt: skip

    return known


def careless(world: Facts) -> Known:
    """As `public`, but deals and footprints of later days are let through."""
    careful = public(world)
    return lambda day: replace(careful(day), deals=world.deals, footprint=world.footprint)


@dataclass
class Kept:
    """A cache in memory."""

    runs: dict[str, Made] = field(default_factory=dict)

    def get(self, key: str) -> Made | None:
        return self.runs.get(key)

    def put(self, key: str, made: Made) -> None:
        self.runs[key] = made


WORLD = large(24, years=(2014, 2015, 2016))


@pytest.fixture(scope="module")
def found() -> Split:
    return split(public(WORLD), until=AS_OF)


@pytest.fixture(scope="module")
def made(found: Split) -> dict[int, dict[str, Made]]:
    return {o.year: run(o, ENCODER, seed=3) for o in found.origins}


@pytest.fixture(scope="module")
def kept() -> Kept:
    return Kept()


@pytest.fixture(scope="module")
def measured(kept: Kept) -> Report:
    return measure(public(WORLD), ENCODER, until=AS_OF, seed=3, cache=kept, resamples=50)


def lists(runs: dict[str, Made]) -> dict[str, dict[str, dict[str, float]]]:
    return {name: one.ranking.to_run() for name, one in runs.items()}


def of(known: Facts, *, until: date = AS_OF) -> dict[int, Origin]:
    return {o.year: o for o in split(public(known), until=until).origins}


# the split


def test_every_year_is_asked_with_the_partners_that_it_found(found: Split) -> None:
    assert [o.year for o in found.origins] == [2015, 2016]
    for origin in found.origins:
        assert origin.facts.as_of == date(origin.year - 1, 12, 31)
        won: dict[str, set[str]] = {}
        for d in WORLD.deals.filter(pl.col("closed_on").dt.year() == origin.year).iter_rows(named=True):
            won.setdefault(d["project_id"], set()).add(d["partner_id"])
        assert {p: set(q) for p, q in origin.labels.items()} == won
        assert list(origin.queries.items()) == [(f"{p}@{origin.year}", p) for p in sorted(won)]
    assert found.labels == {year: 8 if year in (2015, 2016) else 0 for year in YEARS}


def _all_fates() -> Facts:
    projects = [
        *PROJECTS,
        {"project_id": "z-new", "name_en": "New chip plant", "isic": ["26"], **HERE, "status": "past"},
    ]
    partners = [
        *PARTNERS,
        {"partner_id": "heard", "name": "Heard Of", "kind": "company", "source": f"a page ; {SOURCE['source']}"},
    ]
    deals = [
        deal(1, "x-port", "jp-port", date(2014, 12, 31)),
        deal(2, "x-solar", "fr-wind", date(2016, 5, 1)),
        deal(3, "x-port", "jp-dfi", None, counts_from=date(2015, 6, 1)),
        deal(4, "x-port", "jp-bank", None, counts_from=date(2015, 6, 1)),
        deal(5, "x-port", "jp-bank", date(2017, 5, 1)),
        deal(6, "x-chips", "kr-chips", date(2025, 12, 31)), deal(7, "x-chips", "kr-build", date(2026, 1, 1)),
        deal(8, "z-new", "heard", date(2018, 3, 1)), deal(9, "z-new", "kr-chips", date(2018, 4, 1)),
        deal(10, "z-new", "kr-chips", date(2019, 4, 1)), deal(11, "z-new", "th-clinic", date(2018, 4, 1), status="mou"),
        deal(12, "p-port", "heard", date(2019, 4, 1), source="https://example.org/another"),
    ]  # fmt: skip
    return facts(projects=projects, partners=partners, deals=deals, footprint=[])


def test_every_pair_with_a_positive_deal_has_one_fate() -> None:
    made = split(public(_all_fates()), until=AS_OF)
    assert made.outcomes == {
        "label": 3, "record read from its deal": 1, "known before": 1, "before the first year": 1,
        "after the last year": 1, "undated": 1, "elsewhere": 1,
    }  # fmt: skip
    assert {o.year: {p: set(q) for p, q in o.labels.items()} for o in made.origins} == {
        2018: {"z-new": {"kr-chips"}}, 2019: {"p-port": {"heard"}}, 2025: {"x-chips": {"kr-chips"}},
    }  # fmt: skip
    assert made.lost == {2018: 1}
    assert made.until == AS_OF


def test_a_partner_known_from_its_own_deal_only_is_nobody_before_it() -> None:
    before, after = (of(_all_fates())[year] for year in (2018, 2019))
    assert "heard" not in before.candidates
    assert "heard" in after.candidates
    assert len(before.candidates) == len(PARTNERS)


def test_a_partner_that_is_not_listed_yet_has_neither_deals_nor_footprint() -> None:
    world = with_rows(_all_fates(), "footprint", [stay("heard", "VN", date(2012, 1, 1))])
    early = deal(20, "x-chips", "heard", date(2013, 1, 1), source="https://example.org/third")
    origin = of(with_rows(world, "deals", [early]))[2018]
    for table in ("partners", "deals", "footprint"):
        assert "heard" not in getattr(origin.facts, table)["partner_id"].to_list()


def test_a_project_without_any_date_is_there_from_its_first_deal() -> None:
    world = _all_fates()
    timeless = {"announced_on": None, "source_on": None}
    rows = [r | timeless if r["project_id"] in ("p-fab", "x-port") else r for r in world.projects.iter_rows(named=True)]
    origin = of(replace(world, projects=pl.DataFrame(rows, schema=world.projects.schema)))[2018]
    there = set(origin.facts.projects["project_id"])
    assert "p-fab" not in there
    assert {"x-port", "p-port"} <= there


def test_nothing_to_ask_is_said() -> None:
    with pytest.raises(InputError, match="nothing to ask"):
        measure(public(facts(deals=[])), ENCODER, until=AS_OF, seed=0)


# what is asked


def test_who_took_part_by_the_end_of_the_year_is_masked_and_nobody_else() -> None:
    text = "Port of Minato with Ventelec and Merlion near Daehan"
    projects = [
        *PROJECTS,
        {"project_id": "z-told", "name_en": text, "name_vi": text, "description": text, **HERE, "status": "past"},
    ]
    deals = [
        *DEALS, deal(1000, "z-told", "jp-port", date(2016, 5, 1)), deal(1001, "z-told", "fr-wind", date(2015, 3, 1)),
        deal(1002, "z-told", "sg-estate", date(2016, 12, 31), status="talks"),
        deal(1003, "z-told", "kr-chips", date(2017, 1, 1)),
    ]  # fmt: skip
    origin = of(facts(projects=projects, deals=deals))[2016]
    asked = origin.asked.row(0, named=True)
    assert set(origin.labels) == {"z-told"} == {asked["project_id"]}
    assert {asked["name_en"], asked["name_vi"], asked["description"]} == {"Port of with and near Daehan"}
    assert origin.opened.projects.filter(pl.col("project_id") == "z-told").equals(origin.asked)
    assert origin.opened.projects.height == origin.facts.projects.height  # it was public by its first deal


def test_a_project_that_was_public_is_asked_as_it_stood() -> None:
    world = large(6, years=(2015,))
    careful, day = public(world), date(2014, 12, 31)
    told = pl.when(pl.col("project_id") == "y0001").then(pl.lit("an older name")).otherwise(pl.col("name_en"))

    def known(on: date) -> Facts:
        if on > day:
            return careful(on)
        return replace(careful(on), projects=world.projects.with_columns(name_en=told))

    (origin,) = split(known, until=AS_OF).origins
    names = dict(origin.asked.select("project_id", "name_en").iter_rows())
    assert names["y0001"] == "an older name"
    assert origin.facts.projects.height == world.projects.height


# nothing of a later day


def test_what_happens_later_changes_no_earlier_origin(found: Split, made: dict[int, dict[str, Made]]) -> None:
    later = date(2016, 1, 1)
    page = {"source": "https://example.org/news"}
    planted = WORLD
    for table, rows in {
        "partners": [{"partner_id": "q000x", "name": "Planted", "kind": "company", "isic": ["52"], **page}],
        "projects": [{"project_id": "y0000x", "name_en": "container port", "isic": ["52"], "status": "past", **HERE}],
        "deals": [
            deal(901, "y0000x", "q000x", later, **page), deal(902, "y0001", "q003", later),
            deal(903, "y0004", "q003", later),
            deal(904, "y0000", "q007", None, counts_from=later),
        ],
        "footprint": [stay("q003", "VN", later), stay("q000x", "VN", later)],
    }.items():  # fmt: skip
        planted = with_rows(planted, table, rows)
    first, second = split(public(planted), until=AS_OF).origins
    assert first.digest == found.origins[0].digest
    assert second.digest != found.origins[1].digest
    assert lists(run(first, ENCODER, seed=3)) == lists(made[2015])


def test_later_rows_that_a_reader_lets_through_are_cut(found: Split) -> None:
    planted = with_rows(WORLD, "footprint", [stay("q003", "VN", date(2016, 1, 1)), stay("q004", "JP", None)])
    loose = split(careless(planted), until=AS_OF).origins
    assert [o.digest for o in loose] == [o.digest for o in found.origins[:1]] + [loose[1].digest]
    for origin in loose:
        for table in ("deals", "footprint"):
            days = getattr(origin.facts, table)["counts_from"]
            assert days.null_count() == 0
            assert days.len() == 0 or days.max() <= origin.facts.as_of


def test_without_the_later_deals_of_the_projects_asked_the_runs_are_the_same(
    found: Split, made: dict[int, dict[str, Made]]
) -> None:
    for origin in found.origins:
        asked = pl.col("project_id").is_in(list(origin.labels)) & (pl.col("counts_from") > origin.facts.as_of)
        cut = replace(WORLD, deals=WORLD.deals.filter(~asked))
        assert cut.deals.height == WORLD.deals.height - 8
        bare = replace(origin, facts=public(cut)(origin.facts.as_of))
        assert bare.digest == origin.digest
        assert lists(run(bare, ENCODER, seed=3)) == lists(made[origin.year])


# runs


def test_every_ranker_lists_everybody_that_could_be_listed(found: Split, made: dict[int, dict[str, Made]]) -> None:
    for origin in found.origins:
        assert set(made[origin.year]) == set(RUNS)
        for one in made[origin.year].values():
            assert one.ranking.queries == tuple(origin.queries)
            assert one.ranking.candidates == origin.candidates == tuple(sorted(WORLD.partners["partner_id"]))
            assert (np.sort(one.ranking.places, axis=1) == np.arange(60)).all()
            assert np.isfinite(one.ranking.scores).all()
            assert one.seconds > 0


def test_who_is_in_already_is_not_ranked() -> None:
    mou = deal(972, "y0000", "q030", date(2014, 5, 1), status="mou")
    again = [deal(970, "y0000", "q031", date(2014, 5, 1)), deal(971, "y0000", "q032", date(2015, 5, 1)), mou]
    origin = of(with_rows(WORLD, "deals", again))[2015]
    before = set(WORLD.deals.filter(pl.col("project_id") == "y0000")["partner_id"]) | {"q031"}
    assert origin.labels["y0000"] == {"q032"}
    assert origin.involved["y0000"] == before
    for one in run(origin, ENCODER, seed=3).values():
        assert set(origin.candidates) - set(one.ranking.to_run()["y0000@2015"]) == before


def test_the_engine_is_fitted_on_what_was_public_and_opened_with_what_is_asked(
    found: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, Facts]] = []
    fit, opened = Engine.fit, Engine.open

    def watched_fit(known: Facts, *rest: Any, **more: Any) -> Engine:
        seen.append(("fit", known))
        return fit(known, *rest, **more)

    def watched_open(self: Engine, known: Facts, *rest: Any, **more: Any) -> Any:
        seen.append(("open", known))
        return opened(self, known, *rest, **more)

    monkeypatch.setattr(Engine, "fit", watched_fit)
    monkeypatch.setattr(Engine, "open", watched_open)
    origin = found.origins[1]
    run(origin, ENCODER, seed=3)
    assert [(what, known.as_of) for what, known in seen] == [("fit", date(2015, 12, 31)), ("open", date(2015, 12, 31))]
    assert not set(seen[0][1].projects["project_id"]) & set(origin.labels)
    assert set(seen[1][1].projects["project_id"]) >= set(origin.labels)
    assert seen[0][1].deals.equals(seen[1][1].deals)


def test_without_a_public_project_the_texts_asked_are_all_there_is() -> None:
    world = large(3, years=(2015,))
    bare = replace(world, projects=world.projects.filter(pl.col("status") == "past"))
    (origin,) = split(public(bare), until=AS_OF).origins
    assert origin.facts.projects.is_empty()
    assert set(run(origin, ENCODER, seed=3)) == set(RUNS)


@pytest.fixture(scope="module")
def world(found: Split) -> World:
    return World.of(found.origins[1], ENCODER, seed=3)


def test_the_baseline_to_beat_is_the_cosine_of_centred_vectors(found: Split, world: World) -> None:
    origin = found.origins[1]
    snapshot = world.snapshot
    row = snapshot.projects.row_of[next(iter(origin.labels))]
    p, q = snapshot.projects.vectors[row], snapshot.partners.vectors
    assert BASELINES[PROFILE](world, row) == pytest.approx(q @ p)
    assert np.linalg.norm(q, axis=1) == pytest.approx(1.0, abs=1e-5)
    # Centred by what was public: the mean over the facts, not over the projects asked.
    assert not np.allclose(
        World.of(replace(origin, facts=origin.opened), ENCODER, seed=3).snapshot.projects.vectors[row], p
    )


def test_a_division_in_common_is_a_match(found: Split, world: World) -> None:
    snapshot = world.snapshot
    for project in found.origins[1].labels:
        row = snapshot.projects.row_of[project]
        codes = snapshot.projects.frame["isic"].to_list()[row]
        matches = np.array([isic == codes for isic in snapshot.partners.frame["isic"].to_list()])
        assert ((BASELINES["division"](world, row) > 0) == matches).all()


def test_fused_ranks_are_the_sum_of_reciprocal_ranks(world: World) -> None:
    channels = [BASELINES[name](world, 9) for name in ("profile_dense", "profile_bm25")]
    expected = np.zeros(60)
    for scores in channels:
        for place, partner in enumerate(sorted(range(60), key=lambda i: (-scores[i], i))):
            expected[partner] += 1 / (61 + place)
    assert BASELINES["profile_rrf"](world, 9) == pytest.approx(expected)


def test_the_random_order_is_one_per_query_and_seed(found: Split, world: World) -> None:
    orders = {tuple(BASELINES["random"](world, row)) for row in range(5)}
    orders |= {tuple(BASELINES["random"](World.of(found.origins[1], ENCODER, seed=4), row)) for row in range(5)}
    orders |= {tuple(BASELINES["random"](World.of(found.origins[0], ENCODER, seed=3), row)) for row in range(5)}
    assert len(orders) == 15
    assert (BASELINES["random"](world, 2) == BASELINES["random"](World.of(found.origins[1], ENCODER, seed=3), 2)).all()


def test_a_run_is_made_once(found: Split, made: dict[int, dict[str, Made]], monkeypatch: pytest.MonkeyPatch) -> None:
    cache, origin = Kept(), found.origins[0]
    first = run(origin, ENCODER, seed=3, cache=cache)
    assert len(cache.runs) == len(RUNS)
    lost = next(key for key, one in cache.runs.items() if one.name == "pop")
    del cache.runs[lost]
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "fit", lambda *_, **__: pytest.fail("fitted again"))
        again = run(origin, ENCODER, seed=3, cache=cache)
    assert again == first | {"pop": again["pop"]}
    assert lists(again) == lists(first) == lists(made[2015])
    assert lost in cache.runs


@pytest.mark.parametrize("change", [
    lambda o: replace(o, facts=with_rows(o.facts, "footprint", [stay("q001", "VN", date(2010, 1, 1))])),
    lambda o: replace(o, facts=replace(o.facts, partners=o.facts.partners.with_columns(green=True))),
    lambda o: replace(o, facts=replace(o.facts, reference=replace(REFERENCE, terms=REFERENCE.terms.clear()))),
    lambda o: replace(o, facts=replace(o.facts, as_of=date(2014, 12, 30))),
    lambda o: replace(o, asked=o.asked.with_columns(name_en=pl.lit("another text"))),
    lambda o: replace(o, labels=dict(list(o.labels.items())[1:])),
])  # fmt: skip
def test_other_facts_are_other_runs(found: Split, change: Callable[[Origin], Origin]) -> None:
    assert change(found.origins[0]).digest != found.origins[0].digest


def test_another_seed_or_encoder_is_another_run(kept: Kept, measured: Report, found: Split) -> None:
    assert measured.seed == 3
    before = set(kept.runs)
    assert len(before) == 2 * len(RUNS)
    for seed, encoder in ((4, ENCODER), (3, BagEncoder("other@1"))):
        cache = Kept()
        run(found.origins[0], encoder, seed=seed, cache=cache)
        assert not before & set(cache.runs)


# scores


def asked_of(world: Facts) -> Asked:
    return Asked.of(split(public(world), until=AS_OF), world.reference)


def test_lists_of_all_years_stand_over_one_catalogue() -> None:
    page = {"source": "https://example.org/news"}
    newcomer = {"partner_id": "q000x", "name": "Newcomer", "kind": "company", "isic": ["52"], **page}
    came = deal(930, "y0001", "q000x", date(2015, 5, 1), **page)
    grown = with_rows(with_rows(WORLD, "partners", [newcomer]), "deals", [came])
    asked = asked_of(grown)
    parts = [run(o, ENCODER, seed=3)["pop"] for o in asked.found.origins]
    whole = asked.joined(parts).to_run()
    assert whole == {query: ranked for part in parts for query, ranked in part.ranking.to_run().items()}
    assert list(whole) == sorted(whole)
    assert ["q000x" in ranked for ranked in whole.values()] == [q.endswith("@2016") for q in whole]
    assert asked.listed.sum(axis=1).tolist() == [60, 61]
    assert asked.counts["labels_left_out"] == 1


def test_warm_and_cold_are_of_the_year() -> None:
    asked = asked_of(WORLD)
    slices = {s.name: s for s in asked.slicing.slices}
    answers = {name: asked.slicing.answers(slices[name]) for name in ("full", "warm", "cold_full_pool", "cold_pool")}
    for row, query in enumerate(asked.dataset.queries):
        year = int(query[-4:])
        earlier = set(WORLD.deals.filter(pl.col("closed_on").dt.year() < year)["partner_id"])
        right = asked.dataset.qrels[query]  # type: ignore[index]  # it has answers
        assert answers["full"][row] == len(right)
        assert answers["warm"][row] == len(right & earlier)
        assert answers["cold_pool"][row] == answers["cold_full_pool"][row] == len(right - earlier)
        warm, pool = asked.slicing.masks(slices["warm"], np.array([row]))
        assert {asked.candidates[i] for i in np.flatnonzero(pool[0])} == earlier
        assert int(warm.sum()) == len(right & earlier)
    assert 0 < (answers["warm"] > 0).sum() < len(asked.dataset.queries)
    assert asked.counts["warm_queries"] == (answers["warm"] > 0).sum()
    assert asked.counts["cold_queries"] == (answers["cold_pool"] > 0).sum()


def test_slices_by_value_are_cut_where_ten_queries_carry_them() -> None:
    world = large(30, years=(2015,), seed=1)
    number = pl.col("project_id").str.slice(1).cast(pl.Int64, strict=False)
    places = world.projects.with_columns(
        city=pl.when(number % 3 == 0).then(pl.lit("Bac Ninh")).otherwise(pl.col("city")),
        name_vi=pl.lit("Cảng ở đây"),
        name_vi_status=pl.when(number < 12).then(pl.lit("official")).otherwise(pl.lit("translated")),
    )
    asked = asked_of(replace(world, projects=places))
    parts = {s.name: s for s in asked.slicing.slices}
    assert int(parts["city:Ho Chi Minh City"].queries.sum()) == 20
    assert int(parts["city:elsewhere"].queries.sum()) == 10
    assert int(parts["language:vi"].queries.sum()) == 12
    assert int(parts["language:other"].queries.sum()) == 18
    kinds = [name for name in parts if name.startswith("kind:")]
    assert kinds
    for name in kinds:
        value = name.partition(":")[2]
        rows = parts[name].target[0]
        if value != "other":
            assert set(world.partners["kind"].to_numpy()[rows]) == {value}
            assert (asked.slicing.answers(parts[name]) > 0).sum() >= ENOUGH
        assert parts[name].pool.all()
    sections = {name.partition(":")[2]: s for name, s in parts.items() if name.startswith("sector_section:")}
    letter = {"52": "H", "26": "C", "35": "D", "86": "Q", "68": "L"}
    of = [letter[isic[0]] for isic in asked.dataset.projects["isic"].to_list()]
    carried = {c for c in of if of.count(c) >= ENOUGH}
    assert set(sections) - {"other"} == carried
    for value in carried:
        assert sections[value].queries.tolist() == [c == value for c in of]


def test_one_value_for_all_is_no_slice() -> None:
    assert not [s.name for s in asked_of(WORLD).slicing.slices if s.name.startswith(("city:", "language:"))]


def test_lift_is_over_a_random_order_of_those_that_could_be_listed(measured: Report) -> None:
    (result,) = measured.datasets
    for scored in result.runs:
        recall = scored.figures["full"]["R@50"].mean
        assert scored.lift["R@50"] == pytest.approx(recall / (50 / 60))
        assert scored.lift["P@5"] == pytest.approx(scored.figures["full"]["P@5"].mean / (1 / 60))
    lifted = {s.run: s.lift["nDCG@10"] for s in result.runs}
    assert lifted[ENGINE] > 1.5


def test_popularity_is_that_of_the_year(made: dict[int, dict[str, Made]]) -> None:
    asked = asked_of(WORLD)
    parts = [made[year]["pop"] for year in (2015, 2016)]
    found = asked.scored(asked.joined(parts), parts, seed=3, resamples=20).audit
    shown, tail = [], []
    for query, ranked in asked.joined(parts).to_run().items():
        earlier = WORLD.deals.filter(pl.col("closed_on").dt.year() < int(query[-4:]))
        number = {q: earlier.filter(pl.col("partner_id") == q)["project_id"].n_unique() for q in asked.candidates}
        rare = sorted(asked.candidates, key=lambda q: (number[q], q))[:30]
        shown += [number[q] for q in list(ranked)[:10]]
        tail += [q in rare for q in list(ranked)[:10]]
    assert found.popularity == pytest.approx(np.mean(shown))
    assert found.long_tail == pytest.approx(np.mean(tail))
    assert sum(found.kind.values()) == pytest.approx(1)


@pytest.mark.parametrize(("ranks", "told"), [
    ([[3], [5], [100]], "5 (3-100)"), ([[2, 4]], "3 (3-3)"), ([[7], []], "7 (7-7)"), ([], "-"), ([[]], "-"),
])  # fmt: skip
def test_the_median_is_over_all_right_partners(ranks: Sequence[Sequence[int]], told: str) -> None:
    assert median_rank([np.array(r, dtype=np.int64) for r in ranks], seed=0, resamples=400) == told


def test_ranks_are_places_of_right_partners(made: dict[int, dict[str, Made]]) -> None:
    asked = asked_of(WORLD)
    whole = asked.joined([made[year][ENGINE] for year in (2015, 2016)])
    for query, ranks in zip(asked.dataset.queries, asked.ranks(whole), strict=True):
        order = list(whole.to_run()[query])
        right = asked.dataset.qrels[query]  # type: ignore[index]  # it has answers
        assert ranks.tolist() == sorted(order.index(q) + 1 for q in right)


def test_probabilities_stand_where_their_year_has_them(made: dict[int, dict[str, Made]]) -> None:
    asked = asked_of(WORLD)
    first, second = (made[year][ENGINE] for year in (2015, 2016))
    given = np.full(second.ranking.scores.shape, np.nan)
    given[:, :50] = np.linspace(0.4, 0.1, 50)
    parts = [first, replace(second, probabilities=given, abstained=None)]
    found = asked.scored(asked.joined(parts), parts, seed=3, resamples=20).calibration
    assert found is not None
    assert found.abstained is None
    assert {s.slice: s.pairs for s in found.slices}["full"] == 8 * 50


def test_the_engine_says_probabilities_when_its_calibrator_does(found: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    from matcher.matching.calibrate import Calibrator

    def calibrated(trials: Any) -> Calibrator:
        steps, chances = np.array([-1e9, 1e9]), np.array([0.1, 0.3])
        return Calibrator(
            positives=500, sharpness=1.0, base_rate=0.01, strength=steps, value=chances, low=chances / 2,
            high=chances * 2,
        )  # fmt: skip

    monkeypatch.setattr(Calibrator, "fit", calibrated)
    one = origins._engine(found.origins[0], ENCODER, 3, None)
    assert one.abstained is None
    assert one.probabilities is not None
    assert one.probabilities.shape == one.ranking.scores.shape
    assert one.probabilities[:, :50] == pytest.approx(0.18, abs=0.02)
    assert np.isnan(one.probabilities[one.ranking.scores < one.ranking.scores[:, 49:50]]).all()


# the report


def test_the_report_says_what_was_done(measured: Report) -> None:
    (result,) = measured.datasets
    assert (result.name, result.about["title"], measured.title) == ("product", "Our own data", "Our own data")
    assert tuple(s.run for s in result.runs) == RUNS
    for scored in result.runs:
        assert set(scored.figures["full"]) == set(MEASURES)
        assert {f.queries for f in scored.figures["full"].values()} == {16}
        assert all(0 <= f.low <= f.mean <= f.high <= 1 for f in scored.figures["full"].values())
        assert scored.note.startswith("Median rank of a right partner: ")
    assert {**result.counts, "warm_queries": 0, "cold_queries": 0} == {
        "projects": 16, "partners": 60, "deals": 24, "queries": 16, "qrels": 16, "warm_queries": 0, "cold_queries": 0,
        "warm_partners": len(set(WORLD.deals.filter(pl.col("closed_on").dt.year() < 2016)["partner_id"])),
        "labels_left_out": 0,
    }  # fmt: skip
    assert measured.configuration["labels"]["2015"] == 8
    assert sum(measured.configuration["pairs"].values()) == 24
    assert any(w.startswith("Years without a label: 2017, 2018") for w in result.warnings)
    assert any("8 before the first year" in w for w in result.warnings)
    assert any("engine" in n and "random" in n and "Median rank" in n for n in measured.notes)


def test_the_engine_is_compared_with_the_dense_profile(measured: Report) -> None:
    (result,) = measured.datasets
    by_name = {s.run: s for s in result.runs}
    assert [(c.first, c.second, c.slice, c.measure, c.queries) for c in result.comparisons] == [
        (ENGINE, PROFILE, "full", m, 16) for m in ("R@50", "nDCG@10")
    ]
    for c in result.comparisons:
        one, two = (by_name[name].figures["full"][c.measure].mean for name in (ENGINE, PROFILE))
        assert c.difference == pytest.approx(one - two)
        assert c.low <= c.difference <= c.high
        assert c.p <= c.p_corrected <= 1


def test_without_probabilities_the_reason_is_the_engines(measured: Report) -> None:
    engine = next(s for s in measured.datasets[0].runs if s.run == ENGINE)
    assert engine.calibration is not None
    assert f"{MIN_POSITIVES} are needed" in str(engine.calibration.abstained)


def test_a_learner_finds_more_than_chance(measured: Report) -> None:
    by_name = {s.run: s.figures["full"]["nDCG@10"] for s in measured.datasets[0].runs}
    assert by_name[ENGINE].mean > by_name["random"].mean
    assert by_name["division"].low > 1 / 60


def test_measuring_again_fits_nothing(kept: Kept, measured: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "fit", lambda *_, **__: pytest.fail("fitted again"))
    steps: list[tuple[str, int, int]] = []
    again = measure(
        public(WORLD), ENCODER, until=AS_OF, seed=3, cache=kept, resamples=50, progress=lambda *s: steps.append(s)
    )
    assert tables.to_json(again) == tables.to_json(measured)
    assert steps[-1] == ("years ranked", 2, 2)


def test_it_can_be_printed_and_read(measured: Report) -> None:
    assert "engine" in tables.details(measured.datasets[0])
    page = report.render(measured, reference=REFERENCE)
    assert "Our own data" in page
    assert not math.isnan(measured.datasets[0].comparisons[0].difference)


def test_languages_and_places_of_queries() -> None:
    port: dict[str, Any] = {"name_vi": "Cảng biển", "status": "past", "country": "VN", "name_vi_status": "translated"}
    rows: list[dict[str, Any]] = [
        {**port, "project_id": "a", "city": "Hanoi", "isic": ["5222"], "name_en": "Port", "name_vi_status": "official"},
        {**port, "project_id": "b", "city": None, "isic": ["H"], "name_en": "Port"},
        {
            **port,
            "project_id": "c",
            "city": product.CITY,
            "isic": ["99"],
            "name_en": "半導体工場の建設",
            "name_vi": None,
        },
        {**port, "project_id": "d", "city": product.CITY, "isic": None},
    ]
    frame = facts(projects=rows).projects
    assert product.query_labels(frame, REFERENCE) == {
        "city": ["elsewhere", "unknown", product.CITY, product.CITY],
        "sector_section": ["H", "H", "unknown", "unknown"], "language": ["vi", "other", "ja", "vi"],
    }  # fmt: skip


def test_facts_vectors_and_seed_are_those_of_the_settings(
    measured: Report, kept: Kept, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    @contextmanager
    def opened(site: Site) -> Iterator[Known]:
        assert site.data_dir == tmp_path
        yield public(WORLD)

    monkeypatch.setattr(opening, "open_store", opened)
    monkeypatch.setattr(opening, "open_encoder", lambda _site, _store: ENCODER)
    monkeypatch.setattr(opening, "facts", lambda store, day: store(day))
    found = product.report(Settings(data_dir=tmp_path, seed=3), until=AS_OF, cache=kept)
    assert found.seed == 3
    assert found.datasets[0].counts == measured.datasets[0].counts
    engine, again = (next(s for s in r.datasets[0].runs if s.run == ENGINE) for r in (measured, found))
    assert {m: f.mean for m, f in again.figures["full"].items()} == {
        m: f.mean for m, f in engine.figures["full"].items()
    }
