"""Workbooks and lists as officials write them: what is read, how, and that every wrong cell is named."""

import codecs
import io
import zipfile

import pytest
import xlsxwriter
from jobs_files import PARTNERS, PROJECTS
from official_files import FAULTY, GOOD, HEADING, workbook

from matcher.errors import InputError
from matcher.ingest import xlsxfile
from matcher.ingest.tables import CellsError
from matcher.jobs.importing import import_file

XLSX = "Danh mục dự án.xlsx"


def test_a_vietnamese_workbook_is_read(load, stocked):
    report = load(workbook({"Dự án": [HEADING, *GOOD]}, title=3), name=XLSX)
    assert (report.new, report.file) == (3, XLSX)
    port, water, metro = stocked.read("projects").to_dicts()
    assert port["name_vi"] == "Cảng trung chuyển Cần Giờ"
    assert (port["country"], port["sector"], port["status"]) == ("VN", "ports_logistics", "calling")
    assert [str(p["value_max"]) for p in (port, water, metro)] == [
        "12500000000.00", "1234500000000.00", "1234000000000.00",
    ]  # fmt: skip
    assert (port["value_currency"], port["value_usd_estimated"]) == ("VND", True)
    assert port["value_usd_max"] == round(12.5e9 / 26_362)
    assert [p["announced_on"].isoformat() for p in (port, water, metro)] == ["2025-03-01", "2025-12-31", "2025-02-01"]
    assert (water["status"], water["announced_precision"]) == ("approved", "day")
    assert 'the column "STT" of the sheet "Dự án" is not read' in report.warnings
    assert any("converted to dollars" in w and n == 3 for w, n in report.warnings.items())


def test_every_wrong_cell_of_a_workbook_is_named(load, stocked):
    revision = stocked.revision()
    with pytest.raises(CellsError) as refusal:
        load(workbook({"Dự án": [HEADING, *FAULTY]}, title=9), name=XLSX)
    said = [(w.sheet, w.row, w.column, w.seen) for w in refusal.value.wrong]
    assert said == [
        ("Dự án", 14, "Vốn (tỷ đồng)", "12,5 ty"),
        ("Dự án", 14, "Ngày công bố", "31/02/2025"),
        ("Dự án", 14, "Tình trạng", "đang mơ"),
        ("Dự án", 14, "Quốc gia", "Nhật Bổn"),
        ("Dự án", 15, "Mã dự án", "DA-01"),
        ("Dự án", 16, "Tên dự án", ""),
        ("Dự án", 17, "Tên dự án", "=SUM(A1)"),
        ("Dự án", 17, "Quốc gia", ""),
    ]
    line = 'Sheet "Dự án", row 14, column "Vốn (tỷ đồng)": "12,5 ty" is not a number; write 12.5 or 12,5'
    assert line in str(refusal.value).splitlines()
    assert stocked.revision() == revision


def test_two_hundred_errors_are_told_and_the_others_counted(load):
    rows = "".join(f"p{i},A,,XX,1,,none\n" for i in range(500))
    with pytest.raises(CellsError, match="300 more errors") as refusal:
        load(PROJECTS + rows)
    assert (len(refusal.value.wrong), refusal.value.count) == (200, 500)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoded", ["utf-8", "utf-8-sig", "utf-16"], ids=["UTF-8", "UTF-8 with mark", "UTF-16"])
def test_csv_of_every_kind_that_excel_writes(load, stocked, separator, encoded):
    cells = [
        ["Mã đối tác", "Tên đối tác", "Quốc gia", "Loại hình"],
        ["q1", "Tập đoàn Sông Hồng", "Hàn Quốc", "Công ty"],
    ]
    text = "\r\n".join(separator.join(row) for row in cells) + "\r\n"
    assert load(text.encode(encoded), kind="partners").new == 1
    one = stocked.read("partners").row(0, named=True)
    assert (one["name"], one["country"], one["kind"]) == ("Tập đoàn Sông Hồng", "KR", "company")


def test_big_endian_utf_16_is_read_too(load):
    text = PARTNERS + "q1,Posco,KR,company,,\n"
    assert load(codecs.BOM_UTF16_BE + text.encode("utf-16-be"), kind="partners").new == 1


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (["1.234", "12,5"], [1234, 12.5]),
        (["1,234", "12.5"], [1234, 12.5]),
        (["1.234.567,5", "1.234"], [1234567.5, 1234]),
        (["1 234 567,5", "12"], [1234567.5, 12]),
        (["1.234,5", "1,234.5"], [1234.5, 1234.5]),
    ],
)
def test_numbers_are_read_as_the_other_numbers_of_the_sheet_are_written(load, stocked, cells, read):
    load("Mã dự án;Tên dự án;Quốc gia;Vốn (triệu USD)\n" + "".join(f"p{i};A;VN;{c}\n" for i, c in enumerate(cells)))
    assert stocked.read("projects")["value_usd_max"].to_list() == pytest.approx([r * 1e6 for r in read])


