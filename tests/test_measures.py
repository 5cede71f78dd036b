import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.measures import interval, per_query

CANDIDATES = [f"q{i:02d}" for i in range(12)]
SCORES = st.dictionaries(st.sampled_from(CANDIDATES), st.floats(-5, 5), min_size=1)
RELEVANT = st.dictionaries(st.sampled_from(CANDIDATES), st.integers(0, 1), min_size=1)
MEASURES = ("nDCG@10", "R@50", "RR")


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
