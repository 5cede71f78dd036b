"""What every Ranker keeps; a new one is tested by a subclass with a `ranker` fixture over all features."""

from pathlib import Path

import numpy as np
import pytest

from matcher.matching import rank
from matcher.matching.features import FEATURES, NAMES
from matcher.matching.rank import BoostedRanker, LinearRanker


def rows(n: int = 400, *, unknown: float = 0.4, seed: int = 3) -> np.ndarray:
    """Feature rows with gaps, beyond the usual range too."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.4, 0.6, (n, len(NAMES)))
    x[rng.random(x.shape) < unknown] = np.nan
    return x


class RankerContract:
    def test_contributions_and_base_sum_to_the_score(self, ranker: LinearRanker | BoostedRanker) -> None:
        for unknown in (0.0, 0.4, 1.0):
            x = rows(unknown=unknown)
            parts = ranker.contributions(x)
            assert parts.shape == (x.shape[0], len(NAMES) + 1)
            np.testing.assert_allclose(parts.sum(axis=1), ranker.score(x), atol=1e-9, rtol=0)

    def test_scores_are_finite_whatever_is_unknown(self, ranker: LinearRanker | BoostedRanker) -> None:
        assert np.isfinite(ranker.score(rows(unknown=1.0))).all()
        assert ranker.score(np.zeros((0, len(NAMES)))).shape == (0,)
        assert ranker.contributions(np.zeros((0, len(NAMES)))).shape == (0, len(NAMES) + 1)

    def test_a_score_does_not_depend_on_its_neighbours(self, ranker: LinearRanker | BoostedRanker) -> None:
        x = rows()
        order = np.random.default_rng(0).permutation(x.shape[0])
        np.testing.assert_array_equal(ranker.score(x[order]), ranker.score(x)[order])
        np.testing.assert_allclose([ranker.score(r[None, :])[0] for r in x[:40]], ranker.score(x)[:40], atol=1e-12)

    def test_an_unknown_feature_counts_as_its_neutral_value(self, ranker: LinearRanker | BoostedRanker) -> None:
        x = rows()
        neutral = np.array([f.neutral for f in FEATURES])
        np.testing.assert_allclose(ranker.score(np.where(np.isnan(x), neutral, x)), ranker.score(x), atol=1e-12)

    @pytest.mark.parametrize("column", range(len(NAMES)), ids=NAMES)
    def test_more_is_never_worse_where_that_is_certain(self, ranker: LinearRanker | BoostedRanker, column: int) -> None:
        if not FEATURES[column].monotone:
            pytest.skip("not a monotone feature")
        x = rows(unknown=0.2)[:60]
        ladder = []
        for value in np.linspace(-1.0, 2.0, 13):
            x[:, column] = value
            ladder.append(ranker.score(x))
        assert (np.diff(np.array(ladder), axis=0) >= -1e-12).all()

    def test_a_saved_ranker_scores_the_same(self, ranker: LinearRanker | BoostedRanker, tmp_path: Path) -> None:
        again = rank.load(tmp_path, rank.save(ranker, tmp_path))
        assert type(again) is type(ranker)
        np.testing.assert_array_equal(again.score(rows()), ranker.score(rows()))
        np.testing.assert_array_equal(again.contributions(rows()), ranker.contributions(rows()))
