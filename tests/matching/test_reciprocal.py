"""The city's side: rules answered from facts, unknown without one, apart from the score; a stop removes nobody."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from small_world import HERE, LISTED, PARTNERS, PROJECTS, SOURCE, BagEncoder, block, facts, small_trees

from matcher.city import LEAST_KNOWN, NEUTRAL, CitySide, Criterion, Gate, combined
from matcher.ingest.tables import read_table
from matcher.matching import catalogue as module
from matcher.matching.catalogue import Catalogue
from matcher.matching.city_labels import CITY_NAMES, CITY_STATEMENTS, GATE_STATEMENTS, INSTRUMENTS
from matcher.matching.engine import Engine
from matcher.matching.notes import BOTH_SIDES
from matcher.matching.reciprocal import READ, SHARE, STOPPED, Policy
from matcher.records import Facts, Query

RULE = {"instrument": "Resolution 98/2023/QH15", "source": "https://example.org/rule", "source_on": date(2025, 12, 11)}
CRITERIA: list[dict[str, Any]] = [
    {"criterion_id": i, "criterion": word, "value": value, **more, **RULE}
    for i, word, value, more in [
        ("f-port", "priority field", "logistics", {"sector": "seaport"}),
        ("f-power", "priority field", "energy", {"sector": "power"}),
        ("similar", "experience of a similar project", "yes", {}),
        ("technology", "advanced technology", "first", {}),
        ("high", "high-technology branches", "21|26|62", {}),
        ("green", "environmental protection", "first", {}),
        ("small", "minimum equity share", "20 % of the whole", {"value_min": Decimal(0), "value_currency": "VND"}),
        ("large", "minimum equity share", "15 %", {"value_min": Decimal(30_000_000_000_000), "value_currency": "VND"}),
        ("barred", "barred country", "CL", {"instrument": "Resolution 1 (2017)"}),
        ("tax", "CIT on strategic project income", "10 %", {}),
    ]
]  # fmt: skip
STRATEGIC = {"status": "calling", "form": "strategic_investor", "sector": "seaport", "isic": ["52"], **HERE}


def sides(known: Facts, project: str) -> Mapping[str, CitySide | None]:
    """partner -> the city's side of the pair."""
    made = block(known, project)
    policy = Policy.of(known.criteria, known.reference.city_sectors)
    ids = made.partners.frame["partner_id"].to_list()
    return {q: policy.side(made.at(np.array([made.partners.row_of[q]])), 0) for q in ids}


def asked(side: CitySide | None) -> dict[str, Criterion]:
    assert side is not None
    return {c.name: c for c in side.criteria}


def grades(side: CitySide | None) -> dict[str, float | None]:
    return {name: c.grade for name, c in asked(side).items()}


@pytest.fixture(scope="module", autouse=True)
def _small_trees() -> Iterator[None]:
    with small_trees():
        yield


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.fit(facts(), BagEncoder(), seed=1, out=tmp_path_factory.mktemp("r") / "e")


@pytest.fixture(scope="module")
def catalogue(engine: Engine) -> Catalogue:
    return engine.open(facts(criteria=CRITERIA), BagEncoder())


def test_each_criterion_is_answered_by_a_fact_or_unknown() -> None:
    port = sides(facts(criteria=CRITERIA), "p-port")
    assert grades(port["jp-port"]) == {"field": 1, "experience": 1, "technology": None, "environment": None}
    assert grades(port["kr-chips"]) == {"field": 1, "experience": None, "technology": 1, "environment": None}
    assert grades(port["fr-wind"]) == {"field": 1, "experience": None, "technology": None, "environment": 1}
    assert grades(port["nobody"]) == {"field": 1, "experience": None, "technology": None, "environment": None}
    assert set(grades(sides(facts(criteria=CRITERIA), "p-hospital")["jp-port"])) == set(grades(port["jp-port"]))
    assert grades(sides(facts(criteria=CRITERIA), "p-hospital")["jp-port"])["field"] is None


