"""Features -> score: a linear model, on which LambdaMART is fitted when labels allow.

Only the order of scores means anything. Both rankers are additive: a score is the sum of one contribution per
feature and a base, so that every match can be explained exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from matcher.errors import SourceError

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.floating[Any]]
"""Feature rows, of 32 or 64 bits."""

MIN_QUERIES = 50
"""Below this number of labelled queries no tree is fitted and the linear model stands alone."""

SHARES = (0.0, 0.25, 0.5, 1.0)
"""Shares of the tree that the inner time split chooses from; 0 is the base alone."""

ROUNDS = 150


class Ranker(Protocol):
    """Scores feature rows; additive by construction."""

    def score(self, x: Rows) -> Floats:
        """Scores of shape (n,) for features of shape (n, n_features), NaN = unknown."""
        ...

    def contributions(self, x: Rows) -> Floats:
        """Parts of the score, shape (n, n_features + 1); the last column is the base; rows sum to `score`."""
        ...


@dataclass(frozen=True, kw_only=True)
class LinearRanker:
    """Weighted distance of each known feature from its neutral value; an unknown feature adds nothing.

    This is the fallback when labels are too few, and the base on which the tree is fitted.
    """

    weights: Floats
    neutral: Floats

    def score(self, x: Rows) -> Floats:
        """Sum of the contributions, shape (n,)."""
        return np.asarray(self.contributions(x).sum(axis=1))

    def contributions(self, x: Rows) -> Floats:
        """weight x (value - neutral), 0 where unknown; the base is 0."""
        parts = np.nan_to_num((x - self.neutral) * self.weights, nan=0.0)
        return np.column_stack([parts, np.zeros(x.shape[0])])


@dataclass(frozen=True, kw_only=True)
class BoostedRanker:
    """The linear model plus a share of a LambdaMART fitted on top of it.

    The tree sees an unknown feature at its neutral value: a gap in our tables must not teach it anything.
    """

    linear: LinearRanker
    booster: lgb.Booster
    share: float

    def _filled(self, x: Rows) -> Floats:
        return np.where(np.isnan(x), self.linear.neutral, x).astype(np.float64)

    def score(self, x: Rows) -> Floats:
        """Linear score plus share x tree, shape (n,)."""
        linear = self.linear.score(x)
        if self.share == 0 or not x.shape[0]:
            return linear
        return linear + self.share * np.asarray(self.booster.predict(self._filled(x), num_threads=1))

    def contributions(self, x: Rows) -> Floats:
        """Linear contributions plus share x TreeSHAP values; rows sum to `score` (TreeSHAP is exact)."""
        linear = self.linear.contributions(x)
        if self.share == 0 or not x.shape[0]:
            return linear
        tree = self.booster.predict(self._filled(x), pred_contrib=True, num_threads=1)
        return linear + self.share * np.asarray(tree)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One labelled query: its candidates' features, labels (1 = came about) and the candidates' row numbers."""

    query: str
    x: Rows
    y: npt.NDArray[np.int64]
    candidates: npt.NDArray[np.int64]


def fit_tree(
    groups: Sequence[Group], linear: LinearRanker, *, monotone: Sequence[int], seed: int, weights: Floats | None = None
) -> lgb.Booster:
    """A LambdaMART that starts from the linear scores; `weights` are those of the queries.

    Small-data regularisation: 7 leaves, 30 rows a leaf, L2 of 10, half of the features per tree, monotone where
    the direction is certain, and a fixed number of rounds, for a validation set this small cannot stop it.
    """
    x = np.vstack([g.x for g in groups])
    data = lgb.Dataset(
        np.where(np.isnan(x), linear.neutral, x),
        label=np.concatenate([g.y for g in groups]),
        group=[g.y.size for g in groups],
        weight=None if weights is None else np.repeat(weights, [g.y.size for g in groups]),
        init_score=linear.score(x),
        free_raw_data=False,
    )
    params = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": 20,
        "learning_rate": 0.05,
        "num_leaves": 7,
        "min_data_in_leaf": 30,
        "lambda_l2": 10.0,
        "feature_fraction": 0.4,
        "monotone_constraints": list(monotone),
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "num_threads": 1,  # sums depend on the number of threads, and the same facts must give the same engine
        "verbosity": -1,
    }
    return lgb.train(params, data, num_boost_round=ROUNDS)


def save(ranker: LinearRanker | BoostedRanker, folder: Path) -> dict[str, object]:
    """Writes the tree's text form, if there is one, and returns the JSON-able rest of the ranker."""
    linear = ranker.linear if isinstance(ranker, BoostedRanker) else ranker
    out: dict[str, object] = {"weights": linear.weights.tolist(), "neutral": linear.neutral.tolist(), "share": None}
    if isinstance(ranker, BoostedRanker):
        ranker.booster.save_model(folder / "lambdamart.txt")
        out["share"] = ranker.share
    return out


def load(folder: Path, saved: dict[str, object]) -> LinearRanker | BoostedRanker:
    """The ranker that `save` wrote.

    Raises:
        SourceError: the tree's file is missing or not a LightGBM model.
    """
    linear = LinearRanker(weights=np.array(saved["weights"]), neutral=np.array(saved["neutral"]))
    if saved["share"] is None:
        return linear
    path = folder / "lambdamart.txt"
    try:
        booster = lgb.Booster(model_str=path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, lgb.basic.LightGBMError) as error:
        raise SourceError(f"{path} is not a readable LightGBM model ({error}); refit with `matcher fit`.") from error
    return BoostedRanker(linear=linear, booster=booster, share=float(str(saved["share"])))
