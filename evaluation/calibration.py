"""Whether probabilities can be believed: reliability in equal-mass bins, Brier score, quality against abstention."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from evaluation.datasets import Dataset
from evaluation.results import Bin, Reliability
from matcher.matching.calibrate import HORIZON_DAYS
from matcher.measures import brier_skills

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TOP = 50
"""Pairs looked at: the first 50 places of every query."""


def promise(dataset: Dataset, pairs: Sequence[tuple[str, str]]) -> tuple[Bools | None, Bools | None]:
    """Queries announced, and pairs closed, within the days after the split that a probability is about.

    A query that nobody knows the day of is not promised anything; an answer without a day counts as in time.
    """
    if dataset.split_on is None:
        return None, None
    end = dataset.split_on + timedelta(days=HORIZON_DAYS)
    announced = dict(dataset.projects.select("project_id", "announced_on").iter_rows())
    days = [announced[query] for query in dataset.queries]
    closed = [dataset.answered_on.get(pair, dataset.split_on) for pair in pairs]
    return (
        np.array([day is not None and day <= end for day in days], dtype=np.bool_),
        np.array([day > end for day in closed], dtype=np.bool_),
    )


def equal_mass(values: npt.NDArray[np.floating] | Ints, parts: int, *, among: Floats | Ints | None = None) -> Ints:
    """Part of every value, 0 (smallest) to parts - 1, with about equally many values in each; equal values together.

    A group of equal values goes where its middle lies, so that a large group takes the room of several parts and
    these stay empty.

    Args:
        values: shape (n,).
        among: the values to be parted equally, when these are not `values` themselves.
    """
    order = np.sort(values if among is None else among)
    if not order.size:
        return np.zeros(values.shape, dtype=np.int64)
    below, through = (np.searchsorted(order, values, side=side) for side in ("left", "right"))
    # In whole numbers: the middle of the group is (below + through) / 2 of the order's size.
    part: Ints = ((below + through) * parts // (2 * order.size)).astype(np.int64)
    return np.minimum(part, parts - 1)


def binomial(positives: Ints, trials: Ints, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Clopper-Pearson interval of a share; it holds the true one in at least `level` of all cases.

    Source: Clopper and Pearson 1934, by quantiles of the beta distribution.
    """
    tail = (1 - level) / 2
    low = np.where(positives > 0, beta.ppf(tail, np.maximum(positives, 1), trials - positives + 1), 0.0)
    misses = trials - positives
    high = np.where(misses > 0, beta.ppf(1 - tail, positives + 1, np.maximum(misses, 1)), 1.0)
    return low, high


def reliability(
    predicted: Floats,
    hit: Bools,
    query: Ints,
    slices: Mapping[str, Bools],
    *,
    seed: int,
    bins: int = 5,
    resamples: int = 1000,
) -> tuple[Reliability, ...]:
    """How predicted probabilities compare with what happened, for every slice that has a pair.

    Bins hold equal probabilities together, so that there are fewer than `bins` where many are equal. Their
    intervals are Clopper-Pearson ones and take pairs as independent, which pairs of one query are not quite.
    Within the bins, Brier = reliability - resolution + uncertainty + what varies inside them; that last part is
    0 when a bin holds one probability only and is left out of the three terms. Source: Stephenson et al. 2008.
    The base rate of the skill is the slice's own, taken anew in each resample of the queries; resamples without a
    positive, or with nothing else, say nothing of skill and are left out of its interval.

    Args:
        predicted: probability of every pair, in [0, 1], shape (n,).
        hit: the pair came true, shape (n,).
        query: number of the pair's query, shape (n,).
        slices: name -> which pairs belong to it, shape (n,).
    """
    return tuple(
        _reliability(name, predicted[inside], hit[inside], query[inside], bins=bins, seed=seed, resamples=resamples)
        for name, inside in slices.items()
        if inside.any()
    )


def _reliability(
    name: str, predicted: Floats, hit: Bools, query: Ints, *, bins: int, seed: int, resamples: int
) -> Reliability:
    n, positives = predicted.size, int(hit.sum())
    base, error = positives / n, (predicted - hit) ** 2
    part = equal_mass(predicted, bins)
    trials = np.bincount(part, minlength=bins)
    won = np.bincount(part, weights=hit, minlength=bins).astype(np.int64)
    some = trials > 0
    trials, won = trials[some], won[some]
    mean = np.bincount(part, weights=predicted, minlength=bins)[some] / trials
    share = won / trials
    low, high = binomial(won, trials)
    expected = float(predicted.sum())
    return Reliability(
        slice=name,
        pairs=n,
        positives=positives,
        brier=float(error.mean()),
        brier_skill=_skill(error, hit, query, seed=seed, resamples=resamples),
        reliability=float((trials * (mean - share) ** 2).sum() / n),
        resolution=float((trials * (share - base) ** 2).sum() / n),
        uncertainty=base * (1 - base),
        ratio=positives / expected if expected > 0 else float("nan"),
        bins=tuple(
            Bin(
                predicted=float(mean[i]), observed=float(share[i]), low=float(low[i]), high=float(high[i]),
                pairs=int(trials[i]), positives=int(won[i]),
            )
            for i in range(trials.size)
        ),
    )  # fmt: skip


def _skill(error: Floats, hit: Bools, query: Ints, *, seed: int, resamples: int) -> tuple[float, float, float]:
    """1 - Brier / Brier of the base rate with its interval over queries; NaN where the base rate is 0 or 1."""
    _, group = np.unique(query, return_inverse=True)
    m = int(group.max()) + 1
    sums = np.stack([np.bincount(group, weights=w, minlength=m) for w in (np.ones(hit.size), hit, error)], axis=1)
    whole = brier_skills(sums.sum(axis=0, keepdims=True))
    if np.isnan(whole[0]):
        return float("nan"), float("nan"), float("nan")
    drawn = np.random.default_rng(seed).multinomial(m, np.full(m, 1 / m), size=resamples)
    skills = brier_skills(drawn.astype(np.float64) @ sums)
    low, high = np.nanquantile(skills, [0.025, 0.975])
    return float(whole[0]), float(low), float(high)


def abstention(confidence: Floats, quality: Floats, *, points: int = 10) -> tuple[tuple[float, float], ...]:
    """(share of queries answered, their mean quality) when the most confident are answered first.

    Equal confidence keeps the order of the queries; those without one (NaN) are answered last. With fewer queries
    than points there is one point per query.

    Args:
        confidence: probability of the first candidate, shape (n_queries,).
        quality: value of the measure, shape (n_queries,); queries without one (NaN) are left out.
    """
    known = ~np.isnan(quality)
    confidence, quality = confidence[known], quality[known]
    n = quality.size
    order = np.argsort(-confidence, kind="stable")  # NaN sorts last
    means = np.cumsum(quality[order]) / np.arange(1, n + 1)
    answered = sorted({-(-n * i // points) for i in range(1, points + 1)} - {0})
    return tuple((k / n, float(means[k - 1])) for k in answered)
