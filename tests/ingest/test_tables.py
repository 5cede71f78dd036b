"""The strict reader: what it refuses, how it says so, and that what it accepts comes back unchanged."""

import csv
import io
import time
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.errors import InputError, SourceError
from matcher.ingest import SOURCES
from matcher.ingest.csvfile import MAX_ROWS, read_cells
from matcher.ingest.tables import known_keys, read_csv, read_table, validate
from matcher.records import TABLES, empty
from matcher.text import nfc

COLUMNS = {
    "project_id": pl.String(),
    "name_vi": pl.String(),
    "status": pl.String(),
    "country": pl.String(),
    "isic": pl.List(pl.String()),
    "area_ha": pl.Float64(),
    "value_min": pl.Decimal(24, 2),
    "green": pl.Boolean(),
    "announced_on": pl.Date(),
}
REQUIRED = ("project_id", "status", "country")
KNOWN = {"countries": {"VN", "NA", "JP"}, "isic": {"42", "52", "H"}}
HEAD = ",".join(COLUMNS)
GOOD = "p1,Cảng Cần Giờ,calling,VN,42|52,12.5,1200000.50,true,2025-03-01"


def read(path: Path, content: str | bytes) -> pl.DataFrame:
    path = path / "projects.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(path, COLUMNS, table="projects", required=REQUIRED, known=KNOWN)


def refusal(path: Path, content: str | bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path, content)
    return caught.value


def with_cell(column: str, value: str, row: str = GOOD) -> str:
    cells = dict(zip(COLUMNS, row.split(","), strict=True)) | {column: value}
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells.values())
    return f"{HEAD}\n{out.getvalue()}"


def test_a_good_file_gives_typed_values(tmp_path: Path) -> None:
    frame = read(tmp_path, f"{HEAD}\n{GOOD}\np2,,past,NA,,,,,\n")
    assert dict(frame.schema) == COLUMNS
    assert frame.row(0) == (
        "p1", "Cảng Cần Giờ", "calling", "VN", ["42", "52"], 12.5, Decimal("1200000.50"), True, date(2025, 3, 1),
    )  # fmt: skip
    assert frame.row(1) == ("p2", None, "past", "NA", None, None, None, None, None)


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{HEAD}\n{GOOD}\n",  # as Excel saves "CSV UTF-8"
        f"{HEAD}\r\n{GOOD}\r\n",
        f"{HEAD}\n{GOOD}",
    ],
)
def test_byte_order_mark_line_ends_and_a_missing_last_one_are_accepted(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content).row(0)[0] == "p1"


def test_columns_may_be_left_out_and_come_in_any_order(tmp_path: Path) -> None:
    frame = read(tmp_path, "country,status,project_id\nJP,calling,p1\n")
    assert frame.columns == list(COLUMNS)
    assert frame.row(0, named=True)["country"] == "JP"
    assert frame.row(0, named=True)["area_ha"] is None


def test_quoted_commas_quotes_and_line_breaks_are_text(tmp_path: Path) -> None:
    frame = read(tmp_path, with_cell("name_vi", 'A, "B"\nC'))
    assert frame.get_column("name_vi").to_list() == ['A, "B" C']


def test_text_of_users_is_brought_to_nfc(tmp_path: Path) -> None:
    decomposed = "Ca\u0309ng  Ca\u0302\u0300n Gio\u031b\u0300 "
    assert read(tmp_path, with_cell("name_vi", decomposed)).get_column("name_vi")[0] == "Cảng Cần Giờ"


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("area_ha", "12,5 ty", "is not a number; write 12.5"),
        ("area_ha", "nan", "is not a number"),
        ("area_ha", "1e999", "is not a number"),
        ("value_min", "1.234", "is not an amount"),
        ("green", "yes", "is not a flag; write true or false"),
        ("announced_on", "31/12/2025", "is not a date; write 2026-11-22"),
        ("announced_on", "2025-02-30", "is not a date"),
        ("isic", "42||52", "empty item"),
        ("isic", "42|42", "twice"),
        ("isic", "4200", "is not in isic (nearest: 42)"),
        ("country", "UK", "expected an ISO 3166-1 alpha-2 code"),
        ("country", "", "is required"),
        ("status", "open", "is not one of calling"),
        ("name_vi", "=HYPERLINK(1)", "formula"),
        ("name_vi", "+cmd|' /C calc'!A0", "formula"),
        ("name_vi", "-A1", "formula"),
        ("name_vi", "@SUM(A1)", "formula"),
        ("name_vi", " =1+1", "formula"),
        ("name_vi", "x" * 20_001, "more than 20,000 characters"),
    ],
)
def test_a_bad_cell_is_named_with_row_and_column(tmp_path: Path, column: str, value: str, says: str) -> None:
    content = with_cell(column, value).replace(HEAD, f"{HEAD}\n{GOOD.replace('p1', 'p0')}")
    error = refusal(tmp_path, content)
    assert f'projects.csv, row 3, column "{column}": ' in str(error)
    assert says in str(error)
    assert error.errors[0]["pointer"] == f"/3/{column}"
    assert error.errors[0]["expected"]


