"""Several simple rankers as one: weighted reciprocal ranks, parts and weights chosen on earlier periods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from matcher.matching.sides import Floats, Ints
from matcher.matching.simple import SIMPLE
from matcher.matching.snapshot import Snapshot
from matcher.matching.windows import Window, spread

RANK_CONSTANT = 60
"""Constant of reciprocal-rank fusion. Source: Cormack, Clarke, Buettcher, SIGIR 2009."""

DEFAULT: tuple[tuple[str, float], ...] = tuple(
    (name, 1.0) for name in ("sector_host_backoff", "attr_knn", "tfidf_knn", "dense_knn", "dense_profile")
)
"""Parts where there is too little to choose by."""

MIN_QUERIES = 20
"""Below this number of answered queries nothing is chosen and `DEFAULT` stands."""

WEIGHTS = (0.25, 0.5, 1.0, 2.0)
"""Weights that a part may get, relative to the best single ranker's 1."""

GAIN = 0.002
"""nDCG@10 that a change must gain on the validation period, so that noise adds no parts."""

BAGS = 10
"""Resamples of the queries that parts are chosen on."""

PRIOR = 50
"""Number of queries that the default parts weigh as much as."""

LEAST = 0.03
"""Share of the weight below which a part is left out."""

DEEP = 100
"""Only partners that some part ranks so high can reach a fused top ten, for the purpose of choosing."""


