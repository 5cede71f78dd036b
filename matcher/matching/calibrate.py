"""Score -> probability of a named outcome within a named horizon, or a stated reason to abstain.

A score means something only beside the others of its list. So it is first made a strength: the logarithm of its share
among the best of all candidates for the project, the field. How often pairs of a strength came true on held-out
projects is then told by Venn-Abers prediction: isotonic regression with the pair added once as a failure and once as a
success.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, logsumexp
from scipy.stats import beta
from sklearn.isotonic import isotonic_regression

from matcher.chance import Probability
from matcher.text import number

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MIN_POSITIVES = 200
"""Dated positives needed in calibration; with fewer the engine abstains. Source: product rule T1."""

OUTCOME = "deal"
HORIZON_DAYS = 730
"""Labels are the deals of the two calendar years after each origin."""

FIELD = 50
"""Best candidates of a project: among them a score has its share, from them chances are learned, they alone have one.
How many weak candidates a list holds says nothing about the strong ones, and what is rarer can hardly be counted."""

OUTSIDE = {
    "vi": f"Ngoài {FIELD} đối tác phù hợp nhất của dự án: quá hiếm để tính xác suất.",
    "en": f"Not among the project's {FIELD} best candidates: too rare for a probability.",
}

FADING = 0.85
"""Weight of a past project relative to one of a year later."""

CELL, GROWTH = 50, 1.25
"""Pairs of the strongest cell, and of each cell relative to the next stronger one: chances differ most at the top."""

TINY = 1e-9
"""Bounds and chances stay so far from 0 and 1, for what was never seen is not impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One project asked on a day.

    Attributes:
        partners: row numbers of the candidates, shape (n,).
        scores, labels: of each candidate; 1 where the outcome followed.
    """

    project: str
    as_of: date
    partners: Ints
    scores: Floats
    labels: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What the best candidates of a project amount to.

    Attributes:
        total: logarithm of the sum of exp(sharpness x score) over them.
        weakest: the lowest score among them.
    """

    total: float
    weakest: float


@dataclass(frozen=True, kw_only=True)
class Calibrator:
    """A strictly rising curve from strengths to probabilities with intervals; empty when it abstains.

    Between its points and beyond them the curve goes on in log odds, beyond them as fast as the strength, so that
    only equal scores of a list have equal probabilities and none is 0 or 1.

    Attributes:
        positives: different pairs that came true and were available.
        sharpness: how fast a share grows with the score: shares are softmax(sharpness x scores).
        base_rate: share of all candidates that came true.
        strength: points of the curve, ascending, shape (k,).
        value, low, high: probability and its 95 % interval at each point, shape (k,).
    """

    positives: int
    sharpness: float
    base_rate: float
    strength: Floats
    value: Floats
    low: Floats
    high: Floats

    @classmethod
    def fit(cls, trials: Sequence[Trial]) -> "Calibrator":
        """Learns from held-out projects; abstains below `MIN_POSITIVES`.

        A project that was asked on several days weighs as much as one that was asked once; older ones weigh less.
        """
        trials = [t for t in trials if t.scores.size]
        true = {(t.project, int(i)) for t in trials for i in t.partners[t.labels == 1]}
        none = np.zeros(0)
        if len(true) < MIN_POSITIVES:
            return cls(
                positives=len(true), sharpness=0.0, base_rate=0.0, strength=none, value=none, low=none, high=none
            )
        times, last = Counter(t.project for t in trials), max(t.as_of.year for t in trials)
        weights = np.array([FADING ** (last - t.as_of.year) / times[t.project] for t in trials])
        sharpness = _sharpness(trials, weights)
        strength, labels, weight = [], [], []
        for t, w in zip(trials, weights, strict=True):
            field = _field(t.scores, sharpness)
            best = t.scores >= field.weakest
            strength.append(sharpness * t.scores[best] - field.total)
            labels.append(t.labels[best])
            weight.append(np.full(int(best.sum()), w))
        points = _venn_abers(*_cells(np.concatenate(strength), np.concatenate(labels), np.concatenate(weight)))
        asked, won = (weights @ [[t.labels.size, t.labels.sum()] for t in trials]).tolist()
        return cls(
            positives=len(true), sharpness=sharpness, base_rate=won / asked,
            strength=points[0], value=points[1], low=points[2], high=points[3],
        )  # fmt: skip

    def field(self, scores: Floats) -> Field:
        """The field of a project by the scores of all its candidates, shape (n,); NaN is no candidate."""
        return _field(scores[~np.isnan(scores)], self.sharpness)

    def probability(self, score: float, field: Field) -> Probability | None:
        """The chance of a pair by its score and its project's field; None outside the field and when it abstains."""
        if not self.strength.size or score < field.weakest:
            return None
        at = np.array([self.sharpness * score - field.total])
        value, low, high = (float(self._curve(curve, at)[0]) for curve in (self.value, self.low, self.high))
        return Probability(
            value=value, low=low, high=high, outcome=OUTCOME, horizon_days=HORIZON_DAYS, base_rate=self.base_rate
        )

    def chance(self, score: float, field: Field) -> float | None:
        """The curve at a score whether or not it lies in the field, to compare engines; None when it abstains."""
        if not self.strength.size:
            return None
        return float(self._curve(self.value, np.array([self.sharpness * score - field.total]))[0])

    def values(self, scores: Floats) -> Floats:
        """The chances of one list, shape (n,), or of many, (q, n), that hold at least the field.

        NaN where there is no score and outside the field, everywhere when it abstains.
        """
        if scores.ndim > 1:
            return np.array([self.values(row) for row in scores]).reshape(scores.shape)
        out = np.full(scores.shape, np.nan)
        field = self.field(scores)
        inside = scores >= field.weakest  # false for NaN
        if self.strength.size and inside.any():
            out[inside] = self._curve(self.value, self.sharpness * scores[inside] - field.total)
        return out

    def _curve(self, curve: Floats, at: Floats) -> Floats:
        ends = self.strength[[0, -1]]
        beyond = at - np.clip(at, *ends)
        return np.asarray(expit(np.interp(at, self.strength, logit(curve)) + beyond), dtype=np.float64)

    def reason(self) -> Mapping[str, str] | None:
        """Why no probability is given, in both languages; None when one is."""
        if self.strength.size:
            return None
        seen = {lang: (number(self.positives, lang), number(MIN_POSITIVES, lang)) for lang in ("vi", "en")}
        return {
            "vi": f"Chưa đủ dữ liệu: mới có {seen['vi'][0]} thương vụ ghi ngày, cần {seen['vi'][1]}.",
            "en": f"Too little data: {seen['en'][0]} dated deals are known, {seen['en'][1]} are needed.",
        }

    def to_json(self) -> dict[str, Any]:
        """The curve for the artefact."""
        points = {k: getattr(self, k).tolist() for k in ("strength", "value", "low", "high")}
        return {"positives": self.positives, "sharpness": self.sharpness, "base_rate": self.base_rate, **points}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "Calibrator":
        """The calibrator that `to_json` wrote."""
        points = {k: np.array(saved[k], dtype=np.float64) for k in ("strength", "value", "low", "high")}
        return cls(
            positives=int(saved["positives"]), sharpness=float(saved["sharpness"]),
            base_rate=float(saved["base_rate"]), **points,
        )  # fmt: skip


