"""Evidence: adds up to the score, has both sides' values in both languages, and never invents."""

import re
from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import (
    DEALS,
    HERE,
    LISTED,
    PARTNERS,
    PROJECTS,
    SOURCE,
    BagEncoder,
    block,
    deal,
    facts,
    large,
    small_trees,
    with_rows,
)

from matcher.matching.engine import Engine
from matcher.matching.explain import NEGLIGIBLE, SHOW, explain, reasons_of
from matcher.matching.features import FEATURES, NAMES, REASONS, compute
from matcher.matching.labels import (
    FORM_NAMES,
    GAPS,
    KIND_NAMES,
    MISSING_INFORMATION,
    REASON_NAMES,
    SIZE_NAMES,
    STATEMENTS,
    STATUS_NAMES,
    UNKNOWN,
)
from matcher.matching.rank import BoostedRanker, LinearRanker
from matcher.matching.sides import SIZE_USD
from matcher.records import FORMS, PARTNER_KINDS, PROJECT_STATUSES, Evidence, Facts

LINEAR = LinearRanker(weights=np.array([f.weight for f in FEATURES]), neutral=np.array([f.neutral for f in FEATURES]))


def evidence(
    known: Facts, project: str, partner: str, ranker: LinearRanker | BoostedRanker = LINEAR
) -> tuple[Evidence, ...]:
    made = block(known, project)
    one = made.at(np.array([made.partners.row_of[partner]]))
    x = compute(one)
    return explain(one, 0, x[0], ranker.contributions(x)[0], FEATURES)


def of(found: tuple[Evidence, ...], reason: str) -> Evidence:
    """The piece that speaks of a reason."""
    names = {f.name for f in FEATURES if f.reason == reason}
    return next(e for e in found if e.feature in names)


@pytest.fixture(scope="module", autouse=True)
def _small_trees() -> Iterator[None]:
    with small_trees():
        yield


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> BoostedRanker:
    made = Engine.fit(large(80), BagEncoder(), seed=1, out=tmp_path_factory.mktemp("t") / "e").ranker
    assert isinstance(made, BoostedRanker)
    return BoostedRanker(linear=made.linear, booster=made.booster, share=1.0)


_PORT = block(facts(), "p-port")


def adds_up(found: tuple[Evidence, ...], parts: np.ndarray) -> None:
    left_out = len(REASONS) - len([e for e in found if e.contribution is not None and e.feature in NAMES])
    told = sum(e.contribution for e in found if e.contribution is not None)
    assert abs(parts.sum() - parts[-1] - told) <= NEGLIGIBLE * left_out + 1e-9


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.floats(-1, 2), min_size=len(FEATURES), max_size=len(FEATURES)),
    st.integers(0, len(PARTNERS) - 1),
)
def test_evidence_adds_up_to_the_score(values: list[float | None], row: int) -> None:
    made = _PORT.at(np.array([row]))
    x = np.array([[np.nan if v is None else v for v in values]])
    parts = LINEAR.contributions(x)[0]
    found = explain(made, 0, x[0], parts, FEATURES)
    adds_up(found, parts)
    assert not [e for e in found if e.feature == "missing_information"]


def test_with_a_tree_it_adds_up_too_and_what_gaps_received_is_one_line(tree: BoostedRanker) -> None:
    for project in ("p-port", "p-vague", "p-wind"):
        made = block(facts(), project)
        for row in range(len(PARTNERS)):
            one = made.at(np.array([row]))
            x = compute(one)
            parts = tree.contributions(x)[0]
            found = explain(one, 0, x[0], parts, FEATURES)
            adds_up(found, parts)
            lines = [e for e in found if e.feature == "missing_information"]
            assert len(lines) <= 1
            for line in lines:
                assert line.direction == "missing"
                assert line.statement == MISSING_INFORMATION
                assert line.contribution == pytest.approx(parts[:-1][np.isnan(x[0])].sum())


