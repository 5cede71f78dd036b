"""Sector-level quality by language of the text, on the engine that is served."""

import json

import pytest

from evaluation import sectors
from evaluation.sectors import NAMES, table
from matcher.jobs.matchmaker import Matchmaker
from matcher.records import Query


@pytest.fixture(scope="module")
def report(matchmaker: Matchmaker) -> sectors.Report:
    return sectors.measure(matchmaker)


def by_variant(report: sectors.Report) -> dict[str, sectors.Result]:
    return {r.variant: r for r in report.results}


def test_twenty_projects_cover_the_sectors(matchmaker: Matchmaker, report: sectors.Report) -> None:
    frame = matchmaker.catalogue().projects.frame
    of = dict(zip(frame["project_id"], frame["sector"], strict=True))
    assert len(set(report.projects)) == 20
    assert len({of[p] for p in report.projects}) >= 14


@pytest.mark.parametrize("variant", ["plain", "en"])
def test_language_and_diacritics_hardly_matter(report: sectors.Report, variant: str) -> None:
    assert by_variant(report)[variant].ratio >= 0.9


@pytest.mark.parametrize("variant", ["vi_title", "plain_title", "en_title"])
def test_the_words_matter_when_no_sector_is_given(report: sectors.Report, variant: str) -> None:
    assert by_variant(report)[variant].ndcg[0] >= 3 * report.chance


def test_a_text_is_asked_without_the_record(matchmaker: Matchmaker, report: sectors.Report) -> None:
    """The figures are of free text: the same words give the same list whatever record they came from."""
    catalogue = matchmaker.catalogue()
    project = report.projects[0]
    text = sectors._texts(catalogue, project)["en_title"]
    assert project not in text
    first = catalogue.match(Query(text=text), n=10)
    assert [m.project_id for m in first.matches] == [""] * 10


def test_the_report_is_printed_whole(report: sectors.Report) -> None:
    printed = table(report)
    for name in NAMES.values():
        assert name in printed
    loaded = json.loads(json.dumps(report.to_json()))
    assert [r["variant"] for r in loaded["results"]] == list(sectors.VARIANTS)
    for r in loaded["results"]:
        mean, low, high = r["ndcg_at_10"]
        assert 0 <= low <= mean <= high <= 1
        assert 0 <= r["overlap"]["at_10"] <= 1
