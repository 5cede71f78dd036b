"""Score -> probability of a named outcome within a named horizon, or a stated reason to abstain."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta
from sklearn.isotonic import IsotonicRegression

from matcher.records import Probability
from matcher.text import number

Floats = npt.NDArray[np.float64]

MIN_POSITIVES = 200
"""Dated positives needed in calibration; with fewer the engine abstains. Source: product rule T1."""

OUTCOME = "deal"
HORIZON_DAYS = 730
"""Labels are the deals of the two calendar years after each origin."""


def _chance(n: int, k: int) -> float:
    """Mean of the chance after k of n, from Jeffreys' prior."""
    return (k + 0.5) / (n + 1)


@dataclass(frozen=True, kw_only=True)
class Calibrator:
    """A monotone step table from scores to probabilities with intervals; empty when it abstains.

    Attributes:
        positives: dated positives that were available.
        scores: upper ends of the steps, ascending, shape (k,).
        value, low, high: probability and its 95 % interval per step, shape (k,).
    """

    positives: int
    scores: Floats
    value: Floats
    low: Floats
    high: Floats

    @classmethod
    def fit(cls, scores: Floats, labels: npt.NDArray[np.int64]) -> "Calibrator":
        """Isotonic steps with Jeffreys intervals on held-out scores; abstains below `MIN_POSITIVES`."""
        positives = int(labels.sum())
        none = np.zeros(0)
        if positives < MIN_POSITIVES:
            return cls(positives=positives, scores=none, value=none, low=none, high=none)
        fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, labels).predict(scores)
        blocks: list[tuple[float, int, int]] = []  # upper end, rows, positives
        for step in np.unique(fitted):
            inside = fitted == step
            blocks.append((float(scores[inside].max()), int(inside.sum()), int(labels[inside].sum())))
            # A step of few rows is drawn towards one half, which may turn the order: then it joins its neighbour.
            while len(blocks) > 1 and _chance(*blocks[-1][1:]) <= _chance(*blocks[-2][1:]):
                (_, n, k), (end, more, won) = blocks[-2:]
                blocks[-2:] = [(end, n + more, k + won)]
        rows = []
        for end, n, k in blocks:
            low, high = beta.ppf([0.025, 0.975], k + 0.5, n - k + 0.5)
            rows.append((end, _chance(n, k), float(low), float(high)))
        table = np.array(rows)
        return cls(positives=positives, scores=table[:, 0], value=table[:, 1], low=table[:, 2], high=table[:, 3])

    def probability(self, score: float) -> Probability | None:
        """The calibrated chance for a score; None when the calibrator abstains."""
        if not self.scores.size:
            return None
        i = min(int(np.searchsorted(self.scores, score)), self.scores.size - 1)
        return Probability(
            value=round(float(self.value[i]), 6), low=round(float(self.low[i]), 6), high=round(float(self.high[i]), 6),
            outcome=OUTCOME, horizon_days=HORIZON_DAYS,
        )  # fmt: skip

    def values(self, scores: Floats) -> Floats:
        """The chances of many scores, same shape; NaN where there is no score, everywhere when it abstains."""
        if not self.scores.size:
            return np.full(scores.shape, np.nan)
        step = np.minimum(np.searchsorted(self.scores, np.nan_to_num(scores)), self.scores.size - 1)
        return np.where(np.isnan(scores), np.nan, self.value[step])

    def reason(self) -> Mapping[str, str] | None:
        """Why no probability is given, in both languages; None when one is."""
        if self.scores.size:
            return None
        seen = {lang: (number(self.positives, lang), number(MIN_POSITIVES, lang)) for lang in ("vi", "en")}
        return {
            "vi": f"Chưa đủ dữ liệu: {seen['vi'][0]} thương vụ có ngày, cần {seen['vi'][1]}.",
            "en": f"Too few data: {seen['en'][0]} dated deals, {seen['en'][1]} needed.",
        }

    def to_json(self) -> dict[str, Any]:
        """The step table for the artefact."""
        steps = {k: getattr(self, k).tolist() for k in ("scores", "value", "low", "high")}
        return {"positives": self.positives, **steps}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "Calibrator":
        """The calibrator that `to_json` wrote."""
        steps = {k: np.array(saved[k], dtype=np.float64) for k in ("scores", "value", "low", "high")}
        return cls(positives=int(saved["positives"]), **steps)