@pytest.mark.parametrize("project", [p["project_id"] for p in PROJECTS])
def test_every_piece_is_ordered_and_has_both_values_in_both_languages(project: str) -> None:
    for q in PARTNERS:
        found = evidence(facts(), project, q["partner_id"])
        places = [("for", "against", "missing").index(e.direction) for e in found]
        assert places == sorted(places)
        for direction in ("for", "against"):
            sizes = [abs(e.contribution or 0) for e in found if e.direction == direction]
            assert sizes == sorted(sizes, reverse=True)
        assert len({e.feature for e in found}) == len(found)
        for e in found:
            for both in (e.statement, e.project_value, e.partner_value):
                assert set(both) == {"vi", "en"}
                assert both["vi"].strip()
                assert both["en"].strip()
                assert not re.search(r"\bNone\b|\bnan\b|[{}]", both["vi"] + both["en"])
            if e.direction == "missing":
                assert e.contribution is None
            else:
                assert e.contribution is not None
                assert (e.contribution > 0) == (e.direction == "for")
                assert abs(e.contribution) >= NEGLIGIBLE
            assert (e.source is None) <= (e.on is None)
            assert e.to_json("vi")["partner_value"] == e.partner_value["vi"]


def test_a_record_that_stands_behind_a_value_is_named_with_its_day() -> None:
    found = evidence(facts(), "p-port", "jp-port")
    of_partner = ("sector", "text", "distance", "kind", "size")
    for reason in (*of_partner, "form", "ticket", "host_experience", "sector_deals", "region", "activity"):
        piece = of(found, reason)
        expected = LISTED if reason in of_partner else SOURCE["source"]
        assert (piece.source, piece.on) == (expected, SOURCE["source_on"]), reason


def test_a_deal_behind_a_value_is_cited_and_not_the_partner() -> None:
    more = deal(
        900, "x-port", "th-clinic", date(2025, 5, 1), source="https://example.org/deal", source_on=date(2025, 6, 1)
    )
    found = evidence(with_rows(facts(), "deals", [more]), "p-port", "th-clinic")
    for reason in ("similar_deals", "sector_deals", "host_experience", "activity"):
        piece = of(found, reason)
        assert (piece.source, piece.on) == ("https://example.org/deal", date(2025, 6, 1)), reason
    told = of(found, "sector_deals").partner_value
    assert told["en"] == "1 deal: Cai Mep container port (owner, 2025)"
    assert told["vi"] == "1 thương vụ: Cảng container Cái Mép (chủ sở hữu, 2025)"


def test_what_is_shown_is_what_is_on_record() -> None:
    found = evidence(facts(), "p-port", "jp-port")
    assert of(found, "ticket").project_value == {
        "vi": "400\u00a0tr\u00a0USD – 600\u00a0tr\u00a0USD",
        "en": "400\u00a0M\u00a0USD – 600\u00a0M\u00a0USD",
    }
    assert of(found, "ticket").partner_value == {
        "vi": "200\u00a0tr\u00a0USD – 900\u00a0tr\u00a0USD",
        "en": "200\u00a0M\u00a0USD – 900\u00a0M\u00a0USD",
    }
    assert re.fullmatch(r"Japan \(≈\u00a0\d,\d00\u00a0km\)", of(found, "distance").partner_value["en"])
    assert of(found, "home_ties").partner_value["vi"].startswith("Nhật Bản: ")
    assert of(found, "form").project_value["en"] == "public-private partnership"
    assert of(found, "size").partner_value["en"].startswith("large cap")
    assert of(found, "region").partner_value["en"] == "Singapore; Thailand"
    assert of(found, "sector").partner_value == {"vi": "Kho bãi", "en": "Warehousing and support for transport"}


def test_what_is_read_out_of_words_is_marked_as_estimated() -> None:
    assert of(evidence(facts(), "p-port", "jp-quay"), "sector").partner_value["en"].startswith("≈ ")
    told = {"project_id": "p", "name_vi": "Bệnh viện ven sông", "status": "calling", **HERE}
    piece = of(evidence(facts(projects=[told, *PROJECTS]), "p", "jp-port"), "sector")
    assert piece.project_value["en"].startswith("≈ ")
    # No term of the glossary, no title near: nothing is guessed.
    assert of(evidence(facts(), "p-vague", "jp-port"), "sector").project_value == UNKNOWN


