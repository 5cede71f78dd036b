"""`score`: any run on any directory in the format, with the figures of ir_measures and a word on what is missing."""

import csv
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
import polars as pl
import pytest
from conftest import Evaluate
from small_dataset import write_small

from evaluation import __main__ as command
from evaluation import datasets
from evaluation.qrels import read_run, write_qrels, write_run
from evaluation.results import MEASURES, SLICES

Run = dict[str, dict[str, float]]


def some_run(folder: Path, *, seed: int = 0) -> Run:
    """A random run that half knows the answers, with ties."""
    dataset, rng = datasets.blind(datasets.read(folder)), np.random.default_rng(seed)
    answers = dataset.qrels or {}
    ids = dataset.partners["partner_id"].to_list()
    return {
        q: {c: float(rng.integers(8)) + 4 * float(c in answers.get(q, ()) and rng.random() < 0.5) for c in ids}
        for q in dataset.queries
    }


@pytest.fixture
def run(small_blind: Path, tmp_path: Path) -> Path:
    write_run(tmp_path / "mine.trec", some_run(small_blind), "mine")
    return tmp_path / "mine.trec"


@pytest.fixture
def scored(
    evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """The data set's part of `score --json`; no encoder is asked for."""

    def refuse(_settings: object) -> None:
        raise AssertionError("a score needs no encoder")

    monkeypatch.setattr(command, "_encoder", refuse)

    def made(*arguments: object) -> dict[str, Any]:
        capsys.readouterr()
        assert evaluate("score", *arguments, "--json") == 0
        found = json.loads(capsys.readouterr().out)["datasets"]
        assert len(found) == 1
        return dict(found[0])

    return made


def means(result: dict[str, Any], part: str = "warm", number: int = 0) -> dict[str, float]:
    return {m: f["mean"] for m, f in result["runs"][number]["figures"][part].items()}


def test_values_are_those_of_ir_measures(scored: Callable[..., dict[str, Any]], small_blind: Path, run: Path) -> None:
    """The warm slice, filtered and measured apart from the program, over the files themselves."""
    with (small_blind / "deals.csv").open(encoding="utf-8") as stream:
        warm = {row["partner_id"] for row in csv.DictReader(stream)}
    qrels: dict[str, dict[str, int]] = {}
    with (small_blind / "qrels.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["partner_id"] in warm:
                qrels.setdefault(row["project_id"], {})[row["partner_id"]] = 1
    lists: Run = {}
    for query in qrels:
        kept = {c: s for c, s in read_run(run)[query].items() if c in warm}
        order = sorted(kept, key=lambda c: (-kept[c], c))
        lists[query] = {c: float(-i) for i, c in enumerate(order)}  # ties broken, so that no library has to
    measures = [ir_measures.parse_measure(m) for m in MEASURES]
    expected = ir_measures.calc_aggregate(measures, qrels, lists)
    result = scored(run, small_blind)
    assert means(result) == pytest.approx({str(m): v for m, v in expected.items()}, abs=1e-9)
    warm_figures = result["runs"][0]["figures"]["warm"]["nDCG@10"]
    assert warm_figures["queries"] == len(qrels)
    assert warm_figures["left_out"] == 18 - len(qrels)
    assert warm_figures["low"] < warm_figures["mean"] < warm_figures["high"]
    assert warm_figures["with_all"] == pytest.approx(warm_figures["mean"] * len(qrels) / 18)
    assert set(SLICES) <= set(result["runs"][0]["figures"])
    assert result["counts"]["warm_queries"] == len(qrels)
    assert result["runs"][0]["seconds"] is None
    assert result["runs"][0]["calibration"]["abstained"] == "The ranker gives no probabilities."


def test_a_perfect_run_is_perfect(scored: Callable[..., dict[str, Any]], small_blind: Path, tmp_path: Path) -> None:
    answers = datasets.read(small_blind).qrels
    assert answers is not None
    write_run(tmp_path / "best.trec", {q: dict.fromkeys(found, 1.0) for q, found in answers.items()}, "best")
    result = scored(tmp_path / "best.trec", small_blind)
    assert means(result)["nDCG@10"] == means(result)["RR"] == means(result, "full")["R@10"] == 1.0


def test_a_blind_run_of_the_command_itself_is_scored(
    evaluate: Evaluate, small_input: Path, small_blind: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("blind", small_input, "--out", tmp_path / "run.trec.gz") == 0
    capsys.readouterr()
    assert evaluate("score", tmp_path / "run.trec.gz", small_blind) == 0
    told = capsys.readouterr()
    assert told.err == ""
    for expected in ("small_world", "nDCG@10", "warm", "new_pairs", "run.trec.gz", "18 queries", "coverage@10", "Gini"):
        assert expected in told.out
    assert "are not in the run" not in told.out


@pytest.mark.parametrize("name", ["answers.qrels", "answers.qrels.gz", "answers.csv"])
def test_answers_may_lie_elsewhere(
    name: str, scored: Callable[..., dict[str, Any]], small_blind: Path, small_input: Path, run: Path, tmp_path: Path
) -> None:
    answers = datasets.read(small_blind).qrels
    assert answers is not None
    write_qrels(tmp_path / name, answers)
    beside = scored(run, small_blind)
    apart = scored(run, small_input, "--qrels", tmp_path / name)
    assert apart["runs"] == beside["runs"]
    assert apart["counts"] == beside["counts"]


def test_the_full_form_scores_as_the_blind_one(
    scored: Callable[..., dict[str, Any]], small: Path, small_blind: Path, run: Path
) -> None:
    assert scored(run, small)["runs"] == scored(run, small_blind)["runs"]
    assert not any("are not in the run" in w for w in scored(run, small)["warnings"])


@pytest.mark.parametrize("missing", ["projects", "partners", "deals", "everything"])
def test_optional_columns_may_be_missing(
    missing: str, scored: Callable[..., dict[str, Any]], small_blind: Path, run: Path
) -> None:
    needed = {"project_id", "partner_id", "name"}
    gone = []
    for name in ("projects", "partners", "deals"):
        if missing in (name, "everything"):
            cells = pl.read_csv(small_blind / f"{name}.csv", infer_schema=False)
            gone += [f"{name}.{c}" for c in cells.columns if c not in needed]
            cells.select(c for c in cells.columns if c in needed).unique(maintain_order=True).write_csv(
                small_blind / f"{name}.csv"
            )
    result = scored(run, small_blind)
    assert result["runs"][0]["figures"]["warm"]["nDCG@10"]["queries"] > 0
    told = next(w for w in result["warnings"] if w.startswith("Not given: "))
    assert all(column in told for column in gone if "colour" not in column)


def test_two_runs_are_compared_by_query(
    scored: Callable[..., dict[str, Any]], small_blind: Path, run: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.trec.gz"
    write_run(other, some_run(small_blind, seed=1), "other")
    result = scored(run, small_blind, "--against", other)
    assert [r["run"] for r in result["runs"]] == ["mine.trec", "other.trec.gz"]
    assert {(c["slice"], c["measure"]) for c in result["comparisons"]} == {
        (s, m) for s in ("warm", "new_pairs") for m in ("nDCG@10", "R@50")
    }
    found = next(c for c in result["comparisons"] if (c["slice"], c["measure"]) == ("warm", "nDCG@10"))
    assert (found["first"], found["second"]) == ("mine.trec", "other.trec.gz")
    assert found["difference"] == pytest.approx(means(result)["nDCG@10"] - means(result, number=1)["nDCG@10"])
    assert found["low"] <= found["difference"] <= found["high"]
    assert found["p"] <= found["p_corrected"] <= 1
    turned = scored(other, small_blind, "--against", run)
    back = next(c for c in turned["comparisons"] if (c["slice"], c["measure"]) == ("warm", "nDCG@10"))
    assert back["difference"] == pytest.approx(-found["difference"])
    assert back["p"] == pytest.approx(found["p"])


@pytest.mark.parametrize("where", ["elsewhere", "here"])
def test_runs_of_one_name_stay_apart(
    where: str, scored: Callable[..., dict[str, Any]], small_blind: Path, run: Path, tmp_path: Path
) -> None:
    other = tmp_path / "b" / run.name if where == "elsewhere" else run
    if where == "elsewhere":
        write_run(other, some_run(small_blind, seed=1), "other")
    result = scored(run, small_blind, "--against", other)
    assert [r["run"] for r in result["runs"]] == ["mine.trec", f"{other} (2)"]
    assert {c["second"] for c in result["comparisons"]} == {f"{other} (2)"}
    if where == "here":
        assert {c["difference"] for c in result["comparisons"]} == {0.0}


def test_missing_queries_count_as_without_a_hit(
    scored: Callable[..., dict[str, Any]], small_blind: Path, run: Path, tmp_path: Path
) -> None:
    whole, lists = scored(run, small_blind), read_run(run)
    half = {q: lists[q] for q in sorted(lists)[:9]}
    write_run(tmp_path / "half.trec", half, "half")
    result = scored(tmp_path / "half.trec", small_blind)
    assert "half.trec: 9 of 18 queries are not in the run and count as without a hit" in result["warnings"]
    assert result["runs"][0]["figures"]["full"]["R@50"]["queries"] == 18
    assert means(result, "full")["R@50"] < means(whole, "full")["R@50"] == 1.0
    per_query = result["runs"][0]["per_query"]["full"]
    assert {per_query[q] for q in set(lists) - set(half)} == {0.0}
    assert {q: per_query[q] for q in half} == {q: whole["runs"][0]["per_query"]["full"][q] for q in half}


def test_a_run_of_the_full_form_is_scored_where_there_are_answers(
    scored: Callable[..., dict[str, Any]], small: Path, small_blind: Path, run: Path, tmp_path: Path
) -> None:
    """Later projects without a deal and partners of no deal that counts are not in the blind form."""
    full, lists = datasets.read(small), read_run(run)
    projects = pl.read_csv(small / "projects.csv", infer_schema=False)
    unanswered = projects.filter(pl.col("project_id") == full.queries[0]).with_columns(project_id=pl.lit("pnodeal"))
    pl.concat([projects, unanswered]).write_csv(small / "projects.csv")
    partners = pl.read_csv(small / "partners.csv", infer_schema=False)
    pl.concat([partners, partners.head(1).with_columns(partner_id=pl.lit("0idle"))]).write_csv(small / "partners.csv")
    more = {**{q: {**found, "0idle": 99.0} for q, found in lists.items()}, "pnodeal": {"0idle": 1.0}}
    write_run(tmp_path / "full.trec", more, "full")
    result = scored(tmp_path / "full.trec", small)
    assert result["counts"]["queries"] == 18
    assert means(result, "full") == means(scored(run, small_blind), "full")
    assert [w for w in result["warnings"] if w.startswith("full.trec")] == [
        "full.trec: 1 projects in the run are no queries with an answer and are left out"
    ]


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("partner", "The run has 1 candidates (0nobody) that are no partners of small_world."),
        ("query", "The run has 1 queries (pnowhere) that are no projects of small_world."),
        ("no answers", "small_world has no answers to score against; give them with --qrels FILE."),
        ("no run", "nowhere.trec is not a file"),
        ("damaged", "cut.trec, line 3: has 3 fields"),
        ("cut gzip", "cut.trec.gz is damaged"),
        ("other answers", 'other.csv, column "partner_id": 1 are no partners of the data set: 0nobody'),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    case: str, told: str, evaluate: Evaluate, small_blind: Path, small_input: Path, run: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    lists, folder, more = read_run(run), small_blind, []
    if case == "partner":
        lists[min(lists)]["0nobody"] = 1.0
    elif case == "query":
        lists["pnowhere"] = lists.pop(min(lists))
    elif case in ("no answers", "other answers"):
        folder = small_input
    write_run(run, lists, "mine")
    if case == "no run":
        run = tmp_path / "nowhere.trec"
    elif case == "damaged":
        lines = run.read_text().splitlines()
        run = tmp_path / "cut.trec"
        run.write_text("\n".join([*lines[:2], lines[2].rsplit(" ", 3)[0]]))
    elif case == "cut gzip":
        whole = gzip.compress(run.read_bytes())
        run = tmp_path / "cut.trec.gz"
        run.write_bytes(whole[: len(whole) // 2])
    elif case == "other answers":
        (tmp_path / "other.csv").write_text(f"project_id,partner_id\n{min(lists)},0nobody\n")
        more = ["--qrels", tmp_path / "other.csv"]
    assert evaluate("score", run, folder, *more, "--report", tmp_path / "report.html") == 1
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.out == ""
    assert not (tmp_path / "report.html").exists()


def test_a_set_of_texts_has_nothing_to_score(
    evaluate: Evaluate, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = write_small(tmp_path / "texts", deals=False)
    assert evaluate("score", run, texts) == 1
    assert "has no answers to score against" in capsys.readouterr().err


def test_a_report_is_written_beside_the_table(
    evaluate: Evaluate, small_blind: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(small_blind, tmp_path / "tập dữ liệu")
    report = tmp_path / "new folder" / "report.html"
    assert evaluate("score", run, folder, "--report", report) == 0
    assert "mine.trec" in capsys.readouterr().out
    page = report.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "mine.trec" in page
    assert "small_world" in page
    with pytest.raises(SystemExit):
        evaluate("score", run, folder, "--report", tmp_path)
