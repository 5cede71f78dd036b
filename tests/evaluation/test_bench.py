"""Benches: made facts are the same for a seed, retrieval loses next to nothing, costs are told as they are."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small_site import DATA

from evaluation.bench import fit, retrieval, synthetic
from evaluation.blind import read_reference
from matcher.matching import catalogue as module
from matcher.matching.catalogue import Catalogue
from matcher.matching.learn import by_experience, documented
from matcher.matching.rank import LinearRanker
from matcher.records import Facts, Query, Reference


@pytest.fixture(scope="module")
def reference() -> Reference:
    return read_reference(DATA)


@pytest.fixture(scope="module")
def many(reference: Reference) -> Facts:
    return synthetic.facts(reference, deals=1500, partners=3000, seed=1)


def test_made_facts_are_of_the_size_that_was_asked_and_the_same_again(reference: Reference, many: Facts) -> None:
    assert (many.deals.height, many.partners.height, many.projects.height) == (1500, 3000, 750)
    again = synthetic.facts(reference, deals=1500, partners=3000, seed=1)
    for table in ("projects", "partners", "deals"):
        assert getattr(many, table).equals(getattr(again, table))
    assert not many.deals.equals(synthetic.facts(reference, deals=1500, partners=3000, seed=2).deals)


def test_made_deals_spread_over_the_years_and_few_partners_have_many(many: Facts) -> None:
    years = many.deals["closed_on"].dt.year()
    assert years.n_unique() >= synthetic.YEARS
    assert many.deals["closed_on"].max() <= synthetic.AS_OF
    assert many.deals["closed_on"].min() >= synthetic.AS_OF - timedelta(days=366 * synthetic.YEARS)
    each = many.deals.group_by("partner_id").len()["len"].sort(descending=True)
    assert each[0] > 10 * float(each.median())
    assert each.len() < many.partners.height / 2


def test_the_stand_in_encoder_finds_like_texts_alike() -> None:
    one, two, other = synthetic.BagEncoder().encode(["wind power plant", "wind power farm", "container port"])
    assert one @ two > 0.5 > abs(one @ other)
    assert np.allclose(np.linalg.norm([one, two, other], axis=1), 1.0, atol=1e-6)


@pytest.fixture(scope="module")
def crowded(reference: Reference) -> Catalogue:
    """More partners than are all ranked."""
    partners = module.RANK_ALL + 1000
    return synthetic.catalogue(synthetic.facts(reference, deals=3000, partners=partners, seed=2), documented())


@pytest.fixture
def few_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retrieval starts early; it keeps as many as ever."""
    monkeypatch.setattr(module, "RANK_ALL", 500)


@pytest.mark.parametrize("ranker", [documented(), by_experience()], ids=["linear", "experience"])
@pytest.mark.parametrize("depth", [50, 200])
def test_retrieval_finds_nearly_all_that_full_scoring_would(
    crowded: Catalogue, ranker: LinearRanker, depth: int
) -> None:
    catalogue = replace(crowded, ranker=ranker)
    projects = catalogue.projects.frame["project_id"].to_list()[::150]
    assert len(catalogue.candidates(projects[0])) == module.CANDIDATES
    mean, least = retrieval.recall(catalogue, projects, depth)
    assert mean >= 0.95
    assert least >= 0.85


def test_a_partner_of_similar_projects_is_retrieved_although_its_profile_is_empty(
    many: Facts, few_ranked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CANDIDATES", 300)
    known = many.deals.filter(pl.col("project_id") == many.projects["project_id"][0])["partner_id"][0]
    silent = many.partners.with_columns(
        pl.when(pl.col("partner_id") == known).then(None).otherwise("description").alias("description"),
        pl.when(pl.col("partner_id") == known).then(None).otherwise("isic").alias("isic"),
    )
    catalogue = synthetic.catalogue(
        Facts(
            projects=many.projects, partners=silent, deals=many.deals, footprint=many.footprint,
            reference=many.reference, as_of=many.as_of,
        ),
        by_experience(),
    )  # fmt: skip
    row = catalogue.partners.row_of[known]
    sector = many.projects["sector"][0]
    alike = many.projects.filter(pl.col("sector") == sector)["project_id"].to_list()[1:6]
    assert np.mean([row in catalogue.candidates(p) for p in alike]) >= 0.6


def test_everybody_is_ranked_below_the_size_where_retrieval_starts(many: Facts) -> None:
    catalogue = synthetic.catalogue(many, documented())
    project = many.projects["project_id"][7]
    assert np.array_equal(catalogue.candidates(project), np.arange(3000))
    ids, scores = catalogue.rank_all(project)
    best = [ids[i] for i in np.lexsort((np.arange(3000), -scores))[:20]]
    assert [m.partner_id for m in catalogue.match(Query(project_id=project), n=20).matches] == best


def test_the_bench_of_retrieval_tells_recall(reference: Reference, few_ranked: None) -> None:
    told = list(retrieval.measured(reference, partners=2200, deals=300, projects=2, seed=0))
    assert [next(name for name in retrieval.RANKERS if name in t.subject) for t in told] == [*retrieval.RANKERS]
    for timing in told:
        mean, least = timing.facts["recall@50"]
        assert 0.9 <= least <= mean <= 1.0


def test_the_bench_of_scoring_tells_an_exponent(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "DEALS", 200)
    (told,) = fit.scored(reference, (50, 2000), seed=0)
    assert -0.5 < told.facts["exponent"] < 1.5
    assert told.subject == "scoring 2000 candidates"


def test_the_bench_of_a_fit_measures_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "ROWS", 500)
    monkeypatch.setattr(fit, "ROUNDS", 2)
    told = fit.fitted(Path(DATA), deals=40, partners=30, seed=0, texts_per_second=50.0)
    assert told.facts["positive_deals"] == 40
    assert told.facts["partners"] == 30
    assert 0.05 < told.facts["before_gib"] <= told.facts["peak_gib"] < 4
    assert told.subject_seconds > 0
    assert told.facts["texts_per_second"] == 50.0
