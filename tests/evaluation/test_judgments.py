"""Judgments in and out as files, as graded answers, and how far judges agree."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import fastexcel
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from small_world import AS_OF, facts, frame

from evaluation import judgments
from evaluation.__main__ import main
from evaluation.judgments import MIN_PAIRS, agreement, export, import_file, qrels
from evaluation.qrels import read_qrels
from matcher.errors import InputError
from matcher.records import TABLES, Filters, Match, MatchList, Query
from matcher.store import Store
from matcher.store.feedback import JUDGMENTS, Shown

HEADING = "project_id,partner_id,grade,reason,judged_by,mission_id,judged_on,exposure_id\n"
GOOD = "p-port,jp-port,3,đã gặp,o1,jp-tokyo,2026-03-01,\n"
MISSION = {"mission_id": "jp-tokyo", "name_vi": "T", "name_en": "T", "type": "embassy", "country": "JP"}


@pytest.fixture
def stocked(store: Store) -> Iterator[Store]:
    """The small world's projects and partners, a mission, and a list that showed p-port with jp-port."""
    for name in ("projects", "partners"):
        store.append(name, getattr(facts(), name).select(list(TABLES[name].columns)), source="t", actor="t")
    store.append("missions", frame("missions", [MISSION]), source="t", actor="t")
    shown = Match(
        rank=1, project_id="p-port", project_name={}, partner_id="jp-port", partner_name="", partner_country=None,
        partner_kind="company", score=1.0, probability=None, abstained={}, evidence=(), engine="e", as_of=AS_OF,
    )  # fmt: skip
    found = MatchList(
        query=Query(project_id="p-port"), filters=Filters(), engine="e", as_of=AS_OF, matches=(shown,), candidates=1,
        coverage={}, n=1, revision=1,
    )  # fmt: skip
    assert store.log_exposure(found, Shown(channel="page", lang="vi", actor="o1")) == 1
    return store


@pytest.fixture
def load(stocked: Store, tmp_path: Path):
    def load(text: str, **more) -> judgments.Imported:
        path = tmp_path / "phiếu.csv"
        path.write_text(text, encoding="utf-8")
        return import_file(stocked, path, actor="tests", today=more.get("today", AS_OF))

    return load


def grades(store: Store, **asked) -> list[tuple]:
    return store.read_judgments(**asked).select("project_id", "partner_id", "judged_by", "grade").rows()


def test_a_file_is_read_whole_and_a_repetition_adds_nothing(load, stocked: Store) -> None:
    text = HEADING + GOOD + "p-port,jp-port,1,,o2,,2026-03-01,1\np-wind,fr-wind,0,,o1,,2026-03-02,\n"
    assert (load(text).rows, load(text).new) == (3, 0)
    row = stocked.read_judgments().row(0, named=True)
    assert (row["grade"], row["reason"], row["mission_id"], row["actor"]) == (3, "đã gặp", "jp-tokyo", "tests")
    assert row["judged_on"] == date(2026, 3, 1)
    assert stocked.read_judgments()["exposure_id"].to_list() == [None, 1, None]
    entry = next(e for e in stocked.audit_log() if e.action == "judgments")
    assert (entry.actor, entry.details) == ("tests", {"source": "phiếu.csv", "rows": 3, "new": 3})


