from collections.abc import Sequence
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from small_world import deal, frame

from matcher.split import Origin, listed_from, rolling_origins

UNTIL = date(2026, 11, 22)


def origins(*deals: dict[str, Any], until: date = UNTIL) -> dict[int, dict[str, set[str]]]:
    """Year of the labels -> project -> partners."""
    found = rolling_origins(frame("deals", deals), until=until)
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


@given(SOME, st.integers(2012, 2026))
def test_future_deals_change_no_group_of_an_earlier_origin(rows: Sequence[Any], year: int) -> None:
    every = _deals(rows)
    past = [d for d in every if d["counts_from"] is not None and d["counts_from"].year <= year]
    whole, cut = origins(*every), origins(*past, until=date(year, 12, 31))
    assert {y: g for y, g in whole.items() if y <= year} == cut


@given(SOME)
def test_every_label_is_dated_within_the_year_after_its_origin(rows: Sequence[Any]) -> None:
    made: list[Origin] = rolling_origins(frame("deals", _deals(rows)), until=UNTIL)
    dated = {(p, q, on.year) for p, q, on, _ in rows if on}
    seen = [(p, q) for o in made for p, partners in o.labels.items() for q in partners]
    assert len(seen) == len(set(seen))
    assert all((p, q, o.as_of.year + 1) in dated for o in made for p, partners in o.labels.items() for q in partners)


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
