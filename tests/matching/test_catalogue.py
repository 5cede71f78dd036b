"""Catalogue: every kind of question, one score per pair, exact filters, honest pages and notes."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_world import AS_OF, PARTNERS, PROJECTS, BagEncoder, facts, large, small_trees

from matcher.errors import InputError, NotFoundError
from matcher.matching import catalogue as module
from matcher.matching.catalogue import PER_PARTNER, PER_PROJECT, Catalogue
from matcher.matching.contrast import MISSING
from matcher.matching.engine import Engine
from matcher.records import OPEN_STATUSES, Filters, MatchList, Query

OPEN = {p["project_id"] for p in PROJECTS if p["status"] in OPEN_STATUSES}
ALL = 10_000


@pytest.fixture(scope="module", autouse=True)
def _small_trees() -> Iterator[None]:
    with small_trees():
        yield


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    known = facts()
    return Engine.fit(known, BagEncoder(), seed=1, out=tmp_path_factory.mktemp("c") / "e").open(known, BagEncoder())


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Sixty partners, and a tree in the ranker."""
    known = large(80)
    made = Engine.fit(known, BagEncoder(), seed=1, out=tmp_path_factory.mktemp("w") / "e")
    tree = replace(made.ranker, share=0.5)
    return replace(made, ranker=tree).open(known, BagEncoder())


QUERIES: dict[str, Query] = {
    "project": Query(project_id="p-port"),
    "partner": Query(partner_id="jp-port"),
    "countries": Query(countries=("JP", "KR")),
    "text": Query(text="cảng container nước sâu"),
    "draft project": Query(draft_project={"name_en": "Container port", "isic": ["52"], "form": "ppp"}),
    "draft partner": Query(draft_partner={"name": "Novus", "kind": "company", "country": "JP", "isic": ["52"]}),
}


def pairs(found: MatchList) -> list[tuple[str, str]]:
    return [(m.project_id, m.partner_id) for m in found.matches]


@pytest.mark.parametrize("kind", QUERIES)
def test_every_kind_of_question_gets_a_ranked_list(catalogue: Catalogue, kind: str) -> None:
    found = catalogue.match(QUERIES[kind], n=ALL)
    assert found.matches
    assert [m.rank for m in found.matches] == list(range(1, len(found.matches) + 1))
    scores = [m.score for m in found.matches]
    assert scores == sorted(scores, reverse=True)
    assert len(set(pairs(found))) == len(found.matches)
    assert found.next is None
    for m in found.matches:
        assert m.evidence
        assert (m.probability is None) != (m.abstained is None)
        assert (m.engine, m.as_of) == (catalogue.engine, AS_OF)
        assert set(m.project_name) == {"vi", "en"}
    assert found.to_json("vi")["matches"][0]["rank"] == 1
    assert all(0 <= share <= 1 for share in found.coverage.values())


@pytest.mark.parametrize("kind", QUERIES)
def test_pages_are_cut_from_one_long_list(catalogue: Catalogue, kind: str) -> None:
    whole = catalogue.match(QUERIES[kind], n=ALL)
    paged, offset = [], "0"
    while offset is not None:
        page = catalogue.match(QUERIES[kind], n=3, offset=int(offset))
        paged += page.matches
        offset = page.next
    assert tuple(paged) == whole.matches
    assert catalogue.match(QUERIES[kind], n=3, offset=ALL).matches == ()


def test_a_project_sees_all_partners_and_a_partner_all_open_projects(catalogue: Catalogue) -> None:
    assert {q for _, q in pairs(catalogue.match(QUERIES["project"], n=ALL))} == {q["partner_id"] for q in PARTNERS}
    assert {p for p, _ in pairs(catalogue.match(QUERIES["partner"], n=ALL))} == OPEN
    assert {p for p, _ in pairs(catalogue.match(QUERIES["draft partner"], n=ALL))} == OPEN
    assert {p for p, _ in pairs(catalogue.match(QUERIES["countries"], n=ALL))} <= OPEN
    asked = Filters(status=("past",))
    assert {p for p, _ in pairs(catalogue.match(QUERIES["partner"], n=ALL, filters=asked))} == {
        "x-chips",
        "x-port",
        "x-solar",
    }