def _field(scores: Floats, sharpness: float) -> Field:
    best = np.partition(scores, scores.size - FIELD)[-FIELD:] if scores.size > FIELD else scores
    if not best.size:
        return Field(total=-np.inf, weakest=np.inf)
    return Field(total=float(logsumexp(sharpness * best)), weakest=float(best.min()))


def _sharpness(trials: Sequence[Trial], weights: Floats) -> float:
    """The sharpness under which the partners that came true are most likely among all candidates of their project.

    Source: conditional logit, McFadden 1974. Sought within a factor of 1,000 of one per standard deviation.
    """
    spread = float(np.std(np.concatenate([t.scores for t in trials]))) or 1.0
    answered = [(t.scores / spread, t.labels == 1, w) for t, w in zip(trials, weights, strict=True) if t.labels.any()]

    def loss(power: float) -> float:
        scale = np.exp(power)
        return -float(
            sum(w * (scale * s[won] - logsumexp(scale * s)).sum() for s, won, w in answered)
        )  # fmt: skip

    found = minimize_scalar(loss, bounds=(-np.log(1000), np.log(1000)), method="bounded")
    return float(np.exp(found.x) / spread)


def _cells(strength: Floats, labels: Ints, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean strength, weight and weight of the positives in cells of neighbouring strengths, ascending."""
    order = np.argsort(-strength, kind="stable")
    size, starts = float(CELL), [0]
    while starts[-1] + int(size) < order.size:
        starts.append(starts[-1] + int(size))
        size *= GROWTH
    n, k, mean = (np.add.reduceat(w[order], starts) for w in (weight, weight * labels, weight * strength))
    return (mean / n)[::-1], n[::-1], k[::-1]


def _venn_abers(mean: Floats, n: Floats, k: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Points of the curve: strength, probability and interval of the blocks of an isotonic regression.

    With p0 and p1 the chance in a block when one failure, or one success, is added to it, the probability is
    p1 / (1 - p0 + p1). The interval is that from p0 to p1, widened to Jeffreys' interval of the block.

    Source: Vovk and Petej 2014, inductive Venn-Abers prediction; its merger of p0 and p1 for the log loss.
    """
    fitted = isotonic_regression(k / n, sample_weight=n)
    starts = np.flatnonzero(np.diff(fitted, prepend=-1.0) > 0)
    mean = np.add.reduceat(n * mean, starts) / np.add.reduceat(n, starts)
    n, k = np.add.reduceat(n, starts), np.add.reduceat(k, starts)
    p0, p1 = np.empty(n.size), np.empty(n.size)
    for i in range(n.size):
        more = n + (np.arange(n.size) == i)
        for found, won in ((p0, k), (p1, k + (np.arange(n.size) == i))):
            found[i] = isotonic_regression(won / more, sample_weight=more)[i]
    value = p1 / (1 - p0 + p1)
    low = np.minimum(p0, beta.ppf(0.025, k + 0.5, n - k + 0.5))
    high = np.maximum(p1, beta.ppf(0.975, k + 0.5, n - k + 0.5))
    # Bounds of a small block may stick out over those of its neighbours.
    low, high = np.minimum.accumulate(low[::-1])[::-1], np.maximum.accumulate(high)
    rising = np.flatnonzero(np.diff(value, prepend=-1.0) > 0)
    value, low, high = (np.clip(curve, TINY, 1 - TINY)[rising] for curve in (value, low, high))
    return mean[rising], value, low, high
