"""The contract of every baseline, on a small data set; and that a world keeps to what was known."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from small_dataset import SPLIT_ON, write_small
from small_world import BagEncoder

from evaluation import baselines, datasets
from evaluation.baselines import BASELINES, Baseline, World, years_before
from evaluation.datasets import Dataset
from matcher.errors import InputError
from matcher.matching.simple import SIMPLE
from matcher.records import Reference

EACH = pytest.mark.parametrize("baseline", BASELINES, ids=[b.name for b in BASELINES])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return datasets.blind(datasets.read(write_small(tmp_path_factory.mktemp("baselines") / "small")))


@pytest.fixture(scope="module")
def world(dataset: Dataset, real_reference: Reference) -> World:
    return World(dataset, real_reference, BagEncoder())


@pytest.fixture(scope="module")
def fewer(dataset: Dataset, real_reference: Reference) -> World:
    """The same set without its answers and without its first two queries."""
    gone = list(dataset.queries[:2])
    without = replace(
        dataset, qrels=None, queries=dataset.queries[2:],
        projects=dataset.projects.filter(~pl.col("project_id").is_in(gone)),
    )  # fmt: skip
    return World(without, real_reference, BagEncoder())


def test_every_kind_of_baseline_is_there_under_a_name_of_its_own() -> None:
    names = [b.name for b in BASELINES]
    assert len(set(names)) == len(names)
    assert names[0] == "random"
    assert set(SIMPLE) | {"rrf_tuned", "logistic", "hgb_basic"} < set(names)


@EACH
def test_scores_are_finite_and_repeat_for_a_seed(baseline: Baseline, world: World) -> None:
    scores = baseline.rank(world, seed=3)
    assert scores.shape == (len(world.dataset.queries), world.partners.frame.height)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert (scores == baseline.rank(world, seed=3)).all()
    assert baseline.about.endswith(".")


@EACH
def test_answers_and_other_queries_change_nothing(baseline: Baseline, world: World, fewer: World) -> None:
    assert baseline.rank(world, seed=0)[2:] == pytest.approx(baseline.rank(fewer, seed=0), abs=1e-6)


@EACH
def test_a_partner_without_a_deal_is_never_preferred(baseline: Baseline, world: World) -> None:
    if baseline.name == "random":
        return
    scores = baseline.rank(world, seed=0)
    warm = world.at_split.warm
    assert not warm.all()
    assert (scores[:, ~warm] == 0).all()
    assert (scores[:, warm] > 0).all()


def test_every_query_has_a_random_order_of_its_own(world: World) -> None:
    one, two = (baselines.Random().rank(world, seed=s) for s in (0, 1))
    assert not (one[0] == one[1]).any()
    assert not (one == two).any()


def test_partners_keep_to_their_sectors_and_baselines_find_out(world: World) -> None:
    """Partners of the small set keep to sectors: knowing the sector must beat not knowing it."""
    relevant = np.zeros((len(world.rows), world.partners.frame.height), dtype=bool)
    for i, query in enumerate(world.dataset.queries):
        for partner in (world.dataset.qrels or {})[query]:
            relevant[i, world.partners.row_of[partner]] = True
    relevant &= world.at_split.warm

    def mean_rank(name: str) -> float:
        scores = next(b for b in BASELINES if b.name == name).rank(world, seed=0)
        order = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
        return float(order[relevant].mean())

    assert mean_rank("rrf_tuned") < mean_rank("pop") < mean_rank("random") + 3


def test_what_is_chosen_and_learnt_comes_from_before_the_split(world: World) -> None:
    asked = set(world.rows)
    windows = [*world.periods, *world.origins()]
    assert len(windows) > 3
    for window in windows:
        assert window.snapshot.history.as_of <= years_before(SPLIT_ON, baselines.HORIZON_YEARS)
        assert not asked & set(window.labels)
        known = set(window.snapshot.pair_project.tolist())
        assert not known & set(window.labels)


def test_periods_follow_each_other_until_there_are_queries_enough(
    world: World, monkeypatch: pytest.MonkeyPatch, dataset: Dataset, real_reference: Reference
) -> None:
    days = [w.snapshot.history.as_of for w in world.periods]
    assert days == [years_before(SPLIT_ON, 2 * (i + 1)) for i in range(len(days))]
    monkeypatch.setattr(baselines, "MIN_QUERIES", 1)
    assert len(World(dataset, real_reference, BagEncoder()).periods) == 1


def test_without_a_past_the_learners_fall_back(dataset: Dataset, real_reference: Reference) -> None:
    late = dataset.deals.with_columns(pl.lit(date(2016, 6, 1)).alias("closed_on"))
    world = World(replace(dataset, deals=late), real_reference, BagEncoder())
    learnt = next(b for b in BASELINES if b.name == "logistic").rank(world, seed=0)
    assert (learnt == baselines.Simple("sector_host_backoff").rank(world, seed=0)).all()


def test_a_leap_day_has_an_anniversary() -> None:
    assert years_before(date(2020, 2, 29), 1) == date(2019, 2, 28)


def test_a_set_without_a_split_is_refused(tmp_path: Path, real_reference: Reference) -> None:
    texts = datasets.read(write_small(tmp_path / "texts", deals=False))
    with pytest.raises(InputError, match="split_on"):
        World(texts, real_reference, BagEncoder())