@pytest.mark.parametrize("which", ["catalogue", "wide"])
def test_a_pair_has_one_score_from_whichever_side_it_is_asked(which: str, request: pytest.FixtureRequest) -> None:
    catalogue: Catalogue = request.getfixturevalue(which)
    by_project = {
        (m.project_id, m.partner_id): m for p in OPEN for m in catalogue.match(Query(project_id=p), n=ALL).matches
    }  # fmt: skip
    countries = ("JP", "KR", "SG", "TH", "FR", "US")
    seen = list(catalogue.match(Query(countries=countries), n=ALL).matches)
    for q in catalogue.partners.frame["partner_id"].to_list()[:12]:
        seen += catalogue.match(Query(partner_id=q), n=ALL).matches
    assert len(seen) > len(OPEN)
    for m in seen:
        other = by_project[m.project_id, m.partner_id]
        assert m.score == pytest.approx(other.score, abs=1e-6)
        assert [e.feature for e in m.evidence] == [e.feature for e in other.evidence]
    for p, q in [(seen[0].project_id, seen[0].partner_id), (seen[-1].project_id, seen[-1].partner_id)]:
        told = catalogue.explain(p, q).match
        assert told.score == pytest.approx(by_project[p, q].score, abs=1e-6)
        assert told.rank == by_project[p, q].rank
    ids, scores = catalogue.rank_all("p-port")
    for q, score in zip(ids, scores.tolist(), strict=True):
        assert score == pytest.approx(by_project["p-port", q].score, abs=1e-6)


FILTERS = [
    Filters(country=("JP",)), Filters(region=("ASEAN",)), Filters(kind=("bank", "dfi")),
    Filters(sector=("52",)), Filters(sector=("H", "26")),
    Filters(ticket_usd=3e8), Filters(country=("JP", "KR"), kind=("company",)),
    Filters(sector=("finance",), region=("Asia",)),
    Filters(country=("CL",)),
]  # fmt: skip


def fits(partner: Mapping[str, Any], f: Filters) -> bool:
    regions = {"ASEAN": {"TH", "SG", "VN"}, "Asia": {"VN", "TH", "SG", "JP", "KR"}}
    codes = {"52": {"52"}, "26": {"26"}, "H": {"50", "52"}, "finance": {"64"}}
    home = partner.get("country")
    low, high = partner.get("ticket_usd_min"), partner.get("ticket_usd_max")
    return all([
        not f.country or home in f.country,
        not f.region or any(home in regions[r] for r in f.region),
        not f.kind or partner["kind"] in f.kind,
        not f.sector or any(c in codes[s] for s in f.sector for c in partner.get("isic") or ()),
        f.ticket_usd is None or (low is not None and high is not None and low <= f.ticket_usd <= high),
    ])  # fmt: skip


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("kind", ["project", "text", "draft project"])
def test_a_filtered_list_is_the_whole_list_without_the_others(
    catalogue: Catalogue, kind: str, filters: Filters
) -> None:
    kept = {q["partner_id"] for q in PARTNERS if fits(q, filters)}
    whole = [(m.partner_id, m.score) for m in catalogue.match(QUERIES[kind], n=ALL).matches if m.partner_id in kept]
    found = catalogue.match(QUERIES[kind], n=ALL, filters=filters)
    assert [m.partner_id for m in found.matches] == [q for q, _ in whole]
    assert [m.score for m in found.matches] == pytest.approx([s for _, s in whole], abs=1e-6)
    assert found.candidates == len(kept)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(form=("ppp",)), {"p-port"}), (Filters(sector=("seaport",)), {"p-port"}),
        (Filters(green=True), {"p-wind"}),
        (Filters(status=("calling",)), {"p-port", "p-fab"}), (Filters(form=("auction",)), set()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["partner", "draft partner", "countries"])
def test_lists_of_projects_keep_the_filters_of_projects(
    catalogue: Catalogue, kind: str, filters: Filters, expected: set[str]
) -> None:
    assert {p for p, _ in pairs(catalogue.match(QUERIES[kind], n=ALL, filters=filters))} == expected


@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        (Filters(form=("ppp",)), True), (Filters(form=("auction",)), False), (Filters(status=("past",)), False),
        (Filters(status=("calling",), country=("JP",)), True), (Filters(green=True), False),
    ],
)  # fmt: skip
def test_a_project_that_does_not_pass_itself_has_an_empty_list(
    catalogue: Catalogue, filters: Filters, passes: bool
) -> None:
    assert bool(catalogue.match(Query(project_id="p-port"), n=ALL, filters=filters).matches) is passes


def test_a_partner_that_does_not_pass_itself_has_an_empty_list(catalogue: Catalogue) -> None:
    partner = next(q for q in PARTNERS if q.get("country") == "JP")
    query = Query(partner_id=partner["partner_id"])
    assert catalogue.match(query, n=ALL, filters=Filters(country=("JP",))).matches
    assert catalogue.match(query, n=ALL, filters=Filters(country=("KR",))).candidates == 0


