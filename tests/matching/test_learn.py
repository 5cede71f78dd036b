"""From past deals to a ranker: which queries are held out, what may be known of them, and what is chosen."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from small_world import BagEncoder, deal, facts, large, small_trees, with_rows

from matcher.matching import learn, rank
from matcher.matching.corpus import Corpus
from matcher.matching.features import FEATURES, NAMES
from matcher.matching.kernel import Kernel
from matcher.matching.learn import Case, _choose, _fading, by_experience, cases, documented, held_out
from matcher.matching.rank import Group, LinearRanker
from matcher.records import Facts

UNTIL = date(2020, 12, 31)


@pytest.fixture(scope="module", autouse=True)
def _small_trees() -> Iterator[None]:
    with small_trees():
        yield


def corpus(known: Facts) -> Corpus:
    return Corpus.of(known, BagEncoder(), None)


@pytest.fixture(scope="module")
def world() -> Facts:
    return large(150)


@pytest.fixture(scope="module")
def found(world: Facts) -> list[Case]:
    return cases(corpus(world))


def asked(project: str, year: int, *closed: date) -> Case:
    """A query at the end of a year, whose partners 0, 1 ... close on these days."""
    return Case(
        project=project, row=0, place=year, as_of=date(year, 12, 31), snapshot=None,  # type: ignore[arg-type]
        rows=np.arange(10), closed=dict(enumerate(closed)),
    )  # fmt: skip


def many(year: int, n: int, name: str = "p", *, after: int = 1) -> list[Case]:
    return [asked(f"{name}{year}-{i}", year, date(year + after, 6, 1)) for i in range(n)]


# queries by year of the origin -> the day, how many before it, how many after it
HELD: list[tuple[dict[int, int], int | None, int, int]] = [
    ({}, None, 0, 0),
    ({2015: 200}, None, 200, 0),  # nothing in the latest years
    ({2019: 200}, None, 200, 0),  # nothing before them
    ({2015: 49, 2019: 200}, None, 249, 0),  # too few before them
    ({2015: 50, 2019: 60}, 2018, 50, 60),
    ({2015: 50, 2018: 30, 2019: 30}, 2018, 50, 60),  # an origin on the day itself is after it
    ({2015: 50, 2017: 30, 2019: 30}, 2017, 50, 60),  # too few in two years: three
    ({2012: 50, 2014: 30, 2019: 30}, 2014, 50, 60),  # six years at most
    ({2012: 50, 2013: 30, 2019: 30}, 2018, 80, 30),  # in six years too few: fewer will do
    ({2012: 50, 2019: 19}, None, 69, 0),  # fewer than twenty will not
    ({2012: 50, 2019: 500}, 2018, 50, 300),  # not too many
]


@pytest.mark.parametrize(("years", "day", "before", "after"), HELD)
def test_the_latest_years_are_held_out(years: Mapping[int, int], day: int | None, before: int, after: int) -> None:
    every = [c for year, n in sorted(years.items()) for c in many(year, n)]
    on, earlier, later = held_out(every, UNTIL)
    assert on == (None if day is None else date(day, 12, 31))
    assert (len(earlier), len(later)) == (before, after)


def test_each_project_is_held_out_once_and_asked_as_early_as_it_can_be() -> None:
    late = [*many(2018, 70, "q"), *(replace(c, place=2019, as_of=date(2019, 12, 31)) for c in many(2018, 70, "q"))]
    _, _, later = held_out([*many(2014, 60), *late], UNTIL)
    assert len(later) == 70
    assert {c.as_of.year for c in later} == {2018}


def test_what_has_no_label_by_the_day_is_not_learned_from() -> None:
    """An origin before the day whose deals all closed after it."""
    late = many(2017, 20, "late", after=2)
    day, earlier, _ = held_out([*many(2014, 60), *late, *many(2019, 70)], UNTIL)
    assert day == date(2018, 12, 31)
    assert {c.project for c in earlier} == {c.project for c in many(2014, 60)}


def test_labels_are_those_that_close_by_a_day() -> None:
    case = asked("p", 2017, date(2018, 6, 1), date(2019, 6, 1))
    assert case.labels(date(2017, 12, 31)).tolist() == [0] * 10
    assert case.labels(date(2018, 12, 31)).tolist() == [1, *[0] * 9]
    assert case.labels(UNTIL).tolist() == [1, 1, *[0] * 8]
    assert case.query == "p@2018"
    assert case.window(date(2017, 12, 31)).labels == {}
    assert case.window(UNTIL).labels[0].tolist() == [0, 1]


def test_every_query_knows_nothing_of_its_labels(found: list[Case], world: Facts) -> None:
    """Two years of labels, after what is known; whoever is in already is no candidate."""
    assert found == sorted(found, key=lambda c: c.as_of)
    for case in found:
        end = date(case.as_of.year + 2, 12, 31)
        assert case.snapshot.history.as_of == case.as_of
        assert all(case.as_of < d <= end for d in case.closed.values())
        known = case.snapshot.history
        assert all(r["counts_from"] <= case.as_of for r in known.records)
        assert not set(case.rows.tolist()) & set(known.partner[known.project == case.row].tolist())
        assert case.labels(world.as_of).sum() == len(case.closed) >= 1
    asked_twice = {(c.project, c.as_of) for c in found}
    assert len(asked_twice) == len(found)


def test_a_partner_that_is_in_already_is_no_candidate() -> None:
    known = facts(
        deals=[deal(1, "p-port", "jp-port", date(2015, 3, 1)), deal(2, "p-port", "sg-fund", date(2017, 3, 1))]
    )
    by_year = {c.as_of.year: c for c in cases(corpus(known))}
    assert sorted(by_year) == [2013, 2014, 2015, 2016]
    row = {q: i for i, q in enumerate(sorted(known.partners["partner_id"].to_list()))}
    for year, labels in ((2013, {"jp-port"}), (2014, {"jp-port"}), (2015, {"sg-fund"}), (2016, {"sg-fund"})):
        assert set(by_year[year].closed) == {row[q] for q in labels}
        assert (row["jp-port"] in by_year[year].rows) == (year < 2015)
        assert row["sg-fund"] in by_year[year].rows


def test_the_latest_queries_are_kept_and_origins_stay_whole(
    world: Facts, found: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "MAX_QUERIES", 60)
    fewer = cases(corpus(world))
    years = {c.as_of.year for c in fewer}
    assert 0 < len(fewer) <= 60
    assert max(years) == max(c.as_of.year for c in found)
    assert len(fewer) == sum(c.as_of.year in years for c in found)
    monkeypatch.setattr(learn, "PER_ORIGIN", 3)
    assert max(sum(c.as_of == o.as_of for c in cases(corpus(world))) for o in fewer) == 3


@pytest.fixture
def fitted(world: Facts, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[list[Group]], list[Any]]:
    """What is learned of the world, the groups that each tree was fitted on and the windows of each kernel."""
    groups: list[list[Group]] = []
    windows: list[Any] = []
    fit_tree, fit_kernel = rank.fit_tree, Kernel.fit

    def tree(seen: list[Group], *rest: Any, **more: Any) -> Any:
        groups.append(list(seen))
        return fit_tree(seen, *rest, **more)

    def kernel(seen: list[Any], **more: Any) -> Kernel:
        windows.append(list(seen))
        return fit_kernel(seen, **more)

    monkeypatch.setattr(rank, "fit_tree", tree)
    monkeypatch.setattr(Kernel, "fit", kernel)
    return learn.learn(corpus(world), seed=3), groups, windows


def test_nothing_after_the_held_day_is_in_what_the_judged_ranker_learned_from(
    fitted: tuple[Any, list[list[Group]], list[Any]], found: list[Case], world: Facts
) -> None:
    made, groups, windows = fitted
    day, earlier, later = held_out(found, world.as_of)
    assert day is not None
    assert [g.query for g in groups[0]] == [c.query for c in earlier]
    assert [g.query for g in made.held] == [c.query for c in later]
    for group, case in zip(groups[0], earlier, strict=True):
        winners = {int(r) for r in group.candidates[group.y == 1]}
        assert winners == {r for r, on in case.closed.items() if on <= day}
    for kernel in windows[:-1]:  # the last one is that of the served ranker, which learns from everything
        for window in kernel:
            assert window.snapshot.history.as_of < day
            for project, rows in window.labels.items():
                case = next(c for c in earlier if c.as_of == window.snapshot.history.as_of and c.row == project)
                assert all(case.closed[int(r)] <= day for r in rows)
    assert len(groups[1]) == len(found) == made.queries


def test_a_training_query_has_its_positives_the_hardest_and_a_sample(
    world: Facts, found: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "HARD", 5)
    monkeypatch.setattr(learn, "RANDOM", 7)
    makers = [learn._Maker(corpus=corpus(world), seed=s, progress=None, total=1) for s in (1, 1, 2)]
    case = found[-1]
    whole = makers[0].group(case, Kernel(), world.as_of, sampled=False)
    one, same, other = (m.group(case, Kernel(), world.as_of, sampled=True) for m in makers)
    assert whole.candidates.tolist() == case.rows.tolist()
    assert one.candidates.tolist() == same.candidates.tolist() != other.candidates.tolist()
    assert one.candidates.tolist() == sorted(set(one.candidates.tolist()))
    assert (one.y == 1).sum() == (whole.y == 1).sum() >= 1
    assert (one.y == 0).sum() == 5 + 7
    place = {int(r): i for i, r in enumerate(whole.candidates)}
    rows = [place[int(r)] for r in one.candidates]
    np.testing.assert_array_equal(one.x, whole.x[rows])
    np.testing.assert_array_equal(one.y, whole.y[rows])
    hard = by_experience().score(whole.x) + 0.3 * documented().score(whole.x)
    wrong = [r for r in np.argsort(-hard, kind="stable") if whole.y[r] == 0][:5]
    assert set(wrong) <= set(rows)


def test_under_another_kernel_only_what_the_kernel_says_changes(world: Facts, found: list[Case]) -> None:
    maker = learn._Maker(corpus=corpus(world), seed=1, progress=None, total=1)
    case, kernel = found[-1], replace(Kernel(), weights=tuple(0.0 for _ in Kernel().weights))
    before = maker.group(case, Kernel(), world.as_of, sampled=True)
    again = maker.again(before, case, kernel, world.as_of)
    fresh = maker.group(case, kernel, world.as_of, sampled=False)
    rows = np.searchsorted(fresh.candidates, again.candidates)
    np.testing.assert_allclose(again.x, fresh.x[rows], rtol=1e-6)
    same = [i for i, n in enumerate(NAMES) if n not in ("experience", "coinvestors", "namesakes")]
    kept = np.isin(before.candidates, again.candidates)
    np.testing.assert_array_equal(again.x[:, same], before.x[kept][:, same])


def test_a_deal_planted_after_the_last_day_changes_nothing(world: Facts) -> None:
    """Nor does one that is dated before it but was told of only afterwards."""
    late = [
        deal(90_000, "y0001", "q001", world.as_of + timedelta(days=1)),
        deal(90_001, "y0002", "q001", date(2025, 6, 1), counts_from=world.as_of + timedelta(days=1)),
    ]
    one, two = (learn.learn(corpus(k), seed=3) for k in (world, with_rows(world, "deals", late)))
    assert (one.kernel, one.note, one.metrics, one.queries) == (two.kernel, two.note, two.metrics, two.queries)
    assert one.ranker.booster.model_to_string() == two.ranker.booster.model_to_string()


def test_a_deal_after_the_held_day_changes_neither_the_judged_kernel_nor_its_tree(
    world: Facts, found: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    day, _, later = held_out(found, world.as_of)
    assert day is not None
    seen: list[list[Group]] = []
    fit_tree = rank.fit_tree

    def tree(groups: list[Group], *rest: Any, **more: Any) -> Any:
        seen.append(list(groups))
        return fit_tree(groups, *rest, **more)

    monkeypatch.setattr(rank, "fit_tree", tree)
    # On a project that is held out already, so that the same queries are held out.
    late = deal(90_000, later[0].project, "q001", max(later[0].closed.values()))
    one, two = (learn.learn(corpus(k), seed=3) for k in (world, with_rows(world, "deals", [late])))
    before, after = seen[0], seen[2]
    assert [g.query for g in before] == [g.query for g in after]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a.candidates, b.candidates)
        np.testing.assert_array_equal(a.y, b.y)
        np.testing.assert_array_equal(a.x, b.x)
    assert one.labels < two.labels


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"a": [0.5, 0.5, 0.5, 0.5]}, "a"),
        ({"a": [0.5, 0.4, 0.6, 0.5], "b": [0.6, 0.5, 0.7, 0.6]}, "b"),  # always better
        ({"a": [0.5, 0.4, 0.6, 0.5], "b": [0.5, 0.4, 0.6, 0.5]}, "a"),  # as good
        ({"a": [0.5, 0.4, 0.6, 0.5], "b": [1.0, 0.0, 1.0, 0.1]}, "a"),  # better by chance
        ({"a": [0.5, 0.4, 0.6, 0.5], "b": [0.4, 0.3, 0.5, 0.4]}, "a"),  # always worse
        ({"a": [0.2, 0.2], "b": [0.3, 0.3], "c": [0.4, 0.4]}, "c"),  # the best of those that are better
        ({"a": [0.2, 0.2], "c": [0.4, 0.4], "b": [0.3, 0.3]}, "c"),
        ({"a": [0.2], "b": [0.9]}, "a"),  # one query says nothing
    ],
)
def test_the_first_stays_unless_it_is_beaten_by_more_than_its_standard_error(
    values: Mapping[str, list[float]], expected: str
) -> None:
    assert _choose({n: np.array(v) for n, v in values.items()}, first="a") == expected


def test_the_rule_is_one_standard_error() -> None:
    base = np.zeros(4)
    other = np.array([0.3, 0.1, -0.1, 0.1])  # mean .1, standard error .0816
    assert _choose({"a": base, "b": other}, first="a") == "b"
    wide = np.array([0.4, 0.1, -0.2, 0.1])  # mean .1, standard error .122
    assert _choose({"a": base, "b": wide}, first="a") == "a"


def test_what_is_chosen_is_what_is_reported(world: Facts) -> None:
    made = learn.learn(corpus(world), seed=3)
    assert {"linear", "experience", "chosen"} <= set(made.metrics)
    base = next(name for name, words in learn._TOLD.items() if made.note.startswith(f"{words} plus "))
    trees = {f"{base}_tree_{s:g}" for s in rank.SHARES}
    assert set(made.metrics) == {"linear", "history", "experience", "chosen", *trees}
    assert made.metrics["chosen"] == made.metrics[f"{base}_tree_{made.ranker.share:g}"]
    assert made.metrics[f"{base}_tree_0"] == made.metrics[base]
    assert made.judge.share == made.ranker.share
    assert made.judge.booster is not made.ranker.booster
    assert f"chosen on {len(made.held)} queries" in made.note


@pytest.mark.parametrize("known", [large(10), large(40), large(90, years=[2025]), facts(deals=[])])
def test_with_few_labels_the_linear_model_stands_and_nothing_is_claimed(known: Facts) -> None:
    made = learn.learn(corpus(known), seed=3)
    assert isinstance(made.ranker, LinearRanker)
    assert made.judge is made.ranker
    np.testing.assert_array_equal(made.ranker.weights, [f.weight for f in FEATURES])
    assert (made.held, made.metrics) == ((), {})
    assert f"{made.queries} labelled queries" in made.note
    assert made.kernel.strength == learn.STRENGTHS[0]


def test_a_query_weighs_less_the_older_it_is() -> None:
    found = [asked("p", year, date(year + 1, 1, 1)) for year in (2015, 2019, 2018)]
    assert _fading(found).tolist() == pytest.approx([learn.FADING**4, 1.0, learn.FADING])
    assert _fading([]).size == 0
