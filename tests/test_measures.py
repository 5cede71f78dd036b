import math
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from matcher.errors import InputError
from matcher.measures import Judged, Ranking, chance, interval, judge, parse, per_query, values

CANDIDATES = [f"q{i:02d}" for i in range(12)]
SCORES = st.dictionaries(st.sampled_from(CANDIDATES), st.floats(-5, 5), min_size=1)
RELEVANT = st.dictionaries(st.sampled_from(CANDIDATES), st.integers(0, 1), min_size=1)
MEASURES = ("nDCG@10", "R@50", "RR")
ALL = ("nDCG@10", "R@10", "R@50", "RR", "AP", "P@5", "Success@10")
SHORT = ("nDCG@3", "R@1", "RR@4", "P@2", "Success@2")
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@given(qrels=RELEVANT, run=SCORES, measure=st.sampled_from(MEASURES))
def test_a_measure_lies_between_0_and_1_for_queries_with_something_to_find(
    qrels: dict[str, int], run: dict[str, float], measure: str
) -> None:
    found = per_query({"p": qrels}, {"p": run}, measure)
    assert set(found) == ({"p"} if any(qrels.values()) else set())
    assert all(0.0 <= v <= 1.0 for v in found.values())


@given(qrels=RELEVANT.filter(lambda q: any(q.values())), measure=st.sampled_from(MEASURES))
def test_the_perfect_order_scores_1(qrels: dict[str, int], measure: str) -> None:
    run = {c: float(qrels.get(c, 0)) for c in CANDIDATES}
    assert per_query({"p": qrels}, {"p": run}, measure)["p"] == pytest.approx(1.0)


def test_by_hand() -> None:
    qrels = {"p": {"b": 1, "d": 1}}
    run = {"p": {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}}
    ideal = 1 + 1 / math.log2(3)
    assert per_query(qrels, run, "nDCG@10")["p"] == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert per_query(qrels, run, "RR")["p"] == pytest.approx(0.5)
    assert per_query(qrels, run, "R@2")["p"] == pytest.approx(0.5)


def test_ties_fall_to_the_smaller_identifier() -> None:
    run = {"p": dict.fromkeys(("a", "b", "c"), 0.5)}
    assert [per_query({"p": {c: 1}}, run, "RR")["p"] for c in "abc"] == pytest.approx([1, 1 / 2, 1 / 3])


def test_a_query_without_answer_scores_0_and_one_without_relevance_is_left_out() -> None:
    qrels = {"asked": {"a": 1}, "unanswered": {"a": 1}, "nothing": {"a": 0}}
    assert per_query(qrels, {"asked": {"a": 1.0}, "nothing": {"a": 1.0}}, "RR") == {"asked": 1.0, "unanswered": 0.0}
    assert per_query({"p": {"a": 0}}, {"p": {"a": 1.0}}, "RR") == {}
    assert per_query({}, {}, "RR") == {}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 5))
def test_the_interval_holds_the_mean_and_follows_the_seed(values: list[float], seed: int) -> None:
    named = {f"q{i}": v for i, v in enumerate(values)}
    mean, low, high = interval(named, seed=seed)
    assert mean == pytest.approx(np.mean(values))
    assert min(values) - 1e-12 <= low <= high <= max(values) + 1e-12
    assert interval(dict(reversed(named.items())), seed=seed) == (mean, low, high)


def test_no_query_has_no_mean() -> None:
    assert all(math.isnan(v) for v in interval({}, seed=0))


def judged(hits: list[list[int]], relevant: list[int]) -> Judged:
    return Judged(hits=np.array(hits, dtype=bool), relevant=np.array(relevant))