def reciprocal_ranks(scores: Floats) -> Floats:
    """1 / (60 + rank) by score, ties by row number; 0 for a partner without a score above 0."""
    order = np.argsort(-scores, kind="stable")
    out = np.zeros(scores.size)
    out[order] = 1.0 / (RANK_CONSTANT + 1 + np.arange(scores.size))
    out[scores <= 0] = 0.0
    return out


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """Weighted sum of the reciprocal ranks of simple rankers.

    Attributes:
        parts: (name of a ranker of `SIMPLE`, weight > 0).
        queries: number of answered queries that parts and weights were chosen on; 0 where `DEFAULT` stands.
        reached: nDCG@10 on them, NaN without.
    """

    parts: tuple[tuple[str, float], ...] = DEFAULT
    queries: int = 0
    reached: float = float("nan")

    def __call__(self, snapshot: Snapshot, project: int) -> Floats:
        """Fused scores of all partners for a project (a row), >= 0; 0 for one without any signal."""
        total = np.zeros(snapshot.n_partners)
        for name, weight in self.parts:
            total += weight * reciprocal_ranks(SIMPLE[name](snapshot, project))
        return total

    @classmethod
    def fit(
        cls, windows: Sequence[Window], *, rng: np.random.Generator, names: Sequence[str] = tuple(SIMPLE),
        limit: int = 300,
    ) -> "Fusion":  # fmt: skip
        """Chooses parts and weights for nDCG@10 over partners with a known deal.

        On each of `BAGS` resamples of the queries the best single ranker comes first; then the part and weight that
        gain most are added, until none gains `GAIN`. The weights are the mean over the resamples and `DEFAULT`,
        which counts as much as `PRIOR` queries. Source: Caruana et al., ICML 2004 (ensemble selection, bagged).

        Args:
            windows: earlier periods; a query without a partner that was known then teaches nothing.
            limit: number of queries that are looked at, evenly spread.
        """
        trial = _Trial.of(windows, names, limit)
        if trial is None or trial.queries < MIN_QUERIES:
            return cls()
        n = trial.queries
        total = PRIOR * _shares(dict(DEFAULT), names)
        for _ in range(BAGS):
            total += n / BAGS * trial.chosen(rng.multinomial(n, np.full(n, 1.0 / n)))
        total /= total.sum()
        weights = np.where(total >= LEAST, total, 0.0)
        parts = tuple((names[i], round(float(weights[i] / weights.max()), 3)) for i in np.flatnonzero(weights).tolist())
        return cls(parts=parts, queries=n, reached=trial.value(weights))

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form."""
        reached = None if np.isnan(self.reached) else self.reached
        return {"parts": [list(p) for p in self.parts], "queries": self.queries, "reached": reached}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "Fusion":
        """What `to_json` wrote.

        Raises:
            ValueError: a part that is no simple ranker of today.
        """
        unknown = sorted({name for name, _ in saved["parts"]} - set(SIMPLE))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no such simple ranker; fit again")
        reached = float("nan") if saved["reached"] is None else float(saved["reached"])
        parts = tuple((str(name), float(weight)) for name, weight in saved["parts"])
        return cls(parts=parts, queries=int(saved["queries"]), reached=reached)


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """Reciprocal ranks of the answered queries' likely candidates, padded to one width.

    Attributes:
        ranks: (n_names, n_queries, width), 0 where padded; candidates in row order.
        query, place: the relevant candidates' query numbers and columns.
        ideal: DCG@10 of a perfect order, shape (n_queries,).
    """

    ranks: npt.NDArray[np.float32]
    query: Ints
    place: Ints
    ideal: Floats

    @property
    def queries(self) -> int:
        return int(self.ideal.size)

    @classmethod
    def of(cls, windows: Sequence[Window], names: Sequence[str], limit: int) -> "_Trial | None":
        asked = spread([(w.snapshot, project, partners) for w in windows for project, partners in w.answered()], limit)
        if not asked:
            return None
        made: list[tuple[Floats, npt.NDArray[np.bool_]]] = []
        for snapshot, project, relevant in asked:
            every = np.array([reciprocal_ranks(SIMPLE[n](snapshot, project)) for n in names])
            likely = np.asarray((every >= 1.0 / (RANK_CONSTANT + DEEP)).any(axis=0))
            likely[relevant] = True
            rows = np.flatnonzero(likely)
            made.append((every[:, rows], np.isin(rows, relevant)))
        ranks = np.zeros((len(names), len(made), max(hit.size for _, hit in made)), dtype=np.float32)
        for i, (values, _) in enumerate(made):
            ranks[:, i, : values.shape[1]] = values
        query = np.concatenate([np.full(int(hit.sum()), i) for i, (_, hit) in enumerate(made)])
        place = np.concatenate([np.flatnonzero(hit) for _, hit in made])
        ideal = np.array([_gain(np.arange(min(10, int(hit.sum())))).sum() for _, hit in made])
        return cls(ranks=ranks, query=query, place=place, ideal=ideal)

    def chosen(self, counts: Ints) -> Floats:
        """Weights of the parts, summing to one, for queries that count so often; by greedy forward selection."""
        n = self.ranks.shape[0]
        weights, best = np.zeros(n), -1.0
        for step in range(n):
            options = [(i, w) for i in np.flatnonzero(weights == 0).tolist() for w in (WEIGHTS if step else (1.0,))]
            found, (i, weight) = self.best(weights, options, counts)
            if found < best + GAIN:
                break
            best, weights[i] = found, weight
        return np.asarray(weights / weights.sum())

    def value(self, weights: Floats) -> float:
        """Mean nDCG@10 over the queries."""
        base = np.tensordot(weights.astype(np.float32), self.ranks, axes=1)
        return self._ndcg(base, np.ones(self.queries, dtype=np.int64))

    def best(
        self, weights: Floats, options: Sequence[tuple[int, float]], counts: Ints
    ) -> tuple[float, tuple[int, float]]:
        """The largest mean nDCG@10 that one change (part, weight) reaches, and the change; the first of equals."""
        base = np.tensordot(weights.astype(np.float32), self.ranks, axes=1)
        values = [self._ndcg(base + np.float32(w - weights[i]) * self.ranks[i], counts) for i, w in options]
        chosen = int(np.argmax(values))
        return values[chosen], options[chosen]

    def _ndcg(self, scores: npt.NDArray[np.float32], counts: Ints) -> float:
        own = scores[self.query, self.place][:, None]
        all_of = scores[self.query]
        earlier = np.arange(scores.shape[1]) < self.place[:, None]
        rank = ((all_of > own) | ((all_of == own) & earlier)).sum(axis=1)
        gains = np.bincount(self.query, weights=_gain(rank), minlength=self.queries)
        return float((gains / self.ideal) @ counts / counts.sum())


def _shares(weights: Mapping[str, float], names: Sequence[str]) -> Floats:
    out = np.array([weights.get(n, 0.0) for n in names])
    return np.asarray(out / max(float(out.sum()), 1e-12))


def _gain(rank: npt.NDArray[np.integer[Any]]) -> Floats:
    """Discounted gain of a relevant candidate at a rank (0 is the first), 0 beyond the tenth."""
    return np.where(rank < 10, 1.0 / np.log2(rank + 2.0), 0.0)
