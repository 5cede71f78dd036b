"""Tests of honesty: what they change, what they keep, their bounds, and when they fail."""

from dataclasses import replace
from pathlib import Path

import ir_measures
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_dataset import write_small

from evaluation import checks, datasets, slices
from evaluation.datasets import Dataset
from evaluation.results import Scored
from matcher.measures import Ranking
from matcher.records import Reference


@pytest.fixture
def dataset(small: Path) -> Dataset:
    return datasets.blind(datasets.read(small))


def counts(frame: pl.DataFrame) -> list[int]:
    return sorted(frame.group_by("partner_id").len()["len"].to_list())


def test_relabelling_moves_everything_known_and_no_answer(dataset: Dataset) -> None:
    other = checks.relabelled(dataset, seed=0)
    assert other.qrels == dataset.qrels
    assert other.queries == dataset.queries
    assert other.digest != dataset.digest
    assert other.partners["partner_id"].equals(dataset.partners["partner_id"])
    assert counts(other.deals) == counts(dataset.train)
    name_of = [dict(d.partners.select("partner_id", "name").iter_rows()) for d in (dataset, other)]
    told = [
        d.deals.with_columns(pl.col("partner_id").replace_strict(names)).sort("project_id", "partner_id", "role")
        for d, names in zip((dataset, other), name_of, strict=True)
    ]
    assert_frame_equal(*told)  # the same investors closed the same deals under other identifiers
    warm = set(dataset.train["partner_id"])
    moved = sum(name_of[0][q] != name_of[1][q] for q in warm)
    assert moved > len(warm) / 2
    assert all(name_of[0][q] == name_of[1][q] for q in name_of[0] if q not in warm)


def test_relabelling_is_of_the_seed(dataset: Dataset) -> None:
    one, again, other = (checks.relabelled(dataset, seed=s) for s in (3, 3, 4))
    assert_frame_equal(one.deals, again.deals)
    assert one.digest == again.digest
    assert not one.deals.equals(other.deals)
    assert one.digest != other.digest


def test_the_full_form_is_relabelled_without_its_answers(small: Path) -> None:
    full = datasets.read(small)
    other = checks.relabelled(full, seed=0)
    assert other.deals.height == full.train.height < full.deals.height
    assert other.train.height == full.train.height


def test_names_are_masked_where_they_stand(dataset: Dataset) -> None:
    told = {"Công ty Sông Hồng": "SÔNG HỒNG builds; công ty song-hong", "GIC": "GIC of Singapore", "Al Baraka": None,
            "Nhà Xanh Group": "group of the blue house, nha"}  # fmt: skip
    partners = dataset.partners.head(len(told)).with_columns(
        name=pl.Series(list(told)), description=pl.Series(list(told.values()))
    )
    masked = checks.masked_names(replace(dataset, partners=partners))
    a, b, _, d = ids = partners["partner_id"].to_list()
    assert masked.partners["name"].to_list() == ids
    assert masked.partners["description"].to_list() == [
        f"{a} {a} builds; {a} ty {a}-{a}", f"{b} of Singapore", None, f"{d} of the blue house, nha",
    ]  # fmt: skip
    assert masked.digest != dataset.digest
    assert_frame_equal(masked.partners.drop("name", "description"), partners.drop("name", "description"))


def test_chance_is_popularity_under_permuted_counts(dataset: Dataset) -> None:
    """The bounds against ir_measures, one permutation at a time."""
    count = dict(dataset.train.select("partner_id", "project_id").unique().group_by("partner_id").len().iter_rows())
    warm = sorted(count)
    assert dataset.qrels is not None
    qrels = {q: dict.fromkeys(sorted(found & set(warm)), 1) for q, found in dataset.qrels.items() if found & set(warm)}
    rng = np.random.default_rng([5, 2])
    means = []
    for _ in range(7):
        shuffled = np.array([count[q] for q in warm])[rng.permutation(len(warm))]
        # One number for popularity and identifier: ir_measures breaks ties its own way.
        run = {x: float(c) - i / 1000 for i, (x, c) in enumerate(zip(warm, shuffled, strict=True))}
        found = ir_measures.calc_aggregate([ir_measures.nDCG @ 10], qrels, dict.fromkeys(qrels, run))
        means.append(found[ir_measures.nDCG @ 10])
    low, high = checks.chance(dataset, seed=5, relabellings=7)
    assert (low, high) == pytest.approx((min(means), max(means)), abs=1e-9)
    assert checks.chance(dataset, seed=5, relabellings=7) == (low, high)
    wide = checks.chance(dataset, seed=5)
    assert wide[0] <= low < high <= wide[1]


