"""The judgements of `tests/golden/better_worse.csv` are about the product's own projects and partners."""

import csv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def rows(path: str) -> list[dict[str, str]]:
    with (ROOT / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def pairs() -> list[dict[str, str]]:
    return rows("tests/golden/better_worse.csv")


def test_every_project_and_partner_is_in_the_data(pairs: list[dict[str, str]]) -> None:
    projects = {row["project_id"] for row in rows("data/projects.csv")}
    partners = {row["partner_id"] for row in rows("data/partners.csv")}
    assert {pair["project_id"] for pair in pairs} - projects == set()
    assert {pair[side] for pair in pairs for side in ("better_partner_id", "worse_partner_id")} - partners == set()


def test_every_sector_of_the_city_is_covered(pairs: list[dict[str, str]]) -> None:
    sector_of = {row["project_id"]: row["sector"] for row in rows("data/projects.csv")}
    assert len(set(sector_of.values())) == 17
    assert set(sector_of.values()) - {sector_of[pair["project_id"]] for pair in pairs} == set()


def test_there_are_enough_pairs_and_none_twice(pairs: list[dict[str, str]]) -> None:
    # Unordered, so that a pair and its contradiction count as a repetition.
    keys = [(p["project_id"], frozenset((p["better_partner_id"], p["worse_partner_id"]))) for p in pairs]
    assert len(keys) >= 40
    assert len(set(keys)) == len(keys)


def test_every_pair_compares_two_partners_and_says_why(pairs: list[dict[str, str]]) -> None:
    assert [pair for pair in pairs if pair["better_partner_id"] == pair["worse_partner_id"]] == []
    assert [pair for pair in pairs if not (pair["why"] or "").endswith(".")] == []
