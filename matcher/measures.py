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
            rows, columns = np.nonzero(hits)
            if allow.ndim == 1:
                kept = allow[np.maximum(places, 0)]
            else:
                kept = np.take_along_axis(allow, np.maximum(places, 0), axis=1)
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
        rows, columns = np.nonzero(hits)
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


def interval(values: Mapping[str, float], *, seed: int, resamples: int = 1000) -> tuple[float, float, float]:
    """Mean over queries with its 95 % bootstrap interval: (mean, low, high); NaN without queries."""
    x = np.array([values[q] for q in sorted(values)])
    if not x.size:
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = x[rng.integers(0, x.size, (resamples, x.size))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(x.mean()), float(low), float(high)
