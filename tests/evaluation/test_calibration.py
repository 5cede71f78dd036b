"""Bins, intervals, Brier score and abstention: by hand, by law, and on data that are calibrated by construction."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from evaluation.calibration import abstention, binomial, equal_mass, reliability
from evaluation.results import Reliability


def all_of(predicted: np.ndarray, hit: np.ndarray, query: np.ndarray | None = None, **more: int) -> Reliability:
    query = np.arange(predicted.size) if query is None else query
    everything = {"full": np.ones(predicted.size, dtype=bool)}
    return reliability(predicted, hit.astype(bool), query, everything, **{"seed": 1, "resamples": 200, **more})[0]


@pytest.mark.parametrize(
    ("values", "parts", "expected"),
    [
        ([1, 2, 3, 4, 5, 6], 3, [0, 0, 1, 1, 2, 2]),
        ([6, 5, 4, 3, 2, 1], 3, [2, 2, 1, 1, 0, 0]),
        ([1, 1, 1, 2, 3, 3], 3, [0, 0, 0, 1, 2, 2]),
        ([0, 0, 0, 0, 0, 0, 0, 0, 1, 2], 5, [2, 2, 2, 2, 2, 2, 2, 2, 4, 4]),  # four fifths: the room of four parts
        ([7, 7, 7], 5, [2, 2, 2]),
        ([7], 5, [2]),
        ([], 5, []),
    ],
)
def test_equal_mass_by_hand(values: list[int], parts: int, expected: list[int]) -> None:
    assert equal_mass(np.array(values, dtype=np.int64), parts).tolist() == expected


def test_parts_of_other_values() -> None:
    found = equal_mass(np.array([0, 1, 5, 9, 99]), 3, among=np.array([1, 1, 5, 5, 9, 9]))
    assert found.tolist() == [0, 0, 1, 2, 2]


@given(st.lists(st.sampled_from(np.linspace(0, 1, 30).tolist()), max_size=80), st.integers(1, 8))
def test_equal_values_share_a_part_and_parts_ascend(values: list[float], parts: int) -> None:
    x = np.array(values, dtype=np.float64)
    part = equal_mass(x, parts)
    assert ((part >= 0) & (part < parts)).all()
    order = np.argsort(x, kind="stable")
    assert (np.diff(part[order]) >= 0).all()
    assert len({(v, p) for v, p in zip(x.tolist(), part.tolist(), strict=True)}) == len(set(values))


@given(st.integers(5, 300), st.integers(1, 5))
def test_distinct_values_spread_evenly(n: int, parts: int) -> None:
    sizes = np.bincount(equal_mass(np.arange(n), parts), minlength=parts)
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (3, 10), (1, 500), (250, 500), (0, 1), (1, 1)])
def test_the_binomial_interval_is_the_exact_one(k: int, n: int) -> None:
    low, high = binomial(np.array([k]), np.array([n]))
    exact = binomtest(k, n).proportion_ci(0.95, method="exact")
    assert (low[0], high[0]) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_by_hand() -> None:
    predicted = np.array([0.1, 0.1, 0.1, 0.1, 0.8, 0.8, 0.8, 0.8])
    hit = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    found = all_of(predicted, hit, bins=2)
    assert [(b.predicted, b.observed, b.pairs, b.positives) for b in found.bins] == [
        (pytest.approx(0.1), 0.25, 4, 1), (pytest.approx(0.8), 0.75, 4, 3),
    ]  # fmt: skip
    brier = (3 * 0.01 + 0.81 + 3 * 0.04 + 0.64) / 8
    assert found.brier == pytest.approx(brier)
    assert found.reliability == pytest.approx((0.15**2 + 0.05**2) / 2)
    assert found.resolution == pytest.approx(0.25**2)
    assert found.uncertainty == pytest.approx(0.25)
    # One probability per bin: nothing is left inside the bins.
    assert found.brier == pytest.approx(found.reliability - found.resolution + found.uncertainty)
    assert found.brier_skill[0] == pytest.approx(1 - brier / 0.25)
    assert found.ratio == pytest.approx(4 / 3.6)
    assert (found.pairs, found.positives) == (8, 4)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 200), st.integers(1, 8), st.integers(0, 1000), st.booleans())
def test_the_decomposition_adds_up_with_what_varies_inside_the_bins(n: int, bins: int, seed: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    p = rng.choice([0.0, 0.1, 0.5], n) if tied else rng.random(n)
    y = (rng.random(n) < 0.3).astype(float)
    found = all_of(p, y, bins=bins, resamples=5)
    part = equal_mass(p, bins)
    variance = covariance = 0.0
    for k in np.unique(part):
        inside = part == k
        away, luck = p[inside] - p[inside].mean(), y[inside] - y[inside].mean()
        variance += float((away**2).sum()) / n
        covariance += float((away * luck).sum()) / n
    three = found.reliability - found.resolution + found.uncertainty
    assert found.brier == pytest.approx(three + variance - 2 * covariance)
    assert sum(b.pairs for b in found.bins) == n
    assert sum(b.positives for b in found.bins) == y.sum() == found.positives
    assert len({b.predicted for b in found.bins}) == len(found.bins) <= bins
    assert all(b.low <= b.observed <= b.high for b in found.bins)
    assert min(found.reliability, found.resolution, found.uncertainty) >= 0


def test_calibrated_forecasts_lie_in_the_intervals() -> None:
    """Of five bins in two hundred simulated sets, about 95 % hold their mean forecast."""
    rng = np.random.default_rng(7)
    inside, ratios = [], []
    for _ in range(200):
        p = rng.beta(0.5, 8, 1000)
        found = all_of(p, rng.random(1000) < p, resamples=2)
        inside += [b.low <= b.predicted <= b.high for b in found.bins]
        ratios.append(found.ratio)
        assert len(found.bins) == 5
    assert 0.94 <= np.mean(inside) <= 0.99
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)


def test_twice_too_confident_forecasts_do_not() -> None:
    rng = np.random.default_rng(7)
    p = rng.uniform(0.1, 0.4, 5000)
    found = all_of(2 * p, rng.random(5000) < p)
    assert not any(b.low <= b.predicted <= b.high for b in found.bins)
    assert found.ratio == pytest.approx(0.5, abs=0.03)
    assert found.brier_skill[2] < 0


def test_skill_is_1_when_all_was_known_and_0_for_the_base_rate() -> None:
    hit = np.arange(40) % 4 == 0
    assert all_of(hit.astype(float), hit).brier_skill == (1, 1, 1)
    base = all_of(np.full(40, 0.25), hit)
    assert base.brier_skill[0] == pytest.approx(0)
    assert base.brier_skill[1] < 0
    assert len(base.bins) == 1


def test_the_skill_interval_resamples_queries() -> None:
    """Ten queries of a hundred like pairs say less than a thousand queries of one."""
    rng = np.random.default_rng(3)
    level = np.repeat(rng.choice([0.1, 0.6], 10), 100)
    hit = rng.random(1000) < np.repeat(rng.choice([0.1, 0.6], 10), 100)
    together = all_of(level, hit, np.repeat(np.arange(10), 100), resamples=1000).brier_skill
    apart = all_of(level, hit, resamples=1000).brier_skill
    assert together[0] == pytest.approx(apart[0])
    assert together[2] - together[1] > 2 * (apart[2] - apart[1])
    assert together[1] < together[0] < together[2]


def test_the_skill_interval_covers() -> None:
    rng = np.random.default_rng(11)
    truth = 1 - np.mean([0.1 * 0.9, 0.5 * 0.5]) / (
        0.3 * 0.7
    )  # of forecasts .1 and .5, each half of the time, calibrated
    inside = []
    for _ in range(200):
        p = np.repeat(rng.choice([0.1, 0.5], 300), 2)
        _, low, high = all_of(p, rng.random(600) < p, np.repeat(np.arange(300), 2), resamples=200).brier_skill
        inside.append(low <= truth <= high)
    assert 0.89 <= np.mean(inside) <= 0.99


@pytest.mark.parametrize("value", [False, True])
def test_without_both_outcomes_there_is_no_skill(value: bool) -> None:
    found = all_of(np.full(5, 0.2), np.full(5, value))
    assert all(math.isnan(v) for v in found.brier_skill)
    assert found.uncertainty == 0
    assert found.ratio == pytest.approx(5.0 if value else 0.0)


def test_one_positive_has_a_skill_interval_of_the_resamples_that_have_it() -> None:
    found = all_of(np.array([0.9, 0.1, 0.1]), np.array([True, False, False]))
    assert not any(math.isnan(v) for v in found.brier_skill)
    assert math.isnan(all_of(np.zeros(3), np.array([True, False, False])).ratio)


def test_slices_are_cut_from_the_pairs() -> None:
    p, hit = np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, True, False, True])
    cut = {"none": np.zeros(4, dtype=bool), "some": np.array([True, True, False, False]), "all": np.ones(4, dtype=bool)}
    found = reliability(p, hit, np.array([0, 0, 1, 1]), cut, seed=1, resamples=10)
    assert [(r.slice, r.pairs, r.positives) for r in found] == [("some", 2, 1), ("all", 4, 2)]
    assert found[0].brier == pytest.approx((0.01 + 0.64) / 2)
    again = reliability(p, hit, np.array([0, 0, 1, 1]), cut, seed=1, resamples=10)
    assert again == found


def test_abstention_by_hand() -> None:
    confidence = np.array([0.2, np.nan, 0.9, 0.2, 0.5])
    quality = np.array([0.4, 0.0, 1.0, 0.1, np.nan])
    # Left out: the last. Answered: .9, then both .2 in their order, then the one without a probability.
    assert abstention(confidence, quality, points=4) == (
        (0.25, pytest.approx(1.0)), (0.5, pytest.approx(0.7)), (0.75, pytest.approx(0.5)), (1.0, pytest.approx(0.375)),
    )  # fmt: skip
    assert [s for s, _ in abstention(confidence, quality)] == [0.25, 0.5, 0.75, 1.0]
    assert abstention(np.zeros(0), np.zeros(0)) == ()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_knowing_the_quality_makes_the_curve_fall_to_the_mean(quality: list[float]) -> None:
    x = np.array(quality)
    curve = abstention(x, x)
    shares, means = zip(*curve, strict=True)
    assert list(shares) == sorted(set(shares))
    assert len(curve) == min(10, x.size)
    assert all(a >= b - 1e-12 for a, b in pairwise(means))
    assert curve[-1] == (1.0, pytest.approx(x.mean()))
