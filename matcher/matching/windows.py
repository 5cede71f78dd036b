"""Periods of the past that teach: what was known on a day, and whom the projects after it dealt with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import numpy as np
import polars as pl

from matcher.matching.sides import Ints, PartnerSide, ProjectSide, positive
from matcher.matching.snapshot import Snapshot

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Window:
    """What was known on a day, and the partners (rows) of the projects (rows) first dealt after it."""

    snapshot: Snapshot
    labels: Mapping[int, Ints]

    def answered(self) -> list[tuple[int, Ints]]:
        """Each project with those of its partners that had a deal on the day; only projects that have such."""
        warm = self.snapshot.warm
        known = [(project, partners[warm[partners]]) for project, partners in self.labels.items()]
        return [(project, partners) for project, partners in known if partners.size]


def spread(items: Sequence[T], limit: int) -> list[T]:
    """At most so many of the items, evenly spread over the sequence."""
    if not items:
        return []
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, limit).round().astype(int)).tolist()]


def first_dealt(
    deals: pl.DataFrame, projects: ProjectSide, partners: PartnerSide, *, after: date, until: date
) -> dict[int, Ints]:
    """Partners of the projects whose first known deal is dated after one day and not after another.

    Args:
        deals: columns of `TABLES["deals"]` plus `counts_from`; an undated deal makes its project an old one from
            the day it counts, and is never a label.

    Returns:
        project row -> partner rows, ascending; labels close by `until` too.
    """
    valid = positive(deals).filter(
        pl.col("project_id").is_in(list(projects.row_of)) & pl.col("partner_id").is_in(list(partners.row_of))
    )
    first = valid.group_by("project_id").agg(pl.col("counts_from").min().alias("first"))
    new = first.filter((pl.col("first") > after) & (pl.col("first") <= until)).select("project_id")
    closed = valid.filter(pl.col("closed_on").is_not_null() & (pl.col("counts_from") <= until))
    labels: dict[int, set[int]] = {}
    for project, partner in closed.join(new, on="project_id").select("project_id", "partner_id").iter_rows():
        labels.setdefault(projects.row_of[project], set()).add(partners.row_of[partner])
    return {row: np.array(sorted(labels[row]), dtype=np.int64) for row in sorted(labels)}