def named(n: int, prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{i:03d}" for i in range(n))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Floats, Bools, Bools | None, int]:
    """Scores with ties and gaps, answers in and out of the lists, a slice or none, a depth."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 70)))
    some = st.sampled_from([0.0, 0.5, 1.0, math.nan]) | st.floats(-1e3, 1e3)
    scores = draw(nps.arrays(np.float64, shape, elements=some, fill=draw(some.map(st.just))))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    relevant = rng.random(shape) < draw(st.sampled_from([0.02, 0.2, 0.9]))
    sliced = draw(st.sampled_from([(), shape[1:], shape]))
    allow = rng.random(sliced) < draw(st.sampled_from([0.1, 0.7])) if sliced else None
    if draw(st.booleans()):
        scores = rng.integers(0, draw(st.integers(1, 40)), shape).astype(np.float64)
    return scores, relevant, allow, draw(st.integers(1, 80))


@settings(max_examples=1000, deadline=None)
@given(world=worlds())
def test_values_agree_with_ir_measures(world: tuple[Floats, Bools, Bools | None, int]) -> None:
    scores, relevant, allow, depth = world
    queries, candidates = named(len(scores), "p"), named(scores.shape[1], "q")
    ranking = Ranking.of_scores(queries, candidates, scores, depth=depth)
    within = np.broadcast_to(True if allow is None else allow, scores.shape)
    run, qrels = {}, {}
    for i, query in enumerate(queries):
        listed = sorted((-scores[i, j], c) for j, c in enumerate(candidates) if not math.isnan(scores[i, j]))[:depth]
        allowed = {c for j, c in enumerate(candidates) if within[i, j]}
        run[query] = {c: -s for s, c in listed if c in allowed}
        qrels[query] = {c: int(relevant[i, j]) for j, c in enumerate(candidates) if c in allowed}
    found = judge(ranking, relevant, allow)
    for measure in ALL + SHORT:
        mine = dict(zip(queries, values(found, measure).tolist(), strict=True))
        theirs = per_query(qrels, run, measure)
        assert {q for q, v in mine.items() if not math.isnan(v)} == set(theirs)
        assert {q: mine[q] for q in theirs} == pytest.approx(theirs, abs=1e-9, rel=0), measure


@settings(deadline=None)
@given(world=worlds())
def test_a_ranking_is_ordered_by_score_then_identifier_and_survives_the_run(
    world: tuple[Floats, Bools, Bools | None, int],
) -> None:
    scores, _, _, depth = world
    queries, candidates = named(len(scores), "p"), named(scores.shape[1], "q")
    ranking = Ranking.of_scores(queries, candidates, scores, depth=depth)
    assert list(ranking.to_run()) == list(queries)
    for i, row in enumerate(ranking.to_run().values()):
        order = sorted((-scores[i, j], c) for j, c in enumerate(candidates) if not math.isnan(scores[i, j]))
        assert [(-score, c) for c, score in row.items()] == order[:depth]
    again = Ranking.of_run(ranking.to_run(), queries=queries, candidates=candidates)
    assert again.to_run() == ranking.to_run()
    width = again.places.shape[1]
    assert np.array_equal(again.places, ranking.places[:, :width])
    assert (ranking.places[:, width:] == -1).all()
    assert np.isnan(ranking.scores[ranking.places < 0]).all()


@settings(deadline=None)
@given(world=worlds(), measure=st.sampled_from(ALL + SHORT))
def test_values_are_shares_and_know_only_the_order(
    world: tuple[Floats, Bools, Bools | None, int], measure: str
) -> None:
    scores, relevant, allow, depth = world
    queries, candidates = named(len(scores), "p"), named(scores.shape[1], "q")
    scores = np.round(scores, 3)
    found = values(judge(Ranking.of_scores(queries, candidates, scores, depth=depth), relevant, allow), measure)
    moved = Ranking.of_scores(queries, candidates, np.cbrt(scores) * 2 + 7, depth=depth)
    assert np.array_equal(found, values(judge(moved, relevant, allow), measure), equal_nan=True)
    inside = found[~np.isnan(found)]
    assert ((inside >= 0) & (inside <= 1 + 1e-12)).all()


@settings(deadline=None)
@given(world=worlds(), measure=st.sampled_from(("nDCG@10", "nDCG@3", "RR", "AP", "Success@2", "RR@4")))
def test_the_perfect_order_has_value_1_and_the_worst_is_not_better(
    world: tuple[Floats, Bools, Bools | None, int], measure: str
) -> None:
    _, relevant, allow, _ = world
    queries, candidates = named(len(relevant), "p"), named(relevant.shape[1], "q")
    perfect = Ranking.of_scores(queries, candidates, relevant.astype(np.float64), depth=None)
    best = values(judge(perfect, relevant, allow), measure)
    assert best[~np.isnan(best)] == pytest.approx(1.0)
    worst = values(judge(Ranking.of_scores(queries, candidates, -relevant.astype(float)), relevant, allow), measure)
    assert (worst[~np.isnan(worst)] <= best[~np.isnan(best)] + 1e-12).all()


def test_many_candidates_are_cut_to_the_best_at_any_size_of_block() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 50, (30, 300_000)).astype(np.float32)
    ranking = Ranking.of_scores(named(30, "p"), tuple(f"q{i:06d}" for i in range(300_000)), scores, depth=20)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :20]
    assert np.array_equal(ranking.places, expected)


def test_infinite_scores_are_ranked_and_unknown_ones_are_not() -> None:
    scores = [[math.nan, -math.inf, 1.0, math.inf, math.nan, -math.inf]]
    for depth in (None, 4, 3):
        ranking = Ranking.of_scores(["p"], list("abcdef"), scores, depth=depth)
        assert list(ranking.to_run()["p"]) == list("dcbf")[:depth]


def test_values_by_hand() -> None:
    found = judged([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], [2, 1, 0])
    ideal = 1 + 1 / math.log2(3)
    for measure, first in {
        "nDCG@10": (1 / math.log2(3) + 1 / math.log2(5)) / ideal,
        "RR": 1 / 2,
        "RR@1": 0,
        "AP": (1 / 2 + 2 / 4) / 2,
        "P@5": 2 / 5,
        "R@2": 1 / 2,
        "Success@1": 0,
    }.items():
        assert values(found, measure) == pytest.approx([first, 0, math.nan], nan_ok=True), measure


def test_a_run_without_a_query_has_an_empty_list_there() -> None:
    run = {"asked": {"b": 1.0, "a": 1.0, "c": 3.0}, "elsewhere": {"a": 1.0}}
    ranking = Ranking.of_run(run, queries=["asked", "unanswered"], candidates=["a", "b", "c"], depth=2)
    assert ranking.to_run() == {"asked": {"c": 3.0, "a": 1.0}, "unanswered": {}}
    relevant = np.array([[True, False, False], [True, False, False]])
    assert values(judge(ranking, relevant), "RR").tolist() == [0.5, 0.0]


def test_nothing_has_no_values() -> None:
    nobody = Ranking.of_scores([], ["a"], np.zeros((0, 1)))
    assert values(judge(nobody, np.zeros((0, 1), dtype=bool)), "AP").size == 0
    empty = Ranking.of_scores(["p"], [], np.zeros((1, 0)))
    unanswered = Ranking.of_run({}, queries=["p"], candidates=["a"])
    for measure in ALL:
        assert np.isnan(values(judge(empty, np.zeros((1, 0), dtype=bool)), measure)).all()
        assert values(judge(unanswered, np.ones((1, 1), dtype=bool)), measure).tolist() == [0.0]


def test_a_slice_moves_the_others_up_and_forgets_what_it_leaves_out() -> None:
    ranking = Ranking.of_scores(["p"], list("abcd"), [[4.0, 3.0, 2.0, 1.0]])
    relevant = np.array([[True, False, False, True]])
    found = judge(ranking, relevant, np.array([False, True, False, True]))
    assert found.hits.tolist() == [[False, True, False, False]]
    assert found.relevant.tolist() == [1]


@pytest.mark.parametrize("measure", ["nDCG", "P", "R@0", "MRR", "AP@10", "nDCG@10 ", ""])
def test_an_unknown_measure_is_refused(measure: str) -> None:
    with pytest.raises(ValueError, match="no measure here"):
        parse(measure)


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        Ranking.of_scores(["b", "a"], ["a"], [[1.0], [1.0]])
    with pytest.raises(ValueError, match="ascend"):
        Ranking.of_scores(["a"], ["a", "a"], [[1.0, 1.0]])
    with pytest.raises(ValueError, match="have scores"):
        Ranking.of_scores(["a"], ["a"], [[1.0, 2.0]])
    ranking = Ranking.of_scores(["a"], ["a", "b"], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="relevant"):
        judge(ranking, np.ones((1, 3), dtype=bool))
    with pytest.raises(ValueError, match="allow"):
        judge(ranking, np.ones((1, 2), dtype=bool), np.ones(3, dtype=bool))
    with pytest.raises(InputError, match="candidate z is not in the catalogue"):
        Ranking.of_run({"a": {"z": 1.0}}, queries=["a"], candidates=["a", "b"])
    with pytest.raises(InputError, match="not a number"):
        Ranking.of_run({"a": {"b": math.nan}}, queries=["a"], candidates=["a", "b"])


@pytest.mark.parametrize("measure", [*ALL, *SHORT])
def test_chance_is_the_mean_over_all_orders(measure: str) -> None:
    for n in range(1, 8):
        for r in range(1, n + 1):
            hits = np.array([[rank in chosen for rank in range(n)] for chosen in combinations(range(n), r)])
            for depth in (None, 1, 3, 20):
                every = Judged(hits=hits[:, :depth], relevant=np.full(len(hits), r))
                expected = values(every, measure).mean()
                assert chance(r, n, measure, depth=depth) == pytest.approx(expected, abs=1e-12), (n, r, depth)


def test_chance_in_a_large_pool_is_what_random_orders_score() -> None:
    rng = np.random.default_rng(7)
    pools, counts = np.array([300, 80, 300]), np.array([1, 7, 40])
    for pool, r in zip(pools.tolist(), counts.tolist(), strict=True):
        orders = Judged(hits=rng.permuted(np.tile(np.arange(pool) < r, (4000, 1)), axis=1), relevant=np.full(4000, r))
        for measure in ALL:
            seen = values(orders, measure)
            assert abs(seen.mean() - chance(r, pool, measure)) < 4 * seen.std() / math.sqrt(4000) + 1e-12, (r, measure)
    one_by_one = [float(chance(r, n, "AP")) for r, n in zip(counts, pools, strict=True)]
    assert chance(counts, pools, "AP").tolist() == one_by_one


def test_chance_by_hand_and_at_the_edges() -> None:
    assert chance(1, 4, "RR") == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert chance([2, 0, 0], [2, 5, 0], "AP") == pytest.approx([1, math.nan, math.nan], nan_ok=True)
    assert chance(3, 20_000, "Success@10") == pytest.approx(
        1 - math.comb(20_000 - 3, 10) / math.comb(20_000, 10), rel=1e-9
    )
    assert chance(np.ones((2, 3)), 5, "P@5").shape == (2, 3)
    assert chance([], [], "RR").size == 0
    assert chance(1, 5, "RR", depth=0) == chance(1, 5, "Success@3", depth=0) == 0
    for r, n in ((2, 1), (-1, 3)):
        with pytest.raises(ValueError, match="fewer"):
            chance(r, n, "RR")
