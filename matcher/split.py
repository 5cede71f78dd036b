"""The time split that fit and evaluation share: statistics up to a day, labels after it.

The rule. An origin is 31 December. A (project, partner) pair is a label of the year (or years) after it when its first
dated positive deal closed in them, and no deal of the pair was known at the origin. What may be known at an origin is
what was public on that day: deals and footprints by `counts_from`, projects by their announcement or source, partners
always, for a directory says when it was compiled and not since when a firm exists. A partner whose own record was read
from one of its deals is the exception: it is neither known nor a candidate before that deal (`listed_from`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One rolling origin: what may be known (`as_of`) and what came true in the year or years after it.

    Attributes:
        labels: project -> partners whose dated deal on it closed in the following calendar year or years.
    """

    as_of: date
    labels: Mapping[str, frozenset[str]]


def rolling_origins(deals: pl.DataFrame, *, until: date, years: int = 1) -> list[Origin]:
    """One origin per calendar year that is followed by labels, oldest first.

    Args:
        deals: positive deals, columns of `TABLES["deals"]` plus `counts_from`. A deal is a label when it has a
            date of its own and the last day that date can mean is not after `until`.
        until: last day whose deals may be labels.
        years: calendar years after an origin whose deals are its labels.

    Returns:
        origins at 31 December; a (project, partner) pair is a label at its first dated deal, of as many origins as
        there are years, and never when an earlier or undated deal of the pair was already known at the origin.
    """
    dated = deals.filter(pl.col("closed_on").is_not_null() & (pl.col("counts_from") <= until))
    known = deals.group_by("project_id", "partner_id").agg(pl.col("counts_from").min().alias("known_from"))
    first = (
        dated.group_by("project_id", "partner_id")
        .agg(pl.col("closed_on").min(), pl.col("counts_from").min())
        .join(known, on=["project_id", "partner_id"])
    )
    by_year: dict[int, dict[str, set[str]]] = {}
    for row in first.iter_rows(named=True):
        year = row["closed_on"].year
        for origin in range(year - years, year):
            if row["known_from"] > date(origin, 12, 31):
                by_year.setdefault(origin, {}).setdefault(row["project_id"], set()).add(row["partner_id"])
    return [
        Origin(as_of=date(year, 12, 31), labels={p: frozenset(q) for p, q in sorted(labels.items())})
        for year, labels in sorted(by_year.items())
    ]


def listed_from(partners: pl.DataFrame, deals: pl.DataFrame) -> dict[str, date]:
    """Partners whose own record was read from one of their deals -> the first day on which such a deal counts.

    Before that day nobody could have listed them, and what their record says would betray the deal. A partner with
    another source is not in the result. A cell may name several sources, joined by " ; ".

    Args:
        partners: columns `partner_id` and `source` of `TABLES["partners"]`.
        deals: all deals, positive or not; columns of `TABLES["deals"]` plus `counts_from`.
    """
    told = partners.select("partner_id", pl.col("source").str.split(" ; ").alias("told"))
    pages = deals.select("partner_id", "counts_from", pl.concat_list("source", "source_2").alias("pages"))
    both = told.join(pages, on="partner_id").filter(
        pl.col("told").list.set_intersection("pages").list.drop_nulls().list.len() > 0
    )
    first = both.drop_nulls("counts_from").group_by("partner_id").agg(pl.col("counts_from").min())
    return dict(first.sort("partner_id").iter_rows())