def test_a_country_list_is_every_pair_by_score_with_few_places_for_each(wide: Catalogue) -> None:
    home = dict(wide.partners.frame.select("partner_id", "country").iter_rows())
    every = [
        (-m.score, m.project_id, m.partner_id)
        for p in OPEN for m in wide.match(Query(project_id=p), n=ALL).matches if home[m.partner_id] in ("JP", "KR")
    ]  # fmt: skip
    expected: list[tuple[str, str]] = []
    for _, p, q in sorted(every):
        if sum(a == p for a, _ in expected) < PER_PROJECT and sum(b == q for _, b in expected) < PER_PARTNER:
            expected.append((p, q))
    found = wide.match(Query(countries=("JP", "KR")), n=ALL)
    assert pairs(found) == expected
    assert found.candidates == len(every)


def test_countries_without_partners_are_named_and_the_others_are_served(catalogue: Catalogue) -> None:
    found = catalogue.match(Query(countries=("CL", "JP", "VN")), n=ALL)
    assert {m.partner_country for m in found.matches} == {"JP"}
    assert len(found.notes) == 2
    assert "Chile" in found.notes[0]["en"]
    assert "Việt Nam" in found.notes[1]["vi"]
    nothing = catalogue.match(Query(countries=("CL",)), n=ALL)
    assert (nothing.matches, nothing.candidates, len(nothing.notes)) == ((), 0, 1)
    assert catalogue.match(Query(countries=("JP",)), n=1).notes == ()


def test_beyond_very_many_partners_the_best_of_retrieval_are_ranked(
    wide: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [m.partner_id for m in wide.match(Query(project_id="p-port"), n=10).matches]
    monkeypatch.setattr(module, "RANK_ALL", 30)
    monkeypatch.setattr(module, "CANDIDATES", 25)
    found = wide.match(Query(project_id="p-port"), n=ALL)
    assert len(found.matches) == 25
    assert found.candidates == 60
    assert len(set(whole) & {m.partner_id for m in found.matches}) >= 9
    japanese = Filters(country=("JP",))
    exact = wide.match(Query(project_id="p-port"), n=ALL, filters=japanese)
    assert {m.partner_country for m in exact.matches} == {"JP"}
    assert len(exact.matches) == exact.candidates == 10


def ranking(catalogue: Catalogue, text: str) -> list[tuple[str, float]]:
    return [(m.partner_id, round(m.score, 5)) for m in catalogue.match(Query(text=text), n=ALL).matches]


def test_text_is_the_same_with_and_without_marks_in_any_case(catalogue: Catalogue) -> None:
    text = "Xây dựng cảng container nước sâu Cần Giờ"
    wanted = ranking(catalogue, text)
    assert wanted[0][0] in ("jp-port", "jp-quay")
    for other in (
        unicodedata.normalize("NFD", text),
        text.upper(),
        "Xay dung cang container nuoc sau Can Gio",
        f"  {text}\n",
    ):
        assert ranking(catalogue, other) == wanted


@pytest.mark.parametrize("text", ["", " ", "?!… — ;", "。。。", "\x00\u200b", "🚢"])
def test_text_without_a_word_says_nothing_about_sector_or_meaning(catalogue: Catalogue, text: str) -> None:
    found = catalogue.match(Query(text=text), n=ALL)
    assert len(found.matches) == len(PARTNERS)
    for m in found.matches:
        by_feature = {e.feature: e for e in m.evidence}
        assert not {e.feature for e in m.evidence if e.direction != "missing"} & {"text_similarity", "sector_division"}
        assert by_feature["sector_division"].direction == "missing"


def test_a_very_long_text_is_answered(catalogue: Catalogue) -> None:
    assert ranking(catalogue, "cảng container " * 7_000)[0][0] in ("jp-port", "jp-quay")
    assert len(ranking(catalogue, "x" * 100_000)) == len(PARTNERS)


def test_an_unsaved_project_is_ranked_by_its_fields(catalogue: Catalogue) -> None:
    def best(**draft: Any) -> str:
        return catalogue.match(Query(draft_project=draft), n=1).matches[0].partner_id

    assert best(isic=["86"], name_vi="Bệnh viện") == "th-clinic"
    assert best(isic=["26"]) == "kr-chips"
    assert best(isic=["35"], green=True, country="VN") == "fr-wind"


def test_an_unsaved_partner_scores_as_the_stored_one_of_which_as_much_is_known(catalogue: Catalogue) -> None:
    for known in PARTNERS:
        stored = catalogue.match(Query(partner_id=known["partner_id"]), n=ALL)
        deals = set(catalogue.corpus.facts.deals["partner_id"]) | set(catalogue.corpus.facts.footprint["partner_id"])
        if known["partner_id"] in deals:
            continue
        draft = {k: v for k, v in known.items() if k != "partner_id"}
        unsaved = catalogue.match(Query(draft_partner=draft), n=ALL)
        for one, two in zip(unsaved.matches, stored.matches, strict=True):
            assert one.project_id == two.project_id
            # One more text makes words more frequent: BM25 shifts a little.
            told, expected = (
                {e.feature: e for e in m.evidence if not e.feature.startswith("text_")} for m in (one, two)
            )
            assert list(told) == list(expected)
            for feature, reason in told.items():
                assert reason.direction == expected[feature].direction
                assert reason.contribution == pytest.approx(expected[feature].contribution, abs=1e-6)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        (Query(draft_project={"titel": "x"}), "titel"), (Query(draft_partner={"adress": "x"}), "adress"),
        (Query(draft_partner={"kind": "wizard"}), "kind"), (Query(draft_project={"form": "gift"}), "form"),
        (Query(draft_project={"status": "hopeful"}), "status"),
        (Query(draft_project={"value_usd_max": "a lot"}), "value_usd_max"),
        (Query(draft_project={"isic": "52"}), "isic"),
        (Query(draft_partner={"country": "Japan"}), "Japan"), (Query(), "Nothing"),
    ],
)  # fmt: skip
def test_an_unusable_question_is_refused_by_name(catalogue: Catalogue, query: Query, named: str) -> None:
    with pytest.raises(InputError, match=named):
        catalogue.match(query)