def test_nothing_to_find_has_no_chance(dataset: Dataset) -> None:
    cold = set(dataset.partners["partner_id"]) - set(dataset.train["partner_id"])
    assert dataset.qrels is not None
    only_cold = {q: found & cold for q, found in dataset.qrels.items()}
    assert checks.chance(replace(dataset, qrels=only_cold), seed=0) == (0.0, 0.0)
    assert checks.chance(replace(dataset, qrels=None), seed=0) == (0.0, 0.0)


def scored(dataset: Dataset, reference: Reference, share: float) -> Scored:
    """A run that knows this share of the answers."""
    assert dataset.qrels is not None
    ids = dataset.partners["partner_id"].to_list()
    rng = np.random.default_rng(0)
    values = np.array([
        [float(c in dataset.qrels[q]) * (rng.random() < share) - (c not in dataset.qrels[q]) * share for c in ids]
        for q in dataset.queries
    ])  # fmt: skip
    ranking = Ranking.of_scores(dataset.queries, ids, values)
    return slices.score(dataset, reference, ranking, run="x", seed=0, resamples=10)


def test_above_chance_and_a_changed_quality_fail(dataset: Dataset, real_reference: Reference) -> None:
    knows, guesses = scored(dataset, real_reference, 1.0), scored(dataset, real_reference, 0.0)
    bounds = checks.chance(dataset, seed=0)
    assert not checks.at_chance(knows, bounds).passed
    assert checks.at_chance(knows, bounds).value == pytest.approx(1.0)
    assert checks.at_chance(guesses, bounds).passed
    assert checks.unnamed(knows, knows).passed
    assert not checks.unnamed(knows, guesses).passed
    assert not checks.unnamed(guesses, knows).passed
    none = scored(replace(dataset, qrels=dict.fromkeys(dataset.queries, frozenset())), real_reference, 0.0)
    assert checks.at_chance(none, (0.0, 0.0)).passed
    assert checks.unnamed(none, none).passed


def test_projects_told_again_are_counted(dataset: Dataset) -> None:
    assert checks.across_the_split(dataset).value == 0.0
    first = dataset.train["project_id"][0]
    told = dataset.projects.row(by_predicate=pl.col("project_id") == first, named=True)
    again = {c: told[c] for c in ("name", "country", "value_usd", "description")}

    def repeated(change: dict[str, object], times: int = 1) -> Dataset:
        copy = {**again, **change}
        is_copy = pl.col("project_id").is_in(dataset.queries[:times])
        return replace(dataset, projects=dataset.projects.with_columns(
            pl.when(is_copy).then(pl.lit(v, dataset.projects.schema[c])).otherwise(pl.col(c)).alias(c)
            for c, v in copy.items()
        ))  # fmt: skip

    n = len(dataset.queries)
    found = checks.across_the_split(repeated({}))
    assert found.value == pytest.approx(1 / n)
    assert f"1 of {n}" in found.note
    assert not checks.across_the_split(repeated({}, times=n)).passed
    assert checks.across_the_split(repeated({"name": str(again["name"]).upper()})).value == pytest.approx(1 / n)
    for other in ({"name": "another"}, {"country": "LA"}, {"value_usd": 7.0}, {"description": "else"}):
        assert checks.across_the_split(repeated(other)).value == 0.0


def test_unknown_values_and_texts_are_alike(tmp_path: Path) -> None:
    """Two projects of which nothing but name and host is known are the same one."""
    folder = write_small(tmp_path / "bare", without=("projects.description", "projects.value_usd"))
    dataset = datasets.blind(datasets.read(folder))
    projects = dataset.projects.with_columns(name=pl.lit("Nhà máy"), country=pl.lit("VN"))
    assert checks.across_the_split(replace(dataset, projects=projects)).value == 1.0
