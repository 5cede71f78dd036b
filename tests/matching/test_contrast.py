"""Contrast: differences add up to the lead, gaps stand apart, a fact that goes takes its evidence and score along."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import PARTNERS, BagEncoder, block, facts, large, small_trees

from matcher.errors import InputError, NotFoundError
from matcher.matching import catalogue as module
from matcher.matching.catalogue import Catalogue
from matcher.matching.contrast import MISSING, NAMED, Difference, Side, contrast, sentence
from matcher.matching.engine import Engine
from matcher.matching.explain import explain
from matcher.matching.features import FEATURES, NAMES, REASONS, compute
from matcher.matching.labels import REASON_NAMES
from matcher.records import Evidence, Facts, Query

PORT = Query(project_id="p-port")
TEXT = Query(text="cảng container nước sâu")
DRAFT = Query(draft_project={"name_en": "Container port", "isic": ["52"], "form": "ppp"})
ALL = 10_000


@pytest.fixture(scope="module", autouse=True)
def _small_trees() -> Iterator[None]:
    with small_trees():
        yield


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.fit(facts(), BagEncoder(), seed=1, out=tmp_path_factory.mktemp("c") / "e")


@pytest.fixture(scope="module")
def catalogue(linear: Engine) -> Catalogue:
    return linear.open(facts(), BagEncoder())


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Sixty partners, and a tree in the ranker, which credits unknown features."""
    known = large(80)
    made = Engine.fit(known, BagEncoder(), seed=1, out=tmp_path_factory.mktemp("t") / "e")
    return replace(made, ranker=replace(made.ranker, share=1.0)).open(known, BagEncoder())


_PORT = block(facts(), "p-port")
PARTS = st.lists(st.floats(-3, 3), min_size=len(FEATURES), max_size=len(FEATURES))
KNOWN = st.lists(st.booleans(), min_size=len(FEATURES), max_size=len(FEATURES))


def side(row: int, parts: Sequence[float], known: Sequence[bool]) -> Side:
    return Side(
        block=_PORT.at(np.array([row])), x=np.where(known, 1.0, np.nan), parts=np.array([*parts, 0.5])
    )  # the base is the same for all


@settings(max_examples=60, deadline=None)
@given(PARTS, KNOWN, PARTS, KNOWN)
def test_a_contrast_adds_up_to_the_difference_of_the_scores(
    one: list[float], known: list[bool], two: list[float], also: list[bool]
) -> None:
    first, second = side(3, one, known), side(5, two, also)
    rows = contrast(first, second, FEATURES)
    assert sum(r.gap for r in rows) == pytest.approx(first.parts.sum() - second.parts.sum(), abs=1e-6)
    reasons = [r.reason for r in rows]
    assert len(set(reasons)) == len(reasons)
    assert set(reasons) <= {*REASONS, MISSING}
    assert MISSING not in reasons[:-1]  # apart, and last
    gaps = [abs(r.gap) for r in rows if r.reason != MISSING]
    assert gaps == sorted(gaps, reverse=True)
    if rows and rows[-1].reason == MISSING:
        assert rows[-1].first == pytest.approx(first.parts[:-1][~np.array(known)].sum())


@pytest.mark.parametrize("which", ["catalogue", "tree"])
@pytest.mark.parametrize("query", [PORT, TEXT, DRAFT])
def test_any_two_partners_of_a_list_can_be_compared(which: str, query: Query, request: pytest.FixtureRequest) -> None:
    known: Catalogue = request.getfixturevalue(which)
    matches = known.match(query, n=12).matches
    for one, two in [*pairwise(matches), (matches[0], matches[-1]), (matches[-1], matches[0])]:
        rows = known.contrast(query, one.partner_id, two.partner_id)
        assert sum(r.gap for r in rows) == pytest.approx(one.score - two.score, abs=1e-6)
        back = {r.reason: r for r in known.contrast(query, two.partner_id, one.partner_id)}
        for r in rows:
            assert (back[r.reason].first, back[r.reason].second) == pytest.approx((r.second, r.first))
            assert (back[r.reason].first_value, back[r.reason].second_value) == (r.second_value, r.first_value)
            assert set(r.first_value) == {"vi", "en"}


