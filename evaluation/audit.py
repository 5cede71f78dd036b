"""Whom the top ten go to: how many partners are ever shown, how unequally, and whether it is always the same ones."""

import numpy as np
import numpy.typing as npt
import polars as pl

from evaluation.datasets import Dataset
from evaluation.results import Audit
from matcher.measures import Ranking

Ints = npt.NDArray[np.int64]

DEPTH = 10
UNKNOWN = "unknown"
"""What stands for an empty cell in shares and in names of slices."""


def training_projects(dataset: Dataset) -> Ints:
    """Number of training projects of every partner of the catalogue, in its order, int64 (n_candidates,).

    Several deals of a partner on one project count once.
    """
    counts = dataset.train.group_by("partner_id").agg(pl.col("project_id").n_unique().cast(pl.Int64).alias("n"))
    pool = dataset.partners.select("partner_id").join(counts, on="partner_id", how="left", maintain_order="left")
    return pool["n"].fill_null(0).to_numpy().astype(np.int64)


def gini(counts: npt.NDArray[np.int64]) -> float:
    """Inequality of a share-out, in [0, 1): 0 when all have the same, near 1 when one has all; NaN when there is none.

    Source: mean absolute difference over twice the mean, in its sorted form.
    """
    total = counts.sum()
    if not total:
        return float("nan")
    n = counts.size
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float((weights * np.sort(counts)).sum() / (n * total))


def audit(dataset: Dataset, ranking: Ranking) -> Audit:
    """The audit of the top ten of every query, over the whole catalogue.

    The less popular half are the partners that come first by number of training projects, then identifier; of an
    odd number the middle one is not among them. A cell that the dataset leaves empty counts as `unknown`, and so do
    all sizes where partners have no column `size`. Shares are NaN and tables empty where nothing was ranked.
    """
    pool = dataset.partners
    places = ranking.places[:, :DEPTH]
    shown = places[places >= 0]
    counts = np.bincount(shown, minlength=pool.height).astype(np.int64)
    popularity = training_projects(dataset)
    tail = np.zeros(pool.height, dtype=np.bool_)
    tail[np.argsort(popularity, kind="stable")[: pool.height // 2]] = True
    often = np.argsort(-counts, kind="stable")[:DEPTH]
    names = pool["name"].to_list()
    some = shown.size > 0
    return Audit(
        coverage=float((counts > 0).mean()) if some else float("nan"),
        gini=gini(counts),
        popularity=float(popularity[shown].mean()) if some else float("nan"),
        long_tail=float(tail[shown].mean()) if some else float("nan"),
        home=_shares(pool, "country", counts),
        size=_shares(pool, "size", counts),
        kind=_shares(pool, "kind", counts),
        top=tuple(
            (ranking.candidates[c], names[c] or "", float(counts[c] / len(ranking.queries))) for c in often if counts[c]
        ),
        same_names=bool(some and 2 * counts[often].sum() > shown.size),
    )


def _shares(pool: pl.DataFrame, column: str, counts: Ints) -> dict[str, float]:
    """Share of the places by value of a column, the largest first."""
    values = pool[column] if column in pool.columns else pl.Series([None] * pool.height, dtype=pl.String)
    total = counts.sum()
    table = (
        pl.DataFrame({"value": values.fill_null(UNKNOWN), "places": counts})
        .group_by("value")
        .agg(pl.col("places").sum())
        .filter(pl.col("places") > 0)
        .sort(["places", "value"], descending=[True, False])
    )
    return {value: places / int(total) for value, places in table.iter_rows()}
