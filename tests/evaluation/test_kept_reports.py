"""Kept reports: written by `--keep`, read back as they were, refused where they are something else."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import invented_report as invented
import pytest

from evaluation import datasets, kept, tables
from evaluation.qrels import write_run
from evaluation.report import render
from evaluation.results import Report
from evaluation.views import View
from evaluation.words import Words
from matcher.errors import InputError, NotFoundError, SourceError


@pytest.fixture(scope="module")
def whole() -> Report:
    """One set with every part, one without new pairs, one of texts."""
    sets = (invented.result("cgit", 0), invented.result("startups", 3), invented.texts())
    return replace(invented.report(), datasets=sets)


def told(value: Any) -> Any:
    """Comparable: NaN and infinite stand for the same nothing, as in a file."""
    if isinstance(value, dict):
        return {str(k): told(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [told(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def test_what_is_printed_as_json_is_read_back_whole(whole: Report) -> None:
    again = kept.from_json(json.loads(json.dumps(tables.to_json(whole))))
    assert told(asdict(again)) == told(asdict(whole))


def test_a_report_that_was_read_back_reads_as_the_one_that_was_made(whole: Report) -> None:
    again = kept.from_json(json.loads(json.dumps(tables.to_json(whole))))
    assert render(again, "vi") == render(whole, "vi")


def test_a_kept_file_draws_slices_reliability_abstention_audit_and_comparisons(whole: Report, tmp_path: Path) -> None:
    kept.write(whole, tmp_path, "all-of_it.1")
    again = kept.read(tmp_path, "all-of_it.1")
    for before, after in zip(whole.datasets, again.datasets, strict=True):
        one, two = (View(d, Words("en"), 1) for d in (before, after))
        assert [f for _, f in two.findings()] == [f for _, f in one.findings()]
        assert [(c.first, c.second, c.slice) for c in after.comparisons] == [
            (c.first, c.second, c.slice) for c in before.comparisons
        ]
        if before.runs:
            assert two.distribution() == one.distribution()
            assert two.audit_bars() == one.audit_bars()
            calibrated = [s.calibration for s in two.calibrated() if s.calibration is not None]
            assert calibrated
            assert all(two.reliability(c.slices[0]) and two.abstention(c.abstention) for c in calibrated)


def test_single_queries_of_slices_that_nothing_draws_are_left_out(whole: Report, tmp_path: Path) -> None:
    scored = whole.datasets[0].runs[-1]
    more = replace(scored, per_query={**scored.per_query, "popularity_low": {"q1": 0.5}})
    result = replace(whole.datasets[0], runs=(more,))
    kept.write(replace(whole, datasets=(result,)), tmp_path, "x")
    (run,) = kept.read(tmp_path, "x").datasets[0].runs
    assert run.per_query == scored.per_query
    assert set(run.figures) == set(scored.figures)


def test_keeping_again_takes_the_place_of_what_was_there(whole: Report, tmp_path: Path) -> None:
    kept.write(whole, tmp_path, "x")
    kept.write(replace(whole, title="Another"), tmp_path, "x")
    assert kept.read(tmp_path, "x").title == "Another"
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "Ä", "CON", "a" * 65, "x\n"])
def test_a_name_that_leads_elsewhere_is_refused(whole: Report, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a report"):
        kept.write(whole, tmp_path, name)
    with pytest.raises(NotFoundError):
        kept.read(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_could_not_be_read_again_is_not_written(
    whole: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "LARGEST", 1000)
    with pytest.raises(InputError, match="at most 1,000 are kept"):
        kept.write(whole, tmp_path, "x")
    assert list(tmp_path.iterdir()) == []


def change(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The JSON with one value changed; ... takes it away."""
    content = json.loads(json.dumps(content))
    inner = content
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return content


RUN = ("datasets", 0, "runs", 0)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("title",), ..., "the report: title is missing"),
        (("seed",), "7", 'seed is "7"; expected a whole number'),
        (("seed",), True, "seed is true; expected a whole number"),
        (("datasets",), {}, "datasets is {}; expected a list"),
        ((*RUN, "run"), None, r"datasets\[0\].runs\[0\].run is null; expected text"),
        ((*RUN, "figures", "warm", "nDCG@10", "mean"), "high", r'warm.nDCG@10.mean is "high"; expected a number'),
        ((*RUN, "figures", "warm"), [1], r"figures.warm is \[1\]; expected an object"),
        ((*RUN, "audit", "same_names"), 1, "same_names is 1; expected true or false"),
        ((*RUN, "audit", "top", 0), ["P1", "Name"], r"top\[0\] is .* expected a list of 3"),
        ((*RUN, "audit"), ..., r"runs\[0\]: audit is missing"),
    ],
)
def test_what_is_no_report_is_refused_with_the_place(
    whole: Report, tmp_path: Path, path: tuple[Any, ...], value: Any, said: str
) -> None:
    content = change(tables.to_json(whole), path, value)
    with pytest.raises(InputError, match=said):
        kept.from_json(content)
    (tmp_path / "odd.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(SourceError, match=r"odd\.json is no report of this program"):
        kept.read(tmp_path, "odd")


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "[" * 100_000, "\xff", '{"datasets": [{"table": 1}]}'])
def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(SourceError, match=r"x\.json is"):
        kept.read(tmp_path, "x")


def test_a_link_out_of_the_folder_and_a_pipe_are_not_read(whole: Report, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    there = kept.write(whole, tmp_path, "outside")
    folder.mkdir()
    (folder / "link.json").symlink_to(there)
    os.mkfifo(folder / "pipe.json")
    for name in ("link", "pipe"):
        with pytest.raises(SourceError, match=f"{name}.json"):
            kept.read(folder, name)


def test_fields_of_a_later_program_are_passed_over(whole: Report) -> None:
    content = change(tables.to_json(whole), ("datasets", 0, "colour"), "blue")
    assert kept.from_json(content).datasets[0].name == "cgit"


def test_the_command_keeps_its_report_where_the_service_looks(
    evaluate: Callable[..., int], small_blind: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("MATCHER_DATA_DIR", str(tmp_path / "data"))
    asked = datasets.read(small_blind)
    partner = asked.partners["partner_id"][0]
    write_run(tmp_path / "mine.trec", {asked.queries[0]: {partner: 1.0}}, "mine")
    assert evaluate("score", tmp_path / "mine.trec", small_blind, "--json", "--keep", "first") == 0
    said = capsys.readouterr()
    assert "/analysis/reports/first" in said.err
    found = kept.read(tmp_path / "data" / "runs" / "evaluation", "first")
    assert found.configuration["command"].endswith("--keep first")
    (printed,), (one,) = kept.from_json(json.loads(said.out)).datasets, found.datasets
    assert one.counts == printed.counts
    assert one.runs[0].figures["full"]["R@10"].mean == pytest.approx(printed.runs[0].figures["full"]["R@10"].mean)
    with pytest.raises(SystemExit):
        evaluate("score", tmp_path / "mine.trec", small_blind, "--keep", "../first")
