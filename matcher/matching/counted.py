"""Learners on a dozen counts: logistic regression and gradient boosting, taught by what earlier periods brought."""

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

from matcher.matching.sides import Floats, Ints
from matcher.matching.simple import HALF_LIFE_YEARS, SIMPLE
from matcher.matching.snapshot import Snapshot
from matcher.matching.windows import Window, spread

SHORT_HALF_LIFE_YEARS = 1.5

COUNTS = (
    "pop", "recent_pop", "very_recent_pop", "sector", "sector_recent", "place", "place_recent", "sector_and_place",
    "sector_host_backoff", "attr_knn_recent", "tfidf_knn", "dense_knn",
)  # fmt: skip
"""The counts, in the order of columns."""

NEGATIVES = 60
"""Partners without a deal per query that teach: half of them those that the counts prefer, half drawn at random.

The drawn ones stand for all that were not, or the learner would take a high count for a sign against a partner.
"""

CANDIDATES = 500
"""Partners per list of the counts that are scored by the learner; the others follow them."""


def counts(snapshot: Snapshot, project: int) -> Floats:
    """Every count for every partner, shape (n_partners, len(COUNTS)), >= 0; larger speaks for the partner.

    Numbers of deals are log(1 + n); neighbours' votes lie in [0, 1.001]; the share of the back-off is taken relative
    to the largest.
    """
    ones = np.ones(snapshot.n_projects)
    sector, place = snapshot.same("sector", project), snapshot.same(snapshot.place, project)

    def votes(weights: Any, half_life: float | None = None) -> Floats:
        return np.log1p(snapshot.votes(weights, project=project, half_life=half_life))

    share = SIMPLE["sector_host_backoff"](snapshot, project)
    return np.column_stack([
        votes(ones), votes(ones, HALF_LIFE_YEARS), votes(ones, SHORT_HALF_LIFE_YEARS),
        votes(sector), votes(sector, HALF_LIFE_YEARS), votes(place), votes(place, HALF_LIFE_YEARS),
        votes(sector & place), share / (float(share.max(initial=0.0)) or 1.0),
        *(SIMPLE[name](snapshot, project) for name in COUNTS[9:]),
    ])  # fmt: skip


class Learner(Protocol):
    """What scikit-learn's classifiers offer."""

    def fit(self, x: Floats, y: Ints, sample_weight: Floats) -> Any:
        """Learns from rows, labels 0 and 1, and how many pairs each row stands for."""
        ...

    def predict_proba(self, x: Floats) -> Floats:
        """Probabilities of both labels, shape (n, 2)."""
        ...


def taught(learner: Learner, windows: Iterable[Window], *, limit: int, rng: np.random.Generator) -> bool:
    """Fits a learner on the pairs of earlier periods; False, and nothing done, without pairs of both kinds.

    Args:
        limit: queries taken of each period, evenly spread.
    """
    rows: list[Floats] = []
    labels: list[Ints] = []
    weights: list[Floats] = []
    for window in windows:
        for project, relevant in spread(window.answered(), limit):
            x = counts(window.snapshot, project)
            rest = np.setdiff1d(np.flatnonzero(window.snapshot.warm), window.labels[project])
            hard = rest[np.argsort(-_lists(x)[rest].sum(axis=1), kind="stable")[: NEGATIVES // 2]]
            others = np.setdiff1d(rest, hard)
            drawn = rng.choice(others, size=min(NEGATIVES // 2, others.size), replace=False)
            sizes = [relevant.size, hard.size, drawn.size]
            rows.append(x[np.concatenate([relevant, hard, drawn])])
            labels.append(np.repeat([1, 0, 0], sizes))
            weights.append(np.repeat([1.0, 1.0, others.size / max(drawn.size, 1)], sizes))
    y = np.concatenate(labels) if labels else np.zeros(0, dtype=np.int64)
    if np.unique(y).size < 2:
        return False
    learner.fit(np.vstack(rows), y, np.concatenate(weights))
    return True


def scores(learner: Learner, snapshot: Snapshot, project: int) -> Floats:
    """Probability of a deal as learnt, for partners with one already; those far down every list follow by back-off.

    Returns:
        shape (n_partners,), in [0, 2]: 1 + probability for scored partners; 0 for one without a deal.
    """
    x = counts(snapshot, project)
    lists = _lists(x)
    known = np.flatnonzero(x[:, 0] > 0)
    if known.size > CANDIDATES:
        order = np.argsort(-lists[known], axis=0, kind="stable")[:CANDIDATES]
        chosen = known[np.unique(order)]
    else:
        chosen = known
    out = np.where(x[:, 0] > 0, lists[:, 0], 0.0)
    if chosen.size:
        out[chosen] = 1.0 + learner.predict_proba(x[chosen])[:, 1]
    return out


def _lists(x: Floats) -> Floats:
    """The counts in [0, 1.001] that know project and partner best."""
    return x[:, 8:]
