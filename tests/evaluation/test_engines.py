"""Two engines side by side: what differs, and how far their lists agree."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.engines import agreement, differences, drawn, measures, overlap

LETTERS = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True, max_size=12)
FIRST: dict[str, Any] = {
    "engine": "one", "as_of": "2026-01-31", "features": ["sector", "host", "old"], "encoder": "e5", "seed": 0,
    "describe": "3", "revision": "aaa", "versions": {"numpy": "2.0", "torch": "2.8"}, "ranker_note": "linear",
    "counts": {"deals": 300, "labels": 40}, "metrics": {"linear": {"nDCG@10": [0.2, 0.1, 0.3]}},
}  # fmt: skip
SECOND: dict[str, Any] = {
    **FIRST, "engine": "two", "as_of": "2026-02-28", "features": ["sector", "host", "new"],
    "versions": {"numpy": "2.1", "torch": "2.8"}, "ranker_note": "boosted", "counts": {"deals": 320},
}  # fmt: skip


def test_differences_are_told_and_nothing_else() -> None:
    found = differences(FIRST, SECOND)
    assert (found.added, found.removed) == (("new",), ("old",))
    assert found.values == {
        "as_of": ("2026-01-31", "2026-02-28"), "ranker_note": ("linear", "boosted"), "versions.numpy": ("2.0", "2.1"),
    }  # fmt: skip
    assert found.counts == {"deals": (300, 320), "labels": (40, None)}


def test_an_engine_does_not_differ_from_itself_or_from_one_that_says_nothing() -> None:
    same = differences(FIRST, FIRST)
    assert not same.added
    assert not same.removed
    assert not same.values
    assert differences({}, {}).counts == {}


def test_measures_are_those_of_the_manifest_and_odd_ones_are_left_out() -> None:
    odd = {"metrics": {"linear": {"nDCG@10": [0.2, 0.1, 0.3], "old": [0.1], "text": "high"}, "none": None}}
    assert measures(odd) == {"linear": {"nDCG@10": (0.2, 0.1, 0.3)}}
    assert measures({}) == {}


def test_projects_are_drawn_by_their_identifiers_alone() -> None:
    some = [f"P{i}" for i in range(100)]
    assert drawn(some) == drawn(some[::-1])
    assert len(set(drawn(some))) == 20
    without = [p for p in some if p not in drawn(some, 3)]
    assert drawn(without, 17) == drawn(some)[3:]


def test_rank_biased_overlap_follows_its_equation() -> None:
    # By hand, p = .5: agreement at depth 1, 2, 3 is 0, 1, 2/3.
    by_hand = 2 / 3 * 0.5**3 + 0.5 / 0.5 * (0 * 0.5 + 1 * 0.25 + 2 / 3 * 0.125)
    assert overlap(["a", "b", "c"], ["b", "a", "d"], p=0.5) == pytest.approx(by_hand)


def test_the_first_ten_places_carry_what_is_said_of_them() -> None:
    # Webber et al. 2010, equation 21: the weight of the first d places.
    p, d = 0.9, 10
    weight = 1 - p ** (d - 1) + (1 - p) / p * d * (math.log(1 / (1 - p)) - sum(p**i / i for i in range(1, d)))
    assert weight == pytest.approx(0.86, abs=0.005)


@given(LETTERS, LETTERS)
def test_overlap_is_a_share_and_does_not_ask_who_is_first(one: list[str], two: list[str]) -> None:
    found = overlap(one, two)
    assert -1e-12 <= found <= 1 + 1e-12
    assert found == pytest.approx(overlap(two, one))
    if not set(one) & set(two) and (one or two):
        assert found == 0


@given(LETTERS)
def test_a_list_agrees_with_itself(one: list[str]) -> None:
    assert overlap(one, one) == pytest.approx(1)


def test_a_change_at_the_top_weighs_more_than_one_at_the_end() -> None:
    ten = list("abcdefghij")
    top, end = ["x", *ten[1:]], [*ten[:9], "x"]
    assert overlap(ten, top) < overlap(ten, end) < 1


def test_lists_that_changed_most_come_first() -> None:
    before = {"p1": list("abcdefghijk"), "p2": list("abcdefghijk"), "p3": []}
    after = {"p1": list("abcdefghijk"), "p2": list("abcdefghixj"), "p3": []}
    found = agreement(["p1", "p2", "p3"], before.__getitem__, after.__getitem__)
    assert found.projects[0].project_id == "p2"
    assert found.projects[0].overlap == pytest.approx(0.9)
    assert (found.projects[0].came, found.projects[0].left) == (("x",), ("j",))
    assert found.same == 2
    assert found.overlap == pytest.approx((0.9 + 1 + 1) / 3)
    assert agreement([], before.__getitem__, after.__getitem__).rbo is None


def test_a_list_that_became_shorter_does_not_look_the_same() -> None:
    found = agreement(["p"], lambda _: ["a", "b", "c", "d"], lambda _: ["a", "b"])
    assert found.projects[0].overlap == pytest.approx(0.5)
    assert found.projects[0].left == ("c", "d")
