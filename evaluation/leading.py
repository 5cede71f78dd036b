"""What a report leads with: the run it is about, the one that is held against it, the slice that counts."""

import math
from collections.abc import Iterable
from dataclasses import replace

from evaluation.results import Comparison, DatasetResult, Figure, Scored

MAIN = "nDCG@10"
SIGNIFICANT = 0.05
"""A difference with a smaller corrected p-value is called beyond chance. Source: convention."""
NOTHING = Figure(mean=math.nan, low=math.nan, high=math.nan, queries=0, left_out=0, with_all=math.nan)


def compared(dataset: DatasetResult, slice_name: str | None = None) -> tuple[Scored | None, Scored | None]:
    """The run a data set is read for, and the best on a slice (by default the leading one) of those it is held against.

    The first is the engine; without one, the first of the comparisons; without any, the best run. It is held against
    the runs it was compared with there; where there are none, against all others.
    """
    where = slice_name or main_slice(dataset)
    runs = {s.run: s for s in dataset.runs}
    names = [n for n in runs if n == "engine"] or [n for n in runs if n.startswith("engine")]
    names = names or [c.first for c in dataset.comparisons if c.first in runs]
    first = runs[names[0]] if names else best(dataset.runs, main_slice(dataset)) or next(iter(dataset.runs), None)
    if first is None:
        return None, None
    tested = {n for c in dataset.comparisons if (c.slice, c.measure) == (where, MAIN) for n in (c.first, c.second)
              if first.run in (c.first, c.second)}  # fmt: skip
    others = [s for s in dataset.runs if s is not first and not s.run.startswith("engine")]
    others = [s for s in others if s.run in tested] or others
    return first, best(others, where) or next(iter(others), None)


def main_slice(dataset: DatasetResult) -> str:
    """The slice that leads: the data set's own `main_slice`, else partners with a deal before the split, else all."""
    wanted = (str(dataset.about.get("main_slice", "warm")), "warm")
    return next((w for w in wanted if not dataset.runs or any(w in s.figures for s in dataset.runs)), "full")


def figure(scored: Scored | None, slice_name: str, measure: str = MAIN) -> Figure:
    """A figure of a run; one without queries where it was not computed."""
    return NOTHING if scored is None else scored.figures.get(slice_name, {}).get(measure, NOTHING)


def best(runs: Iterable[Scored], slice_name: str) -> Scored | None:
    """The run with the largest nDCG@10 on a slice; None when none has a value."""
    known = [s for s in runs if math.isfinite(figure(s, slice_name).mean)]
    return max(known, key=lambda s: figure(s, slice_name).mean, default=None)


def comparison(dataset: DatasetResult, first: str, second: str, slice_name: str) -> Comparison | None:
    """The comparison of two runs on nDCG@10, turned so that `first` comes first; None when there is none."""
    for c in dataset.comparisons:
        if c.slice == slice_name and c.measure == MAIN:
            if (c.first, c.second) == (first, second):
                return c
            if (c.first, c.second) == (second, first):
                return replace(c, first=first, second=second, difference=-c.difference, low=-c.high, high=-c.low)
    return None