def test_rule_and_fact_each_have_their_source_and_day() -> None:
    told = asked(sides(facts(criteria=CRITERIA), "p-port")["jp-port"])
    for c in told.values():
        assert (c.rule_source, c.rule_on) == (RULE["source"], RULE["source_on"])
        assert c.rule == {"vi": "Nghị quyết 98/2023/QH15", "en": "Resolution 98/2023/QH15"}
        assert c.statement == CITY_STATEMENTS[c.name]["unknown" if c.grade is None else "yes"]
        assert (c.source is None) == (c.grade is None)
    assert told["experience"].value["en"] == "Cai Mep container port (owner, 2012)"
    assert (told["experience"].source, told["experience"].on) == (SOURCE["source"], SOURCE["source_on"])
    assert told["field"].value == {"vi": "cảng biển", "en": "seaports"}
    chips = asked(sides(facts(criteria=CRITERIA), "p-port")["kr-chips"])["technology"]
    assert (chips.value["en"], chips.source) == ("Electronics", LISTED)


def test_a_branch_read_out_of_words_is_not_taken_for_high_technology() -> None:
    told = {"partner_id": "jp-fab", "name": "Fab", "country": "JP", "kind": "company", "description": "半導体"}
    known = facts(partners=[*PARTNERS, told], criteria=CRITERIA)
    made = block(known, "p-port")
    row = made.partners.row_of["jp-fab"]
    assert made.partners.estimated[row]  # so that the test says something
    assert grades(sides(known, "p-port")["jp-fab"])["technology"] is None


def test_a_mark_that_says_no_counts_as_no() -> None:
    brown = {**PARTNERS[0], "green": False}
    told = asked(sides(facts(partners=[brown, *PARTNERS[1:]], criteria=CRITERIA), "p-port")["fr-wind"])["environment"]
    assert (told.grade, told.statement) == (0.0, CITY_STATEMENTS["environment"]["no"])


@pytest.mark.parametrize(
    ("project", "partner", "expected", "needed"),
    [
        ({"value_usd_min": 500e6, "value_usd_max": 500e6}, "jp-port", 1.0, "100\u00a0M\u00a0USD"),  # 20% of 500
        ({"value_usd_min": 500e6, "value_usd_max": 500e6}, "th-clinic", 1.0, "100\u00a0M\u00a0USD"),  # small cap
        ({"value_usd_min": 4e9, "value_usd_max": 4e9}, "th-clinic", None, "600\u00a0M\u00a0USD"),  # 15%; 250 to 2,000
        ({"value_usd_min": 20e9, "value_usd_max": 20e9}, "th-clinic", 0.0, "3,000\u00a0M\u00a0USD"),
        ({"value_usd_min": 20e9, "value_usd_max": 20e9}, "kr-chips", 1.0, "3,000\u00a0M\u00a0USD"),
        ({"value_usd_min": 20e9, "value_usd_max": 20e9}, "kr-build", None, None),  # size not known
        ({}, "jp-port", None, None),  # value not known
    ],
)
def test_a_strategic_investor_is_asked_for_equity(
    project: dict[str, Any], partner: str, expected: float | None, needed: str | None
) -> None:
    given = {"project_id": "p", "name_en": "Port", **STRATEGIC, **project}
    told = asked(sides(facts(projects=[given, *PROJECTS], criteria=CRITERIA), "p")[partner])["equity"]
    assert told.grade == expected
    assert (needed is None) == (told.value["en"] == "unknown")
    assert needed is None or told.value["en"].endswith(f"needed ≈ {needed}")


def test_the_share_follows_the_printed_amount_in_dong() -> None:
    given = {
        "project_id": "p", "name_en": "Port", **STRATEGIC, "value_usd_min": 1e9, "value_usd_max": 1e9,
        "value_currency": "VND", "value_min": Decimal(31_000_000_000_000), "value_max": Decimal(31_000_000_000_000),
    }  # fmt: skip
    told = asked(sides(facts(projects=[given, *PROJECTS], criteria=CRITERIA), "p")["jp-port"])["equity"]
    assert told.value["en"].endswith("needed ≈ 150\u00a0M\u00a0USD")


def test_a_rule_that_is_not_there_asks_nothing() -> None:
    assert sides(facts(), "p-port")["jp-port"] is None
    one = sides(facts(criteria=[c for c in CRITERIA if c["criterion_id"] == "similar"]), "p-port")["jp-port"]
    assert set(asked(one)) == {"experience"}


