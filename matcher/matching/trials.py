"""The past projects that a probability is learned from: asked as a reader asks, judged by what is promised.

The population. On the last day of a year every project that is announced within the two years after it is asked,
whether or not anybody known dealt with it, and every partner listed on that day is a candidate. A candidate came true
when its deal on the project closed within the same two years. A project whose announcement has no date cannot be placed
in time and is left out. So a new project is what is asked: one that has been open for years may have been passed over.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from matcher.matching.calibrate import Trial
from matcher.matching.corpus import Corpus
from matcher.matching.features import compute
from matcher.matching.kernel import Kernel
from matcher.matching.pairs import Block
from matcher.matching.rank import Ranker
from matcher.matching.retrieve import LexicalIndex
from matcher.matching.windows import spread
from matcher.records import Facts

YEARS = 2
"""Calendar years of a promise, `HORIZON_DAYS`."""

MAX_TRIALS = 600
"""Projects asked in all, evenly spread: time grows with them times the partners."""


def population(facts: Facts, *, after: date) -> list[tuple[date, list[str]]]:
    """Days at year ends from `after` on, and the projects asked on each, oldest first.

    Days whose two years are not over by `as_of` are left out, for the latest deals would count as none; only where
    that leaves no day, the first stands although its last months are missing.
    """
    told = facts.projects.drop_nulls("announced_on").sort("project_id")
    found = []
    for year in range(after.year, max(after.year, facts.as_of.year - YEARS) + 1):
        day, end = date(year, 12, 31), date(year + YEARS, 12, 31)
        if end > facts.as_of and year > after.year:
            break
        inside = (pl.col("announced_on") > day) & (pl.col("announced_on") <= min(end, facts.as_of))
        found.append((day, told.filter(inside)["project_id"].to_list()))
    return found


def trials(corpus: Corpus, judge: Ranker, kernel: Kernel, *, after: date) -> list[Trial]:
    """The population asked of a ranker and a kernel that had seen nothing after the day `after`."""
    facts = corpus.facts
    asked = [(day, project) for day, projects in population(facts, after=after) for project in projects]
    snapshot = corpus.snapshot(facts.as_of)
    projects = snapshot.projects.row_of
    lexical = LexicalIndex(corpus.partner_texts)
    out: list[Trial] = []
    for day, chosen in _by_day(spread(asked, MAX_TRIALS)):
        known, listed = corpus.known_on(snapshot, day)
        until = min(date(day.year + YEARS, 12, 31), facts.as_of)
        for project in chosen:
            row = projects[project]
            rows = np.setdiff1d(listed, known.involved(row))
            block = Block(
                project=row, rows=rows, snapshot=known, lexical=lexical.scores(corpus.words(row)), kernel=kernel
            )
            days = corpus.closed.get(project, {})
            labels = np.array([days.get(int(r), date.max) <= until for r in rows], dtype=np.int64)
            scores = judge.score(compute(block).astype(np.float32))
            out.append(Trial(project=project, as_of=day, partners=rows, scores=scores, labels=labels))
    return out


def _by_day(asked: Sequence[tuple[date, str]]) -> list[tuple[date, list[str]]]:
    days: dict[date, list[str]] = {}
    for day, project in asked:
        days.setdefault(day, []).append(project)
    return list(days.items())
