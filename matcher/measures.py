"""The figures that fit and evaluation share, as ir_measures defines them; ties fall to the smaller identifier.

`per_query` asks ir_measures itself. `values` computes the same from arrays, for many queries at once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import ir_measures
import numpy as np
import numpy.typing as npt

from matcher.errors import InputError

Run = Mapping[str, Mapping[str, float]]
Qrels = Mapping[str, Mapping[str, int]]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_MEASURE = re.compile(r"(?P<name>nDCG|RR|R|P|Success)@(?P<k>[1-9]\d*)|(?P<whole>RR|AP)")
WHOLE = 2**31 - 1
"""The cut-off of a measure that reads the whole list."""
_CELLS = 4_000_000
"""Numbers held at a time where work goes in blocks: 32 MB of float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Ranked lists of many queries over one catalogue: score descending, then identifier ascending.

    Attributes:
        queries: ascending.
        candidates: the whole catalogue, ascending.
        places: int32 (queries, depth), candidate numbers, best first; -1 pads.
        scores: float64 (queries, depth), never rising along a row; NaN pads.
    """

    queries: tuple[str, ...]
    candidates: tuple[str, ...]
    places: npt.NDArray[np.int32]
    scores: Floats

    def __post_init__(self) -> None:
        for what, names in (("queries", self.queries), ("candidates", self.candidates)):
            if any(a >= b for a, b in pairwise(names)):
                raise ValueError(f"{what} of a ranking must ascend, each once")
        if self.places.shape != self.scores.shape or len(self.places) != len(self.queries):
            raise ValueError(f"{len(self.queries)} queries have {self.places.shape} places, {self.scores.shape} scores")

    @classmethod
    def of_scores(
        cls, queries: Sequence[str], candidates: Sequence[str], scores: npt.ArrayLike, *, depth: int | None = 1000
    ) -> Self:
        """Best candidates of every query.

        Args:
            scores: (queries, candidates); NaN is not ranked.
            depth: longest list; None is the whole catalogue. Slices of fewer candidates are cut out of what is
                kept here: with a cut list, AP and RR of a slice see no candidate below it.
        """
        given = np.asarray(scores)
        if given.shape != (len(queries), len(candidates)):
            raise ValueError(f"{len(queries)} queries and {len(candidates)} candidates have scores {given.shape}")
        depth = given.shape[1] if depth is None else min(depth, given.shape[1])
        places = np.full((len(queries), depth), -1, dtype=np.int32)
        kept = np.full((len(queries), depth), np.nan)
        block = max(1, _CELLS // max(1, given.shape[1]))
        for start in range(0, len(queries) if depth else 0, block):
            rows = slice(start, start + block)
            places[rows], kept[rows] = _best(np.asarray(given[rows], dtype=np.float64), depth)
        return cls(queries=tuple(queries), candidates=tuple(candidates), places=places, scores=kept)

    @classmethod
    def of_run(cls, run: Run, *, queries: Sequence[str], candidates: Sequence[str], depth: int | None = None) -> Self:
        """Lists of a run. A query that the run lacks has an empty list; the run's other queries are left out.

        Raises:
            InputError: a candidate is not in the catalogue or its score is not a number.
        """
        number = {c: i for i, c in enumerate(candidates)}
        lists = [run.get(query, {}) for query in queries]
        width = max(map(len, lists), default=0)
        width = width if depth is None else min(depth, width)
        places = np.full((len(lists), width), -1, dtype=np.int32)
        kept = np.full((len(lists), width), np.nan)
        for row, (query, scored) in enumerate(zip(queries, lists, strict=True)):
            if unknown := [c for c in scored if c not in number]:
                raise InputError(
                    f"query {query}: candidate {min(unknown)} is not in the catalogue of {len(number)}; "
                    "score a run against the dataset that it was made on"
                )
            which = np.array([number[c] for c in scored], dtype=np.int32)
            score = np.array(list(scored.values()), dtype=np.float64)
            if np.isnan(score).any():
                raise InputError(f"query {query}: a score is not a number; leave the candidate out instead")
            order = np.lexsort((which, -score))[:width]
            places[row, : len(order)], kept[row, : len(order)] = which[order], score[order]
        return cls(queries=tuple(queries), candidates=tuple(candidates), places=places, scores=kept)

    def to_run(self) -> dict[str, dict[str, float]]:
        """Query -> candidate -> score, best first; a query with an empty list is there."""
        lengths = (self.places >= 0).sum(axis=1).tolist()
        return {
            query: {self.candidates[i]: s for i, s in zip(p[:n].tolist(), v[:n].tolist(), strict=True)}
            for query, n, p, v in zip(self.queries, lengths, self.places, self.scores, strict=True)
        }


def _best(scores: Floats, depth: int) -> tuple[npt.NDArray[np.int32], Floats]:
    """The `depth` best of each row, ties by smaller column: (places, scores), padded by -1 and NaN."""
    key = -scores  # NaN sorts last
    if depth < key.shape[1]:
        last = np.partition(key, depth - 1, axis=1)[:, depth - 1 : depth]
        better = np.where(np.isnan(last), ~np.isnan(key), key < last)
        tied = key == last
        keep = better | (tied & (np.cumsum(tied, axis=1, dtype=np.int32) <= depth - better.sum(axis=1)[:, None]))
    else:
        keep = ~np.isnan(key)
    rows, columns = np.nonzero(keep)
    lengths = keep.sum(axis=1)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    places = np.full((len(key), depth), -1, dtype=np.int32)
    kept = np.full((len(key), depth), np.nan)
    places[rows, within], kept[rows, within] = columns, key[rows, columns]
    order = np.argsort(kept, axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1), -np.take_along_axis(kept, order, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Ranked lists as hits and misses.

    Attributes:
        hits: (queries, depth), True where the candidate at that rank is relevant; candidates outside the slice are
            gone and those behind them moved up.
        relevant: (queries,) number of relevant candidates in the slice, ranked or not.
    """

    hits: Bools
    relevant: Ints