@pytest.mark.parametrize("project", ["x-port", "x-solar"])
def test_rules_reach_no_past_project_and_no_other_country(project: str) -> None:
    assert sides(facts(criteria=CRITERIA), project)["jp-port"] is None
    abroad = {**PROJECTS[2], "project_id": "p", "country": "TH"}
    assert sides(facts(projects=[abroad, *PROJECTS], criteria=CRITERIA), "p")["jp-port"] is None


def side(*given: float | None, state: Any = "not_screened") -> CitySide:
    both = {"vi": "?", "en": "?"}
    return CitySide(
        criteria=tuple(
            Criterion(name="x", grade=g, statement=both, value=both, source=None, on=None, rule=both, rule_source="s",
                      rule_on=None)
            for g in given
        ),
        gate=Gate(state=state, statement=both),
    )  # fmt: skip


def test_the_figure_is_a_mean_in_which_the_unknown_counts_half() -> None:
    assert side(1, 1, None, None).value == 0.75
    assert side(1, 0, None).value == 0.5
    assert side(0, 0).value == 0
    assert side(1, None, None, None).value is None  # fewer than two are known
    assert (side(1, None).known, LEAST_KNOWN, NEUTRAL) == (1, 2, 0.5)


def test_both_sides_are_multiplied_under_the_gate() -> None:
    assert combined(0.8, side(1, 1, None, None)) == pytest.approx(0.6)
    assert combined(0.8, side(None, None)) == pytest.approx(0.4)  # no figure: neutral
    assert combined(0.8, None) == pytest.approx(0.4)
    assert combined(1.0, side(1, 1, state="stop")) == 0.0


def test_a_barred_country_stops_and_removes_nobody(engine: Engine) -> None:
    chilean = {"partner_id": "cl-port", "name": "Puerto", "country": "CL", "kind": "company", "isic": ["52"]}
    hidden = {**chilean, "partner_id": "sg-port", "name": "Puerto Two", "country": "SG", "origin_country": "CL"}
    known = facts(partners=[*PARTNERS, chilean, hidden], criteria=CRITERIA)
    opened = engine.open(known, BagEncoder())
    found = opened.match(Query(project_id="p-port"), n=100).matches
    assert len(found) == len(PARTNERS) + 2
    gates = {m.partner_id: m.city.gate for m in found if m.city}
    for partner in ("cl-port", "sg-port"):
        assert (gates[partner].state, gates[partner].source) == ("stop", RULE["source"])
        assert gates[partner].statement == GATE_STATEMENTS["country"]
    assert gates["jp-port"].state == "not_screened"
    assert gates["jp-port"].source is None
    by_both = opened.match(Query(project_id="p-port", sort="both"), n=100).matches
    assert {m.partner_id for m in by_both[-2:]} == {"cl-port", "sg-port"}


def test_a_list_of_stopped_partners_stops_them_and_clears_nobody() -> None:
    row = {"criterion_id": "list-1", "criterion": "stopped partner", "value": "jp-port", "instrument": "A list",
           "source": "https://example.org/debarred", "source_on": date(2026, 1, 31)}  # fmt: skip
    port = sides(facts(criteria=[*CRITERIA, row]), "p-port")
    stopped, other = port["jp-port"], port["kr-build"]
    assert stopped is not None
    assert other is not None
    assert (stopped.gate.state, stopped.gate.source, stopped.gate.on) == (
        "stop", "https://example.org/debarred", date(2026, 1, 31),
    )  # fmt: skip
    assert (other.gate.state, other.gate.statement) == ("not_screened", GATE_STATEMENTS["not_listed"])


def test_the_citys_side_changes_no_score_and_no_order(engine: Engine, catalogue: Catalogue) -> None:
    bare = engine.open(facts(), BagEncoder())
    for query in (Query(project_id="p-port"), Query(partner_id="jp-port"), Query(countries=("JP", "KR"))):
        with_rules, without = catalogue.match(query, n=100).matches, bare.match(query, n=100).matches
        assert [replace(m, city=None) for m in with_rules] == list(without)
        assert any(m.city for m in with_rules)