def test_what_gaps_received_from_a_tree_is_for_neither(tree: Catalogue) -> None:
    matches = tree.match(PORT, n=30).matches
    seen = 0
    for one, two in pairwise(matches):
        for row in tree.contrast(PORT, one.partner_id, two.partner_id):
            if row.reason == MISSING:
                seen += 1
                told = [[e.contribution for e in m.evidence if e.feature == MISSING] for m in (one, two)]
                assert [row.first, row.second] == pytest.approx([t[0] if t else 0.0 for t in told], abs=1e-9)
    assert seen


def test_both_partners_values_are_those_of_their_evidence(catalogue: Catalogue) -> None:
    rows = {r.reason: r for r in catalogue.contrast(PORT, "jp-port", "kr-build")}
    told = {m.partner_id: m for m in catalogue.match(PORT, n=ALL).matches}
    reason_of = {f.name: f.reason for f in FEATURES}
    checked = 0
    for partner, which in (("jp-port", "first_value"), ("kr-build", "second_value")):
        for e in told[partner].evidence:
            if e.direction != "missing":
                assert getattr(rows[reason_of[e.feature]], which) == e.partner_value
                checked += 1
    assert checked > 10


def test_an_explanation_compares_with_the_one_that_is_asked_for(catalogue: Catalogue) -> None:
    told = catalogue.explain("p-port", "jp-port", against="nobody")
    assert told.following is not None
    assert (told.match.rank, told.following.partner_id) == (1, "nobody")
    assert told.following.rank > 2
    assert sum(d.gap for d in told.contrast) == pytest.approx(told.match.score - told.following.score, abs=1e-6)
    written = told.to_json("vi")
    assert (written["next"], written["against"]["partner"]["id"]) == (None, "nobody")
    assert written["sentence"]["en"].startswith("Minato Terminals is ahead of Zephyrus")
    back = catalogue.explain("p-port", "nobody", against="jp-port")
    assert back.sentence == told.sentence  # who is ahead does not depend on who asks
    after = catalogue.explain("p-port", "jp-port").to_json()
    assert (after["against"], after["next"]["rank"]) == (None, 2)


def test_an_explanation_says_why_the_first_of_the_list_is_ahead(catalogue: Catalogue) -> None:
    order = [m.partner_id for m in catalogue.match(PORT, n=ALL).matches]
    assert catalogue.explain("p-port", order[0]).ahead is None
    for partner in (order[1], order[4], order[-1]):
        told = catalogue.explain("p-port", partner)
        assert told.ahead == catalogue.explain("p-port", order[0], against=partner).sentence
        assert told.to_json()["ahead"] == told.ahead


def test_what_cannot_be_compared_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(InputError, match="with itself"):
        catalogue.explain("p-port", "jp-port", against="jp-port")
    with pytest.raises(NotFoundError, match="no partner"):
        catalogue.explain("p-port", "jp-port", against="jp-prot")
    with pytest.raises(InputError, match="one project"):
        catalogue.contrast(Query(countries=("JP",)), "jp-port", "kr-build")


@pytest.mark.parametrize("query", [PORT, TEXT, DRAFT])
def test_a_projects_list_says_why_the_first_is_ahead(catalogue: Catalogue, query: Query) -> None:
    found = catalogue.match(query, n=3)
    assert found.ahead is not None
    first, second = found.matches[0].partner_name, found.matches[1].partner_name
    for lang in ("vi", "en"):
        assert found.ahead[lang].startswith(first)
        assert second in found.ahead[lang]
        assert found.to_json(lang)["ahead"] == found.ahead[lang]
    assert catalogue.match(query, n=3, offset=3).ahead is None
    assert catalogue.match(query, n=1).ahead == found.ahead


def test_other_lists_do_not(catalogue: Catalogue) -> None:
    assert catalogue.match(Query(partner_id="jp-port"), n=3).ahead is None
    assert catalogue.match(replace(PORT, sort="both"), n=3).ahead is None


def row(reason: str, first: float, second: float) -> Difference:
    value = {"vi": "?", "en": "?"}
    return Difference(reason=reason, first=first, second=second, first_value=value, second_value=value)


