"""Whom a probability is learned from: new projects of the held-out years, dealt or not, with nothing of later days."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_world import BagEncoder, deal, facts, large, with_rows

from matcher.matching import trials as module
from matcher.matching.calibrate import Trial
from matcher.matching.corpus import Corpus
from matcher.matching.kernel import Kernel
from matcher.matching.learn import by_experience
from matcher.matching.trials import population, trials
from matcher.records import Facts

UNTIL = date(2020, 12, 31)
AFTER = date(2018, 12, 31)


def project(name: str, announced: date | None) -> dict[str, Any]:
    return {
        "project_id": name,
        "name_en": f"plant {name}",
        "status": "past",
        "country": "VN",
        "announced_on": announced,
    }


def small(announced: Mapping[str, date | None], *, until: date = UNTIL, **more: Any) -> Facts:
    return facts(projects=[project(n, d) for n, d in announced.items()], footprint=[], as_of=until, **more)


def asked(known: Facts, after: date = AFTER) -> list[Trial]:
    return trials(Corpus.of(known, BagEncoder(), None), by_experience(), Kernel(), after=after)


def test_asked_is_what_is_announced_within_two_years_after_the_day() -> None:
    known = small({
        "a": date(2018, 12, 31), "b": date(2019, 1, 1), "c": date(2020, 12, 31), "d": date(2021, 1, 1), "e": None,
    }, until=date(2021, 6, 1), deals=[])  # fmt: skip
    assert population(known, after=AFTER) == [(AFTER, ["b", "c"])]


@pytest.mark.parametrize(
    ("after", "until", "years"),
    [
        (2018, date(2020, 12, 31), [2018]),
        (2015, date(2020, 12, 31), [2015, 2016, 2017, 2018]),
        (2015, date(2020, 12, 30), [2015, 2016, 2017]),  # a day is missing from the two years after 2018
        (2019, date(2020, 11, 22), [2019]),  # nothing is whole, and the first day stands
    ],
)
def test_the_years_of_a_promise_are_over(after: int, until: date, years: list[int]) -> None:
    known = small({"a": date(2019, 5, 1)}, until=until, deals=[])
    assert [day.year for day, _ in population(known, after=date(after, 12, 31))] == years


def test_a_project_without_a_deal_is_asked_too_and_a_late_deal_is_none() -> None:
    known = small(
        {"none": date(2017, 5, 1), "late": date(2017, 6, 1), "soon": date(2017, 7, 1)}, until=date(2021, 12, 31),
        deals=[deal(1, "soon", "jp-port", date(2018, 3, 1)), deal(2, "late", "jp-port", date(2019, 1, 1))],
    )  # fmt: skip
    found = {t.project: t for t in asked(known, date(2016, 12, 31)) if t.as_of.year == 2016}
    assert {name: int(t.labels.sum()) for name, t in found.items()} == {"none": 0, "late": 0, "soon": 1}
    ids = known.partners.sort("partner_id")["partner_id"].to_list()
    assert ids[int(found["soon"].partners[found["soon"].labels == 1][0])] == "jp-port"


def test_who_was_in_before_is_no_candidate_and_who_is_listed_later_neither() -> None:
    known = small(
        {"a": date(2019, 5, 1)},
        deals=[deal(1, "a", "jp-port", date(2018, 1, 1)), deal(2, "a", "kr-chips", date(2019, 6, 1))],
    )
    (one,) = asked(known)
    assert one.partners.size == known.partners.height - 1
    assert one.labels.sum() == 1
    told = pl.when(pl.col("partner_id") == "kr-chips").then(pl.lit(known.deals["source"][1])).otherwise("source")
    born = replace(known, partners=known.partners.with_columns(source=told))
    (other,) = asked(born)
    assert other.partners.size == known.partners.height - 2
    assert other.labels.sum() == 0


def test_nothing_of_later_days_is_seen() -> None:
    world = replace(large(60, years=range(2012, 2019), announced=True), as_of=UNTIL)
    later = with_rows(world, "deals", [deal(900 + i, "y0000", f"q{i:03d}", date(2019, 5, 1)) for i in range(20)])
    before, after = ({t.project: t for t in asked(w, date(2017, 12, 31))} for w in (world, later))
    assert before
    for name, one in before.items():
        np.testing.assert_array_equal(after[name].scores, one.scores)


def test_at_most_so_many_are_asked_evenly_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    world = replace(large(60, years=range(2012, 2019), announced=True), as_of=UNTIL)
    monkeypatch.setattr(module, "MAX_TRIALS", 10)
    found = asked(world, date(2014, 12, 31))
    assert len(found) == 10
    assert len({t.as_of for t in found}) > 1