def test_an_unsaved_record_may_say_explicitly_that_something_is_unknown(catalogue: Catalogue) -> None:
    blank = dict.fromkeys(("kind", "country", "isic", "name", "size"))
    assert catalogue.match(Query(draft_partner=blank), n=ALL).matches
    assert catalogue.match(Query(draft_project={"status": None, "country": None, "form": None}), n=ALL).matches


@pytest.mark.parametrize("query", [Query(project_id="p-nowhere"), Query(partner_id="nobody-else")])
def test_an_unknown_record_is_not_found(catalogue: Catalogue, query: Query) -> None:
    with pytest.raises(NotFoundError):
        catalogue.match(query)


def test_an_unknown_country_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(InputError, match="JP"):
        catalogue.match(Query(countries=("jp",)))


@pytest.mark.parametrize("which", ["catalogue", "wide"])
def test_an_explanation_sets_a_pair_against_the_next_one(which: str, request: pytest.FixtureRequest) -> None:
    catalogue: Catalogue = request.getfixturevalue(which)
    whole = catalogue.match(Query(project_id="p-port"), n=ALL).matches
    for place in (0, 3, len(whole) - 1):
        told = catalogue.explain("p-port", whole[place].partner_id)
        assert told.match.rank == place + 1
        if place + 1 == len(whole):
            assert told.following is None
            assert told.contrast == ()
            continue
        assert told.following is not None
        assert told.following.partner_id == whole[place + 1].partner_id
        lead = told.match.score - told.following.score
        assert sum(d.first - d.second for d in told.contrast) == pytest.approx(lead, abs=1e-6)
        sizes = [abs(d.gap) for d in told.contrast if d.reason != MISSING]
        assert sizes == sorted(sizes, reverse=True)
        for lang in ("vi", "en"):
            assert told.to_json(lang)["next"]["rank"] == place + 2


def test_it_answers_the_same_twice(catalogue: Catalogue) -> None:
    for query in QUERIES.values():
        assert catalogue.match(query, n=5) == catalogue.match(query, n=5)
    assert np.array_equal(catalogue.rank_all("p-port")[1], catalogue.rank_all("p-port")[1])


def test_beyond_very_many_pairs_the_projects_nearest_to_a_partner_are_looked_at(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = Query(countries=("JP", "KR"))
    whole = pairs(catalogue.match(query, n=ALL))
    monkeypatch.setattr(module, "MAX_PAIRS", 1)
    monkeypatch.setattr(module, "PAIR_PROJECTS", 2)
    found = catalogue.match(query, n=ALL)
    assert 1 <= len({p for p, _ in pairs(found)}) <= 2
    assert found.matches[0].project_id in {p for p, _ in whole}
    assert found.candidates > 1


def test_what_most_partners_rightly_lack_is_no_gap(catalogue: Catalogue) -> None:
    """Nobody is told that a co-investor or a namesake is missing; known ones speak for or against."""
    shown = catalogue.match(Query(project_id="p-port"), n=ALL).matches
    missing = {e.feature for m in shown for e in m.evidence if e.direction == "missing"}
    assert missing
    assert not missing & {"coinvestors", "namesakes"}
