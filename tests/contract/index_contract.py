"""What every Index keeps; a new one is tested by a subclass with `index` (six rows or more) and `queries`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from matcher.matching.retrieve import Index, fuse, top


class IndexContract:
    def test_one_finite_score_per_row(self, index: Index, queries: Sequence[Any]) -> None:
        sizes = {index.scores(q).shape for q in queries}
        assert len(sizes) == 1
        assert sizes.pop()[0] >= 6
        for q in queries:
            assert np.isfinite(index.scores(q)).all()
            assert index.scores(q).dtype == np.float32

    def test_the_same_query_gives_the_same_scores(self, index: Index, queries: Sequence[Any]) -> None:
        for q in queries:
            before = index.scores(q)
            for other in queries:
                index.scores(other)
            np.testing.assert_array_equal(index.scores(q), before)

    def test_the_best_rows_are_exact_under_any_mask(self, index: Index, queries: Sequence[Any]) -> None:
        rng = np.random.default_rng(11)
        for query in [*queries] * 20:
            scores = index.scores(query)
            allow = rng.random(scores.size) < rng.random()
            n = int(rng.integers(0, scores.size + 2))
            brute = sorted((r for r in range(scores.size) if allow[r]), key=lambda r: (-scores[r], r))[:n]
            assert top(scores, allow, n).tolist() == brute
            assert fuse([scores], allow, n).tolist() == brute
