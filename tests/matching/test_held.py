"""Held-out queries: what counts in a slice, when lists are no better than chance, and what a reason is worth."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_world import deal, facts

from matcher.matching import held as module
from matcher.matching.calibrate import Calibrator, Trial
from matcher.matching.features import NAMES
from matcher.matching.held import Held, ablation, bound, figures, reliability, slices, without
from matcher.matching.rank import Group, LinearRanker

PARTNERS = 40
QUERIES = 30
FIRST = NAMES.index("text_similarity")


@dataclass(frozen=True)
class ByColumn:
    """Scores are one feature; unknown is 0."""

    column: int = FIRST

    def score(self, x: Any) -> Any:
        return np.nan_to_num(x[:, self.column].astype(float))

    def contributions(self, x: Any) -> Any:
        raise NotImplementedError


def world() -> Any:
    """Thirty queries and forty partners; the first ten have a deal each, of which five are in Thailand."""
    projects = [
        {"project_id": f"a{i:02d}", "name_en": f"old {i}", "sector": "power", "status": "past",
         "country": "TH" if i < 5 else "VN"} for i in range(10)
    ] + [
        {"project_id": f"b{i:02d}", "name_en": f"new {i}", "sector": "power" if i < 15 else "metro",
         "country": "VN" if i < 20 else "KR", "status": "past"} for i in range(QUERIES)
    ]  # fmt: skip
    partners = [
        {"partner_id": f"q{i:02d}", "name": f"Q{i}", "kind": "bank" if i % 2 else "company"} for i in range(PARTNERS)
    ]
    deals = [deal(i, f"a{i:02d}", f"q{i:02d}", date(2015, 1, 1)) for i in range(10)]
    deals += [deal(50 + i, f"b{i:02d}", f"q{right(i):02d}", date(2021, 5, 1)) for i in range(QUERIES)]
    return facts(projects=projects, partners=partners, deals=deals, footprint=[])


def right(query: int) -> int:
    return (7 * query) % 20


def groups(how: Any) -> list[Group]:
    """One group per query; `how` (query, partner, rng) gives the one feature that a ranker reads."""
    rng = np.random.default_rng(0)
    out = []
    for i in range(QUERIES):
        x = np.full((PARTNERS, len(NAMES)), np.nan, dtype=np.float32)
        x[:, FIRST] = [how(i, q, rng) for q in range(PARTNERS)]
        y = (np.arange(PARTNERS) == right(i)).astype(np.int64)
        out.append(Group(query=f"b{i:02d}@2021", x=x, y=y, candidates=np.arange(PARTNERS)))
    return out


def perfect(query: int, partner: int, _rng: Any) -> float:
    return float(partner == right(query))


def random(_query: int, _partner: int, rng: Any) -> float:
    return float(rng.random())


def active(_query: int, partner: int, rng: Any) -> float:
    """Those who are ever right come first, whatever is asked."""
    return float(partner < 20) + 0.5 * float(rng.random())


def held(how: Any) -> Held:
    return Held.of(groups(how), ByColumn(), world())


@pytest.mark.parametrize(("how", "state"), [(perfect, "above"), (random, "random"), (active, "popularity")])
def test_lists_no_better_than_chance_are_told_apart(how: Any, state: str) -> None:
    told = bound(held(how), seed=0)
    assert told["state"] == state
    assert told["permutations"] == 200
    assert 0 < told["random"] <= 1
    assert 0 < told["dealt"] <= 1


@pytest.mark.parametrize("seed", range(5))
def test_a_perfect_order_is_above_chance_and_a_random_one_never_whatever_the_seed(seed: int) -> None:
    assert bound(held(perfect), seed=seed)["state"] == "above"
    assert bound(held(random), seed=seed)["state"] == "random"


def test_a_single_query_tells_nothing() -> None:
    assert bound(Held.of(groups(perfect)[:1], ByColumn(), world()), seed=0)["state"] == "untested"


def test_figures_stand_beside_popularity_and_chance() -> None:
    told = figures(held(perfect), seed=0)
    assert told["queries"] == told["answers"] == QUERIES
    assert told["candidates"] == PARTNERS
    assert told["measures"]["nDCG@10"] == [1.0, 1.0, 1.0]
    assert told["median_rank"] == [1.0, 1.0, 1.0]
    assert told["chance"]["R@10"] == pytest.approx(10 / PARTNERS)
    assert told["popularity"]["nDCG@10"][0] < 0.6
    difference, low, high = told["less_popularity"]
    assert 0 < low <= difference <= high


def test_what_was_known_on_the_day_decides_the_slice() -> None:
    made = held(perfect)
    assert set(made.days) == {date(2020, 12, 31)}
    assert (made.popularity[0] > 0).tolist() == [q < 10 for q in range(PARTNERS)]
    found = slices(made, seed=0)
    rights = [right(i) for i in range(QUERIES)]
    warm = sum(q < 10 for q in rights)
    assert found["warm"]["queries"] == warm
    assert found["cold_full_pool"]["queries"] == found["cold_pool"]["queries"] == QUERIES - warm
    assert found["warm"]["candidates"] == 10
    assert found["cold_pool"]["candidates"] == PARTNERS - 10
    # In Korea nobody had a deal, in Viet Nam partners 5 to 9 had one.
    new = sum(q < 10 and (i >= 20 or q < 5) for i, q in enumerate(rights))
    assert found["new_pairs"]["queries"] == new
    assert found["cold_host"]["queries"] == 10
    assert found["cold_sector"]["queries"] == 15
    assert found["kind:bank"]["answers"] + found["kind:company"]["answers"] == QUERIES
    thirds = [found[f"popularity_{third}"]["queries"] for third in ("low", "mid", "high")]
    assert sum(thirds) == warm


def test_a_query_of_unknown_host_and_sector_is_neither_cold_nor_new() -> None:
    known = world()
    unsaid = pl.col("project_id").str.starts_with("b2")
    nowhere = known.projects.with_columns(
        country=pl.when(unsaid).then(None).otherwise("country"), sector=pl.when(unsaid).then(None).otherwise("sector")
    )
    found = slices(Held.of(groups(perfect), ByColumn(), replace(known, projects=nowhere)), seed=0)
    assert found["cold_host"]["queries"] == 0
    assert found["cold_sector"]["queries"] == 5
    assert found["new_pairs"]["queries"] == sum(right(i) < 5 for i in range(20))


def test_a_slice_of_few_queries_is_not_enough() -> None:
    few = slices(Held.of(groups(perfect)[:9], ByColumn(), world()), seed=0)
    assert not any(told["enough"] for told in few.values())
    assert slices(held(perfect), seed=0)["cold_host"]["enough"]


def test_a_deal_of_the_asked_project_makes_nobody_warm() -> None:
    known = world()
    both = replace(known, deals=known.deals.extend(facts(deals=[deal(99, "b00", "q30", date(2019, 1, 1))]).deals))
    made = Held.of(groups(perfect), ByColumn(), both)
    assert made.popularity[0, 30] == 0
    assert made.popularity[1, 30] == 1


def test_a_reason_that_carries_the_order_is_worth_it_and_another_nothing() -> None:
    reasons = {"text": [FIRST], "other": [0]}
    found = {row["reason"]: row["worth"] for row in ablation(held(perfect), ByColumn(), reasons, seed=0)}
    assert found["text"][0] > 0.5
    assert found["text"][1] > 0
    assert found["other"] == [0.0, 0.0, 0.0]


def test_leaving_a_feature_out_leaves_the_groups_alone() -> None:
    before = groups(perfect)
    after = without(before, [FIRST])
    assert np.isnan(after[0].x[:, FIRST]).all()
    assert not np.isnan(before[0].x[:, FIRST]).any()


def test_an_ablation_of_many_candidates_takes_a_spread_of_the_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CELLS", 10 * PARTNERS)
    assert ablation(held(perfect), ByColumn(), {"text": [FIRST]}, seed=0)[0]["queries"] == 10


@dataclass(frozen=True)
class Always:
    """The same probability for everybody, or none."""

    p: float | None

    def values(self, scores: Any) -> Any:
        return np.full(scores.shape, self.p)

    def reason(self) -> Any:
        return None if self.p is not None else {"vi": "thiếu", "en": "few"}


@pytest.fixture
def trials() -> list[Trial]:
    rng = np.random.default_rng(1)
    made = []
    for number in range(200):
        scores = rng.normal(size=60)
        labels = (rng.random(60) < 1 / (1 + np.exp(3 - scores))).astype(np.int64)
        made.append(
            Trial(project=f"p{number}", as_of=date(2020, 12, 31), partners=np.arange(60), scores=scores, labels=labels)
        )
    return made


def test_probabilities_are_checked_on_queries_they_were_not_learned_from(trials: list[Trial]) -> None:
    learned: list[int] = []

    def fit(some: Any) -> Any:
        learned.append(len(some))
        return Calibrator.fit(some)

    told = reliability(trials, fit, seed=0)
    assert told is not None
    assert learned == [160] * 5
    assert told["pairs"] == 200 * 50
    assert told["predicted"] == pytest.approx(told["observed"], rel=0.1)
    assert told["brier_skill"][1] > 0
    assert [b[0] for b in told["bins"]] == sorted(b[0] for b in told["bins"])


def test_a_useless_probability_has_no_skill(trials: list[Trial]) -> None:
    told = reliability(trials, lambda _some: Always(0.5), seed=0)
    assert told is not None
    assert told["brier_skill"][0] < 0


def test_a_project_asked_twice_is_never_learned_from_and_checked_at_once(trials: list[Trial]) -> None:
    twice = [*trials[:40], *(replace(t, as_of=date(2021, 12, 31)) for t in trials[:40])]
    learned: list[set[str]] = []

    def fit(some: Any) -> Any:
        learned.append({t.project for t in some})
        assert len(some) == 2 * len(learned[-1])
        return Always(0.5)

    assert reliability(twice, fit, seed=0) is not None
    assert [len(names) for names in learned] == [32] * 5


def test_where_other_queries_give_no_probability_there_is_no_check(trials: list[Trial]) -> None:
    assert reliability(trials, lambda _some: Always(None), seed=0) is None
    assert reliability([], lambda _some: Always(0.5), seed=0) is None


def test_a_linear_ranker_can_be_asked_without_a_feature() -> None:
    weights = np.zeros(len(NAMES))
    weights[FIRST] = 1.0
    ranker = LinearRanker(weights=weights, neutral=np.zeros(len(NAMES)))
    found = ablation(Held.of(groups(perfect), ranker, world()), ranker, {"text": [FIRST]}, seed=0)
    assert found[0]["worth"][0] > 0.5
