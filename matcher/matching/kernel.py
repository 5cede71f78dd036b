"""Learned experience: how near a partner's past projects are to the asked one, with the weights of nearness learned.

A past project votes for its partners with exp(w · s), where s are its similarities to the asked project; a vote loses
half of its weight with every half-life. A small share follows popularity, so that an active partner without a similar
project comes ahead of an inactive one. Twelve weights, the half-life and that share are what is learned: they are drawn
to values that stand here, so that few deals change little and many decide.

Source: conditional likelihood of a kernel estimate (Nadaraya, Watson 1964), maximised by L-BFGS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from matcher.matching.sides import Floats, Ints
from matcher.matching.simple import WEIGHTS, shared_attributes
from matcher.matching.snapshot import Snapshot
from matcher.matching.windows import Window, spread

PRIOR: Mapping[str, float] = {**{name: 3.5 * weight for name, weight in WEIGHTS.items()}, "words": 1.0, "meaning": 3.0}
"""Weight of each similarity before anything is learned. Source: inner periods of three sets, docs/decisions.md."""

HALF_LIFE = 8.0
BACK_OFF = 0.05
"""Years, and the share of popularity beside a project's whole vote, before anything is learned."""

STRENGTHS = (5.0, 1.0, 20.0, 100.0)
"""How strongly the weights are drawn to `PRIOR`, the usual one first; chosen on the latest queries."""

_BOUNDS = {"half_life": (0.5, 60.0), "back_off": (1e-3, 1.0)}


def similarities(snapshot: Snapshot, project: int) -> Floats:
    """Similarity of every project to this one, shape (n_projects, len(PRIOR)), each in [0, 1] or, of texts, [-1, 1].

    An attribute that either side does not have is no similarity.
    """
    texts = (snapshot.text_nearness(project), snapshot.dense_nearness(project))
    return np.column_stack([shared_attributes(snapshot, project), *texts])


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """Weights of the similarities, in the order of `PRIOR`, half-life in years, and share of popularity.

    Attributes:
        queries: number of past queries that were learned from; 0 where nothing was.
        strength: how strongly the weights were drawn to `PRIOR`.
    """

    weights: tuple[float, ...] = tuple(PRIOR.values())
    half_life: float = HALF_LIFE
    back_off: float = BACK_OFF
    queries: int = 0
    strength: float = STRENGTHS[0]

    def votes(self, snapshot: Snapshot, project: int) -> Floats:
        """The share of all votes that goes to each partner, shape (n_partners,), sums to 1; 0 without a known deal."""
        known = snapshot.dealt.copy()
        known[project] = False
        weight = _weights(similarities(snapshot, project), np.array(self.weights), known)
        votes = snapshot.votes(weight, project=project, half_life=self.half_life)
        popular = snapshot.votes(known, project=project, half_life=self.half_life)
        total = popular.sum()
        if total > 0:
            votes += self.back_off * weight.sum() * popular / total
        return np.asarray(votes / max(votes.sum(), 1e-300))

    @classmethod
    def fit(cls, windows: Sequence[Window], *, strength: float, limit: int) -> "Kernel":
        """Learns from what became of past projects.

        Args:
            windows: earlier periods; each label is a partner that had a deal by then.
            strength: how strongly the weights are drawn to `PRIOR`, in queries.
            limit: number of queries that are learned from, evenly spread.
        """
        asked = spread([(w.snapshot, project, found) for w in windows for project, found in w.answered()], limit)
        if not asked:
            return cls(strength=strength)
        cases = [_Case.of(snapshot, project, found) for snapshot, project, found in asked]
        start = np.array([*PRIOR.values(), np.log(HALF_LIFE), np.log(BACK_OFF)])

        def cost(x: Floats) -> tuple[float, Floats]:
            value, slope = strength / 2 * float(((x - start) ** 2).sum()), strength * (x - start)
            for case in cases:
                loss, change = case.cost(x)
                value += loss
                slope += change
            return value, slope

        limits = [(None, None)] * len(PRIOR) + [tuple(np.log(b)) for b in _BOUNDS.values()]
        found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 40}).x
        return cls(
            weights=tuple(round(float(v), 3) for v in found[: len(PRIOR)]),
            half_life=round(float(np.exp(found[-2])), 2), back_off=round(float(np.exp(found[-1])), 4),
            queries=len(cases), strength=strength,
        )  # fmt: skip

    def likelihood(self, windows: Sequence[Window]) -> float:
        """Mean log likelihood of labels of other periods; -inf without one."""
        asked = [(w.snapshot, project, found) for w in windows for project, found in w.answered()]
        if not asked:
            return float("-inf")
        x = np.array([*self.weights, np.log(self.half_life), np.log(self.back_off)])
        return -float(np.mean([_Case.of(*one).cost(x)[0] for one in asked]))

    def to_json(self) -> dict[str, Any]:
        """A JSON-able form."""
        named = dict(zip(PRIOR, self.weights, strict=True))
        return {
            "weights": named, "half_life": self.half_life, "back_off": self.back_off, "queries": self.queries,
            "strength": self.strength,
        }  # fmt: skip

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "Kernel":
        """What `to_json` wrote.

        Raises:
            ValueError: its similarities are not those of this program.
        """
        if list(saved["weights"]) != list(PRIOR):
            raise ValueError("the similarities of the kernel are others than those of this program; fit again")
        return replace(
            cls(), weights=tuple(saved["weights"].values()), half_life=saved["half_life"], back_off=saved["back_off"],
            queries=saved["queries"], strength=saved["strength"],
        )  # fmt: skip


