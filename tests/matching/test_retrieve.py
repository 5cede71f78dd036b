"""Retrieval: exact under any filter, ties by identifier, Vietnamese with and without marks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from contract.index_contract import IndexContract
from hypothesis import given
from hypothesis import strategies as st
from small_world import PARTNERS, PROJECTS, REFERENCE, frame

from matcher.errors import InputError
from matcher.matching.fusion import RANK_CONSTANT
from matcher.matching.retrieve import (
    DenseIndex,
    LexicalIndex,
    allow_partners,
    allow_projects,
    check_country,
    fuse,
    top,
)
from matcher.records import OPEN_STATUSES, Filters

TEXTS = [
    "Khai thác cảng container", "container terminal operator", "半導体工場の建設", "bệnh viện quốc tế", "",
    "điện gió ngoài khơi", "cảng hàng không", "container",
]  # fmt: skip


class TestDenseIndex(IndexContract):
    @pytest.fixture
    def index(self) -> DenseIndex:
        vectors = np.random.default_rng(1).standard_normal((40, 8)).astype(np.float32)
        vectors[7] = vectors[21] = vectors[3]  # ties
        vectors[9] = 0
        return DenseIndex(vectors)

    @pytest.fixture
    def queries(self, index: DenseIndex) -> Sequence[Any]:
        return [index.vectors[3], index.vectors[0], np.zeros(8)]


class TestLexicalIndex(IndexContract):
    @pytest.fixture
    def index(self) -> LexicalIndex:
        return LexicalIndex(TEXTS)

    @pytest.fixture
    def queries(self) -> Sequence[Any]:
        return ["cảng container", "半導体", "không có gì giống", "", "container container"]

    def test_diacritics_case_and_width_do_not_matter(self, index: LexicalIndex) -> None:
        wanted = index.scores("Khai thác cảng")
        for same in ("khai thac cang", "KHAI THÁC CẢNG", "ｋｈａｉ thác cảng"):
            np.testing.assert_array_equal(index.scores(same), wanted)
        assert int(np.argmax(wanted)) == 0

    def test_part_of_a_chinese_or_japanese_word_is_found(self, index: LexicalIndex) -> None:
        assert np.flatnonzero(index.scores("半導体")).tolist() == [2]

    def test_nothing_shared_scores_nothing(self, index: LexicalIndex) -> None:
        assert not index.scores("zzz 123").any()
        assert not index.scores("").any()
        assert (index.scores("cảng container") >= 0).all()

    @pytest.mark.parametrize("texts", [[], ["", ""], ["?!"]])
    def test_no_words_at_all(self, texts: list[str]) -> None:
        assert LexicalIndex(texts).scores("cảng").shape == (len(texts),)


SCORES = st.integers(1, 14).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.integers(-3, 3), min_size=n, max_size=n), min_size=1, max_size=3),
        st.lists(st.booleans(), min_size=n, max_size=n), st.integers(0, 16),
    )
)  # fmt: skip


@given(SCORES)
def test_fusion_is_exact_under_any_mask(drawn: tuple[list[list[int]], list[bool], int]) -> None:
    channels, allowed, n = drawn
    rows = [r for r, a in enumerate(allowed) if a]
    fused = dict.fromkeys(rows, 0.0)
    for scores in channels:
        for place, row in enumerate(sorted(rows, key=lambda r: (-scores[r], r))):
            fused[row] += 1 / (RANK_CONSTANT + 1 + place)
    brute = sorted(rows, key=lambda r: (-fused[r], r))[:n]
    found = fuse([np.array(c, dtype=float) for c in channels], np.array(allowed), n)
    assert found.tolist() == brute
    assert top(np.array(channels[0], dtype=float), np.array(allowed), n).tolist() == sorted(
        rows, key=lambda r: (-channels[0][r], r)
    )[:n]  # fmt: skip


def partners(by_sector: bool = True, **filters: Any) -> set[str]:
    table = frame("partners", PARTNERS)
    allow = allow_partners(table, Filters(**filters), REFERENCE, by_sector=by_sector)
    return {q for q, a in zip(table["partner_id"].to_list(), allow, strict=True) if a}


def projects(**filters: Any) -> set[str]:
    table = frame("projects", PROJECTS)
    allow = allow_projects(table, Filters(**filters), REFERENCE, OPEN_STATUSES)
    return {p for p, a in zip(table["project_id"].to_list(), allow, strict=True) if a}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {q["partner_id"] for q in PARTNERS}), ({"country": ("KR", "TH")}, {"kr-build", "kr-chips", "th-clinic"}),
        ({"region": ("ASEAN",)}, {"sg-estate", "sg-fund", "th-clinic"}), ({"region": ("EU",)}, {"fr-wind"}),
        ({"region": ("Eastern Asia",), "kind": ("bank",)}, {"jp-bank"}),
        ({"kind": ("dfi", "university")}, {"jp-dfi", "us-college"}),
        ({"sector": ("seaport",)}, {"jp-port"}), ({"sector": ("F",)}, {"kr-build"}),
        ({"sector": ("26", "86")}, {"kr-chips", "th-clinic"}),
        ({"sector": ("52",), "by_sector": False}, {q["partner_id"] for q in PARTNERS}),
        ({"ticket_usd": 2e8}, {"jp-port"}), ({"ticket_usd": 1e8}, set()), ({"country": ("CL",)}, set()),
    ],
)  # fmt: skip
def test_partners_pass_a_filter_only_when_the_value_is_known_to_fit(
    filters: dict[str, Any], expected: set[str]
) -> None:
    assert partners(**filters) == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"p-fab", "p-hospital", "p-port", "p-vague", "p-wind"}),
        ({"status": ("past", "calling")}, {"p-fab", "p-port", "x-chips", "x-port", "x-solar"}),
        ({"form": ("ppp", "jv")}, {"p-hospital", "p-port"}), ({"green": True}, {"p-wind"}), ({"green": False}, set()),
        ({"sector": ("seaport",)}, {"p-port"}), ({"sector": ("C",)}, {"p-fab"}), ({"sector": ("5222",)}, {"p-port"}),
    ],
)  # fmt: skip
def test_projects_pass_a_filter_only_when_the_value_is_known_to_fit(
    filters: dict[str, Any], expected: set[str]
) -> None:
    assert projects(**filters) == expected


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ({"country": ("Japan",)}, "JP"), ({"country": ("jp",)}, "JP"), ({"country": ("JPN",)}, "JP"),
        ({"country": ("",)}, "VN"),
        ({"country": ("Nhật Bản",)}, "JP"), ({"region": ("Atlantis",)}, "South-eastern Asia"),
        ({"sector": ("sea_port",)}, "seaport"),
        ({"sector": ("99",)}, "city sector such as"),
    ],
)  # fmt: skip
def test_an_unknown_code_is_refused_with_what_exists_nearby(filters: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named) as refused:
        partners(**filters)
    assert refused.value.errors[0]["seen"] == next(iter(filters.values()))[0]


def test_a_known_country_is_returned() -> None:
    assert check_country("VN", REFERENCE) == "VN"