def test_order_by_both_sides_is_as_stated(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    by_score = catalogue.match(Query(project_id="p-port"), n=100).matches
    found = catalogue.match(Query(project_id="p-port", sort="both"), n=100)
    n = len(by_score)
    expected = {m.partner_id: combined(1 - i / n, m.city) for i, m in enumerate(by_score)}
    values = [expected[m.partner_id] for m in found.matches]
    assert values == sorted(values, reverse=True)
    assert [m.rank for m in found.matches] == list(range(1, n + 1))
    assert {m.partner_id: m.score for m in found.matches} == {m.partner_id: m.score for m in by_score}
    assert [m.partner_id for m in found.matches] != [m.partner_id for m in by_score]
    assert found.notes[0] == BOTH_SIDES
    assert found.to_json()["query"]["sort"] == "both"
    assert "sort" not in catalogue.match(Query(project_id="p-port"), n=1).to_json()["query"]
    monkeypatch.setattr(module, "RECIPROCAL", 4)
    few = [m.partner_id for m in catalogue.match(Query(project_id="p-port", sort="both"), n=100).matches]
    assert few[4:] == [m.partner_id for m in by_score[4:]]
    assert set(few[:4]) == {m.partner_id for m in by_score[:4]}


@pytest.mark.parametrize(
    "query",
    [
        Query(partner_id="jp-port", sort="both"), Query(countries=("JP", "KR"), sort="both"),
        Query(text="cảng container", sort="both"), Query(draft_partner={"name": "N", "isic": ["52"]}, sort="both"),
    ],
)  # fmt: skip
def test_every_list_can_be_ordered_so_page_by_page(catalogue: Catalogue, query: Query) -> None:
    whole = catalogue.match(query, n=100).matches
    assert whole
    paged = [m for offset in range(0, len(whole), 2) for m in catalogue.match(query, n=2, offset=offset).matches]
    assert paged == list(whole)


def test_a_match_tells_it_in_json_in_both_languages(catalogue: Catalogue) -> None:
    match = next(m for m in catalogue.match(Query(project_id="p-port"), n=100).matches if m.partner_id == "fr-wind")
    vi, en = (match.to_json(lang)["city"] for lang in ("vi", "en"))
    assert (en["value"], en["known"], en["of"]) == (0.75, 2, 4)
    assert en["gate"]["state"] == "not_screened"
    assert [c["criterion"] for c in en["criteria"]] == ["field", "experience", "technology", "environment"]
    assert en["criteria"][0]["rule"]["on"] == "2025-12-11"
    assert (vi["criteria"][3]["value"], en["criteria"][3]["value"]) == ("xanh", "green")
    assert match.to_json()["screening"]["state"] == "not_yet"


def test_every_outcome_has_a_sentence_in_both_languages() -> None:
    assert set(CITY_STATEMENTS) == set(CITY_NAMES)
    told = [*(s for by in CITY_STATEMENTS.values() for s in by.values()), *GATE_STATEMENTS.values()]
    for both in told:
        assert set(both) == {"vi", "en"}
        assert both["vi"] != both["en"]
        assert all(t[0].isupper() and t.endswith(".") for t in both.values())
    assert all(set(by) == {"yes", "no", "unknown"} for by in CITY_STATEMENTS.values())


# Our own table of rules


@pytest.fixture(scope="module")
def rules() -> pl.DataFrame:
    return read_table("investor_criteria", Path(__file__).parents[2] / "data")


def test_the_table_has_the_rules_that_are_read(rules: pl.DataFrame) -> None:
    assert set(READ) - {STOPPED} <= set(rules["criterion"])  # no such list is compiled yet
    read = rules.filter(pl.col("criterion").is_in(list(READ)))
    assert read.filter(pl.col("source_on").is_null()).is_empty()
    assert read.filter((pl.col("criterion") == "priority field") & pl.col("sector").is_null()).is_empty()
    assert read.filter(pl.col("criterion") == "minimum equity share")["value"].str.contains(SHARE).all()
    named = set(read.filter(~pl.col("criterion").is_in(["high-technology branches"]))["instrument"])
    assert named == set(INSTRUMENTS)


def test_its_codes_exist(rules: pl.DataFrame) -> None:
    folder = Path(__file__).parents[2] / "data"
    branches = rules.filter(pl.col("criterion") == "high-technology branches")["value"].item().split("|")
    assert set(branches) <= set(read_table("isic", folder)["code"])
    barred = rules.filter(pl.col("criterion") == "barred country")["value"]
    assert set(barred) <= set(read_table("countries", folder)["country"])
    stopped = rules.filter(pl.col("criterion") == STOPPED)["value"]
    assert set(stopped) <= set(read_table("partners", folder)["partner_id"])
