"""TREC runs and answers: what is written is read back, and nothing odd passes."""

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_dataset import write_small

from evaluation import datasets
from evaluation.datasets import Dataset
from evaluation.qrels import check_run, read_qrels, read_run, write_qrels, write_run
from matcher.errors import InputError

RUN = {"p2": {"o1": 0.1 + 0.2, "o2": 0.3, "o3": -1e-300}, "p1": {"o9": 5.0, "o1": 5.0, "o5": 7e22}}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return datasets.blind(datasets.read(write_small(tmp_path_factory.mktemp("set"))))


@pytest.mark.parametrize("name", ["a.trec", "a.run.gz"])
def test_a_run_comes_back_with_every_digit(tmp_path: Path, name: str) -> None:
    write_run(tmp_path / name, RUN, "tag")
    assert read_run(tmp_path / name) == RUN


def test_a_run_is_in_order_of_query_score_and_identifier(tmp_path: Path) -> None:
    write_run(tmp_path / "a.trec", RUN, "t1")
    assert (tmp_path / "a.trec").read_text(encoding="utf-8").splitlines() == [
        "p1 Q0 o5 1 7e+22 t1",
        "p1 Q0 o1 2 5.0 t1",
        "p1 Q0 o9 3 5.0 t1",
        "p2 Q0 o1 1 0.30000000000000004 t1",
        "p2 Q0 o2 2 0.3 t1",
        "p2 Q0 o3 3 -1e-300 t1",
    ]