@pytest.mark.parametrize(
    ("heading", "cells", "said"),
    [
        ("Vốn (triệu USD)", ["1.234"], '"1.234" can be two numbers; write 1234 or 1.2340'),
        ("Vốn (triệu USD)", ["1,234", "12.5", "12,5"], '"1,234" can be two numbers'),
        ("announced_on", ["01/02/2025"], '"01/02/2025" can be two dates; write 2025-02-01 or 2025-01-02'),
        ("Ngày công bố", ["12/31/2025"], '"12/31/2025" is not a date; write 31/12/2026 or 2026-12-31'),
    ],
)
def test_what_could_be_two_things_is_refused(load, heading, cells, said):
    text = f"project_id;name;country;{heading}\n" + "".join(f"p{i};A;VN;{c}\n" for i, c in enumerate(cells))
    with pytest.raises(CellsError) as refusal:
        load(text)
    assert said in str(refusal.value)
    assert refusal.value.count == 1


def test_a_number_that_excel_stored_is_never_in_doubt(load, stocked):
    rows = [("Mã dự án", "Tên dự án", "Quốc gia", "Vốn (triệu USD)"), ("p1", "A", "VN", 1.234)]
    load(workbook({"A": rows}), name=XLSX)
    assert stocked.read("projects")["value_usd_max"].to_list() == pytest.approx([1.234e6])


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("Vốn", "does not say in which money"),
        ("Diện tích (tỷ đồng)", "is in vnd, but area_ha is in ha"),
    ],
)
def test_a_heading_whose_unit_does_not_fit_is_refused(load, heading, said):
    with pytest.raises(InputError, match=said):
        load(f"project_id;name;country;{heading}\np;A;VN;1\n")


def test_dollars_of_the_file_are_kept_beside_dong(load, stocked):
    load("project_id;name;country;Vốn (tỷ đồng);Vốn (triệu USD)\np;A;VN;26;1\n")
    one = stocked.read("projects").row(0, named=True)
    assert (str(one["value_max"]), one["value_currency"]) == ("26000000000.00", "VND")
    assert (one["value_usd_max"], one["value_usd_estimated"]) == (1e6, False)


def test_every_visible_sheet_is_read_or_the_one_that_is_named(load, stocked):
    head = ("project_id", "name", "country")
    book = workbook(
        {"Một": [head, ("p1", "A", "VN")], "Hai": [head, ("p2", "B", "VN")], "Ẩn": [head, ("p3", "C", "VN")],
         "Trống": [], "Ghi chú": [("gì đó",), ("khác",)]},
        hidden=["Ẩn"],
    )  # fmt: skip
    report = load(book, name=XLSX, dry_run=True)
    assert report.new == 2
    assert {s for s in report.warnings if "Ẩn" in s or "Trống" in s or "Ghi chú" in s} == {
        'the sheet "Ẩn" is not read: it is hidden', 'the sheet "Trống" is not read: it is empty',
        'the sheet "Ghi chú" is not read: it has none of the columns of projects',
    }  # fmt: skip
    assert load(book, name=XLSX, sheet="Ẩn").new == 1
    assert stocked.read("projects")["project_id"].to_list() == ["p3"]
    with pytest.raises(InputError, match=r'no sheet "Mot".*nearest: Một'):
        load(book, name=XLSX, sheet="Mot")


def test_a_record_in_two_sheets_is_refused_and_one_may_name_the_other(load, stocked):
    head = ("partner_id", "name", "country", "kind", "parent_id")
    book = {"A": [head, ("q1", "Con", "JP", "company", "q2")], "B": [head, ("q2", "Mẹ", "JP", "company", "")]}
    assert load(workbook(book), name=XLSX, kind="partners").new == 2
    with pytest.raises(CellsError, match='Sheet "B", row 2, column "partner_id": "q1" stands in sheet "A", row 2 too'):
        load(workbook({**book, "B": book["A"]}), name=XLSX, kind="partners")


def test_an_error_of_the_spreadsheet_is_no_empty_cell(load):
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed) as book:
        sheet = book.add_worksheet("A")
        sheet.write_row(0, 2, ["project_id", "name", "country", "area_ha"])
        sheet.write_row(1, 2, ["p", "A", "VN"])
        sheet.write_formula(1, 5, "=1/0", None, "#DIV/0!")
    with pytest.raises(CellsError, match='row 2, column "area_ha": "#DIV/0!" is an error of the spreadsheet'):
        load(packed.getvalue(), name=XLSX)


