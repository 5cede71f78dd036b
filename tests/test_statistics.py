import math
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.measures import Paired, holm, interval, intervals, paired, pooled_paired

Floats = npt.NDArray[np.float64]


def test_intervals_are_the_percentiles_of_the_means_of_resampled_queries() -> None:
    x = np.random.default_rng(1).random((131, 3))
    drawn = np.random.default_rng(5).integers(0, 131, (1000, 131))
    low, high = np.quantile(x[drawn].mean(axis=1), [0.025, 0.975], axis=0)
    assert intervals(x, seed=5) == pytest.approx(np.stack([x.mean(axis=0), low, high], axis=1), abs=1e-12)


@pytest.mark.parametrize("queries", [1, 2, 70, 30_000])
def test_blocks_of_resamples_do_not_show(queries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(1).random((queries, 2))
    whole = intervals(x, seed=3, resamples=50)
    monkeypatch.setattr("matcher.measures._CELLS", 1)
    assert intervals(x, seed=3, resamples=50) == pytest.approx(whole, abs=1e-12)


def test_each_column_has_the_interval_of_its_own_queries() -> None:
    rng = np.random.default_rng(2)
    x = rng.random((60, 5))
    x[:20, 1] = x[:20, 3] = np.nan
    x[50:, 2] = np.nan
    x[:, 4] = np.nan
    found = intervals(x, seed=9)
    for column in range(4):
        named = {f"p{i:02d}": v for i, v in enumerate(x[:, column].tolist()) if not math.isnan(v)}
        assert found[column] == pytest.approx(interval(named, seed=9), abs=1e-12)
    assert np.isnan(found[4]).all()
    assert np.isnan(intervals(np.zeros((0, 2)), seed=0)).all()
    assert intervals(np.zeros((3, 0)), seed=0).shape == (0, 3)


def test_95_of_100_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(3)
    found = intervals(rng.exponential(size=(200, 400)), seed=0)
    assert 0.9 < ((found[:, 1] <= 1) & (found[:, 2] >= 1)).mean() < 0.98


def test_a_pair_is_its_differences() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.random(90), rng.random(90)
    a[:5], b[3:9] = np.nan, np.nan
    found = paired(a, b, seed=6)
    kept = (a - b)[9:]
    assert (found.difference, found.low, found.high) == pytest.approx(intervals(kept[:, None], seed=6)[0], abs=1e-12)
    assert found.queries == 81
    assert found == paired(a, b, seed=6)
    assert found != paired(a, b, seed=7)


@settings(deadline=None)
@given(st.lists(st.sampled_from([-1.0, -0.5, -0.1, 0.0, 0.1, 0.2, 1 / 3, 1.0]), min_size=1, max_size=8))
def test_the_test_counts_the_signs_that_are_as_far_out(differences: list[float]) -> None:
    x = np.array(differences)
    sums = np.abs([np.dot(signs, x) for signs in product((-1, 1), repeat=len(x))])
    exact = (sums >= abs(x.sum()) - 1e-9).mean()
    assert paired(x, np.zeros(len(x)), seed=1, resamples=2).p == pytest.approx(exact, abs=0.025)


def test_swapping_the_two_turns_the_interval_over() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random(40), rng.random(40)
    there, back = paired(a, b, seed=0), paired(b, a, seed=0)
    assert (there.difference, there.low, there.high, there.p) == pytest.approx(
        (-back.difference, -back.high, -back.low, back.p), abs=1e-12
    )


def test_equal_runs_differ_by_nothing_and_a_clear_gain_is_found() -> None:
    x = np.random.default_rng(6).random(50)
    assert paired(x, x, seed=0) == Paired(difference=0.0, low=0.0, high=0.0, p=1.0, queries=50)
    clear = paired(x + 0.1, x, seed=0, flips=999)
    assert clear.p == 1 / 1000
    assert clear.low == pytest.approx(0.1)
    nothing = paired(np.full(3, np.nan), np.zeros(3), seed=0)
    assert nothing.queries == 0
    assert all(math.isnan(v) for v in (nothing.difference, nothing.low, nothing.high, nothing.p))


def test_without_a_difference_one_in_twenty_is_significant_and_most_intervals_hold_0() -> None:
    rng = np.random.default_rng(7)
    found = [paired(*rng.random((2, 25)).round(1), seed=s, resamples=200, flips=199) for s in range(600)]
    assert 0.025 < np.mean([f.p <= 0.05 for f in found]) < 0.075
    assert 0.88 < np.mean([f.low <= 0 <= f.high for f in found]) < 0.98


def test_pooling_weighs_queries_alike_and_resamples_within_each_dataset() -> None:
    rng = np.random.default_rng(8)
    one = (np.full(30, 0.9), np.zeros(30))
    other = (np.zeros(10), np.full(10, 0.1))
    found = pooled_paired([one, other], seed=0)
    assert found.difference == pytest.approx((30 * 0.9 - 10 * 0.1) / 40)
    assert found.queries == 40
    # Within each dataset all queries agree: drawn within them, there is nothing to vary.
    assert (found.low, found.high) == pytest.approx((found.difference, found.difference))
    mixed = np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])
    assert paired(*mixed, seed=0).high > found.high + 0.05
    a, b = rng.random((2, 30))
    nobody = (np.zeros(0), np.zeros(0))
    assert pooled_paired([nobody, (a, b), nobody], seed=3) == paired(a, b, seed=3)
    assert pooled_paired([], seed=0).queries == 0
    spread = pooled_paired([(rng.random(400), rng.random(400)), (rng.random(100), rng.random(100))], seed=0)
    expected = 2 * 1.96 * math.sqrt(2 / 12 / 500)
    assert spread.high - spread.low == pytest.approx(expected, rel=0.15)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02, math.nan, 0.03]) == pytest.approx([0.04, math.nan, 0.04], nan_ok=True)
    assert holm([0.7, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_only_raises_keeps_the_order_and_does_not_see_positions(p: list[float]) -> None:
    corrected = holm(p)
    assert all(value <= raised <= 1 for value, raised in zip(p, corrected, strict=True))
    assert sorted(range(len(p)), key=lambda i: (p[i], i)) == sorted(
        range(len(p)), key=lambda i: (corrected[i], p[i], i)
    )
    assert holm(p[::-1]) == corrected[::-1]
    assert all(raised <= value * len(p) or value == 0 for value, raised in zip(p, corrected, strict=True))
