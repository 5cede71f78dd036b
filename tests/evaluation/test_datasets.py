"""Data sets in the neutral format: strict reading, the blind form by its rule, facts without the future."""

import csv
import hashlib
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_dataset import SPLIT_ON, write_small
from small_world import REFERENCE, BagEncoder

from evaluation import datasets
from evaluation.datafiles import COLUMNS
from evaluation.datasets import Dataset
from evaluation.qrels import write_qrels
from matcher.errors import InputError
from matcher.matching.engine import Engine
from matcher.matching.sides import positive
from matcher.records import OPEN_STATUSES, TABLES, Facts
from matcher.split import listed_from, rolling_origins

Rows = list[dict[str, str]]
OPTIONAL = [
    f"{name}.{column}"
    for name in ("projects", "partners", "deals")
    for column in COLUMNS[name]
    if column not in ("project_id", "partner_id") and (column != "name")
]


def load(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def save(path: Path, rows: Iterable[Mapping[str, str]], columns: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def edit(folder: Path, name: str, change: Callable[[Rows], object]) -> None:
    """Rewrites a file after changing its rows in place."""
    rows = load(folder / f"{name}.csv")
    columns = list(rows[0])
    change(rows)
    save(folder / f"{name}.csv", rows, columns)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_small(tmp_path / "set")


@pytest.fixture
def full(folder: Path) -> Dataset:
    return datasets.read(folder)


@pytest.fixture
def blind_folder(folder: Path, tmp_path: Path) -> Path:
    datasets.write(datasets.blind(datasets.read(folder)), tmp_path / "blind", answers=True)
    return tmp_path / "blind"


def test_every_column_is_typed_and_in_order(full: Dataset) -> None:
    for name in ("projects", "partners", "deals"):
        frame = getattr(full, name)
        assert dict(list(frame.schema.items())[: len(COLUMNS[name])]) == COLUMNS[name]
    assert full.projects["project_id"].is_sorted()
    assert full.partners["partner_id"].is_sorted()
    assert full.deals.select("project_id", "partner_id").equals(
        full.deals.select("project_id", "partner_id").sort("project_id", "partner_id")
    )
    assert (full.name, full.split_on, full.undated, full.missing) == ("small_world", SPLIT_ON, "drop", ())


def test_namibia_is_a_country_and_an_empty_cell_is_unknown(full: Dataset) -> None:
    assert full.projects.filter(pl.col("country") == "NA").height > 5
    assert "NA" in full.partners["country"].to_list()
    assert full.partners["country"].null_count() > 0
    assert full.projects["isic"].null_count() > 0
    assert full.projects["colour"].unique().sort().to_list() == [None, "green"]


def test_queries_of_the_full_form_are_announced_after_the_split(full: Dataset, folder: Path) -> None:
    late = sorted(r["project_id"] for r in load(folder / "projects.csv") if r["announced_on"] > SPLIT_ON.isoformat())
    assert list(full.queries) == late
    answers = {(r["project_id"], r["partner_id"]) for r in load(folder / "deals.csv") if r["project_id"] in late}
    assert full.qrels is not None
    assert {(q, p) for q, partners in full.qrels.items() for p in partners} == answers


def by_the_rule(
    folder: Path, split: str, *, undated: str, max_queries: int = 0
) -> tuple[list[str], set[str], set[str], set[tuple[str, ...]], set[tuple[str, str]]]:
    """Queries, projects, partners, training deals and answers, in plain words."""
    announced = {r["project_id"]: r["announced_on"] for r in load(folder / "projects.csv")}
    answers, train, nodate = [], [], []
    for deal in load(folder / "deals.csv"):
        end = {"year": deal["closed_on"][:4] + "-12-31", "month": deal["closed_on"][:7] + "-31"}
        last = end.get(deal["closed_precision"], deal["closed_on"])
        if announced[deal["project_id"]] > split:
            answers.append(deal)
        elif not deal["closed_on"]:
            nodate.append(deal)
        elif last <= split:
            train.append(deal)
    if undated == "train":
        train += nodate
    queries = sorted({d["project_id"] for d in answers})
    if max_queries:
        queries = sorted(sorted(queries, key=lambda q: hashlib.sha1(q.encode()).hexdigest())[:max_queries])
    pairs = {(d["project_id"], d["partner_id"]) for d in answers if d["project_id"] in queries}
    partners = {d["partner_id"] for d in train} | {p for _, p in pairs}
    if undated == "drop" and nodate:
        partners |= {d["partner_id"] for d in load(folder / "deals.csv") if not d["closed_on"]}
    deals = {(d["project_id"], d["partner_id"], d["role"], d["closed_on"], d["closed_precision"]) for d in train}
    return queries, {*queries, *(d["project_id"] for d in train)}, partners, deals, pairs


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("undated", ["drop", "train"])
@pytest.mark.parametrize("max_queries", [0, 7])
@pytest.mark.parametrize("split", ["2016-12-31", "2014-06-30", "2013-03-17"])
def test_the_blind_form_is_made_by_the_rule(
    tmp_path: Path, seed: int, undated: str, max_queries: int, split: str
) -> None:
    folder = write_small(tmp_path / "set", undated=0.2, seed=seed)
    about = (folder / "dataset.toml").read_text(encoding="utf-8")
    (folder / "dataset.toml").write_text(about.replace(SPLIT_ON.isoformat(), split), encoding="utf-8")
    made = datasets.blind(replace(datasets.read(folder), undated=undated), max_queries=max_queries or None)
    queries, projects, partners, deals, pairs = by_the_rule(folder, split, undated=undated, max_queries=max_queries)
    assert list(made.queries) == queries
    assert set(made.projects["project_id"]) == projects
    assert set(made.partners["partner_id"]) == partners
    found = made.deals.select("project_id", "partner_id", "role", pl.col("closed_on").cast(pl.String).fill_null(""))
    assert {(*row, p) for row, p in zip(found.iter_rows(), made.deals["closed_precision"], strict=True)} == deals
    assert made.qrels is not None
    assert {(q, p) for q, found in made.qrels.items() for p in found} == pairs
    assert made.about["form"] == "blind"
    assert (made.about["queries"], made.about["train_deals"]) == (len(queries), len(deals))
    assert_frame_equal(made.train, made.deals)


def test_dropped_deals_are_counted(full: Dataset) -> None:
    made = datasets.blind(full)
    late = full.deals.filter(~pl.col("project_id").is_in(full.queries)).height - made.deals.height
    assert made.about["dropped_late_deals_on_old_projects"] == late > 0
    assert made.about["dropped_undated_deals"] == 0


@pytest.mark.parametrize(
    ("closed", "precision", "split", "trains"),
    [
        ("2016-12-31", "day", "2016-12-31", True),
        ("2017-01-01", "day", "2016-12-31", False),
        ("2016-12-01", "month", "2016-12-31", True),
        ("2016-12-01", "month", "2016-12-30", False),
        ("2016-01-01", "year", "2016-12-31", True),
        ("2016-01-01", "year", "2016-12-30", False),
        ("", "none", "2016-12-31", False),
    ],
)
def test_a_deal_trains_when_its_last_possible_day_is_in(
    folder: Path, closed: str, precision: str, split: str, trains: bool
) -> None:
    about = (folder / "dataset.toml").read_text(encoding="utf-8").replace(SPLIT_ON.isoformat(), split)
    (folder / "dataset.toml").write_text(about, encoding="utf-8")
    old = min(load(folder / "projects.csv"), key=lambda r: r["announced_on"])["project_id"]
    rows = [r for r in load(folder / "deals.csv") if r["project_id"] != old]
    partner = rows[0]["partner_id"]
    rows.append({
        "project_id": old, "partner_id": partner, "role": "loan", "closed_on": closed, "closed_precision": precision,
        "value_usd": "",
    })  # fmt: skip
    save(folder / "deals.csv", rows, rows[0])
    assert (old in datasets.read(folder).train["project_id"].to_list()) is trains


def test_a_month_of_thirty_days_is_whole_in_the_blind_form_only(folder: Path, tmp_path: Path) -> None:
    """The format's script lets every month end on the 31st; deals of a blind form are judged by the calendar."""
    about = (folder / "dataset.toml").read_text(encoding="utf-8").replace(SPLIT_ON.isoformat(), "2014-06-30")
    (folder / "dataset.toml").write_text(about, encoding="utf-8")
    old = min(load(folder / "projects.csv"), key=lambda r: r["announced_on"])["project_id"]
    deal = {"project_id": old, "closed_on": "2014-06-01", "closed_precision": "month"}
    edit(folder, "deals", lambda rows: rows.append({**rows[0], **deal, "role": "bond"}))
    full = datasets.read(folder)
    assert "bond" not in full.train["role"]
    made = replace(datasets.blind(full), deals=full.deals.filter(pl.col("role") == "bond"))
    datasets.write(made, tmp_path / "blind", answers=False)
    assert datasets.read(tmp_path / "blind").train["role"].to_list() == ["bond"]


def test_writing_and_reading_give_the_same_set(blind_folder: Path, full: Dataset, tmp_path: Path) -> None:
    made, back = datasets.blind(full), datasets.read(blind_folder)
    for name in ("projects", "partners", "deals"):
        assert_frame_equal(getattr(back, name), getattr(made, name))
    assert (back.about, back.queries, back.qrels, back.missing) == (made.about, made.queries, made.qrels, ())
    datasets.write(back, tmp_path / "again", answers=True)
    for file in blind_folder.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()
    assert datasets.blind(back) is back


def test_the_full_form_can_be_written_too(full: Dataset, tmp_path: Path) -> None:
    datasets.write(full, tmp_path / "copy", answers=True)
    back = datasets.read(tmp_path / "copy")
    assert_frame_equal(back.deals, full.deals)
    assert (back.qrels, back.is_blind) == (full.qrels, False)
    with pytest.raises(InputError, match="make the blind form first"):
        datasets.write(full, tmp_path / "none", answers=False)


def test_the_days_of_answers_are_known_where_the_deals_are(blind_folder: Path, full: Dataset) -> None:
    days = full.deals.filter(pl.col("project_id").is_in(full.queries)).drop_nulls("closed_on")
    assert days.height > 0
    for query, partner, day in days.select("project_id", "partner_id", "closed_on").iter_rows():
        assert full.answered_on[query, partner] <= day
    assert len(full.answered_on) == days.unique(["project_id", "partner_id"]).height
    assert datasets.blind(full).answered_on == full.answered_on
    assert datasets.read(blind_folder).answered_on == {}


def test_without_answers_only_the_answers_are_gone(blind_folder: Path, tmp_path: Path) -> None:
    known = datasets.read(blind_folder)
    datasets.write(known, tmp_path / "input", answers=False)
    bare = datasets.read(tmp_path / "input")
    assert not (tmp_path / "input" / "qrels.csv").exists()
    assert bare.qrels is None
    assert bare.queries == known.queries
    assert_frame_equal(bare.train, known.train)


def test_anything_in_dataset_toml_is_written_back(full: Dataset, tmp_path: Path) -> None:
    odd = {
        "name": 'a "b" \\ \n é\x7f', "notes": ["x", "ừ"], "empty": [], "n": 3, "share": 0.5, "flag": True,
        "split_on": date(2016, 12, 31), "a key": {"b": 1, "c d": ["e"]},
    }  # fmt: skip
    datasets.write(replace(full, about=odd), tmp_path / "odd", answers=True)
    back = datasets.read(tmp_path / "odd")
    assert back.about == odd
    assert back.split_on == SPLIT_ON


def test_a_set_of_texts_has_no_partners_and_no_queries(tmp_path: Path) -> None:
    folder = write_small(tmp_path / "texts", deals=False)
    texts = datasets.read(folder)
    assert (texts.queries, texts.qrels, texts.split_on, texts.train.height) == ((), None, None, 0)
    made = datasets.blind(texts)
    assert "investor_country" in texts.projects.columns
    assert "investor_country" not in made.projects.columns
    datasets.write(made, tmp_path / "blind", answers=True)
    datasets.write(made, tmp_path / "input", answers=False)
    assert len(load(tmp_path / "blind" / "answers.csv")) == 60
    assert not (tmp_path / "input" / "answers.csv").exists()
    back = datasets.read(tmp_path / "blind")
    assert back.answers is not None
    assert back.answers["investor_country"].to_list() == ["JP|KR"] * 60
    for file in ("partners.csv", "deals.csv"):
        (folder / file).unlink()
    assert datasets.read(folder).missing == ("partners.csv", "deals.csv")
    with pytest.raises(InputError, match="no split_on"):
        datasets.facts(texts, REFERENCE, with_queries=True)
    assert datasets.facts(texts, REFERENCE, with_queries=True, as_of=SPLIT_ON).projects.height == 60


@pytest.mark.parametrize("column", OPTIONAL)
def test_any_optional_column_may_be_missing(tmp_path: Path, column: str) -> None:
    whole = datasets.blind(datasets.read(write_small(tmp_path / "whole")))
    datasets.write(whole, tmp_path / "blind", answers=False)
    name, field = column.split(".")
    rows = load(tmp_path / "blind" / f"{name}.csv")
    save(tmp_path / "blind" / f"{name}.csv", [{k: v for k, v in r.items() if k != field} for r in rows],
         [c for c in rows[0] if c != field])  # fmt: skip
    read = datasets.read(tmp_path / "blind")
    assert read.missing == (column,)
    assert dict(getattr(read, name).schema)[field] == COLUMNS[name][field]
    assert read.queries == whole.queries
    told = datasets.facts(read, REFERENCE, with_queries=True)
    assert positive(told.deals).height == read.train.height > 90


def test_all_optional_columns_may_be_missing_at_once(tmp_path: Path) -> None:
    folder = write_small(tmp_path / "set", without=[*(c for c in OPTIONAL if "_on" not in c), "dataset.licence"])
    bare = datasets.blind(datasets.read(folder))
    assert len(bare.missing) == len([c for c in OPTIONAL if "_on" not in c]) + 1
    assert set(bare.partners["kind"]) == {"unknown"}
    assert set(bare.projects["announced_precision"]) == {"day"}
    told = datasets.facts(bare, REFERENCE, with_queries=False)
    Engine.fit(told, BagEncoder(), seed=0, out=tmp_path / "engine")


def test_rows_that_only_a_missing_column_told_apart_count_once(folder: Path) -> None:
    edit(folder, "deals", lambda rows: rows.append({**rows[0], "role": "grant"}))
    before = datasets.read(folder).deals.height
    rows = load(folder / "deals.csv")
    save(folder / "deals.csv", [{k: v for k, v in r.items() if k != "role"} for r in rows],
         [c for c in rows[0] if c != "role"])  # fmt: skip
    read = datasets.read(folder)
    assert read.deals.height == before - 1
    assert list(read.warnings.values()) == [1]


def test_deals_of_a_blind_form_without_dates_train_and_it_is_said(blind_folder: Path) -> None:
    rows = load(blind_folder / "deals.csv")
    save(blind_folder / "deals.csv", [{k: r[k] for k in ("project_id", "partner_id", "role")} for r in rows],
         ["project_id", "partner_id", "role"])  # fmt: skip
    read = datasets.read(blind_folder)
    assert read.undated == "train"
    assert read.train.height == len(rows)
    assert any("train because" in sentence for sentence in read.warnings)


def put(name: str, row: int, /, **cells: str) -> Callable[[Path], None]:
    """Sets cells of the row that a spreadsheet numbers so."""
    return lambda folder: edit(folder, name, lambda rows: rows[row - 2].update(cells))


def text(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        path = folder / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    return run


def again(name: str) -> Callable[[Path], None]:
    return lambda folder: edit(folder, name, lambda rows: rows.append(dict(rows[0])))


BROKEN: list[tuple[str, Callable[[Path], None], list[str]]] = [
    ("no toml", lambda f: (f / "dataset.toml").unlink(), ["dataset.toml is missing"]),
    ("bad toml", text("dataset.toml", lambda s: s + "x ="), ["dataset.toml is not TOML"]),
    ("bad split", text("dataset.toml", lambda s: s.replace("2016-12-31", "2016-13-31")), ["split_on", "2016-13-31"]),
    ("loose split", text("dataset.toml", lambda s: s.replace("2016-12-31", "31.12.2016")), ["split_on", "31.12.2016"]),
    ("no split", text("dataset.toml", lambda s: s.replace('"2016-12-31"', '""')), ["split_on", "is missing"]),
    ("form", text("dataset.toml", lambda s: s + 'form = "half"\n'), ["form", "half", "full or blind"]),
    (
        "undated",
        text("dataset.toml", lambda s: s + 'undated_deals = "some"\n'),
        ["undated_deals", "some", "drop or train"],
    ),
    ("no_deals", text("dataset.toml", lambda s: s + "no_deals = true\n"), ["deals.csv, row 2", "no_deals"]),
    ("no projects", lambda f: (f / "projects.csv").unlink(), ["projects.csv", "is not a file"]),
    ("no partners", lambda f: (f / "partners.csv").unlink(), ["partners.csv", "is not a file"]),
    ("no deals", lambda f: (f / "deals.csv").unlink(), ["deals.csv", "is not a file"]),
    ("no project row", text("projects.csv", lambda s: s.split("\n")[0] + "\n"), ["projects.csv", "no row"]),
    (
        "no name",
        text("projects.csv", lambda s: s.replace("name,", "nam,", 1)),
        ["projects.csv", '"name" is missing', "nam"],
    ),
    (
        "no id",
        text("partners.csv", lambda s: s.replace("partner_id", "partner", 1)),
        ["partners.csv", '"partner_id" is missing'],
    ),
    (
        "no deal id",
        text("deals.csv", lambda s: s.replace("project_id", "project", 1)),
        ["deals.csv", '"project_id" is missing'],
    ),
    ("ragged", text("deals.csv", lambda s: s + "a,b\n"), ["deals.csv", "row 148", "2 cells"]),
    ("empty name", put("projects", 5, name=" "), ["projects.csv, row 5", '"name"', "required"]),
    ("bad id", put("partners", 5, partner_id="a b"), ["partners.csv, row 5", '"partner_id"', "a b", "no identifier"]),
    (
        "country word",
        put("projects", 3, country="Viet Nam"),
        ["projects.csv, row 3", '"country"', "Viet Nam", "alpha-2"],
    ),
    ("country case", put("partners", 3, country="vn"), ["partners.csv, row 3", '"country"', "vn", "alpha-2"]),
    ("isic", put("projects", 4, isic="351"), ["projects.csv, row 4", '"isic"', "351", "two-digit"]),
    ("section", put("projects", 4, isic="Z"), ["projects.csv, row 4", '"isic"', '"Z"']),
    ("kind", put("partners", 4, kind="firm"), ["partners.csv, row 4", '"kind"', "firm", "sovereign_fund"]),
    ("role", put("deals", 4, role="friend"), ["deals.csv, row 4", '"role"', "friend", "equity"]),
    ("value", put("projects", 4, value_usd="1,5"), ["projects.csv, row 4", '"value_usd"', "1,5", "not a number"]),
    ("negative", put("deals", 4, value_usd="-1"), ["deals.csv, row 4", '"value_usd"', "-1"]),
    (
        "date",
        put("projects", 4, announced_on="2010-02-30"),
        ["projects.csv, row 4", "announced_on", "2010-02-30", "not a date"],
    ),
    ("loose date", put("deals", 4, closed_on="1/2/2010"), ["deals.csv, row 4", "closed_on", "1/2/2010", "not a date"]),
    ("precision", put("deals", 4, closed_precision="week"), ["deals.csv, row 4", "closed_precision", "week", "month"]),
    (
        "none",
        put("deals", 4, closed_on="2010-02-03", closed_precision="none"),
        ["deals.csv, row 4", "closed_precision", "none"],
    ),
    (
        "empty day",
        put("deals", 4, closed_on="", closed_precision="day"),
        ["deals.csv, row 4", "closed_precision", "write none"],
    ),
    (
        "year",
        put("deals", 4, closed_on="2010-02-01", closed_precision="year"),
        ["deals.csv, row 4", "closed_on", "YYYY-01-01"],
    ),
    (
        "month",
        put("deals", 4, closed_on="2010-02-02", closed_precision="month"),
        ["deals.csv, row 4", "closed_on", "YYYY-MM-01"],
    ),
    ("twice project", again("projects"), ["projects.csv, row 62", "rows 2 and 62"]),
    ("twice partner", again("partners"), ["partners.csv, row 27", "rows 2 and 27"]),
    ("twice deal", again("deals"), ["deals.csv, row 148", "rows 2 and 148"]),
    ("stranger", put("deals", 7, partner_id="o404"), ["deals.csv, row 7", '"partner_id"', "o404", "partners.csv"]),
    (
        "strange project",
        put("deals", 7, project_id="p404"),
        ["deals.csv, row 7", '"project_id"', "p404", "projects.csv"],
    ),
]


@pytest.mark.parametrize(("damage", "said"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_what_the_format_does_not_allow_is_refused(
    folder: Path, damage: Callable[[Path], None], said: list[str]
) -> None:
    damage(folder)
    with pytest.raises(InputError) as refused:
        datasets.read(folder)
    for words in [str(folder), *said]:
        assert words in str(refused.value)


BROKEN_BLIND: list[tuple[str, Callable[[Path], None], list[str]]] = [
    (
        "late deal",
        put("deals", 4, closed_on="2018-03-04", closed_precision="day"),
        ["deals.csv, row 4", "closed_on", "2018-03-04", "training deals only"],
    ),
    (
        "deal of a query",
        lambda f: put("deals", 4, project_id=load(f / "queries.csv")[0]["project_id"])(f),
        ["deals.csv, row 4", "project_id", "is a query"],
    ),
    (
        "early query",
        lambda f: put("queries", 2, project_id=load(f / "deals.csv")[0]["project_id"])(f),
        ["queries.csv, row 2", "project_id", "announced on or before"],
    ),
    ("strange query", put("queries", 3, project_id="p404"), ["queries.csv, row 3", "p404", "projects.csv"]),
    ("twice query", again("queries"), ["queries.csv, row 20", "rows 2 and 20"]),
    ("empty query", text("queries.csv", lambda s: s + "\n"), ["queries.csv", "row 20"]),
    ("strange answer", put("qrels", 3, partner_id="o404"), ["qrels.csv, row 3", "o404", "partners.csv"]),
    (
        "answer to nothing",
        lambda f: put("qrels", 3, project_id=load(f / "deals.csv")[0]["project_id"])(f),
        ["qrels.csv, row 3", "project_id", "queries"],
    ),
    ("twice answer", again("qrels"), ["qrels.csv", "occurs in rows 2 and"]),
    (
        "answers header",
        text("qrels.csv", lambda s: s.replace("partner_id", "partner")),
        ["qrels.csv", '"partner_id" is missing'],
    ),
]


@pytest.mark.parametrize(("damage", "said"), [b[1:] for b in BROKEN_BLIND], ids=[b[0] for b in BROKEN_BLIND])
def test_what_the_blind_form_does_not_allow_is_refused(
    blind_folder: Path, damage: Callable[[Path], None], said: list[str]
) -> None:
    damage(blind_folder)
    with pytest.raises(InputError) as refused:
        datasets.read(blind_folder)
    for words in said:
        assert words in str(refused.value)


def test_a_refusal_says_what_was_expected(folder: Path) -> None:
    put("projects", 3, country="Viet Nam")(folder)
    with pytest.raises(InputError) as refused:
        datasets.read(folder)
    assert refused.value.errors == [{"pointer": "/3/country", "seen": "Viet Nam", "expected": "two capitals"}]


def test_line_ends_and_a_mark_at_the_start_do_not_matter(folder: Path, full: Dataset) -> None:
    for file in ("projects.csv", "partners.csv", "deals.csv"):
        (folder / file).write_bytes(b"\xef\xbb\xbf" + (folder / file).read_bytes().replace(b"\n", b"\r\n"))
    read = datasets.read(folder)
    assert_frame_equal(read.projects, full.projects)
    assert_frame_equal(read.deals, full.deals)


def test_text_is_brought_to_nfc_and_counted(folder: Path) -> None:
    put("projects", 2, name="Nha\u0300 ma\u0301y ", description="ca\u0309ng")(folder)
    read = datasets.read(folder)
    assert "Nhà máy" in read.projects["name"].to_list()
    assert list(read.warnings.values()) == [2]


def test_other_columns_are_kept_for_projects_only(folder: Path, full: Dataset) -> None:
    edit(folder, "partners", lambda rows: None)
    rows = load(folder / "partners.csv")
    save(folder / "partners.csv", [{**r, "website": "x"} for r in rows], [*rows[0], "website"])
    read = datasets.read(folder)
    assert_frame_equal(read.partners, full.partners)
    assert "colour" in read.projects.columns


def test_codes_outside_our_tables_are_counted_not_refused(folder: Path) -> None:
    put("projects", 2, country="XK", isic="99")(folder)
    found = datasets.unknown_codes(datasets.read(folder), REFERENCE)
    assert found['projects.csv: the country "XK" is in none of our tables'] == 1
    assert found['projects.csv: the isic "99" is in none of our tables'] == 1
    assert not any("JP" in sentence for sentence in found)
    told = datasets.facts(datasets.read(folder), REFERENCE, with_queries=True)
    assert not told.projects.explode("isic")["isic"].eq("99").any()
    assert "XK" in told.projects["country"].to_list()


def test_a_chosen_list_of_queries_counts_where_the_form_is_not_said(folder: Path, full: Dataset) -> None:
    chosen = list(full.queries[::3])
    # Nothing of a project of the query period trains, not even a deal that is dated before the split.
    early = {"project_id": full.queries[1], "role": "bond", "closed_on": "2010-01-02", "closed_precision": "day"}
    edit(folder, "deals", lambda rows: rows.append({**rows[0], **early}))
    save(folder / "queries.csv", [{"project_id": q} for q in chosen], ["project_id"])
    some = datasets.read(folder)
    assert list(some.queries) == chosen
    assert some.qrels is not None
    assert set(some.qrels) == set(chosen)
    assert_frame_equal(some.train, full.train)
    assert list(datasets.blind(some).queries) == chosen
    told = datasets.facts(some, REFERENCE, with_queries=True)
    assert set(told.projects["project_id"]) & set(full.queries) == set(chosen)


@pytest.mark.parametrize("name", ["other.csv", "other.qrels.gz"])
def test_answers_may_lie_elsewhere(blind_folder: Path, tmp_path: Path, name: str) -> None:
    known = datasets.read(blind_folder)
    assert known.qrels is not None
    write_qrels(tmp_path / name, known.qrels)
    (blind_folder / "qrels.csv").unlink()
    assert datasets.read(blind_folder).qrels is None
    assert datasets.read(blind_folder, qrels=tmp_path / name).qrels == known.qrels
    write_qrels(tmp_path / name, {**known.qrels, "p404": ["o1"]})
    with pytest.raises(InputError, match="p404"):
        datasets.read(blind_folder, qrels=tmp_path / name)
    write_qrels(tmp_path / name, {known.queries[0]: ["o404"]})
    with pytest.raises(InputError, match="o404"):
        datasets.read(blind_folder, qrels=tmp_path / name)


def test_the_digest_is_of_the_contents(folder: Path, full: Dataset, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    assert datasets.read(tmp_path / "copy").digest == full.digest
    seen = {full.digest, datasets.blind(full).digest, datasets.blind(full, max_queries=5).digest}
    put("deals", 3, value_usd="17")(folder)
    assert len({*seen, datasets.read(folder).digest}) == 4


def same(one: Facts, other: Facts) -> None:
    for table in ("projects", "partners", "deals", "footprint"):
        assert_frame_equal(getattr(one, table), getattr(other, table))
    assert one.as_of == other.as_of


@pytest.fixture
def told(full: Dataset) -> Facts:
    return datasets.facts(datasets.blind(full), REFERENCE, with_queries=True)


def test_facts_have_our_columns_and_what_is_required(told: Facts) -> None:
    for table in ("projects", "partners", "deals", "footprint"):
        frame = getattr(told, table)
        extra = ["counts_from"] if table in ("deals", "footprint") else []
        assert frame.columns == [*TABLES[table].columns, *extra]
        assert all(frame.schema[c] == t for c, t in TABLES[table].columns.items())
        assert all(frame[c].null_count() == 0 for c in TABLES[table].required)
        for column, allowed in TABLES[table].choices.items():
            assert set(frame[column].drop_nulls()) <= set(allowed)
        assert not frame.select(TABLES[table].key).is_duplicated().any()
    assert told.footprint.is_empty()
    assert told.as_of == SPLIT_ON


def test_every_deal_is_positive_and_only_queries_are_open(told: Facts, full: Dataset) -> None:
    assert set(full.train["role"]) >= {"insurance"}
    assert_frame_equal(positive(told.deals), told.deals)
    assert told.deals.height == full.train.height
    open_ = told.projects.filter(pl.col("status").is_in(list(OPEN_STATUSES)))
    assert set(open_["project_id"]) == set(full.queries)


def test_facts_hold_what_the_file_says(told: Facts, full: Dataset) -> None:
    pairs = full.projects.join(told.projects, on="project_id", suffix="_ours")
    assert pairs["name"].equals(pairs["name_en"], check_names=False)
    assert pairs["sector"].equals(pairs["sector_ours"], check_names=False)
    assert pairs["value_usd"].equals(pairs["value_usd_max"], check_names=False)
    known = pairs.filter(pl.col("isic").is_in(REFERENCE.isic["code"].to_list()))
    assert known["isic_ours"].to_list() == [[code] for code in known["isic"]]
    assert known.height > 20
    for column in ("description", "country", "region", "city", "announced_on", "announced_precision"):
        assert pairs[column].equals(pairs[f"{column}_ours"], check_names=False)


def test_vietnamese_names_are_told_apart(tmp_path: Path) -> None:
    read = datasets.read(write_small(tmp_path / "vi", vietnamese=True))
    told = datasets.facts(read, REFERENCE, with_queries=True)
    assert told.projects["name_vi"].null_count() == 0
    assert told.projects["name_en"].null_count() == told.projects.height


def test_a_deal_counts_from_the_last_day_its_date_can_mean(told: Facts) -> None:
    for closed, precision, counts in told.deals.select("closed_on", "closed_precision", "counts_from").iter_rows():
        if precision == "year":
            assert counts == date(closed.year, 12, 31)
        elif precision == "month":
            assert (counts.year, counts.month) == (closed.year, closed.month)
            assert counts.day >= 28
        else:
            assert counts == closed


def test_undated_deals_count_from_the_split_and_are_no_labels(tmp_path: Path) -> None:
    read = replace(datasets.read(write_small(tmp_path / "set", undated=0.5)), undated="train")
    told = datasets.facts(datasets.blind(read), REFERENCE, with_queries=False)
    undated = told.deals.filter(pl.col("closed_on").is_null())
    assert undated.height > 20
    assert set(undated["counts_from"]) == {SPLIT_ON}
    origins = rolling_origins(told.deals, until=told.as_of)
    labels = {(p, q) for o in origins for p, partners in o.labels.items() for q in partners}
    assert labels
    assert not labels & set(undated.select("project_id", "partner_id").iter_rows())


def test_a_partner_is_listed_from_its_first_deal_on(told: Facts, full: Dataset) -> None:
    first = told.deals.group_by("partner_id").agg(pl.col("counts_from").min())
    assert listed_from(told.partners, told.deals) == dict(first.iter_rows())
    assert told.partners.height > first.height  # cold ones have no day


def test_without_queries_nothing_else_is_gone(told: Facts, full: Dataset) -> None:
    bare = datasets.facts(datasets.blind(full), REFERENCE, with_queries=False)
    kept = told.projects.filter(~pl.col("project_id").is_in(full.queries))
    same(bare, replace(told, projects=kept))


def test_projects_of_the_query_period_leave_no_trace_in_training(folder: Path, full: Dataset) -> None:
    """Facts to fit on are the same when queries, their answers and late deals never were in the files."""
    before = datasets.facts(full, REFERENCE, with_queries=False)
    keep = set(full.train.select("project_id", "partner_id", "role").iter_rows())
    deals = [r for r in load(folder / "deals.csv") if (r["project_id"], r["partner_id"], r["role"]) in keep]
    save(folder / "deals.csv", deals, deals[0])
    projects = [r for r in load(folder / "projects.csv") if r["project_id"] not in full.queries]
    save(folder / "projects.csv", projects, projects[0])
    same(datasets.facts(datasets.read(folder), REFERENCE, with_queries=False), before)


def test_an_earlier_day_knows_less(full: Dataset) -> None:
    day = date(2012, 6, 30)
    told = datasets.facts(full, REFERENCE, with_queries=False, as_of=day)
    now = datasets.facts(full, REFERENCE, with_queries=False)
    assert told.as_of == day
    assert 0 < told.deals.height < now.deals.height
    assert (told.deals["counts_from"] <= day).all()
    later = told.projects.filter(pl.col("announced_on") > day)
    assert set(later["project_id"]) <= set(told.deals["project_id"])
    assert told.projects.height < now.projects.height


def test_a_deal_planted_after_the_day_changes_nothing(folder: Path, full: Dataset) -> None:
    day = date(2014, 12, 31)
    before = datasets.facts(full, REFERENCE, with_queries=False, as_of=day)
    old = full.train["project_id"][0]
    edit(folder, "deals", lambda rows: rows.append({
        "project_id": old, "partner_id": full.partners["partner_id"][0], "role": "bond", "closed_on": "2015-01-01",
        "closed_precision": "year", "value_usd": "5",
    }))  # fmt: skip
    same(datasets.facts(datasets.read(folder), REFERENCE, with_queries=False, as_of=day), before)


def test_an_engine_fits_and_opens_on_a_set(full: Dataset, tmp_path: Path) -> None:
    made = datasets.blind(full)
    engine = Engine.fit(
        datasets.facts(made, REFERENCE, with_queries=False), BagEncoder(), seed=0, out=tmp_path / "engine"
    )
    assert engine.manifest.counts["positive_deals"] == made.deals.height
    assert engine.manifest.counts["labels"] > 20
    catalogue = engine.open(datasets.facts(made, REFERENCE, with_queries=True), BagEncoder())
    assert set(made.queries) <= set(catalogue.projects.frame["project_id"])
