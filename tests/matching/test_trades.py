"""Trades that texts name: one thing under one name, whatever the language."""

import csv
from importlib import resources

import pytest

from matcher.matching import trades
from matcher.matching.trades import Trades

SMALL = Trades([
    ("port", "cảng container"), ("port", "berth"), ("port", "埠頭"), ("port", "컨테이너 부두"), ("port", "Hafen"),
    ("health", "hospital"), ("health", "Krankenhaus"), ("health", "Kardio*"),
])  # fmt: skip


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Cảng container nước sâu", {"port": 1}), ("CANG CONTAINER", {"port": 1}), ("two berths, a berth", {"port": 1}),
        ("新埠頭の建設", {"port": 1}), ("컨테이너부두를 운영", {"port": 1}), ("컨테이너 부두", {"port": 1}),
        ("Krankenhäuser am Hafen", {"health": 1, "port": 1}), ("Hafen, berth", {"port": 2}),
        ("Kardiologie", {"health": 1}), ("hospitals", {"health": 1}), ("hospitality", {}), ("cảng", {}), ("", {}),
        ("2개 berth를 운영", {"port": 1}), ("新berthの建設", {"port": 1}),
    ],
)  # fmt: skip
def test_phrases_are_found_with_endings_and_without_marks(text: str, named: dict[str, int]) -> None:
    assert SMALL.of(text) == named


def test_vectors_count_phrases_by_their_logarithm() -> None:
    found = SMALL.vectors(["Hafen, berth", "x"])
    assert found.shape == (2, 2)
    assert found[0].tolist() == pytest.approx([0.0, 1.0986], abs=1e-4)
    assert not found[1].any()


def test_every_trade_is_told_in_seven_languages() -> None:
    text = resources.files("matcher.matching") / "trades.csv"
    rows = list(csv.DictReader(text.read_text(encoding="utf-8").splitlines()))
    assert len({r["trade"] for r in rows}) == len(rows) >= 200
    assert all(r[lang].strip() for r in rows for lang in trades.LANGUAGES)
    for row in rows:
        for lang in trades.LANGUAGES:
            found = trades.known().of(row[lang].replace("*", "").split(";")[0])
            assert row["trade"] in found, (row["trade"], lang)