def _weights(found: Floats, weights: Floats, known: Any) -> Floats:
    """exp(w · s) of the known projects, the largest 1; 0 of the others."""
    near = np.where(known, found @ weights, -np.inf)
    top = near.max(initial=-np.inf)
    return np.exp(near - top) if np.isfinite(top) else np.zeros(near.size)


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One past query: similarities of the known projects, and the known pairs.

    Attributes:
        similar: (n_known, k).
        project: number of each pair's project among the known ones; partner: of its partner, 0 to n_partners - 1.
        age: years of each pair, NaN undated, which weighs one half.
        target: share of the query's label per partner, shape (n_partners,), sums to 1.
    """

    similar: Floats
    project: Ints
    partner: Ints
    age: Floats
    target: Floats

    @classmethod
    def of(cls, snapshot: Snapshot, project: int, found: Ints) -> "_Case":
        kept = snapshot.pair_project != project
        rows, project_of = np.unique(snapshot.pair_project[kept], return_inverse=True)
        warm, partner_of = np.unique(snapshot.pair_partner[kept], return_inverse=True)
        target = np.isin(warm, found).astype(np.float64)
        return cls(
            similar=similarities(snapshot, project)[rows], project=project_of, partner=partner_of,
            age=np.maximum(snapshot.pair_age[kept], 0.0),
            target=target / max(target.sum(), 1.0),
        )  # fmt: skip

    def cost(self, x: Floats) -> tuple[float, Floats]:
        """Minus the log likelihood of the label, and its slope in (weights, log half-life, log back-off)."""
        n = self.target.size
        near = self.similar @ x[:-2]
        weight = np.exp(near - near.max())
        half_life, share = np.exp(x[-2]), np.exp(x[-1])
        decay = 0.5 ** np.nan_to_num(self.age / half_life, nan=1.0)
        vote = decay * weight[self.project]
        popular = np.bincount(self.partner, weights=decay, minlength=n)
        every, total = weight.sum(), popular.sum()
        votes = np.bincount(self.partner, weights=vote, minlength=n) + share * every * popular / total + 1e-12
        whole = votes.sum()
        loss = -float(self.target @ np.log(votes / whole))
        # d(-log likelihood) / d votes
        by_vote = self.target.sum() / whole - self.target / votes
        of_pair = by_vote[self.partner]
        mean = float(by_vote @ popular) / total
        by_weight = np.bincount(self.project, weights=of_pair * decay, minlength=near.size) + share * mean
        slope = np.empty(x.size)
        slope[:-2] = self.similar.T @ (by_weight * weight)
        ageing = decay * np.nan_to_num(self.age) * np.log(2) / half_life  # d decay / d log half-life
        through_popular = share * every / total * (of_pair - mean)
        slope[-2] = float(((of_pair * weight[self.project] + through_popular) * ageing).sum())
        slope[-1] = share * every * mean
        return loss, slope
