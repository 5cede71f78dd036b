"""`benchmark`: every ranker on every set in one table, each run made once, refusals before the work."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Evaluate
from small_dataset import write_small
from small_world import BagEncoder
from threadpoolctl import threadpool_limits

from evaluation import benchmark, blind, datasets
from evaluation.baselines import BASELINES
from evaluation.benchmark import RANKERS, Bench
from evaluation.checks import Check
from evaluation.datasets import Dataset
from evaluation.runs import Made, RunCache
from matcher.measures import Ranking
from matcher.records import Reference

Results = Callable[..., dict[str, Any]]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Two quick baselines and the engine."""
    monkeypatch.setattr(benchmark, "BASELINES", BASELINES[:2])
    return ("random", "pop", "engine")


@pytest.fixture
def results(evaluate: Evaluate, capsys: pytest.CaptureFixture[str]) -> Results:
    """The report of `benchmark --json`, but for the day on which it was made."""

    def made(*arguments: object) -> dict[str, Any]:
        capsys.readouterr()
        assert evaluate("benchmark", *arguments, "--json") == 0
        found = dict(json.loads(capsys.readouterr().out))
        assert len(found.pop("made_on")) == 10
        return found

    return made


@pytest.fixture
def ranked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the runs that are made, as they are made."""
    names: list[str] = []
    honest, engine = benchmark._ranked, blind.rank

    def baseline(one: Any, *arguments: Any, **more: Any) -> Any:
        names.append(one.name)
        return honest(one, *arguments, **more)

    def rank(*arguments: Any, **more: Any) -> Any:
        names.append("engine")
        return engine(*arguments, **more)

    monkeypatch.setattr(benchmark, "_ranked", baseline)
    monkeypatch.setattr(blind, "rank", rank)
    return names


@pytest.fixture
def instant(ranked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers drawn from data set and seed take the engine's place, where quality is not the point."""

    def rank(dataset: Dataset, _reference: Reference, encoder: Any, *, seed: int, **_more: Any) -> Made:
        ranked.append("engine")
        ids = dataset.partners["partner_id"].to_list()
        rng = np.random.default_rng([seed, *dataset.digest.encode(), *encoder.id.encode()])
        ranking = Ranking.of_scores(dataset.queries, ids, rng.random((len(dataset.queries), len(ids))))
        return Made(name="engine", ranking=ranking, probabilities=None, abstained="drawn", seconds=0.5, note="drawn")

    monkeypatch.setattr(blind, "rank", rank)


def renamed(folder: Path, name: str, to: Path) -> Path:
    """A copy under another name."""
    shutil.copytree(folder, to)
    about = (to / "dataset.toml").read_text(encoding="utf-8")
    (to / "dataset.toml").write_text(about.replace('name = "small_world"', f'name = "{name}"'), encoding="utf-8")
    return to