def test_a_later_file_supersedes_and_one_with_few_columns_will_do(load, stocked: Store) -> None:
    load(HEADING + GOOD)
    done = load("judged_on,judged_by,grade,partner_id,project_id\n2026-03-05,o1,1,jp-port,p-port\n")
    assert done.new == 1
    assert grades(stocked) == [("p-port", "jp-port", "o1", 1)]
    assert grades(stocked, as_of=date(2026, 3, 4)) == [("p-port", "jp-port", "o1", 3)]


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        (GOOD.replace(",3,", ",4,"), "grade", '"4" is not one of 0, 1, 2, 3'),
        (GOOD.replace(",3,", ",2.5,"), "grade", '"2.5" is not one of'),
        (GOOD.replace(",3,", ",,"), "grade", "is required"),
        (GOOD.replace("p-port", "p-prot"), "project_id", "is not in projects (nearest: p-port"),
        (GOOD.replace("jp-port", "jp-prt"), "partner_id", "is not in partners"),
        (GOOD.replace("jp-tokyo", "jp-kyoto"), "mission_id", "is not in missions"),
        (GOOD.replace("o1", "Nguyễn An"), "judged_by", "is no identifier"),
        (GOOD.replace("o1", "a@b.vn"), "judged_by", "is no identifier"),
        (GOOD.replace("o1", ""), "judged_by", "is required"),
        (GOOD.replace("2026-03-01", "1/3/2026"), "judged_on", "is not a date"),
        (GOOD.replace("2026-03-01", ""), "judged_on", "is required"),
        (GOOD.replace("2026-03-01", "2026-11-24"), "judged_on", "lies after today, 2026-11-22"),
        (GOOD.replace(",\n", ",7\n"), "exposure_id", '"7" is no list that showed this pair'),
        (GOOD.replace("jp-port", "jp-bank").replace(",\n", ",1\n"), "exposure_id", '"1" is no list that showed'),
        (GOOD.replace(",\n", ",x\n"), "exposure_id", "is not a whole number"),
        (GOOD.replace("đã gặp", "=HYPERLINK(1)"), "reason", "formula"),
        ("p-wind,fr-wind,1,,o1,,2026-03-01,\n", "project_id, partner_id, judged_by, judged_on", "expected once"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_written(load, stocked: Store, row: str, column: str, said: str) -> None:
    before = len(stocked.audit_log())
    other = "p-wind,fr-wind,2,,o1,,2026-03-01,\n"
    with pytest.raises(InputError) as refused:
        load(HEADING + other + row)
    assert f'phiếu.csv, row 3, column "{column}": ' in str(refused.value)
    assert said in str(refused.value)
    assert refused.value.errors[0]["pointer"] == f"/3/{column}"
    assert stocked.read_judgments(history=True).is_empty()
    assert len(stocked.audit_log()) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADING, "a heading but no row"),
        ("", "empty"),
        (HEADING.replace("grade", "grades") + GOOD, '"grades" is not known.*grade'),
        ("project_id,partner_id,grade,judged_by\np,q,1,o\n", '"judged_on" is missing'),
        ("PK\x03\x04", "Excel workbook, not a CSV"),
    ],
)
def test_a_file_of_another_kind_is_refused(load, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        load(text)


def test_tomorrow_may_have_begun_where_the_judge_sits(load) -> None:
    assert load(HEADING + GOOD, today=date(2026, 2, 28)).new == 1


def test_what_is_exported_is_read_back_unchanged(load, stocked: Store, tmp_path: Path) -> None:
    hard = '"-giá ""cao"", xa"'
    load(HEADING + GOOD + f"p-port,jp-port,1,{hard},o2,,2026-03-01,1\np-wind,fr-wind,0,'=x,o1,,2026-03-02,\n")
    assert stocked.read_judgments()["reason"].to_list() == ["đã gặp", '-giá "cao", xa', "=x"]
    out = tmp_path / "out.csv"
    assert export(stocked, out) == 3
    text = out.read_text(encoding="utf-8")
    assert "'-giá" in text
    assert "'=x" in text
    before = stocked.read_judgments(history=True)
    done = load(text)
    assert (done.rows, done.new) == (3, 0)
    assert_frame_equal(stocked.read_judgments(history=True), before)


def test_an_export_holds_the_latest_of_a_day_in_every_format(load, stocked: Store, tmp_path: Path) -> None:
    load(HEADING + GOOD + GOOD.replace("2026-03-01", "2026-04-01").replace(",3,", ",1,"))
    early = date(2026, 3, 31)
    assert export(stocked, tmp_path / "j.xlsx", as_of=early) == 1
    book = fastexcel.read_excel(tmp_path / "j.xlsx")
    sheet = book.load_sheet("Judgments").to_polars()
    assert sheet.columns == list(JUDGMENTS.columns)
    assert sheet.row(0)[:6] == ("p-port", "jp-port", 3, "đã gặp", "o1", "jp-tokyo")
    assert "2026-03-31" in str(book.load_sheet("About", header_row=None).to_polars())
    assert export(stocked, tmp_path / "j.csv", as_of=early) == 1
    assert pl.read_csv(tmp_path / "j.csv")["grade"].to_list() == [3]
    assert export(stocked, tmp_path / "j.qrels", as_of=early) == 1
    assert (tmp_path / "j.qrels").read_text() == "p-port 0 jp-port 3\n"
    assert export(stocked, tmp_path / "j.qrels") == 1
    assert (tmp_path / "j.qrels").read_text() == "p-port 0 jp-port 1\n"
    assert export(stocked, tmp_path / "none.csv", as_of=date(2020, 1, 1)) == 0
    assert (tmp_path / "none.csv").read_text() == HEADING
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["j.pdf", "j", "no/folder/j.csv"])
def test_what_cannot_be_written_is_refused(stocked: Store, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"ends in one of \.csv|cannot be written"):
        export(stocked, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_graded_answers_are_the_median_of_the_latest_grades(load, stocked: Store, tmp_path: Path) -> None:
    rows = [
        ("p-port", "jp-port", 0, "o1", "2026-01-01"), ("p-port", "jp-port", 3, "o1", "2026-02-01"),
        ("p-port", "jp-port", 3, "o2", "2026-01-01"), ("p-port", "jp-port", 1, "o3", "2026-03-01"),
        ("p-port", "jp-bank", 2, "o1", "2026-01-01"), ("p-port", "jp-bank", 3, "o2", "2026-01-01"),
        ("p-fab", "kr-chips", 0, "o1", "2026-01-01"),
    ]  # fmt: skip
    load("project_id,partner_id,grade,judged_by,judged_on\n" + "".join(",".join(map(str, r)) + "\n" for r in rows))
    made = qrels(stocked)
    assert made == {"p-fab": {"kr-chips": 0}, "p-port": {"jp-bank": 2, "jp-port": 3}}
    assert list(made) == sorted(made)
    assert qrels(stocked, date(2026, 1, 31))["p-port"]["jp-port"] == 0, "median of 0 and 3 is the lower"
    assert qrels(stocked, date(2025, 12, 31)) == {}
    export(stocked, tmp_path / "j.trec")
    assert (tmp_path / "j.trec").read_text().splitlines()[0] == "p-fab 0 kr-chips 0"
    assert read_qrels(tmp_path / "j.trec") == {"p-fab": frozenset(), "p-port": frozenset({"jp-bank", "jp-port"})}


# Agreement.


def table(matrix: list[list[int | None]]) -> pl.DataFrame:
    """Latest judgments of a matrix of judges (rows) by pairs (columns)."""
    rows = [
        {"project_id": f"p{pair:03d}", "partner_id": "q", "grade": grade, "judged_by": f"o{judge}"}
        for judge, grades in enumerate(matrix)
        for pair, grade in enumerate(grades)
        if grade is not None
    ]
    columns = {c: t for c, t in JUDGMENTS.columns.items() if c in ("project_id", "partner_id", "grade", "judged_by")}
    return pl.DataFrame(rows, schema=columns)


def by_definition(matrix: list[list[int | None]]) -> float:
    """Krippendorff's alpha with the ordinal difference, from the coincidences of grades, as printed in the book."""
    together = np.zeros((4, 4))
    for column in zip(*matrix, strict=True):
        given_ = [g for g in column if g is not None]
        for i, a in enumerate(given_):
            for j, b in enumerate(given_):
                if i != j:
                    together[a, b] += 1 / (len(given_) - 1)
    n = together.sum(axis=1)
    apart = np.zeros((4, 4))
    for a in range(4):
        for b in range(4):
            low, high = min(a, b), max(a, b)
            apart[a, b] = (n[low : high + 1].sum() - (n[a] + n[b]) / 2) ** 2
    return 1 - (n.sum() - 1) * (together * apart).sum() / (np.outer(n, n) * apart).sum()


BOOK = [  # four observers, twelve units, of the book's grades 1-5 those of 1-4 less one; None: not judged
    [0, 1, 2, 2, 1, 0, 3, 0, 1, None, None, None],
    [0, 1, 2, 2, 1, 1, 3, 0, 1, 3, None, 2],
    [None, 2, 2, 2, 1, 2, 3, 1, 1, 3, 0, None],
    [0, 1, 2, 2, 1, 3, 3, 0, 1, 3, 0, None],
]


def test_alpha_is_krippendorffs() -> None:
    found = agreement(table(BOOK), seed=1)
    assert (found.judges, found.pairs, found.overlap, found.judgments) == (4, 12, 11, 41)
    assert found.alpha == pytest.approx(by_definition(BOOK), abs=1e-12)
    assert found.why is None
    assert found.low < found.alpha < found.high
    assert agreement(table(BOOK), seed=1) == found
    assert agreement(table(BOOK).sample(fraction=1.0, shuffle=True, seed=3), seed=1) == found
    assert agreement(table(BOOK), seed=2).low != found.low


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.none() | st.integers(0, 3), min_size=14, max_size=14),
        min_size=2, max_size=4,
    ).filter(lambda m: sum(sum(g is not None for g in c) > 1 for c in zip(*m, strict=True)) >= MIN_PAIRS)
)  # fmt: skip
def test_alpha_follows_its_definition(matrix: list[list[int | None]]) -> None:
    found = agreement(table(matrix), seed=0, resamples=1)
    grades = {g for c in zip(*matrix, strict=True) if sum(x is not None for x in c) > 1 for g in c if g is not None}
    if len(grades) == 1:
        assert found.alpha is None
    else:
        assert found.alpha == pytest.approx(by_definition(matrix), abs=1e-9)
        assert found.alpha <= 1