@pytest.mark.parametrize(
    "value", ["-12.5", "+84 28 3829", "- phần 2", "a=b", "R&D", "@Ventures", "-Harbour Oil Limited (HOL) - oil"]
)
def test_signs_and_plain_text_are_no_formula(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, with_cell("name_vi", value)).get_column("name_vi")[0] == value


def test_a_negative_number_is_fine_where_it_means_something(tmp_path: Path) -> None:
    assert read(tmp_path, with_cell("area_ha", "-12.5")).get_column("area_ha")[0] == -12.5


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("value_min", "-12.5", "amount"), ("value_min", "1" + 20 * "0", "amount"),
        ("announced_on", "2999-01-01", "day of"), ("announced_on", "0001-01-01", "day of"),
        ("project_id", "a/b", "identifier"), ("project_id", "..", "identifier"),
        ("project_id", "a|b", "identifier"), ("project_id", "x" * 101, "identifier"),
    ],
)  # fmt: skip
def test_what_is_out_of_reach_is_refused_with_row_and_column(tmp_path: Path, column: str, value: str, why: str) -> None:
    error = refusal(tmp_path, with_cell(column, value))
    assert f'row 2, column "{column}"' in str(error)
    assert why in str(error)


def test_namibia_is_not_null(tmp_path: Path) -> None:
    assert read(tmp_path, with_cell("country", "NA")).get_column("country")[0] == "NA"


def test_both_rows_of_a_duplicated_id_are_named(tmp_path: Path) -> None:
    error = refusal(tmp_path, f"{HEAD}\n{GOOD}\n{GOOD.replace('p1', 'p2')}\n{GOOD}\n")
    assert "rows 2 and 4" in str(error)
    assert '"p1"' in str(error)


def test_every_error_is_counted_and_the_first_are_spelled_out(tmp_path: Path) -> None:
    rows = "\n".join(f"p{i},,calling,XX,,,,," for i in range(500))
    error = refusal(tmp_path, f"{HEAD}\n{rows}\n")
    assert len(error.errors) == 20
    assert "480 more errors" in str(error)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("project_id,status,country,sttaus", 'column "sttaus" is not known (nearest: status)'),
        ("project_id,status,contry", 'column "country" is missing (nearest: contry)'),
        ("project_id,status,country,status", 'column "status" occurs twice, as columns 2 and 4'),
        ("project_id,status,country,", "column 4 has no name"),
        ("project_id;status;country", "separated by ';'"),
    ],
)
def test_a_wrong_heading_is_explained(tmp_path: Path, header: str, says: str) -> None:
    filler = ",".join("x" for _ in header.split(","))
    assert says in str(refusal(tmp_path, f"{header}\n{filler}\n"))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("p1,calling", "row 2 has 2 cells; the heading has 3"),
        ("p1,calling,VN\np2,calling,VN,x", "row 3 has 4 cells; the heading has 3"),
        ("p1,calling,VN\n\np2,calling,VN", "row 3 is blank"),
        ('p1,"calling,VN', "never closed"),
        ('p1,calling,VN\np2,call"ing"s,VN', 'row 3 has a quotation mark (") inside a cell'),
        ('p1,"calling"s,VN', 'row 2 has a quotation mark (") inside a cell'),
    ],
)
def test_a_ragged_row_is_named(tmp_path: Path, rows: str, says: str) -> None:
    assert says in str(refusal(tmp_path, f"project_id,status,country\n{rows}\n"))
    assert says in str(refusal(tmp_path, f"project_id,status,country\n{rows}"))