def test_everything_is_ranked_scored_and_shown(
    evaluate: Evaluate, results: Results, ranked: list[str], small: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    texts = renamed(write_small(tmp_path / "t", deals=False), "chỉ có văn bản", tmp_path / "texts")
    report = tmp_path / "reports" / "benchmark.html"
    with threadpool_limits(1):  # on a busy machine threads wait for each other at every step of a tree
        found = results(small, texts, "--report", report)
    names = [*RANKERS[1:], "engine"]
    assert ranked == [*names, "engine", "engine"]  # twice more: relabelled and without names
    one, other = found["datasets"]
    assert [r["run"] for r in one["runs"]] == names
    assert all(0 <= r["figures"]["warm"]["nDCG@10"]["mean"] <= 1 for r in one["runs"])
    assert all(r["seconds"] >= 0 and r["note"] for r in one["runs"])
    assert [(c["name"], c["passed"]) for c in one["checks"]] == [
        ("relabelled", True), ("masked_names", True), ("duplicates", True),
    ]  # fmt: skip
    assert {(c["first"], c["second"]) for c in one["comparisons"]} == {("engine", n) for n in names[:-1]}
    assert all(c["p"] <= c["p_corrected"] for c in one["comparisons"])
    counts = {k: one["counts"][k] for k in ("partners", "queries", "warm_queries", "warm_partners", "cold_partners")}
    assert counts == {
        "partners": 25, "queries": 18, "warm_queries": 18, "warm_partners": 22, "cold_partners": 3
    }  # fmt: skip
    assert one["counts"]["qrels"] > 18 > one["counts"]["cold_partners"]
    assert other["name"] == "chỉ có văn bản"
    assert other["runs"] == other["comparisons"] == other["checks"] == []
    assert other["warnings"][-1] == "There are no answers to score against."
    told = dict(found["configuration"])
    assert told.pop("versions").keys() >= {"numpy", "lightgbm", "polars"}
    # Folders by their name alone: where they lie on this machine is nobody's business.
    assert told.pop("command") == "python -m evaluation benchmark small texts --report benchmark.html --json"
    assert told == {"encoder": BagEncoder().id, "depth": 1000, "seed": 0, "max_queries": 1000}
    assert (found["seed"], found["resamples"]) == (0, 1000)
    page = report.read_text(encoding="utf-8")
    assert all(name in page for name in names)
    assert "chỉ có văn bản" in page

    ranked.clear()
    assert results(small, texts)["datasets"] == found["datasets"]  # seconds and all
    assert evaluate("benchmark", small, texts) == 0
    told = capsys.readouterr().out
    assert ranked == []
    for expected in (*names, "Not scored, for there is nothing to rank: chỉ có văn bản.", "warm, 18 of 18"):
        assert expected in told
    assert "FAILED" not in told


@pytest.mark.parametrize("name", ["random", "sector_pop", "bm25_profile", "dense_knn", "rrf_tuned", "engine"])
def test_a_ranker_can_be_asked_by_name(name: str, evaluate: Evaluate, small_input: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.trec"
    assert evaluate("blind", small_input, "--out", out, "--engine", name, "--n", "5") == 0
    rows = [line.split() for line in out.read_text().splitlines()]
    assert {row[5] for row in rows} == {name}
    assert [row[3] for row in rows] == [str(i) for i in range(1, 6)] * 18
    first = out.read_bytes()
    assert evaluate("blind", small_input, "--out", out, "--engine", name, "--n", "5") == 0
    assert out.read_bytes() == first


def test_the_table_has_the_figures_of_blind_and_score(
    few: tuple[str, ...], evaluate: Evaluate, results: Results, small: Path, small_input: Path, small_blind: Path,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    table = {r["run"]: r["figures"] for r in results(small_blind, "--no-checks")["datasets"][0]["runs"]}
    assert tuple(table) == few
    full = {r["run"]: r["figures"] for r in results(small, "--no-checks")["datasets"][0]["runs"]}
    assert full == table
    for name in few[1:]:
        out = tmp_path / f"{name}.trec"
        assert evaluate("blind", small_input, "--out", out, "--engine", name) == 0
        capsys.readouterr()
        assert evaluate("score", out, small_blind, "--json") == 0
        assert json.loads(capsys.readouterr().out)["datasets"][0]["runs"][0]["figures"] == table[name]


@pytest.mark.parametrize("second", ["same name", "damaged", "not there"])
def test_what_is_refused_is_refused_before_the_work(
    second: str, few: tuple[str, ...], evaluate: Evaluate, ranked: list[str], small: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    other = tmp_path / "other"
    told = f"The data set {other} cannot be read"
    if second != "not there":
        write_small(other, seed=1)
    if second == "same name":
        told = "Two data sets are called small_world; give each a name of its own in dataset.toml."
    elif second == "damaged":
        (other / "deals.csv").unlink()
    assert evaluate("benchmark", small, other, "--report", tmp_path / "report.html") == 1
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.out == ""
    assert ranked == []
    assert not (tmp_path / "report.html").exists()


def test_an_interrupted_benchmark_goes_on_where_it_stopped(
    few: tuple[str, ...], instant: None, results: Results, evaluate: Evaluate, ranked: list[str], small: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def stop(*_arguments: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    drawn = blind.rank
    monkeypatch.setattr(blind, "rank", stop)
    with pytest.raises(KeyboardInterrupt):
        evaluate("benchmark", small)
    monkeypatch.setattr(blind, "rank", drawn)
    assert ranked == ["random", "pop"]
    ranked.clear()
    found = results(small)
    assert ranked == ["engine"] * 3
    assert [r["run"] for r in found["datasets"][0]["runs"]] == list(few)
    ranked.clear()
    results(small)
    assert ranked == []


def test_runs_of_something_else_are_made_anew(
    few: tuple[str, ...], instant: None, results: Results, ranked: list[str], small: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def made(*arguments: object) -> list[str]:
        ranked.clear()
        results(*arguments, "--no-checks")
        return list(ranked)

    every = list(few)
    assert made(small) == every
    assert made(shutil.copytree(small, tmp_path / "moved")) == []  # by content, not by place
    assert made(small, "--seed", "1") == every
    assert made(small, "--max-queries", "5") == every
    assert made(small) == made(small, "--seed", "1") == []
    projects = small / "projects.csv"
    projects.write_text(projects.read_text(encoding="utf-8").replace(' ha"', ' hectares"', 1), encoding="utf-8")
    assert made(small) == every
    monkeypatch.setattr("evaluation.__main__._encoder", lambda _settings: BagEncoder("another@2"))
    assert made(small) == every
    tables = shutil.copytree(Path(__file__).resolve().parents[2] / "data", tmp_path / "tables",
                             ignore=shutil.ignore_patterns("models", "runs", "artefacts", "pgdata"))  # fmt: skip
    monkeypatch.setenv("MATCHER_REFERENCE_DIR", str(tables))
    assert made(small) == []
    (tables / "partners.csv").unlink()
    assert made(small) == []
    terms = (tables / "terms.csv").read_text(encoding="utf-8").splitlines()
    (tables / "terms.csv").write_text("\n".join(terms[:-1]) + "\n", encoding="utf-8")
    assert made(small) == every


def test_damaged_runs_are_made_anew(
    few: tuple[str, ...], instant: None, results: Results, ranked: list[str], small: Path, tmp_path: Path
) -> None:
    found = results(small, "--no-checks")
    stored = sorted((tmp_path / "data" / "runs" / "evaluation" / "runs").glob("*.npz"))
    assert len(stored) == 3
    for path in stored:
        path.write_bytes(path.read_bytes()[:-100])
    ranked.clear()
    again = results(small, "--no-checks")
    assert ranked == list(few)
    for result in (found, again):
        for run in result["datasets"][0]["runs"]:
            run.pop("seconds")
    assert again == found


def test_so_many_queries_are_asked_and_no_more(
    few: tuple[str, ...], instant: None, results: Results, small: Path
) -> None:
    found = results(small, "--max-queries", "7", "--no-checks")["datasets"][0]
    assert found["counts"]["queries"] == 7
    expected = datasets.blind(datasets.read(small), max_queries=7).queries
    assert set(found["runs"][0]["per_query"]["full"]) == set(expected)
    assert [c["name"] for c in found["checks"]] == ["duplicates"]


def test_sets_without_answers_or_partners_get_a_row_without_runs(
    few: tuple[str, ...], results: Results, ranked: list[str], small_input: Path, small: Path
) -> None:
    found = results(small_input)["datasets"][0]
    assert found["runs"] == []
    assert found["warnings"][-1] == "There are no answers to score against."
    assert found["counts"]["queries"] == 18
    about = (small / "dataset.toml").read_text(encoding="utf-8").replace("2016-12-31", "2030-12-31")
    (small / "dataset.toml").write_text(about, encoding="utf-8")
    assert results(small)["datasets"][0]["runs"] == []  # nothing is announced after the split
    assert ranked == []


def test_a_failed_check_is_said_aloud(
    few: tuple[str, ...], instant: None, evaluate: Evaluate, small: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    failed = Check(name="relabelled", value=0.9, low=0.0, high=0.1, passed=False, note="planted")
    monkeypatch.setattr(benchmark.checks, "at_chance", lambda *_: failed)
    assert evaluate("benchmark", small) == 0
    assert "FAILED CHECKS, do not trust the figures: small_world (relabelled)" in capsys.readouterr().out


def test_progress_names_the_set_and_the_ranker(
    few: tuple[str, ...], small: Path, tmp_path: Path, real_reference: Reference
) -> None:
    told: list[tuple[str, int, int]] = []
    bench = Bench(
        reference=real_reference, encoder=BagEncoder(), cache=RunCache(folder=tmp_path / "runs"), seed=0, resamples=10,
        progress=lambda *step: told.append(step),
    )  # fmt: skip
    benchmark.measure(datasets.blind(datasets.read(small)), bench, with_checks=False)
    steps = list(dict.fromkeys(step for step, _, _ in told))
    assert all(step.startswith("small_world") for step in steps)
    assert steps[-1] == "small_world engine: rank"
    assert all(0 <= done <= total for _, done, total in told)