def test_full_agreement_is_one_and_blind_grades_are_near_nothing() -> None:
    rng = np.random.default_rng(5)
    one = [int(g) for g in rng.integers(0, 4, 200)]
    other = [int(g) for g in rng.integers(0, 4, 200)]
    same = agreement(table([one, one]), seed=0)
    assert (same.alpha, same.low, same.high) == (1.0, 1.0, 1.0)
    blind = agreement(table([one, other]), seed=0, resamples=300)
    assert blind.low < 0 < blind.high


def test_too_little_overlap_is_said_and_not_counted_as_disagreement() -> None:
    few: list[int | None] = [1, 2, 3, 0, 1, 2, 3, 0, 1]
    for matrix, overlap in (([few, few], 9), ([[0, 1, None, None], [None, None, 2, 3]], 0), ([[]], 0)):
        found = agreement(table(matrix), seed=0)
        assert (found.alpha, found.low, found.high, found.overlap) == (None, None, None, overlap)
        assert "not enough overlap" in (found.why or "")
        assert "not enough overlap" in judgments.told(found)
    assert agreement(table([[*few, 2], [*few, 2]]), seed=0).alpha == 1.0


def test_one_grade_everywhere_says_nothing_of_agreement() -> None:
    found = agreement(table([[2] * 20, [2] * 20]), seed=0)
    assert found.alpha is None
    assert "one and the same grade" in (found.why or "")
    rare = agreement(table([[2] * 19 + [1], [2] * 19 + [1]]), seed=0)
    assert (rare.alpha, rare.low) == (1.0, None)
    assert "no interval" in (rare.why or "")
    assert "1.00." in judgments.told(rare)


