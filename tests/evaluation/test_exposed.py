"""Whom shown lists went to, and where people and engine disagree."""

import polars as pl
import pytest

from evaluation.exposed import disputes, exposed, graded

PARTNERS = pl.DataFrame(
    {
        "partner_id": ["a", "b", "c", "d"],
        "country": ["JP", "JP", None, "KR"],
        "kind": ["fund", "bank", "company", "company"],
    }
)
DEALS = pl.DataFrame({"partner_id": ["a", "a", "a", "b"], "project_id": ["p", "p", "q", "p"]})


def places(**of: tuple[int, int]) -> pl.DataFrame:
    return pl.DataFrame(
        [(partner, n, m) for partner, (n, m) in of.items()],
        schema={"partner_id": pl.String, "lists": pl.Int64, "places": pl.Int64}, orient="row",
    )  # fmt: skip


def test_who_is_shown_is_counted_over_the_whole_pool() -> None:
    found = exposed(places(a=(3, 3), c=(1, 1), gone=(9, 9)), PARTNERS, DEALS, lists=4)
    assert (found.pool, found.shown, found.coverage, found.places) == (4, 2, 0.5, 4)
    assert found.gini == pytest.approx(0.625)  # 0, 0, 1, 3 over four
    assert found.long_tail == pytest.approx(0.25)  # c and d have no deal
    assert found.home == {"JP": 0.75, "unknown": 0.25}
    assert found.kind == {"fund": 0.75, "company": 0.25}
    assert found.size == {}
    assert [(o.partner_id, o.lists, o.share) for o in found.often] == [("a", 3, 0.75), ("c", 1, 0.25)]


def test_an_equal_share_for_everybody_is_no_concentration() -> None:
    found = exposed(places(a=(1, 1), b=(1, 1), c=(1, 1), d=(1, 1)), PARTNERS, DEALS, lists=1)
    assert (found.gini, found.coverage, found.long_tail) == (0.0, 1.0, 0.5)


def test_the_same_ten_names_are_noticed_only_when_there_are_others() -> None:
    many = pl.DataFrame({"partner_id": [f"p{i:02}" for i in range(40)]})
    wide = places(**{f"p{i:02}": (1, 1) for i in range(40)})
    assert not exposed(wide, many, DEALS, lists=4).same_names
    narrow = places(**{f"p{i:02}": (9, 9) for i in range(10)})
    assert exposed(narrow, many, DEALS, lists=9).same_names


def test_nothing_shown_is_unknown_and_not_zero() -> None:
    found = exposed(places(), PARTNERS, DEALS, lists=0)
    assert (found.gini, found.long_tail, found.coverage) == (None, None, 0.0)
    assert not found.same_names
    assert exposed(places(), PARTNERS.head(0), DEALS, lists=0).coverage is None


def judged(*rows: tuple[str, str, int, str]) -> pl.DataFrame:
    columns = {"project_id": pl.String, "partner_id": pl.String, "grade": pl.Int64, "judged_by": pl.String}
    return pl.DataFrame(rows, schema=columns, orient="row")


def ranked(*rows: tuple[str, str, int]) -> pl.DataFrame:
    columns = {"project_id": pl.String, "partner_id": pl.String, "rank": pl.Int64, "engine_id": pl.String}
    return pl.DataFrame([(*r, "e1") for r in rows], schema=columns, orient="row")


def test_pairs_on_which_people_and_engine_disagree_most_come_first() -> None:
    judgments = judged(
        ("p", "a", 0, "u1"), ("p", "b", 0, "u1"), ("p", "c", 3, "u1"), ("p", "d", 3, "u1"), ("p", "e", 2, "u1"),
        ("p", "f", 0, "u1"), ("p", "g", 3, "u1"), ("p", "h", 0, "u1"),
    )  # fmt: skip
    found = disputes(
        judgments,
        ranked(
            ("p", "a", 7), ("p", "b", 1), ("p", "c", 12), ("p", "d", 40), ("p", "e", 60), ("p", "f", 11), ("p", "g", 10)
        ),
    )
    assert [(d.partner_id, d.rank) for d in found.too_high] == [("b", 1), ("a", 7)]
    assert [(d.partner_id, d.rank) for d in found.too_low] == [("d", 40), ("c", 12)]
    assert (found.placed, found.unplaced) == (7, 1)


def test_one_of_two_judges_does_not_decide() -> None:
    both = judged(("p", "a", 3, "u1"), ("p", "a", 1, "u2"), ("p", "b", 0, "u1"), ("p", "b", 2, "u2"))
    found = disputes(both, ranked(("p", "a", 40), ("p", "b", 2)))
    assert found.too_low == ()  # the lower of the two middle grades is 1
    assert [(d.partner_id, d.grade, d.judges) for d in found.too_high] == [("b", 0, 2)]


def test_every_grade_is_told() -> None:
    assert graded(judged(("p", "a", 3, "u1"), ("p", "b", 3, "u1"))) == {0: 0, 1: 0, 2: 0, 3: 2}