@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("cp1258", "CP1258"),
        ("cp1252", "Windows-1252"),
    ],
)
def test_other_encodings_are_named_with_the_way_out(tmp_path: Path, encoding: str, says: str) -> None:
    text = f"{HEAD}\n{GOOD}\n"
    if encoding == "cp1258":  # vowel with its mark, tone as a mark of its own
        text = text.replace("Cảng Cần Giờ", "Ca\u0309ng Câ\u0300n Giơ\u0300 ở đâu".replace("ở", "ơ\u0309"))
    if encoding == "cp1252":
        text = text.replace("Cảng Cần Giờ", "Société Générale, crédit à l'été").replace("Générale, ", "Générale ")
    error = refusal(tmp_path, text.encode(encoding))
    assert says in str(error)
    assert "CSV UTF-8" in str(error)


def test_an_encoding_error_far_into_the_file_names_its_row(tmp_path: Path) -> None:
    rows = "".join(f"p{i},calling,VN\n" for i in range(3000))
    content = f"project_id,status,country\n{rows}".encode() + b"p\xe9,calling,VN\n"
    assert "row 3002 is not UTF-8" in str(refusal(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n", "is empty"),
        (f"{HEAD}\n".encode(), "a heading but no row"),
        (f"{HEAD}\n{GOOD}\n".replace("12.5", "12\0").encode(), "row 2 holds a NUL byte"),
        (b"PK\x03\x04....", "Excel workbook"),
        (f"{HEAD}\r{GOOD}\r".encode(), "end with CR alone"),
    ],
)
def test_files_of_another_kind_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    assert says in str(refusal(tmp_path, content))


def test_two_million_rows_are_refused_within_seconds(tmp_path: Path) -> None:
    path = tmp_path / "projects.csv"
    with path.open("wb") as out:
        out.write(f"{HEAD}\n".encode())
        for _ in range(200):
            out.write(f"{GOOD}\n".encode() * 10_000)
    start = time.perf_counter()
    with pytest.raises(InputError, match=f"more than {MAX_ROWS:,} rows"):
        read_csv(path, COLUMNS, table="projects", required=REQUIRED)
    assert time.perf_counter() - start < 3


def test_the_row_limit_counts_records_not_lines(tmp_path: Path) -> None:
    path = tmp_path / "projects.csv"
    row = 'p{},calling,VN,"a\nb\nc"\n'
    path.write_text("project_id,status,country,name_vi\n" + "".join(row.format(i) for i in range(10)), encoding="utf-8")
    assert read_csv(path, COLUMNS, table="projects", max_rows=10).height == 10
    with pytest.raises(InputError, match="more than 9 rows"):
        read_csv(path, COLUMNS, table="projects", max_rows=9)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a file"):
        read_csv(tmp_path / "none.csv", COLUMNS, table="projects")


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Cn")), max_size=20).map(nfc)
CELL = TEXT.filter(lambda t: not t or t[0] not in "=@+-＝＠")
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name_vi": CELL.map(lambda t: t or None),
            "status": st.sampled_from(["calling", "past"]),
            "country": st.sampled_from(["VN", "NA"]),
            "isic": st.none() | st.lists(st.sampled_from(["42", "52", "H"]), unique=True, min_size=1),
            "area_ha": st.none() | st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-9),
            "value_min": st.none() | st.decimals(0, 10**12, places=2),
            "green": st.none() | st.booleans(),
            "announced_on": st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)),
        }
    ),
    min_size=1,
    max_size=12,
)


