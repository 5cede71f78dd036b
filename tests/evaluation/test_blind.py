"""`blind`: a run for every directory in the format, from that directory alone, the same bytes every time."""

import csv
import gzip
import io
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import REPOSITORY, Evaluate
from small_dataset import SPLIT_ON, write_small
from small_world import BagEncoder, frame

from evaluation import __main__ as command
from evaluation import datasets
from evaluation.blind import ENGINE, in_force, rank
from evaluation.datafiles import COLUMNS
from evaluation.qrels import read_run
from evaluation.vectors import FILE
from matcher.records import Facts, Reference

OPTIONAL = [
    f"{name}.{column}"
    for name in ("projects", "partners", "deals")
    for column in COLUMNS[name]
    if column not in ("project_id", "partner_id", "name")
]
READ = {"isic.csv", "city_sectors.csv", "activity_tags.csv", "terms.csv", "countries.csv", "country_ties.csv"}
"""The files of the product that a blind evaluation may read."""


def rewrite(path: Path, change: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> None:
    """Changes the rows of a CSV file."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(change(rows))
    path.write_text(out.getvalue(), encoding="utf-8")


@pytest.fixture
def run_of(evaluate: Evaluate, tmp_path: Path) -> Callable[..., bytes]:
    """Bytes of the run of a folder."""

    def made(folder: Path, *more: object, name: str = "run.trec") -> bytes:
        assert evaluate("blind", folder, "--out", tmp_path / name, *more) == 0
        return (tmp_path / name).read_bytes()

    return made


def lines_of(content: bytes) -> list[list[str]]:
    text = content.decode()
    assert text.endswith("\n")
    assert "\r" not in text
    return [line.split(" ") for line in text[:-1].split("\n")]


def check_whole(content: bytes, folder: Path, *, n: int = 1000) -> None:
    """Six fields; queries ascend; ranks from 1; scores fall, ties by identifier; all partners, each once."""
    dataset = datasets.read(folder)
    rows = lines_of(content)
    assert {len(row) for row in rows} == {6}
    assert {row[1] for row in rows} == {"Q0"}
    assert {row[5] for row in rows} == {ENGINE}
    queries = list(dict.fromkeys(row[0] for row in rows))
    assert queries == list(dataset.queries or sorted(dataset.projects["project_id"]))
    everybody = set(dataset.partners["partner_id"])
    for query in queries:
        mine = [row for row in rows if row[0] == query]
        assert [row[3] for row in mine] == [str(i + 1) for i in range(min(n, len(everybody)))]
        assert len({row[2] for row in mine}) == len(mine)
        assert {row[2] for row in mine} <= everybody
        order = [(-float(row[4]), row[2]) for row in mine]
        assert all(a < b for a, b in pairwise(order))


def test_the_input_form_is_ranked_whole(
    run_of: Callable[..., bytes], small_input: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not (small_input / "qrels.csv").exists()
    content = run_of(small_input)
    check_whole(content, small_input)
    told = capsys.readouterr()
    assert told.out == ""
    assert "18 queries, up to 1000 of 25 partners each, by engine. linear model alone: " in told.err
    rows = lines_of(content)
    scores = {row[0]: row[4] for row in rows if row[3] == "1"}
    assert len(set(scores.values())) > 1  # queries are not all alike
    assert len({row[2] for row in rows if row[3] == "1"}) > 1


def test_answers_beside_the_input_change_nothing(
    run_of: Callable[..., bytes], small_input: Path, small_blind: Path, tmp_path: Path
) -> None:
    alone = run_of(small_input)
    assert run_of(small_blind) == alone
    other = shutil.copytree(small_blind, tmp_path / "other answers")
    partners = datasets.read(other).partners["partner_id"].to_list()
    rewrite(other / "qrels.csv", lambda rows: [
        {"project_id": q, "partner_id": partners[i % 25]} for i, q in enumerate({r["project_id"] for r in rows})
    ])  # fmt: skip
    assert run_of(other) == alone


def test_the_full_form_is_ranked_for_every_later_project(
    run_of: Callable[..., bytes], small: Path, tmp_path: Path
) -> None:
    content = run_of(small)
    check_whole(content, small)
    asked = {row[0] for row in lines_of(content)}
    announced = pl.read_csv(small / "projects.csv", infer_schema=False)
    assert asked == set(announced.filter(pl.col("announced_on") > SPLIT_ON.isoformat())["project_id"])
    # Deals of the query period are answers: other answers give the same run.
    other = shutil.copytree(small, tmp_path / "other answers")
    rewrite(other / "deals.csv", lambda deals: [
        {**d, "role": "bond", "value_usd": ""} if d["closed_on"] > SPLIT_ON.isoformat() else d for d in deals
    ])  # fmt: skip
    assert run_of(other) == content


def test_a_seed_gives_the_same_bytes(run_of: Callable[..., bytes], small_input: Path) -> None:
    assert run_of(small_input) == run_of(small_input, "--seed", 0) == run_of(small_input, name="elsewhere/again.trec")
    check_whole(run_of(small_input, "--seed", 7), small_input)


def test_a_list_can_be_short_and_compressed(run_of: Callable[..., bytes], small_input: Path) -> None:
    whole, short = lines_of(run_of(small_input)), lines_of(run_of(small_input, "--n", 3))
    assert short == [row for row in whole if int(row[3]) <= 3]
    packed = run_of(small_input, name="run.trec.gz")
    assert packed == run_of(small_input, name="other.trec.gz")
    assert lines_of(gzip.decompress(packed)) == whole


@pytest.mark.parametrize("missing", ["projects", "partners", "deals", "projects partners deals", "queries"])
def test_any_optional_part_may_be_missing(
    missing: str, run_of: Callable[..., bytes], small: Path, small_input: Path
) -> None:
    """Every optional column of these files is gone, or the list of queries and all columns but the dates behind it."""
    dates = ["announced_on", "announced_precision"] if missing == "queries" else []
    for name in ("projects", "partners", "deals"):
        if name in missing or missing == "queries":
            gone = [c.split(".")[1] for c in OPTIONAL if c.startswith(name) and c.split(".")[1] not in dates]
            cells = pl.read_csv(small_input / f"{name}.csv", infer_schema=False).drop(gone)
            cells.unique(maintain_order=True).write_csv(small_input / f"{name}.csv")
    if missing == "queries":
        (small_input / "queries.csv").unlink()
    content = run_of(small_input)
    check_whole(content, small_input)
    assert len({row[0] for row in lines_of(content)}) == 18


def test_a_missing_list_of_queries_is_read_off_the_dates(run_of: Callable[..., bytes], small_input: Path) -> None:
    listed = run_of(small_input)
    (small_input / "queries.csv").unlink()
    assert run_of(small_input) == listed


def test_a_set_without_deals_is_ranked_by_texts(
    run_of: Callable[..., bytes], small: Path, tmp_path: Path, evaluate: Evaluate
) -> None:
    (small / "deals.csv").write_text("project_id,partner_id,role,closed_on,closed_precision,value_usd\n")
    content = run_of(small)
    check_whole(content, small)
    assert len({row[4] for row in lines_of(content)}) > 25
    # The same as a set of texts: no split, so that every project is asked.
    (small / "deals.csv").unlink()
    (small / "dataset.toml").write_text('name = "texts"\nno_deals = true\n', encoding="utf-8")
    content = run_of(small)
    check_whole(content, small)
    assert len({row[0] for row in lines_of(content)}) == 60
    rewrite(small / "projects.csv", lambda rows: [{**r, "announced_on": "", "announced_precision": ""} for r in rows])
    check_whole(run_of(small), small)  # no day is known at all


def test_only_queries_are_enough(run_of: Callable[..., bytes], small_input: Path) -> None:
    asked = datasets.read(small_input).queries
    (small_input / "deals.csv").write_text("project_id,partner_id\n")
    rewrite(small_input / "projects.csv", lambda rows: [r for r in rows if r["project_id"] in asked])
    check_whole(run_of(small_input), small_input)


def test_vietnamese_texts_are_ranked(run_of: Callable[..., bytes], tmp_path: Path) -> None:
    folder = write_small(tmp_path / "tiếng Việt", vietnamese=True)
    rewrite(folder / "partners.csv", lambda rows: [{**r, "name": f"Công ty Sông Hồng {i}"} for i, r in enumerate(rows)])
    check_whole(run_of(folder, name="kết quả.trec"), folder)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["no-partners"], "small_world has no partners, so that there is nobody to rank."),
        (["no-queries"], "small_world has no query: there is no queries.csv and no project is announced after 2030"),
        (["small", "--engine", "best"], 'There is no engine "best"; use one of engine, random, '),
        (["nowhere"], "nowhere is not a folder"),
        (["damaged"], 'projects.csv, row 3, column "value_usd"'),
    ],
)
def test_a_refusal_says_why_and_writes_nothing(
    arguments: list[str], told: str, evaluate: Evaluate, small: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write_small(tmp_path / "no-partners", deals=False)
    late = shutil.copytree(small, tmp_path / "no-queries")
    about = (late / "dataset.toml").read_text(encoding="utf-8")
    (late / "dataset.toml").write_text(about.replace(str(SPLIT_ON), "2030-12-31"), encoding="utf-8")
    damaged = shutil.copytree(small, tmp_path / "damaged")
    rewrite(damaged / "projects.csv", lambda rows: [rows[0], {**rows[1], "value_usd": "12,5 ty"}, *rows[2:]])
    out = tmp_path / "run.trec"
    assert evaluate("blind", tmp_path / arguments[0], "--out", out, *arguments[1:]) == 1
    assert told in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("more", [["--n", "0"], ["--n", "x"], ["--seed", "-1"], ["--out", "."], ["--frobnicate"]])
def test_wrong_usage_is_told_before_any_work(more: list[str], evaluate: Evaluate, small: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        evaluate("blind", small, "--out", tmp_path / "run.trec", *more)
    assert stopped.value.code == 2


def emptied(folder: Path, *, delete: bool) -> Path:
    """A copy of the product's tables in which those that are not reference data have no row, or are gone."""
    folder.mkdir()
    for path in (REPOSITORY / "data").glob("*.csv"):
        if path.name in READ:
            shutil.copy(path, folder)
        elif not delete:
            (folder / path.name).write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("delete", [False, True])
def test_the_product_s_own_records_do_not_matter(
    delete: bool, run_of: Callable[..., bytes], small_input: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = run_of(small_input)
    folder = emptied(tmp_path / "emptied", delete=delete)
    assert (folder / "partners.csv").exists() is not delete
    monkeypatch.setenv("MATCHER_REFERENCE_DIR", str(folder))
    assert run_of(small_input) == full
    monkeypatch.setenv("MATCHER_DATA_DIR", str(tmp_path / "another"))
    assert run_of(small_input) == full
    monkeypatch.chdir(tmp_path)
    assert run_of(Path("small_input")) == full


def test_the_reference_that_may_be_read_is_read(
    run_of: Callable[..., bytes], small_input: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above would pass as well if nothing was read at all."""
    full = run_of(small_input)
    folder = emptied(tmp_path / "emptied", delete=True)
    rewrite(folder / "countries.csv", lambda rows: [{**r, "region": "", "subregion": ""} for r in rows])
    monkeypatch.setenv("MATCHER_REFERENCE_DIR", str(folder))
    assert run_of(small_input) != full
    (folder / "terms.csv").unlink()
    with pytest.raises(AssertionError):
        run_of(small_input)


@pytest.mark.parametrize(("day", "same"), [("2016-12-31", False), ("2017-01-01", True)])
def test_ties_after_the_split_change_nothing(
    day: str, same: bool, run_of: Callable[..., bytes], small_input: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Every host gets an agreement with every home on that day."""
    folder = emptied(tmp_path / "ties", delete=True)
    rewrite(folder / "country_ties.csv", lambda rows: [r for r in rows if r["kind"] != "fta"])
    monkeypatch.setenv("MATCHER_REFERENCE_DIR", str(folder))
    before = run_of(small_input)

    def tied(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        blank = dict.fromkeys(rows[0], "")
        told = {"source": rows[0]["source"], "licence": rows[0]["licence"]}
        homes = ("JP", "KR", "SG", "DE", "US")
        made = [{**blank, **told, "country": c, "kind": "fta", "name": f"agreement {c}", "in_force_on": day,
                 "in_force_precision": "day"} for c in homes]  # fmt: skip
        return [*rows, *made]

    rewrite(folder / "country_ties.csv", tied)
    assert (run_of(small_input) == before) is same


def test_no_step_is_given_what_came_into_force_later(
    small: Path, real_reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features ask for the day too; what they do not get they cannot forget to ask for."""
    honest, given = datasets.facts, []

    def facts(dataset: datasets.Dataset, reference: Reference, **more: Any) -> Facts:
        given.append(reference.country_ties["in_force_on"].max())
        return honest(dataset, reference, **more)

    monkeypatch.setattr(datasets, "facts", facts)
    rank(datasets.read(small), real_reference, BagEncoder(), seed=0)
    latest = real_reference.country_ties["in_force_on"].max()
    assert len(given) == 2
    assert all(day <= SPLIT_ON < latest for day in given)


def test_in_force_is_what_was_so_for_certain(real_reference: Reference) -> None:
    rows = [
        {"country": c, "kind": "fta", "name": c, "in_force_on": on, "in_force_precision": grain, "ended_on": ended}
        for c, on, grain, ended in [
            ("AA", date(2016, 12, 31), "day", None), ("BB", date(2017, 1, 1), "day", None),
            ("CC", date(2016, 12, 1), "month", None), ("DD", date(2016, 1, 1), "year", None),
            ("EE", date(2017, 1, 1), "year", None), ("FF", None, "none", None),
            ("GG", date(2001, 1, 1), "day", SPLIT_ON), ("HH", date(2001, 1, 1), "day", date(2017, 1, 1)),
        ]
    ]  # fmt: skip
    reference = replace(real_reference, country_ties=frame("country_ties", rows))

    def known(day: date) -> str:
        return "".join(c[0] for c in in_force(reference, day).country_ties["country"])

    assert known(SPLIT_ON) == "ACDH"
    assert known(date(2016, 12, 30)) == "GH"
    assert known(date(2017, 12, 30)) == "ABCD"
    assert known(date(2017, 12, 31)) == "ABCDE"
    assert known(date.min) == ""
    assert in_force(reference, SPLIT_ON).countries is reference.countries


def test_probabilities_stand_beside_the_first_places(
    small: Path, real_reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = datasets.read(small)
    told: list[tuple[str, int, int]] = []
    monkeypatch.setattr("matcher.matching.rank.MIN_QUERIES", 5)
    monkeypatch.setattr("matcher.matching.learn.SOME_HELD", 5)
    made = rank(dataset, real_reference, BagEncoder(), seed=0, progress=lambda *step: told.append(step))
    assert made.probabilities is None
    assert made.abstained == "Too little data: 22 dated deals are known, 200 are needed."
    assert made.seconds > 0
    assert told[-1] == ("rank", 18, 18)
    monkeypatch.setattr("matcher.matching.calibrate.MIN_POSITIVES", 10)
    made = rank(dataset, real_reference, BagEncoder(), seed=0)
    assert made.abstained is None
    assert made.probabilities is not None
    assert made.probabilities.shape == made.ranking.places.shape == (18, 25)
    assert ((made.probabilities > 0) & (made.probabilities < 1)).all()
    short = rank(dataset, real_reference, BagEncoder(), seed=0, depth=4)
    assert short.probabilities is not None
    np.testing.assert_array_equal(short.probabilities, made.probabilities[:, :4])


def test_the_real_encoder_gives_the_same_bytes_everywhere(
    model: Path, no_database: None, small_input: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two data folders with the same model: one with the product's records, one without them and with old vectors."""
    dataset, runs = datasets.read(small_input), []
    kept = {*dataset.queries[:3], *dataset.train["project_id"].unique().sort()[:15]}
    for name in ("projects", "deals", "queries"):
        rewrite(small_input / f"{name}.csv", lambda rows: [r for r in rows if r["project_id"] in kept])
    for data, delete in (("one", False), ("two", True)):
        tables = emptied(tmp_path / f"tables {data}", delete=delete)
        if not delete:
            shutil.copy(REPOSITORY / "data" / "partners.csv", tables)
        for name in ("isic", "city_sectors", "activity_tags", "terms"):  # few titles, for encoding takes its time
            rewrite(tables / f"{name}.csv", lambda rows: [r for r in rows if r.get("level", "1") == "1"][:5])
        (tmp_path / data).mkdir()
        (tmp_path / data / "models").symlink_to(model.parent)
        vectors = tmp_path / data / "runs" / "evaluation" / FILE
        if runs:  # half of the texts are known already, so that the others meet other neighbours
            vectors.parent.mkdir(parents=True)
            with closing(sqlite3.connect(tmp_path / "one" / "runs" / "evaluation" / FILE)) as known:
                known.execute("VACUUM INTO ?", (str(vectors),))
            with closing(sqlite3.connect(vectors)) as half, half:
                assert half.execute("DELETE FROM vectors WHERE hash < '8'").rowcount > 10
        monkeypatch.setenv("MATCHER_DATA_DIR", str(tmp_path / data))
        monkeypatch.setenv("MATCHER_REFERENCE_DIR", str(tables))
        out = tmp_path / f"{data}.trec"
        assert command.main(["blind", str(small_input), "--out", str(out)]) == 0
        runs.append(out.read_bytes())
        assert vectors.is_file()
    assert runs[0] == runs[1]
    check_whole(runs[0], small_input)
    assert set(read_run(tmp_path / "one.trec")) == set(datasets.read(small_input).queries)