def judge(ranking: Ranking, relevant: Bools, allow: Bools | None = None) -> Judged:
    """The ranking against its answers, within a slice of the candidates.

    Args:
        relevant: (queries, candidates).
        allow: (queries, candidates) or (candidates,); False leaves the candidate out of lists and answers alike.
    """
    shape = (len(ranking.queries), len(ranking.candidates))
    if relevant.shape != shape or (allow is not None and allow.shape not in (shape, shape[1:])):
        raise ValueError(
            f"relevant {relevant.shape} and allow {None if allow is None else allow.shape} are for {shape}"
        )
    places = ranking.places
    hits = np.zeros(places.shape, dtype=np.bool_)
    if allow is not None:
        relevant = relevant & allow
    if hits.size:
        hits = np.take_along_axis(relevant, np.maximum(places, 0), axis=1) & (places >= 0)
        if allow is not None:
            rows, columns = np.divmod(np.flatnonzero(hits), places.shape[1])
            kept = np.take_along_axis(np.broadcast_to(allow, shape), np.maximum(places, 0), axis=1)
            moved = np.cumsum(kept, axis=1, dtype=np.int32)[rows, columns] - 1
            hits = np.zeros(places.shape, dtype=np.bool_)
            hits[rows, moved] = True
    return Judged(hits=hits, relevant=relevant.sum(axis=1))


def values(judged: Judged, measure: str) -> Floats:
    """Value of a measure for every query, in [0, 1]; NaN where nothing is relevant.

    Args:
        measure: nDCG@k, R@k, P@k, Success@k, RR, RR@k or AP.

    Raises:
        ValueError: no such measure.
    """
    name, k = parse(measure)
    hits = judged.hits[:, :k]
    if name == "nDCG":
        discount = 1.0 / np.log2(np.arange(k) + 2)
        value = hits @ discount[: hits.shape[1]] / np.cumsum(discount)[np.clip(judged.relevant, 1, k) - 1]
    elif name == "RR":
        value = np.zeros(len(hits))
        found = hits.any(axis=1)
        value[found] = 1.0 / (hits[found].argmax(axis=1) + 1) if found.any() else 0.0
    elif name == "AP":
        rows, columns = np.divmod(np.flatnonzero(hits), max(1, hits.shape[1]))
        each = np.bincount(rows, minlength=len(hits))
        nth = np.arange(len(rows)) - np.repeat(np.cumsum(each) - each, each) + 1
        value = np.bincount(rows, weights=nth / (columns + 1), minlength=len(hits)) / np.maximum(judged.relevant, 1)
    else:
        count = hits.sum(axis=1)
        value = count / {"R": np.maximum(judged.relevant, 1), "P": k}[name] if name != "Success" else count > 0
    return np.where(judged.relevant > 0, value, np.nan)


