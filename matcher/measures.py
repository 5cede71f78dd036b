"""The figures that fit and evaluation share, computed by ir_measures; ties fall to the smaller identifier."""

from collections.abc import Mapping

import ir_measures
import numpy as np

Run = Mapping[str, Mapping[str, float]]
Qrels = Mapping[str, Mapping[str, int]]


def per_query(qrels: Qrels, run: Run, measure: str) -> dict[str, float]:
    """Value of one measure, such as 'nDCG@10', for every query that has a relevant candidate.

    Args:
        qrels: query -> candidate -> relevance (> 0 is relevant).
        run: query -> candidate -> score. A query missing here scores 0.

    Returns:
        query -> value in [0, 1].
    """
    # trec_eval breaks ties by descending identifier: replace scores by ranks, so that ours hold.
    ranked = {}
    for query, scores in run.items():
        order = sorted(scores, key=lambda c: (-scores[c], c))
        ranked[query] = {c: float(len(order) - i) for i, c in enumerate(order)}
    wanted = {q: dict(c) for q, c in qrels.items() if any(v > 0 for v in c.values())}
    values = {
        m.query_id: float(m.value) for m in ir_measures.iter_calc([ir_measures.parse_measure(measure)], wanted, ranked)
    }
    return {q: values.get(q, 0.0) for q in sorted(wanted)}


def interval(values: Mapping[str, float], *, seed: int, resamples: int = 1000) -> tuple[float, float, float]:
    """Mean over queries with its 95 % bootstrap interval: (mean, low, high); NaN without queries."""
    x = np.array([values[q] for q in sorted(values)])
    if not x.size:
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = x[rng.integers(0, x.size, (resamples, x.size))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(x.mean()), float(low), float(high)