@pytest.mark.parametrize("name", ["a.trec", "a.trec.gz"])
def test_equal_runs_give_equal_bytes(tmp_path: Path, name: str) -> None:
    turned = {query: dict(reversed(list(scores.items()))) for query, scores in reversed(list(RUN.items()))}
    (tmp_path / "other").mkdir()
    write_run(tmp_path / name, RUN, "t")
    write_run(tmp_path / "other" / name, turned, "t")
    assert (tmp_path / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert not name.endswith(".gz") or (tmp_path / name).read_bytes()[4:8] == bytes(4)  # no time of writing


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from([f"o{i}" for i in range(8)]), st.floats(allow_nan=False, allow_infinity=False)))
def test_any_finite_scores_come_back(tmp_path_factory: pytest.TempPathFactory, scores: dict[str, float]) -> None:
    path = tmp_path_factory.mktemp("run") / "a.run"
    write_run(path, {"p1": scores, "p2": {"o1": 1.0}}, "t")
    assert read_run(path).get("p1", {}) == scores


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.run").write_bytes(gzip.compress(b"q Q0 d 1 2.5 t\n"))
    assert read_run(tmp_path / "a.run") == {"q": {"d": 2.5}}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("p1 Q0 o2 2 0.5", "has 5 fields; expected 6"),
        ("p1 Q0 o2 2 0.5 tag more", "has 7 fields"),
        ("", "has 0 fields"),
        ("p1 Q0 o1 2 0.5 tag", "o1 occurs a second time for the query p1"),
        ("p1 Q0 o2 2 nan tag", '"nan" is not a finite number'),
        ("p1 Q0 o2 2 inf tag", '"inf" is not a finite number'),
        ("p1 Q0 o2 2 1e999 tag", "is not a finite number"),
        ("p1 Q0 o2 2 0,5 tag", '"0,5" is not a finite number'),
        ("p1 Q0 o2 2 1_0 tag", "is not a finite number"),
        ("p1 Q0 o2 2 ٣ tag", "is not a finite number"),
        ("p1 Q0 o2 2.5 0.5 tag", '"2.5" is not a whole number'),
    ],
)
def test_an_odd_line_is_refused_with_its_number(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "a.run"
    path.write_text(f"p1 Q0 o1 1 0.9 tag\n{line}\np3 Q0 o1 1 0.9 tag\n", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_run(path)
    assert "a.run, line 2" in str(refused.value)
    assert why in str(refused.value)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(f"p1 Q0 o{i} {i} {1 / (i + 1)} t\n".encode() for i in range(5000)))
    for name, content, why in (
        ("cut.gz", whole[: len(whole) // 2], "damaged"),
        ("bad.gz", whole[:60] + bytes(60) + whole[120:], "damaged"),
        ("latin.run", "p1 Q0 o1 1 0.5 t\né Q0 o1 1 0.5 t\n".encode("latin-1"), "line 2: is not UTF-8"),
        ("empty.run", b"", "has no line"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=why):
            read_run(tmp_path / name)
    with pytest.raises(InputError, match="is not a file"):
        read_run(tmp_path / "nothing.run")


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_not_written(tmp_path: Path, score: float) -> None:
    with pytest.raises(InputError, match="o1 for p1"):
        write_run(tmp_path / "a.run", {"p1": {"o1": score}}, "t")


@pytest.mark.parametrize(("run", "tag"), [({"p 1": {"o1": 1.0}}, "t"), ({"p1": {"": 1.0}}, "t"), ({}, "two words")])
def test_words_with_white_space_are_not_written(tmp_path: Path, run: dict[str, dict[str, float]], tag: str) -> None:
    with pytest.raises(InputError, match="white space"):
        write_run(tmp_path / "a.run", run, tag)


QRELS = {"p2": frozenset({"o3", "o1"}), "p1": frozenset({"o2"})}


@pytest.mark.parametrize("name", ["a.qrels", "a.qrels.gz", "qrels.csv", "qrels.csv.gz"])
def test_answers_come_back(tmp_path: Path, name: str) -> None:
    write_qrels(tmp_path / name, QRELS)
    assert read_qrels(tmp_path / name) == QRELS


def test_answers_are_written_in_order(tmp_path: Path) -> None:
    write_qrels(tmp_path / "a.qrels", QRELS)
    write_qrels(tmp_path / "qrels.csv", QRELS)
    assert (tmp_path / "a.qrels").read_bytes() == b"p1 0 o2 1\np2 0 o1 1\np2 0 o3 1\n"
    assert (tmp_path / "qrels.csv").read_bytes() == b"project_id,partner_id\np1,o2\np2,o1\np2,o3\n"


def test_grades_above_nought_are_relevant(tmp_path: Path) -> None:
    (tmp_path / "a.qrels").write_text("p1 0 o1 2\np1 0 o2 0\np1 0 o3 -1\np2 0 o1 0\n", encoding="utf-8")
    assert read_qrels(tmp_path / "a.qrels") == {"p1": frozenset({"o1"}), "p2": frozenset()}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("p1 0 o1 1\np1 0 o2\n", "line 2: has 3 fields; expected 4"),
        ("p1 0 o1 1\np1 0 o2 yes\n", 'line 2: the grade "yes"'),
        ("p1 0 o1 1\np1 0 o1 0\n", "line 2: o1 occurs a second time"),
        ("project_id,partner_id\np1,o1\np1,o1\n", "line 3: o1 occurs a second time"),
        ("project_id,partner_id\np1\n", "line 2: has 1 cells"),
        ("project_id,partner_id\np1,\n", "line 2: has an empty identifier"),
        ("project_id,partner\np1,o1\n", 'line 1: the column "partner_id"'),
        ("", "is empty"),
    ],
)
def test_odd_answers_are_refused_with_their_line(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "qrels.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_qrels(tmp_path / "qrels.csv")
    assert why in str(refused.value)


def test_a_run_on_all_queries_has_no_warning(dataset: Dataset) -> None:
    partners = dataset.partners["partner_id"].to_list()
    assert check_run({q: dict.fromkeys(partners, 1.0) for q in dataset.queries}, dataset) == []


def test_missing_queries_are_counted(dataset: Dataset) -> None:
    partner = dataset.partners["partner_id"][0]
    other = next(p for p in dataset.projects["project_id"] if p not in dataset.queries)
    found = check_run({q: {partner: 1.0} for q in (*dataset.queries[3:], other)}, dataset)
    assert [f.split(" ")[0] for f in found] == ["1", "3"]
    assert f"3 of {len(dataset.queries)} queries are not in the run" in found[1]


def test_strangers_in_a_run_are_refused_by_name(dataset: Dataset) -> None:
    partner = dataset.partners["partner_id"][0]
    with pytest.raises(InputError, match=r"7 queries \(x0, x1, x2, x3, x4 …\)"):
        check_run({f"x{i}": {partner: 1.0} for i in range(7)}, dataset)
    with pytest.raises(InputError, match=r"2 candidates \(zz1, zz2\)"):
        check_run({dataset.queries[0]: {partner: 1.0, "zz2": 0.5, "zz1": 0.5}}, dataset)
