"""Whether what is shown today still looks like what was shown after the fit, and the facts like those of the fit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import polars as pl

from evaluation.audit import UNKNOWN

DAYS = 30
"""Length of the two periods that are compared. Source: our choice."""
ENOUGH = 30
"""Lists that each period needs. Source: our choice."""
SMALL, LARGE = 0.1, 0.25
"""Ends of the bands of the index: below .1 little has changed, from .25 much has.
Source: Siddiqi, Credit Risk Scorecards, 2006, ch. 10; a convention, not a test."""
NOTHING = 1e-4
"""Share that stands for a class which is empty in one of the periods, so that the logarithm exists. Source: custom."""

VISIBLE = 0.0005
"""Change of a share that is seen when it is printed with a tenth of a percentage point."""

Band = Literal["small", "middle", "large"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """The days after the fit and the last days, each from a day to a day, both included.

    Attributes:
        apart: the two do not overlap, so that they can be compared.
        ready_on: from this day on they do not.
    """

    then: tuple[date, date]
    now: tuple[date, date]
    apart: bool
    ready_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How the shares of classes moved between the two periods.

    Attributes:
        index: population stability index; None where a period has too few lists.
        classes: class -> (share then, share now), the largest present share first.
    """

    name: str
    index: float | None
    classes: Mapping[str, tuple[float, float]]

    @property
    def band(self) -> Band | None:
        """How much the index says; None without one."""
        if self.index is None:
            return None
        return "small" if self.index < SMALL else "middle" if self.index < LARGE else "large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Share of the rows of a table in which a field is filled, when the engine was fitted and now."""

    table: str
    field: str
    then: float | None
    now: float | None

    @property
    def change(self) -> float | None:
        """Now less then; None where one of them is not known."""
        return None if self.then is None or self.now is None else self.now - self.then

    @property
    def moved(self) -> bool:
        """The share differs by what a tenth of a percentage point shows."""
        return self.change is not None and abs(self.change) >= VISIBLE


def periods(fitted_on: date, today: date) -> Periods:
    """The thirty days from the fit on, and the last thirty up to today."""
    then = (fitted_on, min(today, fitted_on + timedelta(days=DAYS - 1)))
    now = (max(fitted_on, today - timedelta(days=DAYS - 1)), today)
    ready = fitted_on + timedelta(days=2 * DAYS - 1)
    return Periods(then=then, now=now, apart=today >= ready, ready_on=ready)


def stability(then: Mapping[str, float], now: Mapping[str, float]) -> float | None:
    """Population stability index: the sum over classes of (now - then) * ln(now / then), of shares; 0 is no change.

    None where one of the two has nothing in it. An empty class counts as one of share `NOTHING`.

    Source: Siddiqi 2006; it is the symmetric Kullback-Leibler divergence (Jeffreys) of the two.
    """
    totals = sum(then.values()), sum(now.values())
    if not totals[0] or not totals[1]:
        return None
    index = 0.0
    for name in {*then, *now}:
        a, b = then.get(name, 0.0) / totals[0], now.get(name, 0.0) / totals[1]
        if a or b:
            a, b = max(a, NOTHING), max(b, NOTHING)
            index += (b - a) * math.log(b / a)
    return index


def shift(name: str, then: Mapping[str, float], now: Mapping[str, float], *, enough: bool) -> Shift:
    """The shares of classes in the two periods, and the index where there are lists enough."""
    totals = [sum(m.values()) or 1.0 for m in (then, now)]
    classes = {c: (then.get(c, 0.0) / totals[0], now.get(c, 0.0) / totals[1]) for c in {*then, *now}}
    ordered = dict(sorted(classes.items(), key=lambda c: (-c[1][1], -c[1][0], c[0])))
    return Shift(name=name, index=stability(then, now) if enough else None, classes=ordered)


def by(places: pl.DataFrame, partners: pl.DataFrame, column: str) -> dict[str, float]:
    """Places by a column of the partners who hold them, columns `partner_id` and `places`; `unknown` where empty."""
    known = dict(partners.select("partner_id", column).iter_rows())
    found: dict[str, float] = {}
    for partner, n in places.select("partner_id", "places").iter_rows():
        value = known.get(partner) or UNKNOWN
        found[value] = found.get(value, 0.0) + n
    return found


def filled(
    table: str, fields: Sequence[str], then: pl.DataFrame | None, now: pl.DataFrame
) -> list[Filled]:  # fmt: skip
    """Share of rows with a value, field by field; an empty list is no value. None where there are no rows."""
    return [
        Filled(table=table, field=f, then=None if then is None else _filled(then, f), now=_filled(now, f))
        for f in fields
    ]


def _filled(frame: pl.DataFrame, field: str) -> float | None:
    if frame.is_empty():
        return None
    column = frame[field]
    empty = column.is_null()
    if column.dtype == pl.List:
        empty = empty | (column.list.len() == 0).fill_null(True)
    if field == "kind":
        empty = empty | (column == UNKNOWN).fill_null(True)
    return float(1 - empty.mean())  # type: ignore[operator]  # the mean of truths is a number