def parse(measure: str) -> tuple[str, int]:
    """Name and cut-off of a measure: 'nDCG@10' -> ('nDCG', 10); of 'AP' and 'RR' the cut-off is `WHOLE`.

    Raises:
        ValueError: no such measure.
    """
    found = _MEASURE.fullmatch(measure)
    if found is None:
        raise ValueError(f"{measure!r} is no measure here; write nDCG@k, R@k, P@k, Success@k, RR, RR@k or AP")
    return found["name"] or found["whole"], int(found["k"] or WHOLE)


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
    found = {
        m.query_id: float(m.value) for m in ir_measures.iter_calc([ir_measures.parse_measure(measure)], wanted, ranked)
    }
    return {q: found.get(q, 0.0) for q in sorted(wanted)}


def chance(relevant: npt.ArrayLike, pool: npt.ArrayLike, measure: str, *, depth: int | None = None) -> Floats:
    """Expected value of a measure when the pool is listed in a uniformly random order; exact.

    Args:
        relevant: numbers of relevant candidates, each at most that of the pool.
        pool: numbers of candidates, relevant ones among them; broadcast against `relevant`.
        depth: where lists are cut off, None for nowhere.

    Returns:
        float64 of the common shape; NaN where nothing is relevant.

    Source: every rank holds a relevant candidate with probability r/n, two ranks with r(r-1)/(n(n-1)); the first
        one follows the negative hypergeometric distribution.
    """
    name, k = parse(measure)
    r, n = np.broadcast_arrays(np.asarray(relevant, dtype=np.int64), np.asarray(pool, dtype=np.int64))
    if (r < 0).any() or (r > n).any():
        raise ValueError("there are fewer candidates than relevant ones, or fewer than none")
    cases, which = np.unique(np.stack([r.ravel(), n.ravel()]), axis=1, return_inverse=True)
    expected = [
        _expected(name, k, int(some), int(all_), min(k, all_, WHOLE if depth is None else depth)) if some else np.nan
        for some, all_ in cases.T.tolist()
    ]
    return np.array(expected, dtype=np.float64)[which.ravel()].reshape(r.shape)


def _expected(name: str, k: int, r: int, n: int, seen: int) -> float:
    """Expected value over random orders of n candidates, r > 0 relevant, of which the first `seen` are looked at."""
    rank = np.arange(1, seen + 1)
    if name == "P":
        return r * seen / n / k
    if name == "R":
        return seen / n
    if name == "nDCG":
        return float(r / n * (1 / np.log2(rank + 1)).sum() / (1 / np.log2(np.arange(min(r, k)) + 2)).sum())
    if name == "AP":
        harmonic = float((1 / rank).sum())
        return (harmonic + (seen - harmonic) * (r - 1) / max(1, n - 1)) / n
    none_yet = np.cumprod(np.maximum(n - r - rank + 1, 0) / (n - rank + 1))
    if name == "Success":
        return 1.0 - float(none_yet[-1]) if seen else 0.0
    return float((np.concatenate([[1.0], none_yet[:-1]])[:seen] * r / (n - rank + 1) / rank).sum())


def interval(values: Mapping[str, float], *, seed: int, resamples: int = 1000) -> tuple[float, float, float]:
    """Mean over queries with its 95 % bootstrap interval: (mean, low, high); NaN without queries."""
    x = np.array([values[q] for q in sorted(values)], dtype=np.float64)
    mean, low, high = intervals(x[:, None], seed=seed, resamples=resamples)[0].tolist()
    return mean, low, high


def intervals(matrix: Floats, *, seed: int, resamples: int = 1000) -> Floats:
    """Means of many columns with their 95 % bootstrap intervals (percentiles), from the same resampled queries.

    Args:
        matrix: (queries, columns), queries in ascending order so that a seed means the same everywhere. Rows that
            are NaN in a column are not its queries; columns that agree in their NaNs share the resamples.

    Returns:
        (columns, 3): mean, low, high; NaN for a column without queries. Each row is what `interval` says of its column.
    """
    found = np.full((matrix.shape[1], 3), np.nan)
    alike: dict[bytes, list[int]] = {}
    for column, present in enumerate(~np.isnan(matrix.T)):
        alike.setdefault(present.tobytes(), []).append(column)
    for columns in alike.values():
        x = matrix[~np.isnan(matrix[:, columns[0]])][:, columns]
        if len(x):
            means = _resampled(x, resamples, np.random.default_rng(seed)) / len(x)
            low, high = np.quantile(means, [0.025, 0.975], axis=0)
            found[columns] = np.stack([x.mean(axis=0), low, high], axis=1)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """First minus second over the queries that both have.

    Attributes:
        difference: mean; low, high: its 95 % bootstrap interval.
        p: two-sided, of the paired randomisation test: how often random signs put the mean as far from 0, counting
            the signs found, in (0, 1]. Without queries p, difference and interval are NaN.
    """

    difference: float
    low: float
    high: float
    p: float
    queries: int