# The command.


@pytest.fixture
def command(stocked: Store, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("MATCHER_DATABASE_URL", store_url)
    monkeypatch.setenv("MATCHER_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(judgments.getpass, "getuser", lambda: "Nguyễn An")

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["judgments", *words])
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


def test_the_commands_import_export_and_tell_agreement(command, stocked: Store, tmp_path: Path) -> None:
    pairs = [(p, q) for p in ("p-port", "p-wind", "p-fab") for q in ("jp-port", "fr-wind", "kr-chips", "jp-bank")]
    rows = [f"{p},{q},{(i + j) % 4},o{j},2026-01-0{j + 1}\n" for i, (p, q) in enumerate(pairs) for j in range(2)]
    file = tmp_path / "in.csv"
    file.write_text("project_id,partner_id,grade,judged_by,judged_on\n" + "".join(rows))
    assert command("import", str(file)) == (0, "in.csv: 24 judgments, 24 of them new, 0 known already\n", "")
    assert stocked.read_judgments()["actor"].unique().to_list()[0].startswith("cli:uid-"), "a name is not kept"
    code, out, _ = command("agreement", "--json")
    told = json.loads(out)
    assert (code, told["judges"], told["overlap"], told["resamples"]) == (0, 2, 12, 1000)
    assert told["low"] <= told["alpha"] <= told["high"]
    assert f"{told['alpha']:.2f}, 95% interval" in command("agreement")[1]
    assert "not enough overlap" in command("agreement", "--as-of", "2026-01-01")[1]
    assert command("export", "--out", str(tmp_path / "o.qrels"))[:2] == (
        0,
        f"12 rows written to {tmp_path / 'o.qrels'}\n",
    )
    assert command("export", "--out", str(tmp_path / "o.csv"), "--as-of", "2026-01-01")[1].startswith("12 rows")


def test_a_refusal_leaves_with_one(command, stocked: Store, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(HEADING + GOOD.replace(",3,", ",9,"))
    code, out, err = command("import", str(tmp_path / "in.csv"))
    assert (code, out) == (1, "")
    assert 'in.csv, row 2, column "grade"' in err
    assert command("import", str(tmp_path / "none.csv"))[0] == 1
    assert stocked.read_judgments(history=True).is_empty()
    with pytest.raises(SystemExit) as usage:
        command("agreement", "--as-of", "soon")
    assert usage.value.code == 2