@pytest.mark.parametrize(
    ("rows", "vi", "en"),
    [
        (
            [row("sector", 2, 1), row("kind", 0.5, 1), row("text", 0.01, 0)],
            "A xếp trên B nhờ: ngành nghề; kém hơn về: loại hình đối tác.",
            "A is ahead of B by: sector; it is behind in: kind of partner.",
        ),
        ([row("sector", 2, 1)], "A xếp trên B nhờ: ngành nghề.", "A is ahead of B by: sector."),
        (
            [row("sector", 1, 2), row(MISSING, 3, 0)],
            "A xếp trên B chỉ do cách tính phần thông tin còn thiếu: thứ tự này ít ý nghĩa.",
            "A is ahead of B only by what missing information got: this order means little.",
        ),
        (
            [row("sector", 1, 1)],
            "A và B ngang điểm; thứ tự theo mã.",
            "A and B have the same score; they are ordered by identifier.",
        ),
    ],
)
def test_the_sentence_says_what_counts(rows: list[Difference], vi: str, en: str) -> None:
    assert sentence(rows, "A", "B") == {"vi": vi, "en": en}


def test_the_sentence_names_few_reasons() -> None:
    rows = [row(reason, 1, 0) for reason in REASONS]
    assert sentence(rows, "A", "B")["en"].count(",") == NAMED - 1
    assert all(name["en"] for name in REASON_NAMES.values())


# Facts that are taken away


def without(table: str, partner: str) -> Facts:
    known = facts()
    return replace(known, **{table: getattr(known, table).filter(pl.col("partner_id") != partner)})


def sectorless(partner: str) -> Facts:
    given = [
        {k: v for k, v in q.items() if q["partner_id"] != partner or k not in ("isic", "activities")} for q in PARTNERS
    ]
    return facts(partners=given)


def reasons(evidence: tuple[Evidence, ...]) -> Mapping[str, Evidence]:
    reason_of = {f.name: f.reason for f in FEATURES}
    return {reason_of[e.feature]: e for e in evidence if e.feature in NAMES}


@pytest.mark.parametrize(
    ("partner", "less", "gone"),
    [
        ("jp-port", lambda: without("deals", "jp-port"), ["similar_deals", "sector_deals", "activity"]),
        ("jp-port", lambda: without("footprint", "jp-port"), ["region"]),
        ("kr-chips", lambda: sectorless("kr-chips"), ["sector"]),
        ("th-clinic", lambda: sectorless("th-clinic"), ["sector"]),
    ],
)
def test_a_fact_that_goes_takes_its_evidence_and_its_part_of_the_score(
    linear: Engine, partner: str, less: Callable[[], Facts], gone: Sequence[str]
) -> None:
    """The engine stays; one partner's facts go: what cited them says unknown, and the score moves by these parts."""
    query = "p-fab" if partner == "kr-chips" else "p-hospital" if partner == "th-clinic" else "p-port"
    told: list[tuple[float, np.ndarray, Mapping[str, Evidence]]] = []
    for known in (facts(), less()):
        opened = linear.open(known, BagEncoder())
        made = opened._block(opened.projects.row_of[query])
        one = made.at(np.array([opened.partners.row_of[partner]]))
        x = compute(one)
        parts = opened.ranker.contributions(x)[0]
        score = float(opened.ranker.score(x)[0])
        assert score == pytest.approx(parts.sum(), abs=1e-6)
        told.append((score, parts, reasons(explain(one, 0, x[0], parts, FEATURES))))
    (before, parts, cited), (after, left, remains) = told
    for reason in gone:
        assert cited[reason].direction != "missing", reason
        assert remains[reason].direction == "missing", reason
        assert remains[reason].contribution is None
        assert remains[reason].partner_value != cited[reason].partner_value
    assert after != pytest.approx(before, abs=1e-3)
    assert after - before == pytest.approx((left - parts).sum(), abs=1e-6)
    changed = {f.reason for f, d in zip(FEATURES, left - parts, strict=False) if abs(d) > 1e-9}
    assert set(gone) <= changed


def test_explanations_are_made_for_shown_rows_only(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(*args: Any) -> Any:
        made.append("explained")
        return explain(*args)

    monkeypatch.setattr(module, "explain", counted)
    for query in (PORT, Query(partner_id="jp-port"), Query(countries=("JP", "KR")), replace(PORT, sort="both")):
        made.clear()
        assert len(catalogue.match(query, n=2).matches) == 2
        assert len(made) == 2