def paired(a: Floats, b: Floats, *, seed: int, resamples: int = 1000, flips: int = 10_000) -> Paired:
    """The first's values against the second's, query by query.

    Args:
        a, b: (queries,), the same queries in the same order; a query that is NaN in either is left out.
        flips: random signs drawn for the test; p is not below 1 / (flips + 1), which bounds what `holm` can leave.
    """
    return pooled_paired([(a, b)], seed=seed, resamples=resamples, flips=flips)


def pooled_paired(
    pairs: Sequence[tuple[Floats, Floats]], *, seed: int, resamples: int = 1000, flips: int = 10_000
) -> Paired:
    """As `paired`, over the queries of several datasets: the mean is over all queries, resampled within each dataset.

    Args:
        pairs: (a, b) per dataset.
    """
    kept = [d[~np.isnan(d)] for d in (a - b for a, b in pairs)]
    everything = np.concatenate([np.zeros(0), *kept])
    if not everything.size:
        return Paired(difference=np.nan, low=np.nan, high=np.nan, p=np.nan, queries=0)
    rng = np.random.default_rng(seed)
    sums = np.sum([_resampled(d[:, None], resamples, rng)[:, 0] for d in kept if d.size], axis=0)
    low, high = np.quantile(sums / everything.size, [0.025, 0.975]).tolist()
    p = _sign_flips(everything[everything != 0], flips, rng)
    return Paired(difference=float(everything.mean()), low=low, high=high, p=p, queries=everything.size)


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected for being many, in the order given: none of them is below .05 by chance in 95 % of tables.

    A NaN stays one and is not counted.
    Source: Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979), 65-70.
    """
    corrected = list(p)
    order = sorted((i for i, value in enumerate(p) if not np.isnan(value)), key=lambda i: p[i])
    least = 0.0
    for done, i in enumerate(order):
        least = max(least, min(1.0, p[i] * (len(order) - done)))
        corrected[i] = least
    return corrected


def _resampled(x: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Column sums of x (n > 0 rows) over n rows drawn with replacement: (resamples, columns)."""
    # How often each row was drawn, times the rows: one matrix product for all columns, in blocks that fit a cache.
    n = len(x)
    sums = np.empty((resamples, x.shape[1]))
    block = min(max(1, _CELLS // (8 * n)), resamples)
    drawn = np.empty((block, n))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        for row in range(size):
            drawn[row] = np.bincount(rng.integers(0, n, n, dtype=np.uint32), minlength=n)
        sums[start : start + size] = drawn[:size] @ x
    return sums


def _sign_flips(x: Floats, flips: int, rng: np.random.Generator) -> float:
    """p-value of the sum of x under random signs, two-sided; 1 when x is empty."""
    # One random byte is eight signs: the 256 sums that it can mean are looked up instead of added.
    signs = 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1) - 1.0
    eights = np.zeros((-(-len(x) // 8), 8))
    eights.ravel()[: len(x)] = x
    sums = np.zeros(flips)
    for eight in eights:
        sums += (signs @ eight)[np.frombuffer(rng.bytes(flips), dtype=np.uint8)]
    as_far = (np.abs(sums) >= abs(x.sum()) - 1e-10 * np.abs(x).sum()).sum()  # equal sums differ by rounding
    return (1 + int(as_far)) / (1 + flips)


def brier_skills(sums: Floats) -> Floats:
    """1 - Brier / Brier of the base rate from sums of pairs, positives and squared errors, shape (n, 3) -> (n,).

    NaN where the base rate is 0 or 1.
    """
    base = sums[:, 1] / sums[:, 0]
    reference = base * (1 - base)
    skill = np.full(len(sums), np.nan)
    np.divide(sums[:, 2] / sums[:, 0], reference, out=skill, where=reference > 0)
    return np.asarray(1 - skill, dtype=np.float64)