@pytest.mark.parametrize(
    ("amount", "vi", "en"),
    [(1_234_500_000, "1.234\u00a0tr\u00a0USD", "1,234\u00a0M\u00a0USD"),
    (12_500_000, "12,5\u00a0tr\u00a0USD", "12.5\u00a0M\u00a0USD"),
    (400_000, "0,4\u00a0tr\u00a0USD", "0.4\u00a0M\u00a0USD")],
)  # fmt: skip
def test_amounts_are_written_as_the_reader_writes_them(amount: float, vi: str, en: str) -> None:
    project = {"project_id": "p", "name_en": "Container port", "value_usd_max": amount, "status": "calling", **HERE}
    shown = of(evidence(facts(projects=[project, *PROJECTS]), "p", "jp-port"), "ticket").project_value
    assert shown == {"vi": vi, "en": en}


def test_an_estimated_amount_is_marked() -> None:
    project = {**PROJECTS[2], "project_id": "p", "value_usd_estimated": True}
    shown = of(evidence(facts(projects=[project, *PROJECTS]), "p", "jp-port"), "ticket").project_value
    assert shown["vi"].startswith("≈ 400")


def test_what_nobody_knows_is_missing_and_counts_for_nothing() -> None:
    found = evidence(facts(), "p-vague", "nobody")
    missing = {e.feature for e in found if e.direction == "missing"}
    for reason in (
        "ticket",
        "size",
        "distance",
        "home_ties",
        "kind",
        "form",
        "host_experience",
        "region",
        "similar_deals",
    ):
        piece = of(found, reason)
        assert piece.feature in missing
        assert piece.contribution is None
    assert of(found, "distance").partner_value == UNKNOWN
    assert of(found, "home_ties").partner_value == UNKNOWN
    assert of(found, "kind").partner_value["en"] == "kind unknown"


def test_no_deal_is_told_of_the_project_itself() -> None:
    own = [deal(n, "p-port", "jp-port", date(2020, 1, n)) for n in range(1, 4)]
    found = evidence(facts(deals=own), "p-port", "jp-port")
    assert of(found, "similar_deals").direction == "missing"
    assert of(found, "similar_deals").partner_value["en"] == "no deal on record"


def test_every_reason_has_words_for_every_direction() -> None:
    assert set(REASONS) == set(STATEMENTS) == set(REASON_NAMES) == set(SHOW) == set(reasons_of(FEATURES))
    for reason in REASONS:
        for direction in ("for", "against", "missing"):
            both = STATEMENTS[reason][direction]
            assert set(both) == {"vi", "en"}
            assert both["vi"] != both["en"]
            assert all(text[0].isupper() and text.endswith(".") for text in both.values())
    assert len({STATEMENTS[r][d]["en"] for r in REASONS for d in ("for", "against", "missing")}) == 3 * len(REASONS)


def test_every_code_has_a_name_in_both_languages() -> None:
    assert set(KIND_NAMES) == set(PARTNER_KINDS)
    assert set(FORM_NAMES) == set(FORMS)
    assert set(STATUS_NAMES) == set(PROJECT_STATUSES)
    assert set(SIZE_NAMES) == set(SIZE_USD)


def test_undated_deals_say_so() -> None:
    more = {**DEALS[16], "deal_id": "d0900", "project_id": "x-port", "partner_id": "th-clinic"}
    found = evidence(with_rows(facts(), "deals", [more]), "p-port", "th-clinic")
    assert "year unknown" in of(found, "sector_deals").partner_value["en"]
    assert "chưa rõ năm" in of(found, "sector_deals").partner_value["vi"]
    assert of(found, "activity").direction == "missing"


def test_of_a_gap_the_unknown_side_is_named() -> None:
    """Where one side is known, the sentence does not leave it open which one is missing."""
    missing = {e.feature: e for e in evidence(facts(), "p-port", "nobody") if e.direction == "missing"}
    told = [e for e in missing.values() if e.partner_value == UNKNOWN and e.project_value != UNKNOWN]
    gaps = {gap["partner"]["en"] for gap in GAPS.values()}
    assert {e.statement["en"] for e in told} & gaps
    assert all("at least one" not in e.statement["en"] for e in told)