def as_cell(value: object) -> str:
    if isinstance(value, list):
        return "|".join(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    path = tmp_path_factory.mktemp("trip") / "projects.csv"
    rows = [{"project_id": f"p{i}", **row} for i, row in enumerate(rows)]
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([as_cell(row[c]) for c in COLUMNS] for row in rows)
    frame = read_csv(path, COLUMNS, table="projects", required=REQUIRED, known=KNOWN)
    assert frame.to_dicts() == [{c: row[c] for c in COLUMNS} for row in rows]


def write(directory: Path, file: str, table: str, *rows: dict[str, str]) -> None:
    with (directory / file).open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(TABLES[table].columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


PROJECT = {"status": "calling", "country": "VN", "source": "s"}


def test_projects_are_both_files_and_an_id_may_occur_in_one_only(tmp_path: Path) -> None:
    first, second = SOURCES["projects"]
    write(tmp_path, first, "projects", PROJECT | {"project_id": "p1"})
    write(tmp_path, second, "projects", PROJECT | {"project_id": "p2"})
    assert read_table("projects", tmp_path).get_column("project_id").to_list() == ["p1", "p2"]
    write(tmp_path, second, "projects", PROJECT | {"project_id": "p1"})
    with pytest.raises(SourceError, match=r"projects.csv and past_projects.csv both have 'p1'"):
        read_table("projects", tmp_path)


def test_our_own_tables_are_read_without_forgiveness(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="missing; restore it"):
        read_table("terms", tmp_path)
    write(tmp_path, "terms.csv", "terms")
    assert read_table("terms", tmp_path).equals(empty("terms"))
    write(tmp_path, "terms.csv", "terms", {"term": "cảng ", "lang": "vi", "isic": "52"})
    with pytest.raises(SourceError, match='row 2, column "term": "cảng " is not tidy NFC'):
        read_table("terms", tmp_path)
    (tmp_path / "terms.csv").write_text("term,lang,isic\ncảng,vi,52\n", encoding="utf-8")
    with pytest.raises(SourceError, match='column "licence" is missing'):
        read_table("terms", tmp_path)


def frame(table: str, *rows: dict[str, object]) -> pl.DataFrame:
    columns = dict(TABLES[table].columns)
    return pl.DataFrame([dict.fromkeys(columns) | row for row in rows], schema=columns)


COUNTRY = {"country": "VN", "name_vi": "Việt Nam", "name_en": "Viet Nam", "source": "s", "licence": "l"}
MISSION = {"mission_id": "m1", "name_vi": "a", "name_en": "b", "type": "embassy", "country": "VN", "source": "s"}


@pytest.mark.parametrize(
    ("table", "row", "says"),
    [
        ("missions", {"country": "XX"}, "is not in countries"),
        ("missions", {"type": "castle"}, "is not one of embassy"),
        ("missions", {"source": None}, "is required"),
        ("missions", {"note": "Ca\u0309ng"}, "is not tidy NFC text"),
        ("countries", {"lat": 91.0}, "is not between -90 and 90"),
        ("countries", {"country": "VN"}, "occurs in rows 2 and 3"),
    ],
)
def test_validate_names_what_does_not_fit(table: str, row: dict[str, object], says: str) -> None:
    tables = {"countries": frame("countries", COUNTRY), "missions": frame("missions", MISSION)}
    assert validate(tables) == []
    other = {"countries": {**COUNTRY, "country": "JP"}, "missions": {**MISSION, "mission_id": "m2"}}[table]
    tables[table] = pl.concat([tables[table], frame(table, other | row)])
    (found,) = validate(tables)
    assert says in found
    assert found.startswith(f"{table}, row ")


def test_validate_checks_ranges_precisions_parents_and_schema() -> None:
    project = {"project_id": "p1", "status": "calling", "country": "VN", "source": "s"}
    tables = {
        "countries": frame("countries", COUNTRY),
        "isic": frame("isic", {"code": "42", "level": 2, "parent": "F", "title_en": "Civil engineering"}),
        "projects": frame(
            "projects",
            project | {"value_usd_min": 2.0, "value_usd_max": 1.0, "announced_precision": "day", "isic": ["99"]},
        ),
        "terms": pl.DataFrame({"term": ["x"]}),
    }
    found = "\n".join(validate(tables))
    assert '"F" is not in isic' in found
    assert '"99" is not in isic' in found
    assert "is more than value_usd_max" in found
    assert "does not fit announced_on" in found
    assert "terms: columns are" in found


def test_known_keys_are_those_of_single_column_keys() -> None:
    tables = {"countries": frame("countries", COUNTRY), "terms": empty("terms")}
    assert known_keys(tables) == {"countries": frozenset({"VN"})}


@pytest.mark.parametrize("content", [b"\n\x05", b"\n\na,b\n1,2\n", b"\na\n1\n"])
def test_blank_lines_before_the_heading_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"odd\.csv"):
        read_cells(path)
