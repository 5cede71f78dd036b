"""How a chance is said: one in so many, times the average, both to two significant digits, in both languages."""

import pytest

from matcher.chance import Probability


def chance(value: float, base_rate: float | None = 0.002, low: float = 0.05, high: float = 0.2) -> Probability:
    return Probability(value=value, low=low, high=high, outcome="deal", horizon_days=730, base_rate=base_rate)


@pytest.mark.parametrize(
    ("value", "en", "vi"),
    [
        (1 / 12, "1 in 12, 42 times the average candidate", "1 trên 12, gấp 42 lần đối tác trung bình"),
        (0.000_811, "1 in 1,200, 0.41 times the average candidate", "1 trên 1.200, gấp 0,41 lần đối tác trung bình"),
        (0.58, "1 in 1.7, 290 times the average candidate", "1 trên 1,7, gấp 290 lần đối tác trung bình"),
        (0.006, "1 in 170, 3 times the average candidate", "1 trên 170, gấp 3 lần đối tác trung bình"),
    ],
)
def test_a_chance_is_one_in_so_many_and_so_many_times_the_average(value: float, en: str, vi: str) -> None:
    assert chance(value).told("en") == en
    assert chance(value).told("vi") == vi


def test_without_a_base_rate_there_is_no_lift() -> None:
    for none in (None, 0.0):
        assert chance(0.1, base_rate=none).told("en") == "1 in 10"
        assert chance(0.1, base_rate=none).lift is None


def test_the_interval_is_said_from_the_smaller_chance_to_the_larger() -> None:
    assert chance(0.1).between("en") == "between 1 in 20 and 1 in 5"
    assert chance(0.1).between("vi") == "từ 1 trên 20 đến 1 trên 5"


def test_nothing_is_one_in_no_number() -> None:
    assert chance(0.0).one_in is None
    assert chance(0.0).told("en").startswith("0")


def test_the_api_has_six_digits_and_all_that_is_said() -> None:
    assert chance(1 / 12, base_rate=1 / 700).to_json() == {
        "value": 0.0833333, "low": 0.05, "high": 0.2, "outcome": "deal", "horizon_days": 730, "base_rate": 0.00142857,
        "lift": 58.0, "one_in": 12.0,
    }  # fmt: skip
