from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from small_world import deal, frame

from matcher.split import Origin, listed_from, rolling_origins

UNTIL = date(2026, 11, 22)


def origins(*deals: dict[str, Any], until: date = UNTIL, years: int = 1) -> dict[int, dict[str, set[str]]]:
    """First year of the labels -> project -> partners."""
    found = rolling_origins(frame("deals", deals), until=until, years=years)
    assert [o.as_of for o in found] == sorted(o.as_of for o in found)
    assert all((o.as_of.month, o.as_of.day) == (12, 31) for o in found)
    return {o.as_of.year + 1: {p: set(q) for p, q in o.labels.items()} for o in found}


def test_a_dated_deal_is_a_label_of_its_year_known_from_the_end_of_the_year_before() -> None:
    assert origins(deal(1, "p", "q", date(2020, 1, 1)), deal(2, "p", "r", date(2020, 12, 31)),
    deal(3, "o", "q", date(2022, 5, 5))) == {
        2020: {"p": {"q", "r"}}, 2022: {"o": {"q"}},
    }  # fmt: skip


def test_an_undated_deal_is_never_a_label() -> None:
    assert origins(deal(1, "p", "q", None, counts_from=date(2020, 1, 1)), deal(2, "p", "r", None)) == {}


def test_a_pair_is_a_label_once_at_its_first_deal() -> None:
    assert origins(deal(1, "p", "q", date(2021, 3, 1)), deal(2, "p", "q", date(2019, 3, 1))) == {2019: {"p": {"q"}}}


def test_a_pair_that_was_known_undated_is_no_label_afterwards() -> None:
    known = deal(1, "p", "q", None, counts_from=date(2018, 6, 1))
    assert origins(known, deal(2, "p", "q", date(2020, 3, 1))) == {}
    late = deal(1, "p", "q", None, counts_from=date(2024, 6, 1))
    assert origins(late, deal(2, "p", "q", date(2020, 3, 1))) == {2020: {"p": {"q"}}}


def test_a_deal_is_a_label_of_as_many_origins_as_there_are_years() -> None:
    deals = deal(1, "p", "q", date(2020, 5, 1)), deal(2, "p", "r", date(2021, 5, 1))
    assert origins(*deals, years=2) == {2019: {"p": {"q"}}, 2020: {"p": {"q", "r"}}, 2021: {"p": {"r"}}}
    assert origins(*deals, years=3)[2018] == {"p": {"q"}}
    assert origins(*deals, until=date(2020, 12, 31), years=2) == {2019: {"p": {"q"}}, 2020: {"p": {"q"}}}


def test_a_pair_known_in_the_first_of_two_years_is_no_label_of_the_second() -> None:
    known = deal(1, "p", "q", None, counts_from=date(2019, 6, 1))
    assert origins(known, deal(2, "p", "q", date(2020, 3, 1)), years=2) == {2019: {"p": {"q"}}}
    assert origins(deal(1, "p", "q", date(2020, 3, 1)), deal(2, "p", "q", date(2021, 3, 1)), years=2) == {
        2019: {"p": {"q"}}, 2020: {"p": {"q"}},
    }  # fmt: skip


def test_what_only_counts_after_the_last_day_is_no_label() -> None:
    assert origins(deal(1, "p", "q", date(2026, 1, 1), counts_from=date(2026, 12, 31))) == {}
    assert origins(deal(1, "p", "q", date(2020, 1, 1)), until=date(2019, 12, 31)) == {}
    assert rolling_origins(frame("deals", []), until=UNTIL) == []


DAYS = st.dates(date(2010, 1, 1), date(2025, 12, 31))
SOME = st.lists(
    st.tuples(st.sampled_from("opx"), st.sampled_from("qrst"), st.none() | DAYS, st.none() | DAYS), max_size=12
)  # fmt: skip


def _deals(rows: Sequence[tuple[str, str, date | None, date | None]]) -> list[dict[str, Any]]:
    return [deal(n, p, q, on, counts_from=on or known) for n, (p, q, on, known) in enumerate(rows)]


@given(SOME, st.integers(2012, 2026), st.integers(1, 3))
def test_future_deals_change_no_group_of_an_earlier_origin(rows: Sequence[Any], year: int, years: int) -> None:
    """The groups whose labels all lie before a day are the same whether what comes after it is known or not."""
    every = _deals(rows)
    past = [d for d in every if d["counts_from"] is not None and d["counts_from"].year <= year]
    whole, cut = origins(*every, years=years), origins(*past, until=date(year, 12, 31), years=years)
    last = year - years + 1
    assert {y: g for y, g in whole.items() if y <= last} == {y: g for y, g in cut.items() if y <= last}
    assert max(cut, default=year) <= year


@given(SOME, st.integers(1, 3))
def test_every_label_is_dated_within_the_years_after_its_origin(rows: Sequence[Any], years: int) -> None:
    made: list[Origin] = rolling_origins(frame("deals", _deals(rows)), until=UNTIL, years=years)
    dated = {(p, q, on.year) for p, q, on, _ in rows if on}
    seen = [(o.as_of.year, p, q) for o in made for p, partners in o.labels.items() for q in partners]
    assert max(Counter((p, q) for _, p, q in seen).values(), default=0) <= years
    assert all(any((p, q, year + n) in dated for n in range(1, years + 1)) for year, p, q in seen)


def test_who_is_known_from_its_own_deal_is_listed_from_the_first_such_deal() -> None:
    page, other = "https://example.org/deal", "https://example.org/list"
    partners = frame("partners", [
        {"partner_id": "own", "source": f"{other} ; {page}"}, {"partner_id": "second", "source": page},
        {"partner_id": "elsewhere", "source": other}, {"partner_id": "undated", "source": page},
        {"partner_id": "others", "source": page},
    ])  # fmt: skip
    deals = frame("deals", [
        deal(1, "p", "own", date(2019, 1, 1), source=other + "/more"),
        deal(2, "p", "own", date(2021, 1, 1), source=page), deal(3, "o", "own", date(2020, 6, 1), source=page),
        deal(4, "p", "second", date(2022, 1, 1), source="x", source_2=page, status="mou"),
        deal(5, "p", "elsewhere", date(2018, 1, 1), source=page), deal(6, "p", "undated", None, source=page),
    ])  # fmt: skip
    assert listed_from(partners, deals) == {"own": date(2020, 6, 1), "second": date(2022, 1, 1)}
    assert listed_from(partners, deals.clear()) == {}
