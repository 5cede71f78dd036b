"""Drift: the index by hand, its bands, periods that do not overlap, and fields that emptied."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.drift import ENOUGH, Filled, by, filled, periods, shift, stability

SHARES = st.dictionaries(st.sampled_from("abcde"), st.floats(0, 1000), max_size=5)


def test_the_index_follows_its_formula() -> None:
    # (0.4 - 0.5) ln(0.4 / 0.5) + (0.6 - 0.5) ln(0.6 / 0.5)
    assert stability({"JP": 50, "KR": 50}, {"JP": 4, "KR": 6}) == pytest.approx(0.0405465, abs=1e-6)


@given(SHARES, SHARES)
def test_the_index_is_positive_and_the_same_both_ways(then: dict[str, float], now: dict[str, float]) -> None:
    found = stability(then, now)
    if not sum(then.values()) or not sum(now.values()):
        assert found is None
        return
    assert found is not None
    assert found >= 0
    assert found == pytest.approx(stability(now, then))
    assert stability(then, then) == pytest.approx(0)


def test_a_class_that_vanished_is_much_and_finite() -> None:
    gone = shift("home", {"JP": 1, "KR": 1}, {"KR": 1}, enough=True)
    assert gone.band == "large"
    assert gone.classes == {"KR": (0.5, 1.0), "JP": (0.5, 0.0)}


@pytest.mark.parametrize(("now", "band"), [(50, "small"), (35, "small"), (34, "middle"), (20, "large")])
def test_bands(now: int, band: str) -> None:
    assert shift("x", {"a": 50, "b": 50}, {"a": now, "b": 100 - now}, enough=True).band == band


def test_too_few_lists_give_no_index_but_their_shares() -> None:
    found = shift("x", {"a": 1}, {"b": 1}, enough=False)
    assert (found.index, found.band) == (None, None)
    assert found.classes == {"b": (0.0, 1.0), "a": (1.0, 0.0)}
    assert ENOUGH > 1


@given(st.integers(0, 400))
def test_periods_never_share_a_day_when_they_are_compared(age: int) -> None:
    fitted = date(2026, 1, 15)
    today = fitted + timedelta(days=age)
    found = periods(fitted, today)
    assert found.then[0] == fitted
    assert found.now[1] == today
    assert found.now[0] >= fitted
    assert found.apart == (found.then[1] < found.now[0])
    assert found.apart == (today >= found.ready_on)


def test_places_are_counted_by_what_is_known_of_their_holders() -> None:
    places = pl.DataFrame({"partner_id": ["a", "b", "c", "gone"], "places": [3, 1, 2, 5]})
    partners = pl.DataFrame({"partner_id": ["a", "b", "c"], "country": ["JP", "JP", None]})
    assert by(places, partners, "country") == {"JP": 4, "unknown": 7}


def test_fields_are_filled_or_not() -> None:
    then = pl.DataFrame({"isic": [["52"], [], None, ["37"]], "kind": ["fund", "unknown", "bank", "bank"]})
    now = pl.DataFrame({"isic": [["52"], [], None, None]}).with_columns(kind=pl.lit("unknown"))
    isic, kind = filled("partners", ["isic", "kind"], then, now)
    assert (isic.then, isic.now, isic.change) == (0.5, 0.25, -0.25)
    assert (kind.then, kind.now) == (0.75, 0.0)
    (unknown,) = filled("partners", ["isic"], None, now.head(0))
    assert (unknown.then, unknown.now, unknown.change) == (None, None, None)
    assert [f.moved for f in (isic, unknown)] == [True, False]


@pytest.mark.parametrize(("then", "now", "moved"), [(0.5, 0.5004, False), (0.5, 0.4994, True), (None, 0.5, False)])
def test_a_change_that_could_not_be_printed_is_none(then: float | None, now: float, moved: bool) -> None:
    assert Filled(table="partners", field="isic", then=then, now=now).moved is moved