def test_a_record_that_is_there_under_another_identifier_is_a_warning(load, two_of_each):
    rows = "x1,SOJITZ,JP,company,,\nx2,Sojitz Corp,JP,company,,\nx3,Posko Holding,KR,company,,\nq2,Posco,KR,company,,\n"
    report = load(PARTNERS + rows, kind="partners", dry_run=True)
    assert [(t.row, t.record, t.like) for t in report.resembling] == [(2, "x1", ("q1",))]
    report = load(PROJECTS + "n1,Nha may thep.,,VN,1,,none\n", dry_run=True)
    assert [(t.record, t.like) for t in report.resembling] == [("n1", ("p1",))]


# --- files that are not what they seem --------------------------------------------------------------------------------


def _zip(parts: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return packed.getvalue()


def _with_part(content: bytes, name: str, change) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {n: archive.read(n) for n in archive.namelist()}
    parts[name] = change(parts.get(name, b""))
    return _zip(parts)


BOOK = workbook({"A": [("project_id", "name", "country"), ("p", "A", "VN")]})
SHEET, RELATIONS = "/".join(("xl", "worksheets", "sheet1.xml")), "/".join(("xl", "_rels", "workbook.xml.rels"))
FAR = b'<c r="XFD1048576"><v>1</v></c></row>'
BILLION = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><sheet>&a;</sheet>'
HOSTILE = [
    ("password", xlsxfile.OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "protected by a password"),
    ("old format", xlsxfile.OLE + bytes(600), "old format"),
    ("cut off", BOOK[: len(BOOK) // 2], "damaged"),
    ("a byte turned", BOOK[:60] + bytes([BOOK[60] ^ 255]) + BOOK[61:], "damaged|no Excel workbook"),
    ("zip of something else", _zip({"a.txt": b"x"}), "no Excel workbook"),
    ("cell at the end of the world", _with_part(BOOK, SHEET, lambda x: x.replace(b"</row>", FAR, 1)), "rows; split it"),
    ("cell nowhere", _with_part(BOOK, SHEET, lambda x: x.replace(b'r="A1"', b'r="A99999999"')), "which is no place"),
    ("entities", _with_part(BOOK, SHEET, lambda _: BILLION), "document type"),
    ("broken XML", _with_part(BOOK, SHEET, lambda x: x[:200]), "damaged"),
    ("broken styles", _with_part(BOOK, "xl/styles.xml", lambda x: x[:80]), "damaged"),
    ("no sheet", _with_part(BOOK, RELATIONS, lambda _: b"<Relationships/>"), "damaged|nothing"),
    ("empty sheet", workbook({"A": []}), "nothing to read"),
    ("heading only", workbook({"A": [("project_id", "name")]}), "no row below"),
    ("column without a name", workbook({"A": [("project_id", ""), ("p", "x")]}), "column B has cells but no name"),
    ("column twice", workbook({"A": [("project_id", "project_id"), ("p", "x")]}), "occurs twice"),
    ("NUL bytes", PROJECTS.encode() + b"p,A\0,,VN,,,\n", "NUL"),
    ("other text", b"%PDF-1.7\n1 0 obj\n", "none of the columns|row"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), [h[1:] for h in HOSTILE], ids=[h[0] for h in HOSTILE])
def test_a_file_that_is_not_what_it_seems_is_refused(load, stocked, content, said):
    revision = stocked.revision()
    with pytest.raises(InputError, match=said):
        load(content, name=XLSX)
    assert stocked.revision() == revision


def test_a_workbook_that_unpacks_to_too_much_is_refused_unopened(load, monkeypatch):
    bomb = _with_part(BOOK, "xl/sharedStrings.xml", lambda _: b" " * (210 * 2**20))
    assert len(bomb) < 2**20
    monkeypatch.setattr(xlsxfile.fastexcel, "read_excel", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(InputError, match="unpacks to more than 200 MB"):
        load(bomb, name=XLSX)


def test_a_sheet_of_a_csv_file_is_refused(load):
    with pytest.raises(InputError, match="no Excel workbook"):
        load(PROJECTS + "p,A,,VN,,,none\n", sheet="A")


def test_decomposed_text_of_a_workbook_becomes_nfc(load, stocked):
    load(
        workbook(
            {"A": [("project_id", "name", "country"), ("p", "Ca\u0309ng  Ca\u0302\u0300n Gio\u031b\u0300", "VN")]}
        ),
        name=XLSX,
    )
    assert stocked.read("projects")["name_vi"].to_list() == ["Cảng Cần Giờ"]


def test_a_path_is_only_a_name(stocked, tmp_path):
    with pytest.raises(InputError, match="is not a file"):
        import_file(stocked, tmp_path / "none.xlsx", kind="projects", source="s", actor="a")
