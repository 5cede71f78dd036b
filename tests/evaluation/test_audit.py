"""The audit by hand and its laws."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_matches import matches

from evaluation.audit import audit, gini, training_projects
from evaluation.datasets import Dataset
from matcher.measures import Ranking


def ranking(dataset: Dataset, lists: dict[str, str]) -> Ranking:
    run = {q: {f"o{c}": float(-i) for i, c in enumerate(found)} for q, found in lists.items()}
    return Ranking.of_run(run, queries=dataset.queries, candidates=tuple(dataset.partners["partner_id"]))


def test_training_projects_count_projects_and_not_deals() -> None:
    assert training_projects(matches()).tolist() == [3, 2, 1, 1, 0, 0]


def test_by_hand() -> None:
    dataset = matches()
    found = audit(dataset, ranking(dataset, {"q1": "ab", "q2": "ab", "q3": "ae", "q4": "d"}))
    assert found.coverage == pytest.approx(4 / 6)
    assert found.popularity == pytest.approx((3 * 3 + 2 * 2 + 0 + 1) / 7)
    # The less popular half is oe, of (none), then oc (one, and before od by identifier).
    assert found.long_tail == pytest.approx(1 / 7)
    assert found.home == pytest.approx({"JP": 3 / 7, "KR": 2 / 7, "SG": 1 / 7, "unknown": 1 / 7})
    assert list(found.home) == ["JP", "KR", "SG", "unknown"]
    assert found.kind == pytest.approx({"company": 4 / 7, "fund": 2 / 7, "bank": 1 / 7})
    assert found.size == {"unknown": 1.0}
    assert found.top == (
        ("oa", "Alpha", pytest.approx(3 / 6)), ("ob", "Beta", pytest.approx(2 / 6)),
        ("od", "Delta", pytest.approx(1 / 6)), ("oe", "Epsilon", pytest.approx(1 / 6)),
    )  # fmt: skip
    # 3 2 0 1 1 0: absolute differences of all ordered pairs over 2 n² mean.
    counts = [3, 2, 0, 1, 1, 0]
    assert found.gini == pytest.approx(sum(abs(a - b) for a in counts for b in counts) / (2 * 6 * 7))
    assert found.same_names


def test_sizes_are_used_where_there_are_any() -> None:
    dataset = matches()
    object.__setattr__(dataset, "partners", dataset.partners.with_columns(pl.lit("large").alias("size")))
    assert audit(dataset, ranking(dataset, {"q1": "ab"})).size == {"large": 1.0}


def test_only_the_top_ten_counts() -> None:
    partners = [(f"o{i:02d}", f"N{i}", "JP", "fund") for i in range(30)]
    dataset = matches(partners=partners, deals=[], qrels={})
    scores = np.tile(-np.arange(30.0), (6, 1))
    same = audit(dataset, Ranking.of_scores(dataset.queries, [p[0] for p in partners], scores))
    assert same.coverage == pytest.approx(1 / 3)
    assert same.gini == pytest.approx(2 / 3)
    assert same.long_tail == pytest.approx(10 / 10)  # nobody has a deal: the first 15 are the half
    assert same.same_names
    assert len(same.top) == 10
    assert all(share == 1 for _, _, share in same.top)


def test_the_alarm_needs_more_than_half_of_the_places() -> None:
    partners = [(f"o{i:02d}", f"N{i}", "JP", "fund") for i in range(20)]
    dataset = matches(partners=partners, deals=[], qrels={})
    even = np.full((6, 20), -1.0)
    even[:3, :10] = 1.0
    even[3:, 10:] = 1.0
    names = [p[0] for p in partners]
    assert not audit(dataset, Ranking.of_scores(dataset.queries, names, even)).same_names
    even[3] = even[0]
    assert audit(dataset, Ranking.of_scores(dataset.queries, names, even)).same_names


def test_nothing_ranked() -> None:
    dataset = matches()
    found = audit(dataset, ranking(dataset, {}))
    assert all(math.isnan(v) for v in (found.coverage, found.gini, found.popularity, found.long_tail))
    assert (found.home, found.kind, found.size, found.top, found.same_names) == ({}, {}, {}, (), False)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20).filter(any))
def test_gini_is_the_mean_difference(counts: list[int]) -> None:
    x = np.array(counts)
    expected = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert gini(x) == pytest.approx(expected)
    assert gini(x) >= -1e-12
    assert gini(x) <= 1 - 1 / x.size + 1e-12


def test_gini_of_equal_shares_and_of_one_owner() -> None:
    assert gini(np.full(7, 3)) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 9])) == pytest.approx(3 / 4)
    assert math.isnan(gini(np.zeros(4, dtype=np.int64)))
