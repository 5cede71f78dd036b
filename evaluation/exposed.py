"""Whom the lists that were shown went to, and where people and engine disagree about a pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low

import numpy as np
import polars as pl

from evaluation.audit import UNKNOWN, gini
from matcher.store.feedback import HIGHEST, LOWEST

FIRST = 10
MANY = 20
"""Partners and pairs that are told by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Often:
    """A partner among the first ten of lists: how many lists, and which share of all."""

    partner_id: str
    lists: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """Whom the first ten places of lists went to; the figures are those of the audit of an evaluation.

    Attributes:
        lists: lists counted; places: their places that are counted.
        pool: partners on record; shown: how many of them were ever among the first ten.
        coverage: shown / pool; None without a pool.
        gini: of places over the pool; None without places.
        long_tail: share of places that went to the half of the pool with fewer deals on record; None without places.
        same_names: ten partners hold more than half of all places.
        home, kind, size: class -> share of places, the largest first.
        often: the partners shown most often.
    """

    lists: int
    places: int
    pool: int
    shown: int
    coverage: float | None
    gini: float | None
    long_tail: float | None
    same_names: bool
    home: Mapping[str, float]
    kind: Mapping[str, float]
    size: Mapping[str, float]
    often: tuple[Often, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputed:
    """A pair on which people and engine disagree.

    Attributes:
        grade: median of the judges' grades, the lower of two; judges: how many graded it.
        rank: where it stood when it was last shown.
    """

    project_id: str
    partner_id: str
    grade: int
    judges: int
    rank: int
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputes:
    """Judged pairs against their places.

    Attributes:
        too_high: among the first ten, and people say that they do not fit; the best place first.
        too_low: behind the first ten, and people say that nobody fits better; the worst place first.
        placed, unplaced: judged pairs that were ever shown in a list of a project, and others.
    """

    too_high: tuple[Disputed, ...]
    too_low: tuple[Disputed, ...]
    placed: int
    unplaced: int


def exposed(places: pl.DataFrame, partners: pl.DataFrame, deals: pl.DataFrame, *, lists: int) -> Exposed:
    """The audit of lists that were shown.

    Args:
        places: columns partner_id, lists, places; partners who are not on record any more are left out.
        partners: the pool; deals: whose number of projects makes a partner popular.
        lists: how many lists the places are of.
    """
    counted = deals.group_by("partner_id").agg(pl.col("project_id").n_unique().alias("deals"))
    pool = (
        partners.select("partner_id", *(c for c in ("country", "kind", "size") if c in partners.columns))
        .join(places.select("partner_id", "lists", "places"), on="partner_id", how="left", maintain_order="left")
        .join(counted, on="partner_id", how="left", maintain_order="left")
        .with_columns(pl.col("places", "lists", "deals").fill_null(0))
        .sort("partner_id")
    )
    counts = pool["places"].to_numpy().astype(np.int64)
    total = int(counts.sum())
    tail = np.zeros(counts.size, dtype=np.bool_)
    tail[np.argsort(pool["deals"].to_numpy(), kind="stable")[: counts.size // 2]] = True
    leading = pool.filter(pl.col("places") > 0).sort(["places", "partner_id"], descending=[True, False])
    often = leading.sort(["lists", "places", "partner_id"], descending=[True, True, False])
    return Exposed(
        lists=lists, places=total, pool=counts.size, shown=int((counts > 0).sum()),
        coverage=float((counts > 0).mean()) if counts.size else None, gini=gini(counts) if total else None,
        long_tail=float(counts[tail].sum() / total) if total else None,
        same_names=bool(total and 2 * leading["places"].head(FIRST).sum() > total),
        home=_shares(pool, "country"), kind=_shares(pool, "kind"), size=_shares(pool, "size"),
        often=tuple(
            Often(partner_id=partner, lists=n, share=n / lists if lists else 0.0)
            for partner, n in often.select("partner_id", "lists").head(MANY).iter_rows()
        ),
    )  # fmt: skip


def _shares(pool: pl.DataFrame, column: str) -> dict[str, float]:
    total = int(pool["places"].sum())
    if not total or column not in pool.columns:
        return {}
    summed = pool.group_by(pl.col(column).fill_null(UNKNOWN)).agg(pl.col("places").sum()).filter(pl.col("places") > 0)
    ordered = summed.sort(["places", column], descending=[True, False])
    return {value: n / total for value, n in ordered.select(column, "places").iter_rows()}


def graded(judgments: pl.DataFrame) -> dict[int, int]:
    """Grade -> how many of the latest judgments gave it, every grade told."""
    counts = dict(judgments["grade"].value_counts().iter_rows())
    return {grade: int(counts.get(grade, 0)) for grade in range(LOWEST, HIGHEST + 1)}


def disputes(judgments: pl.DataFrame, places: pl.DataFrame) -> Disputes:
    """Judged pairs on which people and engine disagree most.

    Args:
        judgments: the latest of each judge on each pair.
        places: project_id, partner_id, rank, engine_id: where a pair was when it was last shown.
    """
    ranks = {(p, q): (int(r), str(e)) for p, q, r, e in places.select(_PLACE).iter_rows()}
    high: list[Disputed] = []
    low: list[Disputed] = []
    placed = unplaced = 0
    for project, partner, grades in judgments.group_by("project_id", "partner_id").agg("grade").iter_rows():
        if (project, partner) not in ranks:
            unplaced += 1
            continue
        placed += 1
        rank, engine = ranks[project, partner]
        grade = int(median_low(grades))
        told = Disputed(
            project_id=project, partner_id=partner, grade=grade, judges=len(grades), rank=rank, engine=engine
        )  # fmt: skip
        if grade == LOWEST and rank <= FIRST:
            high.append(told)
        elif grade == HIGHEST and rank > FIRST:
            low.append(told)
    return Disputes(
        too_high=_first(high, 1), too_low=_first(low, -1), placed=placed, unplaced=unplaced,
    )  # fmt: skip


_PLACE = ["project_id", "partner_id", "rank", "engine_id"]


def _first(found: Sequence[Disputed], sign: int) -> tuple[Disputed, ...]:
    return tuple(sorted(found, key=lambda d: (sign * d.rank, d.project_id, d.partner_id))[:MANY])
