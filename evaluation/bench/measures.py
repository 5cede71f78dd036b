"""What intervals and tests cost beside the measures themselves, and those beside ir_measures."""

from collections.abc import Iterator
from pathlib import Path

import ir_measures
import numpy as np

from evaluation.bench import Timing, against
from evaluation.results import MEASURES
from matcher.measures import Floats, Ranking, intervals, judge, paired, values

QUERIES, CANDIDATES, DEPTH, RESAMPLES = 10_000, 3_000, 1_000, 1_000
FEW = 1_000
"""Queries that ir_measures is asked about: its lists are dictionaries, and 10,000 of them take gigabytes."""


def run(_data_dir: Path, seed: int) -> Iterator[Timing]:
    """On made rankings with one to four answers a query. The claim: a bootstrap costs less than twice the measures.

    Measures are taken from rankings and answers as arrays (`judge` and `values`), which is the dearer baseline to
    be measured against: making the rankings, or the same by ir_measures, takes far longer.
    """
    rng = np.random.default_rng(seed)
    relevant = np.zeros((QUERIES, CANDIDATES), dtype=np.bool_)
    for nth in range(4):
        relevant[np.arange(QUERIES), rng.integers(0, CANDIDATES, QUERIES)] |= rng.random(QUERIES) < 1 / (nth + 1)
    scores = rng.random((QUERIES, CANDIDATES), dtype=np.float32) + relevant * rng.random(QUERIES)[:, None] / 2
    queries, candidates = (tuple(f"{p}{i:05d}" for i in range(n)) for p, n in (("p", QUERIES), ("q", CANDIDATES)))
    ranking = Ranking.of_scores(queries, candidates, scores, depth=DEPTH)

    def measured() -> Floats:
        judged = judge(ranking, relevant)
        return np.stack([values(judged, m) for m in MEASURES], axis=1)

    matrix = measured()
    other = np.roll(matrix[:, 0], 1)
    once = (f"{len(MEASURES)} measures computed once", measured)
    facts = {"queries": QUERIES, "depth": DEPTH, "resamples": RESAMPLES, "measures": ", ".join(MEASURES)}
    yield against(
        (f"bootstrap of {len(MEASURES)} measures", lambda: intervals(matrix, seed=seed, resamples=RESAMPLES)),
        once,
        turns=7,
        **facts,
    )
    yield against(
        ("bootstrap of 1 measure", lambda: intervals(matrix[:, :1], seed=seed, resamples=RESAMPLES)),
        once,
        turns=7,
        **facts,
    )
    yield against(
        ("paired bootstrap and 10,000 sign flips", lambda: paired(matrix[:, 0], other, seed=seed)),
        once,
        turns=7,
        flips=10_000,
        **facts,
    )
    few = Ranking(
        queries=queries[:FEW], candidates=candidates, places=ranking.places[:FEW], scores=ranking.scores[:FEW]
    )
    listed = few.to_run()
    answers = {q: {candidates[c]: 1 for c in np.flatnonzero(relevant[i])} for i, q in enumerate(few.queries)}
    wanted = [ir_measures.parse_measure(m) for m in MEASURES]

    def mine() -> None:
        judged = judge(few, relevant[:FEW])
        for measure in MEASURES:
            values(judged, measure)

    yield against(
        ("measures from arrays", mine),
        ("ir_measures on the same lists", lambda: list(ir_measures.iter_calc(wanted, answers, listed))),
        queries=FEW, depth=DEPTH, measures=", ".join(MEASURES),
    )  # fmt: skip
